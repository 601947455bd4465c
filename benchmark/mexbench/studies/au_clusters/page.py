"""The sub-division of a data set -> a page, and new vectors -> a CSV."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from mexbench.errors import DataError, counted, listed, unknown
from mexbench.interfaces import CodedActionUnits
from mexbench.studies.au_clusters.analysis import LEVELS, Analysis, Level
from mexbench.studies.au_clusters.clustering import Group, format_units
from mexbench.studies.au_clusters.published_table import (
    ABSENT,
    LITERALLY,
    NUMBERED,
    OPENED,
    SIDED,
    Match,
    compare,
    read_lines,
)
from mexbench.tables import DASH, Table, escape

#: A column of new vectors: a unit as the level writes it, or as a detector's CSV does (``AU04_c``).
_COLUMN = re.compile(r"AU_?([LRABT]?)0*(\d+)([A-E]?)(?:_c)?", re.IGNORECASE)


def markdown(analysis: Analysis, *, figure: str | None = None) -> str:
    """Write the page.

    Args:
        analysis: The sub-division.
        figure: File name of the silhouette figure, if there is one.
    """
    seeds = ", ".join(map(str, analysis.seeds))
    parts = [
        f"# Action units of {escape(analysis.dataset)}, sub-divided by emotion",
        *(
            ["> **Synthetic data:** made by a program. Nothing here says anything about real faces."]
            if "synthetic" in analysis.flags
            else []
        ),
        *([f"> **Flags:** {escape(' '.join(analysis.flags))}."] if analysis.flags else []),
        _counted(analysis),
        f"K-means on binary vectors, one place per unit; K from 2 to {analysis.cap} by the mean silhouette over clips, "
        f"the smaller K among equals; seeds {seeds}, of which the fit with the least inertia is kept. With as many "
        "clusters as there are different combinations, every clip that has a twin scores 1, so the silhouette favours "
        "many clusters: a K at the cap, or at the number of combinations, says little about groups of units.",
        *([f"![mean silhouette by number of clusters]({figure})"] if figure else []),
    ]
    for level in analysis.levels:
        parts.append(f"## {LEVELS[level.name].capitalize()}")
        if level.uncertain:
            parts.append(f"With a unit in doubt, excluded here: {_named(level.uncertain)}.")
        if (same := analysis.same_as(level)) is not None:
            parts.append(f"Every clip has the same units as under *{LEVELS[same.name]}*: the clusters are those above.")
            continue
        parts += [choice_table(analysis, level).markdown(), cluster_table(level).markdown()]
    matches = against_paper(analysis)
    parts += ["## Against table 10 of the AU-CNN paper", match_table(matches).markdown(), summary(matches)]
    return "\n\n".join(parts) + "\n"


def choice_table(analysis: Analysis, level: Level) -> Table:
    """How K was chosen for each emotion."""
    rows = []
    for name in level.coded:
        group = level.division.groups.get(name)
        if group is None:
            rows.append([name, "0", "0", DASH, DASH, DASH, "no clip with a unit"])
            continue
        candidate = next((tried for tried in group.tried if tried.k == len(group.clusters)), None)
        rows.append(
            [
                name, str(group.clips), str(len(group.combinations)), str(len(group.clusters)),
                f"{candidate.silhouette:.3f}" if candidate else DASH,
                " ".join(map(str, group.by_seed)) or DASH, _remark(group, analysis.cap),
            ]
        )  # fmt: skip
    return Table(["emotion", "clips", "combinations", "K", "silhouette", "K by seed alone", "remark"], rows)


def cluster_table(level: Level) -> Table:
    """Every cluster with its combinations and how many clips show each."""
    rows = [
        [
            cluster.name,
            str(cluster.clips),
            ", ".join(f"{format_units(units)} x {n}" for units, n in cluster.combinations),
        ]
        for group in level.division.groups.values()
        for cluster in group.clusters
    ]
    return Table(["cluster", "clips", "combinations x clips"], rows)


def against_paper(analysis: Analysis) -> list[Match]:
    """Look for every line of the paper's table."""
    sheet = analysis.sheet
    return compare(
        read_lines(), sheet["raw"], sheet["sided"], sheet["numbers"], opened=sheet["opened"], excluded=analysis.other
    )


