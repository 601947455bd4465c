"""The agreement of two models -> a page."""

from __future__ import annotations

from mexbench.errors import counted, listed
from mexbench.metrics.classification import LEVEL, REPLICATES
from mexbench.metrics.few_subjects import why_none
from mexbench.studies.agreement.agreement import Agreement
from mexbench.studies.case_study import caveats as caution
from mexbench.tables import DASH, Table, escape, percent

_NAMED = 10


def markdown(agreement: Agreement) -> str:
    """Write the page."""
    honest = {
        f"{which} ({predictions.name})": predictions.honest
        for which, predictions in (("A", agreement.first), ("B", agreement.second))
    }
    flags = dict(zip(honest, (agreement.first.flags, agreement.second.flags), strict=True))
    unit, units = agreement.unit
    parts = [
        f"# Agreement of {escape(agreement.first.name)} (A) and {escape(agreement.second.name)} (B)",
        "> **Agreement is not accuracy.** Two models agree where both are right and where both are wrong alike, and "
        "two that always predict the same class always agree. Nothing here shows that either is right.",
        *caution.lines(honest, flags),
        _counted(agreement),
        "## Overall",
        overall_table(agreement).markdown(),
        f"{counted(int(agreement.counts.sum()), 'clip')} of {counted(units, unit)}. *By chance* is the agreement of "
        "two models that answer at random, each with its own frequencies; kappa is the agreement above it, as a share "
        f"of the most that is possible (0 is chance, 1 is always). In brackets: {LEVEL:.0%} interval by bootstrap over "
        f"{unit}s ({REPLICATES} replicates"
        + (f"; {percent(agreement.undefined)} % of them have no kappa and are excluded" if agreement.undefined else "")
        + ")."
        + (f" {few}" if (few := why_none([units], unit, "no interval")) else ""),
        "## By emotion",
        emotion_table(agreement).markdown(),
        "Both: clips that both models predict as it. Agreement is 2 x both / (A + B), the share of their predictions "
        "of this emotion that the other makes too; kappa is that of predicting it or not.",
        "## Confusion between the two",
        confusion_table(agreement).markdown(),
    ]
    return "\n\n".join(parts) + "\n"


def overall_table(agreement: Agreement) -> Table:
    """Raw agreement, what chance would give, and kappa, with intervals."""
    values = agreement.measures
    rows = [
        ["agreement (x 100)", percent(values.raw), _between(agreement.intervals["raw"], 100)],
        ["by chance (x 100)", percent(values.expected), _between(agreement.intervals["expected"], 100)],
        ["Cohen's kappa", _number(values.kappa), _between(agreement.intervals["kappa"], 1)],
    ]
    return Table(["", "value", "interval"], rows)


def emotion_table(agreement: Agreement) -> Table:
    """The same by emotion."""
    rows = [
        [
            row.emotion, str(row.first), str(row.second), str(row.both), percent(row.specific), percent(row.expected),
            _number(row.kappa),
        ]
        for row in agreement.each
    ]  # fmt: skip
    return Table(["emotion", "A", "B", "both", "agreement (x 100)", "by chance (x 100)", "kappa"], rows)


def confusion_table(agreement: Agreement) -> Table:
    """Answers of A in rows, of B in columns."""
    rows = [[name, *map(str, row)] for name, row in zip(agreement.emotions, agreement.counts.tolist(), strict=True)]
    return Table(["A \\ B", *agreement.emotions], rows)


def _counted(agreement: Agreement) -> str:
    """List what is compared and what is excluded, by name."""
    lines = [
        f"- classes of A: {escape(listed(agreement.first.classes))}",
        f"- classes of B: {escape(listed(agreement.second.classes))}",
        f"- common emotions: {escape(listed(agreement.emotions))}",
        f"- clips in both: {agreement.joined}",
    ]
    for which, predictions in (("A", agreement.first), ("B", agreement.second)):
        if predictions.unpredicted:
            names = escape(listed(predictions.unpredicted, limit=_NAMED))
            lines.append(f"- clips without a prediction of {which}, excluded: {len(predictions.unpredicted)} ({names})")
    for which, alone in zip("AB", agreement.alone, strict=True):
        if alone:
            lines.append(f"- clips in {which} alone, excluded: {len(alone)} ({escape(listed(alone, limit=_NAMED))})")
    for which, names in zip("AB", agreement.outside, strict=True):
        if names:
            what = f"- clips of which {which} predicts an emotion that is not common, excluded"
            lines.append(f"{what}: {len(names)} ({escape(listed(names, limit=_NAMED))})")
    return "\n".join(lines)


def _number(value: float | None) -> str:
    return DASH if value is None else f"{value:.3f}"


def _between(ends: tuple[float, float] | None, factor: int) -> str:
    if ends is None:
        return DASH
    return "[" + ", ".join(f"{factor * end:.{2 if factor > 1 else 3}f}" for end in ends) + "]"
