"""Every network against a twin in PyTorch, written from the papers' tables, given the same weights."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx as flax_nnx
from numpy.typing import NDArray

from mexbench_plugins.models._nn import batch_norm, train_program
from mexbench_plugins.models._nn.network_model import NetworkModel
from mexbench_plugins.models.au_cnn import AUCNN
from mexbench_plugins.models.cnn import CNN
from mexbench_plugins.models.cnn_lstm import CNNLSTM
from mexbench_plugins.models.hybrid_micronet import HybridMicroNet
from mexbench_plugins.models.hybrid_micronet_au import HybridMicroNetAU
from mexbench_plugins.models.off_apexnet import OffApexNet
from mexbench_plugins.models.ststnet import STSTNet

torch = pytest.importorskip("torch")
nn, F = torch.nn, torch.nn.functional

CLASSES = 4


class KerasNorm(nn.BatchNorm2d):
    """Keras keeps the biased variance, PyTorch the unbiased one."""

    def __init__(self, features: int) -> None:
        super().__init__(features, eps=1e-3)

    def forward(self, x: Any) -> Any:  # noqa: ANN401
        if not self.training:
            return super().forward(x)
        mean, var = x.mean((0, 2, 3)), x.var((0, 2, 3), unbiased=False)
        with torch.no_grad():
            self.running_mean.mul_(0.99).add_(mean, alpha=0.01)
            self.running_var.mul_(0.99).add_(var, alpha=0.01)
        return F.batch_norm(x, None, None, self.weight, self.bias, training=True, eps=1e-3)


def before_norm(*arguments: Any, **options: Any) -> Any:  # noqa: ANN401
    """A convolution whose bias batch norm takes away: without a gradient, as its gradient is nothing but rounding."""
    layer = nn.Conv2d(*arguments, **options)
    layer.bias.requires_grad_(requires_grad=False)
    return layer


class RLayersTwin(nn.Module):
    def __init__(self, inputs: int, filters: int) -> None:
        super().__init__()
        self.conv1, self.norm1 = before_norm(inputs, filters, 3, padding=1), KerasNorm(filters)
        self.conv2, self.norm2 = before_norm(filters, filters, 3, padding=1), KerasNorm(filters)
        if inputs != filters:
            self.shortcut, self.shortcut_norm = before_norm(inputs, filters, 1), KerasNorm(filters)

    def forward(self, x: Any) -> Any:  # noqa: ANN401
        y = self.norm2(self.conv2(torch.relu(self.norm1(self.conv1(x)))))
        return torch.relu(y + (self.shortcut_norm(self.shortcut(x)) if hasattr(self, "shortcut") else x))


class AttentionTwin(nn.Module):
    def __init__(self, filters: int) -> None:
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(filters, filters, 1), nn.Conv2d(filters, filters, 1)

    def forward(self, x: Any) -> Any:  # noqa: ANN401
        return x + x * torch.sigmoid(self.conv2(torch.relu(self.conv1(x))))


class MicroNetTwin(nn.Module):
    def __init__(self, inputs: int, padding_value: float = 0.0, *, attention: bool = False, units: int = 0) -> None:
        super().__init__()
        self.inputs = inputs
        self.pad = nn.ConstantPad2d(3, padding_value)
        self.conv, self.norm = before_norm(inputs, 16, 7, stride=2), KerasNorm(16)
        self.layers1, self.layers2 = RLayersTwin(16, 16), RLayersTwin(16, 32)
        self.attention1 = AttentionTwin(16) if attention else nn.Identity()
        self.attention2 = AttentionTwin(32) if attention else nn.Identity()
        self.dense = nn.Linear(32 + units, CLASSES)

    def forward(self, x: Any) -> Any:  # noqa: ANN401
        x = channels_first(x)
        x, units = x[:, : self.inputs], x[:, self.inputs :, 0, 0]
        x = F.max_pool2d(torch.relu(self.norm(self.conv(self.pad(x)))), 3, 2)
        x = self.attention2(self.layers2(self.attention1(self.layers1(x))))
        return self.dense(torch.cat([x.mean((2, 3)), units], 1))


class CNNTwin(nn.Module):
    def __init__(self, features: int = 2 * 3 * 64) -> None:
        super().__init__()
        sizes = [(3, 16), (16, 32), (32, 64)]
        self.convolutions = nn.ModuleList([nn.Conv2d(a, b, 3, padding=1) for a, b in sizes])
        self.dense1, self.dense2 = nn.Linear(features, 64), nn.Linear(64, CLASSES)

    def forward(self, x: Any) -> Any:  # noqa: ANN401
        x = channels_first(x)
        for layer in self.convolutions:
            x = F.max_pool2d(torch.relu(layer(x)), 2)
        return self.dense2(torch.relu(self.dense1(x.permute(0, 2, 3, 1).flatten(1))))


class CNNLSTMTwin(nn.Module):
    def __init__(self, channels: int, features: int, *, rows: bool) -> None:
        super().__init__()
        self.rows = rows
        self.conv1, self.conv2 = nn.Conv2d(channels, 32, 3), nn.Conv2d(32, 64, 3)
        self.lstm = nn.LSTM(features, 50, batch_first=True)
        self.rnn = nn.RNN(50, 30, batch_first=True)
        for layer in (self.lstm, self.rnn):  # Keras has one bias where PyTorch has two
            nn.init.zeros_(layer.bias_hh_l0).requires_grad_(requires_grad=False)
        self.dense1, self.dense2 = nn.Linear(30, 128), nn.Linear(128, CLASSES)

    def forward(self, x: Any) -> Any:  # noqa: ANN401
        n, frames = x.shape[:2]
        x = F.max_pool2d(torch.relu(self.conv1(x.flatten(0, 1).permute(0, 3, 1, 2))), 2)
        x = F.max_pool2d(F.max_pool2d(torch.relu(self.conv2(x)), 2), 2).permute(0, 2, 3, 1)
        x = x.flatten(2) if self.rows else x.reshape(n, frames, -1)
        return self.dense2(torch.relu(self.dense1(self.rnn(self.lstm(x)[0])[0][:, -1])))


class StreamTwin(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(1, 6, 5, padding=2), nn.Conv2d(6, 16, 5, padding=2)

    def forward(self, x: Any) -> Any:  # noqa: ANN401
        x = F.max_pool2d(torch.relu(self.conv1(x)), 2)
        return F.max_pool2d(torch.relu(self.conv2(x)), 2).permute(0, 2, 3, 1).flatten(1)


class OffApexNetTwin(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.u, self.v = StreamTwin(), StreamTwin()
        self.dense1, self.dense2 = nn.Linear(1568, 1024), nn.Linear(1024, 1024)
        self.dense3 = nn.Linear(1024, CLASSES)

    def forward(self, x: Any) -> Any:  # noqa: ANN401
        x = channels_first(x)
        x = torch.cat([self.u(x[:, :1]), self.v(x[:, 1:2])], 1)
        return self.dense3(torch.relu(self.dense2(torch.relu(self.dense1(x)))))


class STSTNetTwin(nn.Module):
    """Three separate streams, as the authors' script has them; dropout is off, since noise cannot agree."""

    sizes = (3, 5, 8)

    def __init__(self) -> None:
        super().__init__()
        self.convs = nn.ModuleList([nn.Conv2d(3, size, 3, padding=2) for size in self.sizes])
        self.norms = nn.ModuleList([nn.BatchNorm2d(size) for size in self.sizes])
        self.dense = nn.Linear(400, CLASSES)

    def forward(self, x: Any) -> Any:  # noqa: ANN401
        x = channels_first(x)
        streams = [
            F.max_pool2d(norm(torch.relu(conv(x))), 3, 3, 1) for conv, norm in zip(self.convs, self.norms, strict=True)
        ]
        return self.dense(F.avg_pool2d(torch.cat(streams, 1), 2).permute(0, 2, 3, 1).flatten(1))


