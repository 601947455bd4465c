from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.helpers import ROOT, Ran


@pytest.fixture(autouse=True)
def _empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_configs_are_listed_with_what_they_are_for(bench: Callable[..., Ran]) -> None:
    ran = bench("configs")
    lines = dict(line.split(maxsplit=1) for line in ran.out.splitlines())
    names = {path.relative_to(ROOT / "configs").with_suffix("").as_posix() for path in ROOT.glob("configs/**/*.yaml")}
    assert (ran.code, ran.err, lines.keys()) == (0, "", names)
    assert lines["lodo_megc2019_flow"].startswith("The MEGC2019 composite as optical flow, leave-one-dataset-out: ")


@pytest.mark.parametrize(
    ("name", "out", "target"),
    [("quickstart", (), "quickstart.yaml"), ("papers/au_cnn_2024_table5", ("--out", "a/b.yaml"), "a/b.yaml")],
)
def test_a_copy_is_equal_and_runs(bench: Callable[..., Ran], name: str, out: tuple[str, ...], target: str) -> None:
    ran = bench("configs", "--copy", name, *out)
    assert (ran.code, ran.err) == (0, f"written to {target}; run it with 'bench run {target}'\n")
    assert Path(target).read_bytes() == (ROOT / "configs" / f"{name}.yaml").read_bytes()


def test_a_copy_overwrites_nothing(bench: Callable[..., Ran]) -> None:
    Path("quickstart.yaml").write_text("mine")
    ran = bench("configs", "--copy", "quickstart")
    assert (ran.code, Path("quickstart.yaml").read_text()) == (2, "mine")
    assert ran.err == "error: quickstart.yaml: exists already and is not overwritten; choose another --out\n"


def test_wrong_arguments_are_refused(bench: Callable[..., Ran]) -> None:
    ran = bench("configs", "--copy", "loso_cosme2")
    assert ran.code == 2
    assert ran.err.startswith(
        "error: unknown config 'loso_cosme2' (did you mean 'loso_casme2'?); choose from: action_un"
    )
    assert bench("configs", "--out", "x.yaml").err == "error: --out goes with --copy NAME\n"
    assert not any(Path.cwd().iterdir())


def test_leaderboards_without_a_folder_are_the_shipped_definitions(bench: Callable[..., Ran]) -> None:
    ran = bench("leaderboard", "verify")
    assert ran.code == 0
    ran = bench("leaderboard", "render")
    assert (ran.code, ran.err) == (2, "error: leaderboards: has no leaderboards to render; give --root\n")
    ran = bench("claims", "paper2-table4-casme2-svm")
    assert (ran.code, "`paper2-table4-casme2-svm`" in ran.out) == (0, True)
    assert not any(Path.cwd().iterdir())
