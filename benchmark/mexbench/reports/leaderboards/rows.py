"""The model of a leaderboard's rows: every page, in whatever format, is made from it and from nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from mexbench.errors import BoardError
from mexbench.metrics.significance import Comparison
from mexbench.reports.leaderboards.definition import Definition
from mexbench.reports.leaderboards.plugin_code import CODE_UNAVAILABLE
from mexbench.reports.leaderboards.ranking import Counts, rank
from mexbench.reports.leaderboards.submission import SubmittedEntry
from mexbench.reports.leaderboards.verify import VerifiedBoard, VerifiedSubmission, check_valid, verify_board
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
        section: Under which heading it is listed.
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
        truths = list(self.definition.truths.values())
        return {name: truths.count(index) for index, name in enumerate(self.definition.classes)}

    @property
    def members(self) -> list[str]:
        """The data sets that samples come from, sorted."""
        return sorted({question.dataset for question in self.definition.questions})


def board_rows(board: VerifiedBoard, claims: Claims | None = None) -> BoardRows:
    """Rank a board's submissions.

    Args:
        board: Every submission verified.
        claims: Published figures to set beside the rows.

    Raises:
        BoardError: A submission does not verify: then no page may be made.
    """
    name = board.definition.name
    check_valid(name, board.submissions)
    headline = board.definition.headline
    rows: list[BoardRow] = []
    comparisons: dict[Section, tuple[Comparison, ...]] = {}
    for section in SECTIONS:
        submissions = {_name(one): one for one in board.submissions if _section(one) == section}
        ranked = {
            model: _entry(one)[1]
            for model, one in submissions.items()
            if section != "flagged" and competes(_scores(one))
        }
        ranking = rank(ranked, headline)
        comparisons[section] = ranking.comparisons
        unranked = sorted(
            submissions.keys() - set(ranking.order), key=lambda model: (-_scores(submissions[model])[headline], model)
        )
        for model in (*ranking.order, *unranked):
            entry, counts = _entry(submissions[model])
            row = BoardRow(
                entry=entry,
                file=submissions[model].path.relative_to(board.root).as_posix(),
                section=section,
                rank=ranking.ranks.get(model),
                counts=counts,
                claims=_claims(name, entry, claims) if claims else (),
            )
            rows.append(row)
    groups = tuple(sorted({sample.group for sample in board.definition.questions}))
    return BoardRows(board.definition, tuple(rows), comparisons, groups)


def scores_of(root: Path, name: str) -> dict[str, dict[str, Any]]:
    """Return a board's rows by model: the figures of each, with its ``flags``. Every one of them is verified.

    Raises:
        BoardError: The board is not found, or a submission does not verify.
        ConfigError: Its definition is not YAML.
    """
    board = verify_board(root, name)
    check_valid(name, board.submissions)
    return {_name(one): _scores(one) for one in board.submissions}


def _claims(board: str, entry: SubmittedEntry, claims: Claims) -> tuple[ClaimBeside, ...]:
    beside = []
    for claim in claims.claims:
        for reference in dict.fromkeys(claim.measured.values()):
            name, model, *member = reference.split("/")
            if (name, model) == (board, entry.model.name):
                scores = entry.figures["by_dataset"].get(member[0], {}) if member else entry.figures
                beside.append(ClaimBeside(claim, claims.sources[claim.source].title, "".join(member), scores))
    return tuple(beside)


def _section(submission: VerifiedSubmission) -> Section:
    flags = [flag for flag in _entry(submission)[0].flags if flag != CODE_UNAVAILABLE]  # says nothing of the figures
    return "synthetic" if "synthetic" in flags else "flagged" if flags else "honest"


def _scores(submission: VerifiedSubmission) -> dict[str, Any]:
    entry, _ = _entry(submission)
    return {**entry.figures, "model": entry.model.name, "flags": list(entry.flags)}


def _name(submission: VerifiedSubmission) -> str:
    return _entry(submission)[0].model.name


def _entry(submission: VerifiedSubmission) -> tuple[SubmittedEntry, Counts]:
    if submission.entry is None or submission.counts is None:
        raise BoardError(f"{submission.path}: does not verify: {'; '.join(submission.errors)}")
    return submission.entry, submission.counts
