"""The training engine: padding, statistics, splits, options, compilation."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx
from jax import Array
from numpy.random import Generator
from numpy.typing import NDArray

from mexbench.adapters.validation_split import validation_part
from mexbench.registry.parameters import build, check_declaration, parameters
from mexbench_plugins.models._nn import train_program, trainer
from mexbench_plugins.models._nn.batch_norm_layer import BatchNorm
from mexbench_plugins.models._nn.layers import Context, Convention, Dense, Network, StepContext, dropout
from mexbench_plugins.models._nn.losses import HEADS, class_weights
from mexbench_plugins.models._nn.network_model import NetworkModel
from mexbench_plugins.models._nn.pooling import max_pool
from mexbench_plugins.models._nn.recipe import Training
from mexbench_plugins.models.au_cnn import AUCNN
from mexbench_plugins.models.hybrid_micronet import HybridMicroNet
from mexbench_plugins.models.ststnet import STSTNet
from tests.helpers import ROOT


class Toy(Network):
    """Dense, ReLU, batch norm, dense: compiles at once and has all kinds of state.

    With ReLU behind the batch norm, the first bias would have no gradient but rounding, and Adam would follow that.
    """

    def __init__(self, features: int, n_classes: int, rate: float, rng: Generator) -> None:
        self.rate = rate
        self.dense1 = Dense(features, 8, rng=rng)
        self.norm = BatchNorm(8, convention="torch")
        self.dense2 = Dense(8, n_classes, rng=rng)

    def __call__(self, x: Array, context: Context) -> Array:
        x = self.norm(jax.nn.relu(self.dense1(x.reshape(len(x), -1))), context)
        return self.dense2(dropout(x, self.rate, context))


@dataclass(frozen=True, kw_only=True)
class ToyModel(NetworkModel):
    source = "no paper"
    example_shape = (1, 4)
    dropout: float = 0.0

    def check(self, shape: tuple[int, ...]) -> None:
        pass

    def network(self, shape: tuple[int, ...], n_classes: int, rng: Generator) -> Toy:
        return Toy(int(np.prod(shape)), n_classes, self.dropout, rng)


def blobs(n: int, seed: int = 0) -> tuple[NDArray[Any], NDArray[np.intp], NDArray[np.str_]]:
    """Four features, three classes, six subjects of unequal size."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 3, n)
    x = (rng.normal(size=(n, 1, 4)) + 2 * np.eye(4)[y][:, None]).astype(np.float32)
    return x, y, np.array([f"s{int(value)}" for value in np.sort(rng.integers(0, 6, n))])


def fit(model: NetworkModel, n: int = 40, seed: int = 0) -> trainer.NetworkPredictor:
    x, y, groups = blobs(n)
    predictor = model.fit(x, y, n_classes=3, groups=groups, seed=seed)
    assert isinstance(predictor, trainer.NetworkPredictor)
    return predictor


def leaves(tree: object) -> list[NDArray[Any]]:
    return [np.asarray(leaf) for leaf in jax.tree.leaves(tree)]


def one_step(model: NetworkModel, x: NDArray[Any], y: NDArray[np.intp], weights: NDArray[Any]) -> list[Any]:
    """The state after one step, as arrays; the batch is padded to the model's batch size."""
    program = train_program.train_program(model, model.builder(x.shape[1:], 4))
    rows = next(train_program.batches(model, x, y, np.arange(len(x)), weights))
    state, total, right = program.train_step(program.init(np.random.default_rng(0)), rows, jax.random.key(0), 0)
    return [*leaves(state), np.asarray(total), np.asarray(right)]


