"""Results of ``bench audit``, to show beside the rows that they are about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, ClassVar, Literal, Protocol

from annotated_types import Ge, Le
from pydantic import ConfigDict, TypeAdapter, ValidationError

from mexbench.config.yaml import path_text
from mexbench.errors import BoardError, listed
from mexbench.files import read_plain
from mexbench.reports.leaderboards.rows import BoardRow, BoardRows

SCHEMA = 1
_FINITE = ConfigDict(allow_inf_nan=False)
Score = Literal["uf1", "uar"]
#: A score, or a difference of two.
Share = Annotated[float, Ge(-1), Le(1)]
Range = tuple[Share, Share, Share]


@dataclass(frozen=True)
class Effect:
    """What one leak added to one model's scores; figures are missing where it was not measured.

    Args:
        model: The row.
        leak: Its name.
        kind: What kind of mistake it is.
        what: What is done.
        against: What the leaky scores are set against.
        touches: The scores that it changes.
        status: ``measured``, or why there are no figures.
        why: The reason, in words.
        inflation: Score -> what was added.
        ci: Score -> its interval over subjects; None where it is not paired.
        null: Score -> mean and range of random predictors under the same leak.
    """

    __pydantic_config__: ClassVar[ConfigDict] = _FINITE

    model: str
    leak: str
    kind: str
    what: str
    against: str
    touches: tuple[Score, ...]
    status: str
    why: str = ""
    inflation: Mapping[Score, Share] = field(default_factory=dict)
    ci: Mapping[Score, tuple[Share, Share]] | None = None
    null: Mapping[Score, Range] = field(default_factory=dict)

    @property
    def score(self) -> Score:
        """The score that is shown: UF1 where the leak changes it."""
        return "uf1" if "uf1" in self.touches else "uar"


@dataclass(frozen=True)
class AuditSummary:
    """An ``audit.json``.

    Args:
        schema: Of the file.
        config: Name of the config.
        dataset: What outputs call the data.
        protocol: Name of the protocol.
        seeds: Of the runs.
        commit: Of the code.
        null: Model -> scores of random predictors without any leak.
        rows: By model and leak.
    """

    __pydantic_config__: ClassVar[ConfigDict] = _FINITE

    schema: int
    config: str
    dataset: str
    protocol: str
    seeds: tuple[int, ...]
    commit: str
    null: Mapping[str, Mapping[Score, Range]]
    rows: tuple[Effect, ...]

    def of(self, board: BoardRows, row: BoardRow) -> tuple[Effect, ...]:
        """Return what it says of a row; nothing where it is about other data, another protocol or other models."""
        definition = board.definition
        if (self.dataset, self.protocol) != (definition.dataset, definition.protocol["plugin"]):
            return ()
        return tuple(effect for effect in self.rows if effect.model == row.name)


def audit_bytes(path: Path) -> bytes:
    """Read a file that somebody handed in: a plain one, of a size that can be read."""
    try:
        return read_plain(path, most=2**28, follow_links=False)
    except ValueError as error:
        raise BoardError(f"{path}: cannot be read: {error}") from None


def read(path: Path) -> AuditSummary:
    """Read an ``audit.json``.

    Raises:
        BoardError: It is none, or of another schema; the text says where.
        OSError: It cannot be read.
    """
    try:
        summary = TypeAdapter(AuditSummary).validate_json(audit_bytes(path))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = path_text(tuple(first["loc"]))
        raise BoardError(
            f"{path}: is not a result of 'bench audit', which is RUN/audit/audit.json: "
            f"{where + ': ' if where else ''}{first['msg'][0].lower()}{first['msg'][1:]}"
        ) from None
    if summary.schema != SCHEMA:
        raise BoardError(f"{path}: schema {summary.schema}, this version reads {SCHEMA}")
    measured = [effect for effect in summary.rows if effect.status == "measured"]
    if odd := [effect.leak for effect in measured if not _whole(effect)]:
        raise BoardError(f"{path}: rows: {listed(odd)}: measured, but without figures")
    if missing := {effect.model for effect in measured if effect.score not in summary.null.get(effect.model, {})}:
        raise BoardError(f"{path}: null: has no random predictor for {listed(sorted(missing))}")
    return summary


class OfRows(Protocol):
    """A result of ``bench audit``, with or without ``--stress``."""

    @property
    def dataset(self) -> str:
        """What outputs call the data."""
        ...

    @property
    def protocol(self) -> str:
        """Name of the protocol."""
        ...

    @property
    def rows(self) -> Sequence[OfModel]:
        """What it measured."""
        ...

    def of(self, board: BoardRows, row: BoardRow) -> Sequence[object]:
        """Return what it says of a row."""
        ...


class OfModel(Protocol):
    """A line about one model."""

    @property
    def model(self) -> str:
        """Its name."""
        ...


def check_known_boards(summaries: Mapping[Path, OfRows], boards: Sequence[BoardRows]) -> None:
    """See that each audit is about a row that is shown.

    Raises:
        BoardError: One is about none.
    """
    for path, audit in summaries.items():
        if not any(audit.of(board, row) for board in boards for row in board.rows):
            models = listed(dict.fromkeys(effect.model for effect in audit.rows))
            raise BoardError(
                f"{path}: no row of these leaderboards is what it audits: data set {audit.dataset!r}, protocol "
                f"{audit.protocol!r}, models {models}"
            )


def _whole(effect: Effect) -> bool:
    places = (effect.inflation, effect.null, *([effect.ci] if effect.ci is not None else []))
    return bool(effect.touches) and all(effect.score in place for place in places)
