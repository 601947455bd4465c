"""The main table of a run in LaTeX, with booktabs: scores with intervals, flags as notes."""

from __future__ import annotations

import string
from collections.abc import Mapping, Sequence
from typing import Any

from mexbench.metrics import few_subjects
from mexbench.reports import run_page, target_tables
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
    metrics, has_ranks = target_tables.metrics_of(scores), target_tables.has_ranks(scores)
    marks: dict[str, str] = {}
    lines = []
    for place, row in target_tables.ordered(scores):
        shared = set(scores["flags"])
        notes = "".join(marks.setdefault(flag, _mark(len(marks))) for flag in row["flags"] if flag not in shared)
        name = escape(row["model"]) + (f"$^{{{notes}}}$" if notes else "")
        rank = [run_page.rank_text(place, row, "--")] if has_ranks else []
        cells = [*rank, name, *(_score(row, metric) for metric in metrics)]
        lines.append(" & ".join(cells) + r" \\")
    headers = [*(["rank"] if has_ranks else []), "model", *metrics.values()]
    body = [
        rf"\begin{{tabular}}{{{'r' if has_ranks else ''}l{'r' * len(metrics)}}}",
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
        *map(escape, few_subjects.note(scores, target_tables.no_interval_text(scores))),
    ]
    if scores["flags"]:
        notes.append(f"Every row is flagged: {escape(', '.join(scores['flags']))}.")
    return [*notes, *(f"$^{{{mark}}}$ {escape(flag)}." for flag, mark in marks.items())]


def _mark(index: int) -> str:
    letters = string.ascii_lowercase
    return letters[index] if index < len(letters) else f"({index + 1})"
