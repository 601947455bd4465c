"""What worker processes need of a run, laid out in a folder: arrays as files, the rest small enough to send."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from mexbench.evaluation.task_runner import TaskRunner, Trainer


@dataclass(frozen=True)
class SharedTrainers:
    """Trainers without their arrays, which are in ``folder/INDEX/NAME.npy``. No label is among them.

    Args:
        folder: Where the arrays are.
        light: Model -> the index of its trainer, and that trainer without arrays.
    """

    folder: Path
    light: Mapping[str, tuple[int, Trainer]]

    def arrays(self) -> Iterator[Path]:
        """Yield the files of the arrays, as paths in the folder."""
        return (path.relative_to(self.folder) for path in sorted(self.folder.glob("*/*.npy")))

    def trainer(self, model: str) -> Trainer:
        """Return the trainer of a model; its arrays are read from the files as they are used."""
        index, light = self.light[model]
        files = (self.folder / str(index)).glob("*.npy")
        return replace(light, **{path.stem: np.load(path, mmap_mode="r", allow_pickle=False) for path in files})


@contextmanager
def share(runners: Mapping[str, TaskRunner], scratch: Path | None) -> Iterator[SharedTrainers]:
    """Write the arrays of task runners into a new folder, which is removed in the end.

    Args:
        runners: By model; models may share one.
        scratch: Where the folder is made; None for the system's temporary folder.
    """
    distinct = list({id(runner): runner for runner in runners.values()}.values())
    indices = {model: next(i for i, one in enumerate(distinct) if one is runner) for model, runner in runners.items()}
    with tempfile.TemporaryDirectory(prefix=".tmp-jobs-", dir=scratch) as name:
        folder = Path(name).absolute()  # a worker may have another working folder
        for index, runner in enumerate(distinct):
            subfolder = folder / str(index)
            subfolder.mkdir()
            for array_name, array in (("x", runner.x), ("copies", runner.copies)):
                if array is not None:
                    np.save(subfolder / f"{array_name}.npy", array, allow_pickle=False)
        light = [replace(runner.trainer(), x=np.empty(0), copies=None) for runner in distinct]
        yield SharedTrainers(folder, {model: (index, light[index]) for model, index in indices.items()})
