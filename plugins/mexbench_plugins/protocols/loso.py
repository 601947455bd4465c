"""Leave one subject out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mexbench.errors import ProtocolError, counted, listed
from mexbench.interfaces import AllExcept, Fold, Protocol, Sample


@dataclass(frozen=True, kw_only=True)
class LOSO(Protocol):
    """Leave-one-subject-out: every subject in turn is the test side, all others train."""

    source = "See et al., MEGC 2019, FG 2019, section IV: LOSO on the composite, scores from pooled counts"

    def folds(self, samples: Sequence[Sample]) -> Sequence[Fold]:
        """Return one fold per subject, named after it."""
        nameless = [sample.sample_id for sample in samples if sample.subject is None]
        if nameless:
            raise ProtocolError(
                f"{len(nameless)} of {counted(len(samples), 'sample has', 'samples have')} no subject "
                f"({listed(nameless, limit=3)}): leave-one-subject-out needs one for each; choose another protocol"
            )
        ids = tuple(sample.sample_id for sample in samples)
        positions: dict[str, list[int]] = {}
        for position, sample in enumerate(samples):
            positions.setdefault(str(sample.subject), []).append(position)
        if len(positions) < 2:
            raise ProtocolError(
                f"needs at least two subjects to leave one out, the data has only {next(iter(positions))!r}"
            )
        return [
            Fold(
                name=subject,
                train=AllExcept(ids, frozenset(positions[subject])),
                test=tuple(ids[position] for position in positions[subject]),
            )
            for subject in sorted(positions)
        ]
