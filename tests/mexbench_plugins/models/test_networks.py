"""Every network: its table against the papers', and what a user may count on."""

from __future__ import annotations

import functools
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from flax import nnx
from numpy.typing import NDArray

from mexbench.errors import DataError
from mexbench.registry.catalogue import Catalogue
from mexbench_plugins.models._nn.layers import count_values
from mexbench_plugins.models._nn.network_model import NetworkModel
from mexbench_plugins.models._nn.trainer import NetworkPredictor
from mexbench_plugins.models.au_cnn import AUCNN
from mexbench_plugins.models.cnn import CNN
from mexbench_plugins.models.cnn_lstm import CNNLSTM
from mexbench_plugins.models.hybrid_micronet import HybridMicroNet
from mexbench_plugins.models.hybrid_micronet_au import HybridMicroNetAU
from mexbench_plugins.models.off_apexnet import OffApexNet
from mexbench_plugins.models.ststnet import STSTNet

PAPERS = [HybridMicroNet(), HybridMicroNetAU(), AUCNN(), CNN(), CNNLSTM(), OffApexNet(), STSTNet()]
#: Recipes that fit 32 samples in seconds.
SMALL: dict[str, tuple[NetworkModel, tuple[int, ...]]] = {
    "hybrid_micronet": (HybridMicroNet(batch_size=8, epochs=15), (1, 7, 7, 512)),
    "au_cnn": (AUCNN(batch_size=8, epochs=12), (1, 128, 128, 3)),
    "cnn": (CNN(batch_size=8, epochs=30), (1, 16, 24, 3)),
    "cnn_lstm-rows": (CNNLSTM(batch_size=8, epochs=40, early_stopping=None), (1, 48, 48, 1)),
    "cnn_lstm-frames": (CNNLSTM(batch_size=8, epochs=40, early_stopping=None), (4, 24, 24, 3)),
    "off_apexnet": (OffApexNet(batch_size=8, epochs=10, learning_rate=1e-3), (1, 28, 28, 3)),
    "ststnet": (STSTNet(batch_size=8, epochs=60, learning_rate=3e-3), (1, 28, 28, 3)),
}  # fmt: skip


def samples(shape: tuple[int, ...], n: int, seed: int) -> tuple[NDArray[Any], NDArray[np.intp]]:
    """Samples of three classes, each a coarse pattern of its own under noise; floats for features."""
    rng = np.random.default_rng(seed)
    y = rng.permutation(np.arange(n) % 3)
    patterns = np.random.default_rng(0).integers(0, 2, (3, *shape[:1], 4, 4, shape[-1]))
    side = np.arange(shape[1]) * 4 // shape[1], np.arange(shape[2]) * 4 // shape[2]
    x = patterns[:, :, side[0]][:, :, :, side[1]][y] * 90 + rng.integers(0, 160, (n, *shape))
    return (x / 255 if shape[-1] == 512 else x).astype(np.float32 if shape[-1] == 512 else np.uint8), y


def groups_of(n: int) -> NDArray[np.str_]:
    return np.array([f"s{i // 4}" for i in range(n)])


@functools.cache
def fitted(name: str) -> NetworkPredictor:
    model, shape = SMALL[name]
    x, y = samples(shape, 32, seed=1)
    predictor = model.fit(x, y, n_classes=4, groups=groups_of(32), seed=0)
    assert isinstance(predictor, NetworkPredictor)
    return predictor


def total(model: NetworkModel, n_classes: int) -> int:
    return sum(row.n_params for row in model.layers(n_classes))


@pytest.mark.parametrize(
    ("model", "n_classes", "values"),
    [
        (HybridMicroNet(), 5, 421_237),
        (HybridMicroNet(), 7, 421_303),
        (HybridMicroNetAU(), 5, 421_237 + 12 * 5),
        (AUCNN(), 5, 22_181),
        (AUCNN(), 7, 22_247),
        (OffApexNet(), 3, 2_664_475),  # "2.66M" elsewhere
        (STSTNet(), 3, 1_683 + 2 * 16),  # trainable, and running statistics
        # Conv 1->32, conv 32->64, LSTM 320->50, RNN 50->30, dense 30->128, dense 128->6, by hand.
        (CNNLSTM(), 6, 320 + 18_496 + 4 * (320 + 50 + 1) * 50 + (50 + 30 + 1) * 30 + 31 * 128 + 129 * 6),
    ],
)
def test_number_of_values_is_as_published(model: NetworkModel, n_classes: int, values: int) -> None:
    assert total(model, n_classes) == values
    network = nnx.eval_shape(lambda: model.network(model.example_shape, n_classes, np.random.default_rng(0)))
    assert count_values(network) == values, "a layer is missing from the table, or is in it twice"


def test_ststnet_trains_1683_values() -> None:
    network = nnx.eval_shape(lambda: STSTNet().network((1, 28, 28, 3), 3, np.random.default_rng(0)))
    assert count_values(network, nnx.Param) == 1_683


