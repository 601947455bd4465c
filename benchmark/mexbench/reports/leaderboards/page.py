"""A leaderboard's rows -> its markdown page. The same rows give the same page, to the byte."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from mexbench.errors import counted
from mexbench.metrics import few_subjects
from mexbench.metrics.classification import HEADLINE, LEVEL, REPLICATES
from mexbench.metrics.significance import PERMUTATIONS, Comparison
from mexbench.reports import run_page
from mexbench.reports.forest_svg import constant_score
from mexbench.reports.leaderboards.plugin_code import is_third_party
from mexbench.reports.leaderboards.rows import BoardRow, BoardRows, ClaimBeside, Section
from mexbench.reports.leaderboards.stated import STATED
from mexbench.reports.leaderboards.statistics import cost_text, drawings, forest_section, is_floor, sections
from mexbench.reports.leaderboards.tuned import NOTE as TUNED_NOTE
from mexbench.reports.leaderboards.tuned import tuned_table
from mexbench.tables import DASH, Table, escape, percent, probability, subjects_text, with_interval

#: Score -> what pages call it.
NAMES = {"uf1": "UF1", "uar": "UAR", "accuracy": "accuracy"}
#: Section -> its heading, and what it holds.
HEADINGS: Mapping[Section, tuple[str, str]] = {
    "honest": ("Honest", "Nothing is known to be on both sides of a fold."),
    "flagged": (
        "Flagged",
        "The flags say what is wrong with these figures, such as a person on both sides of a fold, or values that were "
        "chosen with scores of test samples in view (`selection:seen-test`). They have no rank.",
    ),
    "synthetic": (
        "Synthetic",
        "Made-up data: these figures show that the program runs, and say nothing about real faces.",
    ),
}


def pages(board: BoardRows) -> dict[str, str]:
    """Return the page and its drawings: name of the file -> text."""
    drawn = drawings(board)
    return {f"{board.definition.name}.md": markdown(board, tuple(drawn)), **drawn}


def markdown(board: BoardRows, drawn: Sequence[str] = ()) -> str:
    """Write the page; ``drawn`` names the drawings beside it."""
    definition = board.definition
    parts = [
        f"# {escape(definition.title)}",
        *([escape(definition.note)] if definition.note else []),
        _setting(board),
    ]
    for section, (heading, text) in HEADINGS.items():
        if rows := [row for row in board.section(section) if not is_floor(row)]:
            parts += [f"## {heading}", text, brief_table(board, rows, chance=section != "flagged").markdown()]
            shown = [file for file in drawn if file.endswith("_forest.svg") and section == forest_section(board)]
            parts += [f"![every row's score with its interval]({file})" for file in shown]
    if not board.rows:
        parts.append("No row has been submitted yet.")
    else:
        parts += [legend(board), *sections(board, drawn)]
    if claims := [(row, beside) for row in board.rows for beside in row.claims]:
        parts += ["## Claimed beside measured", claims_table(claims).markdown(), _CLAIMS]
    for section, comparisons in board.comparisons.items():
        if comparisons:
            also = f", {section}" if sum(bool(tested) for tested in board.comparisons.values()) > 1 else ""
            parts += [f"## Comparisons{also}", comparison_table(board, comparisons).markdown(), COMPARISONS]
    if board.rows:
        parts += [*_details(board), "## What each row costs", _costs(board).markdown()]
        parts += ["## Where each row comes from", _origins(board).markdown(), _ORIGINS]
        if codes := [row for row in board.rows if is_third_party(row.entry.model.distribution)]:
            parts += ["## Code of third-party plugins", _CODES, "\n".join(map(_code_line, codes))]
    return "\n\n".join(parts) + "\n"


def main_table(board: BoardRows, rows: Sequence[BoardRow]) -> Table:
    """Rank, scores with intervals and all that they are based on, for a page that has room."""
    order = score_order(board)
    headers = ["rank", "model", *(NAMES[name] for name in order), "subjects", "seeds"]
    headers += ["parameters", "ms per sample", "flags", "plugin", "date"]
    cells = []
    for row in rows:
        entry, figures = row.entry, row.entry.figures
        line = [rank_text(row.rank), row.name, *(with_interval(figures, name) for name in order)]
        line += [subjects_text({**figures, "flags": entry.flags}), str(len(entry.seeds))]
        flags = " ".join(entry.flags) or DASH
        took = entry.costs.predict_ms_per_sample
        line += [DASH if entry.model.parameters is None else f"{entry.model.parameters:,}"]
        line += [DASH if took is None else f"{took:.3g}"]
        cells.append([*line, flags, f"{entry.model.plugin}, {entry.model.distribution}", entry.origin.ended[:10]])
    return Table(headers, cells)


def brief_table(board: BoardRows, rows: Sequence[BoardRow], *, chance: bool) -> Table:
    """Return what fits a page of 830 pixels: the score that ranks with its interval, the others, seeds and flags.

    Args:
        board: The board.
        rows: Its rows to show.
        chance: Whether a last line says what a constant answer gets.
    """
    first, *others = score_order(board)
    flagged = any(row.entry.flags for row in rows)
    cells = []
    for row in rows:
        figures, flags = row.entry.figures, " ".join(row.entry.flags) or DASH
        scores = [with_interval(figures, first), *(percent(figures[name]) for name in others)]
        cells.append([rank_text(row.rank), row.name, *scores, str(len(row.entry.seeds)), *([flags] if flagged else [])])
    if chance:
        scores = [percent(constant_score(list(board.support.values()), name)) for name in (first, *others)]
        cells.append([DASH, "chance (constant answer)", *scores, DASH, *([DASH] if flagged else [])])
    names = [NAMES[name] for name in (first, *others)]
    return Table(["rank", "model", *names, "seeds", *(["flags"] if flagged else [])], cells)


def interval_table(board: BoardRows, rows: Sequence[BoardRow]) -> Table:
    """Return every score with its interval, and the number of subjects behind it."""
    order = score_order(board)
    cells = [
        [
            row.name,
            *(with_interval(row.entry.figures, name) for name in order),
            subjects_text({**row.entry.figures, "flags": row.entry.flags}),
        ]
        for row in rows
    ]
    return Table(["model", *(NAMES[name] for name in order), "subjects"], cells)


def claims_table(claims: Sequence[tuple[BoardRow, ClaimBeside]]) -> Table:
    """What documents print of a method, beside what the row measured on the same data."""
    headers = ["model", "tested on", "document", "its split", "claimed", "measured here"]
    cells = []
    for row, beside in claims:
        claim, scores = beside.claim, beside.scores
        shown = [f"{name} {percent(scores[name])}" for name in ("accuracy", "uf1", "uar") if name in scores]
        where = f"{beside.source}, {claim.method} ({claim.where})"
        cells.append([row.name, beside.member or "all", where, claim.split, claim.shown(), " / ".join(shown) or DASH])
    return Table(headers, cells)


def _setting(board: BoardRows) -> str:
    definition = board.definition
    support = ", ".join(f"{escape(name)} {count}" for name, count in board.support.items())
    folds = len({question.fold for question in definition.questions})
    people = len({question.subject for question in definition.questions if question.subject})
    rest = {key: value for key, value in definition.protocol.items() if key != "plugin"}
    lines = [
        f"- data set **{escape(definition.dataset)}** ({', '.join(map(escape, board.members))}): "
        f"{counted(len(definition.truths), 'sample')} of {counted(people, 'subject')} ({support}); fingerprint "
        f"`{definition.fingerprint}`",
        f"- protocol **{escape(definition.protocol['plugin'])}**, {counted(folds, 'fold')}"
        + (
            f"; {', '.join(f'{escape(key)}: {escape(json.dumps(value))}' for key, value in rest.items())}"
            if rest
            else ""
        ),
        f"- ranked by {NAMES[definition.headline]}; epochs of the code that are accepted: "
        f"{', '.join(map(str, definition.epochs))}",
        "- each row can be scored again from its predictions: `bench leaderboard verify`; this page is what "
        "`bench leaderboard render` makes of them",
    ]
    return "\n".join(lines)


def legend(board: BoardRows) -> str:
    """Say how to read the main table."""
    few = few_subjects.why_none([len(board.groups)], _unit(board))
    return (f"{few} " if few else "") + (
        "Scores are x 100, pooled over folds and averaged over seeds. In brackets: "
        f"{LEVEL:.0%} interval by bootstrap over {_unit(board)}s ({REPLICATES} replicates). UF1 is macro F1, UAR "
        "macro recall. A rank is a range where the interval of a difference includes zero; all pairs are compared. "
        "Parameters are the values of a network, running statistics included; a dash stands for a model that has no "
        "layers to count. Scores follow from the predictions, and flags of data and protocol from this board; no "
        f"verification shows that a model made the predictions. Stated by the submitter: {STATED}."
    )


def _unit(board: BoardRows) -> str:
    return "subject" if any(question.subject for question in board.definition.questions) else "clip"


_CLAIMS = (
    "Figures of documents are given as printed; [claims.md](claims.md) asks which of them can be. A difference has "
    "many possible causes: other data, another split, another training."
)
COMPARISONS = (
    "Paired, each row against the leader and against the row behind it: to test every two rows would take a number of "
    f"tests that grows with the square of the rows. p is that of a permutation test over subjects ({PERMUTATIONS} "
    "permutations), corrected after Holm for the tests in this table. Rows are paired seed by seed; where they have "
    "other numbers of seeds, each seed of one with each of the other."
)
_ORIGINS = (
    "Files are in the folder of results beside this page, and have the whole commit. A commit that ends in `-dirty` "
    "had changes that were not committed. The config to run a row again is in its file, under `origin.config`."
)


_CODES = (
    "As the metadata of their distributions say. `code-unavailable` flags a row whose plugin names neither an install "
    "line nor an address: nobody else can run it."
)


def code_parts(row: BoardRow) -> list[tuple[str, str]]:
    """Return what is known of a third-party plugin's code: pairs of a heading and a text."""
    code = row.entry.model.code
    if code is None:
        return []
    used = ", ".join(f"{name} {version}" for name, version in code.dependencies.items())
    parts = [
        ("install", code.install),
        ("address", code.address),
        ("commit", code.commit),
        ("paper", code.paper),
        ("authors", code.authors),
        ("licence", code.licence),
        ("used with", used or None),
    ]
    return [(name, text) for name, text in parts if text]


