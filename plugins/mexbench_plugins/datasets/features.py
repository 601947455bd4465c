"""Ready-made features: anybody's flow, embeddings or landmarks, with a table that says whose they are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from annotated_types import MinLen
from numpy.typing import NDArray

from mexbench.errors import DataError, counted, listed, unknown
from mexbench.interfaces import Clip, CodedActionUnits, DataIssue, Dataset, Sample
from mexbench_plugins import aus
from mexbench_plugins.datasets._io.array_files import ArrayFile, ArraySpec
from mexbench_plugins.datasets._io.feature_arrays import Axes, FeatureArrays, axes_of
from mexbench_plugins.datasets._io.feature_table import COLUMNS, FeatureRow, check_unique_ids, read_table
from mexbench_plugins.datasets._io.folders import inside


@dataclass(frozen=True, slots=True)
class _Stored:
    """A sample and where its array is.

    Args:
        sample: What is known about it.
        file: Position of its file in the list of files.
        name: Name of the array in the file.
        row: Position in that array; None where the array is the sample's own.
        numbers: Frame numbers where the array is a sequence of frames; () elsewhere.
        positions: Positions of onset, apex and offset in the array.
    """

    sample: Sample
    file: int
    name: str
    row: int | None
    numbers: tuple[int, ...] = ()
    positions: tuple[int | None, int | None, int | None] = (None, None, None)


@dataclass(frozen=True, slots=True)
class _Index:
    files: tuple[ArrayFile, ...]
    samples: Mapping[str, _Stored]
    issues: tuple[DataIssue, ...]


@dataclass(frozen=True, kw_only=True)
class Features(Dataset):
    """Arrays that you computed, of any shape, with a table of sample ids, subjects and labels.

    The table is CSV (UTF-8) or parquet. Its columns, of which only sample_id is required: sample_id; subject; label
    (the name of the class, or a number); path (the sample's own file, relative to the table's folder) or row (its
    place in one array for all, from 0); dataset (in front of ids, for several data sets in one table); clip (for
    several samples of one clip); aus (action units as in 4+R12; 0 says that none shows, blank that none was coded);
    onset, apex, offset (frame numbers); fps; part (of a published split: protocol fixed_split); condition. For example:

        sample_id,subject,label,aus
        sub01/EP02_01f,sub01,happiness,12
        sub01/EP03_02,sub01,others,4+7

    with X.npy, an array of two rows: ``{plugin: features, table: table.csv, arrays: X.npy}``. Ids and subjects get the
    data set's name in front. A sample without an array, one whose array has another shape than most, and one with NaN
    or infinite values is excluded, counted and named. Python objects in arrays are refused, since they need pickle.

    Args:
        table: The table.
        arrays: One file for all samples: .npy, or .npz or .safetensors with one array, whose rows are those of the
            table (or follow the column row); .npz or .safetensors with an array for each sample id; .parquet or .csv
            with the column sample_id and a column for each feature. Without it the column path names a file for each
            sample.
        array: Name of the array to take, in .npz and .safetensors files with several.
        label: Column of the labels; a table may have several, such as label3 and label5.
        classes: Label -> class, in the order of the classes; others are excluded. By default each label is a class,
            sorted, numbers as numbers.
        axes: What the axes of a sample's array are: vector (D), sequence (T, D), image (H, W) or (H, W, C), video
            (T, H, W, C); auto goes by their number, with (T, D) for two.
        channels: first where images are (C, H, W) and videos (T, C, H, W).
        join: Further tables with a column sample_id, whose columns are added: published apexes, onsets, units.
        title: What the data set is called: in front of every id without a column dataset, and in every table.
    """

    source = "the user's own arrays"
    own_names = True
    licence = "that of the data they were computed from"
    checked_on = "arrays that the tests write with numpy, safetensors, pandas and pyarrow"

    table: Path
    arrays: Path | None = None
    array: str | None = None
    label: Annotated[str, MinLen(1)] = "label"
    classes: dict[str, str] | None = None
    axes: Axes = "auto"
    channels: Literal["last", "first"] = "last"
    join: tuple[Path, ...] = ()
    title: Annotated[str, MinLen(1)] = "features"

    def __post_init__(self) -> None:
        """Refuse a single class, and a column of labels that has another meaning.

        Raises:
            ValueError: There is one.
        """
        if self.classes is not None and len(set(self.classes.values())) < 2:
            raise ValueError("'classes' needs at least two classes")
        if self.label in COLUMNS:
            raise ValueError(f"label: the column {self.label!r} has another meaning; rename the column of the labels")

    def label_map(self) -> Mapping[str, str]:
        """Return ``classes``, or every label as its own class."""
        if self.classes is not None:
            return self.classes
        labels = {stored.sample.emotion for stored in self._index.samples.values()} - {None}
        return {label: label for label in sorted(map(str, labels), key=_by_number)}

    def display_name(self) -> str | None:
        """Return the title."""
        return self.title

    def samples(self) -> Sequence[Sample]:
        """Return one sample per row whose array can be used; ``data_issues`` names the others."""
        return [stored.sample for stored in self._index.samples.values()]

    def data_issues(self) -> Sequence[DataIssue]:
        """Return rows without a usable array, arrays without a row, and columns that nothing reads."""
        return self._index.issues

    def coded_action_units(self) -> Sequence[CodedActionUnits]:
        """Return the column ``aus``."""
        rows, _ = self._rows
        coded = []
        for row in rows:
            if "aus" not in row.cells:
                continue
            cell = aus.parse(row.get("aus"))
            clip = self._names(row)[1]
            units = frozenset(map(str, cell.numbers))
            coded.append(
                CodedActionUnits(
                    clip_id=clip, emotion=row.get(self.label), cell=cell.raw, raw=cell.tokens, sided=cell.sided,
                    numbers=units,
                )
            )  # fmt: skip
        return coded

    def frame_numbers(self, sample: Sample) -> Sequence[int]:
        """Return the numbers of a sequence's frames: from onset to offset, or from 0 where these are not known."""
        return self._stored(sample).numbers

    def load(self, sample: Sample) -> Clip:
        """Read one array, with time as its first axis: (1, D), (T, D), (1, H, W, C) or (T, H, W, C)."""
        stored = self._stored(sample)
        onset, apex, offset = stored.positions
        return Clip(frames=self._array(stored), fps=sample.fps, onset_index=onset, apex_index=apex, offset_index=offset)

    def load_frames(self, sample: Sample, numbers: Sequence[int]) -> Clip:
        """Take some frames of a sequence, in this order."""
        stored = self._stored(sample)
        places = {number: place for place, number in enumerate(stored.numbers)}
        if lacking := [number for number in numbers if number not in places]:
            raise DataError(
                f"{sample.clip_id} has no frame {lacking[0]}; it has {counted(len(places), 'frame')}: "
                f"{listed(map(str, stored.numbers), limit=6)}"
            )
        position: dict[int | None, int] = {number: place for place, number in reversed(list(enumerate(numbers)))}
        return Clip(
            frames=self._array(stored)[[places[number] for number in numbers]],
            onset_index=position.get(sample.onset),
            apex_index=position.get(sample.apex),
            offset_index=position.get(sample.offset),
        )

    def files(self, sample: Sample, numbers: Sequence[int] | None = None) -> Sequence[Path]:
        """Return the sample's own file and the tables; () where one file has the arrays of all."""
        del numbers
        if self.arrays is not None:
            return ()
        return (self._index.files[self._stored(sample).file].path, self.table, *self.join)

    def _stored(self, sample: Sample) -> _Stored:
        if sample.sample_id not in self._index.samples:
            raise DataError(f"{self.table}: no sample {sample.sample_id!r} with a usable array")
        return self._index.samples[sample.sample_id]

    def _array(self, stored: _Stored) -> NDArray[Any]:
        array = self._index.files[stored.file].read(stored.name)
        array = np.array(array if stored.row is None else array[stored.row], order="C")
        axes = axes_of(array.shape, self.axes)
        if axes == "image" and array.ndim == 2:
            array = array[..., None]
        elif self.channels == "first" and axes in ("image", "video"):
            array = np.ascontiguousarray(np.moveaxis(array, -3, -1))
        return array[None] if axes in ("vector", "image") else array

    @cached_property
    def _rows(self) -> tuple[list[FeatureRow], list[DataIssue]]:
        return read_table(self.table, label=self.label, joins=self.join)

    def _names(self, row: FeatureRow) -> tuple[str, str, str, str | None]:
        """Return dataset, clip id, sample id and subject of a row."""
        dataset = row.get("dataset") or self.title
        inside(self.table.parent, dataset, where=f"{row.where}: dataset")
        sample_id, subject = row.cells["sample_id"], row.get("subject")
        clip = row.get("clip") or sample_id
        return (
            dataset,
            _full(clip, dataset),
            _full(sample_id, dataset),
            None if subject is None else _full(subject, dataset),
        )

    @cached_property
    def _index(self) -> _Index:
        rows, issues = self._rows
        columns = rows[0].cells.keys()
        if self.label not in columns:
            if self.label != "label":
                raise DataError(f"{self.table}: {unknown('column', self.label, columns)}")
            if not any("aus" in row.cells or self.label in row.cells for row in rows):
                issues = [*issues, DataIssue(what="no column of labels", where=self.table.name, detail="named label")]
        places = FeatureArrays(
            rows,
            table=self.table,
            arrays=self.arrays,
            array=self.array,
            axes=self.axes,
            full_id=lambda row: self._names(row)[2],
        )
        reasons = dict(places.unusable())
        samples: dict[str, _Stored] = {}
        check_unique_ids(rows, [self._names(row)[2] for row in rows])
        for row in rows:
            stored = self._sample(row, *places.of(row))
            sample_id = stored.sample.sample_id
            samples[sample_id] = stored
            if row.position in reasons:
                what, detail = reasons[row.position]
                issues = [*issues, DataIssue(what=what, where=sample_id, detail=detail, excluded=True)]
        usable = {
            name: stored
            for row, (name, stored) in zip(rows, samples.items(), strict=True)
            if row.position not in reasons
        }
        if not usable:
            what, detail = next(iter(reasons.values()))
            raise DataError(
                f"{self.table}: none of the {counted(len(rows), 'sample')} can be used; the first: {what} ({detail})"
            )
        issues = [*issues, *places.issues, *_unmatched_frames(usable)]
        return _Index(tuple(places.files), usable, tuple(issues))

    def _sample(self, row: FeatureRow, file: int, name: str, place: int | None, spec: ArraySpec | None) -> _Stored:
        dataset, clip_id, sample_id, subject = self._names(row)
        cell = aus.parse(row.get("aus"))
        onset, apex, offset = (row.whole(column) for column in ("onset", "apex", "offset"))
        shape = () if spec is None else (spec.shape if place is None else spec.shape[1:])
        axes = axes_of(shape, self.axes)
        length = shape[0] if axes in ("sequence", "video") and shape else 1
        numbers: tuple[int, ...] = ()
        positions: tuple[int | None, int | None, int | None] = (None, None, None)
        if length > 1:
            # The frames are those from onset to offset only where there are as many.
            known = onset is not None and offset is not None and offset - onset + 1 == length
            start = onset if known and onset is not None else 0
            numbers = tuple(range(start, start + length))
            if known:
                positions = (0, apex - start if apex is not None and apex in numbers else None, length - 1)
        sample = Sample(
            sample_id=sample_id,
            clip_id=clip_id,
            subject=subject,
            dataset=dataset,
            emotion=row.get(self.label),
            onset=onset,
            apex=apex,
            offset=offset,
            apex_source=row.joined.get("apex"),
            aus=cell.names,
            aus_complete=cell.certain,
            fps=row.fps(),
            part=row.get("part"),
            condition=row.get("condition"),
        )
        return _Stored(sample, file, name, place, numbers, positions)


def _unmatched_frames(samples: Mapping[str, _Stored]) -> Iterator[DataIssue]:
    for sample_id, stored in samples.items():
        onset, offset = stored.sample.onset, stored.sample.offset
        if stored.numbers and onset is not None and offset is not None and stored.positions[0] is None:
            yield DataIssue(
                what="array is not the frames from onset to offset",
                where=sample_id,
                detail=f"{counted(len(stored.numbers), 'frame')}, onset {onset}, offset {offset}: counted from 0",
            )


def _full(name: str, dataset: str) -> str:
    return name if name.startswith(f"{dataset}/") else f"{dataset}/{name}"


def _by_number(label: str) -> tuple[int, float, str]:
    """Sort numbers as numbers, before words."""
    try:
        return 0, float(label), label
    except ValueError:
        return 1, 0.0, label
