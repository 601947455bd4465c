"""Submissions that are about to be written: what is in their files now, and what each would change."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from mexbench.errors import BoardError
from mexbench.files import write_text
from mexbench.reports.leaderboards.submission import BoardEntry, file_name
from mexbench.tables import percent

E = TypeVar("E", bound=BoardEntry)


@dataclass(frozen=True)
class PlannedFile(Generic[E]):
    """A submission and the file that it would be.

    Args:
        path: The file.
        submission: What would be in it.
        before: What is in it now; None where there is no file.
    """

    path: Path
    submission: E
    before: E | None

    @property
    def state(self) -> str:
        """``new``, ``same`` or ``replaced``."""
        return "new" if self.before is None else "same" if self.before == self.submission else "replaced"

    def change(self, headline: str) -> str:
        """Return on one line what a replacement changes."""
        before, now = (one for one in (self.before, self.submission) if one is not None)
        words = [f"{headline.upper()} {percent(before.figures[headline])} -> {percent(now.figures[headline])}"]
        words += [f"run of {before.origin.ended[:10]} -> {now.origin.ended[:10]}"]
        if before.flags != now.flags:
            words.append(f"flags {' '.join(before.flags) or 'none'} -> {' '.join(now.flags) or 'none'}")
        return f"{self.path}: {', '.join(words)}"


def plan(folder: Path, submissions: Sequence[E], read: Callable[[Path], E]) -> list[PlannedFile[E]]:
    """Compare submissions with the files of a board's folder; nothing is written.

    Args:
        folder: Of the board's submissions.
        submissions: What would be written.
        read: Reads a file of the folder.

    Raises:
        BoardError: The folder has another model of the same name, or a file of it cannot be read.
    """
    planned = []
    for submission in submissions:
        path = folder / file_name(submission.model.name)
        before = None
        if path.is_symlink():
            raise BoardError(f"{path}: is a symbolic link, which is not followed below a leaderboard; remove it")
        if path.exists():
            before = read(path)
            config, same = before.origin.config, submission.origin.config
            if (before.model.plugin, _made_of(config)) != (submission.model.plugin, _made_of(same)):
                raise BoardError(
                    f"{path}: holds another model of the name {submission.model.name!r}; give this one a name of its "
                    "own in the config ('name: ...'), or remove that file"
                )
        planned.append(PlannedFile(path, submission, before))
    return planned


def store(planned: Sequence[PlannedFile[E]], text: Callable[[E], str]) -> None:
    """Write the files."""
    for one in planned:
        write_text(one.path, text(one.submission))


def _made_of(config: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return a row's model block without the declaration of how it was chosen, which may come later."""
    return [{key: value for key, value in block.items() if key != "selection"} for block in config["models"]]
