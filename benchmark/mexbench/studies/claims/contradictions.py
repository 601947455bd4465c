"""Statements of one document that exclude each other: two values of one quantity, or names that nothing defines."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import combinations
from typing import ClassVar, Literal

from pydantic import ConfigDict, field_validator, model_validator

from mexbench.config.typed_document import STRICT, invalid
from mexbench.errors import ClaimError, listed
from mexbench.studies.claims.feasibility.printed_figures import SLACK, printed


@dataclass(frozen=True, kw_only=True)
class Contradiction:
    """One of three kinds; exactly one of ``uses``, ``values`` and ``statements`` is given.

    Args:
        what: The subject, such as "the accuracy on SAMM".
        rows: Ids of the claims that it concerns.
        uses: Names that a part of the document uses, such as classes, and that must be in ``sets``.
        sets: Who or what defines names -> these names.
        needed: Whether ``every`` set needs all used names (the agreement of two models), or ``one`` set that has all.
        values: Place in the document -> the value of one and the same quantity that is printed there, in percent.
        statements: Place in the document -> what it states, in our words; that these exclude each other is for a
            reader to check.
    """

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    what: str
    rows: tuple[str, ...] = ()
    uses: tuple[str, ...] = ()
    sets: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    needed: Literal["one", "every"] = "one"
    values: Mapping[str, str] = field(default_factory=dict)
    statements: Mapping[str, str] = field(default_factory=dict)

    @field_validator("values")
    @classmethod
    def _check_values(cls, values: Mapping[str, str]) -> Mapping[str, str]:
        for place, text in values.items():
            try:
                printed("accuracy", text, percent=True)
            except ClaimError as error:
                raise invalid(str(error), place) from None
        return values

    @model_validator(mode="after")
    def _check_kind(self) -> Contradiction:
        given = [name for name in ("uses", "values", "statements") if getattr(self, name)]
        if len(given) != 1:
            raise invalid(f"expected exactly one of uses, values, statements, got {listed(given)}")
        if bool(self.uses) != bool(self.sets):
            raise invalid("expected 'uses' and 'sets' together")
        if len(self.values) == 1 or len(self.statements) == 1:
            raise invalid(f"expected at least two {given[0]}, by their place in the document")
        if not self.reason:
            raise invalid(f"these {given[0]} do not contradict each other")
        return self

    @property
    def computed(self) -> bool:
        """Whether the program finds the contradiction itself, in values or names."""
        return not self.statements

    @property
    def status(self) -> Literal["impossible", "contradicted"]:
        """The verdict on its claims: a result in a class that a model lacks is impossible whatever its value."""
        return "impossible" if self.uses else "contradicted"

    @property
    def reason(self) -> str:
        """Why it is one; empty where it is not."""
        if self.uses:
            return self._missing_names()
        if self.values:
            return self._different_values()
        return f"{self.what} ({'; '.join(f'{place}: {text}' for place, text in self.statements.items())})"

    def _missing_names(self) -> str:
        missing = {place: [name for name in self.uses if name not in names] for place, names in self.sets.items()}
        lacking = {place: names for place, names in missing.items() if names}
        if not lacking or (self.needed == "one" and len(lacking) < len(self.sets)):
            return ""
        parts = [
            f"{place} lacks {listed(names)} (it has {listed(self.sets[place])})" for place, names in lacking.items()
        ]
        return f"{self.what} requires {listed(self.uses)}: {'; '.join(parts)}"

    def _different_values(self) -> str:
        intervals = [printed("accuracy", text, percent=True).interval for text in self.values.values()]
        # Prints that meet in one point differ too: a tie that was rounded down here and up there explains nothing.
        common = [one & other for one, other in combinations(intervals, 2)]
        if all(interval.high - interval.low > 2 * SLACK for interval in common):
            return ""
        places: dict[str, list[str]] = {}
        for place, text in self.values.items():
            places.setdefault(text, []).append(place)
        return f"{self.what} is printed as " + " and as ".join(
            f"{text} ({', '.join(names)})" for text, names in places.items()
        )