def test_the_table_of_au_cnn_is_table_3() -> None:
    """The shortcut's rows and the first of its shapes are as printed; so is the total, 22,247."""
    assert [(row.shape, row.n_params) for row in AUCNN().layers(7)[1:]] == [
        ((64, 64, 16), 2368), ((64, 64, 16), 64), ((31, 31, 16), 0),
        ((31, 31, 16), 2320), ((31, 31, 16), 64), ((31, 31, 16), 2320), ((31, 31, 16), 64), ((31, 31, 16), 0),
        ((31, 31, 32), 4640), ((31, 31, 32), 128), ((31, 31, 32), 9248), ((31, 31, 32), 128),
        ((31, 31, 32), 544), ((31, 31, 32), 128), ((31, 31, 32), 0), ((32,), 0), ((7,), 231),
    ]  # fmt: skip


def test_the_table_of_hybrid_micronet_has_the_shapes_of_table_2() -> None:
    rows = HybridMicroNet().layers(2)
    assert [row.shape for row in rows[1:4]] == [(4, 4, 16), (4, 4, 16), (1, 1, 16)]
    assert [(row.shape, row.n_params) for row in rows[-2:]] == [((32,), 0), ((2,), 66)]
    assert rows[1].n_params == 7 * 7 * 512 * 16 + 16  # the table's 5,024 is possible for no number of channels
    larger = HybridMicroNet().layers(5, (1, 8, 8, 512))  # faces of 256x256, as in the 2026 paper
    assert sum(row.n_params for row in larger) == 421_237


def test_action_units_join_the_averages() -> None:
    table = HybridMicroNetAU().layers(5, (1, 7, 7, 512 + 3))
    assert table[0].shape == (13, 13, 512), "the planes are not an image"
    assert [(row.name, row.shape, row.n_params) for row in table[-3:]] == [
        ("GlobalAveragePooling2D", (32,), 0), ("Concatenate", (35,), 0), ("Dense 5", (5,), 36 * 5),
    ]  # fmt: skip


def test_action_units_alone_can_be_learned_from() -> None:
    """Equal features for all, and one unit for each class; the class goes with the unit."""
    units = np.eye(3)[np.arange(24) % 3]

    def clips(units: NDArray[Any]) -> NDArray[np.float32]:
        planes = np.broadcast_to(units[:, None, None, None], (24, 1, 7, 7, 3))
        return np.concatenate([np.ones((24, 1, 7, 7, 512)), planes], axis=-1).astype(np.float32)

    model = HybridMicroNetAU(batch_size=8, epochs=30, learning_rate=0.1)
    predictor = model.fit(clips(units), np.arange(24) % 3, n_classes=3, groups=groups_of(24), seed=0)
    np.testing.assert_array_equal(predictor(clips(units)).argmax(axis=1), np.arange(24) % 3)
    np.testing.assert_array_equal(predictor(clips(np.roll(units, 1, 1))).argmax(axis=1), (np.arange(24) + 1) % 3)


def test_the_table_of_ststnet() -> None:
    assert [(row.name, row.shape, row.n_params) for row in STSTNet().layers(3)] == [
        ("Conv2D 3x3, 16 filters", (30, 30, 16), 84 + 140 + 224),
        ("BatchNormalization", (30, 30, 16), 64),
        ("MaxPooling2D 3x3/3", (10, 10, 16), 0),
        ("AveragePooling2D 2x2/2", (5, 5, 16), 0),
        ("Flatten", (400,), 0),
        ("Dense 3", (3,), 1203),
    ]


def test_cnn_lstm_reads_rows_of_images_and_frames_of_clips() -> None:
    def sequence(model: CNNLSTM, shape: tuple[int, ...]) -> tuple[int, ...]:
        return next(row.shape for row in model.layers(6, shape) if row.name == "Reshape")

    assert sequence(CNNLSTM(), (1, 48, 48, 1)) == (5, 5 * 64)
    assert sequence(CNNLSTM(), (16, 48, 48, 1)) == (16, 5 * 5 * 64)
    assert sequence(CNNLSTM(time="frames"), (1, 48, 48, 1)) == (1, 5 * 5 * 64)
    assert sequence(CNNLSTM(filters=8), (1, 14, 64, 1)) == (1, 7 * 8)


@pytest.mark.parametrize(("convolutions", "filters", "rows"), [(5, 32, 18), (3, 16, 11), (1, 16, 6)])
def test_au_cnn_with_fewer_layers(convolutions: Any, filters: int, rows: int) -> None:  # noqa: ANN401
    table = AUCNN(convolutions=convolutions).layers(5)
    assert (len(table), table[-2].shape) == (rows, (filters,))


def test_au_cnn_without_batch_norm_has_none() -> None:
    assert not [row for row in AUCNN(batch_norm=False).layers(5) if "Batch" in row.name]
    assert total(AUCNN(batch_norm=False), 5) == 22_181 - 3 * 64 - 3 * 128


