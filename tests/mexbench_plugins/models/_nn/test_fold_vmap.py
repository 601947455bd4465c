"""All folds of any network at once, against training each on its physically removed side."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.typing import NDArray

from mexbench.interfaces import Rows
from mexbench.testing import models as promises
from mexbench_plugins.models._nn import fold_vmap, network_model, train_program, trainer
from mexbench_plugins.models._nn.fold_batches import FoldBatches
from mexbench_plugins.models._nn.fold_vmap import Execution, Folds, Team
from mexbench_plugins.models._nn.losses import HEADS
from mexbench_plugins.models._nn.network_model import NetworkModel
from mexbench_plugins.models._nn.recipe import ClassOrder, StepDecay
from mexbench_plugins.models._nn.trainer import NetworkPredictor
from mexbench_plugins.models.au_cnn import AUCNN
from mexbench_plugins.models.cnn import CNN
from mexbench_plugins.models.cnn_lstm import CNNLSTM
from mexbench_plugins.models.htnet import HTNet
from mexbench_plugins.models.hybrid_micronet import HybridMicroNet
from mexbench_plugins.models.hybrid_micronet_au import HybridMicroNetAU
from mexbench_plugins.models.off_apexnet import OffApexNet
from mexbench_plugins.models.rcn_a import RCNA
from tests.mexbench_plugins.models._nn.test_trainer import ToyModel, blobs

#: As on a GPU: the data on the device, an epoch in one program.
ON_GPU = Execution(resident=True, shared=False, scan=True)
#: As there with data that do not fit: a minibatch is read once for all folds.
STREAMED = Execution(resident=False, shared=True, scan=False)
EXECUTIONS = {
    "on a gpu": ON_GPU,
    "step by step": replace(ON_GPU, scan=False),
    "own rows, streamed": Execution(resident=False, shared=False, scan=False),
}


@dataclass(frozen=True, kw_only=True)
class Decaying(ToyModel, StepDecay):
    """A toy whose step size falls."""


@dataclass(frozen=True, kw_only=True)
class InClassOrder(ToyModel, ClassOrder):
    """A toy whose order is the same with and without other samples: that of classes."""


def masks_of(groups: NDArray[np.str_]) -> NDArray[np.bool_]:
    return groups[None] != np.unique(groups)[:, None]


def folds_of(model: NetworkModel, x: Any, y: Any, masks: Any, execution: Execution) -> Folds:  # noqa: ANN401
    """Three classes, or where y has two axes, units."""
    units = y.ndim == 2
    classes = y.shape[1] if units else 3
    build = model.builder(x.shape[1:], classes)
    return Folds(model, build, x, y, masks, classes, 3, "sigmoid" if units else "softmax", execution)


def together(
    model: NetworkModel, x: Any, y: Any, masks: Any, execution: Execution = ON_GPU  # noqa: ANN401
) -> list[NetworkPredictor]:  # fmt: skip
    return fold_vmap.train(folds_of(model, x, y, masks, execution))


def one_by_one(model: NetworkModel, x: Any, y: Any, masks: Any) -> list[NetworkPredictor]:  # noqa: ANN401
    """Remove each fold's held-out samples and train what is left by the engine of all networks."""
    groups = np.array(["s"] * len(y))
    all_folds = folds_of(model, x, y, masks, ON_GPU)
    options: Any = {"n_classes": all_folds.n_classes, "seed": all_folds.seed, "head": all_folds.head}
    return [trainer.train(model, all_folds.build, x[m], y[m], groups=groups[m], **options) for m in masks]


def leaves(predictor: NetworkPredictor) -> list[NDArray[Any]]:
    return [np.asarray(leaf) for leaf in jax.tree.leaves((predictor.params, predictor.stats))]


def assert_same(results: list[NetworkPredictor], expected: list[NetworkPredictor], tolerance: float) -> None:
    """Weights, statistics, curves and health agree; the tolerance is relative to a tensor's largest value, or to .1."""
    assert len(results) == len(expected)
    for a, b in zip(results, expected, strict=True):
        for leaf, other in zip(leaves(a), leaves(b), strict=True):
            np.testing.assert_allclose(leaf, other, rtol=0, atol=tolerance * max(0.1, float(np.abs(other).max())))
        np.testing.assert_array_equal(a.trained, b.trained)
        rows = [[list(row.values()) for row in one.history] for one in (a, b)]
        np.testing.assert_allclose(*rows, rtol=10 * tolerance, atol=tolerance)
        np.testing.assert_allclose(list(a.health.values()), list(b.health.values()), rtol=10 * tolerance)


