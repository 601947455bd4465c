"""The rows of ``scores.json`` -> ranked rows -> a table on the terminal or a markdown page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tabulate import tabulate

Row = Mapping[str, Any]

_DASH = "-"
#: A row with one of these stands below the honest ones, without a rank.
_UNRANKED = ("leak:", "incomplete")


@dataclass(frozen=True)
class Table:
    """Headers and cells, not yet in any format."""

    headers: Sequence[str]
    rows: Sequence[Sequence[str]]

    def text(self) -> str:
        """Format for a terminal."""
        return tabulate(self.rows, headers=self.headers, tablefmt="simple", disable_numparse=True)

    def markdown(self) -> str:
        """Format for a page; bars and markup in a cell are escaped."""
        rows = [[_escape(cell) for cell in row] for row in self.rows]
        headers = [_escape(header) for header in self.headers]
        return tabulate(rows, headers=headers, tablefmt="github", disable_numparse=True)


def ranked(rows: Sequence[Row]) -> list[tuple[int | None, Row]]:
    """Order rows by UF1, highest first, equal ones sharing a rank; rows that may not compete follow without one."""
    fit = [row for row in rows if row["uf1"] is not None and not _barred(row)]
    fit.sort(key=lambda row: (-row["uf1"], -row["uar"], row["model"]))
    places = [(1 + sum(other["uf1"] > row["uf1"] for other in fit), row) for row in fit]
    return [*places, *((None, row) for row in rows if not any(row is other for other in fit))]


#: Columns that are often the same in every row: a terminal is narrow, and says them once below the table.
_SIZES = ("samples", "subjects", "folds", "seeds", "flags")


def terminal_text(scores: Mapping[str, Any]) -> str:
    """Format the main table for a terminal: what is the same in every row is said once, below it."""
    table = main_table(scores)
    columns = list(zip(*table.rows, strict=True))
    same = [name for name, cells in zip(table.headers, columns, strict=True) if name in _SIZES and len(set(cells)) == 1]
    kept = [index for index, name in enumerate(table.headers) if name not in same]
    narrow = Table([table.headers[i] for i in kept], [[row[i] for i in kept] for row in table.rows])
    said = {name: table.rows[0][table.headers.index(name)] for name in same}
    flags = said.pop("flags", _DASH)
    lines = [narrow.text()]
    if said:
        lines.append(
            ", ".join(f"{value} {name.removesuffix('s') if value == '1' else name}" for name, value in said.items())
        )
    if flags != _DASH:
        lines.append(f"every row is flagged: {flags}")
    return "\n\n".join([lines[0], "; ".join(lines[1:])]) if lines[1:] else lines[0]


def main_table(scores: Mapping[str, Any]) -> Table:
    """Rank, model, UF1, UAR and accuracy with intervals, folds, subjects, seeds, flags; scores are x 100."""
    several = any(len(row["seeds"]) > 1 for row in scores["rows"])
    headers = ["rank", "model", "UF1", "UAR", "accuracy", *(["UF1 spread"] if several else [])]
    headers += ["samples", "subjects", "folds", "seeds", "flags"]
    rows = []
    for place, row in ranked(scores["rows"]):
        folds = (
            f"{row['tasks']['done']}/{row['tasks']['total']} tasks" if "incomplete" in row["flags"] else row["folds"]
        )
        cells = [_DASH if place is None else str(place), row["model"]]
        cells += [_with_interval(row, name) for name in ("uf1", "uar", "accuracy")]
        cells += [_percent(row["spread"]["uf1"])] if several else []
        cells += [str(row["n_samples"]), str(row["n_subjects"]), str(folds), str(len(row["seeds"]))]
        rows.append([*cells, " ".join(row["flags"]) or _DASH])
    return Table(headers, rows)


def member_table(scores: Mapping[str, Any]) -> Table:
    """UF1 / UAR of every model on each member dataset of a composite."""
    members = scores["members"]
    rows = []
    for _, row in ranked(scores["rows"]):
        found = [row["by_dataset"].get(member) for member in members]
        cells = [f"{_percent(m['uf1'])} / {_percent(m['uar'])}" if m else _DASH for m in found]
        rows.append([row["model"], *cells])
    return Table(["model", *(f"{member} UF1 / UAR" for member in members)], rows)


def class_table(scores: Mapping[str, Any]) -> Table:
    """Recall / precision of every model on each class."""
    names = scores["classes"]
    headers = ["model", *(f"{name} ({scores['support'][name]})" for name in names)]
    rows = []
    for _, row in ranked(scores["rows"]):
        found = [row["per_class"].get(name) for name in names]
        cells = [f"{_percent(c['recall'])} / {_percent(c['precision'])}" if c else _DASH for c in found]
        rows.append([row["model"], *cells])
    return Table(headers, rows)


def confusion_table(scores: Mapping[str, Any], row: Row) -> Table:
    """Truth in rows, prediction in columns, summed over seeds."""
    names = scores["classes"]
    cells = [[name, *map(str, counts)] for name, counts in zip(names, row["confusion"], strict=True)]
    return Table(["truth \\ predicted", *names], cells)


def markdown(scores: Mapping[str, Any], manifest: Mapping[str, Any]) -> str:
    """Write the page of one run."""
    intervals = scores["intervals"]
    support = ", ".join(f"{_escape(name)} {count}" for name, count in scores["support"].items())
    n_samples = sum(scores["support"].values())
    steps = ", ".join(scores["preprocess"]) or "none"
    members = ", ".join(map(_escape, scores["members"]))
    parts = [
        f"# {_escape(scores['config'])}",
        *_banners(scores),
        f"Dataset **{_escape(scores['dataset'])}** ({n_samples} samples of {members}; "
        f"classes: {support}), preprocessing: {_escape(steps)}, protocol **{_escape(scores['protocol'])}**.",
        *([_left_out(scores)] if scores["left_out"] or scores["notes"] else []),
        main_table(scores).markdown(),
        "Scores are x 100, pooled over folds"
        + (", mean over seeds" if any(len(row["seeds"]) > 1 for row in scores["rows"]) else "")
        + f". In brackets: {intervals['level']:.0%} interval by bootstrap over {intervals['unit']}s "
        f"({intervals['replicates']} replicates). UF1 is macro F1, UAR macro recall. "
        "Overlapping intervals do not prove two models equal.",
    ]
    if len(scores["members"]) > 1:
        parts += ["## By dataset", member_table(scores).markdown()]
    parts += ["## By class: recall / precision", class_table(scores).markdown()]
    shown = [row for _, row in ranked(scores["rows"]) if row["confusion"] is not None]
    if shown:
        parts.append("## Confusion matrices")
    for row in shown:
        parts += [f"**{_escape(row['model'])}**", confusion_table(scores, row).markdown()]
    parts += ["## How this was made", _origin(scores, manifest)]
    return "\n\n".join(parts) + "\n"


def _banners(scores: Mapping[str, Any]) -> list[str]:
    banners = []
    tasks = scores["tasks"]
    if not scores["complete"]:
        banners.append(
            f"> **Incomplete:** {tasks['done']} of {tasks['total']} tasks are done. These are no results yet."
        )
    if "synthetic" in scores["flags"]:
        banners.append("> **Synthetic data:** made by a program. These figures say nothing about real faces.")
    leaks = [flag for flag in scores["flags"] if flag.startswith("leak:")]
    if leaks:
        banners.append(f"> **Not honest:** training and test sides overlap ({', '.join(leaks)}). No row is ranked.")
    return banners


def _origin(scores: Mapping[str, Any], manifest: Mapping[str, Any]) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in manifest["versions"].items())
    lines = [
        f"- command: `{manifest['command']}`",
        f"- commit: {manifest['git_commit'] or 'unknown'}",
        f"- config fingerprint: `{manifest['config_fingerprint']}`",
        f"- dataset fingerprint (sample ids and labels): `{scores['dataset_fingerprint']}`",
        f"- versions: {versions}",
        f"- device: {manifest['device']}; {manifest['machine']['platform']}",
        f"- started {manifest['started']}, ended {manifest['ended'] or 'not yet'}",
    ]
    return "\n".join(lines)


def _left_out(scores: Mapping[str, Any]) -> str:
    lines = [f"- left out, {_escape(reason)}: {count} clips" for reason, count in scores["left_out"].items()]
    lines += [f"- note, {count} clips: {_escape(text)}" for text, count in scores["notes"].items()]
    return "\n".join(lines)


def _barred(row: Row) -> bool:
    return any(flag.startswith(_UNRANKED) for flag in row["flags"])


def _with_interval(row: Row, name: str) -> str:
    if row[name] is None:
        return _DASH
    low, high = row["ci"][name]
    return f"{_percent(row[name])} [{_percent(low)}, {_percent(high)}]"


def _percent(value: float | None) -> str:
    return _DASH if value is None else f"{100 * value:.2f}"


def _escape(text: object) -> str:
    """Make a text harmless in markdown: it may come from a data set's folder names."""
    escaped = str(text)
    for mark in "\\`*<>|":
        escaped = escaped.replace(mark, f"\\{mark}")
    escaped = escaped.replace("](", "]\\(")  # no link
    return " ".join(escaped.split())
