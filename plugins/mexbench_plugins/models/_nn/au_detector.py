"""Action units that a network reads from a detector of its own instead of from the annotation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np
from numpy.typing import NDArray

from mexbench_plugins.models._nn import trainer
from mexbench_plugins.models._nn.network_model import NetworkModel


@dataclass(frozen=True, eq=False)
class DetectedPredictor:
    """A network behind the detector that gives its action units; a sample's annotated planes are never read.

    Args:
        detector: Reads the features (n, T, H, W, channels) alone.
        network: Reads features and units.
    """

    detector: trainer.NetworkPredictor
    network: trainer.NetworkPredictor

    @property
    def history(self) -> trainer.History:
        """The network's learning curves."""
        return self.network.history

    @property
    def health(self) -> Mapping[str, float]:
        """The network's health."""
        return self.network.health

    def __call__(self, x: NDArray[Any], /) -> NDArray[np.float64]:
        """Return scores (n, n_classes) for x (n, T, H, W, channels + units)."""
        features = x[..., : -self.detector.n_classes]
        return self.network(_with_planes(features, self.detector(features)))


def fit(
    model: NetworkModel,
    detector_model: NetworkModel,
    x: NDArray[Any],
    y: NDArray[np.intp],
    *,
    n_classes: int,
    units: int,
    folds: int,
    groups: NDArray[np.str_],
    seed: int,
) -> DetectedPredictor:
    """Train a detector on the annotated units of a training side, and the network on detected units.

    Args:
        model: The network.
        detector_model: The detector, which reads the features alone.
        x: Samples (n, T, H, W, channels + units); a plane is above 0.5 where its unit is annotated.
        y: Class indices (n,).
        n_classes: Number of classes.
        units: Number of units.
        folds: As in ``with_detected_units``.
        groups: Subject of each sample (n,).
        seed: Source of all randomness.
    """
    samples, detector = with_detected_units(detector_model, x, units=units, folds=folds, groups=groups, seed=seed)
    build = model.builder(x.shape[1:], n_classes)
    network = trainer.train(model, build, samples, y, n_classes=n_classes, groups=groups, seed=seed)
    return DetectedPredictor(detector, network)


def after_each_epoch(
    model: NetworkModel,
    detector_model: NetworkModel,
    x: NDArray[Any],
    y: NDArray[np.intp],
    *,
    n_classes: int,
    units: int,
    folds: int,
    groups: NDArray[np.str_],
    seed: int,
) -> Iterator[DetectedPredictor]:
    """As ``fit``, and yield the predictor after each epoch of the network."""
    samples, detector = with_detected_units(detector_model, x, units=units, folds=folds, groups=groups, seed=seed)
    build = model.builder(x.shape[1:], n_classes)
    for network in trainer.after_each_epoch(model, build, samples, y, n_classes=n_classes, seed=seed):
        yield DetectedPredictor(detector, network)


def with_detected_units(
    detector_model: NetworkModel,
    x: NDArray[Any],
    *,
    units: int,
    folds: int,
    groups: NDArray[np.str_],
    seed: int,
) -> tuple[NDArray[Any], trainer.NetworkPredictor]:
    """Replace the annotated units by detected ones, and return the detector of the test side as well.

    A detector has memorised the samples that it trained on, and not those of a test side. So that the network meets the
    same kind of units on both sides, those of a training sample come from a detector that was trained without its
    subject: subjects are dealt into ``folds`` parts, and the units of each part come from a detector of the others.

    Raises:
        ValueError: There is only one subject.
    """
    features, present = x[..., :-units], x[:, 0, 0, 0, -units:] > 0.5
    names, group_of = np.unique(groups, return_inverse=True)
    if len(names) < 2:
        raise ValueError(
            f"detect_units trains detectors without one part of the subjects at a time, but all samples are of "
            f"{names[0]}; set detect_units: false"
        )
    build = detector_model.builder(features.shape[1:], units)
    order = trainer.generator(jax.random.key(seed), trainer.CROSS).permutation(len(names))
    part_of = (order % min(folds, len(names)))[group_of]

    def train(mask: NDArray[np.bool_]) -> trainer.NetworkPredictor:
        return trainer.train(
            detector_model,
            build,
            features[mask],
            present[mask],
            n_classes=units,
            groups=groups[mask],
            seed=seed,
            head="sigmoid",
        )

    detected = np.zeros(present.shape)
    for part in np.unique(part_of):
        detected[part_of == part] = train(part_of != part)(features[part_of == part])
    return _with_planes(features, detected), train(np.ones(len(x), dtype=bool))


def _with_planes(features: NDArray[Any], units: NDArray[np.float64]) -> NDArray[Any]:
    shape = (*features.shape[:-1], units.shape[1])
    planes = np.broadcast_to(units[:, None, None, None].astype(features.dtype), shape)
    return np.concatenate([features, planes], axis=-1)
