"""What a Dask worker does for a run: it describes itself, takes the samples, and runs task groups.

These functions run in processes that ``bench`` may not have started, on machines that may not have its disk. What is
stored between two calls belongs to a run and goes with it.
"""

from __future__ import annotations

import functools
import importlib
import os
import platform
import shutil
import signal
import tempfile
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from importlib import metadata
from pathlib import Path
from typing import Any

from mexbench import devices
from mexbench.evaluation.executors.shared_arrays import SharedTrainers
from mexbench.evaluation.task_runner import GroupData, Trainer, failure
from mexbench.fingerprint import digest_code, digest_files, environment
from mexbench.interfaces import Model
from mexbench.registry.parameters import build, to_dict
from mexbench.runs import provenance
from mexbench.runs.task import Outcome


class NotBegun(Exception):  # noqa: N818 - not a failure: the worker is a new one at the address of an old one
    """This worker does not know this run."""


@dataclass(frozen=True)
class Recipe:
    """A model as plain values.

    Args:
        location: ``module:Class``.
        parameters: As a config would give them.
    """

    location: str
    parameters: Mapping[str, object]

    @classmethod
    def of(cls, model: Model) -> Recipe:
        """Describe a model."""
        return cls(f"{type(model).__module__}:{type(model).__qualname__}", to_dict(model))

    def build(self) -> Model:
        """Make the model again.

        Raises:
            ImportError: Its plugin is not installed here.
            ValueError: Its plugin has no such class, or another set of parameters.
        """
        module, _, name = self.location.partition(":")
        cls: Any = functools.reduce(lambda scope, part: getattr(scope, part, None), name.split("."), _module(module))
        if not (isinstance(cls, type) and issubclass(cls, Model)):
            raise ImportError(f"{self.location} is not a model here")  # noqa: TRY004 - as where the module is missing
        model, errors = build(cls, self.parameters)
        if model is None:
            raise ValueError(f"{self.location}: " + "; ".join(text for _, text in errors))
        return model


def _module(name: str) -> Any:  # noqa: ANN401 - any module
    return importlib.import_module(name)


@dataclass
class _Run:
    """A run as this worker knows it.

    Args:
        shared: What tasks need.
        recipes: Model's name -> the model.
        own: Folder with this worker's copy of the arrays; None where it reads those of ``shared``.
        trainers: Those that have been used.
    """

    shared: SharedTrainers
    recipes: Mapping[str, Recipe]
    own: Path | None
    trainers: dict[str, Trainer] = field(default_factory=dict)

    def trainer(self, model: str) -> Trainer:
        if model not in self.trainers:
            instance = self.recipes[model].build()
            self.trainers[model] = replace(self.shared.trainer(model), models={model: instance})
        return self.trainers[model]


_runs: dict[str, _Run] = {}
#: What is done to a process for one model, such as catching its warnings, does not work for several at once.
_one_at_a_time = threading.Lock()


def describe(recipes: Mapping[str, Recipe], device: devices.Device | None, *, ours: bool = False) -> dict[str, str]:
    """Make ready to compute as ``bench`` does, and return what decides figures: versions, code, weights, device.

    Args:
        recipes: Model's name -> the model.
        device: As in ``devices.choose``.
        ours: Whether the process that calls is the one that started this one.

    Raises:
        ImportError: A plugin is not installed.
        BenchError: The device was not found, or a file that a model needs is not there.
    """
    from threadpoolctl import threadpool_limits

    if ours:
        with suppress(ValueError):  # Ctrl-C, which a terminal sends to all, is for the first process to handle
            signal.signal(signal.SIGINT, signal.SIG_IGN)
    devices.use_one_thread()
    threadpool_limits(1)  # of libraries that are loaded already
    devices.choose(device)
    models = {name: recipe.build() for name, recipe in recipes.items()}
    return {
        "mexbench": provenance.own_version(),
        "code of mexbench": _own_code(),
        **{name: metadata.version(name) for name in ("dask", "distributed")},
        **environment(),
        **{f"code of {name}": digest_code(type(model)) for name, model in models.items()},
        **{f"{what} of {name}": text for name, model in models.items() for what, text in model.provenance().items()},
    }


@functools.cache
def _own_code() -> str:
    package = Path(__file__).resolve().parents[3]
    return digest_files(sorted(package.rglob("*.py")))


def host() -> str:
    """Return the name of the machine."""
    return platform.node()


def reads(file: Path, content: str) -> bool:
    """Whether a file with this content can be read here: whether a disk is shared."""
    try:
        return file.read_text(encoding="utf-8") == content
    except (OSError, ValueError):
        return False


def begin(
    run: str, shared: SharedTrainers, recipes: Mapping[str, Recipe], *, copy: bool, dask_worker: Any = None  # noqa: ANN401
) -> None:  # fmt: skip
    """Take what a run's tasks need.

    Args:
        run: Name of the run.
        shared: What they need.
        recipes: Model's name -> the model.
        copy: Whether the arrays will come by ``receive``.
        dask_worker: This worker; Dask fills it in.
    """
    end(run)
    own = None
    if copy:  # where Dask keeps what goes when the worker goes
        own = Path(tempfile.mkdtemp(prefix="mexbench-", dir=getattr(dask_worker, "local_directory", None)))
        shared = shared.moved(own)
    _runs[run] = _Run(shared, recipes, own)


def receive(run: str, name: str, piece: bytes) -> None:
    """Add a piece to the file of an array.

    Raises:
        ValueError: The name leads out of the folder, or the run takes no copies.
    """
    folder = _runs[run].own
    if folder is None or not (path := (folder / name).resolve()).is_relative_to(folder.resolve()):
        raise ValueError(f"{name!r} is not a file of the run")
    path.parent.mkdir(exist_ok=True)
    with path.open("ab") as stream:
        stream.write(piece)


def run_group(run: str, data: GroupData) -> list[Outcome]:
    """Run a task group; whatever a model raises becomes the failures of its tasks.

    Raises:
        NotBegun: ``begin`` was never called in this process.
    """
    if run not in _runs:
        raise NotBegun(f"process {os.getpid()} on {host()}")
    with _one_at_a_time:
        try:
            return _runs[run].trainer(data.tasks[0].model).run_group(data)
        except BaseException as error:  # noqa: BLE001 - Ctrl-C is not for a worker, so a model raised it
            return [failure(task, error) for task in data.tasks]


def end(run: str) -> None:
    """Forget a run."""
    ended = _runs.pop(run, None)
    if ended is not None and ended.own is not None:
        shutil.rmtree(ended.own, ignore_errors=True)
