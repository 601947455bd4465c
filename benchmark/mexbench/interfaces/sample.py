"""The records that plugins and the engine hand each other; authors import them from ``mexbench.interfaces``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from numpy.typing import NDArray

#: Numbers of the action units that a run with ``target: action_units`` tells, in the order of its scores.
UNITS = (1, 2, 4, 5, 6, 7, 9, 10, 12, 14, 15, 17)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """What is known about one sample before any pixel is read.

    Args:
        sample_id: Unique, namespaced: ``casme2/sub01/EP02_01f``, or ``casme2/sub01/EP02_01f#46`` for one frame.
        clip_id: The clip that the sample is (part of): ``casme2/sub01/EP02_01f``.
        subject: Namespaced subject, ``casme2/sub01``; None where the data names no subjects.
        dataset: The dataset, or the member of a composite, that the sample belongs to: ``casme2``.
        emotion: The dataset's own word; None for an unlabelled sample.
        label: Class index under the run's label map; set by the engine, never by a dataset. None where a case study
            has no truth.
        onset: Published number of the first frame of the expression, inclusive.
        apex: Published number of the frame of greatest intensity; may be missing.
        offset: Published number of the last frame of the expression, inclusive.
        apex_source: Where ``apex`` came from where it is not the dataset's own annotation.
        aus: Facial action units by number alone: ``{"AU4", "AU12"}``.
        aus_complete: Whether those are all that show: then a unit that is not among them is known to be absent. False
            where nobody looked, and where the cell was not fully read or leaves one in doubt, as ``?`` does.
        fps: Frames per second of the recording, in Hz.
        condition: What a case study's manifest says of the recording, such as the group of the person; None elsewhere.
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
    aus_complete: bool = False
    fps: float | None = None
    condition: str | None = None

    @property
    def group(self) -> str:
        """The unit that must not stand on both sides of a split: the subject, or the clip where none is known."""
        return self.subject if self.subject is not None else self.clip_id


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Origin:
    """Where the clip that a step sees comes from, for steps that look elsewhere for what is known of the whole clip.

    Args:
        clip_id: As in ``Sample``.
        length: Number of frames of the whole clip; the ``frames`` block of a config may have chosen fewer.
        frames: Those that were loaded, before any step (T, H, W, C); read-only.
    """

    clip_id: str
    length: int
    frames: NDArray[Any]


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
        aus: Coded action units, as in ``Sample``; None where none is coded. Set by the engine before every step.
        origin: Where it comes from. Set by the engine before a step that asks by ``needs_origin``, else None.
        notes: What a user should know about this sample, such as "several faces, the largest taken"; a run counts
            equal texts over its samples and reports them.
    """

    frames: NDArray[Any]
    fps: float | None = None
    onset_index: int | None = None
    apex_index: int | None = None
    offset_index: int | None = None
    aus: frozenset[str] | None = None
    origin: Origin | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CodedUnits:
    """The action units that a sheet has of one clip, as fine as three analyses may want them.

    Args:
        clip_id: The clip.
        emotion: The sheet's word for its emotion, as ``Sample.emotion``; None where the cell is blank.
        cell: The cell as text, unchanged.
        raw: Its tokens as they are written: ``{"4", "R10B"}``; nothing where the coder named no unit, as in ``?``.
        sided: Units that are certain, with their side and without intensity: ``{"4", "R10"}``.
        numbers: Units that are certain, by number alone: ``{"4", "10"}``.
    """

    clip_id: str
    emotion: str | None
    cell: str
    raw: frozenset[str] = frozenset()
    sided: frozenset[str] = frozenset()
    numbers: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseStudy:
    """What a protocol says that only applies models to a data set, instead of testing them on it.

    Args:
        dataset: The member that models are applied to. Its samples may lack an emotion, or have one that is no class:
            they are predicted and have ``label`` None, so no score counts them.
        honest_run: Folder of a run that tested the same models honestly, whose scores a reader must see; None for none.
    """

    dataset: str
    honest_run: Path | None = None


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


@dataclass(frozen=True, slots=True)
class LayerRow:
    """One row of a network's table.

    Args:
        name: Kind and size, as the paper's table would print it.
        shape: Output shape of one sample.
        values: Weights and running statistics.
    """

    name: str
    shape: tuple[int, ...]
    values: int


class Predictor(Protocol):
    """What ``Model.fit`` returns: a fitted model, which cannot learn any more.

    It may have learning curves: an attribute ``history``, one mapping of names to finite numbers per epoch, such as
    ``{"epoch": 1, "loss": .9, "accuracy": .4, "val_loss": 1.1, "val_accuracy": .3}``. A run keeps them beside the
    scores, writes them to ``histories.csv`` and draws them with ``--figures``.
    """

    def __call__(self, x: NDArray[Any], /) -> NDArray[Any]:
        """Return finite scores (n, n_classes) for x (n, T, ...): the highest wins, the first one among equals."""
        ...
