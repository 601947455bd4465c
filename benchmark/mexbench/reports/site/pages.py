"""Rows -> the pages of a site. The same rows give the same pages, to the byte.

The templates escape whatever they are given; only drawings and the style sheet are markup already.
"""

from __future__ import annotations

import base64
import hashlib
import urllib.parse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from mexbench.errors import counted
from mexbench.reports.claim_verdicts import ClaimVerdict
from mexbench.reports.leaderboards import page
from mexbench.reports.leaderboards import submission as files
from mexbench.reports.leaderboards.curves import Point
from mexbench.reports.leaderboards.rows import BoardRow, BoardRows
from mexbench.reports.leaderboards.statistics import floor_table, is_floor
from mexbench.reports.site import charts, state_page
from mexbench.reports.site.audits import AuditSummary
from mexbench.reports.site.board_charts import board_charts
from mexbench.reports.site.config_text import commands, yaml_text
from mexbench.reports.site.downloads import downloads
from mexbench.reports.site.links import doi_link, external, linked
from mexbench.reports.site.paper_tables import PaperTables, page_values
from mexbench.reports.site.plugins import HEADINGS, PluginAbout, named
from mexbench.reports.site.recalls import recalls_by_member
from mexbench.reports.site.state_page import StateOfTheArt
from mexbench.reports.site.stress_tests import StressSummary
from mexbench.reports.site.study_sections import audit_section, claims_lines, stress_section
from mexbench.reports.spotting_boards import page as spotting_page
from mexbench.reports.spotting_boards.page import SpottingRows
from mexbench.studies.claims.claims import Claims
from mexbench.studies.claims.judge import STATUSES
from mexbench.studies.claims.methods import SELECTIONS, MethodCode
from mexbench.tables import DASH, Table, percent, with_interval

#: Subjects, or clips, past which a row's page draws them and does not list them.
MOST_LISTED = 300
_CONTENT = Path(__file__).parent / "templates"


@dataclass(frozen=True)
class SiteLine:
    """A line of a table of rows: its cells, with what the filters and the links need.

    Args:
        row: Whose.
        board: Where it stands.
        cells: Header -> text.
        mark: Drawing of its score and interval.
    """

    row: BoardRow
    board: BoardRows
    cells: Mapping[str, str]
    mark: Markup

    @property
    def kind(self) -> str:
        """Where its data comes from."""
        return kind_of(self.row)


def kind_of(row: BoardRow) -> str:
    """Return the kind of data that a row was measured on."""
    return "synthetic" if row.section == "synthetic" else "real"


def board_path(board: BoardRows) -> str:
    """Return the place of a board's page."""
    return f"boards/{board.definition.name}.html"


def spotting_path(rows: SpottingRows) -> str:
    """Return the place of the page of a board of spotters."""
    return f"boards/{rows.board.name}.html"


def row_path(board: BoardRows, row: BoardRow) -> str:
    """Return the place of a row's page: a file's name that no model's name can lead out of its folder."""
    return f"rows/{board.definition.name}/{files.file_name(row.name).removesuffix('.json')}.html"


@dataclass(frozen=True)
class Studies:
    """What is shown beside the leaderboards.

    Args:
        claims: Published figures, for a page of their own.
        audits: To show beside the rows that they are about.
        stress_tests: As well.
        papers: The papers' tables, for a page of their own.
        spotting: Leaderboards of spotters, each for a page of its own.
        verdicts: On the claims, by their ids; empty where they were not judged.
        methods: The public codes that claims name.
        state: What is known of each published method, for a page of its own.
        plugins: What rows name, by kind and name, for a page of its own.
    """

    claims: Claims | None = None
    audits: Sequence[AuditSummary] = ()
    stress_tests: Sequence[StressSummary] = ()
    papers: PaperTables | None = None
    spotting: Sequence[SpottingRows] = ()
    verdicts: Mapping[str, ClaimVerdict] = field(default_factory=dict)
    methods: Sequence[MethodCode] = ()
    state: StateOfTheArt | None = None
    plugins: Mapping[tuple[str, str], PluginAbout] = field(default_factory=dict)