def channels_first(x: Any) -> Any:  # noqa: ANN401
    """(n, T=1, H, W, C) -> (n, C, H, W)."""
    return x[:, 0].permute(0, 3, 1, 2)


NAMES = {"kernel": "weight", "scale": "weight", "mean": "running_mean", "var": "running_var"}
RECURRENT = {"kernel": "weight_ih_l0", "recurrent": "weight_hh_l0", "bias": "bias_ih_l0"}


def as_torch(state: train_program.TrainState) -> dict[str, NDArray[Any]]:
    """Name and turn our weights as a twin has them."""
    result = {}
    for part in (state.params, state.stats):
        for path, value in flax_nnx.to_flat_state(part):
            *where, leaf = map(str, path)
            names = RECURRENT if where[-1] in {"lstm", "rnn"} else NAMES
            array = np.asarray(value[...])
            turned = array.transpose(3, 2, 0, 1) if array.ndim == 4 else array.T
            result[".".join([*where, names.get(leaf, leaf)])] = turned
    return (
        dict(_split_streams(result))
        if "conv.weight" in result and result["conv.weight"].shape[1:] == (3, 3, 3)
        else result
    )


def _split_streams(found: Mapping[str, NDArray[Any]]) -> Iterator[tuple[str, NDArray[Any]]]:
    edges = np.cumsum(STSTNetTwin.sizes)[:-1]
    for name, array in found.items():
        layer, _, leaf = name.partition(".")
        if layer == "dense":
            yield name, array
        else:
            yield from ((f"{layer}s.{i}.{leaf}", part) for i, part in enumerate(np.split(array, edges)))


