"""Action units that a network reads from a detector of its own instead of from the annotation."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import jax
import numpy as np
from numpy.typing import NDArray

from mexbench_plugins.models._nn import trainer as _training

if TYPE_CHECKING:
    from mexbench_plugins.models._nn.network_model import NetworkModel


@dataclass(frozen=True, eq=False)
class DetectedPredictor:
    """A network behind the detector that gives its action units; what a sample's planes say is never looked at.

    Args:
        detector: Sees the features (n, T, H, W, channels) alone.
        network: Sees features and units.
    """

    detector: _training.NetworkPredictor
    network: _training.NetworkPredictor

    @property
    def history(self) -> _training.History:
        """The network's learning curves."""
        return self.network.history

    def __call__(self, x: NDArray[Any], /) -> NDArray[np.float64]:
        """Return scores (n, n_classes) for x (n, T, H, W, channels + units)."""
        features = _features(x, self.detector.n_classes)
        return self.network(_joined(features, self.detector(features)))


def fit(
    model: NetworkModel,
    recipe: NetworkModel,
    x: NDArray[Any],
    y: NDArray[np.intp],
    *,
    n_classes: int,
    units: int,
    folds: int,
    groups: NDArray[np.str_],
    seed: int,
) -> DetectedPredictor:
    """Train a detector on the annotated units of a training side, and the network on what detectors say of it.

    Args:
        model: The network.
        recipe: The detector, which sees the features alone.
        x: Samples (n, T, H, W, channels + units); a plane is above 0.5 where its unit is annotated.
        y: Class indices (n,).
        n_classes: Number of classes.
        units: Number of units.
        folds: As in ``prepared``.
        groups: Subject of each sample (n,).
        seed: Source of all randomness.
    """
    detected, detector = prepared(recipe, x, units=units, folds=folds, groups=groups, seed=seed)
    network = _training.train(model, detected, y, n_classes=n_classes, groups=groups, seed=seed)
    return DetectedPredictor(detector, network)


def after_each_epoch(
    model: NetworkModel,
    recipe: NetworkModel,
    x: NDArray[Any],
    y: NDArray[np.intp],
    *,
    n_classes: int,
    units: int,
    folds: int,
    groups: NDArray[np.str_],
    seed: int,
) -> Iterator[DetectedPredictor]:
    """As ``fit``, and yield what there is after each epoch of the network."""
    detected, detector = prepared(recipe, x, units=units, folds=folds, groups=groups, seed=seed)
    for network in _training.after_each_epoch(model, detected, y, n_classes=n_classes, seed=seed):
        yield DetectedPredictor(detector, network)


def prepared(
    recipe: NetworkModel, x: NDArray[Any], *, units: int, folds: int, groups: NDArray[np.str_], seed: int
) -> tuple[NDArray[Any], _training.NetworkPredictor]:
    """Put what a detector says in the place of the annotation, and return the detector of the test side as well.

    A detector knows the samples that it learned from by heart, and those of a test side it does not. So that the
    network meets the same kind of units on both sides, a training sample's are those of a detector that was trained
    without its subject: subjects are dealt out to ``folds`` parts, each of which is told by a detector of the others.

    Raises:
        ValueError: There is one subject alone.
    """
    features, shown = _features(x, units), x[:, 0, 0, 0, -units:] > 0.5
    names, group_of = np.unique(groups, return_inverse=True)
    if len(names) < 2:
        raise ValueError(
            f"detect_units trains detectors without one subject after the other, but all samples are of {names[0]}; "
            "set detect_units: false"
        )
    order = _training.generator(jax.random.key(seed), _training.CROSS).permutation(len(names))
    part_of = (order % min(folds, len(names)))[group_of]

    def trained(mask: NDArray[np.bool_]) -> _training.NetworkPredictor:
        return _training.train(
            recipe, features[mask], shown[mask], n_classes=units, groups=groups[mask], seed=seed, head="sigmoid"
        )

    told = np.zeros(shown.shape)
    for part in np.unique(part_of):
        told[part_of == part] = trained(part_of != part)(features[part_of == part])
    return _joined(features, told), trained(np.ones(len(x), dtype=bool))


def _features(x: NDArray[Any], units: int) -> NDArray[Any]:
    return x[..., :-units]


def _joined(features: NDArray[Any], told: NDArray[np.float64]) -> NDArray[Any]:
    planes = np.broadcast_to(told[:, None, None, None].astype(features.dtype), (*features.shape[:-1], told.shape[1]))
    return np.concatenate([features, planes], axis=-1)
