"""From a dataset to labelled samples, and from samples to the array that models see."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from mexbench.config import frame_selection as frames
from mexbench.config.composite import CompositeDataset
from mexbench.config.run_config import RowGroup, Target
from mexbench.errors import BenchError, DataError, ProtocolError, SampleRejected, counted, listed, raised
from mexbench.fingerprint import digest
from mexbench.interfaces import DAMAGED_CELL, UNIT_NAMES, CaseStudySpec, Interval, Sample
from mexbench.interfaces.video import IntervalKind


@dataclass(frozen=True)
class Source:
    """A clip of the dataset and what becomes of it.

    Args:
        clip: The dataset's own sample.
        pick: Which of its frames are read; None reads it as the dataset gives it.
        samples: What it becomes: itself, or its frames.
    """

    clip: Sample
    pick: frames.FrameSampling | None
    samples: tuple[Sample, ...]


@dataclass(frozen=True)
class LabelledSamples:
    """The samples of a run, before any pixel is read.

    Args:
        sources: Clips, sorted by id, each with the samples that it becomes.
        classes: Class names; a label is a position in here. With the target ``action_units``, names of units; with
            ``spotting``, types of expressions.
        excluded: Reason -> ids of the clips that are not used.
        target: What a model predicts of a sample.
    """

    sources: tuple[Source, ...]
    classes: tuple[str, ...]
    excluded: Mapping[str, tuple[str, ...]]
    target: Target = "emotion"

    @property
    def samples(self) -> tuple[Sample, ...]:
        """Samples with their labels: clips by id, frames within a clip in time. The order on disk changes nothing."""
        return tuple(sample for source in self.sources for sample in source.samples)

    @property
    def fingerprint(self) -> str:
        """Digest of sample ids and class names, or names of units."""
        labels = {sample.sample_id: self.truth(sample) for sample in self.samples}
        return digest({"classes": self.classes, "labels": labels})

    @property
    def subjects(self) -> list[str]:
        """Subjects, sorted; clips take their place where the data names none."""
        return sorted({sample.group for sample in self.samples})

    def subject_count(self, member: str | None = None) -> int | None:
        """Count the subjects of one data set, or of all; None where a sample has none, so that nobody knows."""
        subjects = {sample.subject for sample in self.samples if member in (None, sample.dataset)}
        return None if None in subjects else len(subjects)

    def positions(self, other: LabelledSamples) -> list[int]:
        """Return where the samples of another selection of the same clips are among these."""
        position = {sample.sample_id: index for index, sample in enumerate(self.samples)}
        return [position[sample.sample_id] for sample in other.samples]

    @property
    def members(self) -> list[str]:
        """Datasets that the samples come from, sorted."""
        return sorted({sample.dataset for sample in self.samples})

    def support(self, member: str | None = None) -> dict[str, int]:
        """Count the samples of each class, or those that each unit shows in; of one data set, or of all.

        Of long videos the intervals of each type are counted.
        """
        chosen = [sample for sample in self.samples if member in (None, sample.dataset)]
        if self.target == "spotting":
            kinds = Counter(interval.kind for sample in chosen if sample.video for interval in sample.video.intervals)
            return {name: kinds[name] for name in self.classes}
        truths = [self.truth(sample) for sample in chosen]
        counts = Counter(name for truth in truths for name in ([truth] if isinstance(truth, str) else truth or []))
        return {name: counts[name] for name in self.classes}

    def truth(self, sample: Sample) -> str | list[str] | None:
        """Return the name of a sample's class, None where a case study has none, or names of the units that show.

        Of a long video, what is annotated in it, one text for each interval.
        """
        if sample.video is not None:
            return [_interval_text(interval) for interval in sample.video.intervals]
        if self.target == "action_units":
            return [name for name in self.classes if name in sample.aus]
        return None if sample.label is None else self.classes[sample.label]

    def truths(self) -> NDArray[Any]:
        """Return which units show (n, units), bool, or class indices (n,).

        An index is -1 where a case study has no class: such a sample is never trained on. Of long videos it is 0.
        """
        if self.target == "spotting":
            return np.zeros(len(self.samples), dtype=np.intp)
        if self.target == "action_units":
            return np.array([[name in sample.aus for name in self.classes] for sample in self.samples], dtype=bool)
        return np.array([-1 if sample.label is None else sample.label for sample in self.samples], dtype=np.intp)

    def rejected(self) -> dict[str, str]:
        """Return the clips that are not used: clip's sample id -> reason."""
        return {sample_id: reason for reason, ids in self.excluded.items() for sample_id in ids}

    def without(self, rejected: Mapping[str, str]) -> LabelledSamples:
        """Exclude clips that turned out unusable: clip's sample id -> reason."""
        excluded = {reason: list(ids) for reason, ids in self.excluded.items()}
        gone = self.rejected()
        for sample_id, reason in rejected.items():
            if sample_id not in gone:
                excluded.setdefault(reason, []).append(sample_id)
        return dataclasses.replace(
            self,
            sources=tuple(source for source in self.sources if source.clip.sample_id not in rejected),
            excluded={reason: tuple(ids) for reason, ids in excluded.items()},
        )


