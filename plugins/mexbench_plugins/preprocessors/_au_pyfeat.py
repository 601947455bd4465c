"""Action units by py-feat, an optional extra that is imported when it is asked for.

Source: Cheong et al., Py-Feat: Python facial expression analysis toolbox, Affective Science 4, 2023. Written for
``feat.Detectorv1`` of py-feat 2: ``detect`` takes the paths of pictures and returns a table with a row per face, whose
columns are ``frame``, ``FaceScore`` and ``AU01`` to ``AU43``, each from 0 to 1, NaN where no face was found.
"""

from __future__ import annotations

import functools
import importlib.metadata
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mexbench.errors import DataError, SampleRejected, listed, missing_extra

FACELESS = "py-feat finds no face in some frames, which do not count (action_units)"
SEVERAL = "py-feat finds several faces, the surest taken (action_units)"
_MISSING = missing_extra("action_units with origin pyfeat", "py-feat", "pyfeat")


def version() -> str:
    """Return the version of py-feat.

    Raises:
        DataError: It is not installed.
    """
    try:
        return importlib.metadata.version("py-feat")
    except importlib.metadata.PackageNotFoundError:
        raise DataError(_MISSING) from None


@functools.cache
def detector() -> Any:  # noqa: ANN401 - of a package that is not always there
    """Return py-feat's detector, made once per process.

    Raises:
        DataError: py-feat is not installed, is of another generation, or has no weights and cannot get them.
    """
    try:
        from feat import Detectorv1  # pyright: ignore[reportMissingImports]
    except ModuleNotFoundError as error:
        if error.name == "feat":
            raise DataError(_MISSING) from None
        raise DataError(f"py-feat cannot be imported: {error}; install it with all it needs") from None
    except ImportError as error:
        raise DataError(f"py-feat cannot be used: {error}; version 2 is needed, this is {version()}") from None
    try:
        return Detectorv1(emotion_model=None, identity_model=None, gaze_model=None, device="cpu")
    except Exception as error:  # noqa: BLE001 - whatever its downloads raise
        raise DataError(
            f"py-feat cannot load its models ({type(error).__name__}: {' '.join(str(error).split())}); it downloads "
            "them at the first use: run it once where there is a network, then again"
        ) from None


def values(frames: NDArray[Any], units: Sequence[int]) -> tuple[NDArray[np.float64], tuple[str, ...]]:
    """Return the greatest value of each unit over frames with a face (units,), from 0 to 1, and notes.

    Args:
        frames: Pictures (T, H, W, 1 or 3), uint8, RGB where there are three channels.
        units: Numbers of the units.

    Raises:
        SampleRejected: No face was found in any frame.
        DataError: The frames are not pictures, py-feat or its weights are missing, or it does not know a unit.
    """
    if frames.ndim != 4 or frames.dtype != np.uint8 or frames.shape[3] not in (1, 3):
        raise DataError(f"action_units with origin pyfeat looks at pictures, uint8, got {frames.shape} {frames.dtype}")
    detections = _detect(frames)
    names = [f"AU{unit:02}" for unit in units]
    if lacking := [name for name in (*names, "frame", "FaceScore") if name not in detections.columns]:
        raise DataError(f"py-feat {version()} does not report {listed(lacking)}; choose other 'units'")
    numbers = detections[[*names, "frame", "FaceScore"]].to_numpy(dtype=np.float64)
    faces = numbers[np.isfinite(numbers).all(axis=1)]
    if not len(faces):
        raise SampleRejected("has no face that py-feat finds (action_units)")
    order = np.lexsort((-faces[:, -1], faces[:, -2]))  # by frame, the surest face of each first
    first = np.unique(faces[order, -2], return_index=True)[1]
    notes = [FACELESS] * (len(first) < len(frames)) + [SEVERAL] * (len(first) < len(faces))
    return np.clip(faces[order][first, : len(names)].max(axis=0), 0, 1), tuple(notes)


def _detect(frames: NDArray[Any]) -> Any:  # noqa: ANN401 - a pandas table
    import cv2

    with tempfile.TemporaryDirectory(prefix="mexbench-") as folder:
        paths = [str(Path(folder) / f"{index:05}.png") for index in range(len(frames))]
        for path, frame in zip(paths, frames, strict=True):
            bgr = np.ascontiguousarray(frame[..., ::-1]) if frame.shape[2] == 3 else np.repeat(frame, 3, axis=2)
            if not cv2.imwrite(path, bgr):
                raise DataError(f"{path}: cannot be written")
        return detector().detect(paths, data_type="image", progress_bar=False)
