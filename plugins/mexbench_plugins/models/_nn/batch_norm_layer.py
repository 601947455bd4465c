"""Batch normalisation that is blind to padding, with a gradient of its own."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax import Array

from mexbench_plugins.models._nn.layers import Context, Conv, Convention, StepContext, record

# Keras: momentum .99, eps 1e-3, biased variance in the running statistics. PyTorch: .9 (written .1), 1e-5, unbiased.
MOMENTUM: dict[Convention, float] = {"keras": 0.99, "torch": 0.9}
EPSILON: dict[Convention, float] = {"keras": 1e-3, "torch": 1e-5}


class BatchNorm(nnx.Module):
    """Batch normalisation over all axes but the last, blind to padding.

    Args:
        features: Size of the last axis.
        convention: Whose momentum, epsilon and running variance.
    """

    def __init__(self, features: int, *, convention: Convention = "keras") -> None:
        self.convention: Convention = convention
        self.scale = nnx.Param(jnp.ones(features))
        self.bias = nnx.Param(jnp.zeros(features))
        self.mean = nnx.BatchStat(jnp.zeros(features))
        self.var = nnx.BatchStat(jnp.ones(features))

    def __call__(self, x: Array, context: Context, shift: Array | float = 0) -> Array:
        """Normalise by the stored statistics, in training by the batch's own, which then enter the running ones.

        Where statistics are measured, the batch's own (biased) replace the stored ones, which still normalise.

        Args:
            x: (n, ..., C).
            context: None in evaluation.
            shift: What x is short of (C,): the stored mean has it, and no output of a training step depends on it.
        """
        scale, bias, epsilon = self.scale[...], self.bias[...], EPSILON[self.convention]
        if isinstance(context, StepContext):
            y, mean, var = normalised_by_batch(x, context.mask, scale, bias, epsilon)
            self._update(mean + shift, var, count=jnp.sum(context.mask) * np.prod(x.shape[1:-1]))
            return record("BatchNormalization", y, self)
        mean, var = self.mean[...] - shift, self.var[...]
        if context is not None:
            measured, self.var[...] = moments(x, context.mask)
            self.mean[...] = measured + shift
        return record("BatchNormalization", (x - mean) * (scale * jax.lax.rsqrt(var + epsilon)) + bias, self)

    def after(self, conv: Conv, x: Array, context: Context) -> Array:
        """Normalise a convolution of x.

        Whatever its bias, the outputs are the same: it is in the stored mean alone, and gets no gradient. What
        rounding would leave of one, Adam would blow up to full-sized steps.
        """
        return self(conv.without_bias(x), context, conv.bias[...])

    def _update(self, mean: Array, var: Array, count: Array) -> None:
        stored = var if self.convention == "keras" else var * count / jnp.maximum(count - 1, 1)
        keep = MOMENTUM[self.convention]
        self.mean[...] = keep * self.mean[...] + (1 - keep) * jax.lax.stop_gradient(mean)
        self.var[...] = keep * self.var[...] + (1 - keep) * jax.lax.stop_gradient(stored)


def moments(x: Array, mask: Array) -> tuple[Array, Array]:
    """Return mean and biased variance (C,) of the samples of x (n, ..., C) with mask 1."""
    inside = tuple(range(1, x.ndim - 1))
    count = jnp.sum(mask) * np.prod(x.shape[1:-1])
    # Sums per sample first: then the mask is multiplied with (n, C) numbers, and not with every pixel.
    mean = mask @ jnp.sum(x, inside) / count
    return mean, mask @ jnp.sum((x - mean) ** 2, inside) / count


@jax.custom_vjp
def normalised_by_batch(x: Array, mask: Array, scale: Array, bias: Array, epsilon: float) -> tuple[Array, Array, Array]:
    """Normalise x by the statistics of its samples with mask 1.

    Its gradient is the closed form of Ioffe and Szegedy (ICML 2015, section 3), which reads the outputs' gradient
    twice; differentiation of the lines below went over five arrays of that size.

    Args:
        x: (n, ..., C).
        mask: 1 for a sample, 0 for padding (n,); it has no gradient.
        scale: (C,).
        bias: (C,).
        epsilon: Added to the variance; it has no gradient either.

    Returns:
        Outputs like x, and mean and biased variance (C,).
    """
    mean, var = moments(x, mask)
    return (x - mean) * (scale * jax.lax.rsqrt(var + epsilon)) + bias, mean, var


def _forward(
    x: Array, mask: Array, scale: Array, bias: Array, epsilon: float
) -> tuple[tuple[Array, Array, Array], tuple[Any, ...]]:
    y, mean, var = normalised_by_batch(x, mask, scale, bias, epsilon)
    return (y, mean, var), (x, mask, scale, mean, var, epsilon)


def _backward(
    residuals: tuple[Any, ...], gradients: tuple[Array, Array, Array]
) -> tuple[Array, None, Array, Array, None]:
    x, mask, scale, mean, var, epsilon = residuals
    of_y, of_mean, of_var = gradients
    axes = tuple(range(x.ndim - 1))
    inverse, centred = jax.lax.rsqrt(var + epsilon), x - mean
    total, along = jnp.sum(of_y, axes), jnp.sum(of_y * centred, axes)
    # The mean acts through what is subtracted; through the variance it does not, as deviations add up to zero.
    of_mean = of_mean - scale * inverse * total
    of_var = of_var - scale * inverse**3 * along / 2
    weight = (mask / (jnp.sum(mask) * np.prod(x.shape[1:-1]))).reshape(-1, *[1] * (x.ndim - 1))
    of_x = of_y * (scale * inverse) + weight * (of_mean + 2 * of_var * centred)
    return of_x, None, along * inverse, total, None


normalised_by_batch.defvjp(_forward, _backward)
