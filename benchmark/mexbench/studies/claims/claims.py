"""Published figures: ``claims.yaml``, read strictly."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import product
from pathlib import Path
from typing import Any, Literal

from mexbench.config import document
from mexbench.config.document import Document
from mexbench.config.yaml import ValuePath
from mexbench.errors import ClaimError, listed, suggest, unknown
from mexbench.studies.claims.feasibility.printed_figures import Figure, printed

Averaging = Literal["macro", "weighted"]
AVERAGINGS: tuple[Averaging, ...] = ("macro", "weighted")
UNITS = ("percent", "fraction")
#: Agreement of two models is no score against the truth; it is listed, and never judged.
FIGURES = ("accuracy", "precision", "recall", "f1", "agreement")
_KINDS: Mapping[str, Mapping[str, str]] = {
    "macro": {"accuracy": "accuracy", "precision": "macro_precision", "recall": "uar", "f1": "uf1"},
    "weighted": {
        "accuracy": "accuracy",
        "precision": "weighted_precision",
        "recall": "weighted_recall",
        "f1": "weighted_f1",
    },
}
_TEXTS = ("id", "source", "where", "method", "dataset", "split")
_REQUIRED = (*_TEXTS, "classes", "supports", "averaging", "unit", "figures")
_OPTIONAL = ("why", "samples", "shape", "note", "measured", "unmeasured")
_REFERENCE = re.compile(r"[\w.-]+/\w[\w .,=+-]*(/[\w.-]+)?")


@dataclass(frozen=True)
class PrintedFigure:
    """A figure of a row.

    Args:
        name: One of ``FIGURES``.
        text: As printed.
        percent: Whether it is in percent.
        read_as: The prints that it may stand for; mostly ``text`` alone.
    """

    name: str
    text: str
    percent: bool
    read_as: tuple[str, ...]


@dataclass(frozen=True)
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
        split: As the document tells it.
        figures: What is claimed.
        note: Anything else.
        measured: ``split`` and ``loso`` -> NAME/MODEL[/MEMBER].
        unmeasured: As of its source, where this row lacks something else.
    """

    id: str
    source: str
    where: str
    method: str
    dataset: str
    classes: int
    supports: tuple[int, ...] | None
    why: str | None
    samples: int | None
    shape: tuple[int, ...]
    averaging: Averaging | None
    split: str
    figures: tuple[PrintedFigure, ...]
    note: str | None
    measured: Mapping[str, str]
    unmeasured: str | None

    @property
    def judged(self) -> bool:
        """Whether its figures are scores against the truth."""
        return all(figure.name != "agreement" for figure in self.figures)

    @property
    def averagings(self) -> tuple[Averaging, ...]:
        """The averages to judge it under."""
        if self.averaging is not None:
            return (self.averaging,)
        return AVERAGINGS if any(figure.name != "accuracy" for figure in self.figures) else ("macro",)

    def rows(self, averaging: Averaging) -> list[tuple[str, list[Figure]]]:
        """Return every way to read the prints: what was read otherwise than printed, and the figures."""
        found = []
        for texts in product(*(figure.read_as for figure in self.figures)):
            pairs = list(zip(self.figures, texts, strict=True))
            name = ", ".join(f"{f.text} read as {text}" for f, text in pairs if len(f.read_as) > 1)
            found.append((name, [printed(_KINDS[averaging][f.name], t, percent=f.percent) for f, t in pairs]))
        return found

    def shown(self) -> str:
        """Write the figures as printed."""
        return " / ".join(f"{figure.name} {figure.text}" for figure in self.figures)


@dataclass(frozen=True)
class ClaimSource:
    """A document that publishes figures.

    Args:
        title: Of the document.
        note: Anything else.
        unmeasured: What a measurement of its rows lacks, such as "needs the licensed data".
    """

    title: str
    note: str | None
    unmeasured: str | None


@dataclass(frozen=True)
class Claims:
    """The whole file.

    Args:
        sources: By key.
        claims: In the file's order.
    """

    sources: Mapping[str, ClaimSource]
    claims: Sequence[Claim]

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


def load(path: Path) -> Claims:
    """Read a file of claims.

    Raises:
        ConfigError: No such file, or no YAML.
        ClaimError: Something in it cannot be; the text says what, where, and what can.
    """
    return from_document(document.read(path))


def from_document(source: Document) -> Claims:
    """Check a document and return its claims; see ``load``."""
    return _Reader(source).claims()


