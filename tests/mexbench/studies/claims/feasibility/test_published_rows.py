"""Rows that were published, one by one."""

from __future__ import annotations

import numpy as np
import pytest

from mexbench.errors import ClaimError
from mexbench.studies.claims.feasibility import Figure, judge, judge_any, printed
from mexbench.studies.claims.feasibility.misnomers import misnomers

SMIC, CASME2, SAMM, FULL = (70, 51, 43), (88, 32, 25), (92, 26, 15), (250, 109, 83)
SAMM_CLIPS = (57, 26, 26, 15, 12, 9, 8, 6)


def row(**figures: str) -> list[Figure]:
    """Figures by kind; a percent sign makes a percentage."""
    return [printed(kind, text.rstrip("%"), percent=text.endswith("%")) for kind, text in figures.items()]


def reachable_f1(supports: tuple[int, ...], uar: float) -> np.ndarray:
    """Macro F1 of all 3-class matrices whose recall prints so, by walking every hit and prediction count."""
    total = sum(supports)
    hits = np.stack(np.meshgrid(*(np.arange(s + 1) for s in supports), indexing="ij"), axis=-1).reshape(-1, 3)
    hits = hits[abs((hits / np.array(supports)).mean(axis=1) - uar) <= 0.5e-4 + 1e-12]
    verdict = []
    for h in hits:
        first, second = np.meshgrid(np.arange(h[0], total + 1), np.arange(h[1], total + 1), indexing="ij")
        predicted = np.stack([first, second, total - first - second], axis=-1)
        e, f = np.array(supports) - h, predicted - h
        real = (f >= 0).all(axis=-1) & (e + f <= e.sum()).all(axis=-1)
        verdict.append((2 * h / (np.array(supports) + predicted[real])).mean(axis=-1))
    return np.concatenate(verdict)


def test_lbp_top_on_smic_is_impossible_with_the_exact_bound() -> None:
    verdict = judge(SMIC, row(uf1=".2000", uar=".5280"))
    assert verdict.status == "impossible"
    least = reachable_f1(SMIC, 0.5280).min()
    assert 0.375 < least < 0.3983
    assert verdict.reason == (
        "at 70/51/43 macro recall (UAR) .5280 forces macro F1 (UF1) of at least .3982, whatever the predictions; "
        ".2000 is printed"
    )
    assert 0 <= least - 0.3982 < 1e-4


@pytest.mark.parametrize(
    ("supports", "uf1", "uar"),
    [(CASME2, ".8382", ".8686"), (SAMM, ".6588", ".6810"), (CASME2, ".8764", ".8681"), (SAMM, ".8131", ".8124")],
)
def test_rows_of_the_challenge_equal_an_exhaustive_search(supports: tuple[int, ...], uf1: str, uar: str) -> None:
    near = abs(reachable_f1(supports, float(uar)) - float(uf1)) <= 0.5e-4 + 1e-12
    assert judge(supports, row(uf1=uf1, uar=uar)).status == ("possible" if near.any() else "impossible")


def test_ststnet_with_the_misnomers() -> None:
    assert judge(FULL, row(uf1=".7353", uar=".7605")).status == "possible"
    by_name = {r.name: r.verdict.status for r in misnomers(FULL, row(uf1=".7353", uar=".7605"))}
    assert by_name["macro precision printed as UAR"] == "possible"
    assert by_name["accuracy (weighted recall) printed as UAR"] == "impossible"
    # Two members of the same row leave macro precision as the reading under which both are possible.
    for supports, uf1, uar in ((CASME2, ".8382", ".8686"), (SAMM, ".6588", ".6810")):
        assert judge(supports, row(uf1=uf1, uar=uar), explained=False).status == "impossible"
        verdict = {r.name: r.verdict.status for r in misnomers(supports, row(uf1=uf1, uar=uar))}
        assert verdict["macro precision printed as UAR"] == "possible"


def test_misnomers_skip_what_the_row_already_prints() -> None:
    names = [r.name for r in misnomers((5, 5), row(uf1=".80", uar=".80", macro_precision=".80"))]
    assert "macro precision printed as UAR" not in names
    assert "figures cut off, not rounded" in names
    assert [r.name for r in misnomers((5, 5), row(accuracy=".80"))] == ["figures cut off, not rounded"]


def test_precision_near_100_despite_errors() -> None:
    verdict = judge_any(row(accuracy="97.52%", macro_precision="99.99%", uar="97.63%", uf1=".97"), classes=8)
    assert verdict.status == "impossible"
    assert verdict.reason.startswith(
        "impossible as printed unless every error falls into a class without test samples: at accuracy 97.52 % at "
    )
    by_support = row(accuracy="97.52%", weighted_precision="99.99%", weighted_recall="97.63%", weighted_f1=".97")
    assert judge_any(by_support, classes=8).reason == (
        "weighted recall equals accuracy in every matrix, and 97.63 % is not 97.52 %"
    )
    # With known supports, an average by support is no way out either, unless a class is very rare.
    weighted = row(accuracy="97.48%", weighted_precision="99.99%")
    assert judge(SAMM_CLIPS, weighted).reason.startswith("impossible as printed unless every error falls into a class")
    # The exemption is real: with a class outside the averages, such a precision can be had.
    outside = judge(SAMM_CLIPS, row(accuracy="97.48%", macro_precision="100%"), outside=1, over="supported")
    assert outside.status == "possible"


