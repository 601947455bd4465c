"""What the pages show of studies beside the leaderboards: audits, stress tests, published figures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mexbench.reports.leaderboards import page
from mexbench.reports.leaderboards.rows import BoardRows
from mexbench.reports.site import charts
from mexbench.reports.site.audits import AuditSummary, Effect
from mexbench.reports.site.stress_tests import StressRow, StressSummary
from mexbench.studies.claims.claims import Claims
from mexbench.tables import DASH, Table, percent


def audit_section(audit: AuditSummary, effects: Sequence[Effect]) -> dict[str, Any]:
    """Draw and list what each leak added to a row."""
    measured = [effect for effect in effects if effect.status == "measured"]
    rows = []
    for effect in measured:
        added, random = (f"{100 * value:+.2f}" for value in (
            effect.inflation[effect.score],
            effect.null[effect.score][0] - audit.null[effect.model][effect.score][0],
        ))  # fmt: skip
        interval = "{:+.2f} to {:+.2f}".format(*(100 * end for end in effect.ci[effect.score])) if effect.ci else DASH
        score = page.NAMES[effect.score]
        rows.append([effect.leak, effect.what, effect.against, score, added, interval, random])
    headers = ["leak", "what is done", "set against", "score", "points added", "interval", "random predictor"]
    return {
        "audit": audit,
        "chart": charts.inflation(measured, audit.null[measured[0].model]) if measured else None,
        "table": Table(headers, rows) if rows else None,
        "others": [effect for effect in effects if effect.status != "measured"],
    }


def stress_section(test: StressSummary, rows: Sequence[StressRow]) -> dict[str, Any]:
    """Draw and list what each alteration cost a row."""
    about = {alteration.name: alteration for alteration in test.alterations}
    measured = [row for row in rows if row.status == "measured"]
    cells = []
    for row in measured:
        for level in row.levels:
            ends, change_ends = level.ci["uf1"], level.change_ci["uf1"]
            interval = "[{}, {}]".format(*map(percent, ends)) if ends else ""
            change_interval = "{:+.2f} to {:+.2f}".format(*(100 * end for end in change_ends)) if change_ends else DASH
            cells.append([
                row.alteration, about[row.alteration].what, f"{level.strength:g} {about[row.alteration].unit}",
                f"{percent(level.uf1)} {interval}".rstrip(),
                f"{100 * level.change['uf1']:+.2f}", change_interval,
                f"{level.unanswered:g} of {row.samples}" if level.unanswered else DASH,
            ])  # fmt: skip
    headers = ["alteration", "what is done", "strength", page.NAMES["uf1"], "change", "its interval", "no answer"]
    return {
        "test": test,
        "chart": charts.stress_curves(measured, test.null[measured[0].model]["uf1"][0]) if measured else None,
        "table": Table(headers, cells) if cells else None,
        "others": [row for row in rows if row.status != "measured"],
    }


def claims_lines(claims: Claims, boards: Sequence[BoardRows]) -> list[dict[str, Any]]:
    """List published figures, each with the rows that measured the same and what they found."""
    beside: dict[str, list[Any]] = {}
    for board in boards:
        for row in board.rows:
            for measured in row.claims:
                shown = [
                    f"{page.NAMES[name]} {percent(measured.scores[name])}"
                    for name in page.NAMES
                    if name in measured.scores
                ]
                beside.setdefault(measured.claim.id, []).append((board, row, measured.member, ", ".join(shown) or DASH))
    listed = []
    for claim in claims.claims:
        source = claims.sources[claim.source]
        lacks = claim.unmeasured or source.unmeasured
        listed.append({"claim": claim, "source": source, "rows": beside.get(claim.id, []), "lacks": lacks})
    return listed
