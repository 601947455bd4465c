"""A stress test is read by type, and shown beside the rows that it is about."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mexbench.errors import BoardError
from mexbench.reports.site.stress_tests import read
from tests.helpers import Ran
from tests.mexbench.reports.site.conftest import read_page

LEVEL = {
    "level": 1, "strength": 10.0, "uf1": 0.25, "uar": 0.5, "unanswered": 3.0,
    "ci": {"uf1": [0.125, 0.5]}, "change": {"uf1": -0.25}, "change_ci": {"uf1": [-0.5, 0.125]},
}  # fmt: skip
STRESS: dict[str, Any] = {
    "schema": 1, "config": "c", "dataset": "megc2019_flow", "protocol": "loso", "seeds": [0], "commit": "abc",
    "alterations": [{"name": "brightness", "what": "lighter <or> darker", "unit": "grey levels", "strengths": [10.0]}],
    "null": {"svm-linear": {"uf1": [0.25, 0.125, 0.5]}},
    "rows": [
        {"model": "svm-linear", "alteration": "brightness", "status": "measured", "samples": 16,
         "clean": {"uf1": 0.5}, "clean_ci": {"uf1": [0.25, 0.75]}, "levels": [LEVEL]},
        {"model": "svm-linear", "alteration": "fog", "status": "failed", "why": "it <is> gone"},
    ],
}  # fmt: skip


def written(folder: Path, **fields: object) -> Path:
    path = folder / "stress.json"
    path.write_text(json.dumps({**STRESS, **fields}))
    return path


def test_it_is_shown_beside_its_row_alone(rich: Path, tmp_path: Path, bench: Callable[..., Ran]) -> None:
    ran = bench("site", "--root", rich, "--out", tmp_path / "site", "--audit", written(tmp_path))
    assert ran.code == 0, ran.err
    page = read_page((tmp_path / "site" / "rows" / "toy" / "svm-linear.html").read_text())
    assert page.tables["What each alteration costs"][1] == [
        "brightness", "lighter <or> darker", "10 grey levels", "25.00 [12.50, 50.00]", "-25.00", "-50.00 to +12.50",
        "3 of 16",
    ]  # fmt: skip
    assert "fog: failed, it <is> gone" in page.text
    assert "brightness: 50.00 unaltered, 25.00 at the strongest" in page.text
    assert "No stress test of this row" in (tmp_path / "site" / "rows" / "toy" / "leaky.html").read_text()


@pytest.mark.parametrize(("fields", "message"), [
    ({"schema": 2}, "schema 2, this version reads 1"),
    ({"rows": [{**STRESS["rows"][0], "levels": []}]}, "rows: brightness: measured, but without figures"),
    ({"alterations": []}, "alterations: does not describe brightness"),
    ({"null": {}}, "null: has no random predictor for svm-linear"),
    ({"commit": 1}, "is not a result of 'bench audit --stress', which is RUN/audit/stress.json: commit: input should"),
])  # fmt: skip
def test_invalid_files_are_rejected(tmp_path: Path, fields: dict[str, object], message: str) -> None:
    with pytest.raises(BoardError) as caught:
        read(written(tmp_path, **fields))
    assert message in str(caught.value)
