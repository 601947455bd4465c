"""The model of a leaderboard's rows: every page, in whatever format, is made from it and from nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from mexbench.errors import BoardError
from mexbench.metrics.significance import Comparison
from mexbench.reports.leaderboards.definition import Definition
from mexbench.reports.leaderboards.ranking import Counts
from mexbench.reports.leaderboards.submission import SubmittedEntry
from mexbench.reports.leaderboards.verified import BoardReader, Verified, VerifiedBoard
from mexbench.studies.claims.claims import Claim, Claims
from mexbench.tables import competes

Section = Literal["honest", "flagged", "synthetic"]
SECTIONS: tuple[Section, ...] = ("honest", "flagged", "synthetic")


@dataclass(frozen=True)
class ClaimBeside:
    """A published figure, and what this row measured.

    Args:
        claim: What was published.
        source: Title of the document.
        member: The member of a composite that it is about; empty for all the data.
        scores: What was measured there: ``uf1``, ``uar`` and ``accuracy`` at least; empty where the row has none.
    """

    claim: Claim
    source: str
    member: str
    scores: Mapping[str, Any]


@dataclass(frozen=True)
class BoardRow:
    """A row of a leaderboard.

    Args:
        entry: What was submitted, verified.
        file: Path of the submission, from the folder of the leaderboards.
        section: Where it stands.
        rank: The best and the worst rank within its section; None where it may not be ranked.
        counts: Its predictions by subject.
        claims: Published figures of its method.
    """

    entry: SubmittedEntry
    file: str
    section: Section
    rank: tuple[int, int] | None
    counts: Counts
    claims: tuple[ClaimBeside, ...]

    @property
    def name(self) -> str:
        """The model's name, unique on its board."""
        return self.entry.model.name

    def scored(self) -> dict[str, Any]:
        """Return the row as ``scores.json`` of a run has it, for the tables of ``mexbench.reports.run_page``."""
        entry = self.entry
        return {
            **entry.figures,
            "model": self.name,
            "flags": list(entry.flags),
            "group": self.section,
            "rank": self.rank,
        }


@dataclass(frozen=True)
class BoardRows:
    """A leaderboard, ready for a page.

    Args:
        definition: What it asks.
        rows: By section, and by rank within one; rows without a rank by their score.
        comparisons: Section -> the paired tests that were made.
        groups: Subjects, or clips where none is known, in the order of ``BoardRow.counts``.
    """

    definition: Definition
    rows: tuple[BoardRow, ...]
    comparisons: Mapping[Section, tuple[Comparison, ...]]
    groups: tuple[str, ...]

    def section(self, name: Section) -> tuple[BoardRow, ...]:
        """Return the rows of a section, in their order."""
        return tuple(row for row in self.rows if row.section == name)

    @property
    def support(self) -> dict[str, int]:
        """Count the samples of each class."""
        found = list(self.definition.truths.values())
        return {name: found.count(index) for index, name in enumerate(self.definition.classes)}

    @property
    def members(self) -> list[str]:
        """The data sets that samples come from, sorted."""
        return sorted({question.dataset for question in self.definition.questions})


def board_rows(reader: BoardReader, board: VerifiedBoard, claims: Claims | None = None) -> BoardRows:
    """Rank a board's submissions.

    Args:
        reader: Where the board was read.
        board: Every submission verified.
        claims: Published figures to set beside the rows.

    Raises:
        BoardError: A submission does not verify: then no page may be made.
    """
    if not board.sound:
        raise BoardError(f"{board.definition.name}: has submissions that do not verify; see 'bench leaderboard verify'")
    headline = board.definition.headline
    rows: list[BoardRow] = []
    comparisons: dict[Section, tuple[Comparison, ...]] = {}
    for section in SECTIONS:
        inside = {_name(found): found for found in board.submissions if _section(found) == section}
        ranking = reader.rank(
            board.definition.name,
            headline,
            {
                name: (found.digest, found.counts)
                for name, found in inside.items()
                if found.counts is not None and section != "flagged" and competes(_scores(found))
            },
        )
        comparisons[section] = ranking.comparisons
        others = sorted(inside.keys() - ranking.ranks.keys(), key=lambda name: (-_scores(inside[name])[headline], name))
        for name in (*ranking.order, *others):
            entry, counts = _whole(inside[name])
            row = BoardRow(
                entry=entry,
                file=inside[name].path.relative_to(reader.root).as_posix(),
                section=section,
                rank=ranking.ranks.get(name),
                counts=counts,
                claims=_claims(board.definition.name, entry, claims) if claims else (),
            )
            rows.append(row)
    return BoardRows(board.definition, tuple(rows), comparisons, board.groups)


def scores_of(root: Path, name: str) -> dict[str, dict[str, Any]]:
    """Return a board's rows by model: the figures of each, with its ``flags``. Every one of them is verified.

    Raises:
        BoardError: There is no such board, or a submission does not verify.
        ConfigError: Its definition is no YAML.
    """
    board = BoardReader(root).board(name)
    if not board.sound:
        raise BoardError(f"{name}: has submissions that do not verify; see 'bench leaderboard verify {name}'")
    return {_name(found): _scores(found) for found in board.submissions}


def _claims(board: str, entry: SubmittedEntry, claims: Claims) -> tuple[ClaimBeside, ...]:
    found = []
    for claim in claims.claims:
        for reference in dict.fromkeys(claim.measured.values()):
            name, model, *member = reference.split("/")
            if (name, model) == (board, entry.model.name):
                scores = entry.figures["by_dataset"].get(member[0], {}) if member else entry.figures
                found.append(ClaimBeside(claim, claims.sources[claim.source].title, "".join(member), scores))
    return tuple(found)


def _section(found: Verified) -> Section:
    flags = _whole(found)[0].flags
    return "synthetic" if "synthetic" in flags else "flagged" if flags else "honest"


def _scores(found: Verified) -> dict[str, Any]:
    entry = _whole(found)[0]
    return {**entry.figures, "model": entry.model.name, "flags": list(entry.flags)}


def _name(found: Verified) -> str:
    return _whole(found)[0].model.name


def _whole(found: Verified) -> tuple[SubmittedEntry, Counts]:
    if found.entry is None or found.counts is None:
        raise BoardError(f"{found.path}: does not verify: {'; '.join(found.faults)}")
    return found.entry, found.counts
