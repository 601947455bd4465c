"""Does a submission answer its board, and do its figures follow from its predictions?

Every fault is a line that says what differs. What cannot be seen from predictions is taken from the run's word: what it
trained on, and its costs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mexbench.errors import listed
from mexbench.evaluation.split_checks import UNKNOWN_SUBJECTS
from mexbench.metrics.predictions import MAX_SEED, Predictions
from mexbench.metrics.summary import figures
from mexbench.reports.leaderboards.definition import Definition, ExpectedSample
from mexbench.reports.leaderboards.submission import Submission, SubmittedPrediction, predictions_digest
from mexbench.runs.predictions_csv import repeat_of

#: Figures are sums over few numbers: what differs by more is another figure, on any machine.
TOLERANCE = 1e-9
_SHOWN = 3
_MOST_DIFFERENCES = 12


def verify(board: Definition, submission: Submission) -> list[str]:
    """Return what is wrong, in lines; nothing where all is well."""
    faults = [*_setting(board, submission), *_answers(board, submission), *_flags(board, submission)]
    if faults:
        return faults
    if predictions_digest(submission.predictions) != submission.predictions_digest:
        faults.append("the predictions are not those that were submitted: their digest differs")
    recomputed = board_figures(board, submission)
    return [*faults, *differences(submission.figures, recomputed)]


def board_figures(board: Definition, submission: Submission) -> dict[str, Any]:
    """Score a submission's predictions, whose samples are the board's."""
    scored = figures(predictions(board, submission), board.classes)
    scored["folds"] = len({answer.fold for answer in submission.predictions})
    del scored["rank"]
    return scored


def predictions(board: Definition, submission: Submission) -> Predictions:
    """Join a submission's answers with what the board knows of the samples: by seed, repeat and sample id.

    Raises:
        KeyError: An answer is for a sample that the board does not ask for, or the truth of one is not known.
        IndexError: An answer has fewer scores than there are seeds.
    """
    answers = sorted(submission.predictions, key=lambda answer: (repeat_of(answer.fold), answer.sample_id))
    samples = [board.by_key[repeat_of(answer.fold), answer.sample_id] for answer in answers]
    lines = [
        (seed, sample, answer.scores[index])
        for index, seed in enumerate(submission.seeds)
        for sample, answer in zip(samples, answers, strict=True)
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


def _setting(board: Definition, submission: Submission) -> Iterator[str]:
    """Compare what the run says of itself with the board's definition."""
    origin = submission.origin
    if not submission.model.name.strip():
        yield "model: has no name"
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
    """Compare the samples, their folds, subjects and truths with what the board asks; see that scores are whole."""
    given: dict[tuple[int, str], SubmittedPrediction] = {}
    twice = []
    for answer in submission.predictions:
        key = repeat_of(answer.fold), answer.sample_id
        twice += [answer.sample_id] if key in given else []
        given[key] = answer
    if twice:
        yield f"predicted twice: {listed(twice, limit=_SHOWN)}"
    if unknown := [answer.sample_id for key, answer in given.items() if key not in board.by_key]:
        yield f"{len(unknown)} samples that the board does not ask for: {listed(unknown, limit=_SHOWN)}"
    yield from _missing(board, given)
    pairs = [(question, given[key]) for key, question in board.by_key.items() if key in given]
    yield from _moved(pairs)
    if other := [q.sample_id for q, answer in pairs if answer.truth != q.truth]:
        yield f"the truth of {len(other)} samples is not the board's: {listed(other, limit=_SHOWN)}"
    yield from _scores(board, submission)


def _missing(board: Definition, given: Mapping[tuple[int, str], SubmittedPrediction]) -> Iterator[str]:
    asked: dict[str, list[str]] = {}
    missing: dict[str, list[str]] = {}
    for key, question in board.by_key.items():
        asked.setdefault(question.fold, []).append(question.sample_id)
        if key not in given:
            missing.setdefault(question.fold, []).append(question.sample_id)
    for fold, ids in missing.items():
        if len(ids) == len(asked[fold]):
            yield f"fold {fold!r} is missing: none of its {len(ids)} samples has a prediction"
        else:
            shown = listed(ids, limit=_SHOWN)
            yield f"fold {fold!r}: {len(ids)} of its {len(asked[fold])} samples have no prediction: {shown}"


