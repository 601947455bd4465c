"""What worker processes need of a run: arrays as files, the rest small enough to send."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from mexbench.data.stored_arrays import file_of
from mexbench.errors import DataError
from mexbench.evaluation.task_runner import TaskRunner, Trainer
from mexbench.files import replacing
from mexbench.interfaces.rows import drop_pages


@dataclass(frozen=True)
class SharedTrainers:
    """Trainers without their arrays, which are .npy files. No label is among them.

    Args:
        folder: Of the workers: what they write beside results.
        light: Model -> the index of its trainer, and that trainer without arrays.
        files: Of each trainer, the name of each of its arrays and the file that holds it.
    """

    folder: Path
    light: Mapping[str, tuple[int, Trainer]]
    files: tuple[Mapping[str, Path], ...]

    def arrays(self) -> Mapping[str, Path]:
        """Return a name for each array, ``INDEX/NAME.npy``, and its file."""
        return {f"{index}/{name}.npy": path for index, files in enumerate(self.files) for name, path in files.items()}

    def moved(self, folder: Path) -> SharedTrainers:
        """Return the same with arrays in a folder of their own, each under the name of ``arrays``."""
        files = tuple({name: folder / str(i) / f"{name}.npy" for name in each} for i, each in enumerate(self.files))
        return replace(self, folder=folder, files=files)

    def trainer(self, model: str) -> Trainer:
        """Return the trainer of a model; its arrays are read from the files as they are used.

        Raises:
            DataError: A file was removed.
        """
        index, light = self.light[model]
        try:
            arrays = {
                name: np.load(path, mmap_mode="r", allow_pickle=False) for name, path in self.files[index].items()
            }
        except FileNotFoundError as error:
            raise DataError(
                f"{error.filename}: pre-processed samples were removed while the run goes on; leave the cache folder "
                "alone until it ends, and give the same command again, which does what is missing"
            ) from None
        return replace(light, **arrays)

    def restore(self, model: str, runner: TaskRunner) -> tuple[Path, ...]:
        """Write the files of a model's arrays again that somebody removed, such as a cache folder; return which.

        This process has mapped them, so it can read them still.

        Args:
            model: Its name.
            runner: What its tasks need.

        Raises:
            DataError: One cannot be written.
        """
        index, _ = self.light[model]
        missing = {name: path for name, path in self.files[index].items() if not path.is_file()}
        for name, path in missing.items():
            try:
                with replacing(path, durable=False) as stream:
                    np.save(stream, getattr(runner, name), allow_pickle=False)
            except OSError as error:
                raise DataError(
                    f"{path}: pre-processed samples were removed while the run goes on, and cannot be written again: "
                    f"{error.strerror or error}; see that the folder can be written, or set MEXBENCH_CACHE to another "
                    "one"
                ) from None
            drop_pages(getattr(runner, name))
        return tuple(missing.values())


def restored_text(paths: Sequence[Path]) -> str:
    """Say that files were removed and are there again."""
    return (
        f"warning: {paths[0].parent} was removed, or files in it, while the run goes on: the pre-processed samples are "
        "written there again"
    )


@contextmanager
def share(runners: Mapping[str, TaskRunner], scratch: Path | None) -> Iterator[SharedTrainers]:
    """Name the files that hold the arrays of task runners; arrays that are in memory alone are written first.

    Args:
        runners: By model; models may share one.
        scratch: Where a folder is made, which is removed in the end; None for the system's temporary folder.
    """
    distinct = list({id(runner): runner for runner in runners.values()}.values())
    indices = {model: next(i for i, one in enumerate(distinct) if one is runner) for model, runner in runners.items()}
    with tempfile.TemporaryDirectory(prefix=".tmp-jobs-", dir=scratch) as name:
        folder = Path(name).absolute()  # a worker may have another working folder
        files: list[Mapping[str, Path]] = [
            {
                array_name: file_of(array) or _written(array, folder / str(index) / f"{array_name}.npy")
                for array_name, array in (("x", runner.x), ("copies", runner.copies))
                if array is not None
            }
            for index, runner in enumerate(distinct)
        ]
        light = [replace(runner.trainer(), x=np.empty(0), copies=None) for runner in distinct]
        yield SharedTrainers(folder, {model: (index, light[index]) for model, index in indices.items()}, tuple(files))


def _written(array: np.ndarray, path: Path) -> Path:
    path.parent.mkdir(exist_ok=True)
    np.save(path, array, allow_pickle=False)
    return path
