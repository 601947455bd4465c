"""A first block of 7x7/2 convolution, batch normalisation and max-pooling 3x3/2, in the order that costs least.

Batch normalisation rises or falls with its input, channel by channel. Where it falls, the filter and the scale change
their signs together, which changes no output; then it rises everywhere, the pooling can come first, and a quarter of
the values is normalised. An activation that never falls may follow, as it would come between the two.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from mexbench_plugins.models._nn.batch_norm_layer import EPSILON, MOMENTUM, BatchNorm
from mexbench_plugins.models._nn.layers import Context, Conv, StepContext, record
from mexbench_plugins.models._nn.pooling import maxima, maxima_gradient

SIZE, STRIDE = 3, 2  # of the pooling


def normalised_maxima(conv: Conv, norm: BatchNorm, x: Array, context: Context) -> Array:
    """Return max-pooled, normalised outputs (n, (H / 2 - 1) // 2, ..., filters) of images x (n, H, W, C), H and W even.

    Args:
        conv: 7x7 with stride 2 and padding 3.
        norm: Of the convolution's outputs.
        x: Images.
        context: As of ``norm``: the batch's own statistics normalise in training, the stored ones elsewhere.
    """
    scale, bias = norm.scale[...], conv.bias[...]
    sign = jax.lax.stop_gradient(jnp.where(scale < 0, -1.0, 1.0))
    y = record(conv.name, conv.convolve(x, conv.kernel[...] * sign), conv)
    record("BatchNormalization", y, norm)
    mean, var = (norm.mean[...] - bias) * sign, norm.var[...]
    best: Array
    if context is None:
        best = maxima(y, SIZE, STRIDE)
    else:
        best, batch_mean, batch_var = maxima_and_moments(y, context.mask)
        keep = MOMENTUM[norm.convention] if isinstance(context, StepContext) else 0.0
        count = jnp.sum(context.mask) * np.prod(y.shape[1:-1])
        unbiased = isinstance(context, StepContext) and norm.convention == "torch"
        stored = batch_var * count / jnp.maximum(count - 1, 1) if unbiased else batch_var
        norm.mean[...] = keep * norm.mean[...] + (1 - keep) * jax.lax.stop_gradient(batch_mean * sign + bias)
        norm.var[...] = keep * norm.var[...] + (1 - keep) * jax.lax.stop_gradient(stored)
        if isinstance(context, StepContext):
            mean, var = batch_mean, batch_var
    factor = scale * sign * jax.lax.rsqrt(var + EPSILON[norm.convention])
    return record(f"MaxPooling2D {SIZE}x{SIZE}/{STRIDE}", (best - mean) * factor + norm.bias[...])


@jax.custom_vjp
def maxima_and_moments(x: Array, mask: Array) -> tuple[Array, Array, Array]:
    """Return maxima over windows of x (n, H, W, C), and mean and biased variance (C,) of its samples with mask 1.

    Only x has a gradient.
    """
    count = jnp.sum(mask) * np.prod(x.shape[1:-1])
    # Sums and squares in one pass. They are taken from a value near the mean, so that no digits cancel.
    near = jnp.mean(x[0], (0, 1))
    centred = x - near
    first, second = (mask @ jnp.sum(part, (1, 2)) / count for part in (centred, centred * centred))
    return maxima(x, SIZE, STRIDE), near + first, jnp.maximum(second - first * first, 0)


def _moments_forward(x: Array, mask: Array) -> tuple[tuple[Array, Array, Array], tuple[Array, ...]]:
    best, mean, var = maxima_and_moments(x, mask)
    return (best, mean, var), (x, mask, best, mean)


def _moments_backward(residuals: tuple[Array, ...], gradients: tuple[Array, Array, Array]) -> tuple[Array, None]:
    x, mask, best, mean = residuals
    of_best, of_mean, of_var = gradients
    weight = (mask / (jnp.sum(mask) * np.prod(x.shape[1:-1])))[:, None, None, None]
    (through_maxima,) = maxima_gradient(SIZE, STRIDE, (x, best), of_best)
    return through_maxima + weight * (of_mean + 2 * of_var * (x - mean)), None


maxima_and_moments.defvjp(_moments_forward, _moments_backward)
