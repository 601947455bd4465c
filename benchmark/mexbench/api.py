"""The Python API: ``mexbench.run``, ``evaluate`` and ``plugins``; the same engine as the command line."""

from __future__ import annotations

import os
import shutil
import tempfile
import warnings
import weakref
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from mexbench import devices
from mexbench.config.from_values import ConfigLike, load_config
from mexbench.config.local_code import LocalComponent, local_component
from mexbench.config.local_config import config_for_model, with_local_model
from mexbench.config.run_config import NAME, RunConfig
from mexbench.errors import ConfigError, PluginError, counted, unknown
from mexbench.evaluation.executors.choice import ExecutorName, WorkerSettings
from mexbench.evaluation.experiment import ExperimentResult, ExperimentSettings, run_experiment
from mexbench.evaluation.monitor import Monitor, Ticker
from mexbench.evaluation.run import Recompute
from mexbench.evaluation.streams import lasting_streams
from mexbench.files import expand_home
from mexbench.interfaces import Model
from mexbench.registry.catalogue import Catalogue, load_catalogue
from mexbench.registry.listing import plugin_rows
from mexbench.reports.experiment_reports import RunReports
from mexbench.run_result import Run, load_run
from mexbench.runs.model_writer import Scope

if TYPE_CHECKING:
    import pandas as pd

    from mexbench.adapters.torch import TorchRecipe


class RunWarning(UserWarning):
    """Something about a run that a user should know; ``Run.messages`` has all of it."""


def run(
    config: ConfigLike,
    *,
    models: Sequence[Any] | str | Mapping[str, Any] | None = None,
    seeds: Sequence[int] | Literal[0] | None = None,
    out: str | os.PathLike[str] | None = None,
    set: Mapping[str, Any] | None = None,  # noqa: A002 - the name of the command line's option
    jobs: int | None = None,
    device: devices.Device | None = None,
    executor: ExecutorName | None = None,
    scheduler: str | None = None,
    in_process: bool = False,
    task_timeout: float | None = None,
    memory: int | None = None,
    recompute: Recompute = "missing",
    save_models: Scope | None = None,
    observe: Sequence[str] = (),
    figures: bool = False,
    progress: bool = True,
    **overrides: Any,  # noqa: ANN401 - any value of a config
) -> Run:
    """Run a config: what ``bench run`` does, with the same results in the same folder.

    What has a valid result in the run folder is not computed again. A script needs no ``if __name__ == "__main__":``.

    Args:
        config: A path, a shipped name such as ``"quickstart"``, or a dict with the keys of a config.
        models: Replaces the models of the config: names, or dicts with ``plugin`` and parameters.
        seeds: Replaces the seeds, ``[0, 1, 2]``.
        out: Run folder; by default ``runs/NAME_OF_THE_CONFIG``.
        set: Changes by path, as ``--set`` makes them: ``{"models.svm.C": 0.1, "dataset.subjects": 4}``.
        jobs: Tasks at the same time.
        device: What networks compute on.
        executor: Where tasks run; by default in processes of this machine, of which there are ``jobs``.
        scheduler: Address of a Dask cluster.
        in_process: Runs tasks in this process, for debugging.
        task_timeout: Seconds after which a task is stopped and fails.
        memory: Bytes that all processes may take together: trainings that need more are refused.
        recompute: ``missing`` runs what has no valid result, ``always`` everything, ``never`` nothing.
        save_models: Saves trained models: of each ``task``, or on ``all`` samples.
        observe: Names of observers.
        figures: Whether figures are written into the run folder.
        progress: Whether progress is shown on stderr.
        **overrides: Keys of the config and their new values: ``protocol="loso"``, ``target="action_units"``.

    Returns:
        The run, complete or not: a failed task is warned about and named in ``Run.failures``.

    Raises:
        BenchError: It cannot be run; the text says why and what to do.
        KeyboardInterrupt: It was stopped; what is done is kept, and ``load_run`` reads it.
    """
    settings = ExperimentSettings(
        out=None if out is None else expand_home(Path(out)),
        recompute=_choice("recompute", recompute, ("missing", "always", "never")),
        save_models=None if save_models is None else _choice("save_models", save_models, ("task", "all")),
        observe=(observe,) if isinstance(observe, str) else tuple(observe),
        workers=WorkerSettings(
            executor=executor,
            jobs=_jobs(jobs),
            device=device,
            scheduler=scheduler,
            in_process=in_process,
            task_timeout=task_timeout,
            memory=memory,
        ),
        command=f"mexbench.run({_config_text(config)})",
    )
    if figures:
        from mexbench.reports.plots import check_matplotlib

        check_matplotlib("figures=True")
    settings.workers.prepare()
    catalogue, messages = _catalogue()
    loaded = load_config(config, catalogue, {**_models_and_seeds(models, seeds), **overrides, **(set or {})})
    return _carry_out(loaded, catalogue, settings, messages, figures=figures, progress=progress)[0]


