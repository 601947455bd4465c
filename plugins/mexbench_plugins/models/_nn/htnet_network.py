"""The layers of HTNet."""

from __future__ import annotations

from jax import Array
from numpy.random import Generator

from mexbench_plugins.models._nn.layers import Context, Dense, Network, record
from mexbench_plugins.models._nn.one_token_levels import LayerNorm, Tower, mosaic


class HTNetLayers(Network):
    """Output shapes and values for the published size and 3 classes: 139,582,982 in all."""

    def __init__(
        self,
        n_classes: int,
        rng: Generator,
        *,
        channels: str,
        dim: int,
        heads: int,
        repeats: tuple[int, int, int],
    ) -> None:
        self.reversed = channels == "reversed"
        self.tower = Tower(dim, heads, repeats, rng=rng)
        self.norm = LayerNorm(4 * dim)
        self.dense = Dense(4 * dim, n_classes, convention="torch", rng=rng)

    def __call__(self, x: Array, context: Context) -> Array:
        """Return logits (n, classes) for x (n, T=1, 28, 28, 3)."""
        del context
        x = x[:, 0, ..., ::-1] if self.reversed else x[:, 0]
        x = mosaic(x)  #                                                28 x 28 x 3                0
        x = self.tower(x)  #                                           1 x 1 x 1024      139,577,859
        x = record("LayerNormalization", self.norm(x), self.norm)  #   1 x 1 x 1024            2,048
        x = record("Mean over places", x.mean((1, 2)))  #                      1024                0
        return self.dense(x)  #                                                   3            3,075
