"""Runs tasks on a cluster whose workers share no disk with it, and says whether they gave what one process gives.

python -m tests.blind_client SCHEDULER FOLDER
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from mexbench.data.stored_arrays import stored_rows
from mexbench.evaluation.executors.base import InProcess
from mexbench.evaluation.executors.dask import worker as dask_worker
from mexbench.evaluation.executors.dask.cluster import connected
from mexbench.evaluation.executors.dask.executor import DaskCluster
from mexbench.evaluation.task_runner import TaskRunner
from mexbench.interfaces import Model, Predictor
from mexbench.runs.task import Success, Task

COUNT = 24


@dataclass(frozen=True, kw_only=True)
class Sums(Model):
    """Say what trained, and in its learning curve in which process."""

    def fit(self, x: Any, y: Any, *, n_classes: int, groups: Any, seed: int) -> Predictor:  # noqa: ANN401
        result = (x.sum(), x.std(), (x[:, 0, 0] * y).sum(), seed)

        class Told:
            history = ({"process": os.getpid()},)

            def __call__(self, test: Any, /) -> Any:  # noqa: ANN401
                return np.tile(result[:n_classes], (len(test), 1)) + test[:, 0, :1]

        return Told()


def main() -> None:
    """Use the scheduler that the first argument names; the second one is a folder to write in."""
    address, folder = sys.argv[1:]
    rng = np.random.default_rng(0)
    load = TaskRunner(
        x=stored_rows(rng.random((20, 3, 5)), range(20)),  # in the cache, which no worker sees
        copies=stored_rows(rng.random((20, 2, 3, 5)), range(20)),
        y=np.arange(20) % 4,
        groups=np.repeat(list("abcde"), 4),
        folds={"f": (np.arange(16), np.arange(16, 20))},
        models={"sums": Sums()},
        n_classes=4,
    )
    units = [(Task("sums", seed, "f", "print"),) for seed in range(COUNT)]
    (Path(folder) / "note").write_text("here")
    with connected(address) as link:
        seen = link.ask(dask_worker.reads, Path(folder) / "note", "here")
        print(f"{len(seen)} workers, {'some see' if any(seen.values()) else 'none sees'} the folder")
        (Path(folder) / "note").unlink()
        result = list(DaskCluster(link, Path(folder), None, print).run(units, {"sums": load}))
    alone = list(InProcess().run(units, {"sums": load}))
    full = [outcome for outcome in (*result, *alone) if isinstance(outcome, Success)]
    assert len(full) == 2 * COUNT, result
    processes = {outcome.history[0]["process"] for outcome in full[:COUNT]}
    by_seed = sorted((replace(outcome, history=()) for outcome in full), key=lambda outcome: outcome.task.seed)
    same = all(np.array_equal(a.scores, b.scores) for a, b in zip(by_seed[::2], by_seed[1::2], strict=True))
    print(f"{'same' if same else 'different'}: {len(result)} outcomes, from {len(processes)} processes")
