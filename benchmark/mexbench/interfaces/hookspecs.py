"""The hooks of the entry-point group ``mexbench``.

Those that offer plugins fire once per ``bench`` call, when the catalogue is drawn up, and return a mapping from a
plugin's name to its class or, better, to the text ``"module:Class"``, which is imported only when a config names the
plugin.

    @mexbench.hookimpl
    def bench_models():
        return {"my_model": "my_package.my_model:MyModel"}

The three that report a run, ``bench_run_started``, ``bench_task_done`` and ``bench_run_done``, fire in the process of
``bench run``, one at a time. Each gets a record of ``mexbench.interfaces.observer``, a copy of its own, without any
sample or label; what it returns is ignored, and an observer that raises is named in a warning and changes nothing.
"""

from collections.abc import Mapping

import pluggy

from mexbench import GROUP
from mexbench.interfaces import Dataset, Model, Preprocessor, Protocol
from mexbench.interfaces.observer import Observer, RunDone, RunStarted, TaskDone

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


@hookspec
def bench_observers() -> Mapping[str, str | type[Observer]]:  # type: ignore[empty-body]
    """Return observers by name, for ``bench run --observe``: ``{"my_log": "my_package.my_log:MyLog"}``."""


@hookspec
def bench_commands() -> Mapping[str, tuple[str, str]]:  # type: ignore[empty-body]
    """Return commands by name, each with its module and its line in ``bench --help``.

        @mexbench.hookimpl
        def bench_commands():
            return {"draw": ("my_package.draw_command", "draw the landmarks of a clip")}

    The module has ``add_arguments(parser: argparse.ArgumentParser)`` and ``run(options: argparse.Namespace) -> int``,
    whose result is the exit code, and is imported when its command is asked for; what raises a ``BenchError`` ends with
    its text and exit code 2. ``bench --help`` imports the module that has this hook, so let that import little.
    """


@hookspec
def bench_run_started(run: RunStarted) -> None:
    """Fire before the first task, once per ``bench run``; not in a dry run.

    Gets what is to be done: the config, its rows, how many tasks there are and how many wait.

        @mexbench.hookimpl
        def bench_run_started(run):
            print(f"{run.name}: {run.waiting} of {run.tasks} tasks to do")
    """


@hookspec
def bench_task_done(task: TaskDone) -> None:
    """Fire after each task of this call, once its result or its error is stored, in the order in which tasks end.

    Gets which task it was, how it went and how long it took. A task that was done before is not reported again.

        @mexbench.hookimpl
        def bench_task_done(task):
            print(task.row, task.fold, task.error or f"{task.accuracy:.0%}")
    """


@hookspec
def bench_run_done(run: RunDone) -> None:
    """Fire last, once the reports are written: also after Ctrl-C, and where tasks failed; not where a disk is full.

    Gets all scores, and the names of the reports.

        @mexbench.hookimpl
        def bench_run_done(run):
            print({row["model"]: row["uf1"] for row in run.scores["rows"]})
    """
