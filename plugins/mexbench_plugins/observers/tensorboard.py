"""Runs in TensorBoard."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from mexbench import hookimpl
from mexbench.interfaces.observer import Observer, RunDone, RunStarted, TaskDone
from mexbench_plugins.observers._extras import check_installed


class TensorBoard(Observer):
    """Write TensorBoard's events into ``tensorboard/`` of the run folder, for ``tensorboard --logdir runs``.

    Each row has ``fold/accuracy`` and ``fold/fit_s``, whose step is the number of the task, and at the end its scores
    with 95 % intervals (``score/uf1``, ``score/uf1_low``, ``score/uf1_high``) and its flags. A task of a model with
    learning curves has them in ``ROW/curves/SEED FOLD``, one step per epoch.
    """

    source = "TensorBoard's event files, written by tensorboardX (MIT)"

    def __init__(self) -> None:
        self._folder = Path()
        self._writers: dict[str, Any] = {}

    def prepare(self) -> None:
        """See that tensorboardX is installed."""
        check_installed("tensorboardX", extra="tensorboard")

    @hookimpl
    def bench_run_started(self, run: RunStarted) -> None:
        """Begin a file for each row: two of one second would have one name."""
        self._folder = run.folder / "tensorboard"
        self._writers = {row: self._writer(row) for row in run.rows}

    @hookimpl
    def bench_task_done(self, task: TaskDone) -> None:
        """Write how a task went."""
        if task.error is not None:
            self._write(
                task.row, {}, texts={"failed": f"{task.fold}, seed {task.seed}: {task.error}"}, step=task.number
            )
            return
        scalars = {"fold/accuracy": task.accuracy, "fold/fit_s": task.fit_s}
        self._write(task.row, scalars, step=task.number)
        if task.history:
            folder = f"{task.row}/curves/{task.seed} {quote(task.fold, safe=' ')}"
            with self._writer(folder) as writer:
                for step, epoch in enumerate(task.history, 1):
                    for name, value in epoch.items():
                        writer.add_scalar(f"curve/{name}", value, int(epoch.get("epoch", step)))

    @hookimpl
    def bench_run_done(self, run: RunDone) -> None:
        """Write the scores of each row."""
        for row in run.scores["rows"]:
            scalars: dict[str, float | None] = {}
            for name, interval in row["ci"].items():
                low, high = interval or (None, None)
                scalars |= {f"score/{name}": row[name], f"score/{name}_low": low, f"score/{name}_high": high}
            self._write(row["model"], scalars, texts={"flags": " ".join(row["flags"]) or "none"})
            self._writers[row["model"]].close()

    def _writer(self, folder: str) -> Any:  # noqa: ANN401 - the package is optional
        return importlib.import_module("tensorboardX").SummaryWriter(str(self._folder / folder))

    def _write(
        self, row: str, scalars: Mapping[str, float | None], *, texts: Mapping[str, str] | None = None, step: int = 0
    ) -> None:
        """Write what there is of one row, at once: who looks on sees it, and nothing waits in memory."""
        writer = self._writers[row]
        for name, value in scalars.items():
            if value is not None:
                writer.add_scalar(name, value, step)
        for name, text in (texts or {}).items():
            writer.add_text(name, text, step)
        writer.flush()
