"""How a trained network is saved: weights and running statistics as safetensors, the rest as JSON."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from numpy.typing import NDArray

from mexbench.files import read_arrays, read_json, write_arrays, write_json
from mexbench_plugins.models._nn.layers import ShapesOnly, Values
from mexbench_plugins.models._nn.losses import HEADS
from mexbench_plugins.models._nn.recipe import Training
from mexbench_plugins.models._nn.train_program import BuildNetwork
from mexbench_plugins.models._nn.trainer import NetworkPredictor

#: From the shape of a sample (T, ...) and a number of classes to what builds the network.
MakeBuilder = Callable[[tuple[int, ...], int], BuildNetwork]

_WEIGHTS, _NETWORK = "weights.safetensors", "network.json"
#: What a file may say of a sample and of a run: axes and values of the one, classes of the other.
_MOST_AXES, _MOST_VALUES, _MOST_CLASSES = 8, 2**26, 10_000
#: Weights that are made room for whatever the file has, so that the error can name those that differ.
_FEW_VALUES = 2**22


def save(predictor: NetworkPredictor, folder: Path, prefix: str = "") -> None:
    """Write a trained network; names of arrays are paths in it, such as ``layers1/conv1/kernel``.

    A prefix of the file names allows a second network in the same folder.

    Raises:
        ValueError: A weight is NaN or infinite.
    """
    leaves, _ = jax.tree_util.tree_flatten_with_path((predictor.params, predictor.stats))
    write_arrays(folder / (prefix + _WEIGHTS), {_name(path): np.asarray(leaf) for path, leaf in leaves})
    document = {
        "n_classes": predictor.n_classes,
        "shape": list(predictor.shape),
        "trained": predictor.trained.tolist(),
        "history": predictor.history,
        "head": predictor.head,
        "health": dict(predictor.health),
    }
    write_json(folder / (prefix + _NETWORK), document)


def load(recipe: Training, builder: MakeBuilder, folder: Path, prefix: str = "") -> NetworkPredictor:
    """Read what ``save`` wrote into the network of a recipe.

    Args:
        recipe: How it was trained.
        builder: From the shape of a sample and a number of classes to a callable that builds the network.
        folder: Where the files are.
        prefix: As in ``save``.

    Raises:
        DataError: The network does not take samples of the saved shape.
        ValueError: The weights are not those of this network, or are not finite.
    """
    document, arrays = read_json(folder / (prefix + _NETWORK)), read_arrays(folder / (prefix + _WEIGHTS))
    shape, n_classes = _sizes(document)
    build = builder(shape, n_classes)
    params, stats = assemble(build, arrays)
    trained = np.array(document["trained"], dtype=bool)
    if trained.shape != (n_classes,):
        raise ValueError(f"{_NETWORK} lists {len(trained)} classes as trained or not, expected {n_classes}")
    head = document.get("head", "softmax")  # files of earlier versions name none: there was no other
    if head not in HEADS:
        raise ValueError(f"{_NETWORK} names the last layer {head!r}; known: {', '.join(HEADS)}")
    health = document.get("health", {})  # files of earlier versions have none
    return NetworkPredictor(recipe, build, n_classes, shape, params, stats, trained, document["history"], head, health)


def assemble(build: BuildNetwork, arrays: Mapping[str, NDArray[Any]]) -> tuple[Values, Values]:
    """Return weights and running statistics of a network from its arrays, by the names that ``save`` gives them.

    Raises:
        ValueError: The arrays are not those of this network.
    """
    most = max(_FEW_VALUES, 2 * sum(array.size for array in arrays.values()))
    _, params, stats = nnx.split(nnx.eval_shape(lambda: build(_Blank(most))), nnx.Param, ...)
    leaves, structure = jax.tree_util.tree_flatten_with_path((params, stats))
    expected = {_name(path): (leaf.shape, leaf.dtype) for path, leaf in leaves}
    actual = {name: (array.shape, array.dtype) for name, array in arrays.items()}
    if wrong := sorted(name for name in {*expected, *actual} if expected.get(name) != actual.get(name)):
        name = wrong[0]
        raise ValueError(
            f"{_WEIGHTS} is of another network: {len(wrong)} arrays differ; {name} should be "
            f"{_type_text(expected.get(name))}, is {_type_text(actual.get(name))}"
        )
    params, stats = jax.tree_util.tree_unflatten(structure, [jnp.asarray(arrays[_name(path)]) for path, _ in leaves])
    return params, stats


class _Blank(ShapesOnly):
    """Counts the values of a network while its shapes are asked for, and refuses more than so many.

    A file may name a shape whose weights would fill the memory; one that has them all is at least as large.
    """

    def __init__(self, most: int) -> None:
        super().__init__()
        self.left = most

    def count(self, shape: tuple[int, ...]) -> None:
        """Refuse a network with more values than the file can have.

        Raises:
            ValueError: That many were asked for.
        """
        self.left -= math.prod(shape)
        if self.left < 0:
            raise ValueError(f"{_WEIGHTS} has fewer values than the network of {_NETWORK}")


def _sizes(document: Mapping[str, Any]) -> tuple[tuple[int, ...], int]:
    """Return the shape of a sample and the number of classes.

    Raises:
        ValueError: One of them is not what a network may have.
    """
    shape, n_classes = document["shape"], document["n_classes"]
    sizes = [*shape, n_classes] if isinstance(shape, list) else [None]
    if not all(isinstance(one, int) and one >= 1 for one in sizes) or len(sizes) > _MOST_AXES + 1:
        raise ValueError(f"{_NETWORK}: expected sizes from 1, got the shape {shape!r} and {n_classes!r} classes")
    if n_classes > _MOST_CLASSES or math.prod(shape) > _MOST_VALUES:
        raise ValueError(f"{_NETWORK}: a sample of shape {tuple(shape)} and {n_classes} classes are too many values")
    return tuple(shape), n_classes


def _name(path: tuple[object, ...]) -> str:
    """Write the path of a leaf, without the index in the pair, 0 or 1, and without NNX's own ``value`` at the end."""
    return jax.tree_util.keystr(path[1:], simple=True, separator="/").removesuffix("/value")


def _type_text(kind: tuple[object, object] | None) -> str:
    return "absent" if kind is None else f"{kind[1]} {kind[0]}"
