"""Random convolutions: the features against a loop, what the seed draws, what is chosen inside, what is loaded."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from mexbench.errors import DataError
from mexbench.files import read_arrays, write_arrays
from mexbench_plugins.models.random_convolutions import ALPHAS, Kernels, RandomConvolutions, draw

MODEL = RandomConvolutions(kernels=40)


def images(n: int, seed: int = 0) -> tuple[NDArray[np.uint8], NDArray[np.intp], NDArray[np.str_]]:
    """Stripes of three directions under noise."""
    rng = np.random.default_rng(seed)
    y = np.arange(n) % 3
    row, column = np.mgrid[:12, :12]
    stripes = np.stack([row, column, row + column]) // 2 % 2
    x = 90 * stripes[y][..., None] + rng.integers(0, 120, (n, 12, 12, 2))
    return x[:, None].astype(np.uint8), y, np.array([f"s{i // 6}" for i in range(n)])


def test_features_are_those_of_a_loop_over_pixels() -> None:
    rng = np.random.default_rng(1)
    x = rng.normal(size=(2, 9, 11, 2)).astype(np.float32)
    kernels = draw(12, 9, 2, rng)
    x_standard = (x - x.mean((1, 2), keepdims=True)) / x.std((1, 2), keepdims=True)
    features = kernels(x).reshape(2, 2, 12)
    for k, (size, dilation, margin) in enumerate(kernels.shapes):
        pad = size // 2 * dilation * margin
        padded = np.pad(x_standard, ((0, 0), (pad, pad), (pad, pad), (0, 0)))
        reach = (size - 1) * dilation
        weights, bias = kernels.weights[k, :size, :size], kernels.biases[k]
        values = np.array(
            [
                [
                    (image[r : r + reach + 1 : dilation, c : c + reach + 1 : dilation] * weights).sum() + bias
                    for r in range(len(image) - reach)
                    for c in range(image.shape[1] - reach)
                ]
                for image in padded
            ]
        )
        np.testing.assert_allclose(features[:, 0, k], (values > 0).mean(1), atol=2 / values.shape[1])
        np.testing.assert_allclose(features[:, 1, k], values.max(1), rtol=1e-4, atol=1e-4)


def test_kernels_have_mean_zero_and_fit_the_image() -> None:
    kernels = draw(300, 28, 3, np.random.default_rng(0))
    size, dilation, margin = kernels.shapes.T
    assert set(size) == {3, 5, 7, 9}
    assert set(margin) == {0, 1}
    assert ((size - 1) * dilation <= 27).all()
    read = np.abs(kernels.weights).sum((1, 2)) > 0
    assert set(read.sum(1)) == {1, 2, 3}
    np.testing.assert_allclose(kernels.weights.sum((1, 2, 3)), 0, atol=1e-4)
    assert draw(20, 4, 1, np.random.default_rng(0)).shapes[:, 0].tolist() == [3] * 20


def test_stripes_are_told_apart_from_noise_on_new_subjects() -> None:
    x, y, groups = images(60)
    predictor: Any = MODEL.fit(x, y, n_classes=4, groups=groups, seed=0)
    test, truth, _ = images(30, seed=9)
    scores = predictor(test)
    np.testing.assert_array_equal(scores.argmax(1), truth)
    assert (scores[:, 3] < scores[:, :3].min(1)).all(), "a class that never trained"
    assert predictor.classifier.pipeline[-1].alpha in ALPHAS


def test_brightness_and_contrast_change_nothing() -> None:
    kernels = draw(20, 12, 2, np.random.default_rng(0))
    x = images(6)[0][:, 0].astype(np.float32)
    np.testing.assert_allclose(kernels(3 * x + 40), kernels(x), rtol=1e-3, atol=1e-2)


def test_seeds_draw_other_kernels_and_one_subject_is_enough() -> None:
    x, y, groups = images(12)
    one, other = (MODEL.fit(x, y, n_classes=3, groups=groups, seed=seed)(x) for seed in (1, 2))
    assert not np.array_equal(one, other)
    alone: Any = MODEL.fit(x, y, n_classes=3, groups=np.full(12, "s"), seed=1)
    assert alone.classifier.pipeline[-1].alpha == ALPHAS[4]


def test_action_units_share_the_kernels() -> None:
    x, y, groups = images(60)
    units = np.stack([y == 0, y == 1, np.ones(60, bool)], axis=1)
    predictor: Any = MODEL.fit_action_units(x, units, groups=groups, seed=0)
    test, truth, _ = images(30, seed=9)
    scores = predictor(test)
    np.testing.assert_array_equal(scores[:, :2] >= 0.5, np.stack([truth == 0, truth == 1], axis=1))
    assert (scores[:, 2] == 1).all()


def test_what_is_loaded_scores_alike_and_odd_kernels_are_refused(tmp_path: Path) -> None:
    x, y, groups = images(24)
    predictor = MODEL.fit(x, y, n_classes=3, groups=groups, seed=0)
    MODEL.save(predictor, tmp_path)
    np.testing.assert_array_equal(MODEL.load(tmp_path)(x), predictor(x))
    with pytest.raises(ValueError, match="which are not 41 kernels"):
        replace(MODEL, kernels=41).load(tmp_path)
    path = tmp_path / "kernels.safetensors"
    arrays = read_arrays(path)
    arrays["shapes"][0, 1] = 0
    path.unlink()
    write_arrays(path, arrays)
    with pytest.raises(ValueError, match="impossible size or dilation"):
        MODEL.load(tmp_path)
    with pytest.raises(TypeError, match="Kernels is not a predictor of RandomConvolutions"):
        MODEL.save(draw(1, 9, 1, np.random.default_rng(0)), tmp_path)


def test_features_alone_are_rejected() -> None:
    with pytest.raises(DataError, match="needs images"):
        MODEL.check((1, 512))
    assert isinstance(draw(1, 9, 1, np.random.default_rng(0)), Kernels)
