"""The conformance kit: what every plugin promises, as checks that an author can run.

    from mexbench.testing import assert_conforms

    def test_my_model():
        assert_conforms(MyModel())

One run reports all that is wrong. ``bench test-plugin NAME`` prints the same checks as a table.
"""

from __future__ import annotations

from collections.abc import Iterator

from mexbench.errors import counted
from mexbench.interfaces import Dataset, Model, Plugin, Preprocessor, Protocol, SpottingModel
from mexbench.interfaces.observer import Observer
from mexbench.testing import datasets, models, observers, plugins, preprocessors, protocols, spotters
from mexbench.testing.checks import Check, Result

__all__ = ["CHECKS", "Result", "assert_conforms", "conformance"]

CHECKS: dict[type[Plugin], tuple[Check, ...]] = {
    Dataset: datasets.CHECKS,
    Preprocessor: preprocessors.CHECKS,
    SpottingModel: spotters.CHECKS,  # before Model, which it is as well
    Model: models.CHECKS,
    Protocol: protocols.CHECKS,
    Observer: observers.CHECKS,
}


def conformance(plugin: Plugin) -> Iterator[Result]:
    """Check a plugin, one promise after the other.

    Args:
        plugin: An instance with the parameters to check it with; a dataset reads its data.
    """
    kind = next(interface for interface in CHECKS if isinstance(plugin, interface))
    for check in (*plugins.CHECKS, *CHECKS[kind]):
        yield check(plugin)


def assert_conforms(plugin: Plugin) -> None:
    """Fail with everything that is wrong with a plugin.

    Raises:
        AssertionError: Names each promise that is broken, and how.
    """
    broken = [result for result in conformance(plugin) if result.problems]
    if broken:
        lines = [f"{type(plugin).__name__}: {counted(len(broken), 'promise is', 'promises are')} broken"]
        lines += [f"- {result.check}: {problem}" for result in broken for problem in result.problems]
        raise AssertionError("\n".join(lines))