def _code_line(row: BoardRow) -> str:
    parts = [f"{name} `{text}`" if name == "install" else f"{name} {escape(text)}" for name, text in code_parts(row)]
    return f"- **{escape(row.name)}** ({escape(row.entry.model.distribution)}): {'; '.join(parts) or 'nothing known'}"


def comparison_table(board: BoardRows, comparisons: Sequence[Comparison]) -> Table:
    """Paired tests: the difference of two rows in the score that ranks."""
    name = NAMES[board.definition.headline]
    cells = []
    for comparison in comparisons:
        low, high = map(percent, comparison.interval)
        difference = f"{percent(comparison.difference)} [{low}, {high}]"
        cells.append(
            [comparison.first, comparison.second, difference, probability(comparison.p), probability(comparison.p_holm)]
        )
    return Table(["better", "worse", f"difference in {name}", "p", "p (Holm)"], cells)


def detail_tables(board: BoardRows) -> list[tuple[str, Table, str]]:
    """Return the tables that a run's page has as well: heading, table, and a note, which may be empty."""
    scores = _scores(board)
    parts = []
    if any(row["per_fold"] for row in scores["rows"]):
        parts.append(("Averaged over folds", run_page.fold_table(scores), run_page.FOLD_NOTE))
    if len(board.members) > 1:
        parts.append(("By dataset", run_page.member_table(scores), ""))
    parts.append(("By class: recall / precision", run_page.class_table(scores), ""))
    if chosen := [(row.name, row.entry.tuning) for row in board.rows if row.entry.tuning is not None]:
        parts.append(("Chosen inside each training side", tuned_table(chosen), TUNED_NOTE))
    return parts


