"""The harness of mexbench: interfaces, plugin manager, engine, metrics, reports.

It knows no dataset or model by name, and importing it loads neither jax nor scikit-learn nor OpenCV.
A plugin distribution needs two things of it: ``mexbench.hookimpl`` and an interface of ``mexbench.interfaces``.

From Python, in a script or a notebook:

    import mexbench

    run = mexbench.run("quickstart", seeds=[0])           # what 'bench run quickstart' does
    run.scores, run.predictions, run.histories            # data frames
    mexbench.evaluate(my_pipeline, "synthetic")           # an estimator or a PyTorch module that is not a plugin
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    from mexbench.api import RunWarning, datasets, evaluate, plugins, run
    from mexbench.errors import BenchError
    from mexbench.run_result import Run, load_run

#: The entry-point group that plugin distributions use, and the name of pluggy's project.
GROUP = "mexbench"

#: Marks a plugin's hooks; the hooks themselves are described in ``mexbench.interfaces.hookspecs``.
hookimpl = pluggy.HookimplMarker(GROUP)

#: Name -> its module, which is imported when the name is used.
_LAZY = {
    "BenchError": "mexbench.errors",
    "Run": "mexbench.run_result",
    "RunWarning": "mexbench.api",
    "datasets": "mexbench.api",
    "evaluate": "mexbench.api",
    "load_run": "mexbench.run_result",
    "plugins": "mexbench.api",
    "run": "mexbench.api",
}

__all__ = [
    "GROUP",
    "BenchError",
    "Run",
    "RunWarning",
    "datasets",
    "evaluate",
    "hookimpl",
    "load_run",
    "plugins",
    "run",
]


def __getattr__(name: str) -> object:
    """Import the Python API when it is used."""
    if name == "__version__":
        from importlib.metadata import version

        return version("mexbench")
    if name not in _LAZY:
        raise AttributeError(f"module 'mexbench' has no attribute {name!r}")
    return getattr(importlib.import_module(_LAZY[name]), name)


def __dir__() -> list[str]:
    """List the API's names too."""
    return sorted({*globals(), *__all__, "__version__"})
