"""The page of a run with ``target: spotting``, made of ``scores.json``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mexbench.errors import counted
from mexbench.metrics import few_subjects
from mexbench.metrics.spotting.scores import KINDS
from mexbench.reports import run_page
from mexbench.reports.spotting_results import NULL_MODEL
from mexbench.tables import DASH, UNRANKED, Row, Table, escape, percent, subjects_text, with_interval


def markdown(scores: Mapping[str, Any], manifest: Mapping[str, Any]) -> str:
    """Return the run's page for people."""
    intervals = scores["intervals"]
    parts = [
        f"# {escape(scores['config'])}: spotting",
        *run_page.banners(scores),
        *run_page.setting(scores),
        main_table(scores).markdown(),
        *few_subjects.note(scores, "no interval"),
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
    parts += ["## How this was made", run_page.origin(scores, manifest)]
    return "\n\n".join(parts) + "\n"


def terminal_text(scores: Mapping[str, Any]) -> str:
    """Return what a run prints."""
    tables = [main_table(scores), null_table(scores)]
    tables += [member_table(scores)] if len(scores["members"]) > 1 else []
    texts = [table.text() for table in tables if table.rows]
    return "\n\n".join([*texts, *few_subjects.note(scores, "no interval")])


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
        folds = (
            f"{done['done']}/{counted(done['total'], 'task')}" if "incomplete" in row["flags"] else str(row["folds"])
        )
        cells = [row["model"], *(with_interval(row, name) for name in ("f1", *(f"f1_{kind}" for kind in KINDS)))]
        cells += [percent(row["spread"]["f1"])] if several else []
        cells += [percent(row["average_precision"]), _plain(row["false_alarms_per_minute"])]
        cells += [_plain(row["apex_error_ms"]), *([row["protocol"]] if len(protocols) > 1 else [])]
        sizes = [str(row["n_videos"]), subjects_text(row), folds, str(len(row["seeds"]))]
        rows.append([*cells, *sizes, " ".join(row["flags"]) or DASH])
    return Table([*headers, "videos", "subjects", "folds", "seeds", "flags"], rows)


def null_table(scores: Mapping[str, Any]) -> Table:
    """How far each spotter's F1 is above that of the best null model, paired by subject."""
    rows = []
    for row in ordered(scores):
        if (above := row["above_null"]) is not None:
            verdict, difference_text = "unknown: too few subjects", percent(above["difference"])
            if above["ci"] is not None:
                low, high = above["ci"]
                difference_text += f" [{percent(low)}, {percent(high)}]"
                verdict = "yes" if low > 0 else "not clearly"
            rows.append([row["model"], above["null_model"], difference_text, verdict])
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
        result = [row["counts"].get(kind) for kind in KINDS]
        cells = [" / ".join(f"{one[name]:g}" for name in ("tp", "fp", "fn")) if one else DASH for one in result]
        rows.append([row["model"], *cells])
    return Table(["model", *KINDS], rows)


def member_table(scores: Mapping[str, Any]) -> Table:
    """F1 of every model on each member of a composite."""
    rows = []
    for row in ordered(scores):
        result = [row["by_dataset"].get(member) for member in scores["members"]]
        cells = [" / ".join(percent(one[n]) for n in ("f1_micro", "f1_macro", "f1")) if one else DASH for one in result]
        rows.append([row["model"], *cells])
    return Table(["model", *scores["members"]], rows)


def emotion_table(scores: Mapping[str, Any]) -> Table:
    """Which share of each emotion's intervals was spotted."""
    names = sorted({name for row in scores["rows"] for name in row["per_emotion"]})
    support = {name: one["support"] for row in scores["rows"] for name, one in row["per_emotion"].items()}
    rows = []
    for row in ordered(scores):
        cells = [row["per_emotion"].get(name) for name in names]
        rows.append([row["model"], *(percent(one["recall"]) if one else DASH for one in cells)])
    return Table(["model", *(f"{name} ({support[name]:g})" for name in names)], rows)


def _plain(value: float | None) -> str:
    return DASH if value is None else f"{value:.1f}"
