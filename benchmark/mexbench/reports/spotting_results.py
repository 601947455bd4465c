"""From stored intervals to pools of videos, to ``predictions.csv`` and to the comparison with null models."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from mexbench.evaluation.plan import RowGroupPlan
from mexbench.interfaces import Sample, ScoredInterval
from mexbench.metrics.spotting.scores import SpottedVideo
from mexbench.metrics.spotting.summary import SpottingPool, difference
from mexbench.runs.run_folder import StoredResult
from mexbench.tables import Row

#: The flag of a model that looks at no pixel: what every spotter has to beat.
NULL_MODEL = "null-model"
#: Headers of ``predictions.csv``: a row for each spotted interval, with the true one that it is matched with.
HEADER = (
    "model", "seed", "fold", "video_id", "subject", "dataset", "type", "onset", "apex", "offset", "score",
    "true_onset", "true_offset",
)  # fmt: skip


def spotting_pools(part: RowGroupPlan, results: Iterable[StoredResult]) -> list[SpottingPool]:
    """Join a row's intervals by video, for each seed and repeat that has any.

    Args:
        part: What the row was made on.
        results: Its finished tasks.
    """
    repeats = {fold.name: fold.repeat for fold in part.folds}
    spotted: dict[tuple[int, int], dict[str, tuple[str, tuple[ScoredInterval, ...]]]] = {}
    for result in results:
        inside = spotted.setdefault((result.task.seed, repeats[result.task.fold]), {})
        inside |= {name: (result.task.fold, intervals) for name, intervals in result.intervals.items()}
    return [
        SpottingPool(
            seed,
            repeat,
            tuple(
                _video(sample, *spotted[seed, repeat][sample.sample_id])
                for sample in part.data.samples
                if sample.sample_id in spotted[seed, repeat]
            ),
        )
        for seed, repeat in sorted(spotted, key=lambda run: (part.part.seeds.index(run[0]), run[1]))
    ]


def _video(sample: Sample, fold: str, predicted: tuple[ScoredInterval, ...]) -> SpottedVideo:
    if sample.video is None:
        raise ValueError(f"{sample.sample_id} is not a long video")
    first, last = sample.video.frames or (0, -1)
    return SpottedVideo(
        video_id=sample.sample_id,
        group=sample.group,
        member=sample.dataset,
        fold=fold,
        fps=sample.video.fps,
        n_frames=last - first + 1,
        truth=sample.video.intervals,
        predicted=predicted,
    )


def predictions_text(pools: Mapping[str, Sequence[SpottingPool]]) -> str:
    """Return the text of ``predictions.csv``: row -> its pools, in the order of the config."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(HEADER)
    for row, inside in pools.items():
        for pool in inside:
            for video in pool.videos:
                for cells in _lines(video):
                    writer.writerow([row, pool.seed, *cells])
    return stream.getvalue()


def _lines(video: SpottedVideo) -> Iterable[list[object]]:
    matched = {j: video.truth[i] for i, j in video.pairs()}
    for index, one in enumerate(video.predicted):
        true = matched.get(index)
        yield [
            video.fold, video.video_id, video.group, video.member, one.kind, one.onset,
            "" if one.apex is None else one.apex, one.offset, one.score, true.onset if true else "",
            true.offset if true else "",
        ]  # fmt: skip


def above_null(rows: Sequence[Row], pools: Mapping[str, Sequence[SpottingPool]]) -> list[dict[str, Any]]:
    """Return the rows, each with how far its F1 is above that of the best null model of its protocol.

    None where there is none, where the row is one, and where the two were asked about other videos.
    """
    return [{**row, "above_null": _above_null(row, rows, pools)} for row in rows]


def _above_null(row: Row, rows: Sequence[Row], pools: Mapping[str, Sequence[SpottingPool]]) -> dict[str, Any] | None:
    null = [
        other
        for other in rows
        if NULL_MODEL in other["flags"] and other["protocol"] == row["protocol"] and other["f1"] is not None
    ]
    if not null or NULL_MODEL in row["flags"] or row["f1"] is None:
        return None
    best = max(null, key=lambda other: other["f1"])
    compared = difference(pools[row["model"]], pools[best["model"]])
    return None if compared is None else {"null_model": best["model"], **compared}
