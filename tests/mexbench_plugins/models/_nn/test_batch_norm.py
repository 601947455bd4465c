"""Exact statistics of batch normalisation against numpy, whatever the batches, and what they never read."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import jax
import numpy as np
import pytest
from numpy.typing import NDArray

from mexbench_plugins.models._nn import batch_norm, fold_parallel, train_program, trainer
from mexbench_plugins.models._nn.fold_parallel_conv import FILTERS, TAPS, patches_of
from mexbench_plugins.models.au_cnn import AUCNN
from mexbench_plugins.models.cnn import CNN
from mexbench_plugins.models.ststnet import STSTNet
from tests.mexbench_plugins.models._nn.test_trainer import ToyModel, blobs, fit, leaves


def exact(model: ToyModel, x: NDArray[Any], train_idx: NDArray[np.intp]) -> tuple[train_program.TrainState, list[Any]]:
    """An untrained network, whose running statistics are 0 and 1, and its exact mean and variance."""
    build = model.builder(x.shape[1:], 3)
    state = train_program.train_program(model, build).init(np.random.default_rng(0))
    return state, leaves(batch_norm.final_statistics(model, build, state, x, train_idx))


@pytest.mark.parametrize("batch_size", [40, 64, 16, 13, 39], ids=lambda size: f"batches of {size}")
def test_statistics_are_those_of_all_samples_at_once(batch_size: int) -> None:
    """Batches of 39 end with a single sample, of 13 likewise, of 64 and 16 with padding."""
    x, _, _ = blobs(40)
    x += 1000  # the mean is far from zero: one pass over squares in float32 would lose the variance
    state, (mean, var) = exact(ToyModel(batch_size=batch_size, dropout=0.5), x, np.arange(40))
    dense: Any = state.params["dense1"]
    kernel, bias = (np.asarray(dense[name][...], np.float64) for name in ("kernel", "bias"))
    inputs = np.maximum(x.reshape(40, -1).astype(np.float64) @ kernel + bias, 0)
    np.testing.assert_allclose(mean, inputs.mean(0), rtol=1e-5)
    np.testing.assert_allclose(var, inputs.var(0), rtol=1e-2, atol=1e-4)


def test_statistics_are_those_of_pytorch_over_the_whole_training_side() -> None:
    """The same weights in PyTorch: one pass in training mode with momentum None, which averages over all it is shown.

    PyTorch's running variance has n - 1 in its denominator, ours has n.
    """
    torch = pytest.importorskip("torch")
    x, _, _ = blobs(40)
    train_idx = np.arange(0, 40, 2)
    state, (mean, var) = exact(ToyModel(batch_size=8, dropout=0.5), x, train_idx)
    dense: Any = state.params["dense1"]
    kernel, bias = (torch.tensor(np.asarray(dense[name][...])) for name in ("kernel", "bias"))
    norm = torch.nn.BatchNorm1d(kernel.shape[1], momentum=None)
    with torch.no_grad():
        norm(torch.relu(torch.tensor(x[train_idx].reshape(20, -1)).to(kernel.dtype) @ kernel + bias))
    np.testing.assert_allclose(mean, norm.running_mean.numpy(), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(var, norm.running_var.numpy() * 19 / 20, rtol=1e-4, atol=1e-6)


def test_samples_outside_the_training_side_are_not_read() -> None:
    x, _, _ = blobs(40)
    train_idx = np.arange(0, 40, 3)
    others = x.copy()
    others[np.setdiff1d(np.arange(40), train_idx)] = np.nan
    for a, b in zip(exact(ToyModel(batch_size=8), x, train_idx)[1], exact(ToyModel(batch_size=8), others, train_idx)[1],
                    strict=True):  # fmt: skip
        np.testing.assert_array_equal(a, b)


def test_with_early_stopping_statistics_are_those_of_the_training_part_under_the_chosen_weights() -> None:
    model = ToyModel(early_stopping=2, epochs=12, keep="best", learning_rate=0.1, batch_size=8)
    x, y, groups = blobs(40)
    predictor = fit(model)
    train_idx, val_idx = trainer.validation_part(groups, 0.2, trainer.generator(jax.random.key(0), trainer.SPLIT))
    state = train_program.TrainState(predictor.params, predictor.stats, ())
    expected = leaves(batch_norm.final_statistics(model, predictor.build, state, x, train_idx))
    for a, b in zip(leaves(predictor.stats), expected, strict=True):
        np.testing.assert_array_equal(a, b)
    loss = -np.log(predictor(x[val_idx])[np.arange(len(val_idx)), y[val_idx]]).mean()
    np.testing.assert_allclose(loss, min(row["val_loss"] for row in predictor.history), rtol=1e-5)


def test_running_statistics_are_those_of_the_training_steps() -> None:
    model = ToyModel(epochs=3)
    x, y, groups = blobs(40)
    running = replace(model, batch_norm_statistics="running").fit(x, y, n_classes=3, groups=groups, seed=0)
    assert isinstance(running, trainer.NetworkPredictor)
    weights = np.ones(3, np.float32)
    *_, (state, _) = trainer.epochs(model, running.build, x, y, np.arange(40), weights=weights, seed=0)
    for a, b in zip(leaves(running.stats), leaves(state.stats), strict=True):
        np.testing.assert_array_equal(a, b)
    assert not np.array_equal(leaves(fit(model).stats)[0], leaves(running.stats)[0])


def test_a_network_is_tested_as_well_as_it_trained() -> None:
    """Three images that differ at a glance: with running statistics, eight epochs end near chance."""
    rng = np.random.default_rng(0)
    y = np.arange(24) % 3
    x = rng.integers(0, 120, (24, 1, 128, 128, 3)) + 60 * (np.arange(3) == y[:, None])[:, None, None, None]
    model = AUCNN(epochs=8, batch_size=8)
    accuracies = {}
    for kind in ("exact", "running"):
        predictor = replace(model, batch_norm_statistics=kind).fit(
            x.astype(np.uint8), y, n_classes=3, groups=np.array(["s"] * 24), seed=0
        )
        assert isinstance(predictor, trainer.NetworkPredictor)
        assert predictor.history[-1]["accuracy"] > 0.9
        accuracies[kind] = (predictor(x.astype(np.uint8)).argmax(1) == y).mean()
    assert accuracies["exact"] > 0.9
    assert accuracies["running"] < 0.75


def test_folds_together_have_the_statistics_of_their_own_training_sides() -> None:
    rng = np.random.default_rng(0)
    x = rng.integers(0, 256, (8, 28, 28, 3)).astype(np.float32)
    conv = rng.normal(size=(2, TAPS, FILTERS)).astype(np.float32)
    masks = np.array([[1, 1, 0, 0, 1, 1, 1], [0, 1, 1, 1, 1, 0, 0]], bool)  # the eighth image pads
    patches = patches_of(x)
    stats = fold_parallel.exact_statistics(jax.numpy.asarray(patches), jax.numpy.asarray(conv), masks)
    for fold, mask in enumerate(masks):
        maps = np.maximum(patches[:7][mask].astype(np.float64) @ conv[fold], 0).reshape(-1, FILTERS)
        np.testing.assert_allclose(stats["mean"][fold], maps.mean(0), rtol=1e-4)
        np.testing.assert_allclose(stats["var"][fold], maps.var(0), rtol=1e-4)


def test_running_statistics_are_flagged_where_a_network_has_any() -> None:
    assert STSTNet(batch_norm_statistics="running").flags() == ("running-batch-norm",)
    assert STSTNet().flags() == ()
    assert CNN(batch_norm_statistics="running").flags() == ()
