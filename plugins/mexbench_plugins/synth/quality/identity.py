"""Is it the same person throughout? By a face embedding where the user has one, else by a weaker measure, so named."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from mexbench.errors import DataError
from mexbench_plugins.synth import faces
from mexbench_plugins.synth.geometry import Geometry
from mexbench_plugins.synth.numerics import Plane
from mexbench_plugins.synth.quality.recording import Measured, Recording

#: Cosine similarity from which OpenCV's documentation of FaceRecognizerSF takes two pictures for the same person.
#: Source: OpenCV tutorial "DNN-based Face Detection And Recognition" (SFace, LFW accuracy 99.60 %).
SAME_PERSON = 0.363
#: A face may be this share of the way to the nearest other person.
_RESEMBLANCE = 0.5
_FRAMES = 8
#: Procedural people that a face is compared with.
_OTHERS = tuple(range(90001, 90013))
_SIDE, _LARGEST = 64, 2**29


def resemblance(recording: Recording, seed: int | None = None) -> Measured:
    """Measure how near each face stays to its photo, against the nearest of twelve other people.

    This is **weaker than a face embedding**: it compares 64 x 64 gray pixels, evened out in brightness and contrast,
    and takes a person in another light for another one.

    Args:
        recording: The clip.
        seed: Of the procedural face, which is not compared with itself.
    """
    own = _vector(recording.still, recording.geometry)
    others = np.stack([_other(one) for one in _OTHERS if one != seed])
    shares = []
    for frame in _looked_at(recording):
        face = _vector(frame, recording.geometry)
        nearest = float(np.sqrt(((others - face) ** 2).mean(axis=(1, 2))).min())
        shares.append(_distance(face, own) / max(nearest, 1e-9))
    return Measured(
        name="identity (pixels: weaker than a face embedding)", value=max(shares), limit=_RESEMBLANCE, at_least=False,
        definition="greatest distance of a frame's face to the photo's, over its distance to the nearest of twelve "
        "other people; 64 x 64 gray pixels of mean 0 and variance 1. It does not know persons, only pictures",
    )  # fmt: skip


def embedded(recording: Recording, model: Path) -> Measured:
    """Measure the least cosine similarity between the embeddings of a frame's face and of the photo's.

    Args:
        recording: The clip.
        model: An ONNX face recogniser of the kind that ``cv2.FaceRecognizerSF`` takes, such as SFace of the OpenCV Zoo.

    Raises:
        DataError: OpenCV cannot use the file.
    """
    embed = _Embedding(model)
    own = embed(recording.still, recording.geometry)
    value = min(_cosine(own, embed(frame, recording.geometry)) for frame in _looked_at(recording))
    return Measured(
        name="identity (face embedding)", value=value, limit=SAME_PERSON, at_least=True,
        definition=f"least cosine similarity between a frame's embedding and the photo's by {model.name}; two pictures "
        f"of one person reach {SAME_PERSON} (OpenCV's figure for SFace)",
    )  # fmt: skip


class _Embedding:
    """A face recogniser on faces whose landmarks are known."""

    def __init__(self, model: Path) -> None:
        # OpenCV's own error for a missing file is a page of C++.
        if not model.is_file():
            what = "is a folder" if model.is_dir() else "file not found"
            raise DataError(
                f"--embedding {model}: {what}; give an ONNX face recogniser such as SFace of the OpenCV Zoo"
            )
        if model.stat().st_size > _LARGEST:
            raise DataError(
                f"--embedding {model}: {model.stat().st_size} bytes, more than the {_LARGEST} that are read"
            )
        self.model = model
        try:
            self.recogniser = cv2.FaceRecognizerSF.create(str(model), "")
        except cv2.error as error:
            raise self._error(error) from None

    def __call__(self, image: NDArray[np.uint8], face: Geometry) -> NDArray[np.float32]:
        """Return the embedding (length,) of the face in a picture (H, W, 3), RGB."""
        points = [
            face.pixel(-face.eye_x, 0), face.pixel(face.eye_x, 0), face.pixel(0, face.nose_y - 0.1),
            face.pixel(-face.mouth_width, face.mouth_y), face.pixel(face.mouth_width, face.mouth_y),
        ]  # fmt: skip
        left, top, right, bottom = face.box(image.shape[1], image.shape[0])
        row = [left, top, right - left, bottom - top, *(value for point in points for value in point), 1.0]
        try:
            aligned = self.recogniser.alignCrop(
                np.ascontiguousarray(image[..., ::-1]), np.array([row], np.float32)
            )  # fmt: skip
            vector = np.array(self.recogniser.feature(aligned), np.float32).ravel()
        except cv2.error as error:
            raise self._error(error) from None
        if not vector.size or not np.isfinite(vector).all() or not vector.any():
            raise DataError(f"--embedding {self.model}: gave no finite embedding of the face")
        return vector

    def _error(self, error: cv2.error) -> DataError:
        reason = str(error).strip().splitlines()[-1].strip() or "no reason given"
        return DataError(
            f"--embedding {self.model}: OpenCV cannot use it as a face recogniser ({reason[-160:]}); give an ONNX file "
            "such as SFace of the OpenCV Zoo"
        )


def _looked_at(recording: Recording) -> Iterator[NDArray[np.uint8]]:
    """Yield frames evenly over the clip, and its apex."""
    last = len(recording.frames) - 1
    for index in sorted({*np.linspace(0, last, _FRAMES).round().astype(int).tolist(), recording.timing.apex}):
        yield recording.frames[index]


def _vector(image: NDArray[np.uint8], face: Geometry) -> Plane:
    left, top, right, bottom = face.box(image.shape[1], image.shape[0])
    gray = cv2.cvtColor(np.ascontiguousarray(image[top:bottom, left:right]), cv2.COLOR_RGB2GRAY)
    small = cv2.resize(gray.astype(np.float32), (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)
    return (small - small.mean()) / max(float(small.std()), 1e-6)


@cache
def _other(seed: int) -> Plane:
    other = faces.builtin(seed, width=160, height=120)
    return _vector(other.image, other.geometry)


def _distance(one: Plane, other: Plane) -> float:
    return float(np.sqrt(((one - other) ** 2).mean()))


def _cosine(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    return float(one @ other / max(float(np.linalg.norm(one) * np.linalg.norm(other)), 1e-12))