def evaluate(
    model: object,
    config_or_dataset: ConfigLike,
    protocol: str | Mapping[str, Any] | None = None,
    *,
    name: str | None = None,
    recipe: TorchRecipe | Mapping[str, Any] | None = None,
    flatten: bool = True,
    compare_with: Sequence[Any] = (),
    seeds: Sequence[int] | Literal[0] | None = None,
    out: str | os.PathLike[str] | None = None,
    set: Mapping[str, Any] | None = None,  # noqa: A002
    jobs: int | None = None,
    device: devices.Device | None = None,
    in_process: bool = False,
    recompute: Recompute = "missing",
    progress: bool = True,
    **options: Any,  # noqa: ANN401
) -> Run:
    """Evaluate what is not a plugin, by the folds, scores and intervals of a plugin.

        mexbench.evaluate(make_pipeline(StandardScaler(), SVC()), "synthetic", subjects=8)
        mexbench.evaluate(make_network, "loso_megc2019_flow", recipe={"epochs": 20}, compare_with=["majority"])

    The row is flagged ``local-code``: nobody else can run it, so no leaderboard takes it.

    Args:
        model: A scikit-learn estimator or pipeline, any object with ``fit`` and ``predict``, a function or class that
            returns a ``torch.nn.Module`` (called with ``n_classes`` and ``shape`` where it has such arguments), or a
            ``mexbench.interfaces.Model``. Each fold trains a copy; the labels of its test side are never handed over.
        config_or_dataset: Name of a data set, a dict with ``plugin`` and its options or a list of such dicts; or a
            config, as ``run`` takes it, whose own models are left aside.
        protocol: Name of a protocol, or a dict; by default that of the config, and ``loso`` for a data set.
        name: Name of the row; by default that of the class or function.
        recipe: How a PyTorch module is trained: fields of ``mexbench.adapters.torch.TorchRecipe``.
        flatten: Whether estimators get rows of a table (n, features), or samples as they are (n, T, ...).
        compare_with: Models that are evaluated beside it: plugins for a data set, models of the config for a config.
        seeds: By default 0 for a data set, and those of the config for a config.
        out: Run folder, in which a later call with the same object goes on. By default a temporary folder that lives
            as long as the returned object.
        set: Changes by path, as in ``run``.
        jobs: Tasks at the same time. An object that cannot be sent to another process, as one written in a notebook,
            is evaluated in this process, with a warning.
        device: What plugins compute on.
        in_process: Evaluates in this process, for debugging.
        recompute: As in ``run``.
        progress: Whether progress is shown on stderr.
        **options: Options of a data set (``root=...``, ``subjects=8``), or keys of the config (``preprocess=[...]``,
            ``frames={...}``, ``target="action_units"``).

    Raises:
        BenchError: It cannot be evaluated, or failed in every task; the text says why.
    """
    from mexbench.adapters import as_model, default_name

    workers = WorkerSettings(jobs=_jobs(jobs), device=device, in_process=in_process)
    workers.prepare()
    adapted = as_model(model, recipe=recipe, flatten=flatten)
    name = name or default_name(model)
    if not NAME.fullmatch(name):
        raise ConfigError(f"name: expected letters, digits, spaces or any of _ - + . , =; got {name!r}")
    catalogue, messages = _catalogue()
    changes = {**({} if seeds is None else {"seeds": seeds}), **({} if protocol is None else {"protocol": protocol})}
    beside = [compare_with] if isinstance(compare_with, str | Mapping) else list(compare_with)
    config = config_for_model(
        config_or_dataset, catalogue, changes={**changes, **(set or {})}, options=options, compare_with=beside
    )
    component = local_component(adapted, model, name)
    config = with_local_model(config, component)
    if not in_process and (reason := _not_sendable(adapted)):
        if (workers.jobs or 1) > 1:
            messages.append(f"warning: jobs={workers.jobs}: {name} {reason}, so tasks run one by one in this process")
        workers = replace(workers, jobs=None, in_process=True)
    folder = expand_home(Path(out)) if out is not None else Path(tempfile.mkdtemp(prefix="mexbench-"))
    settings = ExperimentSettings(
        out=folder,
        recompute=_choice("recompute", recompute, ("missing", "always", "never")),
        workers=workers,
        command=f"mexbench.evaluate({name}, {_config_text(config_or_dataset)})",
    )
    keep = out is not None
    return _evaluate_in(folder, config, component, catalogue, settings=settings, messages=messages, progress=progress,
                        keep=keep)  # fmt: skip


def plugins(kind: str | None = None) -> pd.DataFrame:
    """Return what a config can name, as ``bench list`` prints it: kind, name, what it is, from which distribution.

    Args:
        kind: dataset, preprocessor, model, protocol or observer, or its plural; None for all.

    Raises:
        ConfigError: The kind is unknown.
    """
    import pandas as pd

    catalogue, messages = _catalogue()
    rows, errors = plugin_rows(catalogue, kind)
    _warn([*messages, *(f"error: {error}" for error in errors)], stacklevel=3)
    return pd.DataFrame(rows, columns=["kind", "name", "what it is", "from"])


def datasets() -> pd.DataFrame:
    """Return the data sets that a config can name: ``plugins("datasets")``."""
    return plugins("datasets")


