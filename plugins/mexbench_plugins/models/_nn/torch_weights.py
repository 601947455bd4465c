"""Published weights of PyTorch as those of our networks: arrays turned, names mapped, shapes checked."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mexbench.errors import listed
from mexbench_plugins.models._nn import checkpoint
from mexbench_plugins.models._nn.recipe import Training
from mexbench_plugins.models._nn.train_program import BuildNetwork
from mexbench_plugins.models._nn.trainer import NetworkPredictor

Arrays = dict[str, NDArray[np.float32]]

#: Of a module that was trained on several devices; and how many batches a layer has seen, which predicts nothing.
_PARALLEL, _BATCHES_SEEN = "module.", ".num_batches_tracked"


class TorchState:
    """Takes layers out of a state dictionary; what is missing, of another shape or unknown is reported together.

    Args:
        state: Name -> array, as ``state_dict()`` gives them.
    """

    def __init__(self, state: Mapping[str, NDArray[Any]]) -> None:
        inside = all(name.startswith(_PARALLEL) for name in state)
        self.state = {name.removeprefix(_PARALLEL) if inside else name: array for name, array in state.items()}
        self.taken: set[str] = set()
        self.errors: list[str] = []

    def conv(self, to: str, name: str, inputs: int, filters: int, size: int) -> Arrays:
        """Return kernel (size, size, inputs, filters) and bias of a convolution."""
        kernel = self._take(f"{name}.weight", (filters, inputs, size, size))
        return {f"{to}/kernel": kernel.transpose(2, 3, 1, 0), f"{to}/bias": self._take(f"{name}.bias", (filters,))}

    def norm(self, to: str, name: str, features: int) -> Arrays:
        """Return scale, bias, mean and variance of a batch normalisation."""
        parts = {"scale": "weight", "bias": "bias", "mean": "running_mean", "var": "running_var"}
        arrays = {f"{to}/{ours}": self._take(f"{name}.{theirs}", (features,)) for ours, theirs in parts.items()}
        if arrays[f"{to}/var"].size and arrays[f"{to}/var"].min() < 0:
            self.errors.append(f"{name}.running_var has a negative variance")
        return arrays

    def dense(self, to: str, name: str, image: tuple[int, int, int], units: int) -> Arrays:
        """Return kernel (inputs, units) and bias of a dense layer on a flattened image (channels, rows, columns).

        Here the channel is the last axis, so the inputs change their order.
        """
        kernel = self._take(f"{name}.weight", (units, math.prod(image)))
        turned = kernel.reshape(units, *image).transpose(2, 3, 1, 0).reshape(-1, units)
        return {f"{to}/kernel": turned, f"{to}/bias": self._take(f"{name}.bias", (units,))}

    @staticmethod
    def side_by_side(streams: Sequence[Arrays]) -> Arrays:
        """Join streams that see the same input: their last axes one after the other."""
        return {name: np.concatenate([stream[name] for stream in streams], axis=-1) for name in streams[0]}

    def predictor(
        self, recipe: Training, build: BuildNetwork, shape: tuple[int, ...], n_classes: int, arrays: Arrays
    ) -> NetworkPredictor:
        """Return the predictor, without learning curves, as nothing was trained here.

        Raises:
            ValueError: Arrays are missing, unknown or of another shape; the text names them.
        """
        known = {name for name in self.state if name.endswith(_BATCHES_SEEN)}
        if unknown := sorted(self.state.keys() - self.taken - known):
            self.errors.append(f"has {len(unknown)} arrays that the network lacks: {listed(unknown, limit=5)}")
        if self.errors:
            raise ValueError("; ".join(self.errors))
        params, stats = checkpoint.assemble(build, arrays)
        return NetworkPredictor(recipe, build, n_classes, shape, params, stats, np.ones(n_classes, dtype=bool), [])

    def _take(self, name: str, shape: tuple[int, ...]) -> NDArray[np.float32]:
        self.taken.add(name)
        array = self.state.get(name)
        if array is None:
            self.errors.append(f"lacks {name} {shape}")
        elif array.shape != shape or array.dtype.kind != "f":
            self.errors.append(f"{name} is {array.dtype} {array.shape}, expected floats {shape}")
        else:
            return array.astype(np.float32)
        return np.zeros(shape, np.float32)  # so that the other layers are looked at too
