"""``bench score FILE`` for intervals: a log of the MEGC2020, or the two CSV files of spot-then-recognise."""

from __future__ import annotations

import argparse
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mexbench import cli
from mexbench.cli.output import say
from mexbench.errors import DataError, counted, listed
from mexbench.files import write_json
from mexbench.interfaces.video import Interval
from mexbench.metrics.few_subjects import why_none
from mexbench.metrics.spotting.matching import MATCHINGS
from mexbench.metrics.spotting.strs import as_printed, correct, differences
from mexbench.reports.spotting_log import RULES, PrintedLogFigure, recount
from mexbench.runs.spotting_files import (
    LOG_DATASETS,
    FileKind,
    LogBlock,
    read_annotation,
    read_emotion_intervals,
    read_spotting_log,
)
from mexbench.tables import DASH, Table

_SHOWN = 5
_RULES_SAY = {
    "one_to_one": "each true interval and each prediction counts once: the definition",
    "lines": "the log's own marks, line by line",
    "found": "true intervals found over distinct predictions, one of which may find several",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that intervals alone have."""
    group = parser.add_argument_group(
        "intervals", "FILE may also be a spotting log of the MEGC2020, or the pred.csv of spot-then-recognise (STRS)"
    )
    group.add_argument(
        "--truth",
        type=Path,
        nargs="+",
        metavar="FILE",
        help="gt.csv beside a pred.csv; for a log the annotations of its data sets ('SUBJECT VIDEO TYPE ONSET APEX "
        "OFFSET' lines), without which lengths decide what is a micro-expression",
    )
    group.add_argument(
        "--matching", choices=MATCHINGS, help="how predictions and true intervals are paired (default: optimal)"
    )
    group.add_argument(
        "--micro-frames",
        action="append",
        default=[],
        metavar="BLOCK=N",
        help="the longest micro-expression of a log's block, in frames (default: "
        + ", ".join(f"{number}={one.micro_frames}" for number, one in LOG_DATASETS.items())
        + ")",
    )
    group.add_argument(
        "--printed",
        action="append",
        default=[],
        metavar="BLOCK:NAME=VALUE,...",
        help="what the authors of a log print, such as 2:f1_micro=.0082,f1_macro=.1196,f1=.0376; every figure that no "
        "way of counting gives is named",
    )


def check_unused(options: argparse.Namespace) -> None:
    """Check that no option of intervals is given with predictions of classes.

    Raises:
        DataError: The text names the options.
    """
    _refuse(options, ("truth", "matching", "micro_frames", "printed"), "predictions of classes")


def _refuse(options: argparse.Namespace, names: Sequence[str], what: str) -> None:
    if given := [f"--{name.replace('_', '-')}" for name in names if getattr(options, name)]:
        raise DataError(f"{options.file}: {listed(given)} cannot be given with {what}: leave it out")


def run(options: argparse.Namespace, kind: FileKind) -> int:
    """Run the command on a file of intervals.

    Raises:
        DataError: A file cannot be read, or an option was given that does not apply to it.
    """
    _refuse(options, ("classes", "against"), f"a {kind}")
    options.matching = options.matching or "optimal"
    if kind == "spot-then-recognise CSV":
        _refuse(options, ("micro_frames", "printed"), f"a {kind}")
        return _run_strs(options)
    limits = _limits(options.micro_frames)
    printed = _printed(options.printed)
    blocks = read_spotting_log(options.file)
    if strange := sorted({*limits, *printed} - {block.number for block in blocks}):
        raise DataError(f"{options.file}: has no block {strange[0]!r}, which --micro-frames or --printed names")
    truth = _annotations(options.truth or [], blocks)
    results = [
        recount(
            block,
            truth=truth.get(block.number),
            micro_frames=limits.get(block.number),
            matching=options.matching,
            printed=printed.get(block.number, ()),
        )
        for block in blocks
    ]
    print("\n\n".join(_log_text(result) for result in results))
    say("flagged unverified: from a file alone nobody can see what was trained on, or which threshold was chosen how")
    if options.json:
        write_json(options.json, {"schema": 1, "file": options.file.name, "format": kind, "blocks": results})
        say(f"written to {options.json}")
    return cli.OK


def _limits(texts: Sequence[str]) -> dict[str, int]:
    limits = {}
    for text in texts:
        if (parts := re.fullmatch(r"([12])=([1-9]\d{0,14})", text)) is None:
            raise DataError(f"--micro-frames {text}: expected BLOCK=N with a block 1 or 2, such as 2=16")
        limits[parts[1]] = int(parts[2])
    return limits


def _printed(texts: Sequence[str]) -> dict[str, list[PrintedLogFigure]]:
    printed: dict[str, list[PrintedLogFigure]] = {}
    for text in texts:
        block, _, rest = text.partition(":")
        pairs = [re.fullmatch(r"\s*(\w+)=(\d{1,15}|\d{0,15}\.\d{1,15})\s*", pair) for pair in rest.split(",")]
        if block not in LOG_DATASETS or not all(pairs):
            raise DataError(f"--printed {text}: expected BLOCK:NAME=VALUE,..., such as 2:f1_micro=.0082,f1=.0376")
        printed.setdefault(block, []).extend(PrintedLogFigure(pair[1], pair[2]) for pair in pairs if pair)
    return printed


def _annotations(paths: Sequence[Path], blocks: Sequence[LogBlock]) -> dict[str, Mapping[str, Sequence[Interval]]]:
    """Give each block the annotation that names its videos."""
    chosen: dict[str, Mapping[str, Sequence[Interval]]] = {}
    for path in paths:
        annotation = read_annotation(path)
        shared = {block.number: len({line.video for line in block.lines} & annotation.keys()) for block in blocks}
        best = max(shared, key=lambda number: shared[number])
        if not shared[best]:
            raise DataError(f"{path}: names none of the log's videos; it has {listed(annotation, limit=3)}")
        if best in chosen:
            raise DataError(f"{path}: block {best} has an annotation already; give one file for each data set")
        chosen[best] = annotation
    return chosen


def _log_text(result: Mapping[str, Any]) -> str:
    figures = result["figures"]
    title = (
        f"{result['dataset']}: {counted(figures['n_videos'], 'video')}, {figures['n_videos_without_expression']} of "
        f"them without expression, {counted(figures['n_subjects'], 'subject')}; types of predictions by length (micro "
        f"up to {result['micro_frames']} frames), of true intervals by "
        f"{'the annotation' if result['types_of_truth'] == 'annotation' else 'length too: give --truth'}"
    )
    parts = [title, _rule_table(result).text()]
    ci = figures["ci"]
    bounds = [f"{name} [{ci[name][0]:.4f}, {ci[name][1]:.4f}]" for name in ("f1_micro", "f1_macro", "f1") if ci[name]]
    if bounds:
        parts.append(f"by one_to_one, 95 % over subjects: {', '.join(bounds)}")
    elif why := why_none([figures["n_subjects"]], what="no interval"):
        parts.append(why)
    parts.append(_sweep_table(figures).text())
    if result["printed"]:
        parts += [_printed_table(result).text(), *_verdicts(result)]
    parts.append(_disagreement_text(result))
    return "\n\n".join(parts)


def _rule_table(result: Mapping[str, Any]) -> Table:
    headers = ["counted by", "micro F1", "macro F1", "F1", "TP", "predicted", "true", "what counts"]
    rows = []
    for rule in RULES:
        one = result["rules"][rule]
        scores = [_number(one[name]) for name in ("f1_micro", "f1_macro", "f1")]
        rows.append([rule, *scores, *(str(one[name]) for name in ("tp", "predicted", "true")), _RULES_SAY[rule]])
    return Table(headers, rows)


def _sweep_table(figures: Mapping[str, Any]) -> Table:
    rows = [
        [threshold, *(_number(scores[name]) for name in ("f1_micro", "f1_macro", "f1"))]
        for threshold, scores in figures["sweep"].items()
    ]
    return Table(["IoU from", "micro F1", "macro F1", "F1"], rows)


def _printed_table(result: Mapping[str, Any]) -> Table:
    rows = [
        [one["figure"], one["printed"], *(_number(one[rule]) for rule in RULES), listed(one["agrees"])]
        for one in result["printed"]
    ]
    return Table(["figure", "printed", *RULES, "agrees with"], rows)


def _verdicts(result: Mapping[str, Any]) -> list[str]:
    problems = []
    for one in result["printed"]:
        others = [rule for rule in RULES if rule not in one["agrees"]]
        values = ", ".join(f"{_number(one[rule])} by {rule}" for rule in others)
        if not one["agrees"]:
            problems.append(f"{one['figure']}: {one['printed']} is printed, and no way of counting gives it: {values}")
        elif others:
            problems.append(
                f"{one['figure']}: {one['printed']} is what {' and '.join(one['agrees'])} "
                f"{'gives' if len(one['agrees']) == 1 else 'give'}; it is {values}"
            )
    return problems or ["every printed figure agrees with every way of counting"]


def _disagreement_text(result: Mapping[str, Any]) -> str:
    by_kind: dict[str, list[Mapping[str, Any]]] = {}
    for one in result["disagreements"]:
        by_kind.setdefault(one["what"], []).append(one)
    lines = []
    for what, inside in by_kind.items():
        lines.append(f"{what}: {len(inside)}")
        for one in inside[:_SHOWN]:
            where = f"line {', '.join(map(str, one['lines']))}: " if one["lines"] else ""
            lines.append(f"  {where}{one['detail']}")
        if len(inside) > _SHOWN:
            lines.append(f"  and {len(inside) - _SHOWN} more (--json has them)")
    if result["other_type"]:
        lines.append(
            f"{counted(result['other_type'], 'true interval was', 'true intervals were')} missed only because the "
            "prediction that overlaps them enough is of the other type"
        )
    return "\n".join(lines) or "the log agrees with itself and with the recount"


def _run_strs(options: argparse.Namespace) -> int:
    if not options.truth or len(options.truth) != 1:
        raise DataError(f"{options.file}: predictions of spot-then-recognise; give the one gt.csv with --truth")
    predicted, truth = read_emotion_intervals(options.file), read_emotion_intervals(options.truth[0])
    if not truth:
        raise DataError(f"{options.truth[0]}: has no true interval")
    right, printed = correct(truth, predicted, matching=options.matching), as_printed(truth, predicted)
    result = differences(truth, predicted)
    rows = [[name, _number(value), _number(printed.to_dict()[name])] for name, value in right.to_dict().items()]
    say(
        f"{options.file}: {counted(len(predicted), 'prediction')} for {counted(len(truth), 'true interval')} of "
        f"{options.truth[0]}"
    )
    print(Table(["figure", "correct", "as the challenge's script prints it"], rows).text())
    lines = ["", "where the script departs from the definition:"]
    lines += [f"- {one.what}: {one.effect or 'changes nothing here'}" for one in result]
    print("\n".join(lines))
    if options.json:
        both = {"correct": right.to_dict(), "as_printed": printed.to_dict()}
        named = [{"what": one.what, "count": one.count, "effect": one.effect} for one in result]
        write_json(options.json, {"schema": 1, "file": options.file.name, **both, "differences": named})
        say(f"written to {options.json}")
    return cli.OK


def _number(value: float | int | None) -> str:
    if value is None:
        return DASH
    return str(value) if isinstance(value, int) else f"{value:.4f}"
