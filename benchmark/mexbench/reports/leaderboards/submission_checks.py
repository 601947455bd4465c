"""What every submission is checked for, whatever its predictions are: its file, its setting, its figures."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from mexbench.errors import BoardError, counted, listed
from mexbench.metrics.predictions import MAX_SEED
from mexbench.reports.leaderboards.records import read_record
from mexbench.reports.leaderboards.submission import BoardEntry, file_name

#: Figures are sums over few numbers: what differs by more is another figure, on any machine.
TOLERANCE = 1e-9
_MOST_DIFFERENCES = 12
E = TypeVar("E", bound=BoardEntry)


@dataclass(frozen=True, kw_only=True)
class VerifiedFile(Generic[E]):
    """A submission's file that was verified.

    Args:
        path: The file.
        entry: What it says; None where it cannot be read or does not verify.
        errors: What is wrong with it, in lines.
        readable: Whether it is a submission at all.
    """

    path: Path
    entry: E | None = None
    errors: tuple[str, ...] = ()
    readable: bool = True


V = TypeVar("V", bound=VerifiedFile[Any])


class BoardSetting(Protocol):
    """What every leaderboard says of the runs that it takes."""

    @property
    def name(self) -> str:
        """Of the leaderboard."""
        ...

    @property
    def dataset(self) -> str:
        """What outputs call the data."""
        ...

    @property
    def fingerprint(self) -> str:
        """Of the data set."""
        ...

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names in order; () where none are asked for."""
        ...

    @property
    def protocol(self) -> Mapping[str, Any]:
        """The plugin with all its parameters, paths left out."""
        ...

    @property
    def epochs(self) -> tuple[int, ...]:
        """Epochs of the code whose runs are comparable."""
        ...


def distinct(files: Sequence[V]) -> tuple[V, ...]:
    """Refuse names that differ in case alone, as a config does."""
    seen: dict[str, str] = {}
    checked = []
    for one in files:
        name = one.entry.model.name if one.entry else None
        if name is not None and (other := seen.setdefault(name.lower(), name)) != name:
            text = f"model.name: {name!r} differs from {other!r}, another row of this board, in case alone"
            checked.append(type(one)(path=one.path, errors=(text,)))
        else:
            checked.append(one)
    return tuple(checked)


def check_valid(name: str, files: Sequence[VerifiedFile[Any]]) -> None:
    """Check that every submission to a board verifies: else no page may be made.

    Raises:
        BoardError: One does not.
    """
    if any(one.errors for one in files):
        raise BoardError(f"{name}: has submissions that do not verify; see 'bench leaderboard verify {name}'")


def read_verified(path: Path, cls: type[E], verify: Callable[[E], list[str]]) -> tuple[E | None, tuple[str, ...]]:
    """Read a submission and return it with what is wrong with it, in lines; None where it cannot be read.

    Args:
        path: The file.
        cls: What it is read as.
        verify: Returns what is wrong with it.
    """
    try:
        submission = read_record(path, cls)
    except BoardError as error:
        return None, (str(error).removeprefix(f"{path}: "),)
    errors = verify(submission)
    if path.name != (expected := file_name(submission.model.name)):
        errors.insert(0, f"the file of the model {submission.model.name!r} must be called {expected!r}")
    return submission, tuple(errors)


def setting_errors(board: BoardSetting, submission: BoardEntry) -> Iterator[str]:
    """Compare the origin of a submission with the definition of a board."""
    origin = submission.origin
    if submission.board != board.name:
        yield f"it is a submission to the board {submission.board!r}, not to {board.name!r}"
    if origin.dataset != board.dataset:
        yield f"data set {origin.dataset!r}, the board's is {board.dataset!r}"
    if origin.fingerprint != board.fingerprint:
        yield (
            f"data set fingerprint {origin.fingerprint} ({origin.dataset}), the board's is {board.fingerprint} "
            f"({board.dataset}): it was made on other data"
        )
    if origin.classes != board.classes:
        yield f"classes {listed(origin.classes)}, the board's are {listed(board.classes)}"
    for key in dict.fromkeys([*origin.protocol, *board.protocol]):
        ours, theirs = board.protocol.get(key, "absent"), origin.protocol.get(key, "absent")
        if ours != theirs:
            yield f"protocol: {key} is {theirs!r}, the board's is {ours!r}"
    if origin.epoch not in board.epochs:
        yield f"code of epoch {origin.epoch}; the board accepts {listed(map(str, board.epochs))}"


def seed_errors(seeds: Sequence[int]) -> Iterator[str]:
    """Check the seeds that a submission states."""
    if not seeds or len(set(seeds)) < len(seeds):
        yield f"seeds: expected different numbers, at least one, got {list(seeds)}"
    if any(abs(seed) > MAX_SEED for seed in seeds):
        yield f"seeds: expected numbers up to {MAX_SEED}, got {list(seeds)}"


def differences(stored: object, recomputed: object) -> list[str]:
    """List the figures that differ: each with what the file says and what its predictions give."""
    lines = list(_differences(stored, recomputed, ""))
    rest = len(lines) - _MOST_DIFFERENCES
    return [
        *lines[:_MOST_DIFFERENCES],
        *([f"and {counted(rest, 'more figure differs', 'more figures differ')}"] if rest > 0 else []),
    ]


def _differences(stored: object, recomputed: object, path: str) -> Iterator[str]:
    if isinstance(stored, Mapping) and isinstance(recomputed, Mapping):
        for key in dict.fromkeys([*recomputed, *stored]):
            inside = f"{path}.{key}" if path else str(key)
            if key not in stored or key not in recomputed:
                yield f"{inside}: {'is missing' if key not in stored else 'is not a figure of a submission'}"
            else:
                yield from _differences(stored[key], recomputed[key], inside)
    elif isinstance(stored, (list, tuple)) and isinstance(recomputed, (list, tuple)) and len(stored) == len(recomputed):
        for index, (one, other) in enumerate(zip(stored, recomputed, strict=True)):
            yield from _differences(one, other, f"{path}[{index}]")
    elif not _same(stored, recomputed):
        yield f"{path}: the file says {stored!r}, its predictions give {recomputed!r}"


def _same(stored: object, recomputed: object) -> bool:
    if isinstance(stored, (int, float)) and isinstance(recomputed, (int, float)):
        try:
            return stored == recomputed or abs(stored - recomputed) <= TOLERANCE  # NaN is near nothing
        except OverflowError:  # an integer larger than any figure
            return False
    return type(stored) is type(recomputed) and stored == recomputed
