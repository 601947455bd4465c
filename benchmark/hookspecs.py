"""The hooks of the entry-point group ``benchmark``.

Each one fires once per ``bench`` call, when the catalogue is drawn up, and returns a mapping from a plugin's name
to its class or, better, to the text ``"module:Class"``, which is imported only when a config names the plugin.

    @benchmark.hookimpl
    def bench_models():
        return {"my_model": "my_package.my_model:MyModel"}
"""

from collections.abc import Mapping

import pluggy

from benchmark import GROUP
from benchmark.interfaces import Dataset, Model, Preprocessor, Protocol

hookspec = pluggy.HookspecMarker(GROUP)


@hookspec
def bench_datasets() -> Mapping[str, str | type[Dataset]]:  # type: ignore[empty-body]
    """Return datasets by name: ``{"my_data": "my_package.my_data:MyData"}``."""


@hookspec
def bench_preprocessors() -> Mapping[str, str | type[Preprocessor]]:  # type: ignore[empty-body]
    """Return preprocessors by name: ``{"sharpen": "my_package.steps:Sharpen"}``."""


@hookspec
def bench_models() -> Mapping[str, str | type[Model]]:  # type: ignore[empty-body]
    """Return models by name: ``{"my_model": "my_package.my_model:MyModel"}``."""


@hookspec
def bench_protocols() -> Mapping[str, str | type[Protocol]]:  # type: ignore[empty-body]
    """Return protocols by name: ``{"my_split": "my_package.splits:MySplit"}``."""
