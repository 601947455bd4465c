"""Facial action units (AUs) as annotation sheets write them: ``4+R10``, ``AU12A``, ``(R6 or R12)+R15``, ``?``.

A sheet is text that people typed, so nothing in a cell is an error: what is understood becomes units, and the cell
itself is kept beside them.

Source: Ekman, Friesen and Hager, Facial Action Coding System (2002), for what a code is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, cast

Side = Literal["L", "R", "A", "B", "T"]
Intensity = Literal["A", "B", "C", "D", "E"]

#: A longer cell is prose. The bound also keeps nested brackets from exhausting the stack.
_LONGEST = 200
_UNIT = re.compile(r"([LRABT])?\s*(\d{1,2})\s*([A-E])?\s*(\?)?", re.IGNORECASE)
#: The last is the full-width comma, which one cell of CAS(ME)3 has.
_PLUS = re.compile(r"[+,;&\uff0c]")
_OR = re.compile(r"\bor\b|/", re.IGNORECASE)
#: "10A/B": two intensities of one unit. "12A/B14" is two units, hence the look-ahead.
_TWO_INTENSITIES = re.compile(r"(?<!\d)([LRABT]?\s*\d{1,2})\s*([A-E])\s*/\s*([A-E])\b(?!\s*\d)", re.IGNORECASE)
#: "A/L12": two sides of one unit.
_TWO_SIDES = re.compile(r"\b([LRABT])\s*/\s*([LRABT])\s*(\d{1,2}\s*[A-E]?)\b", re.IGNORECASE)
#: "AU4", "L AU12": what some sheets put before a number.
_PREFIX = re.compile(r"\b(?:([LRABT])\s*)?AU[\s_-]*(?=[LRABT]?\s*\d)", re.IGNORECASE)
#: Action descriptors, AD31, and codes of head and eyes, M57: read, and not action units.
_DESCRIPTOR = re.compile(r"[LR]?\s*(?:AD|M)[\s_-]*\d{1,2}\s*[A-E]?\s*\??", re.IGNORECASE)
#: "ref(7B)": a word that says something about the units in the brackets.
_MARKED = re.compile(r"[a-z][a-z .]*\((.*)\)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class AU:
    """One action unit of a cell.

    Args:
        number: The unit: 12 is the lip corner puller.
        side: L left, R right, A asymmetric, B and T as the coder wrote them (bottom and top of the lips);
            None where both sides show it or the cell says nothing.
        intensity: A, a trace, to E, the maximum; None where the cell says nothing.
        certain: Whether the coder was sure: False for each of several alternatives, and where the cell asks (``4?``).
    """

    number: int
    side: Side | None = None
    intensity: Intensity | None = None
    certain: bool = True


@dataclass(frozen=True, slots=True)
class AUCell:
    """An ``Action Units`` cell.

    Args:
        raw: The cell as text, unchanged.
        units: Every unit that it names, in its order; alternatives are listed one by one.
        complete: Whether every part of the cell was understood; False for ``?``, an empty cell and free words.
        numbers: Units that show whichever alternative holds: ``10A/B`` is certainly AU 10, ``L12 or L14`` is neither.
    """

    raw: str
    units: tuple[AU, ...] = ()
    complete: bool = False
    numbers: frozenset[int] = frozenset()

    @property
    def names(self) -> frozenset[str]:
        """``numbers`` as ``Sample.aus`` has them: ``{"AU4", "AU12"}``."""
        return frozenset(f"AU{number}" for number in self.numbers)

    @property
    def certain(self) -> bool:
        """Whether ``numbers`` are all that shows: every part was understood, and no unit is in doubt."""
        return self.complete and {unit.number for unit in self.units} == self.numbers

    @property
    def tokens(self) -> frozenset[str]:
        """What is between the plus signs, as it is written, without AU before a number.

        Nothing where the cell names no unit.
        """
        text = _PREFIX.sub(r"\1", self.raw)
        parts = (" ".join(part.split()) for part in _outside_brackets(text, _PLUS)) if self.units else ()
        return frozenset(part for part in parts if part)

    @property
    def sided(self) -> frozenset[str]:
        """``numbers`` with the side where it is certain too: ``{"4", "R10"}``."""
        units = {f"{unit.side or ''}{unit.number}" for unit in self.units if unit.certain}
        known = {unit.number for unit in self.units if unit.certain}
        return frozenset(units | {str(number) for number in self.numbers - known})

    @property
    def in_doubt(self) -> bool:
        """Whether a unit that is named need not show: what is left without it is a combination that nobody coded."""
        return {unit.number for unit in self.units} != self.numbers

    @property
    def side_in_doubt(self) -> bool:
        """Whether a unit, or the side of one, is in doubt, as in ``A/L12``."""
        doubted = {unit.number for unit in self.units if not unit.certain}
        sides = ({unit.side for unit in self.units if unit.number == number} for number in doubted)
        return self.in_doubt or any(len(one) > 1 for one in sides)

    @property
    def opened(self) -> frozenset[str]:
        """Every unit that the cell names, alternatives and references too, with side and intensity.

        ``L12 or L14`` is ``{"L12", "L14"}`` and ``ref(7B)+43E`` is ``{"7B", "43E"}``: what a table holds whose makers
        opened them.
        """
        return frozenset(f"{unit.side or ''}{unit.number}{unit.intensity or ''}" for unit in self.units)


@dataclass(frozen=True, slots=True)
class _Part:
    units: tuple[AU, ...] = ()
    complete: bool = False
    numbers: frozenset[int] = frozenset()

    def doubted(self) -> _Part:
        """Return the same units, none of them certain."""
        units = tuple(AU(unit.number, unit.side, unit.intensity, certain=False) for unit in self.units)
        return _Part(units, self.complete)


def parse(cell: object) -> AUCell:
    """Read an ``Action Units`` cell, whatever it holds: a number, text or nothing.

    ``+``, ``,``, ``;`` and ``&`` join units; ``or`` and ``/`` separate alternatives and bind tighter; brackets group.
    A word that marks a bracket, ``ref(7B)``, is not understood, so its units are doubted and the cell is incomplete.
    """
    if cell is None:
        return AUCell("")
    raw = str(int(cell)) if isinstance(cell, float) and cell.is_integer() else str(cell)
    if len(raw) > _LONGEST:
        return AUCell(raw)
    text = _PREFIX.sub(r"\1", raw)
    text = _TWO_INTENSITIES.sub(r"(\1\2 or \1\3)", text)
    text = _TWO_SIDES.sub(r"(\1\3 or \2\3)", text)
    part = _sum(text.rstrip(" ,;\uff0c"))  # CAS(ME)3 ends cells with a comma
    return AUCell(raw, part.units, part.complete, part.numbers)


def _sum(text: str) -> _Part:
    parts = [_term(term.strip()) for term in _outside_brackets(text, _PLUS)]
    return _Part(
        tuple(unit for part in parts for unit in part.units),
        all(part.complete for part in parts),
        frozenset().union(*(part.numbers for part in parts)),
    )


def _term(text: str) -> _Part:
    """Read what stands between two plus signs."""
    alternatives = _outside_brackets(text, _OR)
    if len(alternatives) > 1:
        parts = [_term(alternative.strip()) for alternative in alternatives]
        # An alternative that is not understood could be anything: then nothing is certain.
        agreed = frozenset.intersection(*(part.numbers for part in parts))
        units = tuple(unit for part in parts for unit in part.doubted().units)
        return _Part(units, all(part.complete for part in parts), agreed)
    if (unit := _UNIT.fullmatch(text)) is not None:
        return _unit(unit)
    if _DESCRIPTOR.fullmatch(text):
        return _Part(complete=True)
    if text.startswith("(") and text.endswith(")") and _is_one_bracket(text):
        return _sum(text[1:-1])
    if (marked := _MARKED.fullmatch(text)) is not None:
        return _Part(_sum(marked[1]).doubted().units)
    return _Part()


def _unit(match: re.Match[str]) -> _Part:
    number = int(match[2])
    if number == 0:  # AU 0 says that nothing moves: no unit, but not misread either
        return _Part(complete=True)
    side = cast("Side | None", match[1].upper() if match[1] else None)
    intensity = cast("Intensity | None", match[3].upper() if match[3] else None)
    certain = match[4] is None
    return _Part((AU(number, side, intensity, certain),), complete=True, numbers=frozenset({number} if certain else ()))


def _outside_brackets(text: str, separator: re.Pattern[str]) -> list[str]:
    """Split at a separator that stands in no bracket."""
    parts, start = [], 0
    depths = list(_depths(text))
    for match in separator.finditer(text):
        if depths[match.start()] == 0:
            parts.append(text[start : match.start()])
            start = match.end()
    return [*parts, text[start:]]


def _is_one_bracket(text: str) -> bool:
    """Whether the first bracket closes at the end: true of ``(4+7)``, not of ``(4)(7)``."""
    return all(depth > 0 for depth in list(_depths(text))[:-1])


def _depths(text: str) -> Iterable[int]:
    """Yield how many brackets are open after each character; a closing one too many counts for nothing."""
    depth = 0
    for character in text:
        depth = max(0, depth + (character == "(") - (character == ")"))
        yield depth
