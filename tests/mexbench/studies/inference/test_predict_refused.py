"""What ``bench predict`` refuses, with one message and without a folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mexbench.files import read_json
from mexbench.runs import saved_model as saved
from mexbench.studies.inference import page
from tests import films
from tests.helpers import Ran

Bench = Callable[..., Ran]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("missing.mp4", "no such file; expected a film, a folder of films, or a list of clips (.csv)"),
        ("song.mp4", "song.mp4: is a WAVE sound file, not a film"),
        ("half.mp4", "half.mp4: is cut off: its index (moov) is missing"),
        (
            "empty",
            "no film in this folder; expected .3gp, .avi, .m4v, .mkv, .mov, .mp4, .webm, or name a list",
        ),
        ("clips.csv", "line 2: file not found"),
        ("out.csv", "line 2: path '../a.mp4': expected the name of a film beside the list"),
        ("songs", "no film could be read:"),
    ],
)
def test_unreadable_input_leaves_no_folder(name: str, text: str, by_frame: Path, bench: Bench, tmp_path: Path) -> None:
    films.sound(tmp_path / "song.mp4")
    films.cut(films.person(tmp_path / "half.mp4"), 0.5)
    (tmp_path / "empty").mkdir()
    (tmp_path / "songs").mkdir()
    films.sound(tmp_path / "songs" / "a.mp4")
    (tmp_path / "clips.csv").write_text("clip_id,path\na,none.mp4\n")
    (tmp_path / "out.csv").write_text("clip_id,path\na,../a.mp4\n")
    ran = bench("predict", tmp_path / name, "--model", by_frame, "--out", tmp_path / "made" / "out")
    assert ran.code == 2
    assert text in ran.err
    assert "Traceback" not in ran.err
    assert not (tmp_path / "made").exists() or list((tmp_path / "made").iterdir()) == []


def test_an_existing_folder_is_not_replaced(by_frame: Path, bench: Bench, tmp_path: Path) -> None:
    film = films.person(tmp_path / "a.mp4", 1)
    (tmp_path / "out").mkdir()
    assert bench("predict", film, "--model", by_frame, "--out", tmp_path / "out").code == 0
    ran = bench("predict", film, "--model", by_frame, "--out", tmp_path / "out")
    assert ran.code == 2
    assert "out: exists already; choose another --out, or remove it" in ran.err


def test_an_interrupt_leaves_no_folder(
    by_frame: Path, bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(page, "readme", stop)
    film = films.person(tmp_path / "a.mp4", 1)
    assert bench("predict", film, "--model", by_frame, "--out", tmp_path / "made" / "out").code == 130
    assert list((tmp_path / "made").iterdir()) == []


def test_models_that_need_an_apex_are_rejected(models: Path, bench: Bench, tmp_path: Path) -> None:
    film = films.person(tmp_path / "a.mp4", 1)
    ran = bench("predict", film, "--model", models / "on-apex" / "all" / "0", "--out", tmp_path / "out")
    assert ran.code == 2
    assert "was trained on annotated moments (frames: at: ['apex']), and a video has no annotated apex" in ran.err
    assert "train one with frames {unit: frame, fps: 10} or {unit: clip, count: 16}" in ran.err


def edited(folder: Path, to: Path, change: Callable[[dict[str, Any]], object]) -> Path:
    """A copy of a saved model that says something else about itself, with a checksum that holds."""
    to.mkdir()
    for path in folder.iterdir():
        (to / path.name).write_bytes(path.read_bytes())
    about = read_json(to / "model.json")
    change(about)
    saved.write_about(to, about)
    return to


def with_flow(about: dict[str, Any]) -> None:
    step = {"plugin": "optical_flow", "method": "farneback", "no_apex": "reject", "channels": ["u", "v", "strain"]}
    about["preprocess"].insert(1, step)
    about["input"]["preprocess"].insert(1, step)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (with_flow, "needs an annotation that a video does not have: no apex is known (optical_flow: no_apex: reject)"),
        (lambda about: about.update(frames=None, input={**about["input"], "frames": None}), "without a 'frames' block"),
        (lambda about: about["preprocess"][0].update(plugin="other"), "went through the step 'other': unknown"),
        (lambda about: about["preprocess"][0].update(colour=1), "step 'face' has other parameters now than when the"),
        (lambda about: about["preprocess"][0].update(margin=0.5), "step 1: trained with {'plugin': 'face'"),
        (lambda about: about["frames"].update(count=8), "frames: trained with {'unit': 'clip', 'count': 2}, now"),
    ],
)
def test_models_whose_input_cannot_be_prepared_are_rejected(
    change: Callable[[dict[str, Any]], object], text: str, models: Path, bench: Bench, tmp_path: Path
) -> None:
    folder = edited(models / "on-flow" / "all" / "0", tmp_path / "model", change)
    ran = bench("predict", films.person(tmp_path / "a.mp4", 1), "--model", folder, "--out", tmp_path / "out")
    assert ran.code == 2
    assert text in ran.err
    assert ran.err.count("error:") == 1


def test_a_config_with_other_preprocessing_is_rejected(by_frame: Path, bench: Bench, tmp_path: Path) -> None:
    film = films.person(tmp_path / "a.mp4", 1)
    (tmp_path / "c.yaml").write_text(
        "dataset: synthetic\nframes: {unit: frame, count: 3}\nprotocol: loso\nmodels: [svm]\n"
        "preprocess: [face, clahe, {plugin: resize, size: 16}]\n"
    )
    ran = bench("predict", film, "--model", by_frame, "--out", tmp_path / "out", "--config", tmp_path / "c.yaml")
    assert ran.code == 2
    assert (
        "was trained on samples that were made another way:\n  step 2: trained with {'plugin': 'grayscale'" in ran.err
    )
    (tmp_path / "c.yaml").write_text((tmp_path / "c.yaml").read_text().replace("clahe", "grayscale"))
    assert (
        bench("predict", film, "--model", by_frame, "--out", tmp_path / "out", "--config", tmp_path / "c.yaml").code
        == 0
    )


def test_folders_without_a_model_are_rejected(bench: Bench, tmp_path: Path) -> None:
    ran = bench("predict", films.person(tmp_path / "a.mp4", 1), "--model", tmp_path, "--out", tmp_path / "out")
    assert ran.code == 2
    assert "is not a saved model: it has no model.json" in ran.err


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ((), "give either a film, a folder of films or a list of clips, or --camera N"),
        (("a.mp4", "--camera", 0), "give either a film"),
        (("--camera", 0, "--video"), "--camera writes nothing: leave --out and --video out"),
        (("--camera", -1), "--camera -1: expected a number from 0 to 99"),
        (("--camera", 0, "--seconds", 0), "--seconds 0: expected more than 0"),
        (("a.mp4", "--seconds", 1), "--seconds is for --camera"),
        (("a.mp4", "--fps", "nan"), "--fps nan: expected a finite number"),
        (("a.mp4", "--hop", 0.5), "--hop 0.5: to this model each frame is a sample, which is predicted once"),
        (("a.mp4", "--window", 0), "--window 0: expected seconds"),
        (("a.mp4", "--window", 3000, "--fps", 30), "takes 19775 MiB, at most 1024: choose a shorter --window"),
    ],
)
def test_invalid_options_are_rejected(
    arguments: tuple[object, ...], text: str, by_frame: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    bench: Bench = request.getfixturevalue("bench")
    monkeypatch: pytest.MonkeyPatch = request.getfixturevalue("monkeypatch")
    monkeypatch.chdir(tmp_path)
    films.person(tmp_path / "a.mp4", 1)
    ran = bench("predict", *arguments, "--model", by_frame)
    assert ran.code == 2
    assert text in ran.err
    assert not list(tmp_path.glob("predictions/*"))
