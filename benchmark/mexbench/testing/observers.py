"""What observers promise. These checks call no hook: an observer would record a run that never took place."""

from __future__ import annotations

from collections.abc import Iterator

import pluggy

from mexbench import GROUP
from mexbench.interfaces import hookspecs
from mexbench.interfaces.observer import Observer
from mexbench.registry.catalogue import EVENTS, listens_to_runs, marker_errors
from mexbench.testing.checks import check


@check("has hooks that report a run, each with its argument")
def hooks(observer: Observer) -> Iterator[str]:
    """Register it, which compares names and arguments with what the hooks give."""
    yield from marker_errors(observer)
    manager = pluggy.PluginManager(GROUP)
    manager.add_hookspecs(hookspecs)
    manager.register(observer)  # raises where an argument is none of the hook's
    if not listens_to_runs(manager, observer):
        yield f"has none of {', '.join(EVENTS)}"


CHECKS = (hooks,)
