"""How much memory a worker process needs, how much there is, and so how many of them may start."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from mexbench.evaluation.task_runner import TaskRunner
from mexbench.interfaces import FoldsModel

#: What scikit-learn makes of a training side: numbers of 8 bytes, once as they come and once scaled.
_VERSIONS, _BYTES = 2, 8
#: What training holds of each weight of a network, at 4 bytes: itself, its gradient and Adam's two moments.
_PER_WEIGHT = 4 * 4


def fitting(jobs: int, runners: Mapping[str, TaskRunner], notify_user: Callable[[str], None]) -> int:
    """Return how many of so many worker processes fit in memory, at least one; say so where they are fewer.

    Args:
        jobs: How many are asked for.
        runners: What the tasks of each model need.
        notify_user: Called with one line.
    """
    if jobs == 1:
        return 1
    each, free = needed(runners), available()
    fits = max(1, min(jobs, free // each))
    if fits < jobs:
        notify_user(
            f"memory for {fits} of {jobs} worker processes: each needs about {each / 1e9:.1f} GB, and "
            f"{free / 1e9:.1f} GB are free; {fits} start"
        )
    return fits


def needed(runners: Mapping[str, TaskRunner]) -> int:
    """Estimate the bytes that a worker process needs: what this one has, and the largest training.

    The samples themselves are shared. Of a network the weights are counted, not what its layers hold in between.
    """
    import psutil

    training = max(_training(runner, name) for name, runner in runners.items())
    return psutil.Process().memory_info().rss + training


def _training(runner: TaskRunner, name: str) -> int:
    """Estimate the bytes that the largest training of a model takes beside the samples."""
    samples = max(len(train) for train, _ in runner.folds.values())
    size, itemsize = runner.x[:1].size, runner.x.itemsize
    if runner.copies is not None:
        size += runner.copies[:1].size
    model = runner.models[name]
    weights = sum(row.n_params for row in model.layers(runner.n_classes))
    together = model.folds_at_once() if isinstance(model, FoldsModel) else 1
    return samples * size * (itemsize + _VERSIONS * _BYTES) + weights * _PER_WEIGHT * together


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
