from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import psutil
import pytest

from mexbench.adapters.sklearn import SklearnModel
from mexbench.adapters.torch import TorchModel, TorchRecipe
from mexbench.errors import MemoryLimitError
from mexbench.evaluation.executors import memory
from mexbench.evaluation.executors.memory import TrainingSize, check_memory
from mexbench.evaluation.executors.processes import Processes
from mexbench.evaluation.task_runner import TaskRunner
from mexbench.interfaces import FoldsModel, LayerRow, Model, Predictor
from tests.mexbench.evaluation.test_task_runner import UNITS, every, scores, workload

MB = 2**20


class Layered(Model):
    """A network of a million weights."""

    def fit(self, x: Any, y: Any, *, n_classes: int, groups: Any, seed: int) -> Predictor:  # noqa: ANN401
        raise NotImplementedError

    def layers(self, n_classes: int) -> list[LayerRow]:
        return [LayerRow("a", (1,), 400_000), LayerRow("b", (n_classes,), 600_000)]


class Together(Layered, FoldsModel):
    """The same, ten at once, of which ``load`` has two."""

    def folds_at_once(self) -> int:
        return 10

    def fit_folds(self, x: Any, y: Any, train_masks: Any, **_: Any) -> list[Predictor]:  # noqa: ANN401
        raise NotImplementedError


def load(model: Model, **changes: Any) -> dict[str, TaskRunner]:  # noqa: ANN401
    """Twenty samples of 100 bytes, sixteen of which train."""
    result = TaskRunner(
        x=np.zeros((20, 4, 25), dtype=np.uint8), copies=None, y=np.zeros(20, np.intp), groups=np.repeat("a", 20),
        folds={"1": (np.arange(12), np.arange(12, 20)), "2": (np.arange(16), np.arange(16, 20))},
        models={"m": model}, n_classes=3,
    )  # fmt: skip
    return {"m": replace(result, **changes)}


