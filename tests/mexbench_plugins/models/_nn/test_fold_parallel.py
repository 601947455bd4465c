"""Folds trained together against the network trained on one fold alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.typing import NDArray

from mexbench_plugins.datasets.megc2019_flow import Megc2019Flow
from mexbench_plugins.models._nn import fold_parallel, team_size, train_program, trainer
from mexbench_plugins.models._nn.fold_parallel_conv import FILTERS, POSITIONS, TAPS, front, patches_of
from mexbench_plugins.models._nn.trainer import NetworkPredictor
from mexbench_plugins.models.ststnet import STSTNet

#: One batch per epoch and no dropout: then nothing but the arithmetic can differ. More than one piece of eight samples.
STILL = STSTNet(dropout=0.0, batch_size=64, epochs=12, learning_rate=1e-3)


#: Small batches and dropout.
NOISY = STSTNet(batch_size=8, epochs=3, learning_rate=1e-3)


def images(n: int, seed: int = 0) -> tuple[NDArray[np.uint8], NDArray[np.intp]]:
    """Flow images of three classes; half of each is flat, so that windows have several equal maxima."""
    rng = np.random.default_rng(seed)
    y = rng.permutation(np.arange(n) % 3)
    x = rng.integers(0, 120, (n, 1, 28, 28, 3)) + 60 * (np.arange(3) == y[:, None])[:, None, None, None]
    x[:, :, :14] = 128
    return x.astype(np.uint8), y


def masks_of(n: int, folds: int) -> NDArray[np.bool_]:
    """Fold k leaves out every sample whose number is k modulo the number of folds."""
    return np.arange(n)[None] % folds != np.arange(folds)[:, None]


def one_by_one(model: STSTNet, x: Any, y: Any, masks: Any, seed: int = 0) -> list[NetworkPredictor]:  # noqa: ANN401
    """Remove each fold's held-out samples and train the network layer by layer, in the engine of all networks."""
    groups = np.array(["s"] * len(y))
    return [
        trainer.train(model, model.builder(x.shape[1:], 3), x[m], y[m], n_classes=3, groups=groups[m], seed=seed)
        for m in masks
    ]


def together(
    model: STSTNet,
    x: Any,  # noqa: ANN401
    y: Any,  # noqa: ANN401
    masks: Any,  # noqa: ANN401
    *,
    seed: int = 0,
    groups: NDArray[np.str_] | None = None,
) -> list[NetworkPredictor]:
    groups = np.array(["s"] * len(y)) if groups is None else groups
    return list(model.fit_folds(x, y, masks, n_classes=3, groups=groups, seed=seed))  # pyright: ignore[reportReturnType]


def weights(predictor: NetworkPredictor) -> list[NDArray[Any]]:
    return [np.asarray(leaf) for leaf in jax.tree.leaves((predictor.params, predictor.stats))]


@pytest.mark.parametrize(
    "options",
    [{}, {"class_weight": "balanced", "channels": "reversed", "pixels": "unit", "optimiser": "sgd", "momentum": 0.9,
          "weight_decay": 0.01}],
    ids=["recipe", "options"],
)  # fmt: skip
def test_folds_together_are_folds_one_by_one(options: dict[str, Any]) -> None:
    """Five folds need two groups of folds, 27 samples two kinds of piece: padding on both axes."""
    model = replace(STILL, **options)
    x, y = images(27)
    masks = masks_of(27, 5)
    masks[4, y == 2] = False  # a fold that a class is absent from
    for ours, alone in zip(together(model, x, y, masks), one_by_one(model, x, y, masks), strict=True):
        np.testing.assert_allclose(ours(x), alone(x), atol=2e-4)
        for a, b in zip(weights(ours), weights(alone), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4 * max(np.abs(b).max(), 1e-3))
        np.testing.assert_array_equal(ours.trained, alone.trained)
        for result, expected in zip(ours.history, alone.history, strict=True):
            assert result.keys() == expected.keys()
            np.testing.assert_allclose(list(result.values()), list(expected.values()), rtol=1e-3, atol=1e-4)


