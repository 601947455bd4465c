"""What zero filters and joined columns save in convolutions: ``python -m tests.speed.filters``, from the root.

XLA's convolution of few input channels is up to seven times as slow with some numbers of filters as with a few more of
them. For each convolution of the networks that has few input channels, this prints milliseconds of a batch, forward and
with the gradient (towards the weights, and behind the first layer towards the input): as it is, with zero filters up to
the numbers of ``CANDIDATES``, and with 2 or 4 columns as channels (``x2``, ``x4``), all in the forward pass alone. It
says which of them pays. The tables in ``mexbench_plugins.models._nn.cpu_convolution`` were chosen by it. With
``--widths``, one shape is measured with every number of filters up to 64 instead. One thread on one core, processor
time, taking turns, the best of all turns.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from mexbench.devices import ONE_THREAD
from mexbench_plugins.models._nn.memory import keep_memory

#: Numbers of filters to fill up to.
CANDIDATES = (8, 17, 24, 33, 48, 65)
#: A padding pays where it takes at most this share of the time with the gradient: differences below are noise.
PAYS = 0.95


class Shape(NamedTuple):
    """A convolution of a network.

    Args:
        batch: Images of a training step.
        side: Of the input, in pixels.
        size: Of the kernel.
        stride: In both directions.
        inputs: Input channels.
        filters: Output channels.
        padding: Pixels on each side.
        first: Whether it is a first layer, whose input needs no gradient.
    """

    batch: int
    side: int
    size: int
    stride: int
    inputs: int
    filters: int
    padding: int
    first: bool = False

    @property
    def outputs(self) -> int:
        """Columns of the output."""
        return (self.side + 2 * self.padding - self.size) // self.stride + 1


SHAPES = {
    "au_cnn": Shape(32, 128, 7, 2, 3, 16, 3, first=True),
    "au_cnn, block 1": Shape(32, 31, 3, 1, 16, 16, 1),
    "au_cnn, block 2": Shape(32, 31, 3, 1, 16, 32, 1),
    "cnn": Shape(32, 128, 3, 1, 3, 16, 1, first=True),
    "cnn, second": Shape(32, 64, 3, 1, 16, 32, 1),
    "cnn_lstm": Shape(128, 48, 3, 1, 1, 32, 0, first=True),
    "dual_inception, 3x3": Shape(3, 28, 3, 1, 6, 6, 1),
    "dual_inception, 5x5": Shape(3, 28, 5, 1, 6, 6, 2),
    "dual_inception, 3x3 second": Shape(3, 14, 3, 1, 16, 16, 1),
    "dual_inception, 5x5 second": Shape(3, 14, 5, 1, 16, 16, 2),
    "hybrid_micronet": Shape(64, 7, 7, 2, 512, 16, 3, first=True),
    "macnn": Shape(64, 112, 3, 1, 3, 32, 1, first=True),
    "micro_attention": Shape(10, 224, 7, 2, 3, 32, 3, first=True),
    "off_apexnet": Shape(128, 28, 5, 1, 1, 6, 2, first=True),
    "off_apexnet, second": Shape(128, 14, 5, 1, 6, 16, 2),
    "off_tanet": Shape(64, 112, 7, 2, 3, 8, 3, first=True),
    "off_tanet, second": Shape(64, 56, 3, 1, 8, 18, 1),
    "rcn_a": Shape(64, 28, 5, 1, 3, 64, 0, first=True),
    "ststnet": Shape(256, 28, 3, 1, 3, 16, 2, first=True),
}


def convolve(shape: Shape, width: int, columns: int = 1) -> tuple[Callable[[], object], Callable[[], object]]:
    """Return a forward pass and one with the gradient, with zero filters up to a width or with joined columns."""
    import jax
    import jax.numpy as jnp
    import numpy as np

    from mexbench_plugins.models._nn.cpu_convolution import by_columns

    rng = np.random.default_rng(0)
    x = jnp.asarray(rng.normal(size=(shape.batch, shape.side, shape.side, shape.inputs)), jnp.float32)
    kernel = jnp.asarray(rng.normal(size=(shape.size, shape.size, shape.inputs, shape.filters)), jnp.float32)
    padding = ((shape.padding, shape.padding), (shape.padding, shape.padding))

    def plain(x: jax.Array, kernel: jax.Array) -> jax.Array:
        return jax.lax.conv_general_dilated(
            x, kernel, (shape.stride, shape.stride), padding, dimension_numbers=("NHWC", "HWIO", "NHWC")
        )

    def padded(x: jax.Array, kernel: jax.Array) -> jax.Array:
        if columns > 1:
            return by_columns(x, kernel, shape.stride, padding, columns)
        more = width - shape.filters
        return plain(x, jnp.pad(kernel, [(0, 0)] * 3 + [(0, more)]))[..., : shape.filters] if more else plain(x, kernel)

    own_gradient = jax.custom_vjp(padded)
    own_gradient.defvjp(lambda x, kernel: (padded(x, kernel), (x, kernel)), lambda res, g: jax.vjp(plain, *res)[1](g))

    @jax.jit
    def forward(x: jax.Array, kernel: jax.Array) -> jax.Array:
        return jax.nn.relu(padded(x, kernel) + 1)

    @jax.jit
    def both(x: jax.Array, kernel: jax.Array, gradient: jax.Array) -> object:
        if shape.first:
            y, backward = jax.vjp(lambda kernel: jax.nn.relu(own_gradient(x, kernel) + 1), kernel)
        else:
            y, backward = jax.vjp(lambda x, kernel: jax.nn.relu(own_gradient(x, kernel) + 1), x, kernel)
        del y  # the ReLU's gradient needs it
        return backward(gradient)

    gradient = jnp.asarray(rng.normal(size=forward(x, kernel).shape), jnp.float32)
    return (
        lambda: jax.block_until_ready(forward(x, kernel)),
        lambda: jax.block_until_ready(both(x, kernel, gradient)),
    )


def milliseconds(steps: Sequence[Callable[[], object]], seconds: float) -> list[float]:
    """Return the best time of each step; they take turns for so many seconds in all."""
    for step in steps:
        step()
    best = [float("inf")] * len(steps)
    end = time.process_time() + seconds
    while time.process_time() < end:
        for i, step in enumerate(steps):
            start = time.process_time()
            step()
            best[i] = min(best[i], (time.process_time() - start) * 1e3)
    return best


def row(name: str, shape: Shape, seconds: float) -> str:
    """Return the line of a convolution: forward/with gradient for each way, and what pays."""
    ways = {str(width): convolve(shape, width) for width in (shape.filters, *CANDIDATES) if width >= shape.filters}
    for columns in (2, 4):
        if shape.side % max(shape.stride, columns * (shape.stride == 1)) == shape.outputs % columns == 0:
            ways[f"x{columns}"] = convolve(shape, shape.filters, columns)
    names = list(ways)
    times = milliseconds([step for steps in ways.values() for step in steps], seconds)
    forward, both = times[::2], times[1::2]
    cells = [f"{way:>4}: {a:.2f}/{b:.2f}" for way, a, b in zip(names, forward, both, strict=True)]
    best = min(range(len(ways)), key=both.__getitem__)
    verdict = f"{names[best]} pays, {both[0] / both[best]:.2f}x" if both[best] < PAYS * both[0] else "none pays"
    label = f"{shape.size}x{shape.size}/{shape.stride} from {shape.inputs} at {shape.side}"
    return f"{name:<28}{label:<20}{''.join(f'{cell:>20}' for cell in cells)}   {verdict}"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(SHAPES)}; all unless told")
    parser.add_argument("--seconds", type=float, default=4.0, help="of each convolution")
    parser.add_argument("--widths", action="store_true", help="every number of filters up to 64, unpadded")
    options = parser.parse_args()
    os.environ.update(ONE_THREAD)
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    keep_memory()
    for name in options.names or SHAPES:
        shape: Any = SHAPES[name]
        if not options.widths:
            print(row(name, shape, options.seconds), flush=True)
            continue
        for width in range(1, 65):
            some = shape._replace(filters=width)
            times = milliseconds(convolve(some, width), options.seconds / 16)
            print(f"{name:<28}{width:>3} filters{times[0]:>10.2f}{times[1]:>10.2f}", flush=True)


if __name__ == "__main__":
    main()