@pytest.mark.parametrize(
    ("workloads", "training"),
    [
        (load(workload().models["spy"]), 16 * 100 * (1 + 16)),
        (load(workload().models["spy"], copies=np.zeros((20, 3, 4, 25), dtype=np.uint8)), 16 * 400 * (1 + 16)),
        (load(Layered()), 16 * 100 * 17 + 16_000_000),
        (load(Together()), 16 * 100 * 17 + 32_000_000),
    ],
    ids=["flat", "copies", "network", "folds together"],
)
def test_what_a_training_needs(
    workloads: dict[str, TaskRunner], training: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A byte, and twice 8 bytes as a number, of each value that trains; 4 bytes four times of each weight."""
    monkeypatch.setattr(psutil.Process, "memory_info", lambda _: SimpleNamespace(rss=50 * MB))
    assert memory.needed(workloads) == 50 * MB + training


@pytest.mark.parametrize(
    ("jobs", "free", "fits", "told"),
    [
        (4, 4000, 4, []),
        (4, 3999, 3, ["memory for 3 of 4 worker processes: each needs about 1.0 GB, and 4.0 GB are free; 3 start"]),
        (4, 10, 1, ["memory for 1 of 4 worker processes: each needs about 1.0 GB, and 0.0 GB are free; 1 start"]),
        (1, 10, 1, []),
    ],
)
def test_how_many_fit(monkeypatch: pytest.MonkeyPatch, jobs: int, free: int, fits: int, told: list[str]) -> None:
    monkeypatch.setattr(memory, "needed", lambda _: 10**9)
    monkeypatch.setattr(memory, "available", lambda: free * 10**6)
    output: list[str] = []
    assert memory.fitting(jobs, {}, output.append) == fits
    assert output == told


@dataclass(frozen=True, kw_only=True)
class Streaming(Layered):
    """The same, reading four samples at a time."""

    reads_rows = True
    batch_size: int = 4


def test_what_reads_batches_needs_a_batch_whatever_the_number_of_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of four samples of 100 bytes: a byte and twice 8 of each value, and 12 of each of the 1 + 3 that layers give."""
    monkeypatch.setattr(psutil.Process, "memory_info", lambda _: SimpleNamespace(rss=50 * MB))
    expected = 50 * MB + 16_000_000 + 4 * 100 * 17 + 4 * 4 * 12
    assert memory.needed(load(Streaming())) == expected
    folds = {"1": (np.arange(100_000), np.arange(20))}
    assert memory.needed(load(Streaming(), folds=folds)) == expected


class Forest(SklearnModel):
    def estimator(self) -> Any:  # noqa: ANN401
        raise NotImplementedError


class Net(TorchModel):
    recipe = TorchRecipe(batch_size=5)

    def module(self, shape: tuple[int, ...], n_outputs: int) -> Any:  # noqa: ANN401
        raise NotImplementedError


class WholeNet(Net):
    def prepare(self, x: Any) -> Any:  # noqa: ANN401
        raise NotImplementedError


@pytest.mark.parametrize(
    ("model", "training"),
    [(Forest(), 16 * 100 * (2 + 16)), (Net(), 5 * 100 * 17), (WholeNet(), 16 * 100 * 17)],
    ids=["scikit-learn", "batches of PyTorch", "PyTorch with a preparation of its own"],
)
def test_what_the_adapters_need(model: Model, training: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """An estimator is given a copy of its training side; a module five samples at a time, unless it prepares all."""
    monkeypatch.setattr(psutil.Process, "memory_info", lambda _: SimpleNamespace(rss=50 * MB))
    assert memory.needed(load(model)) == 50 * MB + training


@pytest.mark.parametrize(
    ("jobs", "limit", "fits", "output"),
    [
        (4, 5_000, 4, []),
        (4, 2_600, 2, ["memory for 2 of 4 worker processes: each needs about 1.0 GB, and 2.5 GB are left of --memory; "
                       "2 start"]),
        (4, 100, 1, ["memory for 1 of 4 worker processes: each needs about 1.0 GB, and 0.0 GB are left of --memory; "
                     "1 start"]),
        (1, 100, 1, []),
    ],
)  # fmt: skip
def test_a_limit_bounds_how_many_start(
    monkeypatch: pytest.MonkeyPatch, jobs: int, limit: int, fits: int, output: list[str]
) -> None:
    monkeypatch.setattr(memory, "needed", lambda _: 10**9)
    monkeypatch.setattr(memory, "available", lambda: 10**10)
    monkeypatch.setattr(memory, "program", lambda: 10**8)
    messages: list[str] = []
    assert memory.fitting(jobs, {}, messages.append, limit * 10**6) == fits
    assert messages == output


def test_a_training_that_needs_more_than_the_limit_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """1,000 samples of 1,000,000 bytes: 17 GB, beside two processes of .1 GB."""
    monkeypatch.setattr(memory, "program", lambda: 10**8)
    large = TrainingSize("svm on faces", workload().models["spy"], 1_000, 1_000_000, 1, 3)
    small = TrainingSize("net", Streaming(), 1_000, 1_000_000, 1, 3)
    with pytest.raises(MemoryLimitError) as caught:
        check_memory([large, small], 2 * 10**9, processes=2)
    assert str(caught.value).splitlines() == [
        "--memory 2 GB is less than trainings need:",
        "  svm on faces: 17.2 GB, of which 17 GB to train on 1000 samples of 1000000 values",
        "  give --memory 17.2GB; or make samples smaller (resize, grayscale, fewer frames), or choose models that read "
        "their training side in batches, as networks do",
    ]
    with pytest.raises(
        MemoryLimitError, match=r"\n  give --memory 0\.3GB; the program itself takes 200 MB, whatever the"
    ):
        check_memory([small], 10**8, processes=2)  # smaller samples would not help
    assert check_memory([large, small], 172 * 10**8, processes=2) == (
        "memory: at most 17.2 GB together, and about 17.2 GB needed for one task"
    )
    assert check_memory([small], 10**9, processes=2) == (
        "memory: at most 1 GB together, and about 284 MB needed for one task"
    )


def test_processes_ask(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "available", lambda: 1)
    output: list[str] = []
    result = scores(list(Processes(3, None, output.append).run(UNITS, every(workload()))))
    assert set(result) == {"1", "2"}
    assert len(output) == 1
    assert output[0].startswith("memory for 1 of 3 worker processes: ")


def test_the_machine_is_asked() -> None:
    assert 0 < memory.available() <= psutil.virtual_memory().total


def test_what_control_groups_leave(tmp_path: Path) -> None:
    """A job of 100 MB, of which 70 are used and 20 of those can be dropped, in a group that has no limit of its own."""
    job = tmp_path / "root" / "job"
    step = job / "step"
    step.mkdir(parents=True)
    (tmp_path / "own").write_text("4:memory:/other\n0::/job/step\n")
    (step / "memory.max").write_text("max\n")
    (job / "memory.max").write_text(f"{100 * MB}\n")
    (job / "memory.current").write_text(f"{70 * MB}\n")
    (job / "memory.stat").write_text(f"anon {50 * MB}\ninactive_file {20 * MB}\n")
    assert min(memory._left_in_groups(tmp_path / "root", tmp_path / "own")) == 50 * MB
    assert min(memory._left_in_groups(tmp_path / "root", tmp_path / "absent")) == 2**63
