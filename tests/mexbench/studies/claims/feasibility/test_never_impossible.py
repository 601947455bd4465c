"""Figures of a real matrix are never called impossible: soundness is what the whole package stands on."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mexbench.metrics import classification as metrics
from mexbench.studies.claims.feasibility import judge
from mexbench.studies.claims.feasibility.bounds import separated
from mexbench.studies.claims.feasibility.identities import Known, broken
from mexbench.studies.claims.feasibility.search_space import Problem, Space
from tests.mexbench.studies.claims.feasibility.matrices import KIND_SETS, SEEDS, Matrix, figures_of, random_matrix

QUIET = [HealthCheck.too_slow, HealthCheck.data_too_large]


def scored(cells: Matrix) -> dict[str, float]:
    return {kind: float(value) for kind, value in metrics.scores(cells).items()}


@settings(max_examples=2_000, deadline=None, derandomize=True, suppress_health_check=QUIET)
@given(classes=st.integers(2, 8), most=st.sampled_from([2, 6, 14]), seed=SEEDS, kinds=KIND_SETS,
       decimals=st.integers(0, 4), percent=st.booleans())  # fmt: skip
def test_small_matrices(*, classes: int, most: int, seed: int, kinds: list[str], decimals: int, percent: bool) -> None:
    cells = random_matrix(np.random.default_rng(seed), classes, most)
    figures = figures_of(scored(cells), kinds, decimals, percent=percent)
    supports = tuple(map(int, cells.sum(axis=1)))
    verdict = judge(supports, figures, budget=150_000, explained=False)
    assert verdict.status != "impossible", (cells.tolist(), [str(figure) for figure in figures], verdict.reason)
    if verdict.matrix is not None:
        witness = np.array(verdict.matrix)
        assert witness.sum(axis=1).tolist() == list(supports)
        result = scored(witness)
        for figure in figures:
            assert float(figure.interval.low) - 1e-12 <= result[figure.kind] <= float(figure.interval.high) + 1e-12


@settings(max_examples=200, deadline=None, derandomize=True, suppress_health_check=QUIET)
@given(classes=st.integers(2, 8), seed=SEEDS, kinds=KIND_SETS, outside=st.integers(1, 2))
def test_classes_without_test_samples(classes: int, seed: int, kinds: list[str], outside: int) -> None:
    cells = random_matrix(np.random.default_rng(seed), classes, 8, outside)
    figures = figures_of(scored(cells), kinds, 3, percent=False)
    supports = tuple(map(int, cells.sum(axis=1)[:classes]))
    assert judge(supports, figures, outside=outside, budget=150_000, explained=False).status != "impossible"


@settings(max_examples=3_000, deadline=None, derandomize=True, suppress_health_check=QUIET)
@given(classes=st.integers(2, 8), most=st.sampled_from([2, 10, 100]), seed=SEEDS, decimals=st.integers(0, 4))
def test_the_laws_hold_in_every_matrix(classes: int, most: int, seed: int, decimals: int) -> None:
    cells = random_matrix(np.random.default_rng(seed), classes, most)
    figures = tuple(figures_of(scored(cells), list(scored(cells)), decimals, percent=True))
    supports = cells.sum(axis=1)
    known = Known(classes=classes, total=int(supports.sum()), rarest=int(supports.min()))
    assert broken(figures, known) is None, cells.tolist()


@settings(max_examples=120, deadline=None, derandomize=True, suppress_health_check=QUIET)
@given(classes=st.integers(2, 8), seed=SEEDS, kinds=KIND_SETS, decimals=st.integers(2, 5))
def test_no_bound_excludes_a_real_matrix(classes: int, seed: int, kinds: list[str], decimals: int) -> None:
    cells = random_matrix(np.random.default_rng(seed), classes, 60)
    figures = figures_of(scored(cells), kinds, decimals, percent=False)
    assert not separated(Space(Problem(tuple(map(int, cells.sum(axis=1))), tuple(figures))))


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("supports", [(250, 109, 83), (99, 63, 32, 27, 25), (57, 26, 15, 12, 9, 8, 6)])
def test_rows_of_real_size_are_found_possible(supports: tuple[int, ...], seed: int) -> None:
    rng = np.random.default_rng(seed)
    size = len(supports)
    chances = 0.3 * rng.dirichlet(np.ones(size), size=size) + 0.7 * np.eye(size)
    cells = np.array([rng.multinomial(support, chance) for support, chance in zip(supports, chances, strict=True)])
    for kinds in (["uf1", "uar"], ["accuracy", "macro_precision", "uar", "uf1"]):
        assert judge(supports, figures_of(scored(cells), kinds, 4, percent=False)).status == "possible"
