"""Results of audits are read by type, and shown only beside what they are about."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mexbench.errors import BoardError
from mexbench.reports.leaderboards.rows import BoardRows
from mexbench.reports.site.audits import check_known_boards, read
from tests.helpers import Ran
from tests.mexbench.reports.site.conftest import AUDIT


def test_an_audit_belongs_to_rows_of_its_dataset_protocol_and_models(
    board: BoardRows, with_audit: Callable[..., Path]
) -> None:
    audit = read(with_audit())
    values = {row.name: [effect.leak for effect in audit.of(board, row)] for row in board.rows}
    assert values.pop("svm-linear") == ["clip-split", "precision-as-recall", "scaler"]
    assert set(map(tuple, values.values())) == {()}
    elsewhere = replace(board, definition=replace(board.definition, protocol={"plugin": "kfold"}))
    assert not any(audit.of(elsewhere, row) for row in board.rows)
    check_known_boards({Path("a.json"): audit}, [board])
    with pytest.raises(
        BoardError, match=r"a\.json: no row of .* is what it audits: data set 'megc2019_flow', protocol "
    ):
        check_known_boards({Path("a.json"): audit}, [elsewhere])


def without(**fields: object) -> list[dict[str, Any]]:
    return [{**AUDIT["rows"][0], **fields}]


@pytest.mark.parametrize(("fields", "message"), [
    ({"schema": 2}, "schema 2, this version reads 1"),
    ({"schema": "one"}, "is not a result of 'bench audit', which is RUN/audit/audit.json: schema: input should be"),
    ({"null": {}}, "null: has no random predictor for svm-linear"),
    ({"rows": without(inflation={})}, "rows: clip-split: measured, but without figures"),
    ({"rows": without(null={"uar": [0, 0, 0]})}, "rows: clip-split: measured, but without figures"),
    ({"rows": without(ci={"uar": [0, 0]})}, "rows: clip-split: measured, but without figures"),
    ({"rows": without(inflation={"uf1": 1.5, "uar": 0})}, "uf1: input should be less than or equal to 1"),
    ({"null": {"svm-linear": {"uar": [0, 0, 0]}}}, "null: has no random predictor for svm-linear"),
    ({"rows": without(touches=[])}, "rows: clip-split: measured, but without figures"),
    ({"rows": without(inflation={"uf1": "much"})}, "rows[0].inflation.uf1: input should be a valid number"),
    ({"rows": without(inflation={"uf1": float("nan")})}, "rows[0].inflation.uf1: input should be a finite number"),
])  # fmt: skip
def test_invalid_audit_files_are_rejected(
    with_audit: Callable[..., Path], fields: dict[str, object], message: str
) -> None:
    with pytest.raises(BoardError) as caught:
        read(with_audit(**fields))
    assert message in str(caught.value)


def test_audits_beside_the_boards_are_read(rich: Path, tmp_path: Path, bench: Callable[..., Ran]) -> None:
    assert bench("site", "--root", rich, "--out", tmp_path / "site").code == 0
    assert "clip-split: +25.00" in (tmp_path / "site" / "rows" / "toy" / "svm-linear.html").read_text()


def test_a_real_audit_is_read(tmp_path: Path, bench: Callable[..., Ran]) -> None:
    (tmp_path / "c.yaml").write_text(
        "dataset: {plugin: synthetic, subjects: 4, clips: 6}\nprotocol: loso\nmodels: [svm]\nseeds: [0]\n"
    )
    run = tmp_path / "run"
    leaks = "clip-split,epoch-global,precision-as-recall"
    assert bench("audit", tmp_path / "c.yaml", "--out", run, "--leaks", leaks, "--repeats", 2).code == 0
    root, out = tmp_path / "boards", tmp_path / "site"
    assert bench("leaderboard", "define", run, "made-up", "--root", root).code == 0
    assert bench("leaderboard", "submit", run, "made-up", "--root", root).code == 0
    ran = bench("site", "--root", root, "--out", out, "--audit", run / "audit" / "audit.json")
    assert ran.code == 0, ran.err
    page = (out / "rows" / "made-up" / "svm.html").read_text()
    assert "clip-split: +" in page
    assert "epoch-global: does not apply" in page
    assert "precision-as-recall (UAR)" in page