def _details(board: BoardRows) -> list[str]:
    scores = _scores(board)
    parts = ["## Scores with their intervals", interval_table(board, board.rows).markdown()]
    for heading, table, note in detail_tables(board):
        parts += [f"## {heading}", table.markdown(), *([note] if note else [])]
    parts += ["## Confusion matrices", "Truth in rows, prediction in columns, summed over seeds."]
    for _, row in run_page.ranked(scores["rows"], board.definition.headline):
        parts += [f"**{escape(row['model'])}**", run_page.confusion_table(scores, row).markdown()]
    return parts


def _scores(board: BoardRows) -> dict[str, Any]:
    """Return the rows as ``scores.json`` of a run has them."""
    return {
        "rows": [row.scored() for row in board.rows],
        "headline": board.definition.headline,
        "classes": board.definition.classes,
        "members": board.members,
        "support": board.support,
    }


def _costs(board: BoardRows) -> Table:
    """Size, time and machine of each row."""
    cells = []
    for row in board.rows:
        entry = row.entry
        took, size = entry.costs.predict_ms_per_sample, entry.model.parameters
        cells.append([
            row.name,
            DASH if size is None else f"{size:,}",
            cost_text(row),
            DASH if took is None else f"{took:.3g} ms",
            f"{entry.origin.device}, {entry.origin.machine}",
        ])  # fmt: skip
    return Table(["model", "parameters", "cost of one seed", "a sample", "computed on"], cells)


def _origins(board: BoardRows) -> Table:
    """Plugin, code and date of each row."""
    cells = []
    for row in board.rows:
        entry, origin = row.entry, row.entry.origin
        digits, dash, dirty = (origin.commit or DASH).partition("-") if origin.commit else (DASH, "", "")
        version = f"{entry.model.plugin}, {entry.model.distribution}"
        cells.append([row.name, version, str(origin.epoch), f"{digits[:10]}{dash}{dirty}", origin.ended[:10]])
    return Table(["model", "plugin, version", "epoch", "commit", "date"], cells)


def score_order(board: BoardRows) -> list[str]:
    """Return the scores of a table, the one that ranks first."""
    return sorted(HEADLINE, key=lambda name: name != board.definition.headline)


def rank_text(rank: tuple[int, int] | None) -> str:
    """Write a rank, a range where the difference of rows is not clear, a dash where there is none."""
    if rank is None:
        return DASH
    low, high = rank
    return str(low) if low == high else f"{low}-{high}"
