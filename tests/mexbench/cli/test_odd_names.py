"""Names that are not UTF-8, on every surface: one clear error that shows the bytes, and no traceback."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import cv2
import numpy as np
import pytest

from mexbench.errors import DataError, check_name, shown_bytes
from mexbench_plugins.preprocessors import _au_openface
from tests import films
from tests.helpers import Ran

Bench = Callable[..., Ran]

ODD = os.fsdecode(b"x\xff")
REFUSED = r"x\xff"
CONFIG = "dataset: {plugin: synthetic, subjects: 3, clips: 4}\nprotocol: loso\nmodels: [majority]\n"

pytestmark = pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="names are UTF-8 there")


def picture(path: Path, seed: int = 0) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    path.write_bytes(cv2.imencode(".png", pixels)[1].tobytes())


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MEXBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "c.yaml").write_text(CONFIG)
    return tmp_path


#: Surface -> the arguments, where ODD is an existing folder, and ODD with a suffix a copy of a file that is fine.
ARGUMENTS: Mapping[str, tuple[str, ...]] = {
    "check": ("check", f"{ODD}.yaml"),
    "check, in a folder": ("check", f"{ODD}/c.yaml"),
    "check, a value": ("check", "c.yaml", "--set", f"dataset.subjects={ODD}"),
    "run": ("run", f"{ODD}.yaml", "--out", "run"),
    "run, out": ("run", "c.yaml", "--out", ODD),
    "audit": ("audit", f"{ODD}.yaml", "--out", "audit"),
    "predict, a film": ("predict", f"{ODD}.mp4", "--model", "model"),
    "predict, a model": ("predict", "a.mp4", "--model", ODD),
    "predict, out": ("predict", "a.mp4", "--model", "model", "--out", ODD),
    "score": ("score", f"{ODD}.csv"),
    "score, against": ("score", "p.csv", "--against", ODD),
    "compare": ("compare", ODD, ODD),
    "submit": ("leaderboard", "submit", ODD, "board"),
    "define": ("leaderboard", "define", ODD, "board"),
    "verify": ("leaderboard", "verify", "--root", ODD),
    "site": ("site", "--out", ODD),
    "papers": ("papers", ODD),
    "analyse au-subdivision": ("analyse", "au-subdivision", "--dataset", "casme2", "--root", ODD),
    "analyse case-study": ("analyse", "case-study", f"{ODD}.csv"),
    "analyse agreement": ("analyse", "agreement", ODD, ODD),
    "synth": ("synth", "--face", "builtin:1", "--aus", "12", "--out", f"{ODD}.mp4"),
    "synth, a photo": ("synth", "--face", f"{ODD}.png", "--aus", "12", "--out", "a.mp4"),
    "synth, a data set": ("synth", "--dataset", "casme2", "--out", ODD),
    "fetch-videos": ("fetch-videos", f"{ODD}.csv"),
    "data verify": ("data", "verify", "--dataset", "casme2", ODD),
    "new": ("new", "model", "net", "--out", ODD),
    "test-plugin": ("test-plugin", ODD),
    "info": ("info", ODD),
    "an option": ("check", "c.yaml", f"--{ODD}"),
    "a command": (ODD,),
}


@pytest.mark.parametrize("surface", ARGUMENTS)
def test_an_argument_that_is_not_utf8_is_one_error(surface: str, place: Path, bench: Bench) -> None:
    (place / ODD).mkdir()
    for name, content in ((".yaml", CONFIG), (".csv", "sample,label,prediction,subject\nx,0,0,a\n")):
        (place / f"{ODD}{name}").write_text(content)
    picture(place / f"{ODD}.png")
    before = sorted(path.name for path in place.iterdir())
    ran = bench(*ARGUMENTS[surface])
    assert ran.code == 2
    assert f"{REFUSED}" in ran.err
    assert "its name is not UTF-8 and cannot be read: rename it" in ran.err
    assert ran.err.count("error:") == 1
    assert sorted(path.name for path in place.iterdir()) == before


@pytest.mark.parametrize(
    ("value", "shown"), [('"${ODD_ROOT}"', r"x\xff: not UTF-8"), (r'"a\udcffb"', r"a\xffb: not UTF-8")]
)
def test_a_value_of_a_config_that_is_not_utf8_is_one_error(
    value: str, shown: str, place: Path, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ODD_ROOT", ODD)
    (place / "c.yaml").write_text(
        f"dataset: {{plugin: image_folder, root: {value}}}\nprotocol: loso\nmodels: [majority]\n"
    )
    for arguments in (("check", "c.yaml"), ("run", "c.yaml", "--out", "run"), ("audit", "c.yaml", "--out", "audit")):
        ran = bench(*arguments)
        assert (ran.code, ran.err.count("error:")) == (2, 1)
        assert f"dataset.root: {shown}" in ran.err


@pytest.mark.parametrize("where", ["a", "."])
def test_an_image_or_a_class_folder_is_named(where: str, place: Path, bench: Bench) -> None:
    for index in range(6):
        picture(place / "images" / "ab"[index % 2] / f"{index}.png", index)
    (place / "c.yaml").write_text(
        "dataset: {plugin: image_folder, root: images}\nprotocol: {plugin: kfold, k: 2, group: none}\n"
        "models: [majority]\n"
    )
    assert bench("check", "c.yaml").code == 0
    picture(place / "images" / where / ODD / "a.png" if where == "." else place / "images" / where / f"{ODD}.png")
    for arguments in (("check", "c.yaml"), ("run", "c.yaml", "--out", "run")):
        ran = bench(*arguments)
        assert (ran.code, ran.err.count("error:")) == (2, 1)
        assert rf"{REFUSED}" in ran.err
        assert "its name is not UTF-8" in ran.err


@pytest.mark.parametrize("dataset", ["casme2", "samm", "smic", "casme3", "dfme", "mmew", "casme_squared"])
@pytest.mark.parametrize("where", ["frame", "sheet"])
def test_a_frame_or_a_sheet_is_named(dataset: str, where: str, place: Path, bench: Bench) -> None:
    options = ("--subjects", 2, "--clips", 2, "--frames", 6, "--size", "160x120")
    assert bench("synth", "--dataset", dataset, "--out", "data", *options).code == 0
    frame = next(path for path in sorted(Path("data").rglob("*")) if path.suffix in (".jpg", ".bmp", ".png"))
    odd = frame.with_name(f"{ODD}{frame.suffix}") if where == "frame" else Path("data") / f"{ODD}.xlsx"
    shutil.copy(frame, odd)
    (place / "c.yaml").write_text(
        f"dataset: {{plugin: {dataset}, root: data}}\nframes: {{unit: clip, count: 2}}\nprotocol: loso\n"
        "models: [majority]\n"
    )
    ran = bench("check", "c.yaml")
    assert (ran.code, ran.err.count("error:")) == (2, 1)
    assert f"{shown_bytes(odd)}: its name is not UTF-8" in ran.err


@pytest.mark.parametrize("name", [f"{ODD}.yaml", f"samples/{ODD}.csv", f"results/{ODD}/a.json"])
def test_a_leaderboard_is_named(name: str, place: Path, bench: Bench) -> None:
    path = place / "boards" / name
    path.parent.mkdir(parents=True)
    path.write_text("{}")
    for arguments in (("leaderboard", "verify"), ("site", "--out", "site")):
        ran = bench(*arguments, "--root", "boards")
        assert (ran.code, ran.err.count("error:")) == (2, 1)
        assert REFUSED in ran.err
        assert "its name is not UTF-8" in ran.err
    (place / "papers" / ODD).mkdir(parents=True)
    ran = bench("papers", "papers")
    assert (ran.code, "its name is not UTF-8" in ran.err) == (2, True)


def test_a_file_in_a_run_folder_or_a_saved_model(place: Path, bench: Bench) -> None:
    assert bench("run", "c.yaml", "--out", "run", "--save-models", "all").code == 0
    before = (place / "run" / "predictions.csv").read_bytes()
    for name in (ODD, f"tasks/majority/0/{ODD}.json"):
        (place / "run" / name).write_text("x")
    assert bench("run", "c.yaml", "--out", "run").code == 0
    assert bench("compare", "run", "run").code == 0
    assert (place / "run" / "predictions.csv").read_bytes() == before
    model = place / "run" / "models" / "majority" / "all" / "0"
    (model / ODD).write_text("x")
    ran = bench("predict", films.person(place / "a.mp4", 1), "--model", model)
    assert (ran.code, ran.err.count("error:")) == (2, 1)
    assert "is damaged: has files that model.json does not name: x\\udcff" in ran.err


def test_results_of_openface_are_named(tmp_path: Path) -> None:
    (tmp_path / f"{ODD}.csv").write_text("frame\n1\n")
    with pytest.raises(DataError, match=r"x\\xff\.csv: its name is not UTF-8"):
        _au_openface.digest_of(tmp_path)


def test_opencv_is_given_no_such_path_by_a_working_folder(
    place: Path, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Relative names are fine, and the folder around them is not: FFmpeg would end the process."""
    (place / ODD).mkdir()
    shutil.copy(films.person(place / "a.mp4", 1), place / ODD / "a.mp4")
    (place / ODD / "clips.csv").write_text("clip_id,path\na,a.mp4\n")
    (place / ODD / "c.yaml").write_text(
        "dataset: {plugin: youtube, manifest: clips.csv}\nframes: {unit: frame, fps: 5}\nprotocol: loso\n"
        "models: [majority]\n"
    )
    monkeypatch.chdir(place / ODD)
    for arguments in (
        ("check", "c.yaml"),
        ("synth", "--face", "builtin:1", "--aus", "12", "--out", "b.mp4", "--size", "160x120"),
    ):
        ran = bench(*arguments)
        assert (ran.code, ran.err.count("Traceback")) == (2, 0)
        assert r"x\xff" in ran.err
        assert "its name is not UTF-8" in ran.err


def test_bytes_are_shown_by_their_numbers() -> None:
    assert shown_bytes(Path("a") / ODD) == r"a/x\xff"
    assert shown_bytes("é\ud800") == "é\\ud800"
    check_name("é")
    with pytest.raises(DataError, match="not UTF-8"):
        check_name("a\ud800")