class _Reader:
    def __init__(self, source: Document) -> None:
        self.source = source

    def fail(self, path: ValuePath, message: str) -> ClaimError:
        return ClaimError(self.source.error_text(path, message))

    def claims(self) -> Claims:
        data = self.mapping(self.source.data, (), ("schema", "sources", "claims"), ("test_sets",))
        if data["schema"] != 1:
            raise self.fail(("schema",), f"expected 1, got {data['schema']!r}")
        if not isinstance(data["sources"], dict) or not isinstance(data["claims"], list):
            raise self.fail((), "expected 'sources' to be a mapping and 'claims' a list")
        sources = {}
        for key, value in data["sources"].items():
            path: ValuePath = ("sources", key)
            entry = self.mapping(value, path, ("title", "note"), ("unmeasured",))
            note, lacks = (entry.get(name) and self.text(entry, path, name) for name in ("note", "unmeasured"))
            sources[key] = ClaimSource(self.text(entry, path, "title"), note, lacks)
        found: dict[str, Claim] = {}
        for index, value in enumerate(data["claims"]):
            path = ("claims", index)
            claim = self.claim(value, path)
            if claim.source not in sources:
                raise self.fail((*path, "source"), unknown("source", claim.source, sources))
            if claim.id in found:
                raise self.fail((*path, "id"), f"{claim.id!r} stands here twice")
            found[claim.id] = claim
        return Claims(sources, list(found.values()))

    def claim(self, value: object, path: ValuePath) -> Claim:
        row = self.mapping(value, path, _REQUIRED, _OPTIONAL)
        supports, samples, why = row["supports"], row.get("samples"), row.get("why")
        classes = self.count(row["classes"], (*path, "classes"), least=2)
        shape = () if row.get("shape") is None else self.counts(row["shape"], (*path, "shape"), classes)
        if samples is not None:
            samples = self.count(samples, (*path, "samples"))
        if supports is not None:
            supports = self.counts(supports, (*path, "supports"), classes)
            if samples is not None and sum(supports) != samples:
                raise self.fail((*path, "supports"), f"they add up to {sum(supports)}, and 'samples' says {samples}")
        elif not why:
            raise self.fail((*path, "supports"), "null needs a reason: say in 'why' why they are not known")
        averaging = row["averaging"]
        if averaging is not None and averaging not in AVERAGINGS:
            choices = f"{unknown('averaging', averaging, AVERAGINGS)}, or null where the document does not say"
            raise self.fail((*path, "averaging"), choices)
        return Claim(
            **{key: self.text(row, path, key) for key in _TEXTS},
            why=row.get("why") and self.text(row, path, "why"),
            note=row.get("note") and self.text(row, path, "note"),
            unmeasured=row.get("unmeasured") and self.text(row, path, "unmeasured"),
            classes=classes,
            supports=supports,
            samples=samples,
            shape=shape,
            averaging=averaging,
            figures=self.figures(row["figures"], row["unit"], path),
            measured=self.measured(row.get("measured"), (*path, "measured")),
        )

    def figures(self, value: object, unit: object, path: ValuePath) -> tuple[PrintedFigure, ...]:
        if unit not in UNITS:
            raise self.fail((*path, "unit"), unknown("unit", unit, UNITS))
        path = (*path, "figures")
        if not isinstance(value, dict) or not value:
            raise self.fail(path, f"expected figures by name, such as accuracy: '97.52'; names: {listed(FIGURES)}")
        found = []
        for name, entry in value.items():
            here = (*path, name)
            if name not in FIGURES:
                raise self.fail(here, unknown("figure", name, FIGURES))
            own = self.mapping(entry, here, ("printed",), ("unit", "read_as")) if isinstance(entry, dict) else {}
            if own.get("unit", unit) not in UNITS:
                raise self.fail((*here, "unit"), unknown("unit", own["unit"], UNITS))
            percent = own.get("unit", unit) == "percent"
            read_as = own.get("read_as", [])
            if not isinstance(read_as, list):
                raise self.fail((*here, "read_as"), f"expected a list of prints, got {read_as!r}")
            texts = [own.get("printed", entry), *read_as]
            for text in texts:
                self.figure(text, here, percent=percent, settled="unit" in own)
            found.append(PrintedFigure(name, texts[0], percent, tuple(texts[1:] or texts[:1])))
        return tuple(found)

    def figure(self, text: object, path: ValuePath, *, percent: bool, settled: bool) -> None:
        """Check one print; ``settled`` where it names its own unit."""
        if not isinstance(text, str):
            raise self.fail(path, f"expected a text, got {text!r}; put it in quotes, so that its decimals are kept")
        try:
            printed("accuracy", text, percent=percent)
        except ClaimError as error:
            other = re.fullmatch(r"\d+\.?\d*", text) and not percent and not settled and Fraction(text) <= 100
            raise self.mixed(text, path, percent=percent) if other else self.fail(path, str(error)) from None
        if percent and not settled and 0 < Fraction(text) <= 1:
            raise self.mixed(text, path, percent=percent)

    def mixed(self, text: str, path: ValuePath, *, percent: bool) -> ClaimError:
        other = UNITS[percent]
        return self.fail(
            path,
            f"{text} looks like a {other} in a row of {'percentages' if percent else 'fractions'}; where the document "
            f"mixes them, write {{printed: '{text}', unit: {other}}}",
        )

    def measured(self, value: object, path: ValuePath) -> Mapping[str, str]:
        if value is None:
            return {}
        row = self.mapping(value, path, (), ("split", "loso"))
        for key, reference in row.items():
            if not isinstance(reference, str) or not _REFERENCE.fullmatch(reference):
                raise self.fail((*path, key), f"expected NAME/MODEL or NAME/MODEL/MEMBER, got {reference!r}")
        return row

    def mapping(
        self, value: object, path: ValuePath, required: Sequence[str], optional: Sequence[str]
    ) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise self.fail(path, f"expected keys and values, got {value!r}")
        for key in value:
            if key not in (*required, *optional):
                raise self.fail((*path, key), f"unknown key{suggest(key, (*required, *optional))}; "
                                f"choose from: {listed((*required, *optional))}")  # fmt: skip
        for key in required:
            if key not in value:
                raise self.fail(path, f"{key!r} is missing")
        return value

    def text(self, row: Mapping[str, Any], path: ValuePath, key: str) -> str:
        if not isinstance(row[key], str) or not row[key].strip():
            raise self.fail((*path, key), f"expected a text, got {row[key]!r}")
        return row[key]

    def count(self, value: object, path: ValuePath, *, least: int = 1) -> int:
        if type(value) is not int or value < least:
            raise self.fail(path, f"expected a whole number from {least}, got {value!r}")
        return value

    def counts(self, value: object, path: ValuePath, classes: int) -> tuple[int, ...]:
        if not isinstance(value, list) or len(value) != classes:
            raise self.fail(path, f"expected {classes} counts, one for each class, got {value!r}")
        return tuple(self.count(item, (*path, index)) for index, item in enumerate(value))