@pytest.mark.parametrize("weights", [[1, 1, 1, 0], [0.5, 2, 1, 0]], ids=["plain", "weighted"])
@pytest.mark.parametrize("options", [{}, {"optimiser": "sgd", "momentum": 0.9, "weight_decay": 0.01}])
def test_padding_changes_neither_a_gradient_nor_a_statistic(weights: list[float], options: dict[str, Any]) -> None:
    x, y, _ = blobs(11)
    class_weights = np.array(weights, np.float32)
    full = one_step(ToyModel(batch_size=11, **options), x, y, class_weights)
    padded = one_step(ToyModel(batch_size=32, **options), x, y, class_weights)
    assert any(np.abs(leaf).max() > 0 for leaf in full)
    for a, b in zip(full, padded, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


def test_padding_does_not_change_a_step_of_a_convolutional_network() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(5, 1, 7, 7, 512)).astype(np.float32), np.array([0, 1, 2, 0, 1])
    for a, b in zip(*(one_step(HybridMicroNet(batch_size=size), x, y, np.ones(4, np.float32)) for size in (5, 8)),
                    strict=True):  # fmt: skip
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=2e-6)


@pytest.mark.parametrize(("convention", "keep", "epsilon"), [("keras", 0.99, 1e-3), ("torch", 0.9, 1e-5)])
def test_batch_norm_by_hand(convention: Convention, keep: float, epsilon: float) -> None:
    layer = BatchNorm(1, convention=convention)
    x = jnp.array([1.0, 2.0, 6.0, 99.0]).reshape(4, 1, 1, 1)
    y = layer(x, StepContext(jnp.array([1.0, 1.0, 1.0, 0.0]), jax.random.key(0)))
    mean, var = 3.0, (4 + 1 + 9) / 3
    np.testing.assert_allclose(np.ravel(y)[:3], (np.array([1, 2, 6]) - mean) / np.sqrt(var + epsilon), rtol=1e-5)
    np.testing.assert_allclose(layer.mean[...], [(1 - keep) * mean], rtol=1e-5)
    entering = var if convention == "keras" else (4 + 1 + 9) / 2
    np.testing.assert_allclose(layer.var[...], [keep + (1 - keep) * entering], rtol=1e-5)


@pytest.mark.parametrize(("size", "stride", "padding"), [(2, 2, 0), (3, 2, 0), (3, 3, 1)])
def test_max_pool_is_reduce_window(size: int, stride: int, padding: int) -> None:
    x = jnp.asarray(np.random.default_rng(0).normal(size=(2, 13, 10, 3)), jnp.float32)
    around = [(0, 0), (padding, padding), (padding, padding), (0, 0)]
    expected = jax.lax.reduce_window(x, -jnp.inf, jax.lax.max, (1, size, size, 1), (1, stride, stride, 1), around)
    np.testing.assert_array_equal(max_pool(x, size, stride, padding=padding), expected)


@pytest.mark.parametrize(
    ("side", "size", "stride", "padding"),
    [
        ((8, 6), 2, 2, 0),
        ((9, 7), 2, 2, 0),
        ((12, 9), 3, 2, 0),
        ((13, 10), 3, 3, 1),
        ((7, 8), 2, 3, 0),
        ((9, 9), 5, 2, 1),
    ],
)
def test_max_pool_has_the_gradient_of_a_maximum(side: tuple[int, int], size: int, stride: int, padding: int) -> None:
    """Window by window; whole numbers, so that many windows have several maxima, which share equally."""
    rng = np.random.default_rng(0)
    x = rng.integers(0, 4, (2, *side, 3)).astype(np.float32)

    def plain(x: Array) -> Array:
        x = jnp.pad(x, [(0, 0), (padding, padding), (padding, padding), (0, 0)], constant_values=-jnp.inf)
        rows, columns = (range(0, length - size + 1, stride) for length in x.shape[1:3])
        result = [x[:, i : i + size, j : j + size].max((1, 2)) for i in rows for j in columns]
        return jnp.stack(result, 1).reshape(len(x), len(rows), len(columns), -1)

    expected, back = jax.vjp(plain, x)
    result, ours = jax.vjp(lambda x: max_pool(x, size, stride, padding=padding), x)
    np.testing.assert_array_equal(result, expected)
    pull = jnp.asarray(rng.normal(size=result.shape), jnp.float32)
    np.testing.assert_allclose(ours(pull)[0], back(pull)[0], atol=1e-6)


def test_dropout_keeps_the_mean_and_is_off_in_evaluation() -> None:
    x = jnp.ones((200, 200))
    dropped = dropout(x, 0.25, StepContext(jnp.ones(200), jax.random.key(0)))
    assert set(np.unique(dropped)) == {0, np.float32(1 / 0.75)}
    assert abs(float(dropped.mean()) - 1) < 0.02
    assert dropout(x, 0.25, None) is x


