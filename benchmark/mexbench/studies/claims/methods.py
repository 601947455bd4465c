"""How the public code of a published method chooses its epoch and settings: ``methods.yaml``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import ConfigDict, Field, StringConstraints, field_validator, model_validator

from mexbench.config import document
from mexbench.config.document import Document
from mexbench.config.typed_document import STRICT, invalid, read_as
from mexbench.errors import ClaimError
from mexbench.studies.claims.claims import Doi

Selection = Literal["fixed", "inner", "test-subject", "test-mean", "unknown"]
#: Selection -> its text on pages.
SELECTIONS: Mapping[Selection, str] = {
    "fixed": "fixed beforehand; the last epoch is tested (no test data in the choice)",
    "inner": "by data without a test subject (no test data in the choice)",
    "test-subject": "by the score on each test subject itself (test data in the choice)",
    "test-mean": "by the mean score over the test subjects (test data in the choice)",
    "unknown": "unknown",
}
#: The selections in which no test data takes part.
CLEAN: tuple[Selection, ...] = ("fixed", "inner")
_Text = Annotated[str, StringConstraints(pattern=r"\S")]


@dataclass(frozen=True, kw_only=True)
class CodePlace:
    """A place in a public code.

    Args:
        file: Its path in the repository.
        lines: Numbers such as ``90`` or ``153-162, 372-401``; None where they were not noted.
        what: What the code does there, in our words.
    """

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    file: _Text
    lines: Annotated[str, StringConstraints(pattern=r"^\d+(-\d+)?(, \d+(-\d+)?)*$")] | None
    what: _Text


@dataclass(frozen=True, kw_only=True)
class MethodCode:
    """The public code of a method.

    Args:
        id: What ``code`` of a claim names.
        title: The method with its year.
        doi: Of its paper; None where it has none.
        repository: OWNER/NAME on GitHub; None where no public code was found.
        commit: Of the code that was read, 40 hexadecimal digits; None where only its date is known.
        date: Year and month of the code that was read.
        selection: What chooses the epoch or the settings.
        places: Where the code does so.
        note: Anything else.
        plugins: Names of the plugins here that are this method: ``bench audit`` applies the rule to them.
        ties: Which of equally good epochs the code keeps.
        every: Each how manyth epoch the code scores on the test side.
    """

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    id: _Text
    title: _Text
    repository: Annotated[str, StringConstraints(pattern=r"^[\w.-]+/[\w.-]+$")] | None
    commit: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{40}$")] | None
    date: Annotated[str, StringConstraints(pattern=r"^\d{4}-\d{2}$")] | None
    selection: Selection
    places: tuple[CodePlace, ...]
    note: str | None
    doi: Doi | None = None
    plugins: tuple[_Text, ...] = ()
    ties: Literal["first", "last"] = "first"
    every: Annotated[int, Field(ge=1)] = 1

    @model_validator(mode="after")
    def _check_evidence(self) -> MethodCode:
        known = self.selection != "unknown"
        if known and not (self.repository and self.places and (self.commit or self.date)):
            raise invalid(
                f"selection {self.selection!r} needs evidence: 'repository', 'commit' or 'date', and at least one of "
                "'places'; write 'unknown' where there is none",
                "selection",
            )
        return self

    @property
    def clean(self) -> bool:
        """Whether no test data takes part in the choice, as far as the code shows."""
        return self.selection in CLEAN

    def version(self) -> str:
        """Return the repository with the commit or the date of the code that was read."""
        if self.repository is None:
            return "not public"
        return f"{self.repository}, {self.commit[:10] if self.commit else self.date}"


@dataclass(frozen=True, kw_only=True)
class Methods:
    """The content of ``methods.yaml``.

    Args:
        schema: Version of the file's format.
        methods: In the file's order.
    """

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    schema: Literal[1]
    methods: tuple[MethodCode, ...]

    @field_validator("methods")
    @classmethod
    def _check_ids(cls, methods: tuple[MethodCode, ...]) -> tuple[MethodCode, ...]:
        ids = [method.id for method in methods]
        for index, name in enumerate(ids):
            if name in ids[:index]:
                raise invalid(f"duplicate id {name!r}", index, "id")
        return methods


def load_methods(path: Path) -> tuple[MethodCode, ...]:
    """Read a file of methods; a folder of claims without one has no methods.

    Raises:
        ConfigError: Invalid YAML.
        ClaimError: Something in it is invalid; the text names what, where, and the choices.
    """
    return methods_from_document(document.read(path, environment={})) if path.exists() else ()


def methods_from_document(source: Document) -> tuple[MethodCode, ...]:
    """Check a document and return its methods; see ``load_methods``."""
    return read_as(Methods, source, ClaimError).methods