@pytest.mark.parametrize(
    ("model", "shape", "text"),
    [
        (AUCNN(), (1, 64, 64, 3), r"au_cnn needs \(n, T=1, 128, 128, 3\), got \(n, T=1, 64, 64, 3\); add resize"),
        (AUCNN(), (16, 128, 128, 3), r"got \(n, T=16, 128, 128, 3\); it reads single frames: choose one"),
        (HybridMicroNet(), (1, 6, 7, 512), r"hybrid_micronet needs \(n, T=1, 7, 7, 512\), got .*; add vgg16"),
        (HybridMicroNet(), (2, 7, 7, 512), r"hybrid_micronet needs \(n, T=1, 7, 7, 512\), got .*; it reads single"),
        (HybridMicroNet(), (1, 224, 224, 3), r"hybrid_micronet needs \(n, T=1, 7, 7, 512\), .*; add vgg16"),
        (HybridMicroNet(), (1, 7, 7, 524), r"use hybrid_micronet_au to read the 12 planes .*, or remove the step"),
        (HybridMicroNetAU(), (1, 7, 7, 512), r"512 \+ units\), got .* 512\); add action_units"),
        (HybridMicroNetAU(), (1, 224, 224, 3), r"add action_units after vgg16"),
        (HybridMicroNet(), (1, 512), r"got \(n, T=1, 512\)"),
        (CNN(), (1, 4, 40, 3), r"cnn needs \(n, T=1, H, W, C\) .* at least 8x8 pixels, got \(n, T=1, 4, 40, 3\)"),
        (CNN(), (2, 40, 40, 3), "it reads single frames"),
        (CNNLSTM(), (16, 177), r"cnn_lstm needs \(n, T, H, W, C\) .* 14x14 .* got \(n, T=16, 177\); add grayscale"),
        (CNNLSTM(time="rows"), (16, 48, 48, 1), "set time: frames"),
        (STSTNet(), (1, 28, 28, 1), r"ststnet needs \(n, T=1, 28, 28, 3\), .*; add optical_flow"),
        (OffApexNet(), (1, 28, 28, 1), r"off_apexnet needs \(n, T=1, 28, 28, 2 or 3\) .* got \(n, T=1, 28, 28, 1\)"),
    ],
)  # fmt: skip
def test_a_wrong_shape_is_rejected_with_the_step_that_fixes_it(
    model: NetworkModel, shape: tuple[int, ...], text: str
) -> None:
    x = np.zeros((4, *shape), np.uint8)
    with pytest.raises(DataError, match=text):
        model.fit(x, np.array([0, 1, 0, 1]), n_classes=2, groups=groups_of(4), seed=0)


@pytest.mark.parametrize("name", SMALL)
class TestEveryNetwork:
    def test_it_fits_32_training_samples(self, name: str) -> None:
        x, y = samples(SMALL[name][1], 32, seed=1)
        predictor = fitted(name)
        np.testing.assert_array_equal(predictor(x).argmax(axis=1), y)
        assert [result["epoch"] for result in predictor.history] == list(range(1, SMALL[name][0].epochs + 1))
        assert predictor.history[-1]["loss"] < predictor.history[0]["loss"]

    def test_scores_are_probabilities_and_an_unseen_class_is_never_predicted(self, name: str) -> None:
        x, _ = samples(SMALL[name][1], 13, seed=2)
        scores = fitted(name)(x)
        assert (scores.shape, scores.dtype) == ((13, 4), np.float64)
        assert (scores >= 0).all()
        assert not scores[:, 3].any()
        assert (scores.sum(axis=1) > 0.5).all()

    def test_a_score_does_not_depend_on_its_neighbours_or_on_the_batch(self, name: str) -> None:
        x, _ = samples(SMALL[name][1], 13, seed=2)
        scores = fitted(name)(x)
        np.testing.assert_array_equal(scores[9:], fitted(name)(x[9:]))
        assert fitted(name)(x[:0]).shape == (0, 4)

    def test_the_same_seed_gives_the_same_scores_and_another_one_others(self, name: str) -> None:
        model, shape = SMALL[name]
        x, y = samples(shape, 20, seed=3)
        x.flags.writeable = y.flags.writeable = False

        def scores(seed: int) -> NDArray[Any]:
            return replace(model, epochs=2).fit(x, y, n_classes=4, groups=groups_of(20), seed=seed)(x)

        first = scores(7)
        np.testing.assert_array_equal(first, scores(7))
        assert not np.array_equal(first, scores(8))

    def test_a_shape_other_than_in_training_is_rejected(self, name: str) -> None:
        with pytest.raises(DataError, match="trained on samples"):
            fitted(name)(np.zeros((2, 3, 3), np.float32))


def test_every_network_is_in_the_catalogue(builtin: Catalogue) -> None:
    result = {entry.load() for entry in builtin.entries if entry.kind == "model"}
    assert {type(model) for model in PAPERS} <= result
    assert [type(model) for model in PAPERS if model.folds_at_once() > 1] == [STSTNet]


@pytest.mark.parametrize("model", PAPERS, ids=lambda model: type(model).__name__)
def test_every_network_names_its_source(model: NetworkModel) -> None:
    assert "paper" in model.source or "2019" in model.source
