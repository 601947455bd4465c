"""A peer judges scores that are linear in the matrix: there both must agree. It judges neither precision nor F1."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

from mexbench.studies.claims.feasibility import judge, printed

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # the peer's own affair
    multiclass: Any = pytest.importorskip(
        "mlscorecheck.check.multiclass", reason="needs mlscorecheck 1.0.3, a cross-check that is no dependency"
    )


def specificity(kind: str, cells: np.ndarray) -> float:
    """The mean over classes, each against all others, or from pooled counts: the peer asks for it beside recall."""
    others = cells.sum() - cells.sum(axis=1)
    rejected = others - (cells.sum(axis=0) - np.diagonal(cells))
    return float((rejected / others).mean() if kind == "uar" else rejected.sum() / others.sum())


def peer_says_possible(kind: str, supports: list[int], value: str, beside: float) -> bool:
    check = {"uar": multiclass.check_1_testset_no_kfold_macro, "accuracy": multiclass.check_1_testset_no_kfold_micro}
    decimals = len(value.partition(".")[2])
    options = {"verbosity": 0} if kind == "uar" else {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        verdict = check[kind](
            testset=dict(enumerate(supports)),
            scores={"sens": float(value), "spec": round(beside, decimals)},
            eps=0.5 * 10**-decimals,
            **options,
        )
    return not verdict["inconsistency"]


@pytest.mark.parametrize("kind", ["uar", "accuracy"])
def test_mlscorecheck_agrees_on_recall_and_accuracy(kind: str) -> None:
    rng = np.random.default_rng(5)
    seen = {True: 0, False: 0}
    for _ in range(40):
        supports = rng.integers(1, 12 if kind == "uar" else 25, size=int(rng.integers(2, 5))).tolist()
        value = f"{rng.uniform(0.02, 0.98):.{rng.integers(2, 4)}f}"
        verdict = judge(supports, [printed(kind, value)], explained=False)
        # The peer must accept a witness with its specificity; where recall alone is impossible, any must fail.
        beside = 0.5 if verdict.matrix is None else specificity(kind, np.array(verdict.matrix))
        ours = verdict.status == "possible"
        assert ours == peer_says_possible(kind, supports, value, beside), (supports, value)
        seen[ours] += 1
    assert min(seen.values()) > 5


def test_a_pair_of_figures_is_impossible_though_the_peer_finds_recall_possible() -> None:
    recall = printed("uar", ".5280")
    witness = judge((70, 51, 43), [recall])
    assert witness.matrix is not None
    assert peer_says_possible("uar", [70, 51, 43], "0.5280", specificity("uar", np.array(witness.matrix)))
    assert judge((70, 51, 43), [recall, printed("uf1", ".2000")]).status == "impossible"
