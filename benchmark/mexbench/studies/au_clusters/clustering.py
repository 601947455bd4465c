"""K-means over the action units of each emotion: what papers call the sub-division ME1, ME2, ... of an emotion.

Source: the AU-CNN paper (2024), sections 3.4 and 4.1.2: K-means, K by the mean silhouette over clips. How clips become
vectors, the range of K and the initialisation are unstated there; here a vector is 1 for each unit that is coded and
else 0, K runs from 2 to ``CAP``, and each K is fitted from several seeds.

**The silhouette and K.** Vectors of few units repeat: with as many clusters as there are different combinations, each
combination is a cluster of its own and every clip that has a twin scores 1. So the mean silhouette favours many
clusters, and it is often the cap that ends the search: a large K says little about emotions.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

#: The largest K that is tried: table 10 of the paper has no emotion with more than nine combinations.
CAP = 10
SEEDS = tuple(range(10))
_STARTS = 4  # of each fit: the best of so many initialisations
_TIE = 1e-9  # the smaller K wins among equal silhouettes

Units = frozenset[str]


@dataclass(frozen=True)
class Cluster:
    """One part of an emotion.

    Args:
        name: ``Happiness_ME1``; the largest cluster is the first.
        combinations: Each set of units in it with the number of clips that show it, the most frequent first.
        centre: Mean of its vectors, in the order of the group's units.
    """

    name: str
    combinations: tuple[tuple[Units, int], ...]
    centre: tuple[float, ...]

    @property
    def clips(self) -> int:
        """How many clips it has."""
        return sum(count for _, count in self.combinations)


@dataclass(frozen=True)
class CandidateK:
    """One K: the mean silhouette of the best fit (least inertia), and the lowest and highest over seeds."""

    k: int
    silhouette: float
    lowest: float
    highest: float


@dataclass(frozen=True)
class Group:
    """The clusters of one emotion.

    Args:
        name: The emotion.
        units: What the places of its vectors are, by number.
        clusters: By size.
        tried: Every K that was tried; none where there are too few clips, or too few different ones.
        by_seed: The K that each seed alone would choose.
        why_one: Why there is a single cluster; empty where there are several.
    """

    name: str
    units: tuple[str, ...]
    clusters: tuple[Cluster, ...]
    tried: tuple[CandidateK, ...] = ()
    by_seed: tuple[int, ...] = ()
    why_one: str = ""

    @property
    def clips(self) -> int:
        """How many clips it has."""
        return sum(cluster.clips for cluster in self.clusters)

    @property
    def combinations(self) -> dict[Units, int]:
        """Every set of units with the number of clips that show it."""
        return {units: count for cluster in self.clusters for units, count in cluster.combinations}


@dataclass(frozen=True)
class Assignment:
    """Where a new vector belongs.

    Args:
        name: The cluster.
        distance: Euclidean, to its centre, over the units that the emotion's clips show.
        unseen: Units of the vector that none of them shows; they change no distance between clusters.
    """

    name: str
    distance: float
    unseen: tuple[str, ...]


@dataclass(frozen=True)
class Subdivision:
    """Emotion -> its clusters."""

    groups: Mapping[str, Group]

    def assign(self, emotion: str, units: Collection[str]) -> Assignment:
        """Return the cluster of an emotion whose centre is nearest, the larger one among equals.

        Raises:
            KeyError: The emotion has no clusters.
        """
        group = self.groups[emotion]
        vector = _vectors([frozenset(units)], group.units)
        distances = np.linalg.norm(np.array([cluster.centre for cluster in group.clusters]) - vector, axis=1)
        nearest = int(np.argmin(np.round(distances, 9)))
        unseen = tuple(sorted(set(units) - set(group.units), key=order))
        return Assignment(group.clusters[nearest].name, float(distances[nearest]), unseen)

    def as_json(self) -> dict[str, Any]:
        """Return emotion -> its clusters as JSON values."""
        return {
            name: {
                "clips": group.clips,
                "why_one": group.why_one,
                "clusters": {
                    cluster.name: [[sorted(units, key=order), count] for units, count in cluster.combinations]
                    for cluster in group.clusters
                },
            }
            for name, group in self.groups.items()
        }


def subdivide(coded: Mapping[str, Sequence[Units]], *, cap: int = CAP, seeds: Sequence[int] = SEEDS) -> Subdivision:
    """Cluster each emotion's sets of units.

    Args:
        coded: Emotion -> the set of each clip, none of them empty; an emotion without a clip gets no clusters.
        cap: The largest K that is tried.
        seeds: Of the initialisations.
    """
    return Subdivision({name: _group(name, sets, cap, seeds) for name, sets in coded.items() if sets})


def order(token: str) -> tuple[int, str]:
    """Sort units by number, then as text: ``4``, ``L12``, ``12``, ``R10 or 14``."""
    number = re.search(r"\d+", token)
    return (int(number[0]) if number else 1_000, token)


def format_units(units: Iterable[str]) -> str:
    """Write a set of units as the paper's table does: ``{AU6, AUL12}``."""
    return "{" + ", ".join(f"AU{unit}" if _AU.match(unit) else unit for unit in sorted(units, key=order)) + "}"


