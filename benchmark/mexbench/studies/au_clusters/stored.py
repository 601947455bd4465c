"""A sub-division as a file, ``subdivision.json``, and as what new combinations of units are assigned to."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mexbench.errors import ConfigError, DataError, unknown
from mexbench.files import read_json
from mexbench.studies.au_clusters.analysis import Level
from mexbench.studies.au_clusters.clustering import order
from mexbench.studies.au_clusters.published_table import read_lines

FILE = "subdivision.json"
SCHEMA = 1
_MOST_BYTES = 2**24
_MOST_CLUSTERS = 10_000


@dataclass(frozen=True)
class StoredCluster:
    """One combination of an emotion: ``Happiness_ME1``.

    Args:
        name: Its name.
        emotion: Of which emotion.
        combinations: Each set of units, by number alone, with the number of clips that show it.
    """

    name: str
    emotion: str
    combinations: tuple[tuple[frozenset[str], int], ...]

    @property
    def clips(self) -> int:
        """How many clips it has."""
        return sum(count for _, count in self.combinations)


@dataclass(frozen=True)
class StoredSubdivision:
    """The clusters of every emotion.

    Args:
        title: Where they come from, for pages.
        clusters: In their order: those of an emotion follow each other, the larger first.
        emotion: The only emotion whose clusters are assigned to; None for all.
        flags: Of the data that was sub-divided, such as ``synthetic``.
    """

    title: str
    clusters: tuple[StoredCluster, ...]
    emotion: str | None = None
    flags: tuple[str, ...] = ()

    def restricted(self, emotion: str | None) -> StoredSubdivision:
        """Return the sub-division whose clusters of one emotion alone are assigned to.

        Raises:
            ConfigError: It has no such emotion.
        """
        emotions = list(dict.fromkeys(cluster.emotion for cluster in self.clusters))
        if emotion is not None and emotion.lower() not in emotions:
            raise ConfigError(f"--units-of: {unknown('emotion', emotion, emotions)}; they are those of {self.title}")
        return replace(self, emotion=None if emotion is None else emotion.lower())

    def nearest(self, units: Collection[str], emotion: str | None = None) -> str:
        """Return the name of the cluster whose centre is nearest to a set of units; empty for no unit.

        Centres and the set are vectors over all units that either has, so that distances to the clusters of several
        emotions compare. The larger cluster wins among equals, then the earlier one.

        Args:
            units: By number alone: ``{"6", "12"}``.
            emotion: Look among its clusters alone; an emotion without clusters gives nothing.
        """
        chosen = emotion if self.emotion is None else self.emotion
        if emotion is not None and emotion.lower() != (chosen or "").lower():
            return ""  # of an emotion that --units-of does not name
        inside = [k for k, one in enumerate(self.clusters) if chosen is None or one.emotion == chosen.lower()]
        if not units or not inside:
            return ""
        known = np.array([name in units for name in self._units])
        unseen = len(set(units) - set(self._units))
        distances = np.round(np.sqrt(((self._centres[inside] - known) ** 2).sum(axis=1) + unseen), 9)
        best = min(range(len(inside)), key=lambda k: (distances[k], -self.clusters[inside[k]].clips, k))
        return self.clusters[inside[best]].name

    @cached_property
    def _units(self) -> tuple[str, ...]:
        every = {unit for cluster in self.clusters for units, _ in cluster.combinations for unit in units}
        return tuple(sorted(every, key=order))

    @cached_property
    def _centres(self) -> NDArray[np.float64]:
        return np.array([
            [sum(count for units, count in one.combinations if name in units) / one.clips for name in self._units]
            for one in self.clusters
        ])  # fmt: skip


def as_json(dataset: str, level: Level, flags: Sequence[str] = ()) -> dict[str, Any]:
    """Return what ``subdivision.json`` has of the clusters of a level, with the flags of the data if it has any."""
    about = {"schema": SCHEMA, "dataset": dataset, **({"flags": list(flags)} if flags else {})}
    return {**about, "level": level.name, "emotions": level.division.as_json()}


def read(path: Path) -> StoredSubdivision:
    """Read a sub-division that ``bench analyse au-subdivision`` wrote: its folder, or its ``subdivision.json``.

    Raises:
        DataError: It is not one; the text says what to do.
    """
    file = path / FILE if path.is_dir() else path
    try:
        document = read_json(file, most=_MOST_BYTES)
    except FileNotFoundError:
        raise DataError(
            f"--clusters {path}: no {FILE}; give the folder that 'bench analyse au-subdivision' wrote, or the file"
        ) from None
    except (ValueError, OSError) as error:
        raise DataError(f"--clusters {file}: cannot be read: {error}") from None
    try:
        if document["schema"] != SCHEMA:
            raise ValueError(f"its schema is {document['schema']!r}, expected {SCHEMA}")
        if (level := document["level"]) != "numbers":
            raise ValueError(f"its level is {level!r}, and detectors know numbers alone: write it with --level numbers")
        clusters = tuple(_clusters(document["emotions"]))
        if not 1 <= len(clusters) <= _MOST_CLUSTERS:
            raise ValueError(f"it has {len(clusters)} clusters, expected 1 to {_MOST_CLUSTERS}")
        flags = document.get("flags", [])
        if not isinstance(flags, list) or not all(isinstance(flag, str) for flag in flags):
            raise ValueError(f"its flags are {flags!r}, expected a list of strings")
        return StoredSubdivision(f"{document['dataset']} ({file.name})", clusters, flags=tuple(flags))
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        text = str(error) if isinstance(error, ValueError) else f"{type(error).__name__}: {error}"
        raise DataError(f"--clusters {file}: not a sub-division: {text}; write it again") from None


def published() -> StoredSubdivision:
    """Return the combinations of table 10 of the AU-CNN paper, by number alone, each a cluster of one clip.

    Lines that differ in side or intensity alone are one: the first keeps its name.
    """
    lines: dict[tuple[str, frozenset[str]], str] = {}
    for line in read_lines():
        lines.setdefault((line.emotion, line.numbers), line.name)
    clusters = tuple(StoredCluster(name, emotion, ((units, 1),)) for (emotion, units), name in lines.items())
    return StoredSubdivision("table 10 of the AU-CNN paper (2024)", clusters)


def _clusters(emotions: Mapping[str, Any]) -> Sequence[StoredCluster]:
    clusters: list[StoredCluster] = []
    for emotion, group in emotions.items():
        for name, combinations in group["clusters"].items():
            pairs = tuple((frozenset(map(str, units)), count) for units, count in combinations)
            if not pairs or any(not isinstance(count, int) or count < 1 for _, count in pairs):
                raise ValueError(f"cluster {name!r} has no clips")
            clusters.append(StoredCluster(str(name), str(emotion).lower(), pairs))
    return clusters