def test_a_held_out_sample_leaves_no_trace() -> None:
    """Small batches, dropout on: whatever a held-out sample is replaced by, its folds stay the same to the last bit."""
    x, y = images(20)
    masks = masks_of(20, 4)
    other, other_y = x.copy(), y.copy()
    other[~masks[1]], other_y[~masks[1]] = 255 - other[~masks[1]], 2 - y[~masks[1]]
    first, changed = together(NOISY, x, y, masks), together(NOISY, other, other_y, masks)
    for a, b in zip(weights(first[1]), weights(changed[1]), strict=True):
        np.testing.assert_array_equal(a, b)
    assert not np.array_equal(weights(first[0])[0], weights(changed[0])[0])


@pytest.mark.parametrize("backend", ["cpu", "gpu"])
def test_gradients_are_those_of_the_plain_formula_and_of_removing_samples(
    backend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The hand-written gradient against automatic differentiation of conv, ReLU, batch norm, pooling, in float64."""
    monkeypatch.setattr(jax, "default_backend", lambda: backend)
    rng = np.random.default_rng(0)
    x, _ = images(8)
    scale_of = rng.normal(size=(2, FILTERS))  # of both signs
    real = np.array([[1, 1]] * 3 + [[0, 1]] * 2 + [[1, 0]] * 3, np.float64)
    pull = rng.normal(size=(8, 4, 25, 2, FILTERS)) * real[:, None, None, :, None]
    with jax.enable_x64(True):
        conv, shift = jnp.asarray(rng.normal(size=(2, TAPS, FILTERS))), jnp.asarray(rng.normal(size=(2, FILTERS)))
        scale, patches = jnp.asarray(scale_of), jnp.asarray(patches_of(x[:, 0].astype(np.float32)), jnp.float64)

        def ours(conv: Any, scale: Any, shift: Any) -> Any:  # noqa: ANN401
            out, _, _ = front(patches, jnp.arange(8), conv, scale, shift, jnp.asarray(real))
            return (out * pull).sum()

        def plain(conv: Any, scale: Any, shift: Any) -> Any:  # noqa: ANN401
            total = 0.0
            for fold in range(2):
                rows = np.flatnonzero(real[:, fold])
                h = jax.nn.relu(jnp.asarray(patches)[rows] @ conv[fold])
                mean, var = h.mean((0, 1)), h.var((0, 1))
                h = (h - mean) / jnp.sqrt(var + 1e-5) * scale[fold] + shift[fold]
                h = h.reshape(len(rows), 9, 100, FILTERS)
                # Row -1 and column -1 of the padded map hold row 29 and column 29, which are not pooled.
                top = (np.arange(4)[:, None] < 2) & (np.arange(25) < 5)
                left = (np.arange(4)[:, None] % 2 == 0) & (np.arange(25) % 5 == 0)
                outside = np.stack([((p < 3) & top) | ((p % 3 == 0) & left) for p in range(9)]).reshape(9, 100, 1)
                best = jnp.where(outside, -jnp.inf, h).max(1).reshape(len(rows), 4, 25, FILTERS)
                total += (best * pull[rows, :, :, fold]).sum()
            return total

        result = jax.value_and_grad(ours, (0, 1, 2))(conv, scale, shift)
        expected = jax.value_and_grad(plain, (0, 1, 2))(conv, scale, shift)
        for a, b in zip(jax.tree.leaves(result), jax.tree.leaves(expected), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5 * float(jnp.abs(b).max()))


def test_patches_hold_every_position_once() -> None:
    x = np.arange(28 * 28 * 3, dtype=np.float32).reshape(1, 28, 28, 3) + 1
    patches = patches_of(x)
    assert patches.shape == (1, POSITIONS, TAPS)
    assert (patches[..., -1] == 1).all()
    centres = patches[0, :, 12:15]  # row and column 1 of the 3x3 filter: the pixel itself, 0 beyond the image
    assert sorted(centres[centres > 0]) == list(np.ravel(x))
    assert (centres == 0).all(axis=1).sum() == 900 - 784


def test_the_same_seed_gives_the_same_folds_and_another_one_others() -> None:
    x, y = images(20)
    first, again, other = (together(NOISY, x, y, masks_of(20, 4), seed=seed)[2](x) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_a_fold_with_nothing_in_a_batch_makes_no_step() -> None:
    """Batches of four, a fold of two samples: most batches hold none of them."""
    model = STSTNet(batch_size=4, epochs=1, learning_rate=1e-3, dropout=0.0)
    x, y = images(16)
    masks = np.ones((2, 16), bool)
    masks[1, 2:] = False
    predictor = together(model, x, y, masks)[1]
    assert np.isfinite(predictor(x)).all()
    program = train_program.train_program(model, model.builder((1, 28, 28, 3), 3))
    start = program.init(trainer.generator(jax.random.key(0), trainer.INIT))
    moved = np.abs(np.asarray(predictor.params["dense"]["kernel"][...] - start.params["dense"]["kernel"][...])).max()
    steps = {1: 1, 2: 2}  # Adam moves at most one learning rate a step
    assert 0 < moved <= max(steps) * 2 * 1.01e-3


def test_fit_is_a_fold_that_holds_nothing_out() -> None:
    x, y = images(20)
    groups = np.array(["a", "b"] * 10)
    fitted = NOISY.fit(x, y, n_classes=3, groups=groups, seed=1)
    alone = together(NOISY, x, y, np.ones((1, 20), bool), seed=1, groups=groups)[0]
    np.testing.assert_array_equal(fitted(x), alone(x))
    with pytest.warns(UserWarning, match="before anything was learned"):
        early = replace(NOISY, early_stopping=1).fit(x, y, n_classes=3, groups=groups, seed=1)
    assert isinstance(early, NetworkPredictor)
    assert "val_loss" in early.history[0]


@pytest.mark.usefixtures("nothing_compiled")
def test_data_sets_of_similar_size_share_compilations() -> None:
    model = STSTNet(batch_size=64, epochs=1, learning_rate=0.0321)
    step = fold_parallel.compiled_step(model.compiled_part(), model.dropout)
    for n in (120, 101, 70):
        x, y = images(n)
        model.fit(x, y, n_classes=3, groups=np.array(["s"] * n), seed=0)
    assert step._cache_size() == 1


@pytest.mark.parametrize(
    ("options", "masks", "text"),
    [
        ({"early_stopping": 3}, masks_of(6, 2), "folds trained together stop together"),
        ({}, np.array([[True] * 6, [False] * 6]), "fold 1 has no training sample"),
    ],
)
def test_what_cannot_be_done_together_is_refused(options: dict[str, Any], masks: Any, text: str) -> None:  # noqa: ANN401
    x, y = images(6)
    with pytest.raises(ValueError, match=text):
        together(replace(STILL, **options), x, y, masks)


def test_a_fold_that_loses_its_way_is_an_error() -> None:
    x, y = images(9)
    model = STSTNet(optimiser="sgd", learning_rate=1e30, epochs=20)
    with pytest.raises(FloatingPointError, match="set a learning_rate below"):
        together(model, x, y, masks_of(9, 3))


def test_a_sample_that_trains_nowhere_is_not_even_read() -> None:
    x, y = images(9)
    masks = np.ones((2, 9), bool)
    masks[:, 4] = False
    without = np.delete(np.arange(9), 4)
    groups = np.array(["a"] * 4 + ["b"] + ["c"] * 4)
    ours = together(NOISY, x, y, masks, groups=groups)[0](x)
    result = together(NOISY, x[without], y[without], masks[:, without], groups=groups[without])[0](x)
    np.testing.assert_array_equal(ours, result)


def test_minibatches_are_each_folds_own() -> None:
    """Ten samples in line, two folds that hold out 3 and 4, and 8; batches of four."""
    order = np.array([5, 3, 0, 9, 1, 4, 2, 8, 7, 6])
    masks = np.ones((2, 10), bool)
    masks[0, [3, 4]] = masks[1, 8] = False
    result = [
        [[int(sample) for sample in chosen[column]] for column in real.T]
        for chosen, real in fold_parallel.minibatches(order, masks, 4)
    ]
    assert result == [[[5, 0, 9, 1], [5, 3, 0, 9]], [[2, 8, 7, 6], [1, 4, 2, 7]], [[], [6]]]


def flow_of(root: Path, step: int) -> tuple[NDArray[Any], NDArray[np.intp], NDArray[np.str_]]:
    """Read every so many-th clip of the flow pack: images, classes, subjects."""
    dataset = Megc2019Flow(root=root)
    chosen = sorted(dataset.samples(), key=lambda s: s.sample_id)[::step]
    x = np.stack([dataset.load(sample).frames for sample in chosen])
    y = np.array([list(dataset.label_map()).index(str(sample.emotion)) for sample in chosen])
    return x, y, np.array([sample.subject for sample in chosen])


def test_real_folds_in_one_batch_are_those_of_the_layers(real_flow: Path) -> None:
    """Two subjects of the flow pack held out in turn, all clips in one batch, dropout off."""
    x, y, subjects = flow_of(real_flow, 4)
    masks = subjects[None] != np.unique(subjects)[[3, 20]][:, None]
    model = STSTNet(dropout=0.0, batch_size=128, epochs=10)
    for ours, alone in zip(together(model, x, y, masks), one_by_one(model, x, y, masks), strict=True):
        np.testing.assert_allclose(ours(x), alone(x), atol=1e-3)
    assert team_size.ON_CPU >= 2


def test_real_folds_together_are_those_that_fit_gives(real_flow: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The paper's recipe, with dropout and several batches; each fold's subject is truly removed for ``fit``.

    Five subjects, so two teams of folds; the sixth fold holds out more subjects and has a batch less than the others.
    Four epochs: in six, differences of rounding grow to 4e-4.
    """
    monkeypatch.setattr(team_size, "ON_CPU", 4)
    x, y, subjects = flow_of(real_flow, 3)
    masks = subjects[None] != np.unique(subjects)[[0, 3, 20, 30, 41]][:, None]
    masks = np.concatenate([masks, ~np.isin(subjects, np.unique(subjects)[:12])[None]])
    model = STSTNet(batch_size=32, epochs=4, learning_rate=1e-3)
    assert len(np.unique(-(-masks.sum(1) // 32))) > 1
    for mask, ours in zip(masks, together(model, x, y, masks, seed=5, groups=subjects), strict=True):
        single = together(model, x, y, mask[None], seed=5, groups=subjects)[0]
        np.testing.assert_allclose(ours(x), single(x), atol=1e-4)
        fitted = model.fit(x[mask], y[mask], n_classes=3, groups=subjects[mask], seed=5)
        np.testing.assert_array_equal(fitted(x), single(x))
    one, other = (model.fit(x, y, n_classes=3, groups=subjects, seed=seed)(x) for seed in (5, 6))
    assert np.abs(one - other).max() > 1e-2, "a comparison to 1e-4 says something"


@pytest.mark.parametrize("folds", [2, 5], ids=["one team", "two teams"])
def test_the_last_of_the_epochs_is_what_training_together_gives(folds: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """And an earlier one is what a shorter training gives: nobody waits for the best epoch by accident."""
    monkeypatch.setattr(team_size, "ON_CPU", 4)
    x, y = images(24)
    masks = masks_of(24, folds)
    groups = np.array(["s"] * 24)
    each = list(NOISY.fit_epochs(x, y, masks, n_classes=3, groups=groups, seed=4))
    assert [len(predictors) for predictors in each] == [folds] * 3
    for count, predictors in enumerate(each, 1):
        for result, expected in zip(
            predictors, together(replace(NOISY, epochs=count), x, y, masks, seed=4), strict=True
        ):
            np.testing.assert_array_equal(result(x), expected(x))
            assert isinstance(result, NetworkPredictor)
            assert result.history == expected.history


def test_epochs_of_a_recipe_with_early_stopping_are_all_trained_on_everything() -> None:
    x, y = images(12)
    stopping = replace(STILL, early_stopping=1, epochs=4)
    groups, masks = np.array(["a", "b"] * 6), np.ones((1, 12), dtype=bool)
    result = list(stopping.fit_epochs(x, y, masks, n_classes=3, groups=groups, seed=0))
    assert len(result) == 4
    plain = together(replace(STILL, epochs=4), x, y, masks, groups=groups)
    np.testing.assert_array_equal(result[-1][0](x), plain[0](x))
