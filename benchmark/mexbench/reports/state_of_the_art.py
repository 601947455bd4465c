"""One page for all published methods: claimed, by the authors' own rule, honest, tuned alike. No figure is typed in.

Honest and tuned scores are rows of a leaderboard, claims come from ``claims.yaml``, rules from ``methods.yaml``, and
the scores under a rule from the reports of ``bench audit`` that are kept as ``audits/*.json`` beside the leaderboards.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from mexbench.errors import BoardError, counted, listed
from mexbench.files import read_json
from mexbench.reports import svg
from mexbench.reports.leaderboards.rows import BoardRow, BoardRows
from mexbench.reports.leaderboards.statistics import detectable_text, floor_table, is_floor, pairwise_tests
from mexbench.runs.plot_style import BLUE, GREEN, GREY, ORANGE, RULE
from mexbench.studies.claims.claims import Claims
from mexbench.studies.claims.methods import MethodCode
from mexbench.tables import DASH, Table, percent, with_interval

PAGE, DRAWING = "state_of_the_art.md", "state_of_the_art.svg"
#: The leaderboard whose rows the page shows, and those of other recomputed pictures of the same 442 clips, from which
#: methods are taken that it does not have.
BOARD, OTHER_BOARDS = "loso_megc2019_flow", ("loso_causalnet_maps",)
BOARDS = (BOARD, *OTHER_BOARDS)
NOT_RUN = "not run"
_DATA = "UF1 x 100 on the 442 clips of the composite, leave-one-subject-out; in brackets the 95% interval over subjects"
#: Word of the table -> what it means.
MEANINGS = {
    "claimed": "is as printed",
    "by its authors' rule": "is what our training of the method scores when its epoch is chosen as its public code "
    "does it, and beside it what a predictor that guesses scores under that rule",
    "honest": "is the last epoch of the published recipe",
    "tuned alike": "has its settings and epochs chosen inside each training side",
    "not run": "says that no run of it is on a board",
    "on ...": "names other recomputed pictures of the same clips, where the method was made for those",
}
_RULE = "authors-rule"
#: Letters of a line of a method's title in the drawing.
_LETTERS = 32


@dataclass(frozen=True)
class BoardScore:
    """A row and the leaderboard that it is on."""

    board: BoardRows
    row: BoardRow

    @property
    def uf1(self) -> float:
        """UF1 x 100."""
        return 100 * float(self.row.entry.figures["uf1"])


@dataclass(frozen=True)
class MethodLine:
    """A method on the page.

    Args:
        method: Its public code.
        claimed: UF1 as printed, and the same x 100; None where none is listed.
        rule: What ``bench audit`` measured under the authors' rule; None where it was not run, or there is no rule.
        honest: Its row with the recipe of the paper, last epoch.
        tuned: Its row with values chosen inside each training side.
    """

    method: MethodCode
    claimed: tuple[str, float] | None
    rule: dict[str, Any] | None
    honest: BoardScore | None
    tuned: BoardScore | None


def read_audits(root: Path) -> list[dict[str, Any]]:
    """Return what ``audits/*.json`` beside the leaderboards have of the authors' rules.

    Raises:
        BoardError: A file is not the report of an audit; the text says where.
    """
    rows = []
    for path in sorted((root / "audits").glob("*.json")):
        if path.name.endswith("stress.json"):  # of 'bench audit --stress', which is about other things
            continue
        try:
            report = read_json(path, follow_links=False)
            measured = [row for row in report["rows"] if (row["leak"], row["status"]) == (_RULE, "measured")]
            rows += [_RuleRow.model_validate(row).model_dump() for row in measured]
        except ValidationError as error:
            first = error.errors()[0]
            text = f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
            raise BoardError(f"{path}: is not an audit.json of 'bench audit': {text}") from None
        except (ValueError, KeyError, TypeError) as error:
            raise BoardError(f"{path}: is not an audit.json of 'bench audit': {error!r}") from None
    return rows


_Finite = Annotated[float, Field(allow_inf_nan=False)]


class _RuleRow(BaseModel):
    """A row of an audit, as far as the page shows it: UF1 under the authors' rule, and what a random predictor has."""

    model_config = ConfigDict(strict=True)

    class Score(BaseModel):
        """UF1 alone."""

        uf1: _Finite

    class Bounds(BaseModel):
        """Ends of the interval of UF1."""

        uf1: Annotated[list[_Finite], Field(min_length=2, max_length=2)]

    class Guesses(BaseModel):
        """Mean and range of UF1."""

        uf1: Annotated[list[_Finite], Field(min_length=3, max_length=3)]

    model: str
    note: str
    leaky: Score
    inflation: Score
    ci: Bounds | None
    null: Guesses


def method_lines(
    boards: Sequence[BoardRows], claims: Claims, methods: Sequence[MethodCode], audits: Sequence[dict[str, Any]]
) -> list[MethodLine]:
    """Bring together what is known of each method; where several boards have rows of it, the first one's are taken."""
    lines = []
    for method in methods:
        scores = [BoardScore(board, row) for board in boards for row in board.rows
                  if row.entry.model.plugin in method.plugins]  # fmt: skip
        plain = [score for score in scores if not _is_tuned(score.row)]
        names = {score.row.name for score in plain} | set(method.plugins)
        rule = next((audit for audit in audits if audit["model"] in names), None)
        tuned = next((score for score in scores if _is_tuned(score.row)), None)
        lines.append(MethodLine(method, _claimed(method, claims), rule, plain[0] if plain else None, tuned))
    return sorted(lines, key=lambda line: (-(line.claimed[1] if line.claimed else 0), line.method.title))


def _is_tuned(row: BoardRow) -> bool:
    return bool(row.entry.origin.config["models"][0].get("tune"))


def _claimed(method: MethodCode, claims: Claims) -> tuple[str, float] | None:
    measured = tuple(f"{board}/{plugin}" for board in BOARDS for plugin in method.plugins)
    for claim in claims.claims:
        mine = claim.code == method.id or bool(set(measured) & set(claim.measured.values()))
        if mine and claim.dataset == "MEGC 2019 full" and (figure := claim.figures.get("f1")):
            value = float(figure.printed) * (1 if (figure.unit or claim.unit) == "percent" else 100)
            return figure.printed, value
    return None


def markdown(boards: Sequence[BoardRows], lines: Sequence[MethodLine]) -> str:
    """Write the page."""
    board = boards[0]
    parts = [
        "# The state of the art on MEGC 2019, under one rule",
        summary_text(lines),
        f"![claimed, by the authors' rule, and honest]({DRAWING})",
        lines_table(lines).markdown(),
        "; ".join([_DATA, *(f"*{name}* {text}" for name, text in MEANINGS.items())]) + ".",
        "## Models for comparison",
        others_table(board, lines).markdown(),
        "## Floors",
        floor_table(board).markdown(),
    ]
    if tests := pairwise_tests(board):
        parts.append(detectable_text(board, tests))
    links = listed(f"[{one.definition.name}.md]({one.definition.name}.md)" for one in boards)
    parts.append(
        f"`bench leaderboard render` writes this page from {links}, `claims.yaml`, `methods.yaml` and the audits in "
        "`audits/`."
    )
    return "\n\n".join(parts) + "\n"


def summary_text(lines: Sequence[MethodLine]) -> str:
    """Return what a journalist could print, from the figures alone."""
    known = [line for line in lines if line.method.selection != "unknown"]
    dirty = [line for line in known if not line.method.clean]
    clean = [line.method.title for line in known if line.method.clean]
    text = (
        f"Of {len(lines)} published methods for recognising micro-expressions, {len(known)} have public code that was "
        f"read; in {len(dirty)} of them the moment at which training stops is chosen by the very people on whom the "
        f"method is then tested. Not so in {', '.join(clean) or 'any'}: their codes use no test data in this choice."
    )
    if claimed := [line.claimed[1] for line in lines if line.claimed]:
        text += f" Claimed scores go up to {max(claimed):.2f} of 100."
    if measured := [line for line in lines if line.rule is not None]:
        gains = [100 * line.rule["inflation"]["uf1"] for line in measured if line.rule]
        random = max(100 * line.rule["null"]["uf1"][0] for line in measured if line.rule)
        text += (
            f" Trained here and scored by its authors' own rule, a method gains {min(gains):.1f} to {max(gains):.1f} "
            f"points over an honest score, and a predictor that guesses reaches {random:.1f} by the same rule."
        )
    if honest := [line.honest.uf1 for line in lines if line.honest]:
        span = f"{min(honest):.1f} to {max(honest):.1f}"
        text += (
            " Tested honestly, the "
            f"{counted(len(honest), 'method that was run reaches', 'methods that were run reach')} {span}."
        )
    return text


def lines_table(lines: Sequence[MethodLine]) -> Table:
    """Return each method's figures, or why there is none."""
    headers = ["method", "epoch chosen", "claimed", "by its authors' rule", "guessing by that rule", "honest"]
    cells = []
    for line in lines:
        rule, guess = _rule_cells(line)
        shown = [f"{_score(line.honest)}{_epochs(line.honest)}", _score(line.tuned)]
        claimed = DASH if line.claimed is None else f"{line.claimed[0]} ({line.claimed[1]:.2f})"
        cells.append([line.method.title, line.method.selection, claimed, rule, guess, *shown])
    return Table([*headers, "tuned alike"], cells)


def _rule_cells(line: MethodLine) -> tuple[str, str]:
    if line.method.selection == "unknown":
        return "rule unknown", DASH
    if line.method.clean:
        return "as honest: no test data in the choice", DASH
    if line.rule is None:
        return NOT_RUN, DASH
    gain = f"{100 * line.rule['inflation']['uf1']:+.2f}"
    if line.rule["ci"] is None:
        gain += " (too few subjects for an interval)"
    else:
        low, high = line.rule["ci"]["uf1"]
        gain += f" [{100 * low:+.2f}, {100 * high:+.2f}]"
    epochs = line.rule["note"].partition(";")[0]  # the rest is what the column before says
    return f"{percent(line.rule['leaky']['uf1'])} ({gain}; {epochs})", percent(line.rule["null"]["uf1"][0])


def _score(score: BoardScore | None) -> str:
    if score is None:
        return NOT_RUN
    flags = "".join(f" {flag}" for flag in score.row.entry.flags)
    data = "" if score.board.definition.name == BOARD else f" on {score.board.definition.dataset}"
    return f"{with_interval(score.row.entry.figures, 'uf1')}{data}{flags}"


def _epochs(score: BoardScore | None) -> str:
    """Return how many epochs a row was trained for: with a profile they are fewer than published."""
    epochs = score.row.entry.origin.config["models"][0].get("epochs") if score else None
    return "" if epochs is None else f", {counted(epochs, 'epoch')}"


def other_rows(board: BoardRows, lines: Sequence[MethodLine]) -> list[BoardRow]:
    """Return the rows of the board that are no listed method and look at samples."""
    shown = {id(score.row) for line in lines for score in (line.honest, line.tuned) if score}
    return [row for row in board.rows if id(row) not in shown and not is_floor(row)]


def others_table(board: BoardRows, lines: Sequence[MethodLine]) -> Table:
    """Return what these rows score."""
    rows = other_rows(board, lines)
    return Table(
        ["model", "UF1", "seeds"],
        [[row.name, _score(BoardScore(board, row)), str(len(row.entry.seeds))] for row in rows],
    )


def drawing(lines: Sequence[MethodLine]) -> str:
    """Draw each method's figures on one line: claimed, by its authors' rule, honest and tuned; from claimed to honest.

    Titles are folded, never cut; what was not run says so at the end of its line.
    """
    titles = [textwrap.wrap(line.method.title, _LETTERS) for line in lines]
    left, right, top = 40 + svg.width_of("x" * max(len(text) for one in titles for text in one), 12), 690.0, 76.0
    heights = [14 * len(one) + 16 for one in titles]
    bottom = top + sum(heights)
    title = "UF1 x 100 on MEGC 2019: what is claimed, and what is left"
    parts = [*svg.percent_axis((left, right), (top, bottom), 0, 100), svg.text(12, 24, title, size=15)]
    marks = [("claimed", svg.diamond, GREY), ("authors' rule", svg.square, ORANGE),
             ("honest", svg.dot, BLUE), ("tuned alike", svg.ring, GREEN)]  # fmt: skip
    for index, (name, mark, colour) in enumerate(marks):
        parts += [mark(20 + 130 * index, 50, colour), svg.text(32 + 130 * index, 54, name, size=12)]
    sentences, start = [], top
    for line, texts, height in zip(lines, titles, heights, strict=True):
        y = start + height / 2
        figures = _figures(line)
        x = {name: left + (right - left) * value / 100 for name, value in figures.items()}
        first = y + 4 - 14 * (len(texts) - 1) / 2
        parts += [svg.text(left - 12, first + 14 * i, text, anchor="end", size=12) for i, text in enumerate(texts)]
        if len(x) > 1:
            parts.append(svg.line(min(x.values()), y, max(x.values()), y, stroke=RULE, width=3))
        if line.honest is None:
            parts.append(svg.text(right + 10, y + 4, NOT_RUN, size=12, fill=GREY))
        elif "claimed" in figures:
            parts.append(svg.text(right + 10, y + 4, f"{figures['honest'] - figures['claimed']:+.1f}", size=12))
        parts += [mark(x[name], y, colour) for name, mark, colour in marks if name in x]
        shown = ", ".join(f"{name} {value:.1f}" for name, value in figures.items())
        sentences.append(f"{' '.join(texts)}: {shown or NOT_RUN}")
        start += height
    parts.append(svg.text(right + 10, top - 6, "honest - claimed", size=11, fill=GREY))
    return svg.drawing(800, int(bottom + 28), title, "; ".join(sentences), parts)


def _figures(line: MethodLine) -> dict[str, float]:
    """Return the known figures of a method, x 100."""
    figures = {
        "claimed": line.claimed[1] if line.claimed else None,
        "authors' rule": 100 * line.rule["leaky"]["uf1"] if line.rule else None,
        "honest": line.honest.uf1 if line.honest else None,
        "tuned alike": line.tuned.uf1 if line.tuned else None,
    }
    return {name: value for name, value in figures.items() if value is not None}


def pages(root: Path, boards: Sequence[BoardRows], claims: Claims, methods: Sequence[MethodCode]) -> dict[str, str]:
    """Return the page and its drawing: name of the file -> text.

    Args:
        root: Folder of the leaderboards.
        boards: Of ``BOARDS``, in that order, those that there are; the first is ``BOARD``.
        claims: Published figures.
        methods: Public codes.
    """
    lines = method_lines(boards, claims, methods, read_audits(root))
    return {PAGE: markdown(boards, lines), DRAWING: drawing(lines)}