def _moved(pairs: Sequence[tuple[ExpectedSample, SubmittedPrediction]]) -> Iterator[str]:
    """Find samples under another subject or in another fold, told once for each pair of names."""
    for what in ("subject", "fold"):
        moved: dict[tuple[str, str], list[str]] = {}
        for question, answer in pairs:
            ours, theirs = getattr(question, what), getattr(answer, what)
            if ours != theirs:
                moved.setdefault((ours, theirs), []).append(question.sample_id)
        for (ours, theirs), ids in moved.items():
            yield (
                f"{what}: {len(ids)} samples of {ours or 'nobody'!r} stand under {theirs or 'nobody'!r}: "
                f"{listed(ids, limit=_SHOWN)}"
            )


def _scores(board: Definition, submission: Submission) -> Iterator[str]:
    if not submission.seeds or len(set(submission.seeds)) < len(submission.seeds):
        yield f"seeds: expected different numbers, at least one, got {list(submission.seeds)}"
    if any(abs(seed) > MAX_SEED for seed in submission.seeds):
        yield f"seeds: expected numbers up to {MAX_SEED}, got {list(submission.seeds)}"
    shape = [len(board.classes)] * len(submission.seeds)
    if odd := [a.sample_id for a in submission.predictions if [len(scores) for scores in a.scores] != shape]:
        yield (
            f"{len(odd)} samples have no {len(board.classes)} scores for each of {len(submission.seeds)} seeds: "
            f"{listed(odd, limit=_SHOWN)}"
        )


def _flags(board: Definition, submission: Submission) -> Iterator[str]:
    """See that a row carries the flags that follow from the board and from the predictions."""
    for flag in board.flags:
        if flag not in submission.flags:
            yield f"flags: {flag!r} is missing, which every row of this board carries"
    nameless = any(not answer.subject for answer in submission.predictions)
    if nameless and UNKNOWN_SUBJECTS not in submission.flags:
        yield f"flags: {UNKNOWN_SUBJECTS!r} is missing: samples have no subject"
    folds: dict[tuple[int, str], set[str]] = {}
    for answer in submission.predictions:
        if answer.subject:
            folds.setdefault((repeat_of(answer.fold), answer.subject), set()).add(answer.fold)
    split = {subject: found for (_, subject), found in folds.items() if len(found) > 1}
    if split and "leak:subject" not in submission.flags:
        subject, found = next(iter(split.items()))
        yield (
            f"folds are not disjoint by subject: {len(split)} subjects are tested in several folds, such as "
            f"{subject!r} in {listed(sorted(map(repr, found)), limit=_SHOWN)}, and the flag 'leak:subject' is missing"
        )
    if "incomplete" in submission.flags:
        yield "flags: 'incomplete': finish the run first"


def differences(stored: object, recomputed: object) -> list[str]:
    """List the figures that differ: each with what the file says and what its predictions give."""
    found = list(_differences(stored, recomputed, ""))
    rest = len(found) - _MOST_DIFFERENCES
    return [*found[:_MOST_DIFFERENCES], *([f"and {rest} more figures differ"] if rest > 0 else [])]


def _differences(stored: object, recomputed: object, path: str) -> Iterator[str]:
    if isinstance(stored, Mapping) and isinstance(recomputed, Mapping):
        for key in dict.fromkeys([*recomputed, *stored]):
            inside = f"{path}.{key}" if path else str(key)
            if key not in stored or key not in recomputed:
                yield f"{inside}: {'is missing' if key not in stored else 'is no figure of a submission'}"
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
        except OverflowError:  # a whole number larger than any figure
            return False
    return type(stored) is type(recomputed) and stored == recomputed