def sgd(rate: float) -> Callable[[Any], Any]:
    return lambda parameters: torch.optim.SGD(parameters, rate, momentum=0.5, weight_decay=0.001)


def adam(rate: float) -> Callable[[Any], Any]:
    return lambda parameters: torch.optim.Adam(parameters, rate)


#: Smaller steps than the recipe's where there is batch norm, and SGD for au_cnn: it divides by deviations of eight
#: values, and what two frameworks round differently grows with every step; Adam makes whole steps of rounding.
CASES: dict[str, tuple[NetworkModel, tuple[int, ...], Callable[[], Any], Callable[[Any], Any]]] = {
    "hybrid_micronet": (HybridMicroNet(learning_rate=1e-3), (1, 7, 7, 512), lambda: MicroNetTwin(512), sgd(1e-3)),
    "padding of ones, attention": (
        HybridMicroNet(learning_rate=1e-4, padding_value=1.0, residual_attention=True),
        (1, 7, 7, 512),
        lambda: MicroNetTwin(512, 1.0, attention=True),
        sgd(1e-4),
    ),
    "action units": (
        HybridMicroNetAU(learning_rate=1e-3),
        (1, 7, 7, 515),
        lambda: MicroNetTwin(512, units=3),
        sgd(1e-3),
    ),
    "au_cnn": (
        AUCNN(optimiser="sgd", learning_rate=1e-3, momentum=0.5, weight_decay=0.001),
        (1, 128, 128, 3),
        lambda: MicroNetTwin(3),
        sgd(1e-3),
    ),
    "cnn": (CNN(), (1, 16, 24, 3), CNNTwin, adam(1e-3)),
    "cnn_lstm of rows": (CNNLSTM(), (1, 48, 48, 1), lambda: CNNLSTMTwin(1, 320, rows=True), adam(1e-3)),
    "cnn_lstm of frames": (CNNLSTM(), (4, 24, 24, 3), lambda: CNNLSTMTwin(3, 256, rows=False), adam(1e-3)),
    "off_apexnet": (OffApexNet(), (1, 28, 28, 3), OffApexNetTwin, adam(1e-4)),
    "ststnet": (STSTNet(dropout=0.0), (1, 28, 28, 3), STSTNetTwin, adam(5e-5)),
}


def compare_gradients(state: train_program.TrainState, twin: Any, optimiser: Any) -> None:  # noqa: ANN401
    """After one step, what an optimiser remembers is the gradient, or a tenth of it."""
    ours_name, theirs_name = (
        ("mu", "exp_avg") if isinstance(optimiser, torch.optim.Adam) else ("trace", "momentum_buffer")
    )
    memory: Any = optax.tree_utils.tree_get(state.optimiser, ours_name)
    ours = as_torch(state._replace(params=memory, stats=flax_nnx.State({})))
    known = {name: optimiser.state[p][theirs_name].numpy() for name, p in twin.named_parameters() if p.requires_grad
             and p in optimiser.state}  # fmt: skip
    largest = max(np.abs(gradient).max() for gradient in known.values())
    assert largest > 1e-4
    for name, gradient in known.items():
        # Among half a million activations rounding turns a ReLU or a maximum here and there, and with it a gradient.
        np.testing.assert_allclose(ours[name], gradient, atol=3e-4 * largest, rtol=1e-3, err_msg=name)


