"""Whether a submission answers its board, and whether its scores follow from its predictions.

Every error is a line that says what differs. That figures follow from predictions does not show that a model made
them: what cannot be recomputed is as its submitter states it; see ``stated``.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from mexbench.errors import BoardError, listed
from mexbench.evaluation.split_checks import UNKNOWN_SUBJECTS
from mexbench.metrics.predictions import MAX_SEED, Predictions
from mexbench.metrics.summary import figures
from mexbench.registry.catalogue import Catalogue, load_catalogue
from mexbench.reports.leaderboards import submission as files
from mexbench.reports.leaderboards.definition import Definition, ExpectedSample, load
from mexbench.reports.leaderboards.ranking import Counts
from mexbench.reports.leaderboards.stated import model_block, split_subjects, stated_errors
from mexbench.reports.leaderboards.submission import (
    BoardEntry,
    Submission,
    SubmittedEntry,
    SubmittedPrediction,
    predictions_digest,
)
from mexbench.reports.leaderboards.tuned import tuning_errors
from mexbench.runs.predictions_csv import repeat_of

#: Figures are sums over few numbers: what differs by more is another figure, on any machine.
TOLERANCE = 1e-9
_SHOWN = 3
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


@dataclass(frozen=True, kw_only=True)
class VerifiedSubmission(VerifiedFile[SubmittedEntry]):
    """A submission of predictions of classes that was verified.

    Args:
        counts: Its predictions by subject; None with ``entry``.
    """

    counts: Counts | None = None


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


@dataclass(frozen=True)
class VerifiedBoard:
    """A board and its submissions.

    Args:
        root: The folder of the leaderboards.
        definition: What the board asks.
        submissions: By file name.
    """

    root: Path
    definition: Definition
    submissions: tuple[VerifiedSubmission, ...]

    @property
    def is_valid(self) -> bool:
        """Whether every submission verifies."""
        return not any(one.errors for one in self.submissions)


@functools.cache
def installed() -> Catalogue:
    """Return the catalogue of this installation; it is read once."""
    return load_catalogue()


def results_folder(root: Path, name: str) -> Path:
    """Return the folder of a board's submissions."""
    return root / "results" / name


def verify_board(root: Path, name: str) -> VerifiedBoard:
    """Verify every submission to a board.

    Args:
        root: The folder of the leaderboards.
        name: The board.

    Raises:
        BoardError: The board itself cannot be read. What is wrong with submissions is in their ``errors``.
        ConfigError: Its definition is not YAML.
    """
    board = load(root, name)
    paths = sorted(results_folder(root, name).glob("*.json"))
    return VerifiedBoard(root, board, distinct([verify_file(board, path) for path in paths]))


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


def verify_file(board: Definition, path: Path) -> VerifiedSubmission:
    """Read and verify one submission to a board."""
    submission, errors = read_verified(path, Submission, lambda submission: verify(board, submission))
    if submission is None or errors:
        return VerifiedSubmission(path=path, errors=errors, readable=submission is not None)
    table = predictions(board, submission)
    counts = table.counts(sorted({sample.group for sample in board.questions}))
    return VerifiedSubmission(path=path, entry=submission.entry, counts=Counts(table.runs, counts))


def read_verified(path: Path, cls: type[E], verify: Callable[[E], list[str]]) -> tuple[E | None, tuple[str, ...]]:
    """Read a submission and return it with what is wrong with it, in lines; None where it cannot be read.

    Args:
        path: The file.
        cls: What it is read as.
        verify: Returns what is wrong with it.
    """
    try:
        submission = files.read_record(path, cls)
    except BoardError as error:
        return None, (str(error).removeprefix(f"{path}: "),)
    errors = verify(submission)
    if path.name != (expected := files.file_name(submission.model.name)):
        errors.insert(0, f"the file of the model {submission.model.name!r} must be called {expected!r}")
    return submission, tuple(errors)


def verify(board: Definition, submission: Submission, catalogue: Catalogue | None = None) -> list[str]:
    """Return what is wrong with a submission, in lines; nothing where it verifies.

    Args:
        board: What was asked.
        submission: What was answered.
        catalogue: Whose plugins are asked for their flags and parameters; by default those that are installed.
    """
    catalogue = catalogue or installed()
    stated = [
        *stated_errors(board.flags, submission.entry, catalogue),
        *tuning_errors(board, model_block(submission), submission.seeds, submission.tuning),
    ]
    errors = [*setting_errors(board, submission), *_answers(board, submission), *_flags(submission), *stated]
    if errors:
        return errors
    if predictions_digest(submission.predictions) != submission.predictions_digest:
        errors.append("the predictions are not those that were submitted: their digest differs")
    recomputed = board_figures(board, submission)
    return [*errors, *differences(submission.figures, recomputed)]


def board_figures(board: Definition, submission: Submission) -> dict[str, Any]:
    """Score a submission's predictions, whose samples are the board's."""
    scored = figures(predictions(board, submission), board.classes)
    scored["folds"] = len({submitted.fold for submitted in submission.predictions})
    del scored["rank"]
    return scored


