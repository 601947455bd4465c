"""The page of a run with ``target: action_units``, made of ``scores.json``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mexbench.errors import counted
from mexbench.metrics import few_subjects
from mexbench.metrics.action_units import AVERAGES
from mexbench.reports import run_page
from mexbench.reports.health_table import HEALTH_NOTE, health_table
from mexbench.tables import DASH, UNRANKED, Row, Table, escape, percent, subjects_text, with_interval

_NAMES = {"f1": "F1", "macro_f1": "macro F1"}


def markdown(scores: Mapping[str, Any], manifest: Mapping[str, Any]) -> str:
    """Return the run's page for people."""
    intervals = scores["intervals"]
    parts = [
        f"# {escape(scores['config'])}: action units",
        *run_page.banners(scores),
        *run_page.setting(scores),
        main_table(scores).markdown(),
        *few_subjects.note(scores, "no interval"),
        f"A unit is predicted to be present from a score of {scores['threshold']} on. F1 is that of its presence, "
        "macro F1 the mean of the F1 of presence and of absence; each is x 100, pooled over folds, and averaged over "
        "the units that are present in a tested sample. In brackets: "
        f"{intervals['level']:.0%} interval by bootstrap over {intervals['unit']}s ({intervals['replicates']} "
        "replicates); a replicate in which a unit is never present does not count for that unit. Compare F1 with "
        "the rows of constant predictions: a unit that is present in a share p of the samples has an F1 of "
        "2p / (1 + p) where it is always predicted.",
        *never_shown(scores),
    ]
    if len(scores["members"]) > 1:
        parts += ["## By dataset: F1 / macro F1", member_table(scores).markdown()]
    for name in AVERAGES:
        parts += [f"## {_NAMES[name]} of each unit", unit_table(scores, name).markdown()]
    parts += ["## Precision / recall of each unit", precision_table(scores).markdown()]
    if any(row.get("health") for row in scores["rows"]):
        parts += ["## Training", health_table(ordered(scores)).markdown(), HEALTH_NOTE]
    parts += ["## How this was made", run_page.origin(scores, manifest)]
    return "\n\n".join(parts) + "\n"


def terminal_text(scores: Mapping[str, Any]) -> str:
    """Return what a run prints."""
    tables = [main_table(scores), unit_table(scores, "f1", intervals=False)]
    tables += [member_table(scores)] if len(scores["members"]) > 1 else []
    return "\n\n".join(
        [*(table.text() for table in tables), *never_shown(scores), *few_subjects.note(scores, "no interval")]
    )


def ordered(scores: Mapping[str, Any]) -> list[Row]:
    """Order rows by mean F1, the highest first; those that are incomplete or have a leak follow."""

    def key(row: Row) -> tuple[bool, float]:
        return row["f1"] is None or any(flag.startswith(UNRANKED) for flag in row["flags"]), -(row["f1"] or 0)

    return sorted(scores["rows"], key=key)


def main_table(scores: Mapping[str, Any]) -> Table:
    """Model, mean F1 and mean macro F1 with intervals, sizes, flags."""
    several = any(len(row["per_seed"]) > 1 for row in scores["rows"])
    headers = ["model", "F1", "macro F1", *(["F1 spread"] if several else [])]
    protocols = {row["protocol"] for row in scores["rows"]}
    headers += ["protocol"] if len(protocols) > 1 else []
    rows = []
    for row in ordered(scores):
        done = row["tasks"]
        folds = (
            f"{done['done']}/{counted(done['total'], 'task')}" if "incomplete" in row["flags"] else str(row["folds"])
        )
        cells = [row["model"], *(with_interval(row, name) for name in AVERAGES)]
        cells += [percent(row["spread"]["f1"])] if several else []
        cells += [row["protocol"]] if len(protocols) > 1 else []
        sizes = [str(row["n_samples"]), subjects_text(row), folds, str(len(row["seeds"]))]
        rows.append([*cells, *sizes, " ".join(row["flags"]) or DASH])
    return Table([*headers, "samples", "subjects", "folds", "seeds", "flags"], rows)


def unit_table(scores: Mapping[str, Any], name: str, *, intervals: bool = True) -> Table:
    """One score of each unit, a row per unit and a column per model, with the samples in which it is present."""
    rows = []
    for unit in scores["classes"]:
        by_model = [row["units"].get(unit) for row in ordered(scores)]
        support = next((f"{unit_scores['support']:g}" for unit_scores in by_model if unit_scores), DASH)
        write = with_interval if intervals else lambda row, name: percent(row[name])
        rows.append([unit, support, *(write(unit_scores, name) if unit_scores else DASH for unit_scores in by_model)])
    return Table(["unit", "shows in", *(row["model"] for row in ordered(scores))], rows)


def precision_table(scores: Mapping[str, Any]) -> Table:
    """Precision and recall of each unit's presence."""
    rows = []
    for unit in scores["classes"]:
        by_model = [row["units"].get(unit) for row in ordered(scores)]
        cells = (f"{percent(one['precision'])} / {percent(one['recall'])}" if one else DASH for one in by_model)
        rows.append([unit, *cells])
    return Table(["unit", *(row["model"] for row in ordered(scores))], rows)


def member_table(scores: Mapping[str, Any]) -> Table:
    """Both averages of every model on each member of a composite, and the number of units that they average."""
    rows = []
    for row in ordered(scores):
        by_dataset = [row["by_dataset"].get(member) for member in scores["members"]]
        cells = [
            f"{percent(m['f1'])} / {percent(m['macro_f1'])} ({counted(m['units'], 'unit')})" if m else DASH
            for m in by_dataset
        ]
        rows.append([row["model"], *cells])
    return Table(["model", *scores["members"]], rows)


def never_shown(scores: Mapping[str, Any]) -> list[str]:
    """Name the units that have no scores."""
    excluded = {tuple(row["never_shown"]) for row in scores["rows"] if row["never_shown"]}
    return [
        f"Never present in a tested sample, so without F1 and excluded from the averages: {', '.join(names)}; the "
        f"averages are over {len(scores['classes']) - len(names)} of {counted(len(scores['classes']), 'unit')}."
        for names in sorted(excluded)
    ]
