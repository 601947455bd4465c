"""Alterations of pictures, each at five strengths.

Strengths are of physical size, so that they mean the same for every data set, and were written down before the first
run. What an alteration draws at random (a sign, a place, noise) is drawn by clip and stays the same at every strength:
a curve over strengths shows the strength alone.

Source: kinds and the idea of five strengths: Hendrycks and Dietterich, "Benchmarking neural network robustness to
common corruptions and perturbations", ICLR 2019; CNN-LSTM with LBP (2024) claims robustness to light, pose and
occlusion and measures none.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from mexbench.errors import ConfigError, DataError, unknown
from mexbench.fingerprint import digest

#: Frames of a clip (T, H, W, C), uint8.
Frames = NDArray[np.uint8]
_GRAY = 128


@dataclass(frozen=True)
class Alteration(ABC):
    """One kind of alteration."""

    #: As ``--alterations`` names it.
    name: ClassVar[str]
    #: What is done, in one sentence.
    what: ClassVar[str]
    #: What a strength is measured in.
    unit: ClassVar[str]
    #: Five, the weakest first.
    strengths: ClassVar[tuple[float, ...]]

    def __call__(self, frames: Frames, strength: float, clip_id: str) -> Frames:
        """Return altered frames (T, H, W, C), uint8.

        Args:
            frames: As the data set gives them.
            strength: One of ``strengths``.
            clip_id: Decides what is drawn at random.

        Raises:
            DataError: The frames are not pictures.
        """
        if frames.dtype != np.uint8 or frames.ndim != 4 or frames.shape[-1] not in (1, 3):
            raise DataError(
                f"a clip has frames {frames.shape} {frames.dtype}, and 'bench audit --stress' alters pictures "
                "(T, H, W, 1 or 3) uint8: audit a data set that gives pictures"
            )
        rng = np.random.default_rng(int(digest(["stress", self.name, clip_id]), 16))
        return self.alter(frames, strength, rng)

    @abstractmethod
    def alter(self, frames: Frames, strength: float, rng: np.random.Generator) -> Frames:
        """Return altered frames; ``rng`` gives the same draws at every strength."""


class Brightness(Alteration):
    """A constant added to every pixel; half of the clips become lighter, half darker."""

    name = "brightness"
    what = "every pixel of a clip lighter or darker by so much, at random for each clip"
    unit = "grey levels of 255"
    strengths = (10.0, 25.0, 45.0, 70.0, 100.0)

    def alter(self, frames: Frames, strength: float, rng: np.random.Generator) -> Frames:
        """Add or subtract, and cut off at black and white."""
        return _bytes(frames.astype(np.float32) + strength * _sign(rng))


class Rotation(Alteration):
    """All frames turned about their centre by one angle, to the left or to the right."""

    name = "rotation"
    what = "a clip turned about its centre, to the left or right at random"
    unit = "degrees"
    strengths = (2.0, 5.0, 10.0, 15.0, 25.0)

    def alter(self, frames: Frames, strength: float, rng: np.random.Generator) -> Frames:
        """Turn every frame; what comes in at the corners mirrors what is there."""
        import cv2

        height, width = frames.shape[1:3]
        matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), strength * _sign(rng), 1.0)
        return _each(
            frames, lambda frame: cv2.warpAffine(frame, matrix, (width, height), borderMode=cv2.BORDER_REFLECT_101)
        )


class Occlusion(Alteration):
    """A grey square at one place of the clip's middle."""

    name = "occlusion"
    what = "a grey square over so much of the picture, at one place in its middle for each clip"
    unit = "% of the picture"
    strengths = (1.0, 3.0, 6.0, 12.0, 20.0)

    def alter(self, frames: Frames, strength: float, rng: np.random.Generator) -> Frames:
        """Cover a square whose centre lies in the middle half of both sides."""
        height, width = frames.shape[1:3]
        side = round(np.sqrt(strength / 100 * height * width))
        y, x = (round(size * (0.25 + 0.5 * rng.random()) - side / 2) for size in (height, width))
        altered = frames.copy()
        altered[:, max(y, 0) : max(y + side, 0), max(x, 0) : max(x + side, 0)] = _GRAY
        return altered


