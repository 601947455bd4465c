"""A proof, where there is one, that a row of figures lies outside what any mixture of cases can reach.

Give every class a *distribution* over its pairs of errors instead of one pair. What all classes together then reach is
a convex set, and it holds everything that real matrices reach. Where the box of allowed figures lies apart from it,
some direction separates the two, and that direction alone is the proof: in it, even the sum of each class's best
pairs falls short. The direction is looked for by moving the reachable point nearest to the box (Frank and Wolfe's
method, fully corrective); how it was found does not matter, since it is checked over all pairs.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mexbench.studies.claims.feasibility.search_space import EPSILON, Space

_OUTER = 80
_INNER = 60
_MOST_ATOMS = 24
Array = NDArray[np.float64]


def separated(space: Space) -> bool:
    """Whether a direction proves that no matrix gives the figures; False proves nothing."""
    if space.state != "open":
        return space.state == "empty"
    return _Separation(space).found()


class _Separation:
    """Points are (figures..., errors, column errors less row errors), the last two per test sample."""

    def __init__(self, space: Space) -> None:
        total = space.problem.total
        self.points = []
        for table in space.classes:
            rows, columns = np.nonzero(table.open)
            e, f = table.errors[rows], table.intruders[columns]
            adds = [table.adds[kind][rows, columns] for kind in space.targets]
            self.points.append(np.stack([*adds, e / total, (f - e) / total], axis=1))
        low, high = space.errors
        bounds = [*space.targets.values(), (low / total - EPSILON, high / total + EPSILON), (-EPSILON, EPSILON)]
        self.low, self.high = np.array(bounds).T

    def found(self) -> bool:
        middle = (self.low + self.high) / 2
        start = sum((points.mean(axis=0) for points in self.points), np.zeros(middle.size))
        atoms = self.lowest(start - middle)[None]
        weights = np.ones(1)
        for _ in range(_OUTER):
            nearest = weights @ atoms
            away = nearest - self.boxed(nearest)
            distance = float(np.linalg.norm(away))
            if distance < 10 * EPSILON:
                return False
            direction = away / distance
            extreme = self.lowest(direction)
            furthest = np.where(direction > 0, self.high, self.low)
            if direction @ extreme - direction @ furthest > EPSILON:
                return True
            if direction @ (nearest - extreme) < EPSILON:
                return False  # nothing lies nearer
            atoms, weights = np.vstack([atoms, extreme]), np.append(weights, 0.0)
            weights = self.corrected(atoms, weights)
            keep = np.argsort(-weights, kind="stable")[:_MOST_ATOMS]
            keep = keep[weights[keep] > 0]
            atoms, weights = atoms[keep], weights[keep] / weights[keep].sum()
        return False

    def lowest(self, direction: Array) -> Array:
        """Return the reachable point that lies lowest in a direction: each class on its own."""
        return sum((p[(p @ direction).argmin()] for p in self.points), np.zeros(direction.size))

    def boxed(self, point: Array) -> Array:
        return np.clip(point, self.low, self.high)

    def corrected(self, atoms: Array, weights: Array) -> Array:
        """Shift weight between the known points, best against worst, towards the box."""
        weights = weights.copy()
        for _ in range(_INNER):
            nearest = weights @ atoms
            away = nearest - self.boxed(nearest)
            slopes = atoms @ away
            best = int(slopes.argmin())
            worst = int(np.where(weights > 0, slopes, -np.inf).argmax())
            step = atoms[best] - atoms[worst]
            length = float(step @ step)
            if best == worst or length == 0 or slopes[worst] - slopes[best] < EPSILON**2:
                break
            moved = min(weights[worst], float(slopes[worst] - slopes[best]) / length)
            weights[best] += moved
            weights[worst] -= moved
        return weights