_AU = re.compile(r"[LRABT]?\d", re.IGNORECASE)


def _group(name: str, sets: Sequence[Units], cap: int, seeds: Sequence[int]) -> Group:
    units = tuple(sorted(frozenset().union(*sets), key=order))
    counts = Counter(sets)
    most = min(cap, len(counts), len(sets) - 1)
    every = np.zeros(len(sets), dtype=np.intp)
    if most < 2:
        if len(counts) == 1:
            why = "one clip" if len(sets) == 1 else "all clips show the same units"
        else:
            why = "two clips: a silhouette needs three" if len(sets) == 2 else "no more than one cluster is asked for"
        return Group(name, units, _clusters(name, sets, every, units), why_one=why)
    tried, labels, by_seed = _search(_vectors(sets, units), range(2, most + 1), seeds)
    best = max(range(len(tried)), key=lambda index: (round(tried[index].silhouette / _TIE), -index))
    none = tried[best].silhouette <= _TIE
    clusters = _clusters(name, sets, every if none else labels[best], units)
    return Group(name, units, clusters, tuple(tried), by_seed, "no K has a silhouette above 0" if none else "")


def _search(
    vectors: NDArray[np.float64], ks: Sequence[int], seeds: Sequence[int]
) -> tuple[list[CandidateK], list[NDArray[np.intp]], tuple[int, ...]]:
    """Fit every K from every seed."""
    from sklearn.cluster import KMeans
    from sklearn.metrics import silhouette_score

    tried, labels = [], []
    silhouettes = np.empty((len(ks), len(seeds)))
    for row, k in enumerate(ks):
        starts: Any = _STARTS  # scikit-learn annotates n_init by its default, a text
        fits = [KMeans(k, n_init=starts, random_state=seed).fit(vectors) for seed in seeds]
        silhouettes[row] = [silhouette_score(vectors, fit.labels_) for fit in fits]
        inertias = np.round([float(fit.inertia_ or 0) for fit in fits], 9)  # a rounding error must not choose the fit
        best = int(np.argmin(inertias))
        tried.append(
            CandidateK(k, float(silhouettes[row, best]), float(silhouettes[row].min()), float(silhouettes[row].max()))
        )
        labels.append(np.asarray(fits[best].labels_, dtype=np.intp))
    chosen = np.round(silhouettes, 9).argmax(axis=0)
    return tried, labels, tuple(int(ks[row]) for row in chosen)


def _clusters(name: str, sets: Sequence[Units], labels: NDArray[np.intp], units: Sequence[str]) -> tuple[Cluster, ...]:
    """Name the clusters by size; equal ones by their units."""
    members = [[f for f, label in zip(sets, labels, strict=True) if label == k] for k in np.unique(labels)]
    members.sort(key=lambda sets: (-len(sets), min(_key(one) for one in sets)))
    return tuple(
        Cluster(
            f"{name.capitalize()}_ME{number}",
            tuple(sorted(Counter(sets).items(), key=lambda item: (-item[1], _key(item[0])))),
            tuple(_vectors(sets, units).mean(axis=0).tolist()),
        )
        for number, sets in enumerate(members, start=1)
    )


def _key(units: Units) -> list[tuple[int, str]]:
    return sorted(order(unit) for unit in units)


def _vectors(sets: Sequence[Units], units: Sequence[str]) -> NDArray[np.float64]:
    return np.array([[unit in units_of_clip for unit in units] for units_of_clip in sets], dtype=np.float64)
