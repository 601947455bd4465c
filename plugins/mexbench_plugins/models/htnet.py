"""HTNet: face regions, and what its hierarchical transformer really computes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

from annotated_types import Ge, Gt
from numpy.random import Generator

from mexbench_plugins.models._nn.network_model import NetworkModel, Shape, check_single_image
from mexbench_plugins.models._nn.recipe import ClassOrder

if TYPE_CHECKING:
    from mexbench_plugins.models._nn.htnet_network import HTNetLayers

#: The flag of a network that is smaller or larger than the published one.
RESIZED = "resized-network"
PUBLISHED = (256, 3, (2, 2, 10))


@dataclass(frozen=True, kw_only=True)
class HTNet(NetworkModel, ClassOrder):
    """Hierarchical transformer on four face regions of a 28x28 flow image: 139,582,982 values for 3 classes.

    Its levels cut the map into blocks of one token each, and the softmax over one token is 1: queries and keys
    (22,195,200 values) never act, and the network is a residual MLP over single places with two convolutions. Neither
    is computed here. The paper's local self-attention within a facial area does not take place in the authors' code.

    The regions are fixed ones: the authors' code detects five points on each apex face and falls back on the constants
    that are used here for every clip, since the flow pack has no faces. So this is the authors' network on an
    approximation of their input. Training is theirs but for the choice of the epoch: they keep the one with the best
    accuracy on the held-out subject; here the last epoch predicts. A dim, heads or repeats other than the published
    flags the row ``resized-network``.

    Args:
        channels: reversed turns u, v, strain, as the flow pack is stored, into the authors' strain, v, u; as_given
            leaves them.
        dim: Channels of the first level; each next one has twice as many.
        heads: Attention heads of the first level; each next one has twice as many.
        repeats: Layers of each level.
        pixels: raw is 0 to 255, as in the authors' code.
        learning_rate: As in the authors' code.
        epochs: As in the authors' code; the last epoch is what predicts.
        batch_size: As in the authors' code.
        order: by_class, as the authors' code lists files and never shuffles.
    """

    source = "HTNet, by the authors' public code"
    example_shape = (1, 28, 28, 3)
    cuts_batches = True
    has_batch_norm = False

    channels: Literal["reversed", "as_given"] = "reversed"
    dim: Annotated[int, Ge(12)] = PUBLISHED[0]
    heads: Annotated[int, Ge(1)] = PUBLISHED[1]
    repeats: tuple[Annotated[int, Ge(1)], Annotated[int, Ge(1)], Annotated[int, Ge(1)]] = PUBLISHED[2]
    pixels: Literal["unit", "raw"] = "raw"
    learning_rate: Annotated[float, Gt(0)] = 5e-5
    epochs: Annotated[int, Ge(1)] = 800
    batch_size: Annotated[int, Ge(1)] = 256

    def __post_init__(self) -> None:
        """Refuse more heads than channels.

        Raises:
            ValueError: There are.
        """
        super().__post_init__()
        if self.heads > self.dim:
            raise ValueError(f"heads: {self.heads}: at most dim, {self.dim}")

    def flags(self) -> tuple[str, ...]:
        """Name a network of another size than the published one."""
        resized = (self.dim, self.heads, tuple(self.repeats)) != PUBLISHED
        return (*super().flags(), *([RESIZED] if resized else []))

    def check(self, shape: Shape) -> None:
        """Refuse anything but one flow image of 28x28x3."""
        check_single_image("htnet", shape, (28, 28, 3), "add optical_flow with strain, and resize to 28x28")

    def network(self, shape: Shape, n_classes: int, rng: Generator) -> HTNetLayers:
        """Build the network."""
        from mexbench_plugins.models._nn.htnet_network import HTNetLayers

        del shape
        return HTNetLayers(n_classes, rng, channels=self.channels, dim=self.dim, heads=self.heads, repeats=self.repeats)
