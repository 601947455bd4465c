"""Flow pictures of the public packs <-> fields of displacement on one normalised face.

A pack keeps u, v and strain of a clip as the three channels of a picture, each stretched to 0-255: amplitudes are gone,
and so are the zero and the gain of each component. What is left is recovered here: zero is the median of a component,
since most of a face stands still, and the gain of v against that of u is the one whose strain fits the third channel.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from mexbench.errors import DataError

#: Rows and columns of a field, as in the packs.
SIDE = 28
#: Fields (n, 2, SIDE, SIDE), float32: dx to the right and dy down, of mean square length 1 or zero everywhere.
Fields = NDArray[np.float32]
#: The gain of v against that of u is kept within this factor: strain of noise fits anything.
_GREATEST_GAIN = 4.0


@dataclass(frozen=True, kw_only=True)
class FaceWindow:
    """What part of a face a field covers, in face units (``synth.geometry``): x = 0 its middle, y = 0 its eye line."""

    left: float
    right: float
    top: float
    bottom: float

    def points(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return x and y of the centres of the field's cells (SIDE, SIDE)."""
        at = (np.arange(SIDE, dtype=np.float32) + 0.5) / SIDE
        x, y = np.meshgrid(
            self.left + at * (self.right - self.left), self.top + at * (self.bottom - self.top)
        )  # fmt: skip
        return x.astype(np.float32), y.astype(np.float32)

    def cells(self, x: NDArray[Any], y: NDArray[Any]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return the column and row, in cells and as OpenCV counts, of points given in face units."""
        columns = (np.asarray(x) - self.left) / (self.right - self.left) * SIDE - 0.5
        rows = (np.asarray(y) - self.top) / (self.bottom - self.top) * SIDE - 0.5
        return columns.astype(np.float32), rows.astype(np.float32)


#: What the pictures of the packs cover. Read off the rows and columns at which the mean motion of each class is
#: greatest: the brows of surprise, the corners of the mouth of positive clips. STSTNet's is the one that all use.
STSTNET_WINDOW = FaceWindow(left=-0.95, right=0.95, top=-0.75, bottom=1.65)
CAUSALNET_WINDOW = FaceWindow(left=-0.95, right=0.95, top=-0.96, bottom=1.44)


def decode(images: NDArray[Any], *, window: FaceWindow = STSTNET_WINDOW) -> Fields:
    """Recover directions and shapes from flow pictures.

    Args:
        images: (n, SIDE, SIDE, 3), u, v and strain.
        window: What they cover; fields of another window than STSTNet's are resampled into that one.

    Raises:
        DataError: The channels seem to be in OpenCV's order, strain first.
    """
    pictures = np.asarray(images, np.float64)
    if pictures.shape[1:] != (SIDE, SIDE, 3):
        raise DataError(f"flow pictures must be {SIDE}x{SIDE} of u, v and strain: got {pictures.shape[1:]}")
    levels = np.median(pictures, axis=(1, 2))
    usual = np.median(levels, axis=0) if len(levels) else np.zeros(3)
    if usual[2] > 60 and usual[0] < 40:
        raise DataError(
            f"flow pictures have medians {usual.round().astype(int).tolist()} by channel: the first looks like strain, "
            "which must come last: set 'channels: rgb' for the data set"
        )
    fields = np.moveaxis(pictures[..., :2] - levels[:, None, None, :2], -1, 1)
    gains = np.array([_gain(field, picture) for field, picture in zip(fields, pictures[..., 2], strict=True)])
    fields[:, 1] *= gains.reshape(-1, 1, 1)
    if window != STSTNET_WINDOW:
        columns, rows = window.cells(*STSTNET_WINDOW.points())
        fields = np.stack([[_sample(plane, columns, rows) for plane in field] for field in fields]).reshape(
            -1, 2, SIDE, SIDE
        )  # fmt: skip
    return normalised(fields)


def encode(fields: NDArray[Any]) -> NDArray[np.uint8]:
    """Write fields as the packs do: (n, SIDE, SIDE, 3), u, v and strain, each channel of each picture from 0 to 255."""
    planes = np.stack([fields[:, 0], fields[:, 1], strain(fields)], axis=-1).astype(np.float64)
    low = planes.min(axis=(1, 2), keepdims=True)
    span = planes.max(axis=(1, 2), keepdims=True) - low
    stretched = np.divide(planes - low, span, out=np.zeros_like(planes), where=span > 1e-12)
    return np.rint(255 * stretched).astype(np.uint8)


def strain(fields: NDArray[Any]) -> NDArray[np.float64]:
    """Return the optical strain (n, H, W): the norm of the symmetric part of the gradient.

    Source: Shreve et al., Macro- and micro-expression spotting in long videos using spatio-temporal strain, FG 2011.
    """
    (u_y, u_x), (v_y, v_x) = (np.gradient(np.asarray(fields[:, part], np.float64), axis=(1, 2)) for part in (0, 1))
    return np.sqrt(u_x**2 + v_y**2 + 0.5 * (u_y + v_x) ** 2)


def normalised(fields: NDArray[Any]) -> Fields:
    """Scale each field to a mean square length of 1; a field without motion stays zero."""
    size = np.sqrt((np.asarray(fields, np.float64) ** 2).sum(axis=1).mean(axis=(1, 2)))[:, None, None, None]
    return np.divide(fields, size, out=np.zeros(np.shape(fields)), where=size > 1e-9).astype(np.float32)


def _gain(field: NDArray[np.float64], picture: NDArray[np.float64]) -> float:
    """Return the factor of v against u that explains the strain best, by least squares over its square."""
    (u_y, u_x), (v_y, v_x) = np.gradient(field[0]), np.gradient(field[1])
    terms = np.stack([u_x**2 + 0.5 * u_y**2, v_y**2 + 0.5 * v_x**2, u_y * v_x], axis=-1).reshape(-1, 3)
    squares, *_ = np.linalg.lstsq(terms, ((picture - picture.min()) ** 2).ravel(), rcond=None)
    if squares[0] <= 0 or squares[1] <= 0:
        return 1.0
    return float(np.clip(np.sqrt(squares[1] / squares[0]), 1 / _GREATEST_GAIN, _GREATEST_GAIN))


def _sample(plane: NDArray[Any], columns: NDArray[np.float32], rows: NDArray[np.float32]) -> NDArray[np.float32]:
    source = np.ascontiguousarray(plane, np.float32)
    return np.asarray(cv2.remap(source, columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), np.float32)
