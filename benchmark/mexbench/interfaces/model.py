"""A model, what it may also do, and the predictor that it returns."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from mexbench.interfaces.plugin import Plugin


class Model(Plugin, ABC):
    """A recipe for a predictor. It keeps nothing between two calls of ``fit``."""

    #: Shape (T, ...) and type of a sample that the conformance kit may use; set them where a model needs its own.
    example_shape: ClassVar[tuple[int, ...]] = (1, 6, 6, 3)
    example_dtype: ClassVar[str] = "uint8"
    #: Whether ``fit`` and the predictor take ``Rows`` for ``x``, which read samples from the disk as they are asked
    #: for, in place of an array of all of them. What trains in batches says so: then no number of samples is too large.
    reads_rows: ClassVar[bool] = False
    #: Whether ``fit`` copies ``x``; ``--memory`` counts the copy.
    copies_samples: ClassVar[bool] = False

    @abstractmethod
    def fit(
        self, x: NDArray[Any], y: NDArray[np.intp], *, n_classes: int, groups: NDArray[np.str_], seed: int
    ) -> Predictor:
        """Train on the training side of one fold and return a new predictor.

        Whatever is learned from data (scalers, feature selection, stopping, tuning) is learned in here, from these
        samples alone; an inner validation part is cut by ``groups``.

        Args:
            x: Samples (n, T, ...), in the order of their ids; an array, or ``Rows`` where ``reads_rows`` says so.
            y: Class indices (n,) in ``range(n_classes)``; a class may be absent.
            n_classes: Number of classes of the run.
            groups: Subject of each sample (n,), or its clip where the data names no subjects.
            seed: Source of all randomness: the same seed gives the same predictor.
        """

    def check(self, shape: tuple[int, ...]) -> None:
        """Refuse samples that the model is not made for, before anything is trained; a model may take any.

        Args:
            shape: Of one sample (T, ...).

        Raises:
            DataError: The text names the shape that is needed, the one that came, and the step that fixes it.
        """

    def reads_annotation(self) -> bool:
        """Whether predictors read what a step took from the annotation of the samples that they predict.

        Where it is False, films that nobody annotated can be predicted: a step's ``unannotated`` leaves blanks in them.
        """
        return True

    def save(self, predictor: Predictor, folder: Path) -> None:
        """Write a predictor that ``fit`` returned as files into an empty folder, for ``bench run --save-models``.

        Optional, together with ``load``: a run that asks for saved models is refused where a model lacks the two.
        ``mexbench.files`` has ``write_arrays`` for arrays and ``write_json`` for the rest. No pickle, which runs
        whatever a file says; no folder inside the folder, and no file called ``model.json``, which is the engine's.

        Raises:
            ValueError: This predictor cannot be saved, with the reason. The run names it and goes on.
        """
        raise NotImplementedError

    def load(self, folder: Path) -> Predictor:
        """Return the predictor that ``save`` wrote: it gives the same scores to the last bit, and trusts no file.

        The engine has seen that no file has changed and that this object has the parameters that the predictor was
        trained with.

        Raises:
            ValueError: The files have invalid contents: weights of another shape, numbers that are not finite.
        """
        raise NotImplementedError

    def layers(self, n_classes: int) -> Sequence[LayerRow]:
        """Return a network's table, for ``bench info NAME --classes N``; () for what has no layers."""
        del n_classes
        return ()


class ActionUnitModel(Model, ABC):
    """A model that can also detect action units, several of which may show at once; ``target: action_units`` asks."""

    @abstractmethod
    def fit_action_units(
        self, x: NDArray[Any], y: NDArray[np.bool_], *, groups: NDArray[np.str_], seed: int
    ) -> Predictor:
        """Train on the training side of one fold and return a new predictor; all else is as in ``Model.fit``.

        ``y`` (n, units) is True where a unit shows; a unit may show always or never. A score is in [0, 1]; a unit is
        predicted from 0.5.
        """