def test_the_last_batch_is_masked_to_its_own_size() -> None:
    """40 samples in batches of 16 end with one of 8: three steps, each the mean over its own samples."""
    model = ToyModel(batch_size=16)
    x, y, _ = blobs(40)
    padded = list(train_program.batches(model, x, y, np.arange(40), np.ones(3, np.float32)))
    assert [int(rows.mask.sum()) for rows in padded] == [16, 16, 8]
    assert {rows.x.shape for rows in padded} == {(16, 1, 4)}
    np.testing.assert_array_equal(np.concatenate([rows.y[rows.mask > 0] for rows in padded]), y)


class TestEarlyStopping:
    def test_training_and_validation_part_share_no_group(self) -> None:
        _, _, groups = blobs(60)
        for seed in range(20):
            train_idx, val_idx = validation_part(groups, 0.3, np.random.default_rng(seed))
            assert not set(groups[train_idx]) & set(groups[val_idx])
            assert sorted([*train_idx, *val_idx]) == list(range(60))
            assert len(val_idx) >= 0.3 * 60
            assert len(train_idx)

    def test_at_least_one_group_trains(self) -> None:
        train_idx, val_idx = validation_part(np.array(["a", "b"]), 0.99, np.random.default_rng(0))
        assert (len(train_idx), len(val_idx)) == (1, 1)

    def test_a_single_group_is_rejected(self) -> None:
        x, y, _ = blobs(8)
        with pytest.raises(ValueError, match="all samples are of one: s1; set early_stopping: null"):
            ToyModel(early_stopping=3).fit(x, y, n_classes=3, groups=np.array(["s1"] * 8), seed=0)

    def test_validation_subjects_are_in_no_training_batch(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A spy on the batches, and what it saw against the split of the same seed."""
        seen: set[bytes] = set()
        batches = train_program.batches

        def spy(*arguments: Any, **options: Any) -> Any:  # noqa: ANN401
            for rows in batches(*arguments, **options):
                seen.update(row.tobytes() for row in rows.x)
                yield rows

        monkeypatch.setattr(trainer, "batches", spy)
        model = ToyModel(early_stopping=2, epochs=4)
        predictor = fit(model)
        x, _, groups = blobs(40)
        learned = np.array([row.tobytes() in seen for row in x])
        assert 0 < learned.sum() < 40
        assert not set(groups[learned]) & set(groups[~learned])
        assert set(predictor.history[0]) == {"epoch", "loss", "accuracy", "val_loss", "val_accuracy"}

    @pytest.mark.parametrize("keep", ["last", "best"])
    def test_training_ends_after_the_given_number_of_epochs_without_improvement(self, keep: Any) -> None:  # noqa: ANN401
        model = ToyModel(early_stopping=2, epochs=200, learning_rate=0.3, batch_size=8, keep=keep)
        predictor = fit(model)
        losses = [result["val_loss"] for result in predictor.history]
        assert len(losses) < 200
        assert len(losses) - 1 - int(np.argmin(losses)) == 2
        x, y, groups = blobs(40)
        _, val_idx = validation_part(groups, 0.2, trainer.generator(jax.random.key(0), trainer.SPLIT))
        loss = -np.log(predictor(x[val_idx])[np.arange(len(val_idx)), y[val_idx]]).mean()
        np.testing.assert_allclose(loss, min(losses) if keep == "best" else losses[-1], rtol=1e-5)


def test_without_early_stopping_there_is_no_validation_part() -> None:
    history = fit(ToyModel(epochs=3)).history
    assert [result.keys() for result in history] == [{"epoch", "loss", "accuracy"}] * 3


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"keep": "best"}, "keep: best needs early_stopping"),
        ({"optimiser": "adam", "momentum": 0.5}, "momentum is an option of sgd and rmsprop; adam has its own"),
        ({"optimiser": "sgd", "nesterov": True}, "nesterov needs optimiser: sgd and a momentum"),
    ],
)
def test_options_without_effect_are_rejected(options: dict[str, Any], text: str) -> None:
    _, errors = build(AUCNN, options)
    assert len(errors) == 1
    assert text in errors[0][1]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"optimiser": "sgd", "momentum": 0.9, "nesterov": True}, lambda: optax.sgd(0.1, 0.9, nesterov=True)),
        ({"optimiser": "adam"}, lambda: optax.adam(0.1)),
        ({"optimiser": "adamw", "weight_decay": 0.1}, lambda: optax.adamw(0.1, weight_decay=0.1)),
        ({"optimiser": "sgd", "weight_decay": 1}, lambda: optax.chain(optax.add_decayed_weights(1), optax.sgd(0.1))),
    ],
    ids=["sgd", "adam", "adamw", "decayed sgd"],
)  # fmt: skip
def test_optimisers_are_those_of_optax(
    options: dict[str, Any], expected: Callable[[], optax.GradientTransformation]
) -> None:
    def after_three_steps(transformation: optax.GradientTransformation) -> NDArray[Any]:
        weights, gradient = jnp.array([1.0, -2.0]), jnp.array([0.3, 0.1])
        state = transformation.init(weights)
        for _ in range(3):
            updates, state = transformation.update(gradient, state, weights)
            weights = optax.apply_updates(weights, updates)
        return np.asarray(weights)

    ours = Training(learning_rate=0.1, **options).transformation()
    np.testing.assert_array_equal(after_three_steps(ours), after_three_steps(expected()))


def test_every_option_is_a_documented_parameter() -> None:
    options = {parameter.name for parameter in parameters(Training)}
    for model in (AUCNN, HybridMicroNet, STSTNet):
        assert check_declaration(model) is None
        assert options <= {parameter.name for parameter in parameters(model)}
        assert all(parameter.doc for parameter in parameters(model))


def test_class_weights_by_hand() -> None:
    y = np.array([0, 0, 0, 2])
    np.testing.assert_allclose(class_weights(y, 4, "balanced"), [4 / (2 * 3), 0, 4 / 2, 0])
    np.testing.assert_allclose(class_weights(y, 4, None), [1, 0, 1, 0])


@pytest.mark.filterwarnings("ignore:invalid value encountered")
@pytest.mark.parametrize("options", [{"learning_rate": 1e30, "optimiser": "sgd"}])
def test_a_nan_loss_stops_the_training_with_advice(options: dict[str, Any]) -> None:
    with pytest.raises(
        FloatingPointError, match=r"the loss is (nan|inf) in epoch \d+: set a learning_rate below 1e\+30"
    ):
        fit(ToyModel(epochs=20, **options))


def test_bytes_and_their_fractions_are_the_same_pixels_unless_raw() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (12, 1, 4), dtype=np.uint8)
    y, groups = np.arange(12) % 3, np.array(["g"] * 12)

    def scores(model: NetworkModel, x: NDArray[Any]) -> NDArray[Any]:
        return model.fit(x, y, n_classes=3, groups=groups, seed=0)(x)

    unit = ToyModel(epochs=2)
    fractions = (pixels / 255).astype(np.float64)
    np.testing.assert_allclose(scores(unit, pixels), scores(unit, fractions), atol=1e-3)
    np.testing.assert_allclose(scores(unit, pixels), scores(unit, pixels.astype(np.int64)), atol=1e-3)
    raw = replace(unit, pixels="raw")
    np.testing.assert_allclose(scores(raw, pixels), scores(raw, pixels.astype(np.float32)), atol=1e-3)
    # Exact statistics undo a scale of the pixels that batch norm sees first; running ones do not.
    unit, raw = (replace(model, batch_norm_statistics="running") for model in (unit, raw))
    assert not np.allclose(scores(raw, pixels), scores(unit, pixels), atol=1e-2)


def test_each_axis_has_its_own_seed() -> None:
    """Dropout noise does not disturb the initial weights or the order: the first loss differs by the noise alone."""
    key = jax.random.key(5)
    drawn = [trainer.generator(key, axis).integers(0, 2**31) for axis in range(4)]
    assert len(set(drawn)) == 4
    assert fit(ToyModel(epochs=1)).history != fit(ToyModel(epochs=1, dropout=0.5)).history


@pytest.mark.usefixtures("nothing_compiled")
def test_folds_of_any_size_and_sweeps_of_the_recipe_compile_once() -> None:
    model = ToyModel(batch_size=16, epochs=2)
    program = train_program.train_program(model, model.builder((1, 4), 3))
    fit(model, n=40)
    step: Any = program.train_step
    assert step._cache_size() == 1
    for n in (33, 17, 5):
        fit(model, n=n)(blobs(7)[0])
    fit(replace(model, epochs=3, class_weight="balanced", early_stopping=5, keep="best"))
    assert step._cache_size() == 1
    assert program.log_probs._cache_size() == 1  # pyright: ignore[reportFunctionMemberAccess]


@contextmanager
def counting() -> Iterator[list[str]]:
    """Collect a text for every program that is compiled inside the block, or read compiled from the disk."""
    result: list[str] = []

    def note(event: str, duration_secs: float, **_: object) -> None:
        del duration_secs
        if event == "/jax/core/compile/backend_compile_duration":
            result.append(event)

    jax.monitoring.register_event_duration_secs_listener(note)
    try:
        yield result
    finally:
        jax.monitoring.unregister_event_duration_listener(note)


@pytest.mark.usefixtures("nothing_compiled")
@pytest.mark.parametrize("together", [False, True], ids=["one by one", "together"])
def test_a_loso_of_26_folds_compiles_as_much_as_one_fold(together: bool) -> None:
    """26 subjects of 2 to 11 samples, so that no two folds need be of one size; every fold trains and predicts."""
    rng = np.random.default_rng(0)
    subjects = np.repeat([f"s{i:02}" for i in range(26)], 2 + np.arange(26) % 10)
    y = rng.integers(0, 3, len(subjects))
    masks = subjects[None] != np.unique(subjects)[:, None]
    assert len(np.unique(masks.sum(1))) == 10
    model: NetworkModel
    if together:
        model, x = STSTNet(batch_size=128, epochs=2), rng.integers(0, 256, (len(y), 1, 28, 28, 3), dtype=np.uint8)
        teams = np.array_split(masks, 13)  # a smaller last team would be a second program
    else:
        model, x = ToyModel(batch_size=16, epochs=2), rng.normal(size=(len(y), 1, 4)).astype(np.float32)
        teams = masks[:, None]

    def run(team: NDArray[np.bool_]) -> None:
        options: dict[str, Any] = {"n_classes": 3, "seed": 0}
        if isinstance(model, STSTNet):
            predictors = list(model.fit_folds(x, y, team, groups=subjects, **options))
        else:
            mask = team[0]
            predictors = [model.fit(x[mask], y[mask], groups=subjects[mask], **options)]
        for mask, predictor in zip(team, predictors, strict=True):
            predictor(x[~mask])

    with counting() as first:
        run(teams[0])
    assert first, "nothing was counted"
    with counting() as others:
        for team in teams[1:]:
            run(team)
    assert others == []


def test_compilations_are_kept_for_the_next_process(tmp_path: Path) -> None:
    """In the cache folder, small programs too; where the user named a folder, there."""
    script = (
        "import json, jax, numpy as np\n"
        "from tests.mexbench_plugins.models._nn.test_trainer import ToyModel, fit\n"
        "fit(ToyModel(epochs=1))\n"
        "print(json.dumps(jax.config.jax_compilation_cache_dir))\n"
    )

    def run(**variables: str) -> str:
        own = {name: value for name, value in os.environ.items() if not name.startswith(("JAX_COMP", "JAX_PERSIST"))}
        environment = {**own, "MEXBENCH_CACHE": str(tmp_path / "ours"), **variables}
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT,
                              env=environment, check=False)  # fmt: skip
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    assert run() == str(tmp_path / "ours" / "jax")
    assert list((tmp_path / "ours" / "jax").glob("*-cache")), "a small program was not kept"
    assert run(JAX_COMPILATION_CACHE_DIR=str(tmp_path / "theirs")) == str(tmp_path / "theirs")


def test_the_toy_has_batch_norm_statistics() -> None:
    program = train_program.train_program(ToyModel(), ToyModel().builder((1, 4), 3))
    state = program.init(np.random.default_rng(0))
    assert {name for name, _ in nnx.to_flat_state(state.stats)} == {("norm", "mean"), ("norm", "var")}


def test_predictors_of_fit_epochs_equal_shorter_trainings() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(21, 1, 4)).astype(np.float32), np.arange(21) % 3
    groups = np.array([f"s{index % 4}" for index in range(21)])
    masks = np.stack([groups != "s0", groups != "s1"])
    model = ToyModel(batch_size=8, dropout=0.3, epochs=3, early_stopping=1)  # which is not for this
    each = list(model.fit_epochs(x, y, masks, n_classes=3, groups=groups, seed=5))
    assert len(each) == 3
    for count, predictors in enumerate(each, 1):
        for mask, result in zip(masks, predictors, strict=True):
            shorter = replace(model, epochs=count, early_stopping=None)
            expected = shorter.fit(x[mask], y[mask], n_classes=3, groups=groups[mask], seed=5)
            np.testing.assert_array_equal(result(x), expected(x))
            assert [entry["epoch"] for entry in getattr(result, "history")] == list(range(1, count + 1))  # noqa: B009


def test_health_by_hand() -> None:
    """Accuracy and loss of the last epoch, the entropy of 2, 1, 1, and the predictor on its own training side."""
    x, y, groups = blobs(40)
    y[:] = np.resize([0, 0, 1, 2], 40)
    predictor = ToyModel(epochs=3).fit(x, y, n_classes=4, groups=groups, seed=0)
    assert isinstance(predictor, trainer.NetworkPredictor)
    answers = predictor(x).argmax(1)
    assert predictor.health == pytest.approx({
        "train_accuracy": predictor.history[-1]["accuracy"], "train_loss": predictor.history[-1]["loss"],
        "guess_loss": -(0.5 * np.log(0.5) + 0.5 * np.log(0.25)), "tested_accuracy": (answers == y).mean(),
        "predicted_classes": len(set(answers)), "train_classes": 3,
    })  # fmt: skip


def test_health_leaves_the_validation_part_out_and_is_of_the_chosen_epoch() -> None:
    model = ToyModel(early_stopping=2, epochs=30, learning_rate=0.1, batch_size=8, keep="best")
    predictor = fit(model)
    x, y, groups = blobs(40)
    train_idx, _ = validation_part(groups, 0.2, trainer.generator(jax.random.key(0), trainer.SPLIT))
    assert predictor.health["tested_accuracy"] == (predictor(x[train_idx]).argmax(1) == y[train_idx]).mean()
    best = min(predictor.history, key=lambda row: row["val_loss"])
    assert predictor.health["train_loss"] == best["loss"] > predictor.history[-1]["loss"]


def test_balanced_weights_make_guessing_uniform() -> None:
    y = np.array([0] * 6 + [1, 2])
    softmax = HEADS["softmax"]
    assert softmax.guess_loss(y, softmax.weights(y, 4, "balanced")) == pytest.approx(np.log(3), rel=1e-6)
    units = np.array([[1, 0], [0, 0], [0, 0], [0, 0]], bool)
    sigmoid = HEADS["sigmoid"]
    entropy = -(0.25 * np.log(0.25) + 0.75 * np.log(0.75))  # of the first unit; the second is never present
    assert sigmoid.guess_loss(units, sigmoid.weights(units, 2, None)) == pytest.approx(entropy / 2)
    assert sigmoid.guess_loss(units, sigmoid.weights(units, 2, "balanced")) == pytest.approx(np.log(2) / 2)


def test_early_stopping_before_anything_was_learned_warns() -> None:
    model = ToyModel(early_stopping=1, epochs=50, learning_rate=1e-30)
    x, y, groups = blobs(40)
    labels = np.random.default_rng(0).permutation(y)  # no weights can be right by chance
    with pytest.warns(UserWarning, match=r"early stopping ended the training after \d+ epochs, before anything was"):
        model.fit(x, labels, n_classes=3, groups=groups, seed=0)
