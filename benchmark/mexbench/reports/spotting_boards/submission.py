"""One row of a leaderboard of spotters, and whether its figures follow from its intervals."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from pydantic import ConfigDict

from mexbench.errors import counted, listed
from mexbench.interfaces import ScoredInterval
from mexbench.interfaces.video import IntervalKind
from mexbench.metrics.spotting.scores import SpottedVideo
from mexbench.metrics.spotting.summary import SpottingPool, figures
from mexbench.registry.catalogue import Catalogue
from mexbench.reports.leaderboards.records import STRICT, read_record
from mexbench.reports.leaderboards.stated import stated_errors
from mexbench.reports.leaderboards.submission import CodeOrigin, Costs, ModelCard
from mexbench.reports.leaderboards.submission_checks import (
    VerifiedFile,
    differences,
    distinct,
    read_verified,
    seed_errors,
    setting_errors,
)
from mexbench.reports.leaderboards.verify import installed
from mexbench.reports.spotting_boards.definition import SpottingBoard, digest_of, load, results_folder
from mexbench.runs.predictions_csv import repeat_of

_SHOWN = 3
#: Type, onset, apex (None where the spotter does not say), offset, score.
SpottedLine = tuple[IntervalKind, int, int | None, int, float]


@dataclass(frozen=True, kw_only=True)
class VideoAnswer:
    """What one seed spotted in one video.

    Args:
        seed: Of the model.
        video_id: The video.
        spotted: Its intervals; () where nothing was spotted.
    """

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    seed: int
    video_id: str
    spotted: tuple[SpottedLine, ...]


@dataclass(frozen=True, kw_only=True)
class SpottingSubmission:
    """A row with the intervals that its figures follow from.

    Args:
        schema: Version of the file's format.
        board: The leaderboard that it is for.
        model: Whose row.
        origin: Where it comes from.
        flags: Words that are shown beside its scores.
        seeds: That the model was trained with.
        costs: What it took.
        figures: What ``metrics.spotting.summary.figures`` gives for the answers.
        answers_digest: Of the answers.
        answers: For each seed and video.
    """

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    schema: int
    board: str
    model: ModelCard
    origin: CodeOrigin
    flags: tuple[str, ...]
    seeds: tuple[int, ...]
    costs: Costs
    figures: dict[str, Any]
    answers_digest: str
    answers: tuple[VideoAnswer, ...]


VerifiedSpotter = VerifiedFile[SpottingSubmission]


def read(path: Path) -> SpottingSubmission:
    """Read a submission.

    Raises:
        BoardError: It is not JSON, has a newer schema, or an invalid value; the text says where.
    """
    return read_record(path, SpottingSubmission)


def verify_board(root: Path, name: str) -> tuple[VerifiedSpotter, ...]:
    """Read and verify every submission to a board.

    Raises:
        BoardError: The board itself cannot be read. What is wrong with submissions is in their ``errors``.
    """
    board = load(root, name)
    return distinct([verify_file(board, path) for path in sorted(results_folder(root, name).glob("*.json"))])


def verify_file(board: SpottingBoard, path: Path) -> VerifiedSpotter:
    """Read and verify one submission."""
    submission, errors = read_verified(path, SpottingSubmission, lambda submission: verify(board, submission))
    entry = None if errors else submission
    return VerifiedFile(path=path, entry=entry, errors=errors, readable=submission is not None)


def verify(board: SpottingBoard, submission: SpottingSubmission, catalogue: Catalogue | None = None) -> list[str]:
    """Return what is wrong with a submission, in lines; nothing where it verifies.

    Args:
        board: What was asked.
        submission: What was answered.
        catalogue: Whose plugins are asked for their flags and parameters; by default those that are installed.
    """
    stated = stated_errors(board.flags, submission, catalogue or installed())
    errors = [*setting_errors(board, submission), *_answers(board, submission), *stated]
    if errors:
        return errors
    if digest_of(submission.answers) != submission.answers_digest:
        errors.append("the intervals are not those that were submitted: their digest differs")
    return [*errors, *differences(submission.figures, board_figures(board, submission))]


def board_figures(board: SpottingBoard, submission: SpottingSubmission) -> dict[str, Any]:
    """Score a submission's answers, whose videos are the board's."""
    return figures(pools(board, submission))


def pools(board: SpottingBoard, submission: SpottingSubmission) -> list[SpottingPool]:
    """Join answers with the truth, for each seed and repeat."""
    joined: dict[tuple[int, int], list[SpottedVideo]] = {}
    for answer in submission.answers:
        video = board.by_id[answer.video_id]
        joined.setdefault((answer.seed, repeat_of(video.fold)), []).append(
            SpottedVideo(
                video_id=video.video_id, group=video.subject, member=video.dataset, fold=video.fold, fps=video.fps,
                n_frames=video.last - video.first + 1, truth=video.intervals,
                predicted=tuple(
                    ScoredInterval(onset=onset, apex=apex, offset=offset, kind=kind, score=score)
                    for kind, onset, apex, offset, score in answer.spotted
                ),
            )
        )  # fmt: skip
    order = sorted(joined, key=lambda key: (submission.seeds.index(key[0]), key[1]))
    return [SpottingPool(seed, repeat, tuple(joined[seed, repeat])) for seed, repeat in order]


def _answers(board: SpottingBoard, submission: SpottingSubmission) -> Iterator[str]:
    """Compare the videos with those of the board; check that every interval lies in its video."""
    yield from seed_errors(submission.seeds)
    keys = [(answer.seed, answer.video_id) for answer in submission.answers]
    expected = {(seed, name) for seed in submission.seeds for name in board.by_id}
    if len(set(keys)) < len(keys):
        yield "a video is answered twice for one seed"
    if missing := sorted(name for _, name in expected - set(keys)):
        yield f"no answer for {counted(len(missing), 'video')}: {listed(missing, limit=_SHOWN)}"
    if unknown := sorted(name for _, name in set(keys) - expected):
        yield f"{counted(len(unknown), 'answer')} that the board does not ask for: {listed(unknown, limit=_SHOWN)}"
    for answer in submission.answers:
        video = board.by_id.get(answer.video_id)
        for _, onset, _, offset, score in answer.spotted if video else ():
            if video and not video.first <= onset <= offset <= video.last:
                yield f"{video.video_id}: spotted {onset}-{offset} in frames {video.first} to {video.last}"
            if not math.isfinite(score):
                yield f"{answer.video_id}: the score {score} is not finite"
