"""The rows of ``scores.json`` -> ranked rows -> a table on the terminal or a markdown page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mexbench.errors import counted
from mexbench.evaluation.split_checks import UNKNOWN_SUBJECTS
from mexbench.metrics import few_subjects
from mexbench.metrics.significance import ALL_PAIRS
from mexbench.reports import claimed_and_measured
from mexbench.reports.health_table import HEALTH_NOTE, health_table
from mexbench.tables import DASH, Row, Table, competes, escape, percent, probability, subjects_text, with_interval

_FEW_FOLDS = 6
#: Drawings beside the page, which shows them.
FOREST, MATRICES = "figures/forest.svg", "figures/confusion.svg"


def ranked(rows: Sequence[Row], by: str = "uf1") -> list[tuple[int | None, Row]]:
    """Order rows, the highest first, equal ones sharing a rank; those that may not compete follow without one.

    Rows with other samples or another protocol have ranks of their own.
    """
    fit = [row for row in rows if competes(row)]
    groups = {row.get("group"): [other for other in fit if other.get("group") == row.get("group")] for row in fit}
    places: list[tuple[int | None, Row]] = []
    for inside in groups.values():
        inside.sort(key=lambda row: (-row[by], -row["uar"], row["model"]))
        places += [(1 + sum(other[by] > row[by] for other in inside), row) for row in inside]
    return [*places, *((None, row) for row in rows if not any(row is other for other in fit))]


#: Columns that are often the same in every row: a terminal and a page are narrow, so that they are written once, below.
_SIZES = ("protocol", "samples", "subjects", "folds", "repeats", "seeds", "flags")


def terminal_text(scores: Mapping[str, Any]) -> str:
    """Format the main table for a terminal: what is the same in every row is printed once, below it."""
    if nothing_scored(scores):
        return f"{_NOTHING_SCORED} {_rows_without_scores(scores)}"
    narrow, shared_text = _narrow(scores)
    parts = [narrow.text(), *([shared_text] if shared_text else []), *few_subjects.note(scores)]
    return "\n\n".join(parts)


def _narrow(scores: Mapping[str, Any]) -> tuple[Table, str]:
    """Return the main table with the line of chance, and what is the same in every row as a text, maybe empty."""
    table = main_table(scores)
    if (chance := _chance_cells(scores, table.headers)) is not None:
        table = Table(table.headers, [*table.rows, chance])
    columns = list(zip(*table.rows, strict=True))
    same = [
        name
        for name, cells in zip(table.headers, columns, strict=True)
        if name in _SIZES and len({cell for cell in cells if cell is not _NOT_A_ROW}) == 1
    ]
    shown = [index for index, name in enumerate(table.headers) if name not in same]
    narrow = Table([table.headers[i] for i in shown], [[row[i] for i in shown] for row in table.rows])
    shared = {name: table.rows[0][table.headers.index(name)] for name in same}
    flags = shared.pop("flags", DASH)
    shared.pop("protocol", None)
    shared = {name: value for name, value in shared.items() if value != DASH}
    lines = []
    if shared:
        lines.append(
            ", ".join(f"{value} {name.removesuffix('s') if value == '1' else name}" for name, value in shared.items())
        )
    if flags != DASH:
        lines.append(f"every row is flagged: {flags}")
    return narrow, "; ".join(lines)


#: In the line of chance, a cell that says nothing.
_NOT_A_ROW = " "


def _chance_cells(scores: Mapping[str, Any], headers: Sequence[str]) -> list[str] | None:
    """Return the line of a constant answer, the largest class, on the samples that all rows share; None without them.

    With the share p of that class and k classes: accuracy p, UAR 1 / k, UF1 2 p / (1 + p) / k.
    """
    counts = list((scores.get("support") or {}).values())
    if not counts or any(row["n_samples"] != sum(counts) for row in scores["rows"]):
        return None
    share, k = max(counts) / sum(counts), len(scores["classes"])
    values = {"UF1": 2 * share / (1 + share) / k, "UAR": 1 / k, "accuracy": share}
    cells = {"rank": DASH, "model": "chance", **{name: percent(value) for name, value in values.items()}}
    return [cells.get(header, _NOT_A_ROW) for header in headers]


def nothing_scored(scores: Mapping[str, Any]) -> bool:
    """Whether a finished case study has no clip with a label: its tables of scores would be empty."""
    unlabelled = all(row["n_samples"] == 0 and row["tasks"]["done"] == row["tasks"]["total"] for row in scores["rows"])
    return "case_study" in scores and unlabelled


_NOTHING_SCORED = "No clip has a label that a model could be scored by, so there are no scores."


def _rows_without_scores(scores: Mapping[str, Any]) -> str:
    """Name the rows with their flags, which a table of scores would have."""
    texts = [f"{row['model']} ({' '.join(row['flags']) or 'no flags'})" for row in scores["rows"]]
    return f"Models: {', '.join(texts)}."


def main_table(scores: Mapping[str, Any]) -> Table:
    """Rank, model, UF1, UAR and accuracy with intervals, folds, subjects, seeds, flags; scores are x 100.

    A rank is a range where the difference to others is not clear.
    """
    several = _several(scores)
    precise = all("macro_precision" in row for row in scores["rows"])
    headers = ["rank", "model", "UF1", "UAR", "accuracy", *(["macro precision"] if precise else [])]
    headers += ["UF1 spread"] if several else []
    repeated = any(row.get("repeats", 0) > 1 for row in scores["rows"])
    protocols = {row.get("protocol") for row in scores["rows"]}
    headers += ["protocol"] if len(protocols) > 1 else []
    headers += ["samples", "subjects", "folds", *(["repeats"] if repeated else []), "seeds", "flags"]
    rows = []
    for place, row in ranked(scores["rows"], scores.get("headline", "uf1")):
        folds = (
            f"{row['tasks']['done']}/{counted(row['tasks']['total'], 'task')}"
            if "incomplete" in row["flags"]
            else row["folds"]
        )
        cells = [rank_text(place, row), row["model"]]
        cells += [with_interval(row, name) for name in ("uf1", "uar", "accuracy")]
        cells += [percent(row["macro_precision"])] if precise else []
        cells += [percent(row["spread"]["uf1"])] if several else []
        cells += [row["protocol"]] if len(protocols) > 1 else []
        cells += [str(row["n_samples"]), subjects_text(row), str(folds or DASH)]
        cells += [str(row["repeats"])] if repeated else []
        cells.append(str(len(row["seeds"])))
        rows.append([*cells, " ".join(row["flags"]) or DASH])
    return Table(headers, rows)


def member_table(scores: Mapping[str, Any]) -> Table:
    """UF1 / UAR of every model on each member dataset of a composite."""
    tested = {member for row in scores["rows"] for member in row["by_dataset"]}
    members = [member for member in scores["members"] if member in tested]
    rows = []
    for _, row in ranked(scores["rows"], scores.get("headline", "uf1")):
        by_dataset = [row["by_dataset"].get(member) for member in members]
        cells = [f"{percent(m['uf1'])} / {percent(m['uar'])}" if m else DASH for m in by_dataset]
        rows.append([row["model"], *cells])
    return Table(["model", *(f"{member} UF1 / UAR" for member in members)], rows)


def clip_table(scores: Mapping[str, Any]) -> Table:
    """UF1, UAR and accuracy of every model on clips, where samples are their frames."""
    rows = []
    for _, row in ranked(scores["rows"], scores.get("headline", "uf1")):
        if (clips := row.get("per_clip")) is not None:
            cells = [with_interval(clips, name) for name in ("uf1", "uar", "accuracy")]
            rows.append([row["model"], *cells, str(clips["n_clips"])])
    return Table(["model", "UF1", "UAR", "accuracy", "clips"], rows)


def class_table(scores: Mapping[str, Any]) -> Table:
    """Recall / precision of every model on each class."""
    names = scores["classes"]
    support = scores["support"] or {}
    headers = ["model", *(f"{name} ({support[name]})" if name in support else name for name in names)]
    rows = []
    for _, row in ranked(scores["rows"], scores.get("headline", "uf1")):
        by_class = [row["per_class"].get(name) for name in names]
        cells = [f"{percent(c['recall'])} / {percent(c['precision'])}" if c else DASH for c in by_class]
        rows.append([row["model"], *cells])
    return Table(headers, rows)


def confusion_table(scores: Mapping[str, Any], row: Row) -> Table:
    """Truth in rows, prediction in columns, summed over seeds."""
    names = scores["classes"]
    cells = [[name, *map(str, counts)] for name, counts in zip(names, row["confusion"], strict=True)]
    return Table(["truth \\ predicted", *names], cells)


def comparison_table(scores: Mapping[str, Any]) -> Table:
    """The difference in UF1 of every two ranked models, with its interval and the paired test."""
    headers = ["better", "worse", "difference in UF1", "p", "p (Holm)"]
    rows = []
    for comparison in scores["comparisons"]:
        low, high = comparison["ci"]
        difference = f"{percent(comparison['difference'])} [{percent(low)}, {percent(high)}]"
        rows.append(
            [*comparison["models"], difference, probability(comparison["p"]), probability(comparison["p_holm"])]
        )
    return Table(headers, rows)


def fold_table(scores: Mapping[str, Any]) -> Table:
    """Scores averaged over folds beside those of the pooled predictions, and how many folds have none."""
    names = {"uf1": "UF1", "uar": "UAR", "accuracy": "accuracy"}
    headers = ["model", *(f"{name}: pooled / by fold" for name in names.values()), "folds without UF1 and UAR"]
    rows = []
    for _, row in ranked(scores["rows"], scores.get("headline", "uf1")):
        if (mean := row.get("per_fold")) is not None:
            cells = [f"{percent(row[name])} / {percent(mean[name])}" for name in names]
            rows.append([row["model"], *cells, f"{mean['undefined_folds']} of {mean['folds']}"])
    return Table(headers, rows)


def markdown(scores: Mapping[str, Any], manifest: Mapping[str, Any]) -> str:
    """Write the page of one run."""
    if nothing_scored(scores):
        parts = [f"# {escape(scores['config'])}", *banners(scores), *setting(scores), _NOTHING_SCORED]
        parts += [escape(_rows_without_scores(scores)), *_training(scores)]
        parts += ["## How this was made", origin(scores, manifest)]
        return "\n\n".join(parts) + "\n"
    intervals = scores["intervals"]
    narrow, shared = _narrow(scores)
    scored = any(row[scores.get("headline", "uf1")] is not None for row in scores["rows"])
    parts = [
        f"# {escape(scores['config'])}",
        *banners(scores),
        *setting(scores),
        *([f"![every row's score with its interval]({FOREST})"] if scored else []),
        narrow.markdown(),
        *([f"{escape(shared[0].upper() + shared[1:])}."] if shared else []),
        *few_subjects.note(scores),
        "Scores are x 100, pooled over folds"
        + (", mean over seeds and repeats of the split" if _several(scores) else "")
        + f". In brackets: {intervals['level']:.0%} interval by bootstrap over {intervals['unit']}s "
        f"({intervals['replicates']} replicates). UF1 is macro F1, UAR macro recall. "
        "A rank is a range where the interval of a difference includes zero: overlapping intervals of two scores "
        "prove nothing, the comparisons below do."
        + (" Rows with other samples or another protocol are ranked apart." if len(scores["parts"]) > 1 else ""),
    ]
    if scores.get("comparisons"):
        parts += ["## Comparisons", comparison_table(scores).markdown(), _comparison_note(scores)]
    if any(row.get("per_fold") for row in scores["rows"]):
        parts += ["## Averaged over folds", fold_table(scores).markdown(), FOLD_NOTE]
    if any(row.get("per_clip") for row in scores["rows"]):
        parts += ["## By clip: mean of the frames' scores", clip_table(scores).markdown()]
    if len(scores["members"]) > 1:
        parts += ["## By dataset", member_table(scores).markdown()]
    parts += ["## By class: recall / precision", class_table(scores).markdown()]
    shown = [row for _, row in ranked(scores["rows"], scores.get("headline", "uf1")) if row["confusion"] is not None]
    if shown:
        parts += ["## Confusion matrices", f"![confusion matrices]({MATRICES})"]
    for row in shown:
        parts += [f"**{escape(row['model'])}**", confusion_table(scores, row).markdown()]
    parts += [*_training(scores), "## How this was made", origin(scores, manifest)]
    if claims := scores.get("paper"):
        parts.append(claimed_and_measured.markdown(claims))
    return "\n\n".join(parts) + "\n"


def _training(scores: Mapping[str, Any]) -> list[str]:
    if not any(row.get("health") for row in scores["rows"]):
        return []
    rows = [row for _, row in ranked(scores["rows"], scores.get("headline", "uf1"))]
    return ["## Training", health_table(rows).markdown(), HEALTH_NOTE]


def banners(scores: Mapping[str, Any]) -> list[str]:
    """Return the warnings that come before everything else."""
    lines = []
    tasks = scores["tasks"]
    if not scores["complete"]:
        lines.append(
            f"> **Incomplete:** {tasks['done']} of {counted(tasks['total'], 'task is', 'tasks are')} done. These are "
            "no results yet."
        )
    if "synthetic" in scores["flags"] and not scores.get("case_study"):  # whose own caveats say it
        lines.append("> **Synthetic data:** made by a program. These figures say nothing about real faces.")
    if UNKNOWN_SUBJECTS in scores["flags"]:
        lines.append("> **Unknown subjects:** the data does not say who is who: one person may stand on both sides.")
    leaks = sorted({flag for part in scores["parts"] for flag in part["flags"] if flag.startswith("leak:")})
    if leaks:
        which = "No row is" if any(flag.startswith("leak:") for flag in scores["flags"]) else "Those rows are not"
        lines.append(f"> **Not honest:** training and test sides overlap ({', '.join(leaks)}). {which} ranked.")
    return lines


FOLD_NOTE = (
    "UF1 and UAR have no meaning on a fold whose test side lacks a class, so their means are over the other folds "
    "alone: another, smaller set of samples than the pooled scores have. Compare with papers that average over folds, "
    "not with each other."
)


def _comparison_note(scores: Mapping[str, Any]) -> str:
    intervals = scores["intervals"]
    n_rows = len({name for one in scores["comparisons"] for name in one["models"]})
    each_with_best = (
        f"Of more than {ALL_PAIRS} rows, each is compared with the best alone; `bench compare RUN RUN --rows A B` "
        "compares any two. "
    )
    return (each_with_best if n_rows > ALL_PAIRS else "") + (
        f"Paired: both models on the same {intervals['unit']}s. The interval of the difference is by bootstrap over "
        f"{intervals['unit']}s; p is that of a permutation test which swaps the two models' predictions "
        f"{intervals['unit']} by {intervals['unit']} ({scores['permutations']} permutations), corrected for the number "
        "of comparisons after Holm."
    )


def setting(scores: Mapping[str, Any]) -> list[str]:
    """Describe the data and the protocol: once where all rows have the same, else for each group of rows."""
    parts, members = scores["parts"], ", ".join(map(escape, scores["members"]))
    lines = []
    for part in parts:
        whose = f"- {', '.join(f'**{escape(row)}**' for row in part['rows'])}: " if len(parts) > 1 else ""
        counts = {**part["support"], **({"no class": part["unlabelled"]} if part.get("unlabelled") else {})}
        support = ", ".join(f"{escape(name)} {count}" for name, count in counts.items())
        of_what = "" if len(parts) > 1 else f" of {members}"
        steps = ", ".join(part["preprocess"]) or "none"
        unit = "frames" if part["unit"] == "frame" else "samples"
        lines.append(
            f"{whose}{part['samples']} {unit}{of_what} ({support}), preprocessing: {escape(steps)}, "
            f"protocol **{escape(part['protocol'])}**{_folds(part)}."
        )
        lines += _excluded(part)
    if len(parts) == 1:
        return [f"Dataset **{escape(scores['dataset'])}**: {lines[0]}", *(["\n".join(lines[1:])] if lines[1:] else [])]
    return [f"Dataset **{escape(scores['dataset'])}** ({members}).", "\n".join(dict.fromkeys(lines))]


def _folds(part: Mapping[str, Any]) -> str:
    """Name the folds where they are few, and give the number of tested samples where not all are."""
    names, samples = part["folds"], part["samples"]
    parts = [", ".join(map(escape, names))] if 0 < len(names) <= _FEW_FOLDS else []
    parts += [f"{part['tested']} tested"] if part["tested"] < samples else []
    return f" ({'; '.join(parts)})" if parts else ""


def _several(scores: Mapping[str, Any]) -> bool:
    return any(len(row["per_seed"]) > 1 for row in scores["rows"])


def rank_text(place: int | None, row: Row, dash: str = "-") -> str:
    """Write a row's rank, a range where the difference to others is not clear; a dash where it has none."""
    if place is None or ("rank" in row and row["rank"] is None):
        return DASH
    low, high = row.get("rank") or (place, place)
    return str(low) if low == high else f"{low}{dash}{high}"


def origin(scores: Mapping[str, Any], manifest: Mapping[str, Any]) -> str:
    """Describe how a run was made."""
    versions = ", ".join(f"{name} {version}" for name, version in manifest["versions"].items())
    lines = [
        f"- command: `{manifest['command']}`",
        f"- commit: {manifest['git_commit'] or 'unknown'}",
        f"- config fingerprint: `{manifest['config_fingerprint']}`",
        "- dataset fingerprint (sample ids and labels): "
        + ", ".join(dict.fromkeys(f"`{part['dataset_fingerprint']}`" for part in scores["parts"])),
        f"- versions: {versions}",
        f"- device: {manifest['device']}; {manifest['machine']['platform']}",
        f"- started {manifest['started']}, ended {manifest['ended'] or 'not yet'}",
    ]
    return "\n".join(lines)


def _excluded(part: Mapping[str, Any]) -> list[str]:
    lines = [f"- excluded, {escape(reason)}: {counted(count, 'clip')}" for reason, count in part["left_out"].items()]
    return [*lines, *(f"- note, {counted(count, 'clip')}: {escape(text)}" for text, count in part["notes"].items())]