@pytest.mark.parametrize(
    ("execution", "model"),
    [
        *((name, ToyModel(dropout=0.3)) for name in EXECUTIONS),
        ("on a gpu", ToyModel(optimiser="adamw", weight_decay=0.01, class_weight="balanced")),
        ("on a gpu", ToyModel(optimiser="sgd", momentum=0.9, nesterov=True, weight_decay=0.01)),
        ("on a gpu", ToyModel(optimiser="rmsprop", momentum=0.5, batch_norm_statistics="running")),
        ("on a gpu", Decaying(decay_every=2)),
        ("step by step", InClassOrder(optimiser="sgd", learning_rate=0.01)),
    ],
    ids=lambda value: value if isinstance(value, str) else f"{type(value).__name__}-{value.optimiser}",
)
def test_a_fold_is_what_fit_gives_on_its_side(model: ToyModel, execution: str) -> None:
    """Sides of 39 to 44 samples in batches of 10: one fold has a batch less than the others. Dropout is fit's too."""
    x, y, groups = blobs(50)
    masks = masks_of(groups)
    assert len(np.unique(-(-masks.sum(1) // 10))) == 2
    masks[2, y == 1] = False  # a class that a fold never sees
    model = replace(model, batch_size=10, epochs=4)
    assert_same(together(model, x, y, masks, EXECUTIONS[execution]), one_by_one(model, x, y, masks), 4e-6)


NETWORKS: dict[str, tuple[NetworkModel, tuple[int, ...]]] = {
    "au_cnn": (AUCNN(), (1, 128, 128, 3)),
    "cnn": (CNN(), (1, 16, 16, 3)),
    "cnn_lstm": (CNNLSTM(early_stopping=None), (2, 14, 14, 1)),
    "off_apexnet": (OffApexNet(), (1, 28, 28, 2)),
    "hybrid_micronet": (HybridMicroNet(), (1, 7, 7, 512)),
    "htnet": (HTNet(dim=16, repeats=(1, 1, 1)), (1, 28, 28, 3)),
    "rcn_a": (RCNA(filters=8), (1, 28, 28, 3)),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_networks_are_what_fit_gives_on_the_removed_side(name: str) -> None:
    """Steps of plain gradient descent, which does not divide rounding by rounding as Adam does; two folds.

    Maps of one pixel need larger batches: batch normalisation of a channel that is equal in all samples, as if by
    chance in a few, gives rounding, whose sign decides what ReLU lets through.
    """
    model, shape = NETWORKS[name]
    size = 12 if name == "hybrid_micronet" else 3
    n = 2 * size + 1
    model = replace(model, optimiser="sgd", momentum=0.5, learning_rate=1e-3, batch_size=size, epochs=1, pixels="unit")
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 256, (n, *shape)), np.arange(n) % 3
    x = (x / 255).astype(np.float32) if shape[-1] == 512 else x.astype(np.uint8)
    masks = np.ones((2, n), bool)
    masks[0, -2:] = masks[1, :1] = False
    results, expected = together(model, x, y, masks), one_by_one(model, x, y, masks)
    assert_same(results, expected, 4e-6)
    start = train_program.train_program(model, model.builder(shape, 3)).init(
        trainer.generator(jax.random.key(3), trainer.INIT)
    )
    moved = [
        np.abs(a - np.asarray(b)).max() for a, b in zip(leaves(results[0]), jax.tree.leaves(start[:2]), strict=True)
    ]
    assert max(moved) > 1e-4, "the steps changed something that could have differed"


def test_the_arithmetic_of_a_gpu_is_what_fit_gives_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    """Layers and precision are chosen by the device: cnn_lstm has no loop over images on a GPU."""
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    model = CNNLSTM(early_stopping=None, filters=5, optimiser="sgd", batch_size=3, epochs=1)  # of no other test
    x, y = np.random.default_rng(0).integers(0, 256, (7, 2, 14, 14, 1), dtype=np.uint8), np.arange(7) % 3
    masks = np.ones((2, 7), bool)
    masks[0, -2:] = masks[1, :1] = False
    assert_same(together(model, x, y, masks), one_by_one(model, x, y, masks), 4e-6)


def test_units_are_trained_together_as_well() -> None:
    x, y, groups = blobs(30)
    units = np.stack([y == 0, y != 1], axis=1)
    model = ToyModel(batch_size=8, epochs=3, class_weight="balanced", optimiser="sgd", learning_rate=0.01)
    masks = masks_of(groups)
    expected = one_by_one(model, x, units, masks)
    assert_same(together(model, x, units, masks), expected, 1e-6)


def test_one_minibatch_is_physical_removal_in_the_same_order() -> None:
    """In class order the order of a fold is the same with and without what it holds out."""
    x, y, groups = blobs(50)
    masks, model = masks_of(groups), InClassOrder(batch_size=10, epochs=4, class_weight="balanced", momentum=0.5,
                                                  optimiser="sgd", weight_decay=0.01)  # fmt: skip
    expected = one_by_one(model, x, y, masks)
    assert_same(together(model, x, y, masks, STREAMED), expected, 1e-6)
    assert_same(together(model, x, y, masks, Execution(resident=True, shared=True, scan=True)), expected, 1e-6)


@pytest.mark.parametrize("execution", [ON_GPU, STREAMED], ids=["own rows", "one minibatch"])
@pytest.mark.parametrize("model", [ToyModel(dropout=0.3), InClassOrder()], ids=["shuffled", "in class order"])
def test_a_held_out_sample_leaves_no_trace(model: ToyModel, execution: Execution) -> None:
    """Whatever pixels and labels a fold holds out, it stays the same to the last bit."""
    if execution.shared and model.orders_by_label():
        assert not Execution.choose(model, 100, platform="gpu", free=1).shared
        return
    x, y, groups = blobs(50)
    masks, model = masks_of(groups), replace(model, batch_size=10, epochs=3)
    other, other_y = x.copy(), y.copy()
    other[~masks[1]], other_y[~masks[1]] = 9 - other[~masks[1]], 2 - y[~masks[1]]
    first, changed = together(model, x, y, masks, execution), together(model, other, other_y, masks, execution)
    for a, b in zip(leaves(first[1]), leaves(changed[1]), strict=True):
        np.testing.assert_array_equal(a, b)
    assert not np.array_equal(leaves(first[0])[0], leaves(changed[0])[0])


def test_own_rows_never_read_a_held_out_sample() -> None:
    """One that is not a number would make everything so that is multiplied with it, be it by 0."""
    x, y, groups = blobs(30)
    masks = masks_of(groups)[:2]
    x[~masks[1]] = np.nan
    model = ToyModel(batch_size=8, epochs=1)
    (first,) = folds_of(model, x, y, masks, ON_GPU).teams()
    with pytest.raises(FloatingPointError):
        first.train_epoch(1)  # the other fold, which trains on it
    assert all(np.isfinite(leaf[1]).all() for leaf in jax.tree.leaves(first.state))
    assert not all(np.isfinite(leaf[0]).all() for leaf in jax.tree.leaves(first.state))


def test_a_fold_with_nothing_in_a_step_keeps_its_state_and_its_count_of_steps() -> None:
    x, y, _ = blobs(12)
    model = ToyModel(batch_size=4, epochs=2, weight_decay=0.1)
    masks = np.ones((2, 12), bool)
    masks[1, 4:] = False  # one batch of three
    (team,) = folds_of(model, x, y, masks, EXECUTIONS["step by step"]).teams()
    steps, states = [*team.batches.epoch(1), *team.batches.epoch(2)], []
    for step in steps:
        team.state, sums = team.program(team.state, team.pool, step, team.dropout_key, ())
        states.append(jax.tree.map(np.array, team.state))
        assert (np.asarray(sums)[:, 1] == 0).all() == (step.mask[1].sum() == 0)
    assert [int(step.mask[1].sum()) for step in steps] == [4, 0, 0, 4, 0, 0]
    assert [[int(n) for n in step.number] for step in steps] == [[0, 0], [1, 1], [2, 2], [3, 1], [4, 2], [5, 3]]
    for before, after in zip(states[:1] * 2, states[1:3], strict=True):
        for a, b in zip(jax.tree.leaves(before), jax.tree.leaves(after), strict=True):
            np.testing.assert_array_equal(a[1], b[1])
    counts = [leaf for leaf in jax.tree.leaves(states[-1].optimiser) if leaf.dtype == np.int32]
    assert [leaf.tolist() for leaf in counts] == [[6, 2]]


def test_minibatches_join_the_batches_of_the_folds() -> None:
    """Ten samples in class order, two folds that hold out 3 and 4, and 8; batches of four."""
    y = np.array([0, 1, 2, 0, 1, 2, 0, 1, 2, 0])  # order 0 3 6 9 1 4 7 2 5 8
    masks = np.ones((2, 10), bool)
    masks[0, [3, 4]] = masks[1, 8] = False
    weights = [np.array([1, 2, 3], np.float32)] * 2
    batches = FoldBatches(
        InClassOrder(batch_size=4), y, masks, weights, head=HEADS["softmax"], shared=True,
        orders=[np.random.default_rng(0)], everyone=masks,
    )  # fmt: skip
    steps = list(batches.epoch(2))
    result = [[step.rows[real > 0].tolist() for real in step.mask] for step in steps]
    assert result == [[[0, 6, 9, 1], [0, 3, 6, 9]], [[7, 2, 5, 8], [1, 4, 7, 2]], [[], [5]]]
    assert [int(step.number) for step in steps] == [3, 4, 5]
    np.testing.assert_array_equal(steps[0].weight, steps[0].mask * np.array([1, 2, 3])[y[steps[0].rows]])
    assert {step.rows.shape for step in steps} == {(batches.union,)}


def test_teams_are_as_large_as_memory_allows_and_give_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    x, y, groups = blobs(50)
    masks = masks_of(groups)
    model = ToyModel(batch_size=10, epochs=2, dropout=0.3, optimiser="sgd", momentum=0.5, learning_rate=0.01)

    def teams(free: int | None) -> list[Team]:
        return list(folds_of(model, x, y, masks, replace(ON_GPU, free=free)).teams())

    (all_folds,) = teams(10**9)
    state = sum(leaf.nbytes for leaf in jax.tree.leaves(all_folds.state)) // 6
    assert 2 * state < all_folds.bytes_per_fold() < 2 * state + 100_000, "two states, and what a step holds"
    assert [team.n_folds for team in teams(None)] == [3, 3], "four on a CPU at most"
    assert [team.n_folds for team in teams(1)] == [1] * 6
    monkeypatch.setattr(Team, "bytes_per_fold", lambda _: 100)
    assert [team.n_folds for team in teams(499)] == [3, 3]
    assert [team.n_folds for team in teams(299)] == [2, 2, 2]
    for execution in (ON_GPU, STREAMED):  # with the noise of dropout
        limited, ample = (together(model, x, y, masks, replace(execution, free=free)) for free in (299, 600))
        assert_same(limited, ample, 4e-6)


@pytest.mark.parametrize(
    ("platform", "free", "expected"),
    [
        ("cpu", None, Execution(resident=True, shared=False, scan=False)),
        ("gpu", 1_000, Execution(resident=True, shared=False, scan=True, free=700)),
        ("gpu", 200, Execution(resident=False, shared=True, scan=False, free=160)),
    ],
)
def test_the_execution_suits_the_device(platform: str, free: int | None, expected: Execution) -> None:
    assert Execution.choose(ToyModel(), 100, platform=platform, free=free) == expected


def test_rows_of_a_mapped_file_give_what_an_array_gives() -> None:
    x, y, groups = blobs(50)
    masks, model = masks_of(groups), ToyModel(batch_size=10, epochs=2)
    rows = Rows(np.concatenate([x[:3], x]), np.arange(3, 53))
    for execution in (ON_GPU, STREAMED):
        pairs = zip(*(together(model, samples, y, masks, execution) for samples in (x, rows)), strict=True)
        assert all(np.array_equal(a(x), b(rows)) and a.health == b.health for a, b in pairs)


class TestModels:
    """What the engine and the audit call, on a machine that says that it has a GPU."""

    @pytest.fixture(autouse=True)
    def gpu(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(network_model, "backend", lambda: "gpu")

    def test_how_many_folds_are_trained_at_once(self, monkeypatch: pytest.MonkeyPatch) -> None:
        assert ToyModel().folds_at_once() == 1_000
        assert HTNet().folds_at_once() == 2**30 // 139_582_982
        assert CNNLSTM().folds_at_once() == 1, "folds stop early one by one"
        assert HybridMicroNetAU(detect_units=True).folds_at_once() == 1
        assert HybridMicroNetAU().folds_at_once() > 1
        monkeypatch.setattr(network_model, "backend", lambda: "cpu")
        assert ToyModel().folds_at_once() == 1

    @pytest.mark.parametrize("model", [ToyModel(epochs=2), HybridMicroNet(epochs=1)], ids=["toy", "hybrid_micronet"])
    def test_the_promise_of_folds_together_is_kept(self, model: NetworkModel) -> None:
        assert promises.folds_together(model).problems == ()

    def test_the_last_epoch_is_what_folds_together_give(self) -> None:
        x, y, groups = blobs(40)
        masks, model = masks_of(groups), ToyModel(batch_size=16, epochs=3, dropout=0.3)
        options: dict[str, Any] = {"n_classes": 3, "groups": groups, "seed": 1}
        each = list(model.fit_epochs(x, y, masks, **options))
        for count, predictors in enumerate(each, 1):
            shorter = replace(model, epochs=count).fit_folds(x, y, masks, **options)
            for a, b in zip(predictors, shorter, strict=True):
                np.testing.assert_array_equal(a(x), b(x))
        assert each[-1][0].health == model.fit_folds(x, y, masks, **options)[0].health  # pyright: ignore[reportAttributeAccessIssue]

    def test_a_recipe_with_early_stopping_trains_its_folds_one_by_one(self) -> None:
        x, y, groups = blobs(40)
        masks, model = masks_of(groups)[:2], ToyModel(epochs=3, early_stopping=3)
        predictors = model.fit_folds(x, y, masks, n_classes=3, groups=groups, seed=1)
        for mask, predictor in zip(masks, predictors, strict=True):
            alone = model.fit(x[mask], y[mask], n_classes=3, groups=groups[mask], seed=1)
            np.testing.assert_array_equal(predictor(x), alone(x))
        with pytest.raises(ValueError, match="folds trained together stop together"):
            together(model, x, y, masks)


def test_a_fold_without_training_samples_is_refused() -> None:
    x, y, _ = blobs(6)
    with pytest.raises(ValueError, match="fold 1 has no training sample"):
        together(ToyModel(), x, y, np.array([[True] * 6, [False] * 6]))


@pytest.mark.usefixtures("nothing_compiled")
def test_teams_share_one_compilation() -> None:
    x, y, groups = blobs(50)
    model = ToyModel(batch_size=10, epochs=2, learning_rate=0.0123)
    together(model, x, y, masks_of(groups)[:5], ON_GPU)  # teams of three and two
    build = model.builder(x.shape[1:], 3)
    program = fold_vmap.compiled_steps(model.compiled_part(), build, "softmax", shared=False, scan=True)
    assert program._cache_size() == 1


def test_products_are_float32_on_a_gpu_unless_the_user_asks_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    def traced() -> str:
        compiled = train_program._compiled(lambda a, b: a @ b)
        return str(jax.make_jaxpr(compiled)(jnp.ones((2, 2)), jnp.ones((2, 2))))

    assert "HIGHEST" not in traced()
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    assert "HIGHEST" in traced()
    with jax.default_matmul_precision("tensorfloat32"):
        assert train_program.precision() == "tensorfloat32"
    assert ToyModel().flags() == ()
    monkeypatch.setenv("JAX_DEFAULT_MATMUL_PRECISION", "tensorfloat32")
    assert ToyModel().flags() == ("matmul-tensorfloat32",)
