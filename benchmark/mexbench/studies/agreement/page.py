"""The agreement of two models -> a page."""

from __future__ import annotations

from mexbench.errors import listed
from mexbench.metrics.classification import LEVEL, REPLICATES
from mexbench.studies.agreement.agreement import Agreement
from mexbench.studies.case_study import caveats as caution
from mexbench.tables import DASH, Table, escape, percent

_NAMED = 10


def markdown(found: Agreement) -> str:
    """Write the page."""
    honest = {f"{which} ({said.name})": said.honest for which, said in (("A", found.first), ("B", found.second))}
    flags = [*found.first.flags, *found.second.flags]
    unit, units = found.unit
    parts = [
        f"# Agreement of {escape(found.first.name)} (A) and {escape(found.second.name)} (B)",
        "> **Agreement is not accuracy.** Two models agree where both are right and where both are wrong alike, and "
        "two that always say the same word agree always. Nothing here says that either is right.",
        *caution.lines(honest, flags),
        _counted(found),
        "## Overall",
        overall_table(found).markdown(),
        f"{int(found.counts.sum())} clips of {units} {unit}s. By chance means: two models that answer at random, each "
        "with its own frequencies, agree so often; kappa is what lies above, as a share of what could (0 is chance, 1 "
        f"is always). In brackets: {LEVEL:.0%} interval by bootstrap over {unit}s ({REPLICATES} replicates"
        + (f"; {percent(found.undefined)} % of them have no kappa and are left out" if found.undefined else "")
        + ")."
        + ("" if units > 1 else f" There is one {unit} alone: no interval."),
        "## By emotion",
        emotion_table(found).markdown(),
        "Both: clips of which both models say it. Agreement is 2 x both / (A + B), the share of their answers with "
        "this emotion that the other gives too; kappa is that of saying it or not.",
        "## Confusion between the two",
        confusion_table(found).markdown(),
    ]
    return "\n\n".join(parts) + "\n"


def overall_table(found: Agreement) -> Table:
    """Raw agreement, what chance would give, and kappa, with intervals."""
    values = found.measures
    rows = [
        ["agreement (x 100)", percent(values.raw), _between(found.intervals["raw"], 100)],
        ["by chance (x 100)", percent(values.expected), _between(found.intervals["expected"], 100)],
        ["Cohen's kappa", _number(values.kappa), _between(found.intervals["kappa"], 1)],
    ]
    return Table(["", "value", "interval"], rows)


def emotion_table(found: Agreement) -> Table:
    """The same by emotion."""
    rows = [
        [
            one.emotion, str(one.first), str(one.second), str(one.both), percent(one.specific), percent(one.expected),
            _number(one.kappa),
        ]
        for one in found.each
    ]  # fmt: skip
    return Table(["emotion", "A", "B", "both", "agreement (x 100)", "by chance (x 100)", "kappa"], rows)


def confusion_table(found: Agreement) -> Table:
    """Answers of A in rows, of B in columns."""
    rows = [[name, *map(str, row)] for name, row in zip(found.emotions, found.counts.tolist(), strict=True)]
    return Table(["A \\ B", *found.emotions], rows)


def _counted(found: Agreement) -> str:
    """Say what is compared and what is left out, by name."""
    lines = [
        f"- A can say {escape(listed(found.first.classes))}",
        f"- B can say {escape(listed(found.second.classes))}",
        f"- common emotions: {escape(listed(found.emotions))}",
        f"- clips in both: {found.joined}",
    ]
    for which, said in (("A", found.first), ("B", found.second)):
        if said.silent:
            names = escape(listed(said.silent, limit=_NAMED))
            lines.append(f"- clips of which {which} says nothing, left out: {len(said.silent)} ({names})")
    for which, alone in zip("AB", found.alone, strict=True):
        if alone:
            lines.append(f"- clips in {which} alone, left out: {len(alone)} ({escape(listed(alone, limit=_NAMED))})")
    for which, names in zip("AB", found.outside, strict=True):
        if names:
            what = f"- clips of which {which} says an emotion that is not common, left out"
            lines.append(f"{what}: {len(names)} ({escape(listed(names, limit=_NAMED))})")
    return "\n".join(lines)


def _number(value: float | None) -> str:
    return DASH if value is None else f"{value:.3f}"


def _between(found: tuple[float, float] | None, factor: int) -> str:
    if found is None:
        return DASH
    return "[" + ", ".join(f"{factor * end:.{2 if factor > 1 else 3}f}" for end in found) + "]"
