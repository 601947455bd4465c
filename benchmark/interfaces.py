"""All that the author of a plugin reads: three records and four interfaces.

A plugin is a class that implements one interface. Its parameters are the typed fields of its frozen dataclass:
they are the schema of its block in a config, its page in ``bench info`` and part of a task's fingerprint.

    @dataclass(frozen=True, kw_only=True)
    class NearestMean(Model):
        '''Assign a sample to the class whose mean is nearest.

Args:
            metric: Distance between a sample and a mean.
        '''

        metric: Literal["euclidean", "cosine"] = "euclidean"

        def fit(self, x, y, *, n_classes, groups, seed): ...
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar
from typing import Protocol as StructuralType

import numpy as np
from numpy.typing import NDArray

from benchmark.errors import DataError


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """What is known about one sample before any pixel is read.

    Args:
        sample_id: Unique, namespaced: ``casme2/sub01/EP02_01f``, or ``casme2/sub01/EP02_01f#46`` for one frame.
        clip_id: The clip that the sample is (part of): ``casme2/sub01/EP02_01f``.
        subject: Namespaced subject, ``casme2/sub01``; None where the data names no subjects.
        dataset: The dataset, or the member of a composite, that the sample belongs to: ``casme2``.
        emotion: The dataset's own word; None for an unlabelled sample.
        label: Class index under the run's label map; set by the engine, never by a dataset.
        onset: Published number of the first frame of the expression, inclusive.
        apex: Published number of the frame of greatest intensity; may be missing.
        offset: Published number of the last frame of the expression, inclusive.
        apex_source: Where ``apex`` came from where it is not the dataset's own annotation.
        aus: Facial action units by number alone: ``{"AU4", "AU12"}``.
        fps: Frames per second of the recording, in Hz.
    """

    sample_id: str
    clip_id: str
    subject: str | None
    dataset: str
    emotion: str | None
    label: int | None = None
    onset: int | None = None
    apex: int | None = None
    offset: int | None = None
    apex_source: str | None = None
    aus: frozenset[str] = frozenset()
    fps: float | None = None

    @property
    def group(self) -> str:
        """The unit that must not stand on both sides of a split: the subject, or the clip where none is known."""
        return self.subject if self.subject is not None else self.clip_id


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Clip:
    """What a dataset loads and a preprocessor turns into another: pixels or features, and no label.

    Args:
        frames: Array whose first axis is time: ``(T, H, W, C)`` for images, RGB where C is 3, and ``(T, D)``
            for features. A still image or a flow field has T = 1.
        fps: Frames per second of ``frames``, in Hz.
        onset_index: Position of the onset in ``frames``.
        apex_index: Position of the apex in ``frames``.
        offset_index: Position of the offset in ``frames``.
        notes: What a user should know about this sample, such as "several faces, the largest taken"; a run counts
            equal texts over its samples and reports them.
    """

    frames: NDArray[Any]
    fps: float | None = None
    onset_index: int | None = None
    apex_index: int | None = None
    offset_index: int | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Erratum:
    """A correction of a published annotation.

    Args:
        sample_id: The sample it is for.
        field: What is corrected: a field of ``Sample``.
        published: The value in the annotation file.
        corrected: The value to use.
        reason: What is wrong with the published one.
        source: Where the correction comes from.
    """

    sample_id: str
    field: str
    published: str
    corrected: str
    reason: str
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something irregular about a copy of the data.

    Args:
        what: The kind of irregularity, the same words each time: "clip folder missing".
        where: Sample id, file or folder.
        detail: What exactly.
        dropped: Whether the sample cannot be used, so that ``samples`` leaves it out.
    """

    what: str
    where: str
    detail: str = ""
    dropped: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Fold:
    """One train-test split, by sample id.

    Args:
        name: Unique within the run; under LOSO the held-out subject.
        train: Sample ids that a model is fitted on.
        test: Sample ids that it is then asked about, once.
        repeat: Which draw of the same split this is part of, from 0. A sample is tested at most once in each; scores
            are pooled within a repeat and averaged over repeats. A fold of a repeated split has a name that starts
            with ``repeat N``, N from 1, by which a reader of the predictions tells the repeats apart.
    """

    name: str
    train: tuple[str, ...]
    test: tuple[str, ...]
    repeat: int = 0


class Plugin:
    """What the four kinds of plugin share: honest metadata, and flags that every table shows."""

    #: Paper, section and table, or DOI, of what is re-implemented or of the data.
    source: ClassVar[str] = ""
    #: Licence or conditions of the data, or of the weights.
    licence: ClassVar[str] = ""

    def flags(self) -> tuple[str, ...]:
        """Return words that must stand beside every score made with this plugin, such as ``synthetic``."""
        return ()


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


class Predictor(StructuralType):
    """What ``Model.fit`` returns: a fitted model, which cannot learn any more."""

    def __call__(self, x: NDArray[Any], /) -> NDArray[Any]:
        """Return finite scores (n, n_classes) for x (n, T, ...): the highest wins, the first one among equals."""
        ...


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


class Protocol(Plugin, ABC):
    """Which samples train and which test."""

    @property
    def subject_independent(self) -> bool:
        """Whether disjoint subjects are promised: then a fold that breaks the promise is refused, else flagged."""
        return True

    def label_map(self, label_map: Mapping[str, str]) -> Mapping[str, str]:
        """Return emotion -> class for this protocol: the dataset's own map unless the protocol has another."""
        return label_map

    @abstractmethod
    def folds(self, samples: Sequence[Sample]) -> Sequence[Fold]:
        """Split labelled samples, which come sorted by id.

        Raises:
            ProtocolError: The protocol cannot be carried out on these samples, with the reason.
        """
