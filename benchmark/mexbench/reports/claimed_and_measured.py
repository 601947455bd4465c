"""What a paper claims beside what its config measured: under the paper's own split of samples, and under LOSO."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mexbench.config.paper_table import PaperTable
from mexbench.config.run_config import Component, RunConfig
from mexbench.interfaces import Protocol
from mexbench.tables import DASH, Row, Table, escape

#: Figure and average -> the score of a row that is the same. A micro average over single labels is the accuracy.
_SCORES: Mapping[str, Mapping[str, str]] = {
    "accuracy": {"": "accuracy"},
    "precision": {"macro": "macro_precision", "weighted": "weighted_precision", "micro": "accuracy"},
    "recall": {"macro": "uar", "weighted": "weighted_recall", "micro": "accuracy"},
    "f1": {"macro": "uf1", "weighted": "weighted_f1", "micro": "accuracy"},
}
#: Where a paper does not say which averages it prints, these are shown side by side.
_UNSTATED = ("macro", "weighted")
_NAMES = {"f1": "F1"}
_LOSO = "loso"
#: The two measured columns: key -> what a person reads.
MEASURED = {"split": "under the paper's split", "loso": "under LOSO"}
SYNTHETIC = "Synthetic data: made by a program. No measured figure here confirms or refutes a claim."


def compare_with_claims(config: RunConfig, rows: Sequence[Row]) -> dict[str, Any] | None:
    """Set a run's rows beside what the config's ``paper`` block claims.

    Measured figures are those of the run's table: from the confusion matrix pooled over folds, as a mean over seeds.

    Args:
        config: Of the run.
        rows: Of ``scores.json``.

    Returns:
        The block, and its ``lines``: model, claim, figure, average, what is claimed (percent), and for both protocols
        the measured share or the reason why there is none. None where the config has no such block.
    """
    if config.paper is None:
        return None
    block = config.paper
    by_name = {row["model"]: row for row in rows}
    protocols = {
        "split": next((one for one in config.protocols if one.name == block.protocol), None),
        "loso": next((one for one in config.protocols if one.plugin == _LOSO), None),
    }
    head = {key: value for key, value in block.resolved().items() if key != "rows"}
    lines: list[dict[str, Any]] = []
    flags: dict[str, None] = {}
    for claimed in block.rows:
        model = next((one for one in config.models if one.name == claimed.model), None)
        measured = {key: _row(config, model, one, by_name) for key, one in protocols.items()}
        flags |= dict.fromkeys(flag for row in measured.values() if row for flag in row["flags"])
        for figure, value in claimed.figures().items():
            for average in _averages(figure, block):
                line = {"model": claimed.model, "claim": claimed.claim, "figure": figure, "average": average}
                line["claimed"] = value
                for key, row in measured.items():
                    line[key] = _measured(row, _SCORES[figure][average])
                lines.append(line)
    return {
        **head,
        "measured": {key: one.name if one else None for key, one in protocols.items()},
        "flags": list(flags),
        "lines": lines,
    }


def _averages(figure: str, block: PaperTable) -> Sequence[str]:
    if figure == "accuracy":
        return ("",)
    return _UNSTATED if block.averages == "unstated" else (block.averages,)


def _row(
    config: RunConfig,
    model: Component[Any] | None,
    protocol: Component[Protocol] | None,
    by_name: Mapping[str, Row],
) -> Row | None:
    if model is None or protocol is None:
        return None
    return by_name.get(config.row(model, protocol))


def _measured(row: Row | None, score: str) -> dict[str, Any]:
    """Return a share, or why there is none."""
    if row is None:
        return {"value": None, "why": "not in this run"}
    if row.get(score) is None:
        return {"value": None, "why": "no result yet"}
    return {"value": row[score], "why": "incomplete" if "incomplete" in row["flags"] else None}


def claims_table(comparison: Mapping[str, Any]) -> Table:
    """Model, figure, claimed, measured under both protocols; all x 100."""
    headers = ["model", "figure", "claimed", *MEASURED.values()]
    rows = [
        [line["model"], figure_name(line), f"{line['claimed']:.2f}", *(_cell(line[key]) for key in MEASURED)]
        for line in comparison["lines"]
    ]
    return Table(headers, rows)


def figure_name(line: Mapping[str, Any]) -> str:
    """Return what a line's figure is called, with its average."""
    figure = str(line["figure"])
    name = _NAMES.get(figure) or figure
    return f"{name}, {line['average']}" if line["average"] else name


def _cell(measured: Mapping[str, Any]) -> str:
    if measured["value"] is None:
        return f"{DASH} ({measured['why']})"
    value = f"{100 * measured['value']:.2f}"
    return f"{value} ({measured['why']})" if measured["why"] else value


def source_text(comparison: Mapping[str, Any]) -> str:
    """Return where the claims are printed."""
    page = f", page {comparison['page']}" if comparison.get("page") else ""
    return f"{comparison['title']}, {comparison['table']}{page}"


def notes(comparison: Mapping[str, Any]) -> list[str]:
    """Return the sentences that belong below the table: the splits, the averages, the flags."""
    split, loso = comparison["measured"]["split"], comparison["measured"]["loso"]
    own = f"here '{split}'" if split else "which this run does not have"
    lines = [f"The paper's split: {comparison['split']}; {own}."]
    if loso is None:
        lines.append("There is no LOSO in this run.")
    if any(line["average"] for line in comparison["lines"]):
        if comparison["averages"] == "unstated":
            lines.append("The paper does not say which averages it prints: both usual ones are shown.")
        else:
            lines.append(f"Averages as in the paper: {comparison['averages']}.")
    if comparison.get("note"):
        lines.append(f"Note: {comparison['note']}.")
    if comparison["flags"]:
        lines.append(f"Flags of the measured rows: {', '.join(comparison['flags'])}.")
    return lines


def is_synthetic(comparison: Mapping[str, Any]) -> bool:
    """Whether what is measured was measured on made-up data."""
    return "synthetic" in comparison["flags"]


def markdown(comparison: Mapping[str, Any]) -> str:
    """Write the section of a run's page."""
    parts = [f"## Claimed and measured: {escape(source_text(comparison))}"]
    parts += [f"> **{SYNTHETIC}**"] if is_synthetic(comparison) else []
    return "\n\n".join([*parts, claims_table(comparison).markdown(), escape(" ".join(notes(comparison)))])


def terminal_text(comparison: Mapping[str, Any]) -> str:
    """Format the same for a terminal."""
    title = f"Claimed and measured: {source_text(comparison)}"
    warning = [SYNTHETIC] if is_synthetic(comparison) else []
    return "\n\n".join([title, claims_table(comparison).text(), "\n".join([*warning, *notes(comparison)])])
