"""Which hits and predictions belong to a matrix: held against every matrix there is."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from mexbench.metrics import classification as metrics
from mexbench.studies.claims.feasibility.margins import Margins, belongs, exact_scores, matrix, rescored
from tests.mexbench.studies.claims.feasibility.matrices import every_matrix, random_matrix


def errors_of(cells: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    hits = np.diagonal(cells, axis1=-2, axis2=-1)
    return cells.sum(axis=-1) - hits, cells.sum(axis=-2) - hits


@pytest.mark.parametrize("supports", [(3, 2), (3, 2, 2), (4, 1, 3), (2, 2, 1, 1)])
def test_belongs_equals_enumerating_all_matrices(supports: tuple[int, ...]) -> None:
    cells = every_matrix(supports)
    e, f = errors_of(cells)
    real = {(tuple(rows), tuple(columns)) for rows, columns in zip(e.tolist(), f.tolist(), strict=True)}
    total = sum(supports)
    candidates = [
        (rows, columns)
        for rows in product(*(range(support + 1) for support in supports))
        for columns in product(range(total + 1), repeat=len(supports))
        if sum(rows) == sum(columns)
    ]
    output = belongs([rows for rows, _ in candidates], [columns for _, columns in candidates])
    assert {pair for pair, yes in zip(candidates, output, strict=True) if yes} == real
    for rows, columns in real:
        hits = tuple(s - own for s, own in zip(supports, rows, strict=True))
        built = matrix(Margins(supports, hits, tuple(h + c for h, c in zip(hits, columns, strict=True))))
        assert (built >= 0).all()
        assert [tuple(vector.tolist()) for vector in errors_of(built)] == [rows, columns]


def test_unequal_sums_and_negative_counts_belong_to_none() -> None:
    assert not belongs([1, 1], [2, 1])
    assert not belongs([-1, 1], [1, -1])
    assert not belongs([2, 0], [2, 0])  # nowhere to go but the own column
    with pytest.raises(ValueError, match="no matrix has these margins"):
        matrix(Margins((3, 3), (1, 3), (3, 3)))


@pytest.mark.parametrize("outside", [0, 2])
def test_exact_scores_are_the_metrics(outside: int) -> None:
    rng = np.random.default_rng(3)
    for _ in range(300):
        cells = random_matrix(rng, int(rng.integers(2, 9)), 20, outside)
        margins = Margins(*(tuple(v.tolist()) for v in (cells.sum(axis=1), np.diagonal(cells), cells.sum(axis=0))))
        expected = metrics.scores(cells)
        for kind, value in exact_scores(margins).items():
            assert float(value) == pytest.approx(float(expected[kind]), abs=1e-12)
        over_supported = exact_scores(margins, "supported")
        for kind, value in rescored(cells, "supported").items():
            assert float(over_supported[kind]) == pytest.approx(value, abs=1e-12)


def test_averages_over_supported_classes_exclude_a_class_without_samples() -> None:
    margins = Margins((4, 4, 0), (4, 3, 0), (4, 3, 1))
    assert exact_scores(margins)["macro_precision"] == pytest.approx(2 / 3)
    assert exact_scores(margins, "supported")["macro_precision"] == 1
