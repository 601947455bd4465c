"""A log of spotted intervals, recounted by three rules, with every place where it disagrees with itself or with print.

**Rules.** ``one_to_one`` is ours: each true interval and each prediction counts once, types apart. ``lines`` believes
the marks and counts lines. ``found`` divides the true intervals that are found by the distinct predictions: a
prediction may find several true intervals, as the evaluation code of the MEGC2020 baseline has it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from mexbench.errors import DataError, unknown
from mexbench.interfaces.spotting import ScoredInterval
from mexbench.interfaces.video import Interval, IntervalKind
from mexbench.metrics.classification import LEVEL, REPLICATES
from mexbench.metrics.spotting.matching import IOU, Matching, iou
from mexbench.metrics.spotting.scores import KINDS, SpottedVideo
from mexbench.metrics.spotting.summary import SpottingPool, figures
from mexbench.runs.spotting_files import LogBlock, LogLine, Span

RULES = ("one_to_one", "lines", "found")
#: What may be compared with print: of a rule, each also of one type with the suffix ``_micro`` or ``_macro``.
PRINTABLE = ("f1", "precision", "recall", "tp", "predicted", "true")
FIGURE_NAMES = tuple(f"{name}{suffix}" for name in PRINTABLE for suffix in ("", *(f"_{kind}" for kind in KINDS)))


@dataclass(frozen=True)
class LogDisagreement:
    """A place where a log disagrees with the definition or with the annotation.

    Args:
        what: The kind of disagreement, the same words each time.
        lines: Numbers of the lines; () for what the log does not have.
        detail: What exactly.
    """

    what: str
    lines: tuple[int, ...]
    detail: str


@dataclass(frozen=True)
class PrintedLogFigure:
    """A figure that the authors of a log print.

    Args:
        name: One of ``FIGURE_NAMES``.
        text: As it is printed: its digits say how exact it is.
    """

    name: str
    text: str

    def __post_init__(self) -> None:
        if self.name not in FIGURE_NAMES:
            raise DataError(unknown("figure", self.name, FIGURE_NAMES))

    def agrees(self, value: float | None) -> bool:
        """Whether a value rounds to what is printed."""
        digits = len(self.text.partition(".")[2])
        return value is not None and abs(value - float(self.text)) <= 0.5 * 10**-digits + 1e-12


def recount(
    block: LogBlock,
    *,
    truth: Mapping[str, Sequence[Interval]] | None = None,
    micro_frames: int | None = None,
    matching: Matching = "optimal",
    printed: Sequence[PrintedLogFigure] = (),
) -> dict[str, Any]:
    """Recount one block of a log.

    Args:
        block: What the log says.
        truth: The annotation: video -> true intervals with their types. Without it, the true intervals are the log's
            and their types follow from their lengths, as the predictions' always do.
        micro_frames: The longest interval, in frames, that is a micro-expression; None for the data set's.
        matching: Of the rule ``one_to_one``.
        printed: What the authors print of this block.

    Returns:
        Figures of the rule ``one_to_one``, counts by each rule, disagreements and the comparison with print.
    """
    limit = block.dataset.micro_frames if micro_frames is None else micro_frames
    videos = _videos(block, truth, limit)
    rules = {rule: _by_rule(rule, block, videos, matching, limit) for rule in RULES}
    named = [*_disagreements(block, videos, truth), *_unlike_marks(block, videos, matching)]
    return {
        "block": block.number,
        "dataset": block.dataset.name,
        "micro_frames": limit,
        "types_of_truth": "lengths" if truth is None else "annotation",
        "matching": matching,
        "intervals": {"level": LEVEL, "replicates": REPLICATES, "unit": "subject"},
        "figures": figures([SpottingPool(0, 0, tuple(videos.values()))], matching=matching),
        "rules": rules,
        "disagreements": [{"what": one.what, "lines": list(one.lines), "detail": one.detail} for one in named],
        "other_type": _pairs_of_other_type(videos),
        "printed": [
            {
                "figure": one.name,
                "printed": one.text,
                **{rule: rules[rule][one.name] for rule in RULES},
                "agrees": [rule for rule in RULES if one.agrees(rules[rule][one.name])],
            }
            for one in printed
        ],
    }


def _videos(block: LogBlock, truth: Mapping[str, Sequence[Interval]] | None, limit: int) -> dict[str, SpottedVideo]:
    names = dict.fromkeys(line.video for line in block.lines)
    predicted: dict[str, dict[Span, ScoredInterval]] = {name: {} for name in names}
    true: dict[str, dict[Span, Interval]] = {name: {} for name in names}
    for line in block.lines:
        if (span := line.predicted) is not None:
            predicted[line.video][span] = ScoredInterval(onset=span[0], offset=span[1], kind=kind_of(span, limit))
        if (span := line.truth) is not None and truth is None:
            true[line.video][span] = Interval(onset=span[0], apex=None, offset=span[1], kind=kind_of(span, limit))
    if truth is not None:
        for name, intervals in truth.items():
            true[name] = {
                (one.onset, one.offset): one if _apex_inside(one) else replace(one, apex=None) for one in intervals
            }
    return {
        name: SpottedVideo(
            video_id=name,
            group=name.rpartition("_")[0] or name,
            member=block.dataset.name,
            fps=block.dataset.fps,
            truth=tuple(intervals.values()),
            predicted=tuple(predicted.get(name, {}).values()),
        )
        for name, intervals in true.items()
    }


def kind_of(span: Span, limit: int) -> IntervalKind:
    """Tell a micro-expression by its length in whole frames."""
    return "micro" if span[1] - span[0] + 1 <= limit else "macro"


def _by_rule(
    rule: str, block: LogBlock, videos: Mapping[str, SpottedVideo], matching: Matching, limit: int
) -> dict[str, float | None]:
    hits, predicted = Counter[str](), Counter[str]()
    true = Counter(interval.kind for video in videos.values() for interval in video.truth)
    if rule == "one_to_one":
        hits.update(video.truth[i].kind for video in videos.values() for i, _ in video.pairs(matching=matching))
    else:
        marked = [(line.video, line.truth) for line in block.lines if line.mark == "TP" and line.truth is not None]
        kinds = {(name, (one.onset, one.offset)): one.kind for name, video in videos.items() for one in video.truth}
        marked = list(dict.fromkeys(marked)) if rule == "found" else marked
        hits.update(kinds.get(key, kind_of(key[1], limit)) for key in marked)
    if rule == "lines":
        predicted.update(kind_of(line.predicted, limit) for line in block.lines if line.predicted is not None)
    else:
        predicted.update(interval.kind for video in videos.values() for interval in video.predicted)
    scored: dict[str, float | None] = {}
    for suffix, kinds_in in (("", KINDS), *((f"_{kind}", (kind,)) for kind in KINDS)):
        tp, claimed, total = (sum(counter[kind] for kind in kinds_in) for counter in (hits, predicted, true))
        scored |= {
            f"tp{suffix}": tp,
            f"predicted{suffix}": claimed,
            f"true{suffix}": total,
            f"precision{suffix}": tp / claimed if claimed else None,
            f"recall{suffix}": tp / total if total else None,
            f"f1{suffix}": 2 * tp / (claimed + total) if claimed + total else None,
        }
    return scored


def _disagreements(
    block: LogBlock, videos: Mapping[str, SpottedVideo], truth: Mapping[str, Sequence[Interval]] | None
) -> list[LogDisagreement]:
    named = []
    for side in ("truth", "predicted"):
        lines: dict[tuple[str, Span], list[LogLine]] = {}
        for line in block.lines:
            if (span := getattr(line, side)) is not None:
                lines.setdefault((line.video, span), []).append(line)
        what = "a true interval on several lines" if side == "truth" else "a prediction on several lines"
        named += [
            LogDisagreement(what, tuple(line.number for line in inside), _on_lines(video, span, inside))
            for (video, span), inside in lines.items()
            if len(inside) > 1
        ]
        if side == "truth" and truth is not None:
            named += _against_annotation(lines, videos)
    named += [
        LogDisagreement(
            "an annotated apex outside its interval, not used", (), f"{name}: {one.onset}, {one.apex}, {one.offset}"
        )
        for name, intervals in (truth or {}).items()
        for one in intervals
        if not _apex_inside(one)
    ]
    for line in block.lines:
        if line.truth is None or line.predicted is None:
            continue
        if (overlap := _overlap(line.truth, line.predicted)) < IOU:
            detail = f"{line.video}: true {_text(line.truth)}, predicted {_text(line.predicted)}, overlap {overlap:.3f}"
            named.append(LogDisagreement(f"marked TP below an overlap of {IOU}", (line.number,), detail))
    return named


def _against_annotation(
    lines: Mapping[tuple[str, Span], Sequence[LogLine]], videos: Mapping[str, SpottedVideo]
) -> list[LogDisagreement]:
    annotated = {(name, (one.onset, one.offset)) for name, video in videos.items() for one in video.truth}
    strange = [
        LogDisagreement("a true interval that is not annotated", tuple(line.number for line in inside),
                        f"{video}: {_text(span)}")
        for (video, span), inside in lines.items() if (video, span) not in annotated
    ]  # fmt: skip
    absent = [
        LogDisagreement("an annotated interval that the log does not have", (), f"{video}: {_text(span)}")
        for video, span in sorted(annotated - lines.keys())
    ]
    return [*strange, *absent]


def _apex_inside(interval: Interval) -> bool:
    return interval.apex is None or interval.onset <= interval.apex <= interval.offset


def _unlike_marks(block: LogBlock, videos: Mapping[str, SpottedVideo], matching: Matching) -> list[LogDisagreement]:
    """Name true intervals whose mark the one-to-one recount does not confirm."""
    lines = {(line.video, line.truth): line for line in block.lines if line.truth is not None}
    named = []
    for name, video in videos.items():
        matched = {i for i, _ in video.pairs(matching=matching)}
        for index, interval in enumerate(video.truth):
            line = lines.get((name, (interval.onset, interval.offset)))
            if line is None or (line.mark == "TP") == (index in matched):
                continue
            what = "marked TP, not found one to one" if line.mark == "TP" else "marked FN, found one to one"
            detail = f"{name}: true {interval.kind} {interval.onset}-{interval.offset}"
            named.append(LogDisagreement(what, (line.number,), detail))
    return named


def _pairs_of_other_type(videos: Mapping[str, SpottedVideo]) -> int:
    """Count true intervals without a partner that a prediction of the other type overlaps enough."""
    total = 0
    for video in videos.values():
        matched = {i for i, _ in video.pairs()}
        overlap = iou(video.truth, video.predicted) if video.truth and video.predicted else None
        for index, interval in enumerate(video.truth):
            if overlap is not None and index not in matched:
                others = [j for j, claimed in enumerate(video.predicted) if claimed.kind != interval.kind]
                total += bool((overlap[index, others] >= IOU).any())
    return total


def _overlap(*spans: Span) -> float:
    truth, predicted = (ScoredInterval(onset=onset, offset=offset, kind="micro") for onset, offset in spans)
    return float(iou([truth], [predicted])[0, 0])


def _on_lines(video: str, span: Span, lines: Sequence[LogLine]) -> str:
    marks = [f"{line.mark} of {_text(line.truth)}" if line.mark == "TP" and line.truth else line.mark for line in lines]
    return f"{video}: {_text(span)} is " + " and ".join(marks)


def _text(span: Span) -> str:
    return f"{span[0]}-{span[1]}"
