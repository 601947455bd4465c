"""A composite against the sum of its members: by hand, by drawn confusion matrices, and in a file of claims."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mexbench.config import document
from mexbench.errors import ClaimError
from mexbench.studies.claims.claims import Claim, PrintedFigure, from_document
from mexbench.studies.claims.composites import check_sum
from mexbench.studies.claims.judge import judge_claim
from tests.helpers import ROOT


def claim(name: str, supports: tuple[int, ...], **figures: str) -> Claim:
    values: dict[str, Any] = {
        "id": name, "source": "s", "where": "w", "method": "m", "dataset": name, "classes": len(supports),
        "supports": supports, "averaging": "macro", "unit": "fraction", "split": "LOSO",
        "figures": {kind: PrintedFigure(printed=text, unit="fraction") for kind, text in figures.items()},
    }  # fmt: skip
    return Claim(**values)


def test_the_accuracy_is_the_mean_by_size() -> None:
    members = [claim("a", (10, 20), accuracy=".50"), claim("b", (50, 20), accuracy=".80")]
    (check,) = check_sum(claim("all", (60, 40), accuracy=".71"), members)
    assert float(check.allowed.low) == pytest.approx((30 * 0.495 + 70 * 0.795) / 100)
    assert not check.excluded
    (check,) = check_sum(claim("all", (60, 40), accuracy=".73"), members)
    assert check.excluded
    assert check.reason == "accuracy .73: the sum of its members (.50, .80) excludes it: from .7050 to .7150"


def test_the_mean_recall_is_bounded_by_where_the_members_recall() -> None:
    """The first member has 1 of 10 and 9 of 10 of the classes: what it recalls is worth .1 or .9 in the composite."""
    members = [claim("a", (1, 9), recall=".5000"), claim("b", (9, 1), recall="1.0000")]
    (check,) = check_sum(claim("all", (10, 10), recall=".5000"), members)
    assert float(check.allowed.low) == pytest.approx((0.1 + 1.0) / 2, abs=1e-4)
    assert float(check.allowed.high) == pytest.approx((0.9 + 1.0) / 2, abs=1e-4)
    assert check.excluded
    judged = judge_claim(claim("all", (10, 10), recall=".5000"), (), members)
    assert judged.status == "contradicted"
    assert judged.reason.startswith("macro recall (UAR) .5000: the sum of its members (.5000, 1.0000) excludes it")


@given(st.integers(0, 2**32 - 1))
def test_what_confusion_matrices_give_is_never_excluded(seed: int) -> None:
    rng = np.random.default_rng(seed)
    supports = rng.integers(1, 40, (3, 3))
    hits = rng.integers(0, supports + 1)

    def of(name: str, n: np.ndarray, right: np.ndarray) -> Claim:
        return claim(
            name, tuple(n.tolist()), recall=f"{np.mean(right / n):.4f}", accuracy=f"{right.sum() / n.sum():.4f}"
        )

    members = [of(f"m{i}", supports[i], hits[i]) for i in range(3)]
    checks = check_sum(of("all", supports.sum(0), hits.sum(0)), members)
    assert [check.figure.kind for check in checks] == ["accuracy", "uar"]
    assert not any(check.excluded for check in checks)


def test_no_published_composite_is_excluded_by_its_members() -> None:
    claims = from_document(document.read(ROOT / "leaderboards" / "claims.yaml"))
    composites = [one for one in claims.claims if one.members]
    assert len(composites) == 9
    checks = {one.id: check_sum(one, claims.members(one)) for one in composites}
    assert all(len(found) == 1 for found in checks.values())
    (ststnet,) = checks["megc2019-ststnet-full"]
    assert (round(float(ststnet.allowed.low), 4), round(float(ststnet.allowed.high), 4)) == (0.6815, 0.8202)
    assert not ststnet.excluded


@pytest.mark.parametrize(
    ("members", "text"),
    [
        ("[megc2019-ststnet-smic, megc2019-ststnet-samm]", "their supports add up to [162, 77, 58]"),
        ("[megc2019-ststnet-smic, nobody]", "unknown claim 'nobody'"),
        ("[megc2019-htnet-smic]", "megc2019-htnet-smic is of another document or method"),
    ],
)
def test_members_that_are_not_the_composite_are_refused(tmp_path: Path, members: str, text: str) -> None:
    content = (ROOT / "leaderboards" / "claims.yaml").read_text()
    right = "[megc2019-ststnet-smic, megc2019-ststnet-casme2, megc2019-ststnet-samm]"
    assert right in content
    (tmp_path / "claims.yaml").write_text(content.replace(right, members))
    with pytest.raises(ClaimError, match=r"members") as caught:
        from_document(document.read(tmp_path / "claims.yaml"))
    assert text in str(caught.value)
