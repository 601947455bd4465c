"""The learned generator's network: a conditional variational autoencoder over coefficients of motion, in Flax NNX."""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx
from jax import Array
from numpy.typing import NDArray

#: Length of the latent vector, and units of each hidden layer.
LATENT, HIDDEN = 8, 48
#: The decoder's deviations stay above this, in deviations of the data: no training clip is learned by heart.
LEAST_LOG_STD = -1.2
#: Rows of a training step.
BATCH = 64
_LEARNING_RATE = 3e-3


class MotionAutoencoder(nnx.Module):
    """Encoder and decoder of one hidden layer each.

    Args:
        size: Coefficients of a clip: those of the rise, then those of the fade.
        n_classes: Number of classes, given to both sides as one of n.
        rngs: Source of the initial weights.
    """

    def __init__(self, size: int, n_classes: int, rngs: nnx.Rngs) -> None:
        self.encoder1 = nnx.Linear(size + n_classes, HIDDEN, rngs=rngs)
        self.encoder2 = nnx.Linear(HIDDEN, 2 * LATENT, rngs=rngs)
        self.decoder1 = nnx.Linear(LATENT + n_classes, HIDDEN, rngs=rngs)
        self.decoder2 = nnx.Linear(HIDDEN, 2 * size, rngs=rngs)

    def loss(self, x: Array, label: Array, known: Array, noise: Array) -> Array:
        """Return the mean negative evidence bound of a batch.

        Args:
            x: Coefficients (n, size), in deviations of the data.
            label: One of n (n, classes).
            known: 1 where a coefficient is known, 0 where it is not (n, size): packs without fades.
            noise: Standard normal (n, LATENT).
        """
        hidden = jnp.tanh(self.encoder1(jnp.concatenate([x * known, label], axis=-1)))
        mean, log_variance = jnp.split(self.encoder2(hidden), 2, axis=-1)
        divergence = 0.5 * (mean**2 + jnp.exp(log_variance) - 1 - log_variance).sum(axis=-1)
        latent = mean + jnp.exp(0.5 * log_variance) * noise
        hidden = jnp.tanh(self.decoder1(jnp.concatenate([latent, label], axis=-1)))
        centre, log_std = jnp.split(self.decoder2(hidden), 2, axis=-1)
        log_std = jnp.clip(log_std, LEAST_LOG_STD, 1.5)
        error = 0.5 * ((x - centre) / jnp.exp(log_std)) ** 2 + log_std
        return ((error * known).sum(axis=-1) + divergence).mean()


def train(
    x: NDArray[np.float32], label: NDArray[np.float32], known: NDArray[np.float32], *, steps: int, seed: int
) -> dict[str, NDArray[np.float32]]:
    """Train and return the decoder's weights by name; the classes are drawn equally often.

    Args:
        x: Coefficients (n, size).
        label: One of n (n, classes); a class may be absent.
        known: See ``MotionAutoencoder.loss``.
        steps: Steps of Adam.
        seed: Of weights, batches and noise.
    """
    rng = np.random.default_rng([seed, 0x6E])
    present = np.flatnonzero(label.sum(axis=0))
    members = {int(one): np.flatnonzero(label[:, one]) for one in present}
    drawn = rng.choice(present, size=steps * BATCH)
    rows = np.empty(len(drawn), np.intp)
    for one, indices in members.items():
        where = drawn == one
        rows[where] = rng.choice(indices, size=int(where.sum()))
    noise = rng.standard_normal((steps, BATCH, LATENT)).astype(np.float32)
    # The shapes of these do not depend on n, so that all folds of a run share one compiled program.
    batches = tuple(np.ascontiguousarray(part[rows].reshape(steps, BATCH, -1)) for part in (x, label, known))
    graph, weights = nnx.split(MotionAutoencoder(x.shape[1], label.shape[1], nnx.Rngs(seed)))
    trained: Any = _run(graph, weights, (*batches, noise))
    return {
        f"{layer}.{part}": np.asarray(trained[layer][part][...], np.float32)
        for layer in ("decoder1", "decoder2") for part in ("kernel", "bias")
    }  # fmt: skip


@partial(jax.jit, static_argnums=0)
def _run(graph: nnx.GraphDef[Any], weights: Any, batches: tuple[Any, ...]) -> Any:  # noqa: ANN401
    optimiser = optax.adam(_LEARNING_RATE)

    def loss(weights: Any, batch: tuple[Array, ...]) -> Array:  # noqa: ANN401 - NNX's state
        return nnx.merge(graph, weights).loss(*batch)

    def step(state: tuple[Any, Any], batch: tuple[Array, ...]) -> tuple[tuple[Any, Any], Array]:
        weights, moments = state
        value, gradient = jax.value_and_grad(loss)(weights, batch)
        updates, moments = optimiser.update(gradient, moments)
        return (optax.apply_updates(weights, updates), moments), value

    (weights, _), _ = jax.lax.scan(step, (weights, optimiser.init(weights)), batches)
    return weights
