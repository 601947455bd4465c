"""What the outputs of a network's last layer mean: the loss, the count of correct answers and the scores."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import Array
from numpy.typing import NDArray

HeadName = Literal["softmax", "sigmoid"]

_TINY = np.finfo(np.float64).tiny


class Head(ABC):
    """From logits to a loss, a count of correct answers and scores; ``y`` and ``weights`` are those of the batch."""

    name: HeadName

    @abstractmethod
    def loss(self, logits: Array, y: Array, weights: Array) -> Array:
        """Return the weighted losses of a batch, summed over samples; a sample of weight 0 counts for nothing."""

    @abstractmethod
    def n_correct(self, logits: Array, y: Array, mask: Array) -> Array:
        """Return the number of correct samples, or the sum of their shares of correct units."""

    @abstractmethod
    def log_probs(self, logits: Array) -> Array:
        """Return the logarithm of the scores (n, units)."""

    @abstractmethod
    def weights(self, y: NDArray[Any], n_units: int, kind: str | None) -> NDArray[np.float32]:
        """Return the weights of a training side (..., units); ``kind`` is the option ``class_weight``."""

    @abstractmethod
    def row_weights(self, weights: NDArray[np.float32], y: NDArray[Any]) -> NDArray[np.float32]:
        """Return the weight of each row's loss: (n,) or (n, units)."""

    @abstractmethod
    def trained(self, weights: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Return which units may score above 0 (units,)."""

    @abstractmethod
    def guess_loss(self, y: NDArray[Any], weights: NDArray[np.float32]) -> float:
        """Return the least weighted loss of a training side that answers without looking at a sample can have.

        It is that of the (weighted) frequencies of the classes.
        """

    @abstractmethod
    def answers(self, scores: NDArray[np.float64]) -> NDArray[Any]:
        """Return the predicted class indices (n,), or the predicted units (n, units), of scores."""

    @abstractmethod
    def val_metrics(self, log_probs: NDArray[np.float64], y: NDArray[Any]) -> tuple[float, float]:
        """Return the mean loss, unweighted, and the accuracy of ``log_probs`` (n, units)."""


class Softmax(Head):
    """One class of several: y holds class indices (n,), and the loss is cross-entropy."""

    name: HeadName = "softmax"

    def loss(self, logits: Array, y: Array, weights: Array) -> Array:
        """Sum the weighted cross-entropies."""
        return jnp.sum(optax.softmax_cross_entropy_with_integer_labels(logits, y) * weights)

    def n_correct(self, logits: Array, y: Array, mask: Array) -> Array:
        """Count the samples whose class has the highest logit."""
        return jnp.sum((logits.argmax(1) == y) * mask)

    def log_probs(self, logits: Array) -> Array:
        """Return log-probabilities, which sum to 1."""
        return jax.nn.log_softmax(logits)

    def weights(self, y: NDArray[Any], n_units: int, kind: str | None) -> NDArray[np.float32]:
        """Return a weight per class; see ``class_weights``."""
        return class_weights(y, n_units, kind)

    def row_weights(self, weights: NDArray[np.float32], y: NDArray[Any]) -> NDArray[np.float32]:
        """Look up each row's class."""
        return weights[y]

    def trained(self, weights: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Exclude a class that is absent from the training side."""
        return weights > 0

    def guess_loss(self, y: NDArray[Any], weights: NDArray[np.float32]) -> float:
        """Return the entropy of the classes."""
        return float(_entropy(np.bincount(y, weights[y], len(weights))[:, None]).sum() / len(y))

    def answers(self, scores: NDArray[np.float64]) -> NDArray[Any]:
        """Return the class of the highest score."""
        return scores.argmax(1)

    def val_metrics(self, log_probs: NDArray[np.float64], y: NDArray[Any]) -> tuple[float, float]:
        """Score the true classes."""
        return float(-log_probs[np.arange(len(y)), y].mean()), float((log_probs.argmax(1) == y).mean())


class Sigmoid(Head):
    """Several units at once: y holds 0 and 1 (n, units), and the loss of a sample is the mean over its units.

    That of a unit is binary cross-entropy, -log p where it is present and -log (1 - p) where it is absent.
    """

    name: HeadName = "sigmoid"

    def loss(self, logits: Array, y: Array, weights: Array) -> Array:
        """Sum the weighted binary cross-entropies, each sample's averaged over units."""
        return jnp.sum(optax.sigmoid_binary_cross_entropy(logits, y.astype(logits.dtype)) * weights) / logits.shape[1]

    def n_correct(self, logits: Array, y: Array, mask: Array) -> Array:
        """Sum each sample's share of correct units."""
        return jnp.sum(((logits >= 0) == (y > 0)).mean(1) * mask)

    def log_probs(self, logits: Array) -> Array:
        """Return log-probabilities of presence."""
        return jax.nn.log_sigmoid(logits)

    def weights(self, y: NDArray[Any], n_units: int, kind: str | None) -> NDArray[np.float32]:
        """Return weights (2, units) of a unit that is absent and of one that is present.

        Balanced ones give both the same sum, n / 2, in each unit that has both; otherwise they are 1.
        """
        weights = np.ones((2, n_units), np.float32)
        present = y.sum(0)
        both = (present > 0) & (present < len(y))
        if kind is not None:
            for row, counts in zip(weights, (len(y) - present, present), strict=True):
                row[both] = len(y) / (2 * counts[both])
        return weights

    def row_weights(self, weights: NDArray[np.float32], y: NDArray[Any]) -> NDArray[np.float32]:
        """Choose each unit's weight by its presence."""
        return np.where(y, weights[1], weights[0])

    def trained(self, weights: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Return True for every unit: that one is never present is learned too."""
        return np.ones(weights.shape[1], bool)

    def guess_loss(self, y: NDArray[Any], weights: NDArray[np.float32]) -> float:
        """Return the mean entropy of the units."""
        present = (y > 0).sum(0)
        return float(_entropy(np.stack([len(y) - present, present]) * weights).sum() / y.size)

    def answers(self, scores: NDArray[np.float64]) -> NDArray[Any]:
        """Return which units have a probability of at least one half."""
        return scores >= 0.5

    def val_metrics(self, log_probs: NDArray[np.float64], y: NDArray[Any]) -> tuple[float, float]:
        """Score every unit of every sample."""
        absent = np.log(np.maximum(-np.expm1(log_probs), _TINY))
        return float(-np.where(y, log_probs, absent).mean()), float(((log_probs >= np.log(0.5)) == y).mean())


def _entropy(totals: NDArray[Any]) -> NDArray[np.float64]:
    """Return the entropy of the columns (m,) of total weights (classes, m), times the total weight of the column."""
    shares = totals / np.maximum(totals.sum(0), _TINY)
    return -(totals * np.log(np.where(shares > 0, shares, 1))).sum(0)


HEADS: dict[HeadName, Head] = {"softmax": Softmax(), "sigmoid": Sigmoid()}


def class_weights(y: NDArray[np.intp], n_classes: int, kind: str | None) -> NDArray[np.float32]:
    """Return a weight per class (n_classes,), 0 for a class that is absent; balanced weights average 1 over samples."""
    counts = np.bincount(y, minlength=n_classes)
    present = counts > 0
    if kind is None:
        return present.astype(np.float32)
    return np.where(present, len(y) / (present.sum() * np.maximum(counts, 1)), 0).astype(np.float32)
