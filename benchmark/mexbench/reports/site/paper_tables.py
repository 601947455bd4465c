"""What ``bench papers`` writes for the site: every re-done table's claims beside what was measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar

from annotated_types import Ge, Le
from pydantic import ConfigDict, TypeAdapter, ValidationError

from mexbench.config.yaml import path_text
from mexbench.errors import BoardError
from mexbench.reports import claimed_and_measured as claimed
from mexbench.reports.papers_page import PAPERS_SCHEMA, overview_table
from mexbench.reports.site.audits import audit_bytes

_FINITE = ConfigDict(allow_inf_nan=False)


@dataclass(frozen=True)
class MeasuredFigure:
    """A measured share, or why there is none."""

    __pydantic_config__: ClassVar[ConfigDict] = _FINITE

    value: Annotated[float, Ge(0), Le(1)] | None
    why: str | None = None


@dataclass(frozen=True)
class ClaimedLine:
    """One figure of one model: claimed in percent, measured under both protocols."""

    __pydantic_config__: ClassVar[ConfigDict] = _FINITE

    model: str
    claim: str
    figure: str
    average: str
    claimed: float
    split: MeasuredFigure
    loso: MeasuredFigure


@dataclass(frozen=True)
class PaperComparison:
    """A published table, as in ``scores.json``."""

    __pydantic_config__: ClassVar[ConfigDict] = _FINITE

    title: str
    table: str
    split: str
    averages: str
    measured: Mapping[str, str | None]
    flags: tuple[str, ...]
    lines: tuple[ClaimedLine, ...]
    page: str | int | None = None
    note: str | None = None


@dataclass(frozen=True)
class PaperRun:
    """The run of one config: its name, its data, its table."""

    __pydantic_config__: ClassVar[ConfigDict] = _FINITE

    name: str
    dataset: str
    paper: PaperComparison


@dataclass(frozen=True)
class PaperTables:
    """A ``papers.json``."""

    __pydantic_config__: ClassVar[ConfigDict] = _FINITE

    schema: int
    commit: str
    runs: tuple[PaperRun, ...]


def read(path: Path) -> PaperTables:
    """Read a ``papers.json``.

    Raises:
        BoardError: It is none, or of another schema; the text says where.
        OSError: It cannot be read.
    """
    try:
        tables = TypeAdapter(PaperTables).validate_json(audit_bytes(path))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = path_text(tuple(first["loc"]))
        raise BoardError(
            f"{path}: is not a result of 'bench papers', which is FOLDER/papers.json: "
            f"{where + ': ' if where else ''}{first['msg'][0].lower()}{first['msg'][1:]}"
        ) from None
    if tables.schema != PAPERS_SCHEMA:
        raise BoardError(f"{path}: schema {tables.schema}, this version reads {PAPERS_SCHEMA}")
    if odd := [run.name for run in tables.runs if {*run.paper.measured} != {*claimed.MEASURED}]:
        raise BoardError(f"{path}: runs: {', '.join(odd)}: 'measured' needs the keys {', '.join(claimed.MEASURED)}")
    return tables


def page_values(tables: PaperTables) -> dict[str, Any]:
    """Return what the template of the page shows."""
    adapter = TypeAdapter(PaperComparison)
    runs: Sequence[tuple[PaperRun, dict[str, Any]]] = [
        (run, adapter.dump_python(run.paper, mode="json")) for run in tables.runs
    ]
    return {
        "tables": tables,
        "synthetic": claimed.SYNTHETIC if any(claimed.is_synthetic(paper) for _, paper in runs) else None,
        "overview": overview_table({run.name: {"dataset": run.dataset, "paper": paper} for run, paper in runs}),
        "runs": [
            (run.name, claimed.source_text(paper), run.dataset, claimed.claims_table(paper), claimed.notes(paper))
            for run, paper in runs
        ],
    }
