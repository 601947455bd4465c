"""Published figures: ``claims.yaml``, read strictly."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from itertools import product
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, TypeVar

from pydantic import ConfigDict, Field, StringConstraints, ValidationInfo, field_validator, model_validator

from mexbench.config import document
from mexbench.config.document import Document
from mexbench.config.typed_document import STRICT, invalid, read_as
from mexbench.errors import ClaimError, listed, unknown
from mexbench.studies.claims.contradictions import Contradiction
from mexbench.studies.claims.feasibility.per_class import PerClass, RecallRange
from mexbench.studies.claims.feasibility.printed_figures import Figure, printed

Averaging = Literal["macro", "weighted"]
AVERAGINGS: tuple[Averaging, ...] = ("macro", "weighted")
Unit = Literal["percent", "fraction"]
#: Agreement of two models is not a score against the truth; it is listed, and never judged as one.
FigureName = Literal["accuracy", "precision", "recall", "f1", "agreement"]
FIGURES: tuple[FigureName, ...] = ("accuracy", "precision", "recall", "f1", "agreement")
_KINDS: Mapping[str, Mapping[str, str]] = {
    "macro": {"accuracy": "accuracy", "precision": "macro_precision", "recall": "uar", "f1": "uf1"},
    "weighted": {
        "accuracy": "accuracy",
        "precision": "weighted_precision",
        "recall": "weighted_recall",
        "f1": "weighted_f1",
    },
}
#: A digital object identifier, without the address of a resolver.
Doi = Annotated[str, StringConstraints(pattern=r"^10\.\d{4,9}/[\w.()/:;-]+$")]
_Text = Annotated[str, StringConstraints(pattern=r"\S")]
_Count = Annotated[int, Field(ge=1)]
_REFERENCE = re.compile(r"[\w.-]+/\w[\w .,=+-]*(/[\w.-]+)?")
_HITS = re.compile(r"(\d+)/(\d+)")
_T = TypeVar("_T")


@dataclass(frozen=True, kw_only=True)
class PrintedFigure:
    """A figure of a row.

    Args:
        printed: As printed.
        unit: Its unit; that of the row where the file names none.
        read_as: The prints that it may stand for, where that is in doubt.
    """

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    printed: str
    unit: Unit | None = None
    # Not strict: what a "before" validator returns counts as Python, where a strict tuple refuses a list.
    read_as: Annotated[tuple[str, ...], Field(strict=False)] = ()

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, data: object) -> object:
        """Accept the print alone."""
        data = data if isinstance(data, dict) else {"printed": data}
        if not isinstance(data.get("printed", ""), str):
            raise invalid(
                f"expected a string, got {data['printed']!r}; put it in quotes, so that its decimals are kept"
            )
        return data

    @property
    def percent(self) -> bool:
        """Whether it is in percent."""
        return self.unit == "percent"

    @property
    def readings(self) -> tuple[str, ...]:
        """Every print that it may stand for; mostly ``printed`` alone."""
        return self.read_as or (self.printed,)


@dataclass(frozen=True, kw_only=True)
class Claim:
    """One row of published figures; see the head of claims.yaml.

    Args:
        id: Its name.
        source: Key of the document.
        where: Table or section.
        method: Whose row it is.
        dataset: What it was tested on.
        classes: How many.
        supports: Test samples per class, or None.
        why: Why there are no supports.
        samples: Size of the test set, where known.
        shape: Class counts of the whole data set, or nothing.
        averaging: None where the document does not say.
        unit: Of figures that name none.
        split: As the document describes it.
        figures: What is claimed, by name.
        recalls: Class -> its recall as printed, in the row's unit; of every class or of none.
        hits: Class -> correct of tested, such as ``80/82``; of every class or of none.
        code: Id of the method's public code in methods.yaml; None where it is not listed there.
        members: Of a composite: ids of the same method's rows on the data sets that it is made of; () where none are.
        note: Anything else.
        measured: ``split`` and ``loso`` -> NAME/MODEL[/MEMBER].
        unmeasured: As of its source, where this row lacks something else.
    """

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    id: _Text
    source: _Text
    where: _Text
    method: _Text
    dataset: _Text
    classes: Annotated[int, Field(ge=2)]
    supports: tuple[_Count, ...] | None
    why: str | None = None
    samples: _Count | None = None
    shape: tuple[_Count, ...] = ()
    averaging: Literal["macro", "weighted", None]
    unit: Unit
    split: _Text
    figures: Mapping[FigureName, PrintedFigure]
    recalls: Mapping[str, str] = field(default_factory=dict)
    hits: Mapping[str, str] = field(default_factory=dict)
    code: str | None = None
    members: tuple[str, ...] = ()
    note: str | None = None
    measured: Mapping[Literal["split", "loso"], str] = field(default_factory=dict)
    unmeasured: str | None = None

    @field_validator("figures")
    @classmethod
    def _check_figures(
        cls, figures: Mapping[FigureName, PrintedFigure], info: ValidationInfo
    ) -> Mapping[FigureName, PrintedFigure]:
        """Check every print, and give each figure its unit."""
        if not figures:
            raise invalid(f"expected figures by name, such as accuracy: '97.52'; names: {listed(FIGURES)}")
        unit = info.data.get("unit", "percent")
        for name, figure in figures.items():
            for text in (figure.printed, *figure.read_as):
                if message := _misprint(text, figure.unit or unit, mixed=figure.unit is None):
                    raise invalid(message, name)
        return {name: replace(figure, unit=figure.unit or unit) for name, figure in figures.items()}

    @field_validator("recalls")
    @classmethod
    def _check_recalls(cls, recalls: Mapping[str, str], info: ValidationInfo) -> Mapping[str, str]:
        for name, text in recalls.items():
            if message := _misprint(text, info.data.get("unit", "percent"), mixed=True):
                raise invalid(message, name)
        return _of_each_class(recalls, info)

    @field_validator("hits")
    @classmethod
    def _check_hits(cls, hits: Mapping[str, str], info: ValidationInfo) -> Mapping[str, str]:
        for name, text in hits.items():
            match = _HITS.fullmatch(text)
            if match is None or not 0 < int(match[2]) >= int(match[1]):
                raise invalid(f"expected correct of tested samples, such as 80/82, got {text!r}", name)
        tested = tuple(int(text.partition("/")[2]) for text in hits.values())
        supports = info.data.get("supports")
        if hits and supports is not None and tested != supports:
            raise invalid(f"they are out of {listed(map(str, tested))}, and 'supports' is {listed(map(str, supports))}")
        return _of_each_class(hits, info)

    @field_validator("measured")
    @classmethod
    def _check_measured(cls, measured: Mapping[str, str]) -> Mapping[str, str]:
        for key, reference in measured.items():
            if not _REFERENCE.fullmatch(reference):
                raise invalid(f"expected NAME/MODEL or NAME/MODEL/MEMBER, got {reference!r}", key)
        return measured

    @model_validator(mode="after")
    def _check_counts(self) -> Claim:
        for key, counts in (("supports", self.supports), ("shape", self.shape or None)):
            if counts is not None and len(counts) != self.classes:
                raise invalid(f"expected {self.classes} counts, one for each class, got {list(counts)}", key)
        if self.supports is None and not self.why:
            raise invalid("null needs a reason: give it in 'why'", "supports")
        if None not in (self.supports, self.samples) and sum(self.supports or ()) != self.samples:
            total = sum(self.supports or ())
            raise invalid(f"they add up to {total}, and 'samples' is {self.samples}", "supports")
        return self

    @property
    def judged(self) -> bool:
        """Whether its figures are scores against the truth."""
        return "agreement" not in self.figures

    @property
    def averagings(self) -> tuple[Averaging, ...]:
        """The averages to judge it under."""
        if self.averaging is not None:
            return (self.averaging,)
        return AVERAGINGS if self.figures.keys() - {"accuracy"} else ("macro",)

    @property
    def per_class(self) -> PerClass | None:
        """What is printed of each class; None where nothing is."""
        if self.hits:
            pairs = {
                name: (int(text.partition("/")[0]), int(text.partition("/")[2])) for name, text in self.hits.items()
            }
            return PerClass({}, pairs)
        recalls = {name: printed("uar", text, percent=self.unit == "percent") for name, text in self.recalls.items()}
        return PerClass({name: RecallRange(f.text, f.interval) for name, f in recalls.items()}, {}) if recalls else None

    def rows(self, averaging: Averaging) -> list[tuple[str, list[Figure]]]:
        """Return every way to read the prints: what was read otherwise than printed, and the figures."""
        rows = []
        for texts in product(*(figure.readings for figure in self.figures.values())):
            pairs = list(zip(self.figures.items(), texts, strict=True))
            name = ", ".join(f"{figure.printed} read as {text}" for (_, figure), text in pairs if figure.read_as)
            figures = [printed(_KINDS[averaging][kind], text, percent=f.percent) for (kind, f), text in pairs]
            rows.append((name, figures))
        return rows

    def shown(self) -> str:
        """Write the figures as printed."""
        return " / ".join(f"{name} {figure.printed}" for name, figure in self.figures.items())


@dataclass(frozen=True, kw_only=True)
class ClaimSource:
    """A document that publishes figures.

    Args:
        title: Of the document.
        note: Anything else.
        doi: Its digital object identifier, such as ``10.1109/FG.2019.8756567``; None where it has none.
        unmeasured: What a measurement of its rows lacks, such as "needs the licensed data".
        contradictions: Statements of the document that exclude each other.
    """

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    title: _Text
    note: str | None
    doi: Doi | None = None
    unmeasured: str | None = None
    contradictions: tuple[Contradiction, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Claims:
    """The content of a file of claims.

    Args:
        schema: Version of the file's format.
        sources: By key.
        test_sets: What several rows share, for YAML's anchors; not read.
        claims: In the file's order.
    """

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    schema: Literal[1]
    sources: Mapping[str, ClaimSource]
    test_sets: Any = None
    claims: tuple[Claim, ...]

    @field_validator("claims")
    @classmethod
    def _check_claims(cls, claims: tuple[Claim, ...], info: ValidationInfo) -> tuple[Claim, ...]:
        sources: Mapping[str, ClaimSource] | None = info.data.get("sources")  # None where they are invalid themselves
        ids = [claim.id for claim in claims]
        for index, claim in enumerate(claims):
            if sources is not None and claim.source not in sources:
                raise invalid(unknown("source", claim.source, sources), index, "source")
            if claim.id in ids[:index]:
                raise invalid(f"duplicate id {claim.id!r}", index, "id")
        return claims

    @model_validator(mode="after")
    def _check_members(self) -> Claims:
        known = {claim.id: claim for claim in self.claims}
        for index, claim in enumerate(self.claims):
            for name in claim.members:
                if name not in known or name == claim.id:
                    raise invalid(unknown("claim", name, known), "claims", index, "members")
                if (known[name].source, known[name].method) != (claim.source, claim.method):
                    raise invalid(f"{name} is of another document or method", "claims", index, "members")
            if claim.members:
                counts = [known[name].supports for name in claim.members]
                total = [sum(parts) for parts in zip(*(one or () for one in counts), strict=True)]
                if None in counts or tuple(total) != claim.supports:
                    raise invalid(
                        f"their supports add up to {total}, and the composite's are {list(claim.supports or ())}",
                        "claims", index, "members",
                    )  # fmt: skip
        return self

    @model_validator(mode="after")
    def _check_contradictions(self) -> Claims:
        for key, source in self.sources.items():
            ids = [claim.id for claim in self.claims if claim.source == key]
            for index, contradiction in enumerate(source.contradictions):
                for row in contradiction.rows:
                    if row not in ids:
                        raise invalid(unknown("claim", row, ids), "sources", key, "contradictions", index, "rows")
        return self

    def chosen(self, names: Sequence[str]) -> Sequence[Claim]:
        """Return the claims of these names, all where there are none, in the file's order.

        Raises:
            ClaimError: No claim has such a name.
        """
        known = [claim.id for claim in self.claims]
        for name in names:
            if name not in known:
                raise ClaimError(unknown("claim", name, known))
        return [claim for claim in self.claims if not names or claim.id in names]

    def members(self, claim: Claim) -> list[Claim]:
        """Return the claims on the data sets that a composite is made of, in its order."""
        known = {one.id: one for one in self.claims}
        return [known[name] for name in claim.members]

    def contradictions(self, claim: Claim) -> list[Contradiction]:
        """Return the contradictions of its document that concern a claim."""
        return [each for each in self.sources[claim.source].contradictions if claim.id in each.rows]


def load(path: Path) -> Claims:
    """Read a file of claims.

    Raises:
        ConfigError: No such file, or invalid YAML.
        ClaimError: Something in it is invalid; the text names what, where, and the choices.
    """
    return from_document(document.read(path))


def from_document(source: Document) -> Claims:
    """Check a document and return its claims; see ``load``."""
    return read_as(Claims, source, ClaimError)


def _misprint(text: str, unit: Unit, *, mixed: bool) -> str | None:
    """Return what is wrong with a print; ``mixed`` where it may be in the other unit by mistake."""
    percent = unit == "percent"
    message = None
    try:
        printed("accuracy", text, percent=percent)
    except ClaimError as error:
        message = str(error)
    other_unit = "fraction" if percent else "percent"
    number = Fraction(text) if re.fullmatch(r"\d+\.?\d*|\.\d+", text) else Fraction(0)
    if mixed and (0 < number <= 1 if percent else 1 < number <= 100):
        return (
            f"{text} looks like a {other_unit} in a row of {'percentages' if percent else 'fractions'}; where the "
            f"document mixes them, write {{printed: '{text}', unit: {other_unit}}}"
        )
    return message


def _of_each_class(values: Mapping[str, _T], info: ValidationInfo) -> Mapping[str, _T]:
    classes = info.data.get("classes")
    if values and classes is not None and len(values) != classes:
        raise invalid(f"expected one for each of {classes} classes, got {len(values)}: {listed(values)}")
    return values
