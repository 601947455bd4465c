"""The folds of a protocol, checked before any pixel is read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from mexbench.config.run_config import RowGroup
from mexbench.data.duplicates import Pixels
from mexbench.data.samples import LabelledSamples, excluded_lines
from mexbench.errors import BenchError, ProtocolError, counted, raised
from mexbench.evaluation.split_checks import NEAR, UNKNOWN_SUBJECTS, SplitLeak, check_folds, find_leaks
from mexbench.interfaces import Fold


@dataclass(frozen=True)
class Split:
    """Folds that may be run.

    Args:
        folds: The splits, checked.
        flags: Those of the leaks that the protocol permits, of near-duplicates, which are told by likeness and so never
            refused, and of subjects that nobody knows.
        leaks: The first leak of each kind.
    """

    folds: tuple[Fold, ...]
    flags: tuple[str, ...]
    leaks: tuple[SplitLeak, ...]


def split(
    part: RowGroup, data: LabelledSamples, pixels: Pixels | None = None, *, folds: Sequence[Fold] | None = None
) -> Split:
    """Ask the protocol for folds and inspect each.

    Args:
        part: Names the protocol.
        data: The samples.
        pixels: What the samples' pixels are compared by; without it, duplicates are not looked for.
        folds: What an earlier call returned for the same samples: the protocol is not asked again.

    Raises:
        ProtocolError: A fold cannot be scored honestly, or breaks the protocol's promise of disjoint subjects.
    """
    protocol = part.protocol.instance
    where = f"protocol {part.protocol.plugin!r}"
    place = f"\n  in {part.protocol.where}" if part.protocol.where else ""
    folds = _checked_folds(part, data, where, place) if folds is None else tuple(folds)
    leaks = find_leaks(folds, data.samples, pixels)
    kinds = Counter(leak.kind for leak in leaks)
    first = tuple(next(leak for leak in leaks if leak.kind == kind) for kind in kinds)
    shown = [leak for leak in first if leak.kind != NEAR]
    if shown and protocol.subject_independent:
        raise ProtocolError(
            f"{where} promises that nothing stands on both sides of a fold, and "
            + "; ".join(
                f"{counted(kinds[leak.kind], 'fold breaks', 'folds break')} it by {leak.kind}" for leak in shown
            )
            + "".join(f"\n  {leak}" for leak in shown)
            + f"{place}\n  fix the data (remove or relabel one of the two), then run again"
        )
    nameless = any(sample.subject is None for sample in data.samples)
    return Split(folds, (*sorted(leak.flag for leak in first), *([UNKNOWN_SUBJECTS] if nameless else [])), first)


def _checked_folds(part: RowGroup, data: LabelledSamples, where: str, place: str) -> tuple[Fold, ...]:
    samples = data.samples
    try:
        folds = tuple(part.protocol.instance.folds(samples))
        check_folds(folds, samples, data.classes if data.target == "emotion" else None)
    except ProtocolError as error:
        why_few = "".join(f"\n  {line}" for line in excluded_lines(data))  # a class or a person may be lacking for it
        raise ProtocolError(f"{where}: {error}{why_few}{place}") from None
    except BenchError:
        raise
    except Exception as error:  # whatever third-party code raises
        raise ProtocolError(f"{raised(where, error)}{place}") from error
    _check_tunings(part, data, folds, where)
    return folds


def _check_tunings(part: RowGroup, data: LabelledSamples, folds: Sequence[Fold], where: str) -> None:
    """See that every training side has the subjects that the inner folds of tuned models need."""
    group = {sample.sample_id: sample.group for sample in data.samples}
    tuned = [(model.name, model.tuning.inner) for model in part.models if model.tuning is not None]
    if not tuned:
        return
    name, inner = max(tuned, key=lambda pair: pair[1])
    for fold in folds:
        subjects = len({group[sample] for sample in fold.train})
        if subjects < inner:
            raise ProtocolError(
                f"{where}: model {name!r} is tuned on {inner} inner folds, and the training side of fold {fold.name!r} "
                f"has {counted(subjects, 'subject')}, of which each inner fold needs one; lower 'tune.inner'"
            )
