"""STSTNet: three shallow streams on optical flow, trained one fold at a time or all folds together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from annotated_types import Ge, Gt, Lt
from numpy.random import Generator
from numpy.typing import NDArray

from mexbench.interfaces import FoldsModel, Predictor, TorchWeightsModel
from mexbench_plugins.models._nn.network_model import NetworkModel, Shape, check_single_image
from mexbench_plugins.models._nn.team_size import at_once

if TYPE_CHECKING:
    from mexbench_plugins.models._nn.ststnet_network import STSTNetLayers


@dataclass(frozen=True, kw_only=True)
class STSTNet(NetworkModel, FoldsModel, TorchWeightsModel):
    """Three streams of 3, 5 and 8 filters on flow images of 28x28x3: 1,683 trainable values for 3 classes.

    The streams share their input and their poolings, so they are one convolution of 16 filters. Batch normalisation
    and initial weights are PyTorch's, as in the authors' PyTorch script (their MATLAB script trains 500 epochs); its
    statistics after training are exact ones (``batch_norm_statistics``), where the script keeps running ones.
    The script feeds strain, v, u, unscaled, since OpenCV reads a file's channels backwards; the flow pack gives
    u, v, strain by default. Every filter sees all three channels, so their order only permutes which initial
    weight meets which channel. The script never shuffles; here the order of samples is drawn anew in each epoch.

    ``fit_folds(x, y, train_masks, *, n_classes, groups, seed)`` trains many folds at once, twice as fast on a CPU as
    one after the other; see ``mexbench.interfaces.FoldsModel``.

    Args:
        channels: as_given, or reversed along the last axis, which turns u, v, strain into the script's order.
        dropout: Share of the values after max-pooling that are set to zero.
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
    reads_rows = False  # the patches of all samples are made once and kept

    channels: Literal["as_given", "reversed"] = "as_given"
    dropout: Annotated[float, Ge(0), Lt(1)] = 0.5
    pixels: Literal["unit", "raw"] = "raw"
    learning_rate: Annotated[float, Gt(0)] = 5e-5
    epochs: Annotated[int, Ge(1)] = 800
    batch_size: Annotated[int, Ge(1)] = 256

    def check(self, shape: Shape) -> None:
        """Refuse anything but one flow image of 28x28x3."""
        check_single_image("ststnet", shape, (28, 28, 3), "add optical_flow with strain, and resize to 28x28")

    def network(self, shape: Shape, n_classes: int, rng: Generator) -> STSTNetLayers:
        """Build the network."""
        from mexbench_plugins.models._nn.ststnet_network import STSTNetLayers

        del shape
        return STSTNetLayers(n_classes, rng, dropout=self.dropout, channels=self.channels)

    def fit(
        self, x: NDArray[Any], y: NDArray[np.intp], *, n_classes: int, groups: NDArray[np.str_], seed: int
    ) -> Predictor:
        """Train as ``NetworkModel.fit`` does, by the faster arithmetic of ``fit_folds`` where nothing stops early."""
        if self.early_stopping is not None:
            return super().fit(x, y, n_classes=n_classes, groups=groups, seed=seed)
        one_fold = np.ones((1, len(y)), dtype=bool)
        return self.fit_folds(x, y, one_fold, n_classes=n_classes, groups=groups, seed=seed)[0]

    def folds_at_once(self) -> int:
        """Return the fastest number on this machine; with early stopping, which is per fold, 1."""
        return 1 if self.early_stopping is not None else at_once()

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
        """Train all folds at once, without early stopping; see ``FoldsModel.fit_folds``."""
        from mexbench_plugins.models._nn import fold_parallel, trainer

        build = self.builder(x.shape[1:], n_classes)
        predictors = fold_parallel.train(
            self,
            build,
            self._channels_in_order(x),
            y,
            train_masks,
            dropout=self.dropout,
            n_classes=n_classes,
            groups=groups,
            seed=seed,
        )
        return [
            trainer.with_health(predictor, x[mask], y[mask])
            for predictor, mask in zip(predictors, train_masks, strict=True)
        ]

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
        from mexbench_plugins.models._nn import fold_parallel, trainer

        build = self.builder(x.shape[1:], n_classes)
        each = fold_parallel.after_each_epoch(
            self,
            build,
            self._channels_in_order(x),
            y,
            train_masks,
            dropout=self.dropout,
            n_classes=n_classes,
            groups=groups,
            seed=seed,
        )
        for epoch, predictors in enumerate(each, 1):
            if epoch < self.epochs or not self.trains_all_epochs():
                yield predictors
            else:
                yield [
                    trainer.with_health(predictor, x[mask], y[mask])
                    for predictor, mask in zip(predictors, train_masks, strict=True)
                ]

    def from_torch(self, state: Mapping[str, NDArray[Any]], *, shape: Shape, n_classes: int) -> Predictor:
        """Map the authors' three streams, whose weights they publish, to the one convolution that they are here.

        The authors feed strain, v, u unscaled: their weights need ``channels: reversed`` on the flow pack.
        """
        from mexbench_plugins.models._nn.torch_weights import TorchState

        build = self.builder(shape, n_classes)
        weights = TorchState(state)
        streams = [(f"conv{index}", f"bn{index}", filters) for index, filters in ((1, 3), (2, 5), (3, 8))]
        arrays = weights.side_by_side(
            [weights.conv("conv", name, 3, filters, 3) | weights.norm("norm", norm, filters)
             for name, norm, filters in streams]
        ) | weights.dense("dense", "fc", (16, 5, 5), n_classes)  # fmt: skip
        return weights.predictor(self, build, shape, n_classes, arrays)

    def _channels_in_order(self, x: NDArray[Any]) -> NDArray[Any]:
        return x[..., ::-1] if self.channels == "reversed" else x
