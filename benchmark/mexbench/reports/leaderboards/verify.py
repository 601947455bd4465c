"""Whether a submission answers its board, and whether its scores follow from its predictions.

Every error is a line that says what differs. That figures follow from predictions does not show that a model made
them: what cannot be recomputed is as its submitter states it; see ``stated``.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mexbench.errors import counted, listed
from mexbench.evaluation.split_checks import UNKNOWN_SUBJECTS
from mexbench.metrics.predictions import Predictions
from mexbench.metrics.summary import figures
from mexbench.registry.catalogue import Catalogue, load_catalogue
from mexbench.reports.leaderboards.definition import Definition, ExpectedSample, load
from mexbench.reports.leaderboards.ranking import Counts
from mexbench.reports.leaderboards.stated import model_block, split_subjects, stated_errors
from mexbench.reports.leaderboards.submission import Submission, SubmittedEntry, SubmittedPrediction, predictions_digest
from mexbench.reports.leaderboards.submission_checks import (
    VerifiedFile,
    differences,
    distinct,
    read_verified,
    seed_errors,
    setting_errors,
)
from mexbench.reports.leaderboards.tuned import tuning_errors
from mexbench.runs.predictions_csv import repeat_of

_SHOWN = 3


@dataclass(frozen=True, kw_only=True)
class VerifiedSubmission(VerifiedFile[SubmittedEntry]):
    """A submission of predictions of classes that was verified.

    Args:
        counts: Its predictions by subject; None with ``entry``.
    """

    counts: Counts | None = None


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


def verify_file(board: Definition, path: Path) -> VerifiedSubmission:
    """Read and verify one submission to a board."""
    submission, errors = read_verified(path, Submission, lambda submission: verify(board, submission))
    if submission is None or errors:
        return VerifiedSubmission(path=path, errors=errors, readable=submission is not None)
    table = predictions(board, submission)
    counts = table.counts(sorted({sample.group for sample in board.questions}))
    return VerifiedSubmission(path=path, entry=submission.entry, counts=Counts(table.runs, counts))


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
        yield f"{counted(len(unknown), 'sample')} that the board does not ask for: {listed(unknown, limit=_SHOWN)}"
    yield from _missing(board, given)
    pairs = [(expected, given[key]) for key, expected in board.by_key.items() if key in given]
    yield from _moved(pairs)
    if other := [q.sample_id for q, submitted in pairs if submitted.truth != q.truth]:
        yield f"the truth of {counted(len(other), 'sample')} is not the board's: {listed(other, limit=_SHOWN)}"
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
            yield f"fold {fold!r} is missing: no prediction for {counted(len(ids), 'sample')}"
        else:
            shown = listed(ids, limit=_SHOWN)
            yield f"fold {fold!r}: no prediction for {len(ids)} of its {counted(len(asked[fold]), 'sample')}: {shown}"


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
                f"{what}: {counted(len(ids), 'sample')} of {ours or 'unknown'!r} listed under {theirs or 'unknown'!r}: "
                f"{listed(ids, limit=_SHOWN)}"
            )


def _scores(board: Definition, submission: Submission) -> Iterator[str]:
    shape = [len(board.classes)] * len(submission.seeds)
    if odd := [a.sample_id for a in submission.predictions if [len(scores) for scores in a.scores] != shape]:
        yield (
            f"{counted(len(odd), 'sample does', 'samples do')} not have {len(board.classes)} scores for each of "
            f"{counted(len(submission.seeds), 'seed')}: "
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
            f"folds are not disjoint by subject: {counted(len(split), 'subject is', 'subjects are')} tested in "
            f"several, such as {subject!r} in {listed(sorted(map(repr, folds)), limit=_SHOWN)}, and the flag "
            "'leak:subject' is missing"
        )
