"""What worker processes need of a run, laid out in a folder: arrays as files, the rest small enough to send."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from mexbench.evaluation.task_runner import TaskRunner


@dataclass(frozen=True)
class Shared:
    """Workloads without their arrays, which lie in ``folder/INDEX/NAME.npy``.

    Args:
        folder: Where.
        light: Model -> the index of its workload, and that workload without arrays.
    """

    folder: Path
    light: Mapping[str, tuple[int, TaskRunner]]

    def arrays(self) -> Iterator[Path]:
        """Yield the files of the arrays, as paths in the folder."""
        return (path.relative_to(self.folder) for path in sorted(self.folder.glob("*/*.npy")))

    def workload(self, model: str) -> TaskRunner:
        """Return the workload of a model; its arrays are read from the files as they are used."""
        index, light = self.light[model]
        files = (self.folder / str(index)).glob("*.npy")
        return replace(light, **{path.stem: np.load(path, mmap_mode="r", allow_pickle=False) for path in files})


@contextmanager
def share(workloads: Mapping[str, TaskRunner], scratch: Path | None) -> Iterator[Shared]:
    """Write the arrays of workloads into a new folder, which is removed in the end.

    Args:
        workloads: By model; models may share one.
        scratch: Where the folder is made; None for the system's temporary folder.
    """
    distinct = list({id(found): found for found in workloads.values()}.values())
    where = {model: next(i for i, one in enumerate(distinct) if one is found) for model, found in workloads.items()}
    with tempfile.TemporaryDirectory(prefix=".tmp-jobs-", dir=scratch) as name:
        folder = Path(name).absolute()  # a worker may have another working folder
        for index, found in enumerate(distinct):
            inside = folder / str(index)
            inside.mkdir()
            for array_name, array in (("x", found.x), ("copies", found.copies)):
                if array is not None:
                    np.save(inside / f"{array_name}.npy", array, allow_pickle=False)
        light = {model: (index, replace(distinct[index], x=np.empty(0), copies=None)) for model, index in where.items()}
        yield Shared(folder, light)
