"""Verdicts on published figures -> ``claims.md``. Nothing on the page is typed in by hand."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from mexbench.errors import ClaimError, unknown
from mexbench.reports.leaderboards.rows import scores_of
from mexbench.studies.claims.claims import Claim, Claims, ClaimSource
from mexbench.studies.claims.feasibility.margins import shown
from mexbench.studies.claims.feasibility.misnomers import FOLDS
from mexbench.studies.claims.feasibility.printed_figures import NAMES
from mexbench.studies.claims.judge import STATUSES, Judged, averages_of_f1, below_chance
from mexbench.studies.claims.methods import SELECTIONS, MethodCode
from mexbench.tables import DASH, Table

#: Rows of a leaderboard, with the figures of each, by model.
Scores = Mapping[str, dict[str, Any]]

_LEGEND = (
    "**Possible** says that some confusion matrix gives the row within its rounding, not that the row is right; the "
    "matrix is below. **Impossible** rests on an exact argument, on a bound that errs on the row's side, or on a "
    "search through every case. **Contradicted** says that the document itself states otherwise elsewhere. "
    "**Undecided** says that none of these was reached. Where averages are not stated, macro averages and averages "
    "weighted by support are both tried. Where class supports are not published, *impossible* means for all supports, "
    "and *possible* for some that are named. "
)

_WORDS = {"possible": "would be possible if", "impossible": "would stay impossible if", "undecided": "undecided if"}


def page(claims: Claims, judged: Sequence[Judged], boards: Path, methods: Sequence[MethodCode] = ()) -> str:
    """Write the page.

    Args:
        claims: The whole file, for its sources.
        judged: The verdicts to show.
        boards: Folder of the leaderboards that 'measured' names.
        methods: The public codes that 'code' names.

    Raises:
        ClaimError: A claim names a code that is not listed, or a leaderboard cannot be read.
    """
    counts = ", ".join(f"{sum(j.status == status for j in judged)} {status}" for status in STATUSES)
    scores = functools.cache(functools.partial(measured_scores, boards))  # a board is verified once for all its rows
    parts = [
        "# Published figures: can they be, and what is measured?",
        f"{len(judged)} rows of published figures: {counts}. "
        "`bench claims` writes this page from `claims.yaml`; the figures are given as printed.",
        _LEGEND + FOLDS,
    ]
    for key, source in claims.sources.items():
        rows = [j for j in judged if j.claim.source == key]
        if rows or source.note:
            parts.append(f"## {source.title}")
        if source.note:
            parts.append(f"{source.note[0].upper()}{source.note[1:]}.")
        if rows:
            parts.append(_main(rows, source, scores).markdown())
            parts.append("\n".join(f"- `{j.claim.id}`, {j.status}: {_why(j)}" for j in rows))
            parts += [*_notes(rows), *_contradictions(source)]
    parts += [
        *_methods(judged, methods, whole=len(judged) == len(claims.claims)),
        *_sums(judged),
        *_chance(judged),
        *_averages(judged),
        *_misnomers(judged),
    ]
    return "\n\n".join([*parts, *_witnesses(judged)]) + "\n"


def _main(rows: Sequence[Judged], source: ClaimSource, scores: Callable[[str], Scores | None]) -> Table:
    headers = ["row", "method, data", "claimed", "test samples", "feasible?"]
    headers += ["document's split", "measured under it", "measured under LOSO"]
    cells = []
    for judged in rows:
        claim = judged.claim
        tested = shown(claim.supports) if claim.supports else f"{claim.samples or 'unknown'}, {claim.classes} classes"
        cells.append(
            [
                claim.id,
                f"{claim.method}, {claim.dataset} ({claim.where})",
                claim.shown(),
                tested,
                judged.status,
                claim.split,
                measured(claim, source, "split", scores),
                measured(claim, source, "loso", scores),
            ]
        )
    return Table(headers, cells)


def _why(judged: Judged) -> str:
    return "; ".join([judged.reason, *(f"it would be possible if: {name}" for name in judged.rescues)])


def measured_scores(boards: Path, board: str) -> Scores | None:
    """Return the scores of a leaderboard, or else of ``NAME.json``, by model; None where neither is found.

    Raises:
        ClaimError: The leaderboard cannot be read.
    """
    path = boards / f"{board}.json"
    try:
        if (boards / f"{board}.yaml").is_file():
            return scores_of(boards, board)
        if path.is_file():  # the scores.json of a run that is not a leaderboard
            return {row["model"]: row for row in json.loads(path.read_bytes())["rows"]}
    except (ValueError, KeyError, TypeError) as error:
        raise ClaimError(f"{path}: no leaderboard that can be read: {error!r}") from None
    return None


def measured(
    claim: Claim, source: ClaimSource, key: Literal["split", "loso"], scores_of_board: Callable[[str], Scores | None]
) -> str:
    """Return what a leaderboard says of the row that a claim names, or what is lacking.

    Args:
        claim: The claim.
        source: Its document.
        key: Which of the claim's references is looked up.
        scores_of_board: Gives the scores of a board, such as ``measured_scores`` of a folder.

    Raises:
        ClaimError: The leaderboard cannot be read.
    """
    reference = claim.measured.get(key)
    if reference is None:
        lacks = claim.unmeasured or source.unmeasured
        return f"not measured: {lacks}" if lacks else "not measured"
    board, model, *member = reference.split("/")
    by_model = scores_of_board(board)
    lacking = f"not measured yet: {board} has no row {'/'.join([model, *member])}"
    if by_model is None:
        return lacking
    try:
        row = by_model.get(model)
        scores: Mapping[str, Any] | None = row and (row["by_dataset"].get(member[0]) if member else row)
    except (ValueError, KeyError, TypeError) as error:
        raise ClaimError(f"{board}: no leaderboard that can be read: {error!r}") from None
    if not scores or scores.get("uf1") is None:
        return lacking
    texts = [f"{name} {100 * scores[name]:.2f}" for name in ("accuracy", "uf1", "uar") if scores.get(name) is not None]
    return " / ".join([*texts, *(row or {}).get("flags", [])])


def _notes(rows: Sequence[Judged]) -> list[str]:
    lines = [f"- `{j.claim.id}`: {j.claim.note}" for j in rows if j.claim.note]
    unknown: dict[str, list[str]] = {}
    for j in rows:
        if j.claim.supports is None and j.claim.why:
            unknown.setdefault(j.claim.why, []).append(j.claim.id)
    lines += [f"- supports unknown for {len(ids)} of these rows: {why}" for why, ids in unknown.items()]
    return ["\n".join(lines)] if lines else []


def _contradictions(source: ClaimSource) -> list[str]:
    """List what the document states against itself, with the claims that it concerns."""
    lines = []
    for each in source.contradictions:
        rows = f" (rows: {', '.join(f'`{row}`' for row in each.rows)})" if each.rows else ""
        lines.append(f"- {'computed' if each.computed else 'stated'}: {each.reason}{rows}")
    return ["**Contradictions within the document** (computed from what it prints, or stated in our words)",
            "\n".join(lines)] if lines else []  # fmt: skip


def _methods(judged: Sequence[Judged], methods: Sequence[MethodCode], *, whole: bool) -> list[str]:
    """List how public codes choose the epoch: all of them on the whole page, else those of the claims shown."""
    known = {method.id: method for method in methods}
    rows_of: dict[str, list[str]] = {}
    for j in judged:
        if j.claim.code is not None:
            if j.claim.code not in known:
                raise ClaimError(f"methods.yaml, beside the claims: {unknown('code', j.claim.code, known)}")
            rows_of.setdefault(j.claim.code, []).append(j.claim.id)
    shown = [method for method in methods if whole or method.id in rows_of]
    if not shown:
        return []
    cells, notes = [], []
    for method in shown:
        places = "; ".join(
            f"`{place.file}`{f' at {place.lines}' if place.lines else ''}: {place.what}" for place in method.places
        )
        rows = ", ".join(rows_of.get(method.id, []))
        cells.append([method.title, method.version(), SELECTIONS[method.selection], rows or DASH])
        notes.append(f"- {method.title}: {'; '.join(text for text in (places, method.note) if text)}")
    return [
        "## Protocol as coded: what chooses the epoch or the settings",
        "As the methods' public codes have it, read in the version named; numbers after a file are its lines.",
        Table(["method", "code", "chosen", "rows above"], cells).markdown(),
        "\n".join(notes),
    ]


def _sums(judged: Sequence[Judged]) -> list[str]:
    """List what the sum of its members allows each composite to be."""
    rows = []
    for j in judged:
        for check in j.sums:
            low, high = (check.figure.alike(value) for value in (check.allowed.low, check.allowed.high))
            members = ", ".join(member.text for member in check.members)
            verdict = "excluded" if check.excluded else "not excluded"
            rows.append([j.claim.id, NAMES[check.figure.kind], check.figure.text, members, f"{low} to {high}", verdict])
    if not rows:
        return []
    return [
        "## Composites against the sum of their members",
        "A composite pools the counts of its data sets, so what they print bounds its accuracy and its macro recall. "
        "Macro F1 is not compared: its weights are how often each class was predicted, which no document prints.",
        Table(["row", "figure", "composite", "its members", "their sum allows", "verdict"], rows).markdown(),
    ]


def _chance(judged: Sequence[Judged]) -> list[str]:
    lines = []
    for j in judged:
        chance = below_chance(j.claim)
        if chance is None:
            continue
        line = (
            f"- `{j.claim.id}` ({j.claim.method}): {j.claim.shown()} over {j.claim.classes} classes is below the "
            f"{100 * float(chance):.2f} % of guessing evenly"
        )
        if j.claim.shape:
            most = max(j.claim.shape) / sum(j.claim.shape)
            line += f", and the {100 * most:.2f} % of always naming the class that most of the published clips have"
        lines.append(line)
    return ["## Below chance", "\n".join(lines)] if lines else []


def _averages(judged: Sequence[Judged]) -> list[str]:
    rows = []
    for j in judged:
        for name, verdict in averages_of_f1(j) or ():
            rows.append([j.claim.id, j.claim.shown(), name, verdict])
    if not rows:
        return []
    return [
        "## F1 below both precision and recall: which averages can give it",
        Table(["row", "claimed", "average", "verdict"], rows).markdown(),
    ]


def _misnomers(judged: Sequence[Judged]) -> list[str]:
    lines = []
    for j in judged:
        if j.misnomers:
            by = {s: [m.name for m in j.misnomers if m.verdict.status == s] for s in _WORDS}
            text = "; ".join(f"{_WORDS[s]}: {', '.join(names)}" for s, names in by.items() if names)
            lines.append(f"- `{j.claim.id}` (as printed: {j.status}) {text}")
    if not lines:
        return []
    return ["## The usual misnomers, and mixtures of averages where none is stated", "\n".join(lines)]


def _witnesses(judged: Sequence[Judged]) -> list[str]:
    rows = []
    for j in judged:
        for name, verdict in j.cases:
            if verdict.matrix is not None:
                cells = "; ".join(" ".join(map(str, row)) for row in verdict.matrix)
                rows.append([j.claim.id, name, cells])
    if not rows:
        return []
    return [
        "## Witnesses",
        "One matrix for each possible row, truth in rows, rows parted by semicolons: one of many, not the authors'.",
        Table(["row", "read as", "matrix"], rows).markdown(),
    ]
