"""How a network is trained: typed options, which are fields of every network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import numpy as np
from annotated_types import Ge, Gt, Le, Lt
from numpy.typing import NDArray

if TYPE_CHECKING:
    import optax

Optimiser = Literal["sgd", "adam", "adamw", "rmsprop"]
Activation = Literal["relu", "sigmoid", "tanh", "elu"]


@dataclass(frozen=True, kw_only=True)
class Training:
    """Options of the training engine.

    Args:
        optimiser: adam and rmsprop use their libraries' usual decay rates (.9 and .999; .9).
        learning_rate: Step size, the same in every epoch.
        momentum: Of sgd and rmsprop.
        nesterov: Whether sgd looks ahead along the momentum.
        weight_decay: L2 penalty, added to the gradient of every weight before momentum, as PyTorch does; adamw applies
            it beside the gradient.
        epochs: Passes over the training side; a maximum with early stopping.
        batch_size: Samples per step; the last batch of an epoch may be smaller.
        class_weight: balanced weighs a class by the inverse of its frequency in training; the weighted losses are
            averaged over samples, as Keras does.
        early_stopping: Epochs without a lower validation loss after which training ends; null trains all epochs and
            cuts no validation part.
        validation_share: Share of the training side that early stopping watches, cut by subject.
        keep: Weights of the last epoch, or of the one with the best validation loss; best needs early_stopping.
        pixels: unit divides whole-number pixels by 255 and leaves floats unchanged; raw scales nothing.
        batch_norm_statistics: What batch normalisation uses after training. exact: mean and variance over the training
            side (without a validation part), computed with the final weights. running: the moving average of the
            training steps, as in Keras and PyTorch, which lags behind the weights where steps are few. Networks without
            batch normalisation have neither.
    """

    optimiser: Optimiser = "adam"
    learning_rate: Annotated[float, Gt(0)] = 1e-3
    momentum: Annotated[float, Ge(0), Lt(1)] = 0.0
    nesterov: bool = False
    weight_decay: Annotated[float, Ge(0)] = 0.0
    epochs: Annotated[int, Ge(1)] = 50
    batch_size: Annotated[int, Ge(1)] = 32
    class_weight: Literal["balanced"] | None = None
    early_stopping: Annotated[int, Ge(1)] | None = None
    validation_share: Annotated[float, Gt(0), Lt(1)] = 0.2
    keep: Literal["last", "best"] = "last"
    pixels: Literal["unit", "raw"] = "unit"
    batch_norm_statistics: Literal["exact", "running"] = "exact"

    def trains_all_epochs(self) -> bool:
        """Return whether nothing ends the training early; see ``EpochsModel.trains_all_epochs``."""
        return self.early_stopping is None

    def __post_init__(self) -> None:
        """Refuse options that would have no effect, so that no config states what did not happen.

        Raises:
            ValueError: Two options contradict each other.
        """
        if self.keep == "best" and self.early_stopping is None:
            raise ValueError("keep: best needs early_stopping: without it there is no validation part")
        if self.momentum and self.optimiser not in ("sgd", "rmsprop"):
            raise ValueError(f"momentum is an option of sgd and rmsprop; {self.optimiser} has its own")
        if self.nesterov and not (self.optimiser == "sgd" and self.momentum):
            raise ValueError("nesterov needs optimiser: sgd and a momentum")

    #: Whether a batch far larger than the data is cut down: less is computed, and sums round another way.
    cuts_batches: ClassVar[bool] = False
    #: Whether the step size changes between epochs.
    decays: ClassVar[bool] = False

    def rate_factor(self, epoch: int) -> float:
        """Return what the step size of an epoch, from 1 on, is multiplied by."""
        del epoch
        return 1.0

    def epoch_order(self, train_idx: NDArray[np.intp], y: NDArray[Any], rng: np.random.Generator) -> NDArray[np.intp]:
        """Return the training samples in the order of one epoch: drawn anew each time.

        Args:
            train_idx: Positions of the samples that train.
            y: Class indices of all samples (n,), or present units (n, units).
            rng: Source of the order.
        """
        del y
        return rng.permutation(train_idx)

    def orders_by_label(self) -> bool:
        """Return whether the order of an epoch depends on labels."""
        return False

    def compiled_part(self) -> Training:
        """Return the options that the compiled functions depend on, so that sweeps of all others compile once."""
        return Training(
            optimiser=self.optimiser,
            learning_rate=self.learning_rate,
            momentum=self.momentum,
            nesterov=self.nesterov,
            weight_decay=self.weight_decay,
            pixels=self.pixels,
        )

    def transformation(self) -> optax.GradientTransformation:
        """Return the optimiser."""
        import optax

        rate, momentum = self.learning_rate, self.momentum or None
        if self.optimiser == "adamw":
            return optax.adamw(rate, weight_decay=self.weight_decay)
        if self.optimiser == "sgd":
            step = optax.sgd(rate, momentum=momentum, nesterov=self.nesterov)
        elif self.optimiser == "rmsprop":
            step = optax.rmsprop(rate, decay=0.9, eps=1e-7, eps_in_sqrt=False, momentum=momentum)
        else:
            step = optax.adam(rate)
        return optax.chain(optax.add_decayed_weights(self.weight_decay), step) if self.weight_decay else step


@dataclass(frozen=True, kw_only=True)
class StepDecay(Training):
    """A recipe whose step size falls every so many epochs.

    Args:
        decay_every: Epochs after which the step size falls.
        decay_factor: What it is multiplied by; 1 keeps it.
    """

    decays: ClassVar[bool] = True

    decay_every: Annotated[int, Ge(1)] = 10
    decay_factor: Annotated[float, Gt(0), Le(1)] = 0.5

    def rate_factor(self, epoch: int) -> float:
        """Return the factor of an epoch: 1 in the first ``decay_every`` of them."""
        return self.decay_factor ** ((epoch - 1) // self.decay_every)


@dataclass(frozen=True, kw_only=True)
class ClassOrder(Training):
    """A recipe that may read the training side in a fixed order.

    Args:
        order: by_class goes through class 0, then class 1 and so on, in the order of sample ids, in every epoch alike;
            shuffled draws a new order in each epoch.
    """

    order: Literal["by_class", "shuffled"] = "by_class"

    def epoch_order(self, train_idx: NDArray[np.intp], y: NDArray[Any], rng: np.random.Generator) -> NDArray[np.intp]:
        """Return the order of one epoch."""
        if self.order == "shuffled":
            return super().epoch_order(train_idx, y, rng)
        return train_idx[np.argsort(y[train_idx], kind="stable")]

    def orders_by_label(self) -> bool:
        """Return whether samples are read class by class."""
        return self.order == "by_class"
