"""How a trained network is saved: weights and running statistics as safetensors, the rest as JSON."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from mexbench.files import read_arrays, read_json, write_arrays, write_json
from mexbench_plugins.models._nn.losses import HEADS
from mexbench_plugins.models._nn.trainer import NetworkPredictor

if TYPE_CHECKING:
    from mexbench_plugins.models._nn.network_model import NetworkModel

_WEIGHTS, _REST = "weights.safetensors", "network.json"


def save(predictor: NetworkPredictor, folder: Path, prefix: str = "") -> None:
    """Write a trained network; names of arrays are places in it, such as ``blocks/0/conv1/kernel``.

    The prefix of its files tells it from another one in the same folder.

    Raises:
        ValueError: A weight is NaN or infinite.
    """
    leaves, _ = jax.tree_util.tree_flatten_with_path((predictor.params, predictor.stats))
    write_arrays(folder / (prefix + _WEIGHTS), {_name(path): np.asarray(leaf) for path, leaf in leaves})
    rest = {
        "n_classes": predictor.n_classes,
        "shape": list(predictor.shape),
        "trained": predictor.trained.tolist(),
        "history": predictor.history,
        "head": predictor.head,
    }
    write_json(folder / (prefix + _REST), rest)


def load(model: NetworkModel, folder: Path, prefix: str = "") -> NetworkPredictor:
    """Read what ``save`` wrote into the network that the model describes.

    Raises:
        ValueError: The weights are not those of this network, or are not finite.
    """
    rest, arrays = read_json(folder / (prefix + _REST)), read_arrays(folder / (prefix + _WEIGHTS))
    shape, n_classes = tuple(rest["shape"]), int(rest["n_classes"])
    model.check(shape)
    empty = nnx.eval_shape(lambda: model.network(shape, n_classes, np.random.default_rng(0)))
    _, params, stats = nnx.split(empty, nnx.Param, ...)
    leaves, structure = jax.tree_util.tree_flatten_with_path((params, stats))
    expected = {_name(path): (leaf.shape, leaf.dtype) for path, leaf in leaves}
    found = {name: (array.shape, array.dtype) for name, array in arrays.items()}
    if wrong := sorted(name for name in {*expected, *found} if expected.get(name) != found.get(name)):
        name = wrong[0]
        raise ValueError(
            f"{_WEIGHTS} is of another network: {len(wrong)} arrays differ; {name} should be "
            f"{_shown(expected.get(name))}, is {_shown(found.get(name))}"
        )
    trained = np.array(rest["trained"], dtype=bool)
    if trained.shape != (n_classes,):
        raise ValueError(f"{_REST} says of {len(trained)} classes whether they trained, and has {n_classes} classes")
    params, stats = jax.tree_util.tree_unflatten(structure, [jnp.asarray(arrays[_name(path)]) for path, _ in leaves])
    head = rest.get("head", "softmax")  # files of earlier versions say nothing: there was no other
    if head not in HEADS:
        raise ValueError(f"{_REST} says that the last layer is {head!r}; known: {', '.join(HEADS)}")
    return NetworkPredictor(model, n_classes, shape, params, stats, trained, rest["history"], head)


def _name(path: tuple[object, ...]) -> str:
    """Write a place: without the part of the pair, 0 or 1, and without NNX's own ``value`` at the end."""
    return jax.tree_util.keystr(path[1:], simple=True, separator="/").removesuffix("/value")


def _shown(kind: tuple[object, object] | None) -> str:
    return "absent" if kind is None else f"{kind[1]} {kind[0]}"
