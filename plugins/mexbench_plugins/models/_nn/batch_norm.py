"""Exact statistics of batch normalisation: those of the training side under the final weights.

The running statistics that training leaves behind are a moving average over steps whose weights have changed since.
With momentum .99 and few steps they lag so far behind that a network answers its own training samples wrongly. Exact
statistics are computed once, after training.

Definition: the mean and the variance (biased) that one forward pass over the entire training side, as a single batch
in training mode without dropout, would normalise by. So those of a layer are computed on inputs that the layers before
it have normalised by their exact statistics. They need no labels, and never a sample of a validation or test side.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from mexbench.interfaces import Rows
from mexbench_plugins.models._nn.layers import Values
from mexbench_plugins.models._nn.losses import HeadName
from mexbench_plugins.models._nn.recipe import Training
from mexbench_plugins.models._nn.train_program import BuildNetwork, TrainState, as_input, rows_per_step, train_program


def final_statistics(
    recipe: Training,
    build: BuildNetwork,
    state: TrainState,
    x: NDArray[Any] | Rows,
    train_idx: NDArray[np.intp],
    *,
    head: HeadName = "softmax",
) -> Values:
    """Return the statistics that a predictor with the weights of ``state`` has by the recipe's choice.

    Every pass over the samples measures the inputs of all layers under the statistics of the pass before. After the
    first pass those of the first layer are exact, after the second those of the layers that follow it, and so on: there
    are at most as many passes as layers, and they end as soon as one changes nothing.

    Args:
        recipe: Names ``batch_norm_statistics`` and the batch size.
        build: Builds the network.
        state: After training.
        x: Samples (n, T, ...).
        train_idx: Positions of those that trained; no other one is read.
        head: Meaning of the last layer.
    """
    stats = state.stats
    n_layers = len(jax.tree.leaves(stats)) // 2  # a mean and a variance each
    if recipe.batch_norm_statistics == "running" or not n_layers:
        return stats
    measure = train_program(recipe, build, head).measure
    for _ in range(n_layers):
        measured = _pooled(
            (measure(state.params, stats, batch, mask), mask.sum()) for batch, mask in _batches(recipe, x, train_idx)
        )
        if all(map(np.array_equal, jax.tree.leaves(measured), jax.tree.leaves(stats))):
            break
        stats = measured
    return stats


def _batches(
    recipe: Training, x: NDArray[Any] | Rows, train_idx: NDArray[np.intp]
) -> Iterator[tuple[NDArray[Any], NDArray[np.float32]]]:
    """Yield samples in batches of the recipe's size and 1 where a row is one of them; the last batch is padded."""
    size = rows_per_step(recipe, len(train_idx))
    for start in range(0, len(train_idx), size):
        chosen = train_idx[start : start + size]
        yield as_input(x[np.resize(chosen, size)], recipe), (np.arange(size) < len(chosen)).astype(np.float32)


def _pooled(parts: Iterable[tuple[Values, float]]) -> Values:
    """Join the statistics of batches to those of all their samples.

    A batch counts by its number of samples; the variance of all is the mean variance of the batches plus the variance
    of their means, in float64, so that nothing cancels however far a mean is from zero.
    """
    moments, counts = zip(*parts, strict=True)
    weights = np.asarray(counts, np.float64) / np.sum(counts)
    structure = jax.tree.structure(moments[0])
    leaves = [np.stack(leaf).astype(np.float64) for leaf in zip(*map(jax.tree.leaves, moments), strict=True)]
    pooled = []
    for means, variances in zip(leaves[0::2], leaves[1::2], strict=True):  # in the order of their names: mean, var
        mean = weights @ means
        pooled += [mean, weights @ (variances + (means - mean) ** 2)]
    return jax.tree.unflatten(structure, [jnp.asarray(leaf, jnp.float32) for leaf in pooled])
