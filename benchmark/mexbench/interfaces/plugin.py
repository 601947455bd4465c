"""All that the author of a plugin reads: a few records and the four interfaces.

A plugin is a class that implements one interface. Its parameters are the typed fields of its frozen dataclass:
they are the schema of its block in a config, its page in ``bench info`` and part of a task's fingerprint.

    @dataclass(frozen=True, kw_only=True)
    class NearestMean(Model):
        '''Assign a sample to the class whose mean is nearest.'''

        metric: Literal["euclidean", "cosine"] = "euclidean"

        def fit(self, x, y, *, n_classes, groups, seed): ...

The docstring of the class explains each parameter in a section ``Args:``, as those below do.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from mexbench.errors import DataError
from mexbench.interfaces.sample import UNITS, CaseStudy, Clip, CodedUnits, Erratum, Finding, Fold, LayerRow

# isort: split
from mexbench.interfaces.sample import Origin, Predictor, Sample

__all__ = [
    "UNITS", "Augmentation", "CaseStudy", "Clip", "CodedUnits", "Dataset", "EpochsModel", "Erratum", "Finding", "Fold",
    "FoldsModel", "LayerRow", "Model", "Origin", "Plugin", "Predictor", "Preprocessor", "Protocol", "Sample",
    "UnitsModel",
]  # fmt: skip


class Plugin:
    """What the four kinds of plugin share: honest metadata, and flags that every table shows."""

    #: Paper, section and table, or DOI, of what is re-implemented or of the data.
    source: ClassVar[str] = ""
    #: Licence or conditions of the data, or of the weights.
    licence: ClassVar[str] = ""

    def flags(self) -> tuple[str, ...]:
        """Return words that must stand beside every score made with this plugin, such as ``synthetic``."""
        return ()

    def provenance(self) -> Mapping[str, str]:
        """Return what decides results and is no parameter, such as the SHA-256 of a file of weights; no path.

        It is part of a run's identity, which the manifest holds, and of the keys of the cache.

        Raises:
            DataError: What is needed is not there.
        """
        return {}


class Dataset(Plugin, ABC):
    """Data as it lies on disk. ``samples`` reads metadata alone; ``load`` reads one sample's pixels."""

    @abstractmethod
    def label_map(self) -> Mapping[str, str]:
        """Return emotion -> class. The order of first appearance is the order of the classes.

        A sample whose emotion is not a key is left out of a run, counted and named.
        """

    @abstractmethod
    def samples(self) -> Sequence[Sample]:
        """Return every sample, in any order: the engine sorts by id.

        Raises:
            DataError: The data is missing, incomplete or contradicts itself.
        """

    @abstractmethod
    def load(self, sample: Sample) -> Clip:
        """Read one sample.

        Raises:
            DataError: The sample cannot be read; the text names its file.
        """

    def display_name(self) -> str | None:
        """Return the name for every output, where the plugin's own would mislead; None for the plugin's own."""
        return None

    def notice(self) -> str | None:
        """Return what a user must know before reading any figure made with this data; a run prints it in a box."""
        return None

    @classmethod
    def known_errata(cls) -> Sequence[Erratum]:
        """Return every correction that this loader knows, for ``bench info``."""
        return ()

    def applied_errata(self) -> Sequence[Erratum]:
        """Return the corrections that ``samples`` made; a run records them."""
        return ()

    def findings(self) -> Sequence[Finding]:
        """Return what is irregular about this copy of the data, for ``bench check``. Reads no pixels."""
        return ()

    def coded_units(self) -> Sequence[CodedUnits]:
        """Return the action units of every annotated clip, for ``bench analyse``; () where there are none.

        Raises:
            DataError: The annotation cannot be read.
        """
        return ()

    def frame_numbers(self, sample: Sample) -> Sequence[int]:
        """Return the published numbers of a clip's frames, rising; () where a sample is no sequence of frames."""
        del sample
        return ()

    def load_frames(self, sample: Sample, numbers: Sequence[int]) -> Clip:
        """Read the frames with these numbers alone, in this order.

        Raises:
            DataError: One cannot be read; the text names its file.
        """
        raise DataError(f"{sample.sample_id} is no sequence of frames: frames {list(numbers)} cannot be chosen")

    def files(self, sample: Sample, numbers: Sequence[int] | None = None) -> Sequence[Path]:
        """Return the files that ``load`` or ``load_frames`` reads, so that a cache notices when one changes.

        () where there are none: then a sample is loaded to see whether it changed.
        """
        del sample, numbers
        return ()


