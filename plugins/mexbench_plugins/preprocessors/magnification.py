"""Motion magnification: small motions of a clip made larger."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
from annotated_types import Ge, Gt, Le
from numpy.typing import NDArray

from mexbench.errors import DataError
from mexbench.interfaces import Clip, Preprocessor
from mexbench_plugins.preprocessors._images import gray, position, require
from mexbench_plugins.preprocessors.optical_flow import SMALLEST, farneback

Video = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class Magnification(Preprocessor):
    """Makes motions of a clip of RGB or gray frames, uint8, larger: a displacement d becomes (1 + alpha) d.

    ``eulerian`` is linear Eulerian magnification: each frame's luminance is split into a Laplacian pyramid; in every
    level but the finest and the coarsest the change over time is filtered, multiplied by alpha and added back, to all
    colour channels alike. A level whose wavelength is too short for alpha gets less, by the bound
    (1 + alpha) d < wavelength / 8 with d = cutoff / 8 / (1 + alpha). It holds for motions well below that bound.

    ``warp`` moves pixels: the optical flow from the onset to each frame (Farneback, with the parameters of the step
    ``optical_flow``), times 1 + alpha, displaces the onset frame. It takes larger motions, and shows nothing that was
    not in the onset frame.

    Args:
        method: eulerian or warp.
        alpha: How much is added: 0 leaves a clip as it is.
        temporal: For eulerian, which changes count: onset, all that differs from the onset frame; ideal, frequencies
            from low to high, over the whole clip; iir, the difference of two first-order low-pass filters, causal.
        low: Lowest frequency that is magnified, in Hz, for ideal and iir.
        high: Highest one.
        cutoff: For eulerian, the spatial wavelength in pixels below which less than alpha is added.
    """

    source = (
        "eulerian: Wu et al., Eulerian video magnification, ACM Transactions on Graphics 31(4), 2012, "
        "doi:10.1145/2185520.2185561, sections 3 and 4; warp: Lagrangian, Liu et al., Motion magnification, "
        "doi:10.1145/1073204.1073223, with dense flow in the place of tracked layers"
    )

    method: Literal["eulerian", "warp"] = "eulerian"
    alpha: Annotated[float, Ge(0), Le(100)] = 10.0
    temporal: Literal["onset", "ideal", "iir"] = "onset"
    low: Annotated[float, Gt(0)] = 0.4
    high: Annotated[float, Gt(0)] = 3.0
    cutoff: Annotated[float, Gt(0)] = 16.0

    def __post_init__(self) -> None:
        """Refuse an empty band.

        Raises:
            ValueError: It is.
        """
        if self.low >= self.high:
            raise ValueError(f"low, {self.low:g} Hz, must lie below high, {self.high:g} Hz")

    def __call__(self, clip: Clip) -> Clip:
        """Magnify.

        Raises:
            DataError: The frames are not uint8 images, or too small, or there is one alone, or a band is asked for and
                the rate is unknown, or no frequency of the clip lies in it: nothing would be magnified.
        """
        frames = require("magnification", clip, channels=(1, 3))
        if min(frames.shape[1:3]) < SMALLEST:
            raise DataError(
                f"magnification: frames {frames.shape[1:3]} are too small: {SMALLEST} x {SMALLEST} at least"
            )
        if len(frames) == 1:
            raise DataError(
                "magnification: the clip has one frame, and it is motion that is magnified; give it the onset and the "
                "apex, such as 'frames: {unit: clip, at: [onset, apex]}', or more frames"
            )
        onset = position("magnification", "onset_index", clip.onset_index, len(frames), default=0)
        images = [gray(frame) for frame in frames]
        if self.method == "warp":
            return dataclasses.replace(clip, frames=_warped(frames, images, onset, 1 + self.alpha))
        change = self._change(np.stack(images).astype(np.float32), onset, clip.fps)
        magnified = np.empty_like(frames)
        for index, frame in enumerate(frames):
            magnified[index] = np.clip(frame + np.rint(change[index])[..., None], 0, 255)
        return dataclasses.replace(clip, frames=magnified)

    def _change(self, video: Video, onset: int, fps: float | None) -> Video:
        """Return what is added to the luminance of each frame (T, H, W)."""
        pyramids = [laplacian_pyramid(image) for image in video]
        levels = [np.stack(level) for level in zip(*pyramids, strict=True)]
        factors = self._factors(video.shape[1:], len(levels))
        added = [
            factor * self._filtered(level, onset, fps) if factor > 0 else np.zeros_like(level)
            for level, factor in zip(levels, factors, strict=True)
        ]
        return np.stack([collapse([level[index] for level in added]) for index in range(len(video))])

    def _factors(self, shape: tuple[int, ...], count: int) -> list[float]:
        """Return what the change in each level is multiplied by, the finest level first.

        The representative wavelength of the coarsest level is a third of the diagonal, as in the authors' code, and
        halves from level to level.
        """
        displacement = self.cutoff / 8 / (1 + self.alpha)
        longest = math.hypot(*shape) / 3
        factors = []
        for level in range(count):
            wavelength = longest / 2 ** (count - 1 - level)
            factors.append(min(self.alpha, max(0.0, wavelength / (8 * displacement) - 1)))
        if count > 2:
            factors[0] = factors[-1] = 0.0
        return factors

    def _filtered(self, level: Video, onset: int, fps: float | None) -> Video:
        if self.temporal == "onset":
            return level - level[onset]
        if fps is None:
            raise DataError(
                f"magnification: the frame rate is unknown, which 'temporal: {self.temporal}' needs; choose "
                "'temporal: onset', frames by rate, such as 'frames: {unit: frame, fps: 30}', or give the data set its "
                "rate"
            )
        if self.temporal == "ideal":
            step = fps / len(level)
            if math.floor(min(self.high, fps / 2) / step) * step < self.low:
                raise DataError(
                    f"magnification: the frequencies of {len(level)} frames at {fps:g} Hz are {step:g} Hz apart, up to "
                    f"{fps / 2:g} Hz, and none lies between {self.low:g} and {self.high:g} Hz; choose another band"
                )
            return ideal_band(level, fps, self.low, self.high)
        return iir_band(level, fps, self.low, self.high)


def laplacian_pyramid(image: Video) -> list[Video]:
    """Return the levels of a Laplacian pyramid, the finest first, down to a side of at least 8 pixels."""
    import cv2

    levels: list[Video] = []
    while min(image.shape[:2]) >= 16:
        small = np.asarray(cv2.pyrDown(image), np.float32)
        levels.append(image - np.asarray(cv2.pyrUp(small, dstsize=image.shape[1::-1]), np.float32))
        image = small
    return [*levels, image]


def collapse(levels: Sequence[Video]) -> Video:
    """Return the image of a Laplacian pyramid."""
    import cv2

    image = levels[-1]
    for level in reversed(levels[:-1]):
        image = level + np.asarray(cv2.pyrUp(image, dstsize=level.shape[1::-1]), np.float32)
    return image


def ideal_band(level: Video, fps: float, low: float, high: float) -> Video:
    """Keep the frequencies of each pixel (T, ...) within a band in Hz, by the Fourier transform over time."""
    spectrum = np.fft.rfft(level, axis=0)
    frequencies = np.fft.rfftfreq(len(level), 1 / fps)
    spectrum[(frequencies < low) | (frequencies > high)] = 0
    return np.fft.irfft(spectrum, n=len(level), axis=0).astype(np.float32)


def iir_band(level: Video, fps: float, low: float, high: float) -> Video:
    """Return the difference of two low-pass filters, y += r (x - y), with r = 1 - exp(-2 pi f / fps)."""
    slow_rate, fast_rate = (1 - np.exp(-2 * np.pi * f / fps) for f in (low, high))
    slow, fast = level[0].copy(), level[0].copy()
    band = np.empty_like(level)
    for index, frame in enumerate(level):
        slow += slow_rate * (frame - slow)
        fast += fast_rate * (frame - fast)
        band[index] = fast - slow
    return band


def _warped(frames: NDArray[Any], images: Sequence[NDArray[Any]], onset: int, factor: float) -> NDArray[Any]:
    """Displace the onset frame by the flow to each frame, ``factor`` times as far."""
    import cv2

    height, width = frames.shape[1:3]
    columns, rows = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    result = np.empty_like(frames)
    for index, image in enumerate(images):
        # The flow from the later frame back to the onset says, for each pixel, where it came from.
        back = factor * farneback(image, images[onset])
        moved = cv2.remap(
            frames[onset],
            columns + back[..., 0],
            rows + back[..., 1],
            cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REPLICATE,
        )
        result[index] = frames[index] if index == onset else moved.reshape(frames.shape[1:])
    return result
