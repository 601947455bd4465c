"""``bench synth --model learned``, ``--train-from`` and ``--report``, together with everything that they may meet."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from mexbench_plugins.synth import faces
from mexbench_plugins.synth.motion import hand_made, learned
from tests.helpers import Ran
from tests.mexbench_plugins.synth.flow import CLASSES, write_pack

Bench = Callable[..., Ran]
QUICK = ("--size", "240x180", "--lead", "2", "--tail", "1")


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rise = np.concatenate([hand_made.sample(label, 12, np.random.default_rng(0)) for label in CLASSES])
    motion = learned.TrainingMotion(rise, None, np.repeat(CLASSES, 12), {"made up": 36}, 3)
    path = tmp_path_factory.mktemp("weights") / "w.safetensors"
    learned.save(learned.learn(motion, CLASSES, steps=100), path)
    return path


def test_a_learned_clip_says_what_it_is(weights: Path, tmp_path: Path, bench: Bench) -> None:
    out = tmp_path / "clip"
    learn = ("--model", "learned", "--weights", weights, "--emotion", "happiness")
    ran = bench("synth", "--face", "builtin:3", *learn, "--out", out, "--seed", 4, *QUICK)
    assert ran.code == 0, ran.err
    about = json.loads((tmp_path / "clip.json").read_text())
    assert (about["model"], about["aus"], about["shown"]) == ("learned", [], "learned motion of class positive")
    assert about["learned_from"]["packs"] == {"made up": 36}
    assert about["identity_preservation"]["nearer_to_self"]
    assert 15 <= about["apex"] - about["onset"] <= 65  # drawn from lengths of CASME-II, at 200 Hz
    assert len(list(out.glob("img*.jpg"))) == about["frames"]
    assert "learned motion of class positive" in ran.out


def test_the_seed_decides_motion_and_times(weights: Path, tmp_path: Path, bench: Bench) -> None:
    records = []
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        learn = ("--model", "learned", "--weights", weights, "--emotion", "surprise", "--seed", seed)
        still = ("--noise", 0, "--drift", 0, "--flicker", 0)
        assert bench("synth", "--face", "builtin:3", *learn, *still, "--out", tmp_path / name, *QUICK).code == 0
        records.append(json.loads((tmp_path / f"{name}.json").read_text()))
    one, same, other = records
    assert one == same
    assert (tmp_path / "a" / "img9.jpg").read_bytes() == (tmp_path / "b" / "img9.jpg").read_bytes()
    assert (one["apex"], one["offset"]) != (other["apex"], other["offset"])
    # Without a camera the first frames are the photo itself.
    first, second = (cv2.imread(str(tmp_path / "a" / f"img{number}.jpg")) for number in (1, 2))
    assert np.array_equal(np.asarray(first), np.asarray(second))


def test_a_report_is_written_and_a_spoiled_clip_fails(tmp_path: Path, bench: Bench) -> None:
    clip = ("--face", "builtin:9", "--aus", "4", "--report", "--size", "320x240", "--lead", 4, "--tail", 4)
    times = ("--rise", 9, "--fall", 26)
    ran = bench("synth", *clip, *times, "--out", tmp_path / "good.mp4")
    assert ran.code == 0
    assert "FAIL" not in ran.out
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "good.contact.png", "good.json", "good.mp4", "good.report.md",
    ]  # fmt: skip
    measures = json.loads((tmp_path / "good.json").read_text())["report"]["measures"]
    assert {name: one["passes"] for name, one in measures.items()} == {
        "identity (pixels: weaker than a face embedding)": True, "smoothness: jerk": True,
        "smoothness: warp error": True, "locality": True, "direction": True, "course": True, "realism": None,
    }  # fmt: skip
    ran = bench("synth", *clip, *times, "--spoil", "reversed-direction", "--out", tmp_path / "bad.mp4")
    assert ran.code == 0
    assert [line.split()[0] for line in ran.out.splitlines() if "FAIL" in line] == ["direction"]
    page = (tmp_path / "bad.report.md").read_text()
    assert "spoiled on purpose: **reversed-direction**" in page


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--emotion", "joy"), "unknown emotion of the learned generator 'joy'"),
        (("--emotion", "others"), "negative, positive and surprise alone"),
        (("--aus", "12"), "--aus is for --model warp"),
        ((), "one of --emotion and --aus is required"),
        (("--emotion", "fear", "--seconds", "10"), "--model learned is for one clip"),
        (("--emotion", "fear", "--intensity", "9"), "--intensity must lie between 0.1 and 4"),
        (("--emotion", "fear", "--flow-root", "x"), "--flow-root is for a report: add --report"),
        (("--emotion", "fear", "--face", "nobody.jpg"), "nobody.jpg: cannot be read"),
    ],
)
def test_bad_requests_are_named(
    arguments: tuple[str, ...], message: str, *, weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    bench: Bench,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    ran = bench(
        "synth", "--face", "builtin:3", "--model", "learned", "--weights", weights, "--out", "clip.mp4", *arguments
    )  # fmt: skip
    assert ran.code == 2
    assert message in ran.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--face", "builtin:3", "--emotion", "fear"), "--out is required"),
        (("--out", "x.mp4"), "one of --face, --dataset and --train-from is required"),
        (("--train-from", "pack"), "--train-from without --face writes the weights: give --weights FILE"),
        (("--train-from", "pack", "--weights", "w", "--out", "x"), "--out: not for training alone"),
        (("--dataset", "casme2", "--weights", "w", "--out", "x"), "belong to the learned generator"),
        (("--face", "builtin:3", "--aus", "4", "--weights", "w", "--out", "x"), "add --model learned"),
        (("--dataset", "casme2", "--model", "learned", "--out", "x"), "--model learned is for one clip"),
        (("--dataset", "casme2", "--report", "--out", "x"), "--report is for one clip"),
        (
            ("--face", "builtin:3", "--model", "learned", "--emotion", "fear", "--out", "x"),
            "needs weights, which are not shipped: give --train-from ROOT",
        ),
        (("--train-from", "pack", "--weights", "w"), "pack: no such folder"),
    ],
)
def test_options_that_do_not_go_together(
    arguments: tuple[str, ...], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bench: Bench
) -> None:
    monkeypatch.chdir(tmp_path)
    ran = bench("synth", *arguments)
    assert ran.code == 2
    assert message in ran.err
    assert list(tmp_path.iterdir()) == []


def test_wrong_packs_and_wrong_weights_are_named(weights: Path, tmp_path: Path, bench: Bench) -> None:
    pack = write_pack(tmp_path / "pack", subjects=3)
    new = tmp_path / "w.safetensors"
    ran = bench("synth", "--train-from", pack, "--weights", new)
    assert (ran.code, new.exists()) == (2, False)
    assert "18 clips, 442 were published" in ran.err
    assert "a generator learns from the folder of megc2019_flow" in ran.err
    run_folder = tmp_path / "run"
    (run_folder / "models").mkdir(parents=True)
    (run_folder / "manifest.json").write_text("{}")
    assert "not a subject of MEGC2019" in bench("synth", "--train-from", run_folder, "--weights", new).err
    clip = ("synth", "--face", "builtin:3", "--model", "learned", "--emotion", "fear", "--out", tmp_path / "c.mp4")
    for wrong, message in (
        (run_folder, "is a folder; give the file of weights"),
        (run_folder / "manifest.json", "does not hold a learned generator"),
        (tmp_path / "none", "cannot be read"),
    ):
        ran = bench(*clip, "--weights", wrong)
        assert ran.code == 2
        assert message in ran.err
    ran = bench("synth", "--train-from", pack, "--weights", weights)
    assert ran.code == 2
    assert "exists: leave --train-from out to use it, or give --force" in ran.err
    ran = bench("synth", "--train-from", pack, "--weights", tmp_path)
    assert "is a folder; give the name of a file" in ran.err


def test_photos_without_a_face_and_with_several(weights: Path, tmp_path: Path, bench: Bench) -> None:
    wall, both = tmp_path / "wall.png", tmp_path / "both.png"
    cv2.imwrite(str(wall), np.full((240, 320, 3), 90, np.uint8))
    pair = np.hstack([faces.builtin(seed, width=320, height=240).image for seed in (3, 7)])
    cv2.imwrite(str(both), pair[..., ::-1])
    learn = ("--model", "learned", "--weights", weights, "--emotion", "fear", "--rise", 3, "--fall", 3)
    ran = bench("synth", "--face", wall, *learn, "--out", tmp_path / "a")
    assert ran.code == 2
    assert "no face found" in ran.err
    ran = bench("synth", "--face", both, *learn, "--out", tmp_path / "b")
    assert ran.code == 0
    assert "the photo shows 2 faces: the largest is used" in ran.err
    assert any("2 faces" in text for text in json.loads((tmp_path / "b.json").read_text())["photo_warnings"])


def test_odd_names(weights: Path, tmp_path: Path, bench: Bench) -> None:
    odd = tmp_path / "Ünï; $(x) 'q'"
    odd.mkdir()
    copy = odd / "w w.safetensors"
    copy.write_bytes(weights.read_bytes())
    learn = ("--model", "learned", "--weights", copy, "--emotion", "fear", "--rise", 3, "--fall", 3)
    ran = bench("synth", "--face", "builtin:3", *learn, "--out", odd / "ç.mp4", *QUICK)
    assert ran.code == 0, ran.err
    assert (odd / "ç.json").is_file()


@pytest.mark.skipif(os.name != "posix", reason="names of bytes")
def test_a_name_that_is_not_utf8_is_refused(tmp_path: Path, bench: Bench) -> None:
    name = os.fsdecode(bytes(tmp_path) + b"/w\xff.safetensors")
    ran = bench(
        "synth", "--face", "builtin:3", "--model", "learned", "--weights", name, "--emotion", "fear", "--out",
        tmp_path / "a.mp4",
    )  # fmt: skip
    assert ran.code == 2
    assert "Traceback" not in ran.err


def test_training_from_the_real_packs(shared_data: Path, tmp_path: Path, bench: Bench) -> None:
    roots = (shared_data / "megc2019_flow" / "norm_u_v_os", shared_data / "causalnet_maps")
    path = tmp_path / "w.safetensors"
    ran = bench("synth", "--train-from", roots[0], "--train-from", roots[1], "--weights", path)
    assert ran.code == 0, ran.err
    assert "negative 500, positive 218, surprise 166" in ran.out
    assert "fades          learned from apex to offset" in ran.out
    about = learned.load(path).provenance
    assert {name.split()[0]: count for name, count in about["packs"].items()} == {
        "megc2019_flow": 442, "causalnet_maps": 442,
    }  # fmt: skip
