"""The clip's action units, joined to its frames or features, or in their place."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar, Literal

import numpy as np
from annotated_types import Ge, Le, MinLen
from numpy.typing import NDArray

from mexbench.errors import DataError, NotAnnotated, SampleRejected, listed
from mexbench.interfaces import UNITS, Clip, ClipInfo, MeasuredUnits, Preprocessor
from mexbench_plugins.preprocessors import _au_openface as _openface
from mexbench_plugins.preprocessors import _au_pyfeat as _pyfeat

_NOT_CODED = (
    "has no action units coded (action_units); a model that detects its own (hybrid_micronet_au with detect_units: "
    "true, alone with this input) needs none in the clips of a case study"
)
_BLANK = "has no action units coded: the model's own detector gives them (action_units)"


@dataclass(frozen=True, kw_only=True)
class ActionUnits(Preprocessor):
    """Append a value from 0 to 1 for each action unit: floats (T, ..., C) to (T, ..., C + units).

    With ``mode: only`` the units are the entire input, floats (T, units): emotions are learned from combinations of
    action units alone. Else images and feature maps get planes that are constant over height and width;
    ``hybrid_micronet`` with action_units: true reads its vector from them. It is the last step: a later one would take
    the planes for pixels.

    The values are those of the whole clip, so every frame gets the same. Where they come from:

    - annotation: 1 for a unit that the data set's coders saw, else 0, in the clip that is tested as well. So a score
      made with them says what a system would reach that had them from elsewhere: it is flagged ``coded-aus``. A clip
      without any coded unit is excluded, counted and named, since "none" and "nobody looked" look the same.
    - openface: a CSV per clip as OpenFace 2 writes it, ``FeatureExtraction -aus -fdir CLIP -out_dir FOLDER/SUBJECT``:
      FOLDER/sub01/EP02_01f.csv for the clip casme2/sub01/EP02_01f, or FOLDER/casme2/sub01/EP02_01f.csv where several
      data sets share a folder. It must have a row for each frame of the clip, from onset to offset. A unit's value is
      its greatest over the frames with a sure face; other frames do not count, and are noted.
    - pyfeat: py-feat (extra ``pyfeat``) looks at the clip's frames as they were loaded, those that the ``frames`` block
      chose, and downloads its weights at the first use. A unit's value is its greatest over the frames with a face.

    A clip without a CSV, or without a sure face in any frame, is excluded, counted and named. In ``bench predict`` a
    file of OpenFace that ``--units`` names takes the place of the annotation, and of the folder.

    Args:
        mode: join appends the values to the frames or features; only leaves the values alone, whatever came before.
        units: Numbers of the units, in the order of the planes; other units go unseen.
        origin: Where the values come from.
        folder: With openface: the folder of the CSV files.
        values: With openface: intensity reads AU01_r, a fifth of which is the value, and presence AU01_c.
        confidence: With openface: the least confidence of a sure face, beside ``success``.
    """

    source = (
        "HybridMicroNet with action units (2026), enhanced model; which units is unstated there; mode only: AU-CNN "
        "(2024), emotions from combinations of action units"
    )
    example_shape: ClassVar[tuple[int, int, int, int]] = (1, 7, 7, 16)
    example_dtype: ClassVar[str] = "float32"

    mode: Literal["join", "only"] = "join"
    units: Annotated[tuple[Annotated[int, Ge(1)], ...], MinLen(1)] = UNITS
    origin: Literal["annotation", "openface", "pyfeat"] = "annotation"
    folder: Path | None = None
    values: Literal["intensity", "presence"] = "intensity"
    confidence: Annotated[float, Ge(0), Le(1)] = 0.75

    def __post_init__(self) -> None:
        """Refuse a unit named twice, and a folder that nothing reads or that is not given."""
        if len(set(self.units)) < len(self.units):
            raise ValueError(f"units names one twice: {list(self.units)}")
        if (self.folder is None) == (self.origin == "openface"):
            needs = "needs 'folder', where the CSV files lie" if self.folder is None else "reads no 'folder'"
            raise ValueError(f"origin {self.origin} {needs}")

    def needs_clip_info(self) -> bool:
        """Ask which clip it is where the annotation, which comes with the clip, does not say."""
        return self.origin != "annotation"

    def flags(self) -> tuple[str, ...]:
        """Tell that human coding of the test samples entered."""
        return ("coded-aus",) if self.origin == "annotation" else ()

    def provenance(self) -> Mapping[str, str]:
        """Return the digest of the CSV files, or the version of py-feat.

        Raises:
            DataError: The folder does not exist, holds no CSV, or py-feat is not installed.
        """
        if self.origin == "openface":
            return {"csv": _openface.digest_of(self._csv_folder)}
        return {"py-feat": _pyfeat.version()} if self.origin == "pyfeat" else {}

    def unannotated(self) -> Preprocessor:
        """Return a step that appends zeros where no unit is coded, for a model that never reads them."""
        return _Blank(self) if self.origin == "annotation" else self

    def check_clip(self, info: ClipInfo, aus: frozenset[str]) -> None:
        """Look for the clip's coded units, or into its CSV file."""
        if self.origin == "annotation" and not aus:
            raise NotAnnotated(_NOT_CODED)
        if self.origin == "openface":
            self._openface(info)

    def __call__(self, clip: Clip) -> Clip:
        """Append the values, or return them alone.

        Raises:
            NotAnnotated: No action unit is coded for this clip.
            SampleRejected: There is no CSV, or no sure face.
            DataError: The frames to join are not floats, among which 1 would be as much as white; a CSV is not of this
                clip or not OpenFace's; py-feat or its weights are missing.
        """
        if self.mode == "only":
            shown, notes = self._shown(clip)
            values = np.tile(shown.astype(np.float32), (len(clip.frames), 1))
            return dataclasses.replace(clip, frames=values, notes=(*clip.notes, *notes))
        if clip.frames.dtype.kind != "f":
            raise DataError(
                f"action_units needs floats, features or frames, got {clip.frames.shape} {clip.frames.dtype}; put it "
                "last, after vgg16 or normalise, or set 'mode: only'"
            )
        shown, notes = self._shown(clip)
        planes = np.broadcast_to(shown.astype(clip.frames.dtype), (*clip.frames.shape[:-1], len(shown)))
        frames = np.concatenate([clip.frames, planes], axis=-1)
        return dataclasses.replace(clip, frames=frames, notes=(*clip.notes, *notes))

    def _shown(self, clip: Clip) -> tuple[NDArray[np.float64], tuple[str, ...]]:
        """Return the value of each unit (units,), and notes."""
        if clip.measured is not None and self.origin != "pyfeat":
            return self._measured(clip.measured), ()
        if self.origin == "annotation":
            if not clip.aus:
                raise NotAnnotated(_NOT_CODED)
            return np.array([f"AU{unit}" in clip.aus for unit in self.units], dtype=np.float64), ()
        if clip.clip_info is None:
            raise DataError(f"action_units with origin {self.origin}: nothing says which clip this is; a run does")
        if self.origin == "pyfeat":
            return _pyfeat.values(clip.clip_info.frames, self.units)
        return self._openface(clip.clip_info)

    def _measured(self, measured: MeasuredUnits) -> NDArray[np.float64]:
        """Return the values of a detector's file: presence in place of an annotation, else what ``values`` names."""
        of_presence = self.origin == "annotation" or self.values == "presence"
        known = measured.presence if of_presence else measured.intensity
        if lacking := [f"AU{unit:02}_{'c' if of_presence else 'r'}" for unit in self.units if unit not in known]:
            raise DataError(f"action_units: the file of units lacks the columns {listed(lacking, limit=6)}")
        return np.array([known[unit] for unit in self.units], dtype=np.float64)

    def _openface(self, origin: ClipInfo) -> tuple[NDArray[np.float64], tuple[str, ...]]:
        path = _openface.find(self._csv_folder, origin.clip_id)
        if path is None:
            raise SampleRejected("has no OpenFace CSV (action_units)")
        kind = "r" if self.values == "intensity" else "c"
        read = _openface.read(path, self.units, kind=kind, length=origin.length, confidence=self.confidence)
        return read.values, read.notes

    @property
    def _csv_folder(self) -> Path:
        assert self.folder is not None  # noqa: S101 - __post_init__ has seen to it
        return self.folder


@dataclass(frozen=True)
class _Blank(Preprocessor):
    """``action_units`` for clips that nobody coded: zeros, which the model behind it never reads.

    Args:
        step: What is done with a clip whose units are known.
    """

    step: ActionUnits

    def __call__(self, clip: Clip) -> Clip:
        """Append the units, or as many zeros."""
        if clip.aus or clip.measured is not None:
            return self.step(clip)
        zeros = MeasuredUnits(intensity={}, presence=dict.fromkeys(self.step.units, 0.0))
        blank = self.step(dataclasses.replace(clip, measured=zeros))
        return dataclasses.replace(blank, measured=None, notes=(*blank.notes, _BLANK))