def read_samples(group: RowGroup) -> LabelledSamples:
    """Ask the dataset for its samples, label them under the protocol's map, choose frames and sort them.

    Raises:
        DataError: The dataset has no samples, none with a class, or two with one id; or the plugin raised something
            else.
        ProtocolError: The protocol has no use for action units.
    """
    try:
        return _read_videos(group) if group.target == "spotting" else _read_clips(group)
    except (BenchError, OSError):
        raise
    except Exception as error:  # whatever third-party code raises
        place = f"\n  in {group.dataset.where}" if group.dataset.where else ""
        raise DataError(f"{raised(f'dataset {group.dataset.plugin!r}', error)}{place}") from error


def _read_clips(group: RowGroup) -> LabelledSamples:
    where = f"dataset {group.dataset.plugin!r}"
    units = group.target == "action_units"
    samples = group.dataset.instance.samples()
    if not samples:
        raise DataError(f"{where} has no samples")
    twice = [name for name, count in Counter(sample.sample_id for sample in samples).items() if count > 1]
    if twice:
        raise DataError(f"{where} gives a sample id more than once: {listed(sorted(twice))}")
    study = group.protocol.instance.case_study
    if units and study is not None:
        raise ProtocolError(
            f"protocol {group.protocol.plugin!r} predicts emotions and cannot be used with 'target: action_units'"
        )
    label_map = {} if units else _label_map(group)
    if study is not None:
        label_map = _learned(group, label_map, study, samples)
    classes = UNIT_NAMES if units else tuple(dict.fromkeys(label_map.values()))
    sources: list[Source] = []
    rejected: dict[str, str] = {}
    for sample in sorted(samples, key=lambda sample: sample.sample_id):
        try:
            applied = study is not None and sample.dataset == study.dataset
            labelled = _with_units(sample) if units else _labelled(sample, label_map, classes, must=not applied)
            sources.append(_source(group, labelled))
        except SampleRejected as error:
            rejected[sample.sample_id] = str(error)
    # What the loader could not use is counted like what a step could not.
    issues = [issue for issue in group.dataset.instance.data_issues() if issue.excluded]
    check_damage(group, {issue.where: issue.detail for issue in issues if issue.what == DAMAGED_CELL})
    unusable = {issue.where: issue.what for issue in issues}
    data = LabelledSamples(sources=tuple(sources), classes=classes, excluded={}, target=group.target)
    data = data.without({**unusable, **rejected})
    emotions = f"whose emotions with a class are {listed(label_map)}"
    check_not_empty(data, f"{where}{' with all action units known' if units else f', {emotions}'}")
    return data


