from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from mexbench.errors import ConfigError, DataError
from mexbench_plugins.synth.faces import SyntheticFace
from mexbench_plugins.synth.motion import hand_made, learned, network, packs, timing
from mexbench_plugins.synth.motion.learned import LearnedMotion, TrainingMotion
from mexbench_plugins.synth.motion.on_face import class_of, express_learned
from tests.mexbench_plugins.synth.flow import CLASSES, write_pack


def motion(seed: int = 0, each: int = 40) -> TrainingMotion:
    rng = np.random.default_rng(seed)
    rise = np.concatenate([hand_made.sample(label, each, rng) for label in CLASSES])
    return TrainingMotion(rise=rise, fade=None, labels=np.repeat(CLASSES, each), subjects=3)


@pytest.fixture(scope="module")
def trained() -> LearnedMotion:
    return learned.learn(motion(), CLASSES, steps=400)


def test_each_class_moves_like_its_training_fields(trained: LearnedMotion) -> None:
    rng = np.random.default_rng(5)
    real = {label: hand_made.sample(label, 100, rng).mean(0).ravel() for label in CLASSES}
    for label in CLASSES:
        drawn = trained.sample(label, 100, rng)[0].mean(0).ravel()
        likeness = {name: float(np.corrcoef(drawn, field)[0, 1]) for name, field in real.items()}
        assert max(likeness, key=lambda name: likeness[name]) == label
        assert likeness[label] > 0.7


def test_what_is_drawn_lies_in_the_basis_and_varies(trained: LearnedMotion) -> None:
    drawn = trained.sample("negative", 30, np.random.default_rng(0))[0].reshape(30, -1)
    outside = drawn - (drawn @ trained.basis.T) @ trained.basis
    assert np.abs(outside).max() < 1e-3
    likeness = np.asarray(np.corrcoef(drawn))
    assert likeness[np.triu_indices(30, 1)].mean() < 0.95
    assert (drawn**2).sum(1) / 28**2 == pytest.approx(1, rel=1e-4)


def test_the_same_seed_is_the_same_generator(trained: LearnedMotion) -> None:
    again, other = (learned.learn(motion(), CLASSES, steps=400, seed=seed) for seed in (0, 1))
    for name, array in trained.weights.items():
        assert np.array_equal(array, again.weights[name])
    assert not np.array_equal(trained.weights["decoder2.bias"], other.weights["decoder2.bias"])


def test_principal_components_are_those_of_the_whole_decomposition() -> None:
    rows = motion().rise.reshape(120, -1)
    basis = learned.principal(rows, 8)
    reference = np.linalg.svd(rows.astype(np.float64), full_matrices=False)[2][:8]
    assert np.abs(np.linalg.svd(basis @ reference.T)[1] - 1).max() < 1e-3
    assert basis @ basis.T == pytest.approx(np.eye(8), abs=1e-5)


def test_the_sampler_clips_as_the_network_does() -> None:
    assert learned._least_log_std() == network.LEAST_LOG_STD


def test_without_fades_a_face_returns_as_it_came(trained: LearnedMotion) -> None:
    rise, fade = trained.sample("positive", 3, np.random.default_rng(0))
    assert np.array_equal(rise, fade)
    real = motion()
    with_fades = TrainingMotion(real.rise, -real.rise, real.labels)
    other = learned.learn(with_fades, CLASSES, steps=400)
    rises, fades = (part.mean(0).ravel() for part in other.sample("positive", 50, np.random.default_rng(0)))
    assert float(np.corrcoef(rises, fades)[0, 1]) < -0.8  # as it was taught, odd as that is


