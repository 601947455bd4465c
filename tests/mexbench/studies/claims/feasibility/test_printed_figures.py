from __future__ import annotations

from fractions import Fraction

import pytest

from mexbench.errors import ClaimError
from mexbench.studies.claims.feasibility.printed_figures import SLACK, printed


@pytest.mark.parametrize(
    ("text", "percent", "rounding", "low", "high"),
    [
        (".5280", False, "nearest", "0.52795", "0.52805"),
        ("0.53", False, "nearest", "0.525", "0.535"),
        ("97.52", True, "nearest", "0.97515", "0.97525"),
        ("97.52", True, "truncated", "0.9752", "0.9753"),
        ("97.52", True, "either", "0.97515", "0.9753"),
        ("100", True, "nearest", "0.995", "1"),
        ("100.00", True, "nearest", "0.99995", "1"),
        ("0", False, "nearest", "0", "0.5"),
    ],
)
def test_the_interval_of_a_print(text: str, percent: bool, rounding: str, low: str, high: str) -> None:
    interval = printed("uar", text, percent=percent, rounding=rounding).interval  # type: ignore[arg-type]
    assert interval.low == max(Fraction(0), Fraction(low) - SLACK)
    assert interval.high == min(Fraction(1), Fraction(high) + SLACK)


def test_a_value_on_the_border_may_be_printed_either_way() -> None:
    border = Fraction(1, 8)  # .125
    assert border in printed("uar", ".12").interval
    assert border in printed("uar", ".13").interval
    assert border not in printed("uar", ".14").interval


@pytest.mark.parametrize("text", ["", ".", "-0.5", "1e-3", "5 %", "0,5", "nan", "1.2.3"])
def test_texts_that_are_not_numbers_are_rejected(text: str) -> None:
    with pytest.raises(ClaimError, match=r"expected digits with at most one point, such as 97\.52 or \.5280, got '"):
        printed("uar", text)


def test_figures_out_of_range_are_rejected() -> None:
    with pytest.raises(ClaimError, match=r"a figure above 100 %: 100\.5"):
        printed("uar", "100.5", percent=True)
    with pytest.raises(ClaimError, match=r"a figure above 1: 97\.52"):
        printed("uar", "97.52")


def test_unknown_kinds_and_roundings_are_rejected() -> None:
    with pytest.raises(ClaimError, match=r"unknown figure 'macro_precison' \(did you mean 'macro_precision'\?\)"):
        printed("macro_precison", ".5")
    with pytest.raises(ClaimError, match="unknown rounding 'up'; choose from: either, nearest, truncated"):
        printed("uar", ".5", rounding="up")  # type: ignore[arg-type]
