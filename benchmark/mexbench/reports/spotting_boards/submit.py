"""A finished run of spotters -> a board of its own, or submissions to one."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mexbench.config.from_values import load_config
from mexbench.config.tuning import Selection
from mexbench.errors import BoardError, RunFolderError
from mexbench.evaluation import plan as planning
from mexbench.files import read_json
from mexbench.metrics.spotting.summary import empty_figures
from mexbench.registry.catalogue import Catalogue
from mexbench.reports.leaderboards.from_run import check_complete, checked, chosen_rows, shared_flags, statements
from mexbench.reports.leaderboards.submission import SCHEMA
from mexbench.reports.spotting_boards.definition import BoardVideo, SpottingBoard, digest_of
from mexbench.reports.spotting_boards.submission import (
    SpottedLine,
    SpottingSubmission,
    VideoAnswer,
    board_figures,
    verify,
)
from mexbench.runs.stored_run import StoredRun, read_reports


def is_spotting_run(path: Path) -> bool:
    """Whether a folder holds a finished run with ``target: spotting``.

    Raises:
        RunFolderError: It is not a run folder, or has no reports.
    """
    return read_reports(path)[1].get("target") == "spotting"


def read_spotting_run(path: Path) -> StoredRun:
    """Read the reports of a run of spotters; its intervals are read by ``submissions``.

    Raises:
        RunFolderError: It is not a run folder, or has no reports.
    """
    manifest, scores = read_reports(path)
    return StoredRun(path, manifest, scores, {})


def define(run: StoredRun, name: str, catalogue: Catalogue, *, title: str, note: str = "") -> SpottingBoard:
    """Define the board that a run's rows would be submitted to; the truth is read from the data again.

    Raises:
        BoardError: The run is incomplete, its rows have several protocols, or its data is not made up.
    """
    check_complete(run, list(run.rows))
    first = next(iter(run.rows))
    shared = shared_flags(run, first)
    if "synthetic" not in shared:
        raise BoardError(
            f"{run.path}: a leaderboard of spotters lists the true intervals, and the annotation of licensed data "
            "may not be: only runs on made-up data (flag synthetic) make one"
        )
    protocol = run.row_config(first).protocol
    fingerprints = {run.part(row)["dataset_fingerprint"] for row in run.rows}
    if any(run.row_config(row).protocol != protocol for row in run.rows) or len(fingerprints) > 1:
        raise BoardError(f"{run.path}: its rows have different data or protocols; define a board from a run of one")
    config = load_config(run.manifest["config"], catalogue, {})
    data = planning.read(config)[0]
    if data.fingerprint not in fingerprints:
        raise BoardError(f"{run.path}: the data set is another one now than when it ran; run it again")
    folds = _folds(run, first)
    videos = [sample.video for sample in data.samples if sample.video is not None and sample.video.frames is not None]
    return SpottingBoard(
        schema=SCHEMA, name=name, title=title, dataset=run.scores["dataset"],
        fingerprint=data.fingerprint, protocol=dict(protocol), epochs=(run.manifest.get("epoch", 1),),
        flags=shared, note=note,
        videos=tuple(
            BoardVideo(
                video_id=video.video_id, fold=folds[video.video_id], subject=video.subject, dataset=video.dataset,
                fps=video.fps, first=video.frames[0], last=video.frames[1],
                truth=tuple((one.kind, one.onset, one.apex, one.offset, one.emotion or "") for one in video.intervals),
            )
            for video in sorted(videos, key=lambda video: video.video_id)
            if video.frames is not None and video.video_id in folds
        ),
    )  # fmt: skip


def submissions(
    run: StoredRun, board: SpottingBoard, catalogue: Catalogue, rows: Sequence[str] = (), *,
    selection: Selection | None = None,
) -> list[SpottingSubmission]:  # fmt: skip
    """Make a submission of each row, and see that it verifies.

    Args:
        run: A finished run.
        board: Where to.
        catalogue: Whose plugins are asked for their flags and parameters.
        rows: Which rows; by default those under the board's protocol, all where none is.
        selection: How values that differ from a plugin's own were chosen, for rows whose config does not declare it.

    Raises:
        BoardError: The run is incomplete, a row is unknown, or it does not answer the board; the text says why.
    """
    chosen = chosen_rows(run, board.protocol, rows)
    spotted = _spotted(run)
    return checked(
        run, board.name, chosen, catalogue,
        make=lambda row: _submission(run, board, row, spotted.get(row, {}), selection),
        verify=lambda submission: verify(board, submission, catalogue),
        scores=list(empty_figures()),
    )  # fmt: skip


def _submission(
    run: StoredRun, board: SpottingBoard, row: str, spotted: Mapping[tuple[int, str], Sequence[SpottedLine]],
    selection: Selection | None,
) -> SpottingSubmission:  # fmt: skip
    seeds = tuple(run.rows[row]["seeds"])
    answers = tuple(
        VideoAnswer(seed=seed, video_id=video.video_id, spotted=tuple(spotted.get((seed, video.video_id), ())))
        for seed in seeds
        for video in board.videos
    )
    submission = SpottingSubmission(
        schema=SCHEMA,
        **statements(run, board.name, row, classes=(), n_parameters=None, selection=selection),
        seeds=seeds,
        figures={},
        answers_digest=digest_of(answers),
        answers=answers,
    )
    return SpottingSubmission(**{**vars(submission), "figures": board_figures(board, submission)})


def _spotted(run: StoredRun) -> dict[str, dict[tuple[int, str], list[SpottedLine]]]:
    """Read ``predictions.csv``: row -> seed and video -> its intervals.

    Raises:
        RunFolderError: The file is damaged; the text names the line.
    """
    spotted: dict[str, dict[tuple[int, str], list[SpottedLine]]] = {}
    path = run.path / "predictions.csv"
    with path.open(encoding="utf-8", newline="") as stream:
        for number, line in enumerate(csv.DictReader(stream), start=2):
            try:
                apex = int(line["apex"]) if line["apex"] else None
                kind: Any = line["type"]
                interval = (kind, int(line["onset"]), apex, int(line["offset"]), float(line["score"]))
                inside = spotted.setdefault(line["model"], {})
                inside.setdefault((int(line["seed"]), line["video_id"]), []).append(interval)
            except (KeyError, TypeError, ValueError) as error:
                raise RunFolderError(f"{path}: is damaged: line {number}: {error}") from None
    return spotted


def _folds(run: StoredRun, row: str) -> dict[str, str]:
    """Return the fold that tests each video, from a row's stored tasks."""
    folds: dict[str, str] = {}
    for path in sorted((run.path / "tasks" / row / str(run.rows[row]["seeds"][0])).glob("*.json")):
        task = read_json(path, follow_links=False)
        folds |= dict.fromkeys(task["sample_ids"], task["fold"])
    return folds