def test_weights_are_read_as_written(trained: LearnedMotion, tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    learned.save(trained, path)
    loaded = learned.load(path)
    assert loaded.provenance == json.loads(json.dumps(trained.provenance))
    assert loaded.provenance["clips"] == {"negative": 40, "positive": 40, "surprise": 40}
    one, two = (which.sample("surprise", 4, np.random.default_rng(2)) for which in (trained, loaded))
    assert all(np.array_equal(a, b) for a, b in zip(one, two, strict=True))


def test_files_that_hold_no_generator_are_refused(trained: LearnedMotion, tmp_path: Path) -> None:
    from safetensors.numpy import save_file

    good = tmp_path / "w.safetensors"
    learned.save(trained, good)
    content = good.read_bytes()
    cases = {"cut": content[: len(content) // 2], "text": b"weights", "empty": b"", "nested": b"\xff" * 64}
    for name, text in cases.items():
        (tmp_path / name).write_bytes(text)
        with pytest.raises(DataError, match="does not hold a learned generator"):
            learned.load(tmp_path / name)
    save_file({"basis": np.zeros((2, 2), np.float32)}, tmp_path / "other", {"provenance": "{}", "classes": "[]"})
    with pytest.raises(DataError, match="its format is not mexbench-learned-motion-1"):
        learned.load(tmp_path / "other")
    shapes = {"basis": trained.basis[:, :-1], "centre": trained.centre, "scale": trained.scale, **trained.weights}
    header = {"provenance": json.dumps(trained.provenance), "classes": json.dumps(trained.classes)}
    save_file({name: np.ascontiguousarray(array) for name, array in shapes.items()}, tmp_path / "shape", header)
    with pytest.raises(DataError, match="array 'basis' is float32"):
        learned.load(tmp_path / "shape")
    with pytest.raises(DataError, match="is a folder; give the file of weights"):
        learned.load(tmp_path)
    with pytest.raises(DataError, match="cannot be read"):
        learned.load(tmp_path / "nothing")


def test_packs_are_read_and_members_chosen(tmp_path: Path) -> None:
    root = write_pack(tmp_path / "pack", subjects=5)
    read = packs.read([root], published=False)
    assert (len(read.rise), read.subjects, read.fade) == (30, 5, None)
    with pytest.raises(DataError, match="has 0 clips of samm, too few"):
        packs.read([root], members=["samm"], published=False)
    with pytest.raises(DataError, match="the same pack is given twice"):
        packs.read([root, root], published=False)
    with pytest.raises(DataError, match=r"442 were published.*\n  a generator learns from"):
        packs.read([root])
    with pytest.raises(DataError, match="no such folder"):
        packs.read([tmp_path / "missing"])


def test_no_motion_is_nothing_to_learn_from() -> None:
    still = TrainingMotion(np.zeros((12, 2, 28, 28), np.float32), None, np.repeat(CLASSES, 4))
    with pytest.raises(DataError, match="no motion to learn from"):
        learned.learn(still, CLASSES, steps=1)


@pytest.mark.parametrize("label", CLASSES)
def test_a_learned_expression_stays_on_the_face_and_does_not_fold_it(
    trained: LearnedMotion, small: SyntheticFace, label: str
) -> None:
    shown = express_learned(
        trained, label, small.geometry, 320, 240, intensity=1.0, rng=np.random.default_rng(0)
    )  # fmt: skip
    assert shown.peak() == pytest.approx(1.2 * 0.023 * small.geometry.unit, rel=0.01)
    for plane in (shown.dx, shown.dy):
        assert np.abs(np.concatenate([plane[0], plane[-1], plane[:, 0], plane[:, -1]])).max() < 1e-3
    (dx_y, dx_x), (dy_y, dy_x) = (np.gradient(plane) for plane in (shown.dx, shown.dy))
    assert ((1 - dx_x) * (1 - dy_y) - dx_y * dy_x).min() > 0.2
    with pytest.raises(ConfigError, match="would fold the face over itself"):
        express_learned(trained, label, small.geometry, 320, 240, intensity=400.0, rng=np.random.default_rng(0))


def test_a_face_fades_along_its_own_field(trained: LearnedMotion, small: SyntheticFace) -> None:
    from dataclasses import replace

    shown = express_learned(trained, "positive", small.geometry, 320, 240, intensity=1, rng=np.random.default_rng(0))
    other = replace(shown, fade=(2 * shown.dx, 0 * shown.dy))
    assert np.array_equal(other.displacement(1.0, fading=True)[0], shown.dx)
    assert not other.displacement(0.0, fading=True)[0].any()
    half = other.displacement(0.5, fading=True)
    assert half[0] == pytest.approx(0.25 * shown.dx + 0.25 * 2 * shown.dx)
    assert half[1] == pytest.approx(0.25 * shown.dy)
    assert np.array_equal(other.displacement(0.5)[0], np.float32(0.5) * shown.dx)


def test_emotions_belong_to_the_classes_of_real_packs() -> None:
    assert [class_of(name) for name in ("happiness", "disgust", "surprise", "positive")] == [
        "positive", "negative", "surprise", "positive",
    ]  # fmt: skip
    with pytest.raises(ConfigError, match=r"'others'.*negative, positive and surprise alone"):
        class_of("others")


def test_lengths_are_drawn_from_those_of_casme2() -> None:
    rng = np.random.default_rng(0)
    drawn = np.array([timing.draw(rng, 200.0) for _ in range(2_000)])
    assert np.median(drawn, axis=0) / 200 == pytest.approx([0.15, 0.15], abs=0.01)
    assert drawn.min() >= 12
    assert drawn.max() <= 66
    assert min(timing.draw(rng, 5.0)) == 2


def test_the_real_packs_keep_most_of_their_motion(real_flow: Path) -> None:
    trained = learned.learn(packs.read([real_flow]), packs.CLASSES, steps=50)
    assert trained.provenance["kept_energy"] > 0.75
    assert trained.provenance["clips"] == {"negative": 250, "positive": 109, "surprise": 83}
    assert "28a0e46544be956504b7afb2c6e2714f" in str(trained.provenance["packs"])