def predictions(board: Definition, submission: Submission) -> Predictions:
    """Join a submission's answers with what the board knows of the samples: by seed, repeat and sample id.

    Raises:
        KeyError: An answer is for a sample that the board does not ask for, or the truth of one is not known.
        IndexError: An answer has fewer scores than there are seeds.
    """
    answers = sorted(submission.predictions, key=lambda submitted: (repeat_of(submitted.fold), submitted.sample_id))
    samples = [board.by_key[repeat_of(submitted.fold), submitted.sample_id] for submitted in answers]
    lines = [
        (seed, sample, submitted.scores[index])
        for index, seed in enumerate(submission.seeds)
        for sample, submitted in zip(samples, answers, strict=True)
    ]
    return Predictions.from_columns(
        seed=[seed for seed, _, _ in lines],
        repeat=[repeat_of(sample.fold) for _, sample, _ in lines],
        fold=[sample.fold for _, sample, _ in lines],
        sample=[sample.sample_id for _, sample, _ in lines],
        clip=[sample.clip_id for _, sample, _ in lines],
        subject=[sample.subject for _, sample, _ in lines],
        dataset=[sample.dataset for _, sample, _ in lines],
        truth=[board.truths[sample.sample_id] for _, sample, _ in lines],
        scores=[scores for _, _, scores in lines],
        n_classes=len(board.classes),
    )


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


def _answers(board: Definition, submission: Submission) -> Iterator[str]:
    """Compare the samples, their folds, subjects and truths with those of the board; check that no score is missing."""
    given: dict[tuple[int, str], SubmittedPrediction] = {}
    twice = []
    for submitted in submission.predictions:
        key = repeat_of(submitted.fold), submitted.sample_id
        twice += [submitted.sample_id] if key in given else []
        given[key] = submitted
    if twice:
        yield f"predicted twice: {listed(twice, limit=_SHOWN)}"
    if unknown := [submitted.sample_id for key, submitted in given.items() if key not in board.by_key]:
        yield f"{len(unknown)} samples that the board does not ask for: {listed(unknown, limit=_SHOWN)}"
    yield from _missing(board, given)
    pairs = [(expected, given[key]) for key, expected in board.by_key.items() if key in given]
    yield from _moved(pairs)
    if other := [q.sample_id for q, submitted in pairs if submitted.truth != q.truth]:
        yield f"the truth of {len(other)} samples is not the board's: {listed(other, limit=_SHOWN)}"
    yield from seed_errors(submission.seeds)
    yield from _scores(board, submission)


def _missing(board: Definition, given: Mapping[tuple[int, str], SubmittedPrediction]) -> Iterator[str]:
    asked: dict[str, list[str]] = {}
    missing: dict[str, list[str]] = {}
    for key, expected in board.by_key.items():
        asked.setdefault(expected.fold, []).append(expected.sample_id)
        if key not in given:
            missing.setdefault(expected.fold, []).append(expected.sample_id)
    for fold, ids in missing.items():
        if len(ids) == len(asked[fold]):
            yield f"fold {fold!r} is missing: none of its {len(ids)} samples has a prediction"
        else:
            shown = listed(ids, limit=_SHOWN)
            yield f"fold {fold!r}: {len(ids)} of its {len(asked[fold])} samples have no prediction: {shown}"


def _moved(pairs: Sequence[tuple[ExpectedSample, SubmittedPrediction]]) -> Iterator[str]:
    """Find samples under another subject or in another fold, in one line for each pair of names."""
    for what in ("subject", "fold"):
        moved: dict[tuple[str, str], list[str]] = {}
        for expected, submitted in pairs:
            ours, theirs = getattr(expected, what), getattr(submitted, what)
            if ours != theirs:
                moved.setdefault((ours, theirs), []).append(expected.sample_id)
        for (ours, theirs), ids in moved.items():
            yield (
                f"{what}: {len(ids)} samples of {ours or 'unknown'!r} are listed under {theirs or 'unknown'!r}: "
                f"{listed(ids, limit=_SHOWN)}"
            )


def seed_errors(seeds: Sequence[int]) -> Iterator[str]:
    """Check the seeds that a submission states."""
    if not seeds or len(set(seeds)) < len(seeds):
        yield f"seeds: expected different numbers, at least one, got {list(seeds)}"
    if any(abs(seed) > MAX_SEED for seed in seeds):
        yield f"seeds: expected numbers up to {MAX_SEED}, got {list(seeds)}"


def _scores(board: Definition, submission: Submission) -> Iterator[str]:
    shape = [len(board.classes)] * len(submission.seeds)
    if odd := [a.sample_id for a in submission.predictions if [len(scores) for scores in a.scores] != shape]:
        yield (
            f"{len(odd)} samples do not have {len(board.classes)} scores for each of {len(submission.seeds)} seeds: "
            f"{listed(odd, limit=_SHOWN)}"
        )


def _flags(submission: Submission) -> Iterator[str]:
    """Check that a row has the flags that follow from its folds and subjects, which are compared with the board's."""
    if any(not one.subject for one in submission.predictions) and UNKNOWN_SUBJECTS not in submission.flags:
        yield f"flags: {UNKNOWN_SUBJECTS!r} is missing: samples have no subject"
    split = split_subjects((one.fold, one.subject) for one in submission.predictions)
    if split and "leak:subject" not in submission.flags:
        subject, folds = next(iter(split.items()))
        yield (
            f"folds are not disjoint by subject: {len(split)} subjects are tested in several folds, such as "
            f"{subject!r} in {listed(sorted(map(repr, folds)), limit=_SHOWN)}, and the flag 'leak:subject' is missing"
        )


def differences(stored: object, recomputed: object) -> list[str]:
    """List the figures that differ: each with what the file says and what its predictions give."""
    lines = list(_differences(stored, recomputed, ""))
    rest = len(lines) - _MOST_DIFFERENCES
    return [*lines[:_MOST_DIFFERENCES], *([f"and {rest} more figures differ"] if rest > 0 else [])]


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
