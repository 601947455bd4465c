"""How much memory a worker process needs, how much there is, and so how many of them may start."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from mexbench.errors import MemoryLimitError, counted
from mexbench.evaluation.task_runner import TaskRunner
from mexbench.interfaces import FoldsModel, Model

#: What scikit-learn makes of a training side: numbers of 8 bytes, once as they come and once scaled.
_VERSIONS, _BYTES = 2, 8
#: What training holds of each weight of a network, at 4 bytes: itself, its gradient and Adam's two moments.
_PER_WEIGHT = 4 * 4
#: What a training step holds of each value that a layer gives for a sample of the batch, at 4 bytes: itself, its
#: gradient, and what the backward pass needs in between.
_PER_VALUE = 4 * 3
#: Samples of a step where a model that reads batches does not name their number.
_BATCH = 32


@dataclass(frozen=True)
class TrainingSize:
    """What the largest training of a model is made of.

    Args:
        name: Of the row.
        model: The model.
        samples: Training samples of the largest training side, or test samples where those are more.
        values: Of one sample and its altered copies.
        itemsize: Bytes of a value.
        n_classes: Number of classes, or of units.
        folds: Number of folds, of which a model may train several at once.
    """

    name: str
    model: Model
    samples: int
    values: int
    itemsize: int
    n_classes: int
    folds: int = 1

    @classmethod
    def of(cls, name: str, runner: TaskRunner) -> TrainingSize:
        """Measure the largest training of a row."""
        values, itemsize = math.prod(runner.x.shape[1:]), runner.x.itemsize
        if runner.copies is not None:
            values *= 1 + runner.copies.shape[1]
        samples = max(max(len(train), len(test)) for train, test in runner.folds.values())
        return cls(name, runner.models[name], samples, values, itemsize, runner.n_classes, len(runner.folds))

    @property
    def needed(self) -> int:
        """Bytes that a training takes beside the program, estimated.

        Of a network the weights are counted, and where batches are read, what its layers give for a batch. A model
        that copies its training side needs it twice.
        """
        layers = self.model.layers(self.n_classes)
        weights = sum(row.n_params for row in layers)
        together = min(self.model.folds_at_once(), self.folds) if isinstance(self.model, FoldsModel) else 1
        held, inside, copied = self.samples, 0, self.itemsize * self.model.copies_samples
        if self.model.reads_rows:
            recipe = getattr(self.model, "recipe", None)  # of a PyTorch module
            held = min(self.samples, getattr(self.model, "batch_size", getattr(recipe, "batch_size", _BATCH)))
            inside = held * sum(math.prod(row.shape) for row in layers) * _PER_VALUE
        return (
            held * self.values * (self.itemsize + copied + _VERSIONS * _BYTES)
            + inside
            + weights * _PER_WEIGHT * together
        )


def fitting(
    jobs: int, runners: Mapping[str, TaskRunner], notify_user: Callable[[str], None], limit: int | None = None
) -> int:
    """Return how many of so many worker processes fit in memory, at least one; say so where they are fewer.

    Args:
        jobs: How many are asked for.
        runners: What the tasks of each model need.
        notify_user: Called with one line.
        limit: Bytes that all processes together may take; None for what is free.
    """
    if jobs == 1:
        return 1
    each, free = needed(runners), available()
    left = "are free"
    if limit is not None and limit - program() < free:
        free, left = max(0, limit - program()), "are left of --memory"
    fits = max(1, min(jobs, free // each))
    if fits < jobs:
        notify_user(
            f"memory for {fits} of {jobs} worker processes: each needs about {each / 1e9:.1f} GB, and "
            f"{free / 1e9:.1f} GB {left}; {fits} start"
        )
    return fits


def needed(runners: Mapping[str, TaskRunner]) -> int:
    """Estimate the bytes that a worker process needs: what this one has, and the largest training.

    The samples themselves are in files that all processes share, and take no memory.
    """
    training = max(TrainingSize.of(name, runner).needed for name, runner in runners.items())
    return program() + training


def program() -> int:
    """Return the bytes that this process has, which is what a worker has before it trains."""
    import psutil

    return psutil.Process().memory_info().rss


def check_memory(sizes: list[TrainingSize], limit: int, *, processes: int) -> str:
    """Check that the largest training of each model fits into a limit, beside this process.

    Args:
        sizes: Of every row.
        limit: Bytes that all processes together may take.
        processes: 2 where a worker process trains, 1 where this one does.

    Returns:
        The limit and what is needed, in a line.

    Raises:
        MemoryLimitError: It does not; the text names the rows, what they need and what to do.
    """
    base = processes * program()
    too_large = [size for size in sizes if base + size.needed > limit]
    if too_large:
        texts = [
            f"\n  {size.name}: {_size(base + size.needed)}, of which {_size(size.needed)} to train on "
            f"{counted(size.samples, 'sample')} of {counted(size.values, 'value')}"
            for size in too_large
        ]
        most = max(size.needed for size in too_large)
        hint = ""
        if base > limit:
            hint = f"; the program itself takes {_size(base)}, whatever the samples"
        elif not all(size.model.reads_rows for size in too_large):
            hint = (
                "; or make samples smaller (resize, grayscale, fewer frames), or choose models that read their "
                "training side in batches, as networks do"
            )
        raise MemoryLimitError(
            f"--memory {_size(limit)} is less than trainings need:{''.join(texts)}\n  give --memory "
            f"{math.ceil((base + most) / 1e8) / 10:g}GB{hint}"
        )
    most = max(size.needed for size in sizes)
    return f"memory: at most {_size(limit)} together, and about {_size(base + most)} needed for one task"


def _size(size: float) -> str:
    return f"{size / 1e9:.3g} GB" if size >= 1e9 else f"{size / 1e6:.0f} MB"


def available() -> int:
    """Return the bytes that processes may still take: of the machine, or of the part that a batch system gave us."""
    import psutil

    return min(psutil.virtual_memory().available, *_left_in_groups(Path("/sys/fs/cgroup"), Path("/proc/self/cgroup")))


def _left_in_groups(root: Path, own: Path) -> list[int]:
    """Return what control groups (Linux, version 2) leave to this process, one number for each that has a limit."""
    limits = [2**63]
    with suppress(OSError, ValueError, StopIteration):
        name = next(line[3:] for line in own.read_text().splitlines() if line.startswith("0::"))
        innermost = root / name.lstrip("/")
        for group in (innermost, *innermost.parents):
            if not group.is_relative_to(root):
                break
            with suppress(OSError, ValueError, KeyError):  # no limit is the word "max"
                limit = int((group / "memory.max").read_text())
                lines = (line.split() for line in (group / "memory.stat").read_text().splitlines())
                # Files in the cache count as used and can be dropped.
                droppable = {key: int(value) for key, value in lines}["inactive_file"]
                limits.append(max(0, limit - int((group / "memory.current").read_text()) + droppable))
    return limits
