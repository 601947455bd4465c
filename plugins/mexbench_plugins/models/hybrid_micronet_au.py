"""HybridMicroNet with action units (2026): units join the averages of the 2023 network before its dense layer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from annotated_types import Ge
from numpy.random import Generator
from numpy.typing import NDArray

from mexbench.errors import DataError
from mexbench.interfaces import UNITS, Predictor
from mexbench_plugins.models._input_shapes import VGG16_CHANNELS
from mexbench_plugins.models._nn.network_model import Shape, shape_text
from mexbench_plugins.models.hybrid_micronet import HybridMicroNet

if TYPE_CHECKING:
    from mexbench_plugins.models._nn.hybrid_micronet_au_network import HybridMicroNetAULayers

#: Start of the file names of a saved detector.
_DETECTOR = "detector-"


@dataclass(frozen=True, kw_only=True)
class HybridMicroNetAU(HybridMicroNet):
    """The enhanced HybridMicroNet, "AU features joined to the deep features": 421,297 values for 5 classes, 12 units.

    A vector of K units joins the 32 averages before the dense layer, which has K values more for each class. It is K
    planes behind the features, (n, T=1, 7, 7, 512 + K), which the step ``action_units`` appends; what the paper does
    beyond joining is unstated. All else is ``hybrid_micronet``.

    With detect_units the annotation is used for training alone: a detector, the 2023 network with a sigmoid for each
    unit, is trained on the annotated units of the training side, and both sides get its scores instead of the planes
    (training samples those of a detector that never saw their subject). The planes of a test sample are never read.
    The step's flag ``coded-aus`` remains: which clips there are still depends on their coding. Films need none: in
    a case study and in ``bench predict`` the units are the detector's.

    Args:
        detect_units: Whether the units are those of a detector that is trained inside each fold.
        detector_folds: Number of parts into which the training side's subjects are dealt for it.
    """

    source = "enhanced HybridMicroNet paper (2026); the network of the 2023 paper's table 2, and its joined AU features"
    example_shape = (1, 7, 7, VGG16_CHANNELS + len(UNITS))
    reads_rows = False  # units are detected for all samples first

    detect_units: bool = False
    detector_folds: Annotated[int, Ge(2)] = 3

    def check(self, shape: Shape) -> None:
        """Refuse anything but the features of one image with action units behind them."""
        if not (len(shape) == 4 and shape[0] == 1 and min(shape[1:3]) >= 7 and shape[3] > VGG16_CHANNELS):
            raise DataError(
                f"hybrid_micronet_au needs (n, T=1, 7, 7, 512 + units), got {shape_text(shape)}; add action_units "
                "after vgg16 in the steps"
            )

    def network(self, shape: Shape, n_classes: int, rng: Generator) -> HybridMicroNetAULayers:
        """Build the network."""
        from mexbench_plugins.models._nn.hybrid_micronet_au_network import HybridMicroNetAULayers

        return HybridMicroNetAULayers(
            n_classes,
            rng,
            units=shape[-1] - VGG16_CHANNELS,
            padding_value=self.padding_value,
            residual_attention=self.residual_attention,
        )

    def reads_annotation(self) -> bool:
        """With detect_units the annotated planes of a sample that is predicted are never read."""
        return not self.detect_units

    def folds_at_once(self) -> int:
        """Return 1 with detect_units, since the detectors of each fold come first."""
        return 1 if self.detect_units else super().folds_at_once()

    def fit(
        self, x: NDArray[Any], y: NDArray[np.intp], *, n_classes: int, groups: NDArray[np.str_], seed: int
    ) -> Predictor:
        """Train by gradient descent, with detect_units the detectors first; see ``NetworkModel.fit``."""
        from mexbench_plugins.models._nn import au_detector

        if not self.detect_units:
            return super().fit(x, y, n_classes=n_classes, groups=groups, seed=seed)
        self.check(x.shape[1:])
        return au_detector.fit(
            self, self._detector(), x, y, n_classes=n_classes, units=x.shape[-1] - VGG16_CHANNELS,
            folds=self.detector_folds, groups=groups, seed=seed,
        )  # fmt: skip

    def fit_epochs(
        self, x: NDArray[Any], y: NDArray[np.intp], train_masks: NDArray[np.bool_], *,
        n_classes: int, groups: NDArray[np.str_], seed: int,
    ) -> Iterator[Sequence[Predictor]]:  # fmt: skip
        """Train the folds side by side and yield after each epoch; see ``EpochsModel.fit_epochs``."""
        from mexbench_plugins.models._nn import au_detector

        if not self.detect_units:
            return super().fit_epochs(x, y, train_masks, n_classes=n_classes, groups=groups, seed=seed)
        self.check(x.shape[1:])
        folds = [
            au_detector.after_each_epoch(
                self, self._detector(), x[mask], y[mask], n_classes=n_classes, units=x.shape[-1] - VGG16_CHANNELS,
                folds=self.detector_folds, groups=groups[mask], seed=seed,
            )
            for mask in train_masks
        ]  # fmt: skip
        return zip(*folds, strict=True)

    def save(self, predictor: Predictor, folder: Path) -> None:
        """Write the network, and the detector where there is one; see ``NetworkModel.save``."""
        from mexbench_plugins.models._nn import au_detector, checkpoint

        if not isinstance(predictor, au_detector.DetectedPredictor):
            super().save(predictor, folder)
            return
        checkpoint.save(predictor.network, folder)
        checkpoint.save(predictor.detector, folder, _DETECTOR)

    def load(self, folder: Path) -> Predictor:
        """Read what ``save`` wrote; see ``NetworkModel.load``."""
        from mexbench_plugins.models._nn import au_detector, checkpoint

        network = checkpoint.load(self, self.builder, folder)
        if not self.detect_units:
            return network
        detector = self._detector()
        return au_detector.DetectedPredictor(checkpoint.load(detector, detector.builder, folder, _DETECTOR), network)

    def _detector(self) -> HybridMicroNet:
        """Return the 2023 network with the same options."""
        return HybridMicroNet(**{field.name: getattr(self, field.name) for field in fields(HybridMicroNet)})
