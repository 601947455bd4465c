"""Results of ``bench audit --stress``, to show beside the rows that they are about."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, ClassVar

from annotated_types import Ge, Le, Len
from pydantic import ConfigDict, TypeAdapter, ValidationError

from mexbench.config.yaml import path_text
from mexbench.errors import BoardError, listed
from mexbench.reports.leaderboards.rows import BoardRow, BoardRows
from mexbench.reports.site.audits import Range, Score, Share, audit_bytes

SCHEMA = 1
_FINITE = ConfigDict(allow_inf_nan=False)
_Ends = tuple[Share, Share]


@dataclass(frozen=True)
class StressLevel:
    """A model's scores on pictures altered at one strength.

    Args:
        level: From 1.
        strength: In the alteration's unit.
        uf1: The score.
        ci: Score -> its interval over subjects; None where they are too few.
        change: Score -> less that on unaltered pictures.
        change_ci: Score -> interval of the change.
        unanswered: Samples that a step rejects, as a mean over runs.
    """

    __pydantic_config__: ClassVar[ConfigDict] = _FINITE

    level: Annotated[int, Ge(1)]
    strength: float
    uf1: Annotated[float, Ge(0), Le(1)]
    ci: Mapping[Score, _Ends | None]
    change: Mapping[Score, Share]
    change_ci: Mapping[Score, _Ends | None]
    unanswered: Annotated[float, Ge(0)]


@dataclass(frozen=True)
class StressRow:
    """A model under one alteration; figures are missing where it was not measured.

    Args:
        model: The row.
        alteration: Its name.
        status: ``measured``, or why there are no figures.
        why: The reason, in words.
        clean: Score on unaltered pictures.
        clean_ci: Its interval over subjects.
        levels: By strength, the weakest first.
        samples: How many are tested.
    """

    __pydantic_config__: ClassVar[ConfigDict] = _FINITE

    model: str
    alteration: str
    status: str
    why: str = ""
    clean: Mapping[Score, Share] = field(default_factory=dict)
    clean_ci: Mapping[Score, _Ends | None] = field(default_factory=dict)
    levels: tuple[StressLevel, ...] = ()
    samples: int = 0

    @property
    def is_whole(self) -> bool:
        """Whether it has the figures that are shown."""
        figures: list[Mapping[Score, object]] = [self.clean, self.clean_ci]
        for level in self.levels:
            figures += [level.ci, level.change, level.change_ci]
        return bool(self.levels) and all("uf1" in one for one in figures)


@dataclass(frozen=True)
class AlterationAbout:
    """What is done: name, sentence, unit and strengths."""

    __pydantic_config__: ClassVar[ConfigDict] = _FINITE

    name: str
    what: str
    unit: str
    strengths: Annotated[tuple[float, ...], Len(1)]


@dataclass(frozen=True)
class StressSummary:
    """A ``stress.json``.

    Args:
        schema: Of the file.
        config: Name of the config.
        dataset: What outputs call the data.
        protocol: Name of the protocol.
        seeds: Of the runs.
        commit: Of the code.
        alterations: In the order of the table.
        null: Model -> scores of random predictors.
        rows: By model and alteration.
    """

    __pydantic_config__: ClassVar[ConfigDict] = _FINITE

    schema: int
    config: str
    dataset: str
    protocol: str
    seeds: tuple[int, ...]
    commit: str
    alterations: tuple[AlterationAbout, ...]
    null: Mapping[str, Mapping[Score, Range]]
    rows: tuple[StressRow, ...]

    def of(self, board: BoardRows, row: BoardRow) -> tuple[StressRow, ...]:
        """Return what it says of a row; nothing where it is about other data, another protocol or other models."""
        definition = board.definition
        if (self.dataset, self.protocol) != (definition.dataset, definition.protocol["plugin"]):
            return ()
        return tuple(one for one in self.rows if one.model == row.name)


def is_stress_file(path: Path) -> bool:
    """Whether a file is a ``stress.json`` by its name."""
    return path.name.endswith("stress.json")


def read(path: Path) -> StressSummary:
    """Read a ``stress.json``.

    Raises:
        BoardError: It is none, or of another schema; the text says where.
        OSError: It cannot be read.
    """
    try:
        summary = TypeAdapter(StressSummary).validate_json(audit_bytes(path))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = path_text(tuple(first["loc"]))
        raise BoardError(
            f"{path}: is not a result of 'bench audit --stress', which is RUN/audit/stress.json: "
            f"{where + ': ' if where else ''}{first['msg'][0].lower()}{first['msg'][1:]}"
        ) from None
    if summary.schema != SCHEMA:
        raise BoardError(f"{path}: schema {summary.schema}, this version reads {SCHEMA}")
    measured = [row for row in summary.rows if row.status == "measured"]
    if odd := [row.alteration for row in measured if not row.is_whole]:
        raise BoardError(f"{path}: rows: {listed(odd)}: measured, but without figures")
    known = {about.name for about in summary.alterations}
    if unknown := [row.alteration for row in measured if row.alteration not in known]:
        raise BoardError(f"{path}: alterations: does not describe {listed(dict.fromkeys(unknown))}")
    if missing := {row.model for row in measured if "uf1" not in summary.null.get(row.model, {})}:
        raise BoardError(f"{path}: null: has no random predictor for {listed(sorted(missing))}")
    return summary
