from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest

from mexbench import cli
from mexbench_plugins.datasets.casme3 import Casme3
from mexbench_plugins.synth import faces, output
from mexbench_plugins.synth.long_videos import LongVideoSpec
from mexbench_plugins.synth.options import DEFAULTS

QUICK = ("--size", "240x180", "--lead", "2", "--rise", "5", "--fall", "6", "--tail", "1")


def synth(*arguments: object) -> int:
    return cli.main(["synth", *(str(argument) for argument in (*arguments, *QUICK))])


def test_a_film_a_json_and_a_contact_sheet(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "new" / "smile.mp4"
    assert synth("--face", "builtin:3", "--aus", "6+L12", "--out", out, "--fps", 100, "--seed", 4) == cli.OK
    assert sorted(path.name for path in out.parent.iterdir()) == ["smile.contact.png", "smile.json", "smile.mp4"]
    about = json.loads(out.with_suffix(".json").read_text())
    assert (about["onset"], about["apex"], about["offset"], about["frames"]) == (3, 8, 14, 15)
    assert (about["aus"], about["emotion"], about["fps"], about["seed"]) == (["6", "L12"], None, 100, 4)
    assert (about["face"], about["synthetic"]) == ("builtin:3", True)
    assert about["identity_preservation"]["nearer_to_self"]
    assert about["identity_preservation"]["changed_outside"] == 0
    assert about["monotonicity"]["rising"] == about["monotonicity"]["falling"] == 1
    film = cv2.VideoCapture(str(out))
    assert film.get(cv2.CAP_PROP_FPS) == 100
    count = 0
    while film.read()[0]:
        count += 1
    assert count == 15
    sheet = cv2.imread(str(out.with_name("smile.contact.png")))
    assert sheet is not None
    assert sheet.shape[1] > 1000
    printed = capsys.readouterr().out
    assert "onset 3, apex 8, offset 14" in printed
    assert "100% of the steps rise to the apex" in printed


def test_a_folder_of_frames_in_which_the_apex_moves_most(tmp_path: Path) -> None:
    out = tmp_path / "clip"
    arguments = ("--face", "builtin:3", "--emotion", "Surprise", "--out", out, "--intensity", 2)
    assert synth(*arguments, "--noise", 0, "--drift", 0, "--flicker", 0) == cli.OK
    frames = [cv2.imread(str(out / f"img{number}.jpg")) for number in range(1, 16)]
    change = [np.abs(frame.astype(int) - frames[0]).mean() for frame in frames if frame is not None]
    assert len(change) == 15
    about = json.loads((tmp_path / "clip.json").read_text())
    assert about["emotion"] == "surprise"
    assert int(np.argmax(change)) + 1 == about["apex"]


def test_the_same_seed_writes_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        assert synth("--face", "builtin:3", "--emotion", "disgust", "--out", tmp_path / name, "--seed", 7) == cli.OK
    names = sorted(path.name for path in (tmp_path / "a").iterdir())
    assert len(names) == 15
    assert all((tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes() for name in names)


def test_existing_output_requires_force(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "clip"
    one = ("--face", "builtin:3", "--aus", "4", "--out", out)
    assert synth(*one) == cli.OK
    before = (out / "img8.jpg").read_bytes()
    assert synth(*one, "--seed", 1) == cli.BAD_INPUT
    assert "clip exists: choose another --out, or give --force" in capsys.readouterr().err
    assert (out / "img8.jpg").read_bytes() == before
    assert synth(*one, "--seed", 1, "--force") == cli.OK
    assert (out / "img8.jpg").read_bytes() != before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["clip", "clip.contact.png", "clip.json"]


def test_existing_json_is_not_overwritten(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "clip.json").write_text("mine")
    assert synth("--face", "builtin:3", "--aus", "4", "--out", tmp_path / "clip.mp4") == cli.BAD_INPUT
    assert "clip.json exists" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["clip.json"]


def test_force_does_not_replace_other_folders(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "thesis.txt").write_text("three years")
    assert synth("--face", "builtin:3", "--aus", "4", "--out", tmp_path, "--force") == cli.BAD_INPUT
    assert "holds other things than frames of a clip" in capsys.readouterr().err
    assert (tmp_path / "thesis.txt").read_text() == "three years"


def test_failed_write_leaves_no_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(output, "_encode", full)
    assert synth("--face", "builtin:3", "--aus", "4", "--out", tmp_path / "clip") == cli.BAD_INPUT
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--emotion", "joy"), "unknown emotion 'joy'; choose from: anger, contempt, disgust"),
        (("--emotion", "supprise"), "did you mean 'surprise'?"),
        (("--aus", "12+77"), "unknown action unit '77'"),
        (("--aus", "4", "--out", "clip.avi"), "a clip is an .mp4 file, or a folder of frames: got '.avi'"),
        (("--aus", "4", "--face", "nobody.jpg"), "nobody.jpg: cannot be read (No such file or directory)"),
        (("--aus", "4", "--face", "builtin:x"), "the seed must be a whole number"),
        (("--aus", "4", "--fps", "0"), "--fps must lie between 1 and 1000: got 0"),
        (("--aus", "4", "--fps", "nan"), "--fps must lie between"),
        (("--aus", "4", "--intensity", "9"), "--intensity must lie between 0.1 and 4: got 9"),
        (("--aus", "4", "--seed", "-1"), "--seed must not be negative"),
        (("--aus", "4", "--noise", "-2"), "--noise must lie between 0 and 50"),
    ],
)
def test_bad_input_is_named(
    arguments: tuple[str, ...], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    assert synth("--face", "builtin:3", "--out", "clip", *arguments) == cli.BAD_INPUT
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert message in error
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--size", "big"), "--size must be written WIDTHxHEIGHT, such as 640x480: got 'big'"),
        (("--size", "641x480"), "both sides must be even"),
        (("--rise", "0"), "--rise must lie between 1 and 100000: got 0"),
    ],
)
def test_bad_shapes_are_named(
    arguments: tuple[str, ...], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["synth", "--face", "builtin:3", "--aus", "4", "--out", str(tmp_path / "clip"), *arguments]
    assert cli.main(command) == cli.BAD_INPUT
    assert message in capsys.readouterr().err


def test_a_photo_without_a_face_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wall = tmp_path / "wall.png"
    cv2.imwrite(str(wall), np.full((240, 320, 3), 90, np.uint8))
    assert synth("--face", wall, "--aus", "4", "--out", tmp_path / "clip") == cli.BAD_INPUT
    assert "wall.png: no face found" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["wall.png"]


def test_the_command_asks_for_an_emotion_or_action_units(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["synth", "--face", "builtin:1", "--out", "x.mp4"]) == cli.BAD_INPUT
    assert "one of --emotion and --aus is required with --face" in capsys.readouterr().err


def test_a_data_set_is_written_in_its_layout(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "casme3"
    small = ["--subjects", "2", "--clips", "3", "--frames", "6", "--size", "160x120"]
    assert cli.main(["synth", "--dataset", "casme3", "--out", str(out), *small]) == cli.OK
    assert f"dataset: {{plugin: casme3, root: {out}}}" in capsys.readouterr().out
    assert len(Casme3(root=out).samples()) == 6
    assert cli.main(["synth", "--dataset", "casme3", "--out", str(out), *small]) == cli.BAD_INPUT
    assert "exists already" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--dataset", "casme4"], "unknown data set 'casme4'"),
        (["--dataset", "mmew", "--cast", "megc2019"], "cast = 'megc2019' is for casme2, samm and smic, not for mmew"),
        (["--dataset", "mmew", "--emotion", "fear"], "--emotion: not for a --dataset, but for a clip of one --face"),
        (
            ["--dataset", "mmew", "--fps", "30", "--noise", "0", "--force"],
            "--force, --fps, --noise: not for a --dataset",
        ),
        (["--dataset", "mmew", "--seconds", "9"], "the data set synthetic_long has long videos"),
    ],
)
def test_data_set_options_are_checked(
    arguments: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["synth", *arguments, "--out", str(tmp_path / "x")]) == cli.BAD_INPUT
    assert message in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--aus", "4", "--subjects", "3", "--cast", "random"], "--subjects, --cast: not for a clip of one --face"),
        (["--aus", "4", "--micro", "0"], "--micro: not for a clip of one --face, but for a long film"),
        (["--seconds", "9", "--lead", "10", "--flicker", "0"], "--lead, --flicker: not for a long film"),
        (["--seconds", "9", "--aus", "4"], "--aus: not for a long film (--face with --seconds), but for a clip"),
        (["--seconds", "9", "--fps", "29.97"], "--fps 29.97: a long film has a whole number of frames per second"),
        (["--seconds", "9", "--drift", "11"], "--drift must lie between 0 and 10: got 11"),
    ],
)
def test_options_that_do_not_apply_are_refused(
    arguments: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["synth", "--face", "builtin:3", *arguments, "--out", str(tmp_path / "x.mp4")]) == cli.BAD_INPUT
    assert message in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_photo_keeps_its_size(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    photo = tmp_path / "face.png"
    cv2.imwrite(str(photo), faces.builtin(3, width=240, height=180).image[..., ::-1])
    assert synth("--face", photo, "--aus", "4", "--out", tmp_path / "clip") == cli.BAD_INPUT
    assert "--size 240x180: a photo keeps its own size" in capsys.readouterr().err


def test_defaults_of_a_long_film_are_those_of_its_data_set() -> None:
    spec = LongVideoSpec()
    assert {name: DEFAULTS[name]["film"] for name in ("noise", "drift", "intensity", "fps")} == {
        "noise": spec.noise, "drift": spec.drift, "intensity": spec.intensity, "fps": spec.fps,
    }  # fmt: skip


def test_a_long_film_without_noise_and_drift_stands_still_between_events(tmp_path: Path) -> None:
    out = tmp_path / "x.mp4"
    common = ["--face", "builtin:3", "--seconds", "5", "--fps", "10", "--micro", "0", "--size", "160x120"]
    change = []
    for options in (["--noise", "12", "--drift", "3"], ["--noise", "0", "--drift", "0"]):
        assert cli.main(["synth", *common, *options, "--out", str(out), "--force"]) == cli.OK
        film = cv2.VideoCapture(str(out))
        frames = [film.read()[1].astype(int) for _ in range(50)]
        change.append(np.median([np.abs(b - a).mean() for a, b in pairwise(frames)]))
    assert change[1] < 0.5 * change[0]
