"""One row of a leaderboard of spotters, and whether its figures follow from its intervals."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from pydantic import ConfigDict

from mexbench.errors import BoardError, listed
from mexbench.files import write_text
from mexbench.interfaces import ScoredInterval
from mexbench.interfaces.video import IntervalKind
from mexbench.metrics.spotting.scores import SpottedVideo
from mexbench.metrics.spotting.summary import SpottingPool, figures
from mexbench.registry.catalogue import Catalogue
from mexbench.reports.leaderboards.stated import plugin_flags
from mexbench.reports.leaderboards.submission import CodeOrigin, Costs, ModelCard, file_name
from mexbench.reports.leaderboards.verify import differences
from mexbench.reports.spotting_boards.definition import (
    SpottingBoard,
    digest_of,
    read_record,
    record_text,
    results_folder,
)
from mexbench.runs.predictions_csv import repeat_of
from mexbench.runs.provenance import EPOCH

SCHEMA = 1
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

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False)

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

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False)

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


@dataclass(frozen=True)
class VerifiedSpotter:
    """A submission that was looked at.

    Args:
        path: The file.
        submission: What it says; None where it cannot be read.
        errors: What is wrong with it, in lines; () where it verifies.
    """

    path: Path
    submission: SpottingSubmission | None
    errors: tuple[str, ...]

    @property
    def readable(self) -> bool:
        """Whether it is a submission at all."""
        return self.submission is not None


def read_all(root: Path, board: SpottingBoard, catalogue: Catalogue) -> list[VerifiedSpotter]:
    """Read and verify every submission to a board."""
    return [verify_file(path, board, catalogue) for path in sorted(results_folder(root, board.name).glob("*.json"))]


def verify_file(path: Path, board: SpottingBoard, catalogue: Catalogue) -> VerifiedSpotter:
    """Read and verify one submission."""
    try:
        submission = read_record(path, SpottingSubmission)
    except BoardError as error:
        return VerifiedSpotter(path, None, (str(error).removeprefix(f"{path}: "),))
    errors = list(verify(board, submission, catalogue))
    if path.name != (expected := file_name(submission.model.name)):
        errors.insert(0, f"the file of the model {submission.model.name!r} must be called {expected!r}")
    return VerifiedSpotter(path, submission, tuple(errors))


def verify(board: SpottingBoard, submission: SpottingSubmission, catalogue: Catalogue) -> list[str]:
    """Return what is wrong with a submission, in lines; nothing where it verifies."""
    errors = [*_setting(board, submission), *_answers(board, submission), *_flags(board, submission, catalogue)]
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


def store(root: Path, board: SpottingBoard, submissions: Sequence[SpottingSubmission]) -> list[tuple[Path, str]]:
    """Write submissions: each file with what became of it, ``new``, ``same`` or ``replaced``.

    Raises:
        BoardError: A file of another plugin has the name; nothing is written.
    """
    states = []
    for submission in submissions:
        path, state = results_folder(root, board.name) / file_name(submission.model.name), "new"
        if path.is_symlink():
            raise BoardError(f"{path}: is a symbolic link, which is not followed below a leaderboard; remove it")
        if path.exists():
            before = read_record(path, SpottingSubmission)
            if before.model.plugin != submission.model.plugin:
                raise BoardError(
                    f"{path}: holds another model of the name {submission.model.name!r}; give this one a name of its "
                    "own in the config ('name: ...'), or remove that file"
                )
            state = "same" if before == submission else "replaced"
        states.append((path, state))
    for (path, _), submission in zip(states, submissions, strict=True):
        write_text(path, record_text(submission))
    return states


def _setting(board: SpottingBoard, submission: SpottingSubmission) -> Iterator[str]:
    origin = submission.origin
    if submission.schema != SCHEMA:
        yield f"schema: expected {SCHEMA}, got {submission.schema}"
    if submission.board != board.name:
        yield f"it is a submission to the board {submission.board!r}, not to {board.name!r}"
    if (origin.dataset, origin.fingerprint) != (board.dataset, board.fingerprint):
        yield (
            f"data set {origin.dataset!r} of fingerprint {origin.fingerprint}, the board's is {board.dataset!r} of "
            f"{board.fingerprint}: it was made on other data"
        )
    if origin.protocol != board.protocol:
        yield f"protocol: is {origin.protocol!r}, the board's is {board.protocol!r}"
    if origin.epoch not in board.epochs:
        yield f"code of epoch {origin.epoch}; the board accepts {listed(map(str, board.epochs))}"


def _answers(board: SpottingBoard, submission: SpottingSubmission) -> Iterator[str]:
    """Compare the videos with those of the board; check that every interval lies in its video."""
    if not submission.seeds or len(set(submission.seeds)) < len(submission.seeds):
        yield f"seeds: expected different numbers, at least one, got {list(submission.seeds)}"
    keys = [(answer.seed, answer.video_id) for answer in submission.answers]
    expected = {(seed, name) for seed in submission.seeds for name in board.by_id}
    if len(set(keys)) < len(keys):
        yield "a video is answered twice for one seed"
    if missing := sorted(name for _, name in expected - set(keys)):
        yield f"{len(missing)} videos have no answer: {listed(missing, limit=_SHOWN)}"
    if unknown := sorted(name for _, name in set(keys) - expected):
        yield f"{len(unknown)} answers that the board does not ask for: {listed(unknown, limit=_SHOWN)}"
    for answer in submission.answers:
        video = board.by_id.get(answer.video_id)
        for _, onset, _, offset, score in answer.spotted if video else ():
            if video and not video.first <= onset <= offset <= video.last:
                yield f"{video.video_id}: spotted {onset}-{offset} in frames {video.first} to {video.last}"
            if not math.isfinite(score):
                yield f"{answer.video_id}: the score {score} is not finite"


def _flags(board: SpottingBoard, submission: SpottingSubmission, catalogue: Catalogue) -> Iterator[str]:
    origin = submission.origin
    flags, errors = plugin_flags(origin.config, catalogue, earlier=origin.epoch < EPOCH)
    yield from errors
    wanted: Mapping[str, str] = {**dict.fromkeys(board.flags, "the board's data"), **flags}
    for flag, source in wanted.items():
        if flag not in submission.flags:
            yield f"flags: {flag!r} of {source} is missing"