class Preprocessor(Plugin, ABC):
    """A stateless, label-blind step: it sees one clip, never a label and never another sample."""

    #: Shape (T, H, W, C) and type of a clip that the conformance kit may use; set them where a step needs its own.
    example_shape: ClassVar[tuple[int, int, int, int]] = (5, 64, 64, 3)
    example_dtype: ClassVar[str] = "uint8"
    finds_faces: ClassVar[bool] = False  #: it raises NoFace, notes "no face found" or "several faces found"

    def needs_origin(self) -> bool:
        """Whether the step must know which clip it sees; else ``Clip.origin`` is None, for an id may tell the label."""
        return False

    @abstractmethod
    def __call__(self, clip: Clip) -> Clip:
        """Return a new clip; the given one is read-only.

        Raises:
            SampleRejected: This clip cannot be used, with the reason: the run leaves it out, counts it and names it.
            DataError: Something is wrong that ends the run.
        """


class Augmentation(Preprocessor):
    """A step that also makes altered copies for the training side. A test sample is never altered.

    Each copy goes through the steps that follow, as the original does, and trains under the original's label whenever
    the original trains.
    """

    #: How many altered copies a training sample gets; a field of the plugin.
    copies: int

    @abstractmethod
    def vary(self, clip: Clip, rng: np.random.Generator) -> Clip:
        """Return an altered copy of the same shape; ``rng`` is the only source of randomness."""

    def __call__(self, clip: Clip) -> Clip:
        """Leave the original alone."""
        return clip


class Model(Plugin, ABC):
    """A recipe for a predictor. It keeps nothing between two calls of ``fit``."""

    #: Shape (T, ...) and type of a sample that the conformance kit may use; set them where a model needs its own.
    example_shape: ClassVar[tuple[int, ...]] = (1, 6, 6, 3)
    example_dtype: ClassVar[str] = "uint8"

    @abstractmethod
    def fit(
        self, x: NDArray[Any], y: NDArray[np.intp], *, n_classes: int, groups: NDArray[np.str_], seed: int
    ) -> Predictor:
        """Train on the training side of one fold and return a new predictor.

        Whatever is learned from data (scalers, feature selection, stopping, tuning) is learned in here, from these
        samples alone; an inner validation part is cut by ``groups``.

        Args:
            x: Samples (n, T, ...), in the order of their ids.
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
            DataError: The text names the shape that is needed, the one that came, and the step that mends it.
        """

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
            ValueError: What the files say cannot be: weights of another shape, numbers that are not finite.
        """
        raise NotImplementedError

    def layers(self, n_classes: int) -> Sequence[LayerRow]:
        """Return a network's table, for ``bench info NAME --classes N``; () for what has no layers."""
        del n_classes
        return ()


class UnitsModel(Model, ABC):
    """A model that can also detect action units, several of which may show at once; ``target: action_units`` asks."""

    @abstractmethod
    def fit_units(self, x: NDArray[Any], y: NDArray[np.bool_], *, groups: NDArray[np.str_], seed: int) -> Predictor:
        """Train on the training side of one fold and return a new predictor; all else is as in ``Model.fit``.

        ``y`` says which units show (n, units), one perhaps always or never; of scores in [0, 1], 0.5 and more say so.
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

        A sample outside a fold's mask leaves no trace in that fold's predictor: in no gradient, in no statistic. Folds
        may share the order of samples and other noise, so a predictor need not be the one that ``fit`` returns.

        Args:
            x: All samples (n, T, ...), of every fold, in the order of their ids.
            y: Class indices (n,); that of a held-out sample must not be used.
            train_masks: Which samples train in which fold (folds, n), at least one in each.
            n_classes: As in ``fit``.
            groups: As in ``fit``.
            seed: As in ``fit``; what is drawn from it alone, such as initial weights, is the same as there.
        """


class EpochsModel(Model, ABC):
    """A model that can also show the predictor that it has after each epoch; ``bench audit`` asks for them.

    No ordinary run does: which epoch is best on a test side is known only to whoever looks at the test side.
    """

    #: How many epochs there are; a field of the plugin.
    epochs: int

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


class Protocol(Plugin, ABC):
    """Which samples train and which test."""

    @property
    def subject_independent(self) -> bool:
        """Whether disjoint subjects are promised: then a fold that breaks the promise is refused, else flagged."""
        return True

    @property
    def case_study(self) -> CaseStudy | None:
        """Which data set models are only applied to, labelled or not; None where every sample needs a label."""
        return None

    def label_map(self, label_map: Mapping[str, str]) -> Mapping[str, str]:
        """Return emotion -> class for this protocol: the dataset's own map unless the protocol has another."""
        return label_map

    @abstractmethod
    def folds(self, samples: Sequence[Sample]) -> Sequence[Fold]:
        """Split samples, which come sorted by id and labelled, those of a case study aside.

        Raises:
            ProtocolError: The protocol cannot be carried out on these samples, with the reason.
        """