def match_table(matches: Sequence[Match]) -> Table:
    """How each line of the published table was matched."""
    rows = []
    for match in matches:
        elsewhere = f"these numbers show in {listed(match.elsewhere)}" if match.elsewhere else ""
        rows.append(
            [
                match.line.name,
                format_units(match.line.units),
                match.how,
                str(match.clips),
                "; ".join(text for text in (match.note, elsewhere) if text) or DASH,
            ]
        )
    return Table(["line of the table", "units", "match", "clips", "remark"], rows)


def summary(matches: Sequence[Match]) -> str:
    """Count the lines."""
    how = Counter("after normalisation" if m.how in (SIDED, NUMBERED) else m.how for m in matches)
    kinds = ", ".join(f"{how[name]} {name}" for name in (LITERALLY, OPENED, "after normalisation", ABSENT))
    n_without_emotion = sum(match.how == ABSENT and "no clip" in match.note for match in matches)
    return f"Of {counted(len(matches), 'line')}: {kinds}" + (
        f" ({n_without_emotion} of these because no clip here has the emotion)." if n_without_emotion else "."
    )


def assigned(path: Path, level: Level, flags: Sequence[str] = ()) -> str:
    """Assign the vectors of a CSV to clusters; return them as CSV, without a cluster where no unit shows.

    Args:
        path: Columns ``clip_id``, ``emotion`` and one per unit (``AU4``, ``AUL12``, or ``AU04_c``) with 0 or 1.
        level: Whose clusters.
        flags: Of the data that was sub-divided: a column of this name, where there are any.

    Raises:
        DataError: The file has other columns, a line names an emotion without clusters, or a value is not 0 or 1.
    """
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(["clip_id", "emotion", "units", "cluster", "distance", "unseen", *(["flags"] * bool(flags))])
    text = [" ".join(flags)] * bool(flags)
    try:
        with path.open(encoding="utf-8-sig", newline="") as source:
            reader = csv.DictReader(source)
            header = [name.strip() for name in reader.fieldnames or []]
            reader.fieldnames = header
            units = {name: _token(match) for name in header if (match := _COLUMN.fullmatch(name))}
            if lacking := [*({"clip_id", "emotion"} - set(header)), *([] if units else ["AU..."])]:
                raise DataError(f"{path}: lacks the columns {listed(sorted(lacking))}; it has {listed(header)}")
            for line in reader:
                where = f"{path}, line {reader.line_num}"
                if None in line or None in line.values():
                    raise DataError(f"{where}: has another number of cells than the header")
                emotion = line["emotion"].strip().lower()
                if emotion not in level.division.groups:
                    raise DataError(f"{where}: {unknown('emotion', emotion, level.division.groups)}")
                shown = {token for name, token in units.items() if _flag(where, name, line[name])}
                if not shown:  # an empty vector has no nearest cluster
                    writer.writerow([line["clip_id"], emotion, format_units(shown), "", "", "", *text])
                    continue
                to = level.division.assign(emotion, shown)
                cells = [format_units(shown), to.name, f"{to.distance:.4f}", " ".join(to.unseen)]
                writer.writerow([line["clip_id"], emotion, *cells, *text])
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: expected text in UTF-8: {error}") from None
    except csv.Error as error:
        raise DataError(f"{path}: cannot be read as CSV: {error}") from None
    return stream.getvalue()


def _token(match: re.Match[str]) -> str:
    return f"{match[1].upper()}{match[2]}{match[3].upper()}"


def _flag(where: str, column: str, cell: str) -> bool:
    try:
        value = float(cell)
    except ValueError:
        value = -1
    if value not in (0, 1):
        raise DataError(f"{where}: {column} is {cell!r}, expected 0 or 1")
    return value == 1


def _remark(group: Group, cap: int) -> str:
    if group.why_one:
        return group.why_one
    k = len(group.clusters)
    if k == len(group.combinations):
        return "a cluster for each combination"
    return "the cap ended the search" if k == cap else DASH


def _counted(analysis: Analysis) -> str:
    lines = [f"- {counted(analysis.cells, 'cell')} read"]
    if analysis.unknown:
        lines.append(f"- no unit is named, excluded: {_named(analysis.unknown)}")
    if analysis.other:
        counts = ", ".join(f"{name or '(blank)'} {count}" for name, count in sorted(analysis.other.items()))
        lines.append(f"- of another emotion, excluded: {escape(counts)}")
    return "\n".join(lines)


def _named(clips: Sequence[CodedActionUnits]) -> str:
    names = [f"{escape(clip.clip_id)} ({clip.cell.strip()[:40] or 'blank'!r})" for clip in clips]
    return f"{counted(len(clips), 'cell')}: {listed(names)}"
