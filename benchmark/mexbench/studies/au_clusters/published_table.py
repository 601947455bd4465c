"""A data set's combinations of action units against those that a paper printed, line by line."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from mexbench.errors import counted
from mexbench.studies.au_clusters.clustering import Units

TABLE_10 = Path(__file__).with_name("au_cnn_2024_table10.yaml")
#: Side, number and intensity, as the printed table writes a unit.
_UNIT = re.compile(r"([LR]?)(\d+)([A-E]?)")
#: How a line was matched, from the closest.
LITERALLY, OPENED, SIDED, NUMBERED, ABSENT = (
    "literally", "with alternatives and references opened", "after normalisation: without intensity",
    "after normalisation: by number alone", "absent",
)  # fmt: skip


@dataclass(frozen=True)
class PublishedLine:
    """One line of the table.

    Args:
        name: What the paper calls it: ``Happiness_ME4``.
        emotion: Its emotion.
        units: As printed, without the letters AU.
    """

    name: str
    emotion: str
    units: Units

    @property
    def sided(self) -> Units:
        """The units without their intensity."""
        return frozenset("".join(_parts(unit)[:2]) for unit in self.units)

    @property
    def numbers(self) -> Units:
        """The units by number alone."""
        return frozenset(_parts(unit)[1] for unit in self.units)


@dataclass(frozen=True)
class Match:
    """How a line of the table was matched; ``how`` is one of the constants above.

    Args:
        line: The line.
        how: The closest level at which a clip of the same emotion shows exactly these units.
        clips: How many clips do, at that level.
        elsewhere: Where it is absent, the other emotions whose clips show the same numbers.
        note: Why there is no match, where the sheet has no clip of the emotion; that the chosen classes exclude it.
    """

    line: PublishedLine
    how: str
    clips: int = 0
    elsewhere: tuple[str, ...] = ()
    note: str = ""


def read_lines() -> tuple[PublishedLine, ...]:
    """Return the lines of table 10, in its order."""
    content = yaml.safe_load(TABLE_10.read_text(encoding="utf-8"))
    return tuple(
        PublishedLine(f"{emotion.capitalize()}_ME{number}", emotion, frozenset(map(str, units)))
        for emotion, lines in content["emotions"].items()
        for number, units in enumerate(lines, start=1)
    )


#: Emotion -> combination -> clips, at one level.
Counts = Mapping[str, Mapping[Units, int]]


def compare(
    lines: Sequence[PublishedLine],
    raw: Counts,
    sided: Counts,
    numbers: Counts,
    *,
    opened: Counts | None = None,
    excluded: Mapping[str, int] | None = None,
) -> list[Match]:
    """Look for every line: as printed, with alternatives opened, then without intensity, then by number alone.

    Args:
        lines: Of the table.
        raw: What the sheet's clips show, as it is written there.
        sided: The same with side and without intensity.
        numbers: The same by number alone.
        opened: What the clips show if every alternative and every reference of a cell is taken as shown.
        excluded: Emotion -> clips of the emotions that the chosen classes exclude; they are looked up all the same.
    """
    levels = ((LITERALLY, raw), (OPENED, opened or {}), (SIDED, sided), (NUMBERED, numbers))
    return [_match(line, levels, (excluded or {}).get(line.emotion, 0)) for line in lines]


def _match(line: PublishedLine, levels: Sequence[tuple[str, Counts]], excluded: int) -> Match:
    note = _excluded(excluded) if excluded else ""
    if not any(level.get(line.emotion) for _, level in levels):
        return Match(line, ABSENT, note=f"no unit is named; {note}" if note else "no clip here has this emotion")
    for how, level in levels:
        units = {SIDED: line.sided, NUMBERED: line.numbers}.get(how, line.units)
        if count := level.get(line.emotion, {}).get(units, 0):
            return Match(line, how, count, note=note)
    numbers = dict(levels)[NUMBERED]
    elsewhere = tuple(name for name, inside in numbers.items() if line.numbers in inside)
    return Match(line, ABSENT, elsewhere=elsewhere, note=note)


def _excluded(clips: int) -> str:
    return f"the chosen classes exclude this emotion from the clusters: {counted(clips, 'clip')}"


def _parts(unit: str) -> tuple[str, str, str]:
    match = _UNIT.fullmatch(unit)
    if match is None:
        raise ValueError(f"{TABLE_10.name}: expected an action unit such as R12A, got {unit!r}")
    return match[1], match[2], match[3]
