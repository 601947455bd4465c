"""HybridMicroNet: a small residual head on VGG-16 features."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from annotated_types import Ge, Gt, Le, Lt
from numpy.random import Generator
from numpy.typing import NDArray

from mexbench.errors import DataError
from mexbench.interfaces import UNITS, LayerRow, Predictor
from mexbench_plugins.models._nn import au_detector as _detected
from mexbench_plugins.models._nn import checkpoint as _saved
from mexbench_plugins.models._nn.micro_resnet import MicroResNet
from mexbench_plugins.models._nn.network_model import NetworkModel, Shape, need_single, shown
from mexbench_plugins.models._nn.recipe import Optimiser

#: Of VGG-16's last feature map.
CHANNELS = 512
#: What the names of a saved detector's files begin with.
_DETECTOR = "detector-"


@dataclass(frozen=True, kw_only=True)
class HybridMicroNet(NetworkModel):
    """Residual network on the 7x7x512 features of VGG-16: 421,237 values for 5 classes.

    With action_units it is the enhanced model of the 2026 paper, "AU features joined to the deep features": a vector of
    K units joins the 32 averages before the dense layer, which has K values more for each class. It travels as K planes
    behind the features, (n, T=1, 7, 7, 512 + K), which the step ``action_units`` appends; what the paper does beyond
    joining is unstated.

    Read where the paper contradicts itself: three pixels of padding, not two, which alone give the shapes of table 2;
    batch 64, which section 3.4 says first (32 stands elsewhere). The learning rate is unstated: .01 is Keras's own for
    sgd. Batch normalisation and initial weights are Keras's. The 2026 paper has faces of 256x256, whose features are
    8x8x512: any size from 7x7 on is taken, and none changes the number of values.

    With detect_units the annotation is only learned from: a detector, the same network without units and with a sigmoid
    for each, is trained on the annotated units of the training side, and both sides get its scores instead of the
    planes (training samples those of a detector that never saw their subject). The planes of a test sample are not
    looked at. The step's flag ``coded-aus`` stays: which clips there are still hangs on their coding.

    Args:
        padding_value: The text pads with zeros in one place and with ones in another.
        residual_attention: Whether a residual attention unit follows each RLayers. The text names such units and does
            not describe them, and table 2 has no room for their values.
        action_units: Whether action units join the averages; needs the step of that name.
        detect_units: Whether they are those of a detector that is trained inside each fold.
        detector_folds: Into how many parts the training side's subjects are dealt for it.
        optimiser: As in the paper.
        learning_rate: Unstated in the paper.
        momentum: As in the paper.
        weight_decay: As in the paper.
        epochs: As in the paper.
        batch_size: 64 or 32 in the paper.
    """

    source = "HybridMicroNet paper (2023), section 3.4 and table 2; values counted as Keras counts them"
    example_shape = (1, 7, 7, 512)

    padding_value: Annotated[float, Ge(0), Le(1)] = 0.0
    residual_attention: bool = False
    action_units: bool = False
    detect_units: bool = False
    detector_folds: Annotated[int, Ge(2)] = 3
    optimiser: Optimiser = "sgd"
    learning_rate: Annotated[float, Gt(0)] = 0.01
    momentum: Annotated[float, Ge(0), Lt(1)] = 0.5
    weight_decay: Annotated[float, Ge(0)] = 0.001
    epochs: Annotated[int, Ge(1)] = 10
    batch_size: Annotated[int, Ge(1)] = 64

    def __post_init__(self) -> None:
        """Refuse to detect what is not asked for."""
        super().__post_init__()
        if self.detect_units and not self.action_units:
            raise ValueError("detect_units needs action_units: true, and the step of that name")

    def fit(
        self, x: NDArray[Any], y: NDArray[np.intp], *, n_classes: int, groups: NDArray[np.str_], seed: int
    ) -> Predictor:
        """Train by gradient descent, with detect_units the detectors first; see ``NetworkModel.fit``."""
        if not self.detect_units:
            return super().fit(x, y, n_classes=n_classes, groups=groups, seed=seed)
        self.check(x.shape[1:])
        return _detected.fit(self, self._detector(), x, y, n_classes=n_classes, groups=groups, seed=seed, **self._of(x))

    def fit_epochs(
        self, x: NDArray[Any], y: NDArray[np.intp], train_masks: NDArray[np.bool_], *,
        n_classes: int, groups: NDArray[np.str_], seed: int,
    ) -> Iterator[Sequence[Predictor]]:  # fmt: skip
        """Train the folds side by side and yield after each epoch; see ``EpochsModel.fit_epochs``."""
        if not self.detect_units:
            return super().fit_epochs(x, y, train_masks, n_classes=n_classes, groups=groups, seed=seed)
        self.check(x.shape[1:])
        folds = [
            _detected.after_each_epoch(
                self, self._detector(), x[mask], y[mask],
                n_classes=n_classes, groups=groups[mask], seed=seed, **self._of(x),
            )
            for mask in train_masks
        ]  # fmt: skip
        return zip(*folds, strict=True)

    def save(self, predictor: Predictor, folder: Path) -> None:
        """Write the network, and the detector where there is one; see ``NetworkModel.save``."""
        if not isinstance(predictor, _detected.DetectedPredictor):
            super().save(predictor, folder)
            return
        _saved.save(predictor.network, folder)
        _saved.save(predictor.detector, folder, _DETECTOR)

    def load(self, folder: Path) -> Predictor:
        """Read what ``save`` wrote; see ``NetworkModel.load``."""
        network = _saved.load(self, folder)
        if not self.detect_units:
            return network
        return _detected.DetectedPredictor(_saved.load(self._detector(), folder, _DETECTOR), network)

    def _detector(self) -> HybridMicroNet:
        return replace(self, action_units=False, detect_units=False)

    def _of(self, x: NDArray[Any]) -> dict[str, int]:
        return {"units": x.shape[-1] - CHANNELS, "folds": self.detector_folds}

    def check(self, shape: Shape) -> None:
        """Refuse what is not the features of one image, with action units behind them where they are wanted."""
        image = len(shape) == 4 and shape[0] == 1 and min(shape[1:3]) >= 7
        joined = shape[-1] - CHANNELS if image else 0
        if self.action_units and joined < 1:
            raise DataError(
                f"hybrid_micronet with action_units needs (n, T=1, 7, 7, 512 + units), got {shown(shape)}; let "
                "action_units follow vgg16 in the steps"
            )
        if self.action_units or (image and joined == 0):
            return
        if joined > 0:
            raise DataError(
                f"hybrid_micronet needs (n, T=1, 7, 7, 512), got {shown(shape)}; set action_units: true to read the "
                f"{joined} planes behind the features, or leave the step action_units out"
            )
        need_single("hybrid_micronet", shape, (7, 7, 512), "add vgg16 to the steps, after resize to 224x224")

    def layers(self, n_classes: int, shape: Shape | None = None) -> list[LayerRow]:
        """Return the network's table; without a shape for the paper's input, with the step's own units if any."""
        if shape is None and self.action_units:
            shape = (1, 7, 7, CHANNELS + len(UNITS))
        return super().layers(n_classes, shape)

    def network(self, shape: Shape, n_classes: int, rng: Generator) -> MicroResNet:
        """Build the head."""
        return MicroResNet(
            shape[-1],
            n_classes,
            joined=shape[-1] - CHANNELS,
            padding_value=self.padding_value,
            residual_attention=self.residual_attention,
            rng=rng,
        )
