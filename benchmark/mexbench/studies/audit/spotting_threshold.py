"""A spotter's threshold chosen on test videos: what that is worth, beside the honest run.

An honest spotter chooses its threshold on the training side of each fold. A leaky one looks at the test videos: once
for all of them (``threshold-global``), as where a paper reports the best of a sweep, or for each fold
(``threshold-per-fold``). Both are L1.1 of the taxonomy: what is chosen on the test set is not tested.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from mexbench.evaluation.plan import RowGroupPlan
from mexbench.evaluation.spotting_runner import SpottingRunner
from mexbench.interfaces import ThresholdPredictor
from mexbench.interfaces.spotting import checked_intervals
from mexbench.metrics.few_subjects import why_none
from mexbench.metrics.spotting.null_models import IntervalStatistics, random_intervals
from mexbench.metrics.spotting.scores import SpottedVideo, pooled_f1
from mexbench.metrics.spotting.summary import SpottingPool, difference
from mexbench.studies.audit.taxonomy import label
from mexbench.tables import Table, percent

LEAKS: Mapping[str, str] = {
    "threshold-global": "one threshold for all folds, the best on all test videos",
    "threshold-per-fold": "a threshold for each fold, the best on its own test videos",
}
_NUMBER = "L1.1"
#: Random spotters that the null line is the mean of, and the scores that they choose among.
_SIMULATIONS = 20
_NULL_THRESHOLDS = tuple(index / 20 for index in range(20))
_NULL_RATE = 3.0

#: Threshold -> what is spotted in each test video.
_Sweep = Mapping[float, Sequence[SpottedVideo]]


@dataclass(frozen=True)
class _FoldSweep:
    """What one fold's spotter finds in its test videos at each threshold.

    Args:
        chosen: The threshold that the training side chose.
        sweep: At each threshold, the chosen one included.
    """

    chosen: float
    sweep: _Sweep


def measure(
    part: RowGroupPlan, progress: Callable[[int, str], None] = lambda _done, _doing: None
) -> list[dict[str, Any]]:
    """Train every spotter of some rows on every fold with the first seed, and choose thresholds in three ways.

    Args:
        part: Rows of a run with ``target: spotting``.
        progress: Called with how many spotters are trained, and which is next.

    Returns:
        A row per model and leak: ``status`` is measured, or does not apply where a spotter has no threshold.
    """
    runner = part.task_runner()
    if not isinstance(runner, SpottingRunner):
        raise TypeError("a run with 'target: spotting' is needed")
    rows, done = [], 0
    for model in part.part.models:
        folds: list[_FoldSweep] = []
        for name in runner.folds:
            progress(done, f"{model.name}, fold {name}")
            done += 1
            fold = _sweep(runner, part, model.name, name)
            if fold is None:
                break
            folds.append(fold)
        rows += [{"model": model.name, **row} for row in _rows(folds if len(folds) == len(runner.folds) else [])]
    return rows


def _sweep(runner: SpottingRunner, part: RowGroupPlan, model: str, fold: str) -> _FoldSweep | None:
    test = runner.folds[fold][1]
    trainer, task = runner.trainer(), next(task for task in part.tasks if (task.model, task.fold) == (model, fold))
    predictor = trainer.fit_spotter(runner.models[model], runner.group_data((task,)))
    if not isinstance(predictor, ThresholdPredictor):
        return None
    frames = trainer.frames_of(test)
    thresholds = sorted({*predictor.thresholds, predictor.threshold})
    spotted = checked_intervals(predictor.at(thresholds[0])(frames), frames)  # every higher one gives a part of them
    videos = [
        replace(_unspotted(runner, int(position)), predicted=found)
        for position, found in zip(test, spotted, strict=True)
    ]
    return _FoldSweep(
        predictor.threshold, {threshold: [_above(video, threshold) for video in videos] for threshold in thresholds}
    )


def _above(video: SpottedVideo, threshold: float) -> SpottedVideo:
    return replace(video, predicted=tuple(one for one in video.predicted if one.score >= threshold))


def _unspotted(runner: SpottingRunner, position: int) -> SpottedVideo:
    video = runner.videos[position]
    first, last = video.frames or (0, -1)
    return SpottedVideo(
        video_id=video.video_id,
        group=str(runner.groups[position]),
        member=video.dataset,
        fps=video.fps,
        n_frames=last - first + 1,
        truth=video.intervals,
    )


def _rows(folds: Sequence[_FoldSweep]) -> list[dict[str, Any]]:
    about = [{"leak": name, "what": what, "taxonomy": _NUMBER, "kind": label(_NUMBER)} for name, what in LEAKS.items()]
    if not folds:
        return [{**one, "status": "does not apply", "why": "this spotter has no threshold"} for one in about]
    honest = [video for fold in folds for video in fold.sweep[fold.chosen]]
    null = _null(
        [video for fold in folds for video in fold.sweep[fold.chosen]], [len(f.sweep[f.chosen]) for f in folds]
    )
    rows = []
    for one in about:
        leaky = _chosen_on_test([fold.sweep for fold in folds], per_fold=one["leak"] == "threshold-per-fold")
        rows.append({**one, "status": "measured", **_compared(honest, leaky), "null": null[one["leak"]]})
    return rows


def _chosen_on_test(sweeps: Sequence[_Sweep], *, per_fold: bool) -> list[SpottedVideo]:
    """Return what is spotted with thresholds that were chosen on the test videos themselves."""
    if per_fold:
        return [video for sweep in sweeps for video in max(sweep.values(), key=_f1)]
    shared = sorted(set.intersection(*(set(sweep) for sweep in sweeps)))
    return max(([video for sweep in sweeps for video in sweep[value]] for value in shared), key=_f1)


def _f1(videos: Sequence[SpottedVideo]) -> float:
    score = pooled_f1(videos)
    return 1.0 if np.isnan(score) else score  # nothing to find and nothing claimed


def _compared(honest: Sequence[SpottedVideo], leaky: Sequence[SpottedVideo]) -> dict[str, Any]:
    compared = difference([SpottingPool(0, 0, tuple(leaky))], [SpottingPool(0, 0, tuple(honest))])
    return {
        "honest": pooled_f1(honest),
        "leaky": pooled_f1(leaky),
        "inflation": None if compared is None else compared["difference"],
        "ci": None if compared is None else compared["ci"],
        "subjects": len({video.group for video in honest}),
    }


def _null(videos: Sequence[SpottedVideo], sizes: Sequence[int]) -> dict[str, float]:
    """Return what the same choice is worth to spotters that draw intervals with random scores: the mean inflation.

    They draw some times as many intervals as there are, so that there is something to choose; their honest twin takes
    the middle threshold.
    """
    statistics = IntervalStatistics.of([_as_long(video) for video in videos])
    crowded = IntervalStatistics(statistics.seconds, {k: _NULL_RATE * rate for k, rate in statistics.rate.items()})
    inflation: dict[str, list[float]] = {name: [] for name in LEAKS}
    ends = np.cumsum(sizes)
    for simulation in range(_SIMULATIONS):
        rng = np.random.default_rng([simulation, 0xA0D17])
        drawn = [
            replace(one, predicted=random_intervals(crowded, (1, one.n_frames or 1), one.fps or 1.0, rng))
            for one in videos
        ]
        sweeps = [
            {value: [_above(one, value) for one in drawn[start:end]] for value in _NULL_THRESHOLDS}
            for start, end in zip([0, *ends[:-1]], ends, strict=True)
        ]
        middle = [video for sweep in sweeps for video in sweep[_NULL_THRESHOLDS[len(_NULL_THRESHOLDS) // 2]]]
        for name in LEAKS:
            leaky = _chosen_on_test(sweeps, per_fold=name == "threshold-per-fold")
            inflation[name].append(_f1(leaky) - _f1(middle))
    return {name: float(np.mean(values)) for name, values in inflation.items()}


def _as_long(video: SpottedVideo) -> Any:  # noqa: ANN401 - a LongVideo, of which the null model reads a part
    from mexbench.interfaces import LongVideo

    frames = (1, video.n_frames or 1)
    return LongVideo(
        video_id=video.video_id, subject=video.group, dataset=video.member, fps=video.fps or 1.0, frames=frames,
        intervals=video.truth,
    )  # fmt: skip


def table(rows: Sequence[Mapping[str, Any]]) -> Table:
    """Honest and leaky F1 of every spotter, the inflation with its interval, and that of random spotters."""
    cells = []
    for row in rows:
        if row["status"] != "measured":
            cells.append([row["model"], row["leak"], "-", "-", row["why"], "-"])
            continue
        interval = "" if row["ci"] is None else f" [{percent(row['ci'][0])}, {percent(row['ci'][1])}]"
        cells.append(
            [
                row["model"], row["leak"], percent(row["honest"]), percent(row["leaky"]),
                f"{percent(row['inflation'])}{interval}", percent(row["null"]),
            ]
        )  # fmt: skip
    return Table(["model", "leak", "honest F1", "leaky F1", "inflation", "of random spotters"], cells)


def markdown(report: Mapping[str, Any]) -> str:
    """Write the page of an audit of spotters."""
    leaks = [f"- **{name}** ({label(_NUMBER)}): {what}." for name, what in LEAKS.items()]
    parts = [
        f"# Audit: {report['config']}",
        f"Dataset {report['dataset']}, protocol {report['protocol']}. F1 x 100 at an overlap of .5, pooled over all "
        "test videos. The honest spotter chooses its threshold on the training side of each fold; the leaky ones on "
        "the test videos. In brackets: 95 % interval of the inflation by bootstrap over subjects. The last column is "
        "the same choice for spotters that draw intervals at random, with random scores.",
        "\n".join(leaks),
        table(report["rows"]).markdown(),
        *([few] if (few := why_none(row.get("subjects") or 0 for row in report["rows"])) else []),
    ]
    return "\n\n".join(parts) + "\n"