class _ApiMonitor(Monitor):
    """Keeps what the command line would print, and shows progress."""

    def __init__(self, messages: list[str], *, progress: bool) -> None:
        self.messages = messages
        self.shows = progress

    def message(self, text: str) -> None:
        self.messages.append(text)

    def notice(self, text: str) -> None:
        self.messages.append(f"warning: {text}")

    def progress(self, what: str, total: int) -> AbstractContextManager[Ticker]:
        if not self.shows:
            return super().progress(what, total)
        from mexbench.cli.output import progress

        return progress(what, total)


def _evaluate_in(
    folder: Path, config: RunConfig, component: LocalComponent, catalogue: Catalogue, *,
    settings: ExperimentSettings, messages: list[str], progress: bool, keep: bool,
) -> Run:  # fmt: skip
    """Carry out an evaluation; a folder that is not kept is removed with the returned object, or after an error."""
    try:
        evaluated, result = _carry_out(config, catalogue, settings, messages, progress=progress, stacklevel=5)
        rows = frozenset(config.row(component, protocol) for protocol in config.protocols)
        failed = [failure for failure, _ in result.failures if failure.task.model in rows]
        if failed and not any(stored.task.model in rows for stored in result.report.done):
            raise PluginError(f"{component.name} failed in every task: {failed[0].error}\n\n{failed[0].trace}")
    except BaseException:
        if not keep:
            shutil.rmtree(folder, ignore_errors=True)
        raise
    if not keep:
        weakref.finalize(evaluated, shutil.rmtree, folder, ignore_errors=True)
    return evaluated


def _carry_out(
    config: RunConfig, catalogue: Catalogue, settings: ExperimentSettings, messages: list[str], *,
    figures: bool = False, progress: bool = True, stacklevel: int = 4,
) -> tuple[Run, ExperimentResult]:  # fmt: skip
    """Run an experiment with one thread per task, as ``bench`` does, and warn about what a user should know."""
    from threadpoolctl import threadpool_limits

    monitor = _ApiMonitor(messages, progress=progress)
    with devices.one_thread_in_children(), threadpool_limits(1), lasting_streams():
        result = run_experiment(config, catalogue, settings, reports=RunReports(figures=figures), monitor=monitor)
    assert result is not None  # noqa: S101 - no dry run was asked for
    total = len(result.plan.tasks)
    if result.interrupted:
        raise KeyboardInterrupt(
            f"stopped: {total - result.missing} of {counted(total, 'task is', 'tasks are')} done and kept in "
            f"{result.folder.path}; the same call goes on from here"
        )
    failures = tuple(f"{failure.task}: {failure.error}" for failure, _ in result.failures)
    for row in result.scores["rows"]:
        messages += [f"{row['model']}, {count} of {counted(row['tasks']['total'], 'task')}: {text}"
                     for text, count in row["warnings"].items()]  # fmt: skip
    messages += [f"warning: failed: {text}" for text in failures[:5]]
    messages += [f"warning: model not saved: {text}" for text in result.unsaved]
    if result.missing:
        missing = f"{result.missing} of {counted(total, 'task has', 'tasks have')} no result"
        messages.append(f"warning: incomplete: {missing}; the same call tries again")
    _warn(messages, stacklevel=stacklevel)
    if result.written:
        loaded = load_run(result.folder.path)
        return replace(loaded, messages=tuple(messages), failures=failures), result
    manifest = result.folder.read_manifest()
    return Run(result.folder.path, manifest, result.scores, tuple(messages), failures), result


def _warn(messages: Sequence[str], *, stacklevel: int) -> None:
    for text in messages:
        level, _, rest = text.partition(": ")
        if level in ("warning", "error"):
            warnings.warn(rest, RunWarning, stacklevel=stacklevel)


def _not_sendable(model: Model) -> str | None:
    """Return why a model cannot be sent to a worker process, None where it can."""
    from mexbench.evaluation.executors.messages import dump_object

    try:
        content = dump_object(model)
    except Exception as error:  # noqa: BLE001 - whatever an object raises when it is pickled
        return f"cannot be sent to another process ({' '.join(str(error).split())})"
    return "is written in this session, which another process does not have" if b"__main__" in content else None


def _catalogue() -> tuple[Catalogue, list[str]]:
    catalogue = load_catalogue()
    return catalogue, [f"error: {problem}" for problem in catalogue.problems]


def _models_and_seeds(models: Any, seeds: Any) -> dict[str, Any]:  # noqa: ANN401
    changes = {} if models is None else {"models": [models] if isinstance(models, str | Mapping) else list(models)}
    return changes if seeds is None else {**changes, "seeds": seeds}


def _config_text(config: object) -> str:
    return repr(os.fspath(config)) if isinstance(config, str | os.PathLike) else "{...}"


def _jobs(jobs: int | None) -> int | None:
    if jobs is not None and (not isinstance(jobs, int) or isinstance(jobs, bool) or jobs < 1):
        raise ConfigError(f"jobs: expected a whole number from 1, got {jobs!r}")
    return jobs


def _choice(what: str, value: Any, choices: Sequence[str]) -> Any:  # noqa: ANN401
    if value not in choices:
        raise ConfigError(unknown(what, value, choices))
    return value
