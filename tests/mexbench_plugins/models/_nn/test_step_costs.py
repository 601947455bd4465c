"""What a training step computes, counted and not timed: floating-point operations, and reads of the device."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np
import pytest

from mexbench_plugins.models._nn import train_program, trainer
from mexbench_plugins.models._nn.network_model import NetworkModel
from mexbench_plugins.models.au_cnn import AUCNN
from mexbench_plugins.models.cnn import CNN
from mexbench_plugins.models.hybrid_micronet import HybridMicroNet
from mexbench_plugins.models.off_apexnet import OffApexNet
from mexbench_plugins.models.ststnet import STSTNet
from tests.mexbench_plugins.models._nn.test_trainer import ToyModel, blobs

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