class FoldsModel(Model, ABC):
    """A model that may also train many folds at once: one compiled program instead of one training after the other."""

    @abstractmethod
    def folds_at_once(self) -> int:
        """Return how many folds to train together on this machine; 1 trains them one by one, with ``fit``."""

    @abstractmethod
    def fit_folds(
        self, x: NDArray[Any], y: NDArray[np.intp], train_masks: NDArray[np.bool_], *,
        n_classes: int, groups: NDArray[np.str_], seed: int,
    ) -> Sequence[Predictor]:  # fmt: skip
        """Train each fold on its own training side and return its predictor, in the order of the masks.

        **This is a promise of the model.** Folds that are trained together hold out each other's training samples, so
        ``y`` has the labels of every sample that trains in one of them: in leave-one-subject-out that is the label of
        every sample, and no interface can hide from one fold what another one is to learn from. ``bench test-plugin``
        changes what a fold holds out and compares its predictor; a model that means ill can pass that. Return 1 from
        ``folds_at_once`` to be handed the labels of one training side at a time.

        A sample outside a fold's mask leaves no trace in that fold's predictor: in no gradient, in no statistic. Folds
        may share the order of samples and other noise, so a predictor need not be the one that ``fit`` returns.

        Args:
            x: All samples (n, T, ...), of every fold, in the order of their ids; ``Rows`` where ``reads_rows`` is set.
            y: Class indices (n,); that of a held-out sample must not be used.
            train_masks: Which samples train in which fold (folds, n), at least one in each.
            n_classes: As in ``fit``.
            groups: As in ``fit``.
            seed: As in ``fit``; what is drawn from it alone, such as initial weights, is the same as there.
        """


class EpochsModel(Model, ABC):
    """A model that can also show the predictor that it has after each epoch; ``bench audit`` asks for them.

    No ordinary run does: which epoch is best on a test side is known only by looking at the test side.
    """

    #: How many epochs there are; a field of the plugin.
    epochs: int

    def trains_all_epochs(self) -> bool:
        """Return whether ``fit`` trains for all ``epochs`` and keeps the last, as ``fit_epochs`` does.

        ``bench audit`` then takes the last epoch of one training for the run, instead of training twice.
        """
        return False

    @abstractmethod
    def fit_epochs(
        self, x: NDArray[Any], y: NDArray[np.intp], train_masks: NDArray[np.bool_], *,
        n_classes: int, groups: NDArray[np.str_], seed: int,
    ) -> Iterator[Sequence[Predictor]]:  # fmt: skip
        """Train each fold for all ``epochs``, none of which ends the training early, and yield after each.

        Arguments and promises are those of ``FoldsModel.fit_folds``; without early stopping, the last predictors are
        those of ``fit_folds``, or of ``fit`` where there is one fold. Scores are probabilities.

        Yields:
            A predictor for each fold, in the order of the masks; it stays what it is when the training goes on.
        """


class TorchWeightsModel(Model, ABC):
    """A model whose authors publish weights of PyTorch, which ``bench import-weights`` turns into saved models."""

    @abstractmethod
    def from_torch(
        self, state: Mapping[str, NDArray[Any]], *, shape: tuple[int, ...], n_classes: int
    ) -> Predictor:  # fmt: skip
        """Return the predictor that published weights make: nothing is trained, and no sample is seen.

        Args:
            state: Name -> array, as ``state_dict()`` of the authors' module gives them; finite numbers.
            shape: Of one sample (T, ...).
            n_classes: Number of classes of the run.

        Raises:
            DataError: The network does not take samples of this shape.
            ValueError: Arrays are missing, unknown or of another shape; the text names them.
        """


@dataclass(frozen=True, slots=True)
class LayerRow:
    """One row of a network's table.

    Args:
        name: Kind and size, as the paper's table would print it.
        shape: Output shape of one sample.
        n_params: Weights and running statistics.
    """

    name: str
    shape: tuple[int, ...]
    n_params: int


class Predictor(Protocol):
    """What ``Model.fit`` returns: a fitted model, which cannot learn any more.

    It may have learning curves: an attribute ``history``, one mapping of names to finite numbers per epoch, such as
    ``{"epoch": 1, "loss": .9, "accuracy": .4, "val_loss": 1.1, "val_accuracy": .3}``. A run keeps them beside the
    scores, writes them to ``histories.csv`` and draws them with ``--figures``.

    It may also know how its training went: an attribute ``health``, a mapping of any of these names to finite numbers.
    A run keeps it beside the scores and flags rows by it (``mexbench.interfaces.health`` has the limits):

    - ``train_accuracy``: accuracy on the training side in the last epoch, in training mode; 0 to 1.
    - ``tested_accuracy``: accuracy of this predictor, as it is tested, on its own training side. Lower than
      ``train_accuracy`` by more than 15 points gives ``train-test-mode-gap``.
    - ``train_loss`` and ``guess_loss``: loss of the last epoch, and the loss of always answering with the class
      frequencies of the training side. A ``train_loss`` as high as the other gives ``undertrained``.
    - ``train_classes`` and ``predicted_classes``: numbers of distinct classes of the training side, and of those
      that the predictor gives to it. One of several gives ``constant``.
    """

    def __call__(self, x: NDArray[Any], /) -> NDArray[Any]:
        """Return finite scores (n, n_classes) for x (n, T, ...): the highest wins, the first one among equals."""
        ...