def pictures(shape: tuple[int, ...], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Eight pictures that differ in brightness and in coarse structure.

    In pure noise all pictures have the same averages, so that most gradients are rounding, which Adam blows up.
    """
    coarse = rng.integers(0, 200, (8, shape[0], 4, 4, shape[-1])) * rng.uniform(0.2, 1, (8, 1, 1, 1, 1))
    rows, columns = (np.arange(side) * 4 // side for side in shape[1:3])
    return (coarse[:, :, rows][:, :, :, columns] + rng.integers(0, 55, (8, *shape))).astype(np.uint8)


@pytest.mark.parametrize("name", CASES)
def test_outputs_and_five_steps_agree(name: str) -> None:
    model, shape, make_twin, make_optimiser = CASES[name]
    rng = np.random.default_rng(0)
    x, y = pictures(shape, rng), rng.integers(0, CLASSES, (5, 8))
    program = train_program.train_program(model, model.builder(shape, CLASSES))
    state = program.init(np.random.default_rng(1))
    if name == "au_cnn":  # it pools before it normalises, which a falling batch norm must survive
        norm: Any = state.params["norm"]
        norm["scale"][...] = jnp.asarray(rng.permutation([1.0, -0.5] * 8), jnp.float32)
    twin = make_twin().double()  # the reference rounds nothing: in float32 it misses its own gradient by a thousandth
    missing, unexpected = twin.load_state_dict({k: torch.tensor(v) for k, v in as_torch(state).items()}, strict=False)
    assert not unexpected
    assert all(key.endswith(("num_batches_tracked", "bias_hh_l0")) for key in missing)
    seen = torch.tensor(x.astype(np.float64) / (255 if model.pixels == "unit" else 1))

    def compare(tolerance: float) -> None:
        twin.eval()
        with torch.no_grad():
            logits = twin(seen)
        expected = torch.log_softmax(logits, 1).numpy()
        size = float(logits.abs().max())
        np.testing.assert_allclose(
            program.log_probs(state.params, state.stats, x), expected, atol=tolerance * max(size, 1)
        )

    compare(1e-5)
    optimiser = make_optimiser([p for p in twin.parameters() if p.requires_grad])
    ones = np.ones(8, np.float32)
    for number, labels in enumerate(y):
        rows = train_program.Batch(x, labels.astype(np.int32), ones, ones)
        state, total, _ = program.train_step(state, rows, jax.random.key(0), number)
        twin.train()
        optimiser.zero_grad()
        loss = F.cross_entropy(twin(seen), torch.tensor(labels))
        loss.backward()
        optimiser.step()
        np.testing.assert_allclose(total / 8, loss.item(), rtol=1e-4, atol=1e-4)
        if number == 0:
            compare_gradients(state, twin, optimiser)
    theirs = twin.state_dict()
    for key, ours in as_torch(state).items():
        scale = max(float(theirs[key].abs().max()), 1)
        np.testing.assert_allclose(ours, theirs[key].numpy(), atol=1e-4 * scale, err_msg=key)
    compare(1e-4)


@pytest.mark.parametrize("name", ["hybrid_micronet", "padding of ones, attention", "au_cnn", "ststnet"])
def test_exact_statistics_agree(name: str) -> None:
    """Eleven pictures in batches of four; PyTorch normalises all at once, and a hook takes what enters each norm."""
    model, shape, make_twin, _ = CASES[name]
    rng = np.random.default_rng(0)
    x = np.concatenate([pictures(shape, rng), pictures(shape, rng)[:3]])
    model = replace(model, batch_size=4)
    build = model.builder(shape, CLASSES)
    state = train_program.train_program(model, build).init(np.random.default_rng(1))
    twin = make_twin().double()
    twin.load_state_dict({k: torch.tensor(v) for k, v in as_torch(state).items()}, strict=False)
    expected: dict[str, NDArray[Any]] = {}

    def hook(where: str) -> Callable[[Any, Any], None]:
        def note(_: object, arguments: tuple[Any, ...]) -> None:
            expected[f"{where}.running_mean"] = arguments[0].mean((0, 2, 3)).detach().numpy()
            expected[f"{where}.running_var"] = arguments[0].var((0, 2, 3), unbiased=False).detach().numpy()

        return note

    for where, module in twin.named_modules():
        if isinstance(module, nn.BatchNorm2d):
            module.register_forward_pre_hook(hook(where))
    twin.train()
    twin(torch.tensor(x.astype(np.float64) / (255 if model.pixels == "unit" else 1)))
    stats = batch_norm.final_statistics(model, build, state, x, np.arange(11))
    ours = {key: value for key, value in as_torch(state._replace(stats=stats)).items() if "running" in key}
    assert ours.keys() == expected.keys()
    for key, value in expected.items():
        np.testing.assert_allclose(ours[key], value, rtol=1e-4, atol=1e-5 * np.abs(value).max(), err_msg=key)
