"""CausalNet: two towers on four maps of a clip, cross attention and a causal block."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

from annotated_types import Ge, Gt
from numpy.random import Generator

from mexbench.errors import DataError
from mexbench_plugins.models._input_shapes import CAUSALNET_HEADS, CAUSALNET_MAPS
from mexbench_plugins.models._nn.network_model import NetworkModel, Shape, shape_text
from mexbench_plugins.models._nn.recipe import ClassOrder
from mexbench_plugins.models.htnet import RESIZED

if TYPE_CHECKING:
    from mexbench_plugins.models._nn.causalnet_network import CausalNetLayers

PUBLISHED = (256, 3, (3, 3, 9))


@dataclass(frozen=True, kw_only=True)
class CausalNet(NetworkModel, ClassOrder):
    """Two towers and a causal block on four maps of a clip: 276,590,089 values for 3 classes.

    It reads ``causalnet_maps`` with all four maps: flow from onset to apex and from apex to offset, then the direction
    maps of both. The regions are the fixed ones that the authors' code has for every clip. The towers are HTNet's, in
    which queries and keys (41,518,080 values) never act; see there. What the causal block calls positions are
    interleaved channels of a global vector, not places in the face, whatever the paper says of muscles.

    Training is the authors' but for the choice of the epoch: they keep the one with the best accuracy on the held-out
    subject, and stop once that subject is all right; they chose repeats and gamma by scores of held-out subjects as
    well. Here the last epoch predicts. The relation's scale is not in our sources: that of the causal block is used. A
    dim, heads or repeats other than the published flags the row ``resized-network``.

    Args:
        channels: reversed turns the stored red, green, blue into the authors' order; as_given leaves them.
        dim: Channels of the towers' first level, and of a token; a multiple of 8.
        heads: Attention heads of the towers' first level.
        repeats: Layers of each level of the towers; the last number is also that of cross layers.
        gamma: Weight of what takes the place of a masked logit.
        pixels: raw is 0 to 255, as in the authors' code.
        learning_rate: As in the authors' code.
        epochs: As in the authors' code; the last epoch is what predicts.
        batch_size: As in the authors' code: the entire training side.
        order: by_class, as the authors' code lists files and never shuffles.
    """

    source = "CausalNet, by the authors' public code of 2025"
    example_shape = (CAUSALNET_MAPS, 28, 28, 3)
    cuts_batches = True
    has_batch_norm = False

    channels: Literal["reversed", "as_given"] = "reversed"
    dim: Annotated[int, Ge(CAUSALNET_HEADS)] = PUBLISHED[0]
    heads: Annotated[int, Ge(1)] = PUBLISHED[1]
    repeats: tuple[Annotated[int, Ge(1)], Annotated[int, Ge(1)], Annotated[int, Ge(1)]] = PUBLISHED[2]
    gamma: Annotated[float, Ge(0)] = 0.5
    pixels: Literal["unit", "raw"] = "raw"
    learning_rate: Annotated[float, Gt(0)] = 5e-5
    epochs: Annotated[int, Ge(1)] = 200
    batch_size: Annotated[int, Ge(1)] = 1024

    def __post_init__(self) -> None:
        """Refuse a width that the heads do not divide.

        Raises:
            ValueError: ``dim`` is not a multiple of 8, or less than ``heads``.
        """
        super().__post_init__()
        if self.dim % CAUSALNET_HEADS or self.dim < self.heads:
            raise ValueError(
                f"dim: {self.dim}: expected a multiple of {CAUSALNET_HEADS}, at least heads ({self.heads})"
            )

    def flags(self) -> tuple[str, ...]:
        """Name a network of another size than the published one."""
        resized = (self.dim, self.heads, tuple(self.repeats)) != PUBLISHED
        return (*super().flags(), *([RESIZED] if resized else []))

    def check(self, shape: Shape) -> None:
        """Refuse anything but four maps of 28x28x3."""
        if shape != self.example_shape:
            raise DataError(
                f"causalnet needs (n, T=4, 28, 28, 3), got {shape_text(shape)}; use the data set causalnet_maps with "
                "its four maps"
            )

    def network(self, shape: Shape, n_classes: int, rng: Generator) -> CausalNetLayers:
        """Build the network."""
        from mexbench_plugins.models._nn.causalnet_network import CausalNetLayers

        del shape
        return CausalNetLayers(
            n_classes,
            rng,
            dim=self.dim,
            channels=self.channels,
            heads=self.heads,
            repeats=self.repeats,
            gamma=self.gamma,
        )
