"""Verdicts on tiny test sets, held against every matrix there is."""

from __future__ import annotations

import numpy as np
import pytest

from mexbench.metrics import classification as metrics
from mexbench.studies.claims.feasibility import KINDS, Figure, judge
from mexbench.studies.claims.feasibility.bounds import separated
from mexbench.studies.claims.feasibility.margins import rescored
from mexbench.studies.claims.feasibility.search_space import Problem, Space
from tests.mexbench.studies.claims.feasibility.matrices import every_matrix, figures_of


def fits(values: dict[str, np.ndarray], figures: list[Figure]) -> bool:
    """Whether any matrix gives the figures."""
    remaining = np.ones_like(values["uar"], dtype=bool)
    for figure in figures:
        low, high = float(figure.interval.low), float(figure.interval.high)
        remaining &= (values[figure.kind] >= low - 1e-12) & (values[figure.kind] <= high + 1e-12)
    return bool(remaining.any())


TINY = [(5, 3), (1, 6), (3, 2, 2), (4, 3, 1), (2, 2, 1, 1)]


@pytest.mark.parametrize(("supports", "outside"), [*((s, 0) for s in TINY), *((s, 1) for s in TINY[:-1])])
def test_verdicts_equal_those_of_enumerating_all_matrices(supports: tuple[int, ...], outside: int) -> None:
    cells = every_matrix(supports, len(supports) + outside)
    values = metrics.scores(cells)
    rng = np.random.default_rng(len(supports) + outside)
    seen = {True: 0, False: 0}
    for _ in range(150):
        kinds = rng.choice(KINDS, size=int(rng.integers(1, 4)), replace=False).tolist()
        near = int(rng.integers(len(cells)))
        row = {kind: float(values[kind][near]) for kind in kinds}
        if rng.random() < 0.7:  # a wrong digit somewhere
            kind = kinds[int(rng.integers(len(kinds)))]
            row[kind] = float(np.clip(row[kind] + rng.choice([-1, 1]) * rng.uniform(0.005, 0.15), 0, 1))
        figures = figures_of(row, kinds, int(rng.integers(2, 4)), percent=False)
        expected = fits(values, figures)
        seen[expected] += 1
        verdict = judge(supports, figures, outside=outside, explained=False)
        assert verdict.status == ("possible" if expected else "impossible"), (supports, figures)
        if not outside and separated(Space(Problem(supports, tuple(figures)))):
            assert not expected
        if verdict.matrix is not None:
            matrix = np.array(verdict.matrix)
            assert matrix.sum(axis=1).tolist()[: len(supports)] == list(supports)
            assert matrix.sum() == sum(supports)
            assert fits({k: np.array([v]) for k, v in metrics.scores(matrix).items()}, figures)
    assert min(seen.values()) > 20


def test_over_supported_classes_alone() -> None:
    cells = every_matrix((3, 2), 3)
    scored = [rescored(matrix, "supported") for matrix in cells]
    values = {kind: np.array([row[kind] for row in scored]) for kind in KINDS}
    rng = np.random.default_rng(0)
    for _ in range(200):
        kinds = rng.choice(KINDS, size=2, replace=False).tolist()
        row = {kind: float(rng.choice(values[kind])) for kind in kinds}
        figures = figures_of(row, kinds, 3, percent=False)
        verdict = judge((3, 2), figures, outside=1, over="supported", explained=False)
        assert verdict.status == ("possible" if fits(values, figures) else "impossible"), figures