class Noise(Alteration):
    """Normal noise of every pixel, another one in every frame."""

    name = "noise"
    what = "normal noise added to every pixel, other noise in every frame"
    unit = "grey levels of 255, standard deviation"
    strengths = (2.0, 5.0, 10.0, 20.0, 40.0)

    def alter(self, frames: Frames, strength: float, rng: np.random.Generator) -> Frames:
        """Add noise, and cut off at black and white."""
        return _bytes(frames + strength * rng.standard_normal(frames.shape, dtype=np.float32))


class Blur(Alteration):
    """A Gaussian blur whose width is a share of the picture's, so that it means the same at every resolution."""

    name = "blur"
    what = "a Gaussian blur"
    unit = "% of the shorter side, standard deviation"
    strengths = (0.25, 0.5, 1.0, 1.5, 2.5)

    def alter(self, frames: Frames, strength: float, rng: np.random.Generator) -> Frames:
        """Blur every frame; nothing is drawn."""
        import cv2

        del rng
        sigma = strength / 100 * min(frames.shape[1:3])
        return _each(frames, lambda frame: cv2.GaussianBlur(frame, (0, 0), sigma))


class Compression(Alteration):
    """Every frame through JPEG by itself."""

    name = "compression"
    what = "every frame compressed by JPEG and opened again"
    unit = "100 less JPEG's quality"
    strengths = (20.0, 50.0, 70.0, 85.0, 95.0)

    def alter(self, frames: Frames, strength: float, rng: np.random.Generator) -> Frames:
        """Compress and open every frame; nothing is drawn.

        Raises:
            DataError: OpenCV cannot compress a frame.
        """
        import cv2

        del rng
        quality = [cv2.IMWRITE_JPEG_QUALITY, round(100 - strength)]

        def again(frame: NDArray[Any]) -> NDArray[Any]:
            # OpenCV takes the first channel for blue: JPEG, which keeps less of colours, is given the right ones.
            colour = frame.shape[-1] == 3
            done, data = cv2.imencode(".jpg", cv2.cvtColor(frame, cv2.COLOR_RGB2BGR) if colour else frame, quality)
            opened = cv2.imdecode(data, cv2.IMREAD_UNCHANGED) if done else None
            if opened is None:
                raise DataError(f"OpenCV cannot compress a frame of {frame.shape} by JPEG")
            return cv2.cvtColor(opened, cv2.COLOR_BGR2RGB) if colour else opened

        return _each(frames, again)


#: By name, in the order of the table.
ALTERATIONS: Mapping[str, Alteration] = {
    alteration.name: alteration
    for alteration in (Brightness(), Rotation(), Occlusion(), Noise(), Blur(), Compression())
}


def chosen_alterations(text: str) -> list[Alteration]:
    """Read ``--alterations``: ``all``, or names with commas between them.

    Raises:
        ConfigError: A name is unknown.
    """
    if text == "all":
        return list(ALTERATIONS.values())
    names = [name.strip() for name in text.split(",")]
    for name in names:
        if name not in ALTERATIONS:
            raise ConfigError(f"--alterations: {unknown('alteration', name, [*ALTERATIONS, 'all'])}")
    return [alteration for name, alteration in ALTERATIONS.items() if name in names]


def _sign(rng: np.random.Generator) -> int:
    return 1 if rng.random() < 0.5 else -1


def _bytes(frames: NDArray[np.floating[Any]]) -> Frames:
    return np.rint(frames).clip(0, 255).astype(np.uint8)


def _each(frames: Frames, function: Callable[[NDArray[Any]], NDArray[Any]]) -> Frames:
    """Put frames through a function of OpenCV's, which drops an axis of one channel."""
    return np.stack([function(np.ascontiguousarray(frame)).reshape(frame.shape) for frame in frames])
