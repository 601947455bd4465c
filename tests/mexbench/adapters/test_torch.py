from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mexbench.adapters import as_model, torch_inputs
from mexbench.adapters.torch import FactoryModel, TorchModel, TorchRecipe
from mexbench.adapters.validation_split import validation_part
from mexbench.errors import ConfigError
from mexbench.interfaces import Rows

torch = pytest.importorskip("torch")

GROUPS = np.array(["a", "b"] * 20)
RNG = np.random.default_rng(0)
Y = np.array([0, 1] * 20)
X = (RNG.normal(size=(40, 1, 4)) + 3 * Y[:, None, None]).astype(np.float32)


def linear(n_classes: int, shape: tuple[int, ...]) -> Any:  # noqa: ANN401
    return torch.nn.Linear(shape[0], n_classes)


def model(factory: Callable[..., Any] = linear, **recipe: Any) -> FactoryModel:  # noqa: ANN401
    return FactoryModel(factory, TorchRecipe.of({"epochs": 30, "learning_rate": 0.1, **recipe}))


def fit(recipe: FactoryModel, seed: int = 0, y: np.ndarray = Y, n_classes: int = 2) -> Any:  # noqa: ANN401
    return recipe.fit(X, y, n_classes=n_classes, groups=GROUPS, seed=seed)


@pytest.mark.parametrize("optimizer", ["adam", "adamw", "sgd"])
def test_it_learns_and_has_learning_curves(optimizer: str) -> None:
    predictor = fit(model(optimizer=optimizer, learning_rate=0.05))
    scores = predictor(X)
    assert (scores.argmax(axis=1) == Y).mean() == 1
    np.testing.assert_allclose(scores.sum(axis=1), 1)
    assert [row.keys() for row in predictor.history] == [{"epoch", "loss", "accuracy"}] * 30
    assert predictor.history[-1]["loss"] < predictor.history[0]["loss"] / 2


