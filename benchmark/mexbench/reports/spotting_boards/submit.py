"""A finished run of spotters -> a board of its own, or submissions to one."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mexbench.config.from_values import load_config
from mexbench.config.local_code import LOCAL_CODE
from mexbench.errors import BoardError, RunFolderError, listed, unknown
from mexbench.evaluation import plan as planning
from mexbench.files import read_json
from mexbench.metrics.spotting.summary import empty_figures
from mexbench.registry.catalogue import Catalogue
from mexbench.reports.leaderboards.submission import CodeOrigin, Costs, ModelCard
from mexbench.reports.leaderboards.verify import differences
from mexbench.reports.spotting_boards import definition, submission
from mexbench.reports.spotting_boards.definition import BoardVideo, SpottingBoard, digest_of
from mexbench.reports.spotting_boards.submission import SpottedLine, SpottingSubmission, VideoAnswer, board_figures
from mexbench.runs.stored_run import StoredRun, read_reports

#: Of the flags of a run, those that every row on a board of the same data and protocol has.
_SHARED = ("synthetic", "unknown-subjects", "leak:")


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
    _check_complete(run, list(run.rows))
    first = next(iter(run.rows))
    shared = [flag for flag in run.rows[first]["flags"] if flag.startswith(_SHARED)]
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
        schema=definition.SCHEMA, name=name, title=title, dataset=run.scores["dataset"],
        fingerprint=data.fingerprint, protocol=dict(protocol), epochs=(run.manifest.get("epoch", 1),),
        flags=tuple(shared), note=note,
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
    run: StoredRun, board: SpottingBoard, catalogue: Catalogue, rows: Sequence[str] = ()
) -> list[SpottingSubmission]:
    """Make a submission of each row, and see that it verifies.

    Raises:
        BoardError: The run is incomplete, a row is unknown, or it does not answer the board; the text says why.
    """
    for row in rows:
        if row not in run.rows:
            raise BoardError(f"{run.path}: {unknown('row', row, run.rows)}")
    chosen = list(rows) or list(run.rows)
    _check_complete(run, chosen)
    spotted = _spotted(run)
    made, errors = [], []
    for row in chosen:
        one = _submission(run, board, row, spotted.get(row, {}))
        problems = submission.verify(board, one, catalogue) or _unlike_the_report(run, row, one)
        errors += [f"{row}: {error}" for error in problems]
        made.append(one)
    if errors:
        raise BoardError(
            f"{run.path}: does not answer the leaderboard {board.name!r}, so nothing is submitted:"
            + "".join(f"\n  {error}" for error in errors[:20])
        )
    return made


def _submission(
    run: StoredRun, board: SpottingBoard, row: str, spotted: Mapping[tuple[int, str], Sequence[SpottedLine]]
) -> SpottingSubmission:
    reported, manifest, row_config = run.rows[row], run.manifest, run.row_config(row)
    answers = tuple(
        VideoAnswer(seed=seed, video_id=video.video_id, spotted=tuple(spotted.get((seed, video.video_id), ())))
        for seed in reported["seeds"]
        for video in board.videos
    )
    one = SpottingSubmission(
        schema=submission.SCHEMA,
        board=board.name,
        model=ModelCard(
            name=row_config.model["name"], plugin=reported["plugin"], distribution=reported["distribution"],
            parameters=None,
        ),
        origin=CodeOrigin(
            dataset=run.scores["dataset"],
            fingerprint=run.part(row)["dataset_fingerprint"],
            classes=(),
            protocol=dict(row_config.protocol),
            config=dict(row_config.config),
            epoch=manifest.get("epoch", 1),
            commit=manifest.get("git_commit"),
            versions=dict(manifest["versions"]),
            device=manifest.get("device", "unknown"),
            machine=manifest.get("machine", {}).get("machine", "unknown"),
            left_out=sum(len(ids) for ids in run.part(row).get("left_out", {}).values()),
            errata=len(manifest.get("errata", [])),
            started=manifest["started"],
            ended=manifest.get("ended") or manifest["started"],
        ),
        flags=tuple(reported["flags"]),
        seeds=tuple(reported["seeds"]),
        costs=Costs(
            fit_s=reported["fit_s"], predict_ms_per_sample=reported["predict_ms_per_sample"],
            processor_s=reported.get("processor_s"),
        ),
        figures={},
        answers_digest=digest_of(answers),
        answers=answers,
    )  # fmt: skip
    return SpottingSubmission(**{**vars(one), "figures": board_figures(board, one)})


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


def _unlike_the_report(run: StoredRun, row: str, one: SpottingSubmission) -> list[str]:
    """See that ``predictions.csv`` gives the scores of ``scores.json``: else one of the two was altered."""
    keys = [key for key in empty_figures() if key in run.rows[row]]
    reported, computed = ({key: values[key] for key in keys} for values in (run.rows[row], one.figures))
    return [f"scores.json and predictions.csv disagree: {error}" for error in differences(reported, computed)]


def _check_complete(run: StoredRun, rows: Sequence[str]) -> None:
    parts = [run.rows[row] for row in rows]
    if not parts:
        raise BoardError(f"{run.path}: has no rows")
    if local := [row["model"] for row in parts if LOCAL_CODE in row["flags"]]:
        raise BoardError(
            f"{run.path}: {listed(local)}: made with local code, which nobody else can run; make it a plugin"
        )
    if undone := [row["model"] for row in parts if row["tasks"]["done"] < row["tasks"]["total"]]:
        raise BoardError(
            f"{run.path}: is incomplete: {listed(undone)}; finish it with the same 'bench run', then submit again"
        )
