"""Action units from a detector inside the fold: who learns from whom, and what is never looked at."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from mexbench.interfaces import Predictor
from mexbench_plugins.models._nn import au_detector
from mexbench_plugins.models._nn.au_detector import DetectedPredictor
from mexbench_plugins.models.hybrid_micronet import HybridMicroNet
from mexbench_plugins.models.hybrid_micronet_au import HybridMicroNetAU

UNITS, CHANNELS = 2, 512
MODEL = HybridMicroNetAU(
    detect_units=True, optimiser="adam", learning_rate=0.01, epochs=50, batch_size=16, momentum=0.0
)  # fmt: skip
SUBJECTS = 6


def faces(n: int = 48, seed: int = 0) -> tuple[NDArray[Any], NDArray[np.intp], NDArray[np.str_]]:
    """Features (n, 1, 7, 7, 512) in which each unit has a channel of its own; the class is whether the first shows."""
    rng = np.random.default_rng(seed)
    shown = rng.random((n, UNITS)) < 0.5
    x = 0.3 * rng.normal(size=(n, 1, 7, 7, CHANNELS)).astype(np.float32)
    x[..., :UNITS] += 4 * shown[:, None, None, None]
    planes = np.broadcast_to(shown[:, None, None, None].astype(np.float32), (n, 1, 7, 7, UNITS))
    return (
        np.concatenate([x, planes], axis=-1),
        shown[:, 0].astype(np.intp),
        np.array([f"s{i % SUBJECTS}" for i in range(n)]),
    )


def other_planes(x: NDArray[Any], rows: Any = slice(None)) -> NDArray[Any]:  # noqa: ANN401
    """Turn round the annotated units of some samples."""
    changed = x.copy()
    changed[rows, ..., CHANNELS:] = 1 - changed[rows, ..., CHANNELS:]
    return changed


def fitted(model: HybridMicroNetAU = MODEL, x: NDArray[Any] | None = None) -> Predictor:
    given, y, groups = faces()
    return model.fit(given if x is None else x, y, n_classes=2, groups=groups, seed=1)


def prepared(x: NDArray[Any]) -> tuple[NDArray[Any], Any]:
    detector = HybridMicroNet(optimiser="adam", learning_rate=0.01, epochs=4, batch_size=16, momentum=0.0)
    return au_detector.with_detected_units(detector, x, units=UNITS, folds=3, groups=faces()[2], seed=1)


def test_annotated_units_of_a_test_side_are_never_read() -> None:
    predictor = fitted()
    x, y, _ = faces(20, seed=5)
    result = np.asarray(predictor(x))
    np.testing.assert_array_equal(result, predictor(other_planes(x)))
    assert (result.argmax(1) == y).mean() > 0.8
    plain = fitted(replace(MODEL, detect_units=False))
    assert not np.array_equal(np.asarray(plain(x)), plain(other_planes(x)))


def test_units_of_a_training_sample_come_from_a_detector_without_its_subject() -> None:
    x, _, groups = faces()
    before, _ = prepared(x)
    own = groups == "s2"
    after, _ = prepared(other_planes(x, own))
    np.testing.assert_array_equal(before[own], after[own])
    assert not np.array_equal(before[~own], after[~own])  # some detectors of the others learned from them


def test_features_stay_and_planes_become_probabilities() -> None:
    x, _, _ = faces()
    result, detector = prepared(x)
    np.testing.assert_array_equal(result[..., :CHANNELS], x[..., :CHANNELS])
    planes = result[..., CHANNELS:]
    assert (planes == planes[:, :1, :1, :1]).all()
    assert 0 <= planes.min() < planes.max() <= 1
    assert not np.isin(planes, [0, 1]).all()
    assert (result.dtype, detector.head, detector.n_classes) == (np.float32, "sigmoid", UNITS)


def test_each_subject_is_in_one_part_and_all_parts_get_units(monkeypatch: pytest.MonkeyPatch) -> None:
    trained: list[set[str]] = []

    def train(*_: object, groups: NDArray[np.str_], **__: object) -> Any:  # noqa: ANN401
        trained.append(set(groups.tolist()))
        return lambda features: np.full((len(features), UNITS), 0.25)

    monkeypatch.setattr(au_detector.trainer, "train", train)
    result, _ = prepared(faces()[0])
    everyone = {f"s{i}" for i in range(SUBJECTS)}
    *inner, last = trained
    assert last == everyone
    assert [len(names) for names in inner] == [4, 4, 4]
    assert sorted(name for names in inner for name in everyone - names) == sorted(everyone)
    assert (result[..., CHANNELS:] == 0.25).all()


def test_network_and_detector_are_saved_and_loaded(tmp_path: Path) -> None:
    model, (x, *_) = replace(MODEL, epochs=2), faces(8, seed=5)
    predictor = fitted(model)
    model.save(predictor, tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {
        "weights.safetensors", "network.json", "detector-weights.safetensors", "detector-network.json",
    }  # fmt: skip
    loaded = model.load(tmp_path)
    assert isinstance(loaded, DetectedPredictor)
    np.testing.assert_array_equal(predictor(x), loaded(x))
    assert loaded.history == getattr(predictor, "history", None)


def test_the_last_epoch_is_what_fit_gives() -> None:
    model = replace(MODEL, epochs=3)
    x, y, groups = faces()
    mask = groups != "s0"
    *_, (last,) = model.fit_epochs(x, y, mask[None], n_classes=2, groups=groups, seed=1)
    alone = model.fit(x[mask], y[mask], n_classes=2, groups=groups[mask], seed=1)
    np.testing.assert_array_equal(last(x), alone(x))
    *_, (changed,) = model.fit_epochs(other_planes(x, ~mask), y, mask[None], n_classes=2, groups=groups, seed=1)
    np.testing.assert_array_equal(last(x), changed(x))


def test_a_single_subject_is_rejected() -> None:
    x, y, _ = faces(6)
    with pytest.raises(ValueError, match="all samples are of s0; set detect_units: false"):
        MODEL.fit(x, y, n_classes=2, groups=np.array(["s0"] * 6), seed=0)
