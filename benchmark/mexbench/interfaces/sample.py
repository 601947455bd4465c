"""The records that data sets and steps hand over: what is known of a sample, and its pixels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from mexbench.interfaces.video import LongVideo

#: Numbers of the action units that a run with ``target: action_units`` predicts, in the order of its scores.
UNITS = (1, 2, 4, 5, 6, 7, 9, 10, 12, 14, 15, 17)
#: What ``Sample.aus`` calls them.
UNIT_NAMES = tuple(f"AU{number}" for number in UNITS)


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
            where units were not coded, and where the cell was not fully read or has an uncertain one, as ``?`` is.
        fps: Frames per second of the recording, in Hz.
        part: The part of a published split that the sample belongs to, such as ``training``; None where the data has
            none.
        condition: What a case study's manifest says of the recording, such as the group of the person; None elsewhere.
        video: The long video that the sample is, with what is annotated in it; None for a clip or a frame of one.
        person: What the data says of the person, such as ``(("sex", "f"),)``: figures are broken down by it, and no
            model sees it.
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
    part: str | None = None
    condition: str | None = None
    video: LongVideo | None = None
    person: tuple[tuple[str, str], ...] = ()

    @property
    def group(self) -> str:
        """The unit that must not be on both sides of a split: the subject, or the clip where none is known."""
        return self.subject if self.subject is not None else self.clip_id


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ClipInfo:
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
class MeasuredUnits:
    """Action units that somebody's detector measured in a clip: number of the unit -> value from 0 to 1.

    Args:
        intensity: How strongly each shows; empty where the detector does not say.
        presence: Whether each shows, 0 or 1; empty where the detector does not say.
    """

    intensity: Mapping[int, float]
    presence: Mapping[int, float]


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
        clip_info: Where it comes from. Set by the engine before a step that asks by ``needs_clip_info``, else None.
        measured: What a detector's file has of the clip, as ``bench predict --units`` gives it; else None.
        notes: What a user should know about this sample, such as "several faces, the largest taken"; a run counts
            equal texts over its samples and reports them.
    """

    frames: NDArray[Any]
    fps: float | None = None
    onset_index: int | None = None
    apex_index: int | None = None
    offset_index: int | None = None
    aus: frozenset[str] | None = None
    clip_info: ClipInfo | None = None
    measured: MeasuredUnits | None = None
    notes: tuple[str, ...] = ()
