"""Corrections of published annotations: kept in YAML by sample id, applied one by one, each recorded."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

from mexbench.interfaces import Correction, DataIssue

#: In an errata file: every annotation, and whatever value stands in it.
ANY = "any"
_FOLDER = Path(__file__).with_name("errata")


@dataclass(frozen=True, slots=True, kw_only=True)
class SheetCorrection:
    """One entry of an errata file.

    Args:
        sample_id: The sample it is for.
        field: ``onset``, ``apex`` or ``offset``.
        published: Annotation version, or ``any`` -> the value that the sheet must hold, or ``any``.
        corrected: The frame number to use.
        reason: What is wrong with the published one.
        source: Where the correction comes from.
    """

    sample_id: str
    field: str
    published: Mapping[str, str]
    corrected: int
    reason: str
    source: str

    def erratum(self, published: str) -> Correction:
        """Return the record of this correction, made to a published value."""
        return Correction(
            sample_id=self.sample_id,
            field=self.field,
            published=published,
            corrected=str(self.corrected),
            reason=self.reason,
            source=self.source,
        )


@dataclass(frozen=True, slots=True)
class Corrected:
    """What is left after the corrections of one sample.

    Args:
        onset: Number of the first frame.
        apex: Number of the apex frame.
        offset: Number of the last frame.
        applied: Corrections that were made.
        data_issues: Corrections that do not fit this annotation and were not made.
    """

    onset: int | None
    apex: int | None
    offset: int | None
    applied: tuple[Correction, ...] = ()
    data_issues: tuple[DataIssue, ...] = ()


def errata_file(dataset: str) -> Path:
    """Return where a dataset's corrections are kept."""
    return _FOLDER / f"{dataset}.yaml"


@functools.cache
def corrections(dataset: str) -> Mapping[str, tuple[SheetCorrection, ...]]:
    """Return a dataset's corrections by sample id."""
    if not errata_file(dataset).is_file():  # nothing is known to be wrong
        return {}
    content = yaml.safe_load(errata_file(dataset).read_text(encoding="utf-8"))
    return {
        sample_id: tuple(
            SheetCorrection(
                sample_id=sample_id,
                field=entry["field"],
                published={str(version): str(value) for version, value in entry["published"].items()},
                corrected=entry["corrected"],
                reason=entry["reason"],
                source=entry["source"],
            )
            for entry in entries
        )
        for sample_id, entries in content.items()
    }


def known(dataset: str) -> tuple[Correction, ...]:
    """Return every correction, for a reader: the published value says in which annotation it stands."""
    return tuple(
        correction.erratum(
            ", ".join(
                value if version == ANY else f"{value} in {version}" for version, value in correction.published.items()
            )
        )
        for entries in corrections(dataset).values()
        for correction in entries
    )


def correct(
    entries: tuple[SheetCorrection, ...], *, annotation: str, onset: int | None, apex: int | None, offset: int | None
) -> Corrected:
    """Apply one sample's corrections to what an annotation says.

    One is made only where the annotation is one that it is for and holds the published value. An apex that would not
    lie between onset and offset is not taken over: then the correction is for other frames than these.
    """
    values = {"onset": onset, "apex": apex, "offset": offset}
    applied, data_issues = [], []
    # The apex comes last, because it has to lie between the corrected onset and offset.
    for entry in sorted(entries, key=lambda entry: entry.field == "apex"):
        published = entry.published.get(annotation, entry.published.get(ANY))
        value = values[entry.field]
        if published is None or value == entry.corrected:
            continue
        text = "/" if value is None else str(value)
        if published not in (ANY, text):
            data_issues.append(_refused(entry, f"the sheet has {text}, not the {published} that it corrects"))
        elif entry.field == "apex" and not _between(values["onset"], entry.corrected, values["offset"]):
            span = f"{values['onset']}-{values['offset']}"
            data_issues.append(_refused(entry, f"{entry.corrected} lies outside onset-offset, {span}; kept {text}"))
        else:
            values[entry.field] = entry.corrected
            applied.append(entry.erratum(text))
    return Corrected(values["onset"], values["apex"], values["offset"], tuple(applied), tuple(data_issues))


def _between(onset: int | None, number: int, offset: int | None) -> bool:
    return onset is not None and offset is not None and onset <= number <= offset


def _refused(entry: SheetCorrection, why: str) -> DataIssue:
    return DataIssue(what="erratum not applied", where=entry.sample_id, detail=f"{entry.field}: {why}")