def site(boards: Sequence[BoardRows], studies: Studies | None = None) -> dict[str, str]:
    """Make every page.

    Args:
        boards: In the order of their names.
        studies: What is shown beside them.

    Returns:
        Path inside the site -> text.
    """
    studies = studies or Studies()
    claims = studies.claims
    writer = _Writer(studies)
    pages = {"index.html": writer.page("index.html", "index.html", **_index(boards, studies))}
    for rows in studies.spotting:
        path = spotting_path(rows)
        pages[path] = writer.page(path, "spotting_board.html", **_spotting_board(rows))
    for board in boards:
        pages[board_path(board)] = writer.page(board_path(board), "board.html", **_board(board, studies))
        for row in board.rows:
            pages[row_path(board, row)] = writer.page(row_path(board, row), "row.html", **_row(board, row, studies))
    if claims is not None:
        pages["claims.html"] = writer.page("claims.html", "claims.html", **_claims(claims, boards, studies))
    if studies.state is not None:
        values = state_page.page_values(studies.state)
        pages["state_of_the_art.html"] = writer.page("state_of_the_art.html", "state_of_the_art.html", **values)
    if studies.plugins:
        by_kind = {kind: [one for one in studies.plugins.values() if one.kind == kind] for kind in HEADINGS}
        pages["plugins.html"] = writer.page("plugins.html", "plugins.html", by_kind=by_kind, headings=HEADINGS)
    if studies.papers is not None:
        pages["papers.html"] = writer.page("papers.html", "papers.html", **page_values(studies.papers))
    return pages


