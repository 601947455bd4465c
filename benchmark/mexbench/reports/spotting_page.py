"""The reports of a run with ``target: spotting``: predictions.csv, scores.json and a page of its own."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from mexbench.evaluation.plan import RowGroupPlan
from mexbench.interfaces import Sample, ScoredInterval
from mexbench.metrics.spotting.matching import IOU
from mexbench.metrics.spotting.scores import KINDS, SpottedVideo
from mexbench.metrics.spotting.summary import SpottingPool, difference, figures
from mexbench.reports import run_page as leaderboard
from mexbench.reports.run_report import RunReport
from mexbench.tables import DASH, UNRANKED, Row, Table, escape, percent, with_interval

#: The flag of a model that looks at no pixel: what every spotter has to beat.
NULL_MODEL = "null-model"
_HEADER = (
    "model", "seed", "fold", "video_id", "subject", "dataset", "type", "onset", "apex", "offset", "score",
    "true_onset", "true_offset",
)  # fmt: skip


@dataclass(frozen=True)
class SpottingReport(RunReport):
    """As ``RunReport``, of intervals instead of classes: ``predictions.csv`` has a row for each spotted interval."""

    page_name: ClassVar[str] = "spotting.md"

    def predictions(self) -> str:
        """Return the text of ``predictions.csv``: spotted intervals with the true one that each is matched with."""
        stream = io.StringIO()
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(_HEADER)
        for row in self.plan.by_row:
            for pool in self.spotting_pools(row):
                for video in pool.videos:
                    matched = {j: video.truth[i] for i, j in video.pairs()}
                    for index, one in enumerate(video.predicted):
                        true = matched.get(index)
                        writer.writerow(
                            [
                                row, pool.seed, video.fold, video.video_id, video.group, video.member, one.kind,
                                one.onset, "" if one.apex is None else one.apex, one.offset, one.score,
                                true.onset if true else "", true.offset if true else "",
                            ]
                        )  # fmt: skip
        return stream.getvalue()

    def scores(self) -> dict[str, Any]:
        """Return ``scores.json``: what was done, and a row per model in the order of the config."""
        pools = {row: self.spotting_pools(row) for row in self.plan.by_row}
        rows = [self._around(row, figures(inside), runs=len(inside)) for row, inside in pools.items()]
        for row in rows:
            row["above_null"] = self._above_null(row, rows, pools)
        head = self._head()
        parts = [{**part, "unlabelled": 0} for part in head["parts"]]
        return {**head, "parts": parts, "target": "spotting", "iou": IOU, "rows": rows}

    def _above_null(
        self, row: Row, rows: Sequence[Row], pools: Mapping[str, Sequence[SpottingPool]]
    ) -> dict[str, Any] | None:
        """Compare a row with the best null model of its protocol that was asked about the same videos."""
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

    def spotting_pools(self, model: str) -> list[SpottingPool]:
        """Join a model's intervals by video, for each seed and repeat that has any."""
        part = self.plan.by_row[model][0]
        repeats = {fold.name: fold.repeat for fold in part.folds}
        spotted: dict[tuple[int, int], dict[str, tuple[str, tuple[ScoredInterval, ...]]]] = {}
        for result in self.done:
            if result.task.model == model:
                inside = spotted.setdefault((result.task.seed, repeats[result.task.fold]), {})
                inside |= {name: (result.task.fold, one) for name, one in result.intervals.items()}
        return [
            SpottingPool(seed, repeat, tuple(_tested(part, spotted[seed, repeat])))
            for seed, repeat in sorted(spotted, key=lambda run: (part.part.seeds.index(run[0]), run[1]))
        ]

    def page(self, scores: Mapping[str, Any], manifest: Mapping[str, Any]) -> str:
        """Return the run's page for people."""
        intervals = scores["intervals"]
        parts = [
            f"# {escape(scores['config'])}: spotting",
            *leaderboard.banners(scores),
            *leaderboard.setting(scores),
            main_table(scores).markdown(),
            f"A spotted interval counts where its intersection over union with a true one of its type is at least "
            f"{scores['iou']}, in whole frames with both ends, one to one. F1 is x 100, of counts pooled over all "
            "videos, those without any expression too. In brackets: "
            f"{intervals['level']:.0%} interval by bootstrap over {intervals['unit']}s ({intervals['replicates']} "
            "replicates). AP is the area under precision over recall, as intervals are taken by falling score; the "
            f"apex error is over true positives. Rows flagged {NULL_MODEL} look at no pixel.",
            "## Against the best null model",
            null_table(scores).markdown(),
            "## F1 by the overlap that counts",
            sweep_table(scores).markdown(),
            "## True positives / false positives / false negatives",
            count_table(scores).markdown(),
        ]
        if len(scores["members"]) > 1:
            parts += ["## By dataset: micro F1 / macro F1 / F1", member_table(scores).markdown()]
        if any(row["per_emotion"] for row in scores["rows"]):
            parts += ["## Spotted, by emotion", emotion_table(scores).markdown()]
        parts += ["## How this was made", leaderboard.origin(scores, manifest)]
        return "\n\n".join(parts) + "\n"

    def terminal_text(self, scores: Mapping[str, Any]) -> str:
        """Return what a run prints."""
        tables = [main_table(scores), null_table(scores)]
        tables += [member_table(scores)] if len(scores["members"]) > 1 else []
        return "\n\n".join(table.text() for table in tables if table.rows)


