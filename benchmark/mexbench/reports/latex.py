"""The main table of a run in LaTeX, with booktabs: scores with intervals, flags as notes."""

from __future__ import annotations

import string
from collections.abc import Mapping, Sequence
from typing import Any

from mexbench.metrics import few_subjects
from mexbench.reports import action_units_page, run_page
from mexbench.tables import Row, percent

_SPECIAL = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#", "%": r"\%", "_": r"\_",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}",
    "|": r"\textbar{}",
}  # fmt: skip


def latex_table(scores: Mapping[str, Any], *, caption: str | None = None, label: str | None = None) -> str:
    r"""Return a ``tabular`` with its notes, or a whole ``table`` where a caption or a label is given.

    It needs ``\usepackage{booktabs}``.

    Args:
        scores: ``scores.json`` of the run.
        caption: Plain text; what is special in LaTeX is escaped.
        label: For ``\ref``.
    """
    units = _has_units(scores)
    metrics = {"f1": "F1", "macro_f1": "macro F1"} if units else {"uf1": "UF1", "uar": "UAR", "accuracy": "accuracy"}
    ranked = [(None, row) for row in action_units_page.ordered(scores)] if units else run_page.ranked(scores["rows"])
    marks: dict[str, str] = {}
    lines = []
    for place, row in ranked:
        shared = set(scores["flags"])
        notes = "".join(marks.setdefault(flag, _mark(len(marks))) for flag in row["flags"] if flag not in shared)
        name = escape(row["model"]) + (f"$^{{{notes}}}$" if notes else "")
        rank = [] if units else [run_page.rank_text(place, row, "--")]
        cells = [*rank, name, *(_score(row, metric) for metric in metrics)]
        lines.append(" & ".join(cells) + r" \\")
    headers = [*([] if units else ["rank"]), "model", *metrics.values()]
    body = [
        rf"\begin{{tabular}}{{{'' if units else 'r'}l{'r' * len(metrics)}}}",
        r"\toprule",
        " & ".join(headers) + r" \\",
        r"\midrule",
        *lines,
        r"\bottomrule",
        r"\end{tabular}",
        "",
        r"\smallskip",
        rf"{{\footnotesize {' '.join(_notes(scores, marks))}}}",
    ]
    if caption is None and label is None:
        return "\n".join(body) + "\n"
    head = [rf"\caption{{{escape(caption)}}}"] if caption is not None else []
    head += [rf"\label{{{label}}}"] if label is not None else []
    return "\n".join([r"\begin{table}", r"\centering", *head, *body, r"\end{table}"]) + "\n"


def _has_units(scores: Mapping[str, Any]) -> bool:
    return scores.get("target") == "action_units"


def escape(text: str) -> str:
    """Make a text harmless in LaTeX."""
    return "".join(_SPECIAL.get(mark, mark) for mark in text)


def _score(row: Row, metric: str) -> str:
    if row[metric] is None or row["ci"][metric] is None:
        return percent(row[metric])
    low, high = row["ci"][metric]
    return rf"{percent(row[metric])} {{\scriptsize [{percent(low)}, {percent(high)}]}}"


def _notes(scores: Mapping[str, Any], marks: Mapping[str, str]) -> Sequence[str]:
    interval = scores["intervals"]
    protocols = ", ".join(dict.fromkeys(row["protocol"] for row in scores["rows"]))
    notes = [
        f"{escape(scores['dataset'])}, {escape(protocols)}.",
        rf"Scores are $\times$ 100, pooled over folds, with {100 * interval['level']:.0f}\% intervals by "
        f"bootstrap over {interval['unit']}s.",
        *map(escape, few_subjects.note(scores, "no interval" if _has_units(scores) else "no interval and no rank")),
    ]
    if scores["flags"]:
        notes.append(f"Every row is flagged: {escape(', '.join(scores['flags']))}.")
    return [*notes, *(f"$^{{{mark}}}$ {escape(flag)}." for flag, mark in marks.items())]


def _mark(index: int) -> str:
    letters = string.ascii_lowercase
    return letters[index] if index < len(letters) else f"({index + 1})"