def _read_videos(group: RowGroup) -> LabelledSamples:
    """Make a sample of each long video; a video of unknown length is counted and not used."""
    where = f"dataset {group.dataset.plugin!r}"
    videos = group.dataset.instance.videos()
    if not videos:
        raise DataError(f"{where} has no long videos, which 'target: spotting' needs")
    twice = [name for name, count in Counter(video.video_id for video in videos).items() if count > 1]
    if twice:
        raise DataError(f"{where} gives a video id more than once: {listed(sorted(twice))}")
    if group.protocol.instance.case_study is not None:
        raise ProtocolError(f"protocol {group.protocol.plugin!r} predicts emotions; 'target: spotting' cannot use it")
    samples = [
        Sample(
            sample_id=video.video_id,
            clip_id=video.video_id,
            subject=video.subject,
            dataset=video.dataset,
            emotion=None,
            fps=video.fps,
            video=video,
        )
        for video in sorted(videos, key=lambda video: video.video_id)
    ]
    sources = tuple(Source(sample, None, (sample,)) for sample in samples)
    data = LabelledSamples(sources=sources, classes=get_args(IntervalKind), excluded={}, target="spotting")
    unknown_length = {video.video_id: "first and last frame unknown" for video in videos if video.frames is None}
    data = data.without(unknown_length)
    check_not_empty(data, where)
    return data


def _interval_text(interval: Interval) -> str:
    return f"{interval.kind} {interval.onset} {interval.apex} {interval.offset} {interval.emotion}"


def _labelled(sample: Sample, label_map: Mapping[str, str], classes: Sequence[str], *, must: bool) -> Sample:
    if sample.emotion is not None and sample.emotion in label_map:
        return dataclasses.replace(sample, label=classes.index(label_map[sample.emotion]))
    if must:
        raise SampleRejected(f"no class for {sample.emotion!r}" if sample.emotion else "unlabelled")
    return dataclasses.replace(sample, label=None)


def _with_units(sample: Sample) -> Sample:
    """Take a sample whose action units are known; an emotion is not needed, and gives no label."""
    if not sample.aus_complete:
        raise SampleRejected("action units not fully known")
    return dataclasses.replace(sample, label=None)


def _label_map(group: RowGroup) -> Mapping[str, str]:
    dataset = group.dataset.instance
    own = dataset.label_map()
    chosen = group.protocol.instance.label_map(own)
    if (
        isinstance(dataset, CompositeDataset) and chosen is own
    ):  # a protocol's own map settles what members disagree about
        dataset.check_contradictions()
    return chosen


def _learned(
    group: RowGroup, label_map: Mapping[str, str], study: CaseStudySpec, samples: Sequence[Sample]
) -> Mapping[str, str]:
    """Keep the classes that the training clips have: a class that only applied clips have cannot be predicted."""
    learned = {label_map.get(sample.emotion or "") for sample in samples if sample.dataset != study.dataset}
    own = group.protocol.instance.label_map({})
    if (
        isinstance(group.dataset.instance, CompositeDataset) and not own
    ):  # no map of the protocol's: that of what trains
        learned &= set(group.dataset.instance.without(study.dataset).label_map().values())
    return {emotion: name for emotion, name in label_map.items() if name in learned}


def _source(group: RowGroup, sample: Sample) -> Source:
    chosen = group.input.frames
    if chosen is None:
        return Source(sample, None, (sample,))
    pick = chosen.pick(group.dataset.instance, sample)
    return Source(sample, pick, chosen.split(sample, pick))


def excluded_lines(data: LabelledSamples) -> list[str]:
    """Return a line for each reason for which clips are excluded."""
    return [
        f"excluded, {reason}: {counted(len(ids), 'clip')} ({listed(ids, limit=3)})"
        for reason, ids in data.excluded.items()
    ]


def check_damage(group: RowGroup, damaged: Mapping[str, str]) -> None:
    """Under ``damaged: refuse``, refuse data some of whose clips are damaged: clip -> what is wrong with it.

    Raises:
        DataError: Lists them.
    """
    if group.damaged == "refuse" and damaged:
        texts = [f"\n  sample {clip}: {text}" for clip, text in damaged.items()]
        raise DataError(
            f"{counted(len(damaged), 'clip is', 'clips are')} damaged:{''.join(texts)}\n  get "
            f"{'it' if len(damaged) == 1 else 'them'} again, or set 'damaged: exclude' to go on without"
        )


def check_not_empty(data: LabelledSamples, where: str) -> None:
    """Check that a clip is left.

    Raises:
        DataError: None is; the text has the reasons.
    """
    if not data.sources:
        reasons = "; ".join(f"{reason}: {len(ids)}" for reason, ids in data.excluded.items())
        raise DataError(f"no sample of {where} can be used; excluded: {reasons}")
