"""The action units of a data set's sheet at three levels of normalisation, and the cells that cannot be used."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mexbench.errors import DataError, counted
from mexbench.interfaces import CodedActionUnits
from mexbench.studies.au_clusters.clustering import CAP, SEEDS, Subdivision, Units, subdivide

#: Field of ``CodedActionUnits`` -> what pages call the level.
LEVELS: Mapping[str, str] = {
    "raw": "raw token", "sided": "with side", "numbers": "number alone",
    "opened": "alternatives and references opened",
}  # fmt: skip


@dataclass(frozen=True)
class Level:
    """The units of every clip at one level.

    Args:
        name: Field of ``CodedActionUnits``.
        coded: Emotion -> the units of each of its clips, those without any excluded.
        uncertain: Clips whose cell has a unit in doubt: they have none at this level.
        division: The clusters.
    """

    name: str
    coded: Mapping[str, tuple[Units, ...]]
    uncertain: tuple[CodedActionUnits, ...]
    division: Subdivision

    def counts(self) -> dict[str, Counter[Units]]:
        """Return emotion -> combination -> clips."""
        return {emotion: Counter(combinations) for emotion, combinations in self.coded.items()}


@dataclass(frozen=True)
class Analysis:
    """The sub-division of a data set.

    Args:
        dataset: What pages call it.
        cells: How many cells there are.
        unknown: Clips whose cell names no unit, as ``?`` does.
        other: Emotion -> clips that are excluded because it is not asked for; '' for a blank cell.
        sheet: Level -> emotion -> combination -> clips, of every emotion of the sheet, those too that are excluded.
        levels: By ``LEVELS``.
        cap: The largest K that was tried.
        seeds: Of the initialisations.
        flags: Of the data, such as ``synthetic``.
    """

    dataset: str
    cells: int
    unknown: tuple[CodedActionUnits, ...]
    other: Mapping[str, int]
    levels: tuple[Level, ...]
    sheet: Mapping[str, Mapping[str, Counter[Units]]]
    cap: int
    seeds: tuple[int, ...]
    flags: tuple[str, ...] = ()

    def same_as(self, level: Level) -> Level | None:
        """Return an earlier level with the very same units, if there is one."""
        earlier = self.levels[: self.levels.index(level)]
        return next((candidate for candidate in earlier if candidate.coded == level.coded), None)


def analyse(
    dataset: str,
    clips: Sequence[CodedActionUnits],
    emotions: Sequence[str],
    *,
    cap: int = CAP,
    seeds: Sequence[int] = SEEDS,
    flags: Sequence[str] = (),
) -> Analysis:
    """Sub-divide every emotion at every level.

    Args:
        dataset: What pages call it.
        clips: Of every clip of the sheet.
        emotions: Which, in their order; clips of others are excluded and counted.
        cap: The largest K that is tried.
        seeds: Of the initialisations.
        flags: Of the data, such as ``synthetic``.

    Raises:
        DataError: No clip of these emotions has a unit.
    """
    asked_clips = [clip for clip in clips if clip.emotion in emotions]
    known = [clip for clip in asked_clips if clip.raw]
    if not known:
        raise DataError(
            f"{dataset}: none of its {counted(len(clips), 'clip')} has a coded action unit and one of the emotions"
        )
    levels: list[Level] = []
    for name in LEVELS:
        coded = {
            emotion: tuple(units for clip in known if clip.emotion == emotion and (units := getattr(clip, name)))
            for emotion in emotions
        }
        before = next((level for level in levels if level.coded == coded), None)
        levels.append(
            Level(
                name=name,
                coded=coded,
                uncertain=tuple(clip for clip in known if not getattr(clip, name)),
                division=before.division if before else subdivide(coded, cap=cap, seeds=seeds),
            )
        )
    return Analysis(
        dataset=dataset,
        cells=len(clips),
        unknown=tuple(clip for clip in clips if not clip.raw),
        other=Counter(clip.emotion or "" for clip in clips if clip.emotion not in emotions),
        levels=tuple(levels),
        sheet={name: _counts(clips, name) for name in LEVELS},
        cap=cap,
        seeds=tuple(seeds),
        flags=tuple(flags),
    )


def _counts(clips: Sequence[CodedActionUnits], level: str) -> dict[str, Counter[Units]]:
    counts: dict[str, Counter[Units]] = {}
    for clip in clips:
        if clip.emotion and (units := getattr(clip, level)):
            counts.setdefault(clip.emotion, Counter())[units] += 1
    return counts
