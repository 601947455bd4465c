"""A data set's combinations of action units against those that a paper printed, line by line."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from mexbench.studies.au_clusters.clustering import Units

TABLE_10 = Path(__file__).with_name("au_cnn_2024_table10.yaml")
#: Side, number and intensity, as the printed table writes a unit.
_UNIT = re.compile(r"([LR]?)(\d+)([A-E]?)")
#: How a line was matched, from the closest.
LITERALLY, SIDED, NUMBERED, ABSENT = (
    "literally", "after normalisation: without intensity", "after normalisation: by number alone", "absent",
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
    """How a line of the table was matched; ``how`` is one of the four constants above.

    Args:
        line: The line.
        how: The closest level at which a clip of the same emotion shows exactly these units.
        clips: How many clips do, at that level.
        elsewhere: Where it is absent, the other emotions whose clips show the same numbers.
        note: Why there is no match, where the data has no clip of the emotion.
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


def compare(lines: Sequence[PublishedLine], raw: Counts, sided: Counts, numbers: Counts) -> list[Match]:
    """Look for every line, first as printed, then without intensity, then by number alone.

    Args:
        lines: Of the table.
        raw: What the sheet's clips show, as it is written there.
        sided: The same with side and without intensity.
        numbers: The same by number alone.
    """
    return [_match(line, raw, sided, numbers) for line in lines]


def _match(line: PublishedLine, raw: Counts, sided: Counts, numbers: Counts) -> Match:
    if not any(level.get(line.emotion) for level in (raw, sided, numbers)):
        return Match(line, ABSENT, note="no clip here has this emotion")
    for how, level, units in (
        (LITERALLY, raw, line.units), (SIDED, sided, line.sided), (NUMBERED, numbers, line.numbers),
    ):  # fmt: skip
        if count := level.get(line.emotion, {}).get(units, 0):
            return Match(line, how, count)
    return Match(line, ABSENT, elsewhere=tuple(name for name, inside in numbers.items() if line.numbers in inside))


def _parts(unit: str) -> tuple[str, str, str]:
    match = _UNIT.fullmatch(unit)
    if match is None:
        raise ValueError(f"{TABLE_10.name}: expected an action unit such as R12A, got {unit!r}")
    return match[1], match[2], match[3]