def test_both_readings_of_100() -> None:
    full = row(accuracy="97.62%", macro_precision="100%", uar="97.62%", uf1=".98")
    exact = row(accuracy="97.62%", macro_precision="100.00%", uar="97.62%", uf1=".98")
    assert judge_any(exact, classes=8, shape=SAMM_CLIPS).status == "impossible"
    loose = judge_any(full, classes=8, shape=SAMM_CLIPS)
    assert loose.status == "possible"
    assert loose.reason.endswith(
        "one class must draw at least 59 % of all predictions, where the most frequent has 36 % of the data set's clips"
    )
    assert loose.matrix is not None
    shares = np.array(loose.matrix).sum(axis=0) / np.array(loose.matrix).sum()
    assert shares.max() > 0.59
    # In the proportions of the clips it stays impossible.
    clips = tuple(5 * count for count in SAMM_CLIPS)
    assert (
        judge(clips, row(macro_precision="100%", uar="97.62%", accuracy="97.6%"), explained=False).status
        == "impossible"
    )


def test_f1_below_precision_and_recall_has_a_floor() -> None:
    macro = judge_any(row(accuracy="95.62%", macro_precision="93.56%", uar="95.62%", uf1="91.78%"), classes=5)
    assert (macro.status, "force macro F1 of at least 93.70 %" in macro.reason) == ("impossible", True)
    weighted = judge_any(row(accuracy="95.62%", weighted_precision="93.56%", weighted_f1="91.78%"), classes=5)
    assert weighted.reason == (
        "accuracy 95.62 % forces weighted F1 of at least 93.42 %, whatever the supports; 91.78 % is printed"
    )


def test_hits_are_whole_numbers() -> None:
    verdict = judge((45, 190, 166, 180, 207), row(accuracy="99.07%", uf1=".98"))
    assert verdict.reason == "no number of hits out of 788 gives accuracy 99.07 %: 780 are 98.98 % and 781 are 99.11 %"


def test_each_law_gives_its_reason() -> None:
    assert (
        "no F1 exceeds the mean of precision and recall"
        in judge_any(row(macro_precision=".80", uar=".80", uf1=".82"), classes=3).reason
    )
    assert judge_any(row(accuracy=".50", uar=".99"), classes=3).reason.startswith("impossible whatever the supports")
    assert "contradict each other" in judge((5, 5), row(uar=".5") + row(uar=".9")).reason


def test_accuracy_alone_says_little() -> None:
    verdict = judge_any(row(accuracy="97.62%"), classes=7)
    assert (verdict.status, verdict.reason) == ("possible", "accuracy alone says little: 41 hits out of 42 give it")
    assert judge_any(row(accuracy="93.21%"), classes=7, total=560).reason == "522 hits out of 560 give it"
    assert judge_any(row(accuracy="99.07%"), classes=5, total=768).status == "impossible"


def test_seven_classes_and_the_limit_of_the_search() -> None:
    figures = row(accuracy="97.74%", macro_precision="97.12%", uar="95.51%", uf1="96.12%")
    assert judge((57, 26, 15, 12, 9, 8, 6), figures, explained=False).status in ("possible", "impossible")
    # Six figures at once in the middle of the range: too much for a small budget, which is said.
    hard = row(accuracy=".5912", uf1=".5499", uar=".6055", macro_precision=".5281", weighted_precision=".6394")
    verdict = judge(SAMM_CLIPS, hard, budget=3_000_000)
    assert verdict.status == "undecided"
    assert "neither a bound nor the search decides" in verdict.reason
    assert judge((40_000, 60_000), row(uf1=".5")).reason == "100000 samples are too many to search"


def test_verdicts_are_deterministic() -> None:
    figures = row(uf1=".7353", uar=".7605")
    assert judge(FULL, figures) == judge(FULL, figures)


@pytest.mark.parametrize("supports", [(), (5,), (5, 0), (5, -1), (2.5, 3)])
def test_invalid_supports_are_rejected(supports: tuple[int, ...]) -> None:
    with pytest.raises(ClaimError, match="expected two or more class supports, integers of at least 1"):
        judge(supports, row(uf1=".5"))


def test_rows_without_figures_are_rejected() -> None:
    with pytest.raises(ClaimError, match="expected at least one figure"):
        judge((5, 5), [])
    with pytest.raises(ClaimError, match="expected a number of classes from 0, got -1"):
        judge((5, 5), row(uf1=".5"), outside=-1)
