"""What an experiment reports while it goes, and what turns its results into reports."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, Protocol

from mexbench.config.run_config import RunConfig
from mexbench.data.samples import LabelledSamples
from mexbench.evaluation.plan import Plan
from mexbench.runs.model_writer import ModelWriter
from mexbench.runs.run_folder import RunFolder, StoredResult


class Ticker(Protocol):
    """Called with how much is done, and which item is next."""

    def __call__(self, done: int, doing: str = "", /) -> None:
        """Show it."""
        ...


class Monitor:
    """Is notified of what an experiment does; this one ignores everything."""

    def message(self, text: str) -> None:
        """Receive a line that a user should read; a warning starts with ``warning:``."""

    def notice(self, text: str) -> None:
        """Receive what a user must know before reading any figure made with this data."""

    def progress(self, what: str, total: int) -> AbstractContextManager[Ticker]:
        """Open a display of ``total`` steps."""
        del what, total
        return nullcontext(lambda *_: None)

    def data_read(self, config: RunConfig, data: Sequence[LabelledSamples]) -> None:
        """Receive the samples, before any pixel is read."""

    def planned(self, plan: Plan, waiting: int, folder: RunFolder) -> None:
        """Receive the plan and the number of its tasks that have no result yet."""

    def unusable_files(self, folder: RunFolder, reported: Collection[Path] = ()) -> None:
        """Receive a folder after its results were read: ``folder.unusable`` may have more than was reported."""

    def models_planned(self, model_writer: ModelWriter, waiting: int) -> None:
        """Receive what is trained in order to save models."""


class Report(Protocol):
    """The results of a plan so far."""

    @property
    def done(self) -> tuple[StoredResult, ...]:
        """Every valid result, in the order of the plan's tasks."""
        ...

    @property
    def complete(self) -> bool:
        """Whether every task has a result."""
        ...

    def scores(self) -> dict[str, Any]:
        """Return what ``scores.json`` holds."""
        ...


class Reports(Protocol):
    """Turns results into reports."""

    def check(self, config: RunConfig) -> None:
        """Raise, before anything is read, where the reports of a config could not be made."""
        ...

    def collect(self, plan: Plan, folder: RunFolder) -> Report:
        """Read every valid result."""
        ...

    def write(
        self, report: Any, scores: Mapping[str, Any], manifest: Mapping[str, Any], folder: Path  # noqa: ANN401
    ) -> list[str]:  # fmt: skip
        """Write what ``collect`` gave into the folder, and return what was written."""
        ...
