"""STSTNet: three shallow streams on optical flow, trained one fold at a time or all folds together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import jax
import numpy as np
from annotated_types import Ge, Gt, Lt
from jax import Array
from numpy.random import Generator
from numpy.typing import NDArray

from mexbench.interfaces import FoldsModel, Predictor
from mexbench_plugins.models._nn.layers import (
    BatchNorm,
    Conv,
    Dense,
    StepContext,
    average_pool,
    dropout,
    max_pool,
    record,
)
from mexbench_plugins.models._nn.network_model import Network, NetworkModel, Shape, need_single


@dataclass(frozen=True, kw_only=True)
class STSTNet(NetworkModel, FoldsModel):
    """Three streams of 3, 5 and 8 filters on flow images of 28x28x3: 1,683 trainable values for 3 classes.

    The streams share their input and their poolings, so they are one convolution of 16 filters. Batch normalisation
    and initial weights are PyTorch's, as in the authors' PyTorch script (their MATLAB script trains 500 epochs).
    The script feeds strain, v, u, unscaled, since OpenCV reads a file's channels backwards; the flow pack gives
    u, v, strain unless told otherwise. Every filter sees all three channels, so their order only permutes which initial
    weight meets which channel. The script never shuffles; here the order of samples is drawn anew in each epoch.

    ``fit_folds(x, y, train_masks, *, n_classes, groups, seed)`` trains many folds at once, twice as fast on a CPU as
    one after the other; see ``mexbench.interfaces.FoldsModel``.

    Args:
        channels: as_given, or reversed along the last axis, which turns u, v, strain into the script's order.
        dropout: Share of the values that goes after max-pooling.
        pixels: raw is 0 to 255, as in the script.
        learning_rate: As in the script.
        epochs: As in the script; the last epoch is what predicts.
        batch_size: As in the script.
    """

    source = (
        "Liong et al., Shallow triple stream three-dimensional CNN (STSTNet) for micro-expression recognition, "
        "FG 2019, and the authors' PyTorch script"
    )
    example_shape = (1, 28, 28, 3)

    channels: Literal["as_given", "reversed"] = "as_given"
    dropout: Annotated[float, Ge(0), Lt(1)] = 0.5
    pixels: Literal["unit", "raw"] = "raw"
    learning_rate: Annotated[float, Gt(0)] = 5e-5
    epochs: Annotated[int, Ge(1)] = 800
    batch_size: Annotated[int, Ge(1)] = 256

    def check(self, shape: Shape) -> None:
        """Refuse what is not one flow image of 28x28x3."""
        need_single("ststnet", shape, (28, 28, 3), "add optical_flow with strain, and resize to 28x28")

    def network(self, shape: Shape, n_classes: int, rng: Generator) -> ThreeStreams:
        """Build the network."""
        del shape
        return ThreeStreams(n_classes, self.dropout, backwards=self.channels == "reversed", rng=rng)

    def fit(
        self, x: NDArray[Any], y: NDArray[np.intp], *, n_classes: int, groups: NDArray[np.str_], seed: int
    ) -> Predictor:
        """Train as ``NetworkModel.fit`` does, by the faster arithmetic of ``fit_folds`` where nothing stops early."""
        if self.early_stopping is not None:
            return super().fit(x, y, n_classes=n_classes, groups=groups, seed=seed)
        everything = np.ones((1, len(y)), dtype=bool)
        return self.fit_folds(x, y, everything, n_classes=n_classes, groups=groups, seed=seed)[0]

    def folds_at_once(self) -> int:
        """Return what pays on this machine; early stopping is per fold, so it is not for training together."""
        from mexbench_plugins.models._nn import fold_parallel as _ststnet_folds

        return 1 if self.early_stopping is not None else _ststnet_folds.at_once()

    def fit_folds(
        self,
        x: NDArray[Any],
        y: NDArray[np.intp],
        train_masks: NDArray[np.bool_],
        *,
        n_classes: int,
        groups: NDArray[np.str_],
        seed: int,
    ) -> Sequence[Predictor]:
        """Train all folds at once; see ``FoldsModel.fit_folds``. Early stopping is per fold, so it is not for this."""
        from mexbench_plugins.models._nn import fold_parallel as _ststnet_folds

        self.check(x.shape[1:])
        return _ststnet_folds.train(self, x, y, train_masks, n_classes=n_classes, groups=groups, seed=seed)

    def fit_epochs(
        self,
        x: NDArray[Any],
        y: NDArray[np.intp],
        train_masks: NDArray[np.bool_],
        *,
        n_classes: int,
        groups: NDArray[np.str_],
        seed: int,
    ) -> Iterator[Sequence[Predictor]]:
        """Train all folds at once and yield after each epoch; see ``EpochsModel.fit_epochs``."""
        from mexbench_plugins.models._nn import fold_parallel as _ststnet_folds

        self.check(x.shape[1:])
        return _ststnet_folds.after_each_epoch(self, x, y, train_masks, n_classes=n_classes, groups=groups, seed=seed)


class ThreeStreams(Network):
    """Conv 3x3 16 with padding 2, ReLU, BN, maxpool 3x3/3 with padding 1, dropout, average pool 2x2, dense.

    Args:
        n_classes: Units of the last layer.
        rate: Dropout.
        backwards: Whether channels are read from the last to the first.
        rng: Source of the initial weights.
    """

    def __init__(self, n_classes: int, rate: float, *, backwards: bool, rng: Generator) -> None:
        self.rate, self.backwards = rate, backwards
        self.conv = Conv(3, 16, 3, padding=2, convention="torch", rng=rng)
        self.norm = BatchNorm(16, convention="torch")
        self.dense = Dense(5 * 5 * 16, n_classes, convention="torch", rng=rng)

    def __call__(self, x: Array, batch: StepContext | None) -> Array:
        """Return logits (n, classes) for x (n, T=1, 28, 28, 3)."""
        x = x[:, 0, ..., ::-1] if self.backwards else x[:, 0]
        x = self.norm(jax.nn.relu(self.conv(x)), batch)
        x = dropout(max_pool(x, 3, 3, padding=1), self.rate, batch)
        x = average_pool(x, 2)
        return self.dense(record("Flatten", x.reshape(len(x), -1)))