class _Writer:
    """The templates, with what every page needs."""

    def __init__(self, studies: Studies) -> None:
        self.environment = Environment(
            loader=PackageLoader("mexbench.reports.site"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            keep_trailing_newline=True,
        )
        style, script = ((_CONTENT / name).read_text(encoding="utf-8") for name in ("site.css", "site.js"))
        self.environment.globals |= {
            "style": Markup(style),  # noqa: S704 - our own
            "script": Markup(script),  # noqa: S704 - our own
            "policy": _policy(style, script),
            "has_claims": studies.claims is not None,
            "has_papers": studies.papers is not None,
            "has_state": studies.state is not None,
            "plugins": studies.plugins,
            "counted": counted,
            "named": lambda config: list(dict.fromkeys(named(config))),
            "linked": linked,
            "external": external,
            "doi_link": doi_link,
            "names": page.NAMES,
            "percent": percent,
            "with_interval": with_interval,
            "rank_text": page.rank_text,
            "kind_of": kind_of,
            "board_path": board_path,
            "row_path": row_path,
            "spotting_path": spotting_path,
        }

    def page(self, path: str, template: str, **values: object) -> str:
        """Fill a template; ``link`` in it leads from the page to another path of the site."""
        up = "../" * path.count("/")
        return self.environment.get_template(template).render(link=lambda to: up + urllib.parse.quote(to), **values)


def _policy(style: str, script: str) -> str:
    """Allow the page its own style and script, and no request: to no host, and to no file."""
    styles, scripts = (
        f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'" for text in (style, script)
    )
    return (
        f"default-src 'none'; style-src {styles}; script-src {scripts}; img-src data:; base-uri 'none'; "
        "form-action 'none'"
    )


def is_synthetic(board: BoardRows) -> bool:
    """Whether all that a board can hold is made up."""
    return "synthetic" in board.definition.flags


def _index(boards: Sequence[BoardRows], studies: Studies) -> dict[str, Any]:
    """Return what the index shows: real leaderboards and rows, the newest first, and synthetic ones apart."""

    def newest(board: BoardRows) -> str:
        return max((row.entry.origin.ended for row in board.rows), default="")

    real = sorted((board for board in boards if not is_synthetic(board)), key=newest, reverse=True)
    synthetic = [board for board in boards if is_synthetic(board)]
    lines = sorted(_every_line(boards), key=lambda line: line.row.entry.origin.ended, reverse=True)
    real_lines = [line for line in lines if line.kind == "real"]
    return {
        "tables_of_boards": [
            (heading, found)
            for heading, found in (("Leaderboards", real), ("Synthetic leaderboards", synthetic))
            if found
        ],
        "newest": {board.definition.name: newest(board)[:10] for board in boards},
        "latest": [line for line in real_lines if line.row.rank is not None and not is_floor(line.row)][:1],
        "lines": lines,
        "groups": [
            (heading, found)
            for heading, found in (
                ("All rows", real_lines),
                ("Synthetic rows", [line for line in lines if line.kind == "synthetic"]),
            )
            if found
        ],
        "spotting": sorted(studies.spotting, key=lambda rows: "synthetic" in rows.board.flags),
    }


def _claims(claims: Claims, boards: Sequence[BoardRows], studies: Studies) -> dict[str, Any]:
    """Return what the page of published figures shows."""
    methods = {method.id: method for method in studies.methods}
    lines = claims_lines(claims, boards)
    for line in lines:
        line["verdict"] = studies.verdicts.get(line["claim"].id)
        line["method"] = methods.get(line["claim"].code)
    statuses = [verdict.status for verdict in studies.verdicts.values()]
    return {
        "claims": lines,
        "counts": {status: statuses.count(status) for status in STATUSES} if statuses else {},
        "sources": claims.sources,
        "methods": [(method, SELECTIONS[method.selection], state_page.code_link(method)) for method in studies.methods],
    }


def _every_line(boards: Sequence[BoardRows]) -> list[SiteLine]:
    """Return the rows of all boards, for one table."""
    lines = []
    for board in boards:
        for line in _lines(board, board.rows):
            cells = {name: line.cells[name] for name in ("rank", "model", *page.NAMES.values(), "flags")}
            definition = board.definition
            cells |= {"leaderboard": definition.name, "data set": definition.dataset}
            cells |= {"plugin": line.cells["plugin"], "date": line.cells["date"]}
            lines.append(SiteLine(line.row, board, cells, line.mark))
    return lines


def _lines(board: BoardRows, rows: Sequence[BoardRow]) -> list[SiteLine]:
    table = page.main_table(board, rows)
    return [
        SiteLine(row, board, dict(zip(table.headers, cells, strict=True)), _mark(board, row))
        for row, cells in zip(rows, table.rows, strict=True)
    ]


def _mark(board: BoardRows, row: BoardRow) -> Markup:
    figures, name = row.entry.figures, board.definition.headline
    return charts.interval_mark(figures[name], figures["ci"][name])


def _board(board: BoardRows, studies: Studies) -> dict[str, Any]:
    sections = [
        (heading, text, _lines(board, rows))
        for section, (heading, text) in page.HEADINGS.items()
        if (rows := board.section(section))
    ]
    claims = [(row, beside) for row in board.rows for beside in row.claims]
    return {
        "board": board,
        "sections": sections,
        "legend": page.legend(board),
        "charts": board_charts(board, studies.audits),
        "floors": floor_table(board) if board.rows else None,
        "config": board.rows[0].entry.origin.config if board.rows else {},
        "downloads": downloads(board) if board.rows else [],
        "claims": page.claims_table(claims) if claims else None,
        "comparisons": [
            (section, page.comparison_table(board, rows)) for section, rows in board.comparisons.items() if rows
        ],
        "comparisons_note": page.COMPARISONS,
        "details": page.detail_tables(board) if board.rows else [],
    }


def _spotting_board(rows: SpottingRows) -> dict[str, Any]:
    return {
        "board": rows.board,
        "synthetic": spotting_page.SYNTHETIC if "synthetic" in rows.board.flags else "",
        "setting": spotting_page.setting(rows.board),
        "main_table": spotting_page.main_table(rows) if rows.rows else None,
        "legend": spotting_page.legend(rows.board),
        "details": spotting_page.detail_tables(rows),
    }


def _row(board: BoardRows, row: BoardRow, studies: Studies) -> dict[str, Any]:
    figures, definition = row.entry.figures, board.definition
    correct = row.counts.matrices.sum(axis=0).trace(axis1=1, axis2=2)
    answers = row.counts.matrices.sum(axis=(0, 2, 3))
    people = {name: (int(a), int(r)) for name, a, r in zip(board.groups, answers, correct, strict=True) if a}
    unit = "subject" if any(question.subject for question in definition.questions) else "clip"
    config = yaml_text(row.entry.origin.config)
    compared = [c for comparisons in board.comparisons.values() for c in comparisons if row.name in (c.first, c.second)]
    return {
        "board": board,
        "row": row,
        "kind": kind_of(row),
        "scores": _score_table(board, row),
        "matrix": [
            (name, [(count, count / max(sum(counts), 1)) for count in counts])
            for name, counts in zip(definition.classes, figures["confusion"], strict=True)
        ],
        "recalls": recalls_by_member(board, row),
        "classes_chart": charts.class_bars(figures["per_class"]),
        "classes": _class_table(figures["per_class"]),
        "people_chart": charts.subject_columns({name: r / a for name, (a, r) in people.items()}, unit),
        "people": _people_table(people, unit) if len(people) <= MOST_LISTED else None,
        "unit": unit,
        "members": _member_table(figures["by_dataset"]),
        "seeds": _seed_table(figures["per_seed"]),
        "curves": [
            (name, charts.curve(name, points, index), _curve_table(points))
            for index, (name, points) in enumerate(row.entry.curves.items())
            if points
        ],
        "audits": [audit_section(audit, effects) for audit in studies.audits if (effects := audit.of(board, row))],
        "stress_tests": [stress_section(test, rows) for test in studies.stress_tests if (rows := test.of(board, row))],
        "claims": page.claims_table([(row, beside) for beside in row.claims]) if row.claims else None,
        "comparisons": page.comparison_table(board, compared) if compared else None,
        "code": page.code_parts(row),
        "config": config,
        "commands": commands(row, definition.name, config),
    }


def _score_table(board: BoardRows, row: BoardRow) -> Table:
    """Every score of a row, the one that ranks first: with its interval, its spread over seeds, its mean over folds."""
    figures = row.entry.figures
    cells = []
    for name in page.score_order(board):
        fold = (figures.get("per_fold") or {}).get(name)
        cells.append([page.NAMES[name], with_interval(figures, name), percent(figures["spread"][name]), percent(fold)])
    for name, shown in (("macro_precision", "macro precision"), ("weighted_f1", "F1 weighted by class size")):
        cells.append([shown, percent(figures[name]), percent(figures["spread"][name]), DASH])
    return Table(["score", "pooled [interval]", "spread over seeds", "mean over folds"], cells)


def _class_table(per_class: Mapping[str, Mapping[str, float | None]]) -> Table:
    rows = [
        [name, *(percent(scores[key]) for key in ("recall", "precision", "f1")), f"{scores['support'] or 0:g}",
         f"{scores['predicted'] or 0:g}"]
        for name, scores in per_class.items()
    ]  # fmt: skip
    return Table(["class", "recall", "precision", "F1", "samples", "predicted"], rows)


def _people_table(people: Mapping[str, tuple[int, int]], unit: str) -> Table:
    rows = [
        [name, str(answers), str(correct), percent(correct / answers)] for name, (answers, correct) in people.items()
    ]
    return Table([unit, "answers", "right", "share x 100"], rows)


def _member_table(members: Mapping[str, Mapping[str, Any]]) -> Table | None:
    rows = [
        [name, str(scores["n_samples"]), *(percent(scores[key]) for key in page.NAMES)]
        for name, scores in members.items()
    ]
    return Table(["data set", "samples", *page.NAMES.values()], rows) if len(rows) > 1 else None


def _seed_table(runs: Sequence[Mapping[str, Any]]) -> Table | None:
    rows = [[str(run["seed"]), str(run["repeat"] + 1), *(percent(run[key]) for key in page.NAMES)] for run in runs]
    return Table(["seed", "repeat", *page.NAMES.values()], rows) if len(rows) > 1 else None


def _curve_table(points: Sequence[Point]) -> Table:
    rows = [[f"{epoch}", *(f"{value:.4g}" for value in values)] for epoch, *values in points]
    return Table(["epoch", "mean", "10th percentile", "90th percentile"], rows)