def test_the_seed_decides_everything_and_leaves_the_session_alone() -> None:
    torch.manual_seed(5)
    before = torch.get_rng_state()
    first, again, other = (fit(model(epochs=2), seed=seed)(X) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
    assert torch.equal(torch.get_rng_state(), before)


def test_one_epoch_of_sgd_is_the_gradient_step() -> None:
    """Plain gradient descent by hand: a zero linear layer, one batch of everything, learning rate 0.1."""

    def zero(n_classes: int) -> Any:  # noqa: ANN401
        layer = torch.nn.Linear(4, n_classes, bias=False)
        torch.nn.init.zeros_(layer.weight)
        return layer

    predictor = fit(model(zero, epochs=1, optimizer="sgd", batch_size=40))
    x = X[:, 0].astype(np.float64)
    residual = np.eye(2)[Y] - 0.5
    expected = 0.1 * residual.T @ x / len(x)
    np.testing.assert_allclose(predictor.module.weight.detach().numpy(), expected, rtol=1e-4)


def test_images_come_channels_first_and_bytes_scaled() -> None:
    images = np.full((2, 1, 6, 5, 3), 255, dtype=np.uint8)
    images.flags.writeable = False
    prepared = model().prepare(images)
    assert (tuple(prepared.shape), prepared.dtype) == ((2, 3, 6, 5), torch.float32)
    assert float(prepared.max()) == 1
    assert tuple(model().prepare(np.zeros((2, 4, 6, 5, 3), np.uint8)).shape) == (2, 4, 3, 6, 5)
    assert tuple(model().prepare(np.zeros((2, 1, 7))).shape) == (2, 7)
    assert tuple(model().prepare(np.zeros((2, 3, 7))).shape) == (2, 3, 7)


def test_balanced_class_weights_move_the_answer_to_the_rare_class() -> None:
    y = np.array([0] * 36 + [1] * 4)

    def bias(n_classes: int) -> Any:  # noqa: ANN401
        class Bias(torch.nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.logits = torch.nn.Parameter(torch.zeros(n_classes))

            def forward(self, x: Any) -> Any:  # noqa: ANN401
                return self.logits.expand(len(x), -1)

        return Bias()

    plain = fit(model(bias, epochs=300, batch_size=40), y=y)(X[:1])
    balanced = fit(model(bias, epochs=300, batch_size=40, class_weights="balanced"), y=y)(X[:1])
    np.testing.assert_allclose(plain, [[0.9, 0.1]], atol=0.01)
    np.testing.assert_allclose(balanced, [[0.5, 0.5]], atol=0.01)


@pytest.mark.parametrize(("samples", "batch_size"), [(33, 32), (5, 2), (3, 2), (64, 32), (1, 8)])
def test_no_batch_has_a_single_sample(samples: int, batch_size: int) -> None:
    sizes = []

    class Net(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = torch.nn.Linear(4, 2)

        def forward(self, x: Any) -> Any:  # noqa: ANN401
            if self.training:  # and not when statistics are measured
                sizes.append(len(x))
            return self.layer(x)

    x = np.zeros((samples, 1, 4), np.float32)
    y = np.zeros(samples, dtype=np.intp)
    model(Net, epochs=1, batch_size=batch_size).fit(x, y, n_classes=2, groups=np.array(["a"] * samples), seed=0)
    assert sum(sizes) == samples
    assert min(sizes) > 1 or samples == 1
    assert max(sizes) <= batch_size + 1


def test_action_units() -> None:
    units = np.stack([Y == 1, Y == 0, np.zeros(40, bool)], axis=1)
    scores = model().fit_action_units(X, units, groups=GROUPS, seed=0)(X)
    assert ((scores >= 0.5) == units).mean() > 0.95
    assert ((scores >= 0) & (scores <= 1)).all()


def test_a_module_itself_is_copied_for_every_training() -> None:
    original = torch.nn.Linear(4, 2)
    before = original.weight.detach().clone()
    adapted = as_model(original, recipe={"epochs": 1})
    assert isinstance(adapted, FactoryModel)
    fit(adapted)
    assert torch.equal(original.weight, before)


def test_wrong_logits_and_wrong_factories_are_named() -> None:
    with pytest.raises(ValueError, match=r"the module returned \(\d+, 3\) for \d+ samples, expected logits \(\d+, 2\)"):
        fit(model(lambda: torch.nn.Linear(4, 3)))
    with pytest.raises(TypeError, match=r"the factory returned a int, expected a torch\.nn\.Module"):
        fit(model(lambda: 3))


def test_a_wrong_recipe_is_named() -> None:
    with pytest.raises(ConfigError) as error:
        as_model(linear, recipe={"epoch": 3, "batch_size": 0})
    assert "recipe.epoch: unknown parameter 'epoch' (did you mean 'epochs'?)" in str(error.value)
    assert "recipe.batch_size: expected" in str(error.value)


def test_the_adapters_are_imported_without_their_libraries() -> None:
    probe = (
        "import sys, mexbench.adapters, mexbench.adapters.sklearn, mexbench.adapters.torch\n"
        "sys.exit(str({'torch', 'sklearn'} & set(sys.modules)) if {'torch', 'sklearn'} & set(sys.modules) else 0)"
    )
    assert subprocess.run([sys.executable, "-c", probe], check=False).returncode == 0


def normalised() -> Any:  # noqa: ANN401
    return torch.nn.Sequential(
        torch.nn.BatchNorm1d(4), torch.nn.Linear(4, 6), torch.nn.Dropout(0.5), torch.nn.BatchNorm1d(6), torch.nn.ReLU(),
        torch.nn.Linear(6, 2),
    )  # fmt: skip


def test_exact_statistics_are_those_of_one_pass_in_training_mode_without_dropout() -> None:
    predictor = fit(model(normalised, epochs=3, batch_size=16))
    inputs = torch.from_numpy(X[:, 0])
    first, linear, _, second, *_ = predictor.module
    np.testing.assert_allclose(first.running_mean, X[:, 0].mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(first.running_var, X[:, 0].var(axis=0), rtol=1e-5)
    with torch.no_grad():
        hidden = linear(torch.nn.functional.batch_norm(inputs, None, None, first.weight, first.bias, training=True))
    np.testing.assert_allclose(second.running_mean, hidden.mean(dim=0), rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(second.running_var, hidden.var(dim=0, unbiased=False), rtol=1e-3)


def test_running_statistics_are_the_moving_average() -> None:
    predictor = fit(model(normalised, epochs=1, batch_size=40, batch_norm_statistics="running"))
    np.testing.assert_allclose(predictor.module[0].running_mean, 0.1 * X[:, 0].mean(axis=0), rtol=1e-4)


def test_a_validation_part_has_subjects_of_its_own() -> None:
    groups = np.array(list("aaabbcccddde"))
    train, val = validation_part(groups, 0.3, np.random.default_rng(0))
    assert sorted([*train, *val]) == list(range(12))
    assert not set(groups[train]) & set(groups[val])
    assert len(val) >= 0.3 * 12
    with pytest.raises(ValueError, match="all samples are of one: a; set early_stopping: null"):
        validation_part(np.array(["a", "a"]), 0.3, np.random.default_rng(0))


def test_early_stopping_ends_with_the_weights_of_the_best_epoch() -> None:
    noise = np.random.default_rng(1).permutation(Y)  # nothing can be learned: validation loss rises
    groups = np.array([f"s{i % 8}" for i in range(40)])
    recipe = model(early_stopping=2, epochs=100, learning_rate=0.3)
    predictor = recipe.fit(X, noise, n_classes=2, groups=groups, seed=0)
    losses = [row["val_loss"] for row in predictor.history]
    best = int(np.argmin(losses))
    assert len(losses) == best + 1 + 2 < 100
    _, val = validation_part(groups, 0.2, np.random.default_rng(0))
    scores = predictor(X[val])
    assert -np.log(scores[np.arange(len(val)), noise[val]]).mean() == pytest.approx(losses[best], rel=1e-5)


@pytest.mark.parametrize("units", [False, True])
def test_saved_weights_give_the_same_scores(units: bool, tmp_path: Path) -> None:
    recipe = model(normalised if not units else lambda: torch.nn.LazyLinear(2), epochs=2)
    shows = np.stack([Y == 1, Y == 0], axis=1)
    predictor = recipe.fit_action_units(X, shows, groups=GROUPS, seed=0) if units else fit(recipe)
    recipe.save(predictor, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["network.json", "weights.safetensors"]
    loaded = recipe.load(tmp_path)
    np.testing.assert_array_equal(loaded(X), predictor(X))
    assert (loaded.history, loaded.health) == (predictor.history, predictor.health)


def test_weights_of_another_module_are_refused(tmp_path: Path) -> None:
    model(epochs=1).save(fit(model(epochs=1)), tmp_path)
    with pytest.raises(ValueError, match=r"is of another network: 2 arrays differ; bias should be float32 \(3,\)"):
        model(lambda: torch.nn.Linear(4, 3)).load(tmp_path)


def test_health_reports_the_training_side() -> None:
    health = fit(model())
    assert health.health["tested_accuracy"] == 1
    assert health.health["guess_loss"] == pytest.approx(np.log(2))
    assert health.health["predicted_classes"] == health.health["train_classes"] == 2


class CountingRows(Rows):
    """Rows that note how many are read at a time."""

    __slots__ = ("most",)

    def __init__(self, x: np.ndarray) -> None:
        super().__init__(x, np.arange(len(x)))
        self.most = 0

    def __getitem__(self, key: Any) -> Any:  # noqa: ANN401
        result = super().__getitem__(key)
        self.most = max(self.most, len(result))
        return result


@pytest.mark.parametrize("recipe", [{}, {"early_stopping": 2, "class_weights": "balanced"}], ids=["plain", "stopped"])
@pytest.mark.parametrize("units", [False, True])
def test_batches_that_are_read_train_the_same_module(
    recipe: dict[str, Any], units: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def train(x: Any) -> Any:  # noqa: ANN401
        trained = model(normalised, epochs=3, batch_size=8, **recipe)
        if units:
            return trained.fit_action_units(x, np.stack([Y == 1, Y == 0], axis=1), groups=GROUPS, seed=0)
        return trained.fit(x, Y, n_classes=2, groups=GROUPS, seed=0)

    expected = train(X)
    rows = CountingRows(X)
    np.testing.assert_array_equal(train(rows)(X), expected(X))
    assert rows.most == 40  # so few samples are read once and kept
    monkeypatch.setattr(torch_inputs, "MOST_KEPT", 0)
    rows, test = CountingRows(X), CountingRows(X)
    predictor = train(rows)
    np.testing.assert_array_equal(predictor(test), expected(X))
    assert (predictor.history, predictor.health) == (expected.history, expected.health)
    assert (rows.most, test.most) == (8, 8)


def test_a_class_with_its_own_preparation_is_given_an_array() -> None:
    class Plain(TorchModel):
        def module(self, shape: tuple[int, ...], n_outputs: int) -> Any:  # noqa: ANN401
            return linear(n_outputs, shape)

    class Centred(Plain):
        def prepare(self, x: np.ndarray) -> Any:  # noqa: ANN401
            return super().prepare(x - x.mean(axis=0))

    class Scaled(Centred):
        reads_rows = True

    assert (Plain.reads_rows, Centred.reads_rows, Scaled.reads_rows) == (True, False, True)
    assert FactoryModel.reads_rows