def _tested(part: RowGroupPlan, spotted: Mapping[str, tuple[str, tuple[ScoredInterval, ...]]]) -> list[SpottedVideo]:
    return [_video(sample, *spotted[sample.sample_id]) for sample in part.data.samples if sample.sample_id in spotted]


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


def ordered(scores: Mapping[str, Any]) -> list[Row]:
    """Order rows by F1, the highest first; those that are incomplete or have a leak follow."""

    def key(row: Row) -> tuple[bool, float]:
        return row["f1"] is None or any(flag.startswith(UNRANKED) for flag in row["flags"]), -(row["f1"] or 0)

    return sorted(scores["rows"], key=key)


def main_table(scores: Mapping[str, Any]) -> Table:
    """Model, F1 overall and of each type with intervals, AP, false alarms, apex error, sizes, flags."""
    several = any(len(row["per_seed"]) > 1 for row in scores["rows"])
    protocols = {row["protocol"] for row in scores["rows"]}
    headers = ["model", "F1", *(f"{kind} F1" for kind in KINDS), *(["F1 spread"] if several else [])]
    headers += ["AP", "false alarms / min", "apex error (ms)", *(["protocol"] if len(protocols) > 1 else [])]
    rows = []
    for row in ordered(scores):
        done = row["tasks"]
        folds = f"{done['done']}/{done['total']} tasks" if "incomplete" in row["flags"] else str(row["folds"])
        cells = [row["model"], *(_score(row, name) for name in ("f1", *(f"f1_{kind}" for kind in KINDS)))]
        cells += [percent(row["spread"]["f1"])] if several else []
        cells += [percent(row["average_precision"]), _plain(row["false_alarms_per_minute"])]
        cells += [_plain(row["apex_error_ms"]), *([row["protocol"]] if len(protocols) > 1 else [])]
        sizes = [str(row["n_videos"]), str(row["n_subjects"]), folds, str(len(row["seeds"]))]
        rows.append([*cells, *sizes, " ".join(row["flags"]) or DASH])
    return Table([*headers, "videos", "subjects", "folds", "seeds", "flags"], rows)


def null_table(scores: Mapping[str, Any]) -> Table:
    """How far each spotter's F1 is above that of the best null model, paired by subject."""
    rows = []
    for row in ordered(scores):
        if (above := row["above_null"]) is not None:
            low, high = above["ci"]
            difference_text = f"{percent(above['difference'])} [{percent(low)}, {percent(high)}]"
            rows.append([row["model"], above["null_model"], difference_text, "yes" if low > 0 else "not clearly"])
    return Table(["model", "null model", "difference in F1", "above it"], rows)


def sweep_table(scores: Mapping[str, Any]) -> Table:
    """F1 of every model at each threshold of overlap."""
    rows = [
        [row["model"], *(percent(one["f1"]) for one in row["sweep"].values())]
        for row in ordered(scores)
        if row["sweep"]
    ]
    thresholds = next((list(row["sweep"]) for row in scores["rows"] if row["sweep"]), [])
    return Table(["model", *thresholds], rows)


def count_table(scores: Mapping[str, Any]) -> Table:
    """Counts of each type, the mean over seeds and repeats."""
    rows = []
    for row in ordered(scores):
        found = [row["counts"].get(kind) for kind in KINDS]
        cells = [" / ".join(f"{one[name]:g}" for name in ("tp", "fp", "fn")) if one else DASH for one in found]
        rows.append([row["model"], *cells])
    return Table(["model", *KINDS], rows)


def member_table(scores: Mapping[str, Any]) -> Table:
    """F1 of every model on each member of a composite."""
    rows = []
    for row in ordered(scores):
        found = [row["by_dataset"].get(member) for member in scores["members"]]
        cells = [" / ".join(percent(one[n]) for n in ("f1_micro", "f1_macro", "f1")) if one else DASH for one in found]
        rows.append([row["model"], *cells])
    return Table(["model", *scores["members"]], rows)


def emotion_table(scores: Mapping[str, Any]) -> Table:
    """Which share of each emotion's intervals was spotted."""
    names = sorted({name for row in scores["rows"] for name in row["per_emotion"]})
    support = {name: one["support"] for row in scores["rows"] for name, one in row["per_emotion"].items()}
    rows = []
    for row in ordered(scores):
        found = [row["per_emotion"].get(name) for name in names]
        rows.append([row["model"], *(percent(one["recall"]) if one else DASH for one in found)])
    return Table(["model", *(f"{name} ({support[name]:g})" for name in names)], rows)


def _score(row: Row, name: str) -> str:
    return percent(row[name]) if row[name] is None or row["ci"][name] is None else with_interval(row, name)


def _plain(value: float | None) -> str:
    return DASH if value is None else f"{value:.1f}"
