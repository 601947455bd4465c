"""What a training step computes, counted and not timed: floating-point operations, and reads of the device."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import jax
import numpy as np
import pytest
from numpy.random import Generator

from mexbench.evaluation.executors.base import InProcess
from mexbench.evaluation.task_runner import TaskRunner
from mexbench.runs.task import Success, Task
from mexbench_plugins.models._nn import train_program, trainer
from mexbench_plugins.models._nn.layers import Context, Dense, Network
from mexbench_plugins.models._nn.network_model import NetworkModel
from mexbench_plugins.models.au_cnn import AUCNN
from mexbench_plugins.models.cnn import CNN
from mexbench_plugins.models.hybrid_micronet import HybridMicroNet
from mexbench_plugins.models.off_apexnet import OffApexNet
from mexbench_plugins.models.ststnet import STSTNet
from tests.mexbench_plugins.models._nn.test_trainer import ToyModel, blobs, counting

CLASSES = 4
BATCH = 8


def product_flops(model: NetworkModel) -> int:
    """Count the operations of all products of a step: forward, and the gradients of inputs and of weights."""
    total = 0
    for row in model.layers(CLASSES):
        if row.name.startswith(("Conv2D", "Dense")):
            n_weights = row.n_params - row.shape[-1]
            total += 3 * 2 * int(np.prod(row.shape[:-1])) * n_weights
    return BATCH * total


def step_flops(model: NetworkModel) -> float:
    """Ask XLA what a step computes, without compiling it."""
    shape = model.example_shape
    assert shape is not None
    program: Any = train_program.train_program(model, model.builder(shape, CLASSES))
    ones = np.ones(BATCH, np.float32)
    batch = train_program.Batch(np.zeros((BATCH, *shape), np.float32), np.zeros(BATCH, np.int32), ones, ones)
    lowered = program.train_step.lower(program.init(np.random.default_rng(0)), batch, jax.random.key(0), 0)
    return lowered.cost_analysis()["flops"]


@pytest.mark.parametrize(
    ("model", "most"),
    [(AUCNN(), 0.94), (CNN(), 1.05), (HybridMicroNet(), 0.39), (OffApexNet(), 1.25), (STSTNet(), 0.9)],
    ids=["au_cnn", "cnn", "hybrid_micronet", "off_apexnet", "ststnet"],
)
def test_a_step_computes_little_beside_its_products(model: NetworkModel, most: float) -> None:
    ratio = step_flops(model) / product_flops(model)
    assert 0.3 < ratio < most  # the first layer needs no gradient of its input, and XLA skips what meets padding


class TwoLayers(Network):
    """512 features, 256 hidden units."""

    def __init__(self, n_classes: int, rng: Generator) -> None:
        self.dense1, self.dense2 = Dense(512, 256, rng=rng), Dense(256, n_classes, rng=rng)

    def __call__(self, x: jax.Array, context: Context) -> jax.Array:
        del context
        return self.dense2(jax.nn.relu(self.dense1(x.reshape(len(x), -1))))


@dataclass(frozen=True, kw_only=True)
class TwoLayersModel(NetworkModel):
    source = "no paper"
    example_shape = (1, 512)

    def check(self, shape: tuple[int, ...]) -> None:
        pass

    def network(self, shape: tuple[int, ...], n_classes: int, rng: Generator) -> TwoLayers:
        del shape
        return TwoLayers(n_classes, rng)


def test_a_step_of_two_layers_computes_what_is_counted_by_hand() -> None:
    first, second = 512 * 256, 256 * CLASSES
    products = 2 * BATCH * (2 * first + 3 * second)  # nobody needs the gradient of the first layer's input
    adam = 14 * (first + 256 + second + CLASSES)  # two moments, their corrections, the root, the update
    assert step_flops(TwoLayersModel()) == pytest.approx(products + adam, rel=0.05)


@pytest.mark.usefixtures("nothing_compiled")
@pytest.mark.parametrize(
    "model", [OffApexNet(epochs=2, batch_size=8), ToyModel(epochs=2, batch_size=8)], ids=["off_apexnet", "toy"]
)
def test_a_loso_run_compiles_nothing_after_its_first_fold(model: NetworkModel) -> None:
    rng = np.random.default_rng(0)
    subjects = np.repeat([f"s{i}" for i in range(5)], [2, 5, 3, 7, 4])  # training sides of five sizes
    shape = model.example_shape
    assert shape is not None
    x = rng.integers(0, 256, (len(subjects), *shape), dtype=np.uint8)
    sides = {name: (np.flatnonzero(subjects != name), np.flatnonzero(subjects == name)) for name in np.unique(subjects)}
    runner = TaskRunner(
        x=x, copies=None, y=rng.integers(0, 3, len(subjects)), groups=subjects, folds=sides, models={"m": model},
        n_classes=3,
    )  # fmt: skip
    groups = [(Task("m", 0, fold, fold),) for fold in sides]
    outcomes = InProcess().run(groups, {"m": runner})
    with counting() as first:
        assert isinstance(next(outcomes), Success)
    with counting() as others:
        assert all(isinstance(outcome, Success) for outcome in outcomes)
    program: Any = train_program.train_program(model, model.builder(shape, 3))
    assert others == []
    assert 0 < len(first) < 40
    assert (program.train_step._cache_size(), program.log_probs._cache_size()) == (1, 1)


def test_training_reads_the_device_once_an_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    x, y, _ = blobs(40)
    model = ToyModel(epochs=3, batch_size=8)
    weights = np.ones(3, np.float32)
    reads = []
    asarray = np.asarray

    def counted(values: Any, *args: Any, **options: Any) -> Any:  # noqa: ANN401 - as numpy's
        if isinstance(values, list):
            reads.append(len(values))
        return asarray(values, *args, **options)

    monkeypatch.setattr(trainer.np, "asarray", counted)
    build = model.builder(x.shape[1:], 3)
    for _ in trainer.epochs(model, build, x, y, np.arange(len(y)), weights=weights, seed=0):
        pass
    assert reads == [5, 5, 5]
