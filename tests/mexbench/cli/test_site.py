"""``bench site`` as a user types it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.helpers import ROOT, Ran


@pytest.fixture
def boards(tmp_path: Path, bench: Callable[..., Ran]) -> Path:
    """A small board with one row."""
    (tmp_path / "c.yaml").write_text(
        "dataset: {plugin: synthetic, subjects: 3}\nprotocol: loso\nmodels: [majority]\nseeds: [0]\n"
    )
    root = tmp_path / "boards"
    assert bench("run", tmp_path / "c.yaml", "--out", tmp_path / "run").code == 0
    assert bench("leaderboard", "define", tmp_path / "run", "toy", "--root", root).code == 0
    assert bench("leaderboard", "submit", tmp_path / "run", "toy", "--root", root).code == 0
    return root


def content(out: Path) -> dict[str, bytes]:
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in out.rglob("*") if path.is_file()}


def test_the_same_bytes_in_every_process(boards: Path, tmp_path: Path, bench: Callable[..., Ran]) -> None:
    one = tmp_path / "one"
    ran = bench("site", "--root", boards, "--out", one)
    assert (ran.code, ran.out) == (0, "")
    assert ran.err == f"written to {one}: 1 leaderboard, 1 row; open {one / 'index.html'}\n"
    first = content(one)
    assert first.keys() == {
        "index.html", "boards/toy.html", "rows/toy/majority.html", "plugins.html", "site.json",
    }  # fmt: skip
    assert bench("site", "--root", boards, "--out", one).code == 0
    assert content(one) == first
    command = [sys.executable, "-m", "mexbench", "site", "--root", boards, "--out", tmp_path / "two"]
    subprocess.run(
        command, check=True, capture_output=True, cwd=ROOT, env={"PYTHONHASHSEED": "1", "HOME": str(tmp_path)}
    )
    assert content(tmp_path / "two") == first
    assert str(tmp_path).encode() not in b"".join(first.values())


def test_what_is_shipped_makes_a_site(
    tmp_path: Path, bench: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    assert bench("site", "--out", tmp_path / "site").code == 0
    rows = {path.stem for path in (tmp_path / "site" / "rows" / "loso_megc2019_flow").iterdir()}
    assert {"majority", "svm-linear", "ststnet", "off_apexnet"} <= rows
    claims = (tmp_path / "site" / "claims.html").read_text()
    assert "not measured: needs the licensed data" in claims
    assert claims.count('<summary><span class="verdict impossible">') >= 12
    assert 'href="https://doi.org/10.1109/FG.2019.8756567"' in claims
    state = (tmp_path / "site" / "state_of_the_art.html").read_text()
    assert "CausalNet (2025)" in state
    assert 'href="rows/loso_megc2019_flow/ststnet.html"' in state
    assert 'id="dataset-megc2019_flow"' in (tmp_path / "site" / "plugins.html").read_text()


def test_verdicts_on_other_figures_are_refused(tmp_path: Path, bench: Callable[..., Ran], boards: Path) -> None:
    for name in ("claims.yaml", "claims.json", "methods.yaml"):
        (boards / name).write_text((ROOT / "leaderboards" / name).read_text())
    assert bench("site", "--root", boards, "--out", tmp_path / "site").code == 0
    figures = boards / "claims.yaml"
    figures.write_text(figures.read_text() + "# changed\n")
    ran = bench("site", "--root", boards, "--out", tmp_path / "site")
    assert (ran.code, "claims.json: stale: claims.yaml has changed since; 'bench claims' writes it" in ran.err) == (
        2,
        True,
    )
    (boards / "claims.json").write_text("{}")
    ran = bench("site", "--root", boards, "--out", tmp_path / "site")
    assert (ran.code, "claims.json: does not hold verdicts on published figures" in ran.err) == (2, True)
    (boards / "claims.json").unlink()
    assert bench("site", "--root", boards, "--out", tmp_path / "site").code == 0
    assert "verdict" not in (tmp_path / "site" / "claims.html").read_text().partition("<main")[2]


def test_rows_that_do_not_verify_make_no_page(boards: Path, tmp_path: Path, bench: Callable[..., Ran]) -> None:
    path, out = boards / "results" / "toy" / "majority.json", tmp_path / "site"
    text = path.read_text()
    path.write_text(text.replace('"accuracy": 0.', '"accuracy": 0.9', 1))
    ran = bench("site", "--root", boards, "--out", out)
    assert (ran.code, out.exists()) == (1, False)
    assert "accuracy: the file says" in ran.err
    assert "some submissions do not verify, so no page is written" in ran.err
    path.write_text("no JSON")
    ran = bench("site", "--root", boards, "--out", out)
    assert (ran.code, out.exists(), "invalid JSON" in ran.err) == (2, False, True)


def test_bad_input(boards: Path, tmp_path: Path, bench: Callable[..., Ran]) -> None:
    foreign = tmp_path / "foreign"
    foreign.mkdir()
    (foreign / "thesis.tex").write_text("mine")
    (tmp_path / "empty").mkdir()
    (tmp_path / "audit.json").write_text(json.dumps({"schema": 1}))
    for arguments, message in (
        (("--root", tmp_path / "nowhere"), "nowhere: has no leaderboards, which are NAME.yaml"),
        (("--root", tmp_path / "empty"), "empty: has no leaderboards, which are NAME.yaml"),
        (("--root", boards, "--out", boards / "toy.yaml"), "toy.yaml: is a file; name a folder"),
        (("--root", boards, "--out", foreign), "foreign: holds what 'bench site' did not write: thesis.tex"),
        (("--root", boards, "--out", boards), "boards: holds what 'bench site' did not write"),
        (("--root", boards, "--out", boards / "toy.yaml" / "x"), "toy.yaml"),
        (("--root", boards, "--audit", tmp_path / "audit.json"), "audit.json: is not a result of 'bench audit'"),
        (("--root", boards, "--audit", tmp_path / "none.json"), "none.json: No such file or directory"),
    ):
        ran = bench("site", *(["--out", tmp_path / "site"] if "--out" not in arguments else []), *arguments)
        assert (ran.code, ran.out, ran.err.count("\n")) == (2, "", 1), ran.err
        assert ran.err.startswith("error: ")
        assert message in ran.err
    assert not (tmp_path / "site").exists()
    assert (foreign / "thesis.tex").read_text() == "mine"


def test_the_help_says_what_it_is_for(bench: Callable[..., Ran]) -> None:
    text = " ".join(bench("site", "--help").out.split())
    for words in ("Write the leaderboards as a static web page.", "no server and no network", "--audit FILE"):
        assert words in text
