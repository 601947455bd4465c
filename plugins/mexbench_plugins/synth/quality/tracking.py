"""Motion of a recorded clip as an algorithm sees it that does not know how the clip was made: dense optical flow."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from mexbench_plugins.synth.quality.recording import Recording

#: Pixels in a face unit at most: frames of larger faces are shrunk before the flow.
_PIXELS = 105.0
#: Side of a cell in face units: the flow is averaged over cells, which takes most of the sensor's noise out of it.
CELL = 0.08
#: Cells of the announced motion: those that it moves by this share of its greatest displacement, or more; where that
#: leaves less than the least share of the head beside the motion, as a learned motion does, the next share counts.
_REGION_SHARES, _LEAST_OUTSIDE = (0.1, 0.2, 0.35, 0.5, 0.7), 0.1
#: What still counts as within the motion, in cells: flow is smooth, and so spreads a little.
_MARGIN = 3
#: Half axes and middle in face units of the ellipse that is the head, for telling its motion from the background's.
_HEAD, _HEAD_Y = (1.0, 1.25), 0.3


@dataclass(frozen=True, eq=False)
class Tracking:
    """Dense inverse search flow (Kroeger et al., ECCV 2016) from neutral to every frame, averaged over cells.

    Args:
        recording: The clip.
    """

    recording: Recording

    @cached_property
    def flow(self) -> NDArray[np.float32]:
        """Displacement against neutral of each frame and cell (frames, rows, columns, 2), in face units."""
        timing = self.recording.timing
        first = max(timing.onset - 4, 0)
        neutral = np.median(self._crops[first : timing.onset + 1], axis=0).astype(np.uint8)
        unit = self.recording.geometry.unit * self._scale
        return np.stack([self._cells(_dense_flow(neutral, crop)) for crop in self._crops]) / np.float32(unit)

    @cached_property
    def warp_errors(self) -> NDArray[np.float64]:
        """Mean absolute difference of each frame from the one before it, warped by their flow, in grey levels.

        (frames - 1,). Brightness and contrast of the two are made equal first.
        """
        height, width = self._crops.shape[1:]
        columns, rows = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
        errors = []
        for before, after in zip(self._crops[:-1], self._crops[1:], strict=True):
            flow = _dense_flow(after, before)
            warped = cv2.remap(
                before.astype(np.float32), columns + flow[..., 0], rows + flow[..., 1], cv2.INTER_LINEAR,
                borderMode=cv2.BORDER_REPLICATE,
            )  # fmt: skip
            target = after.astype(np.float32)
            gain = float(target.std() / max(float(warped.std()), 1e-6))
            errors.append(float(np.abs((warped - warped.mean()) * gain - (target - target.mean())).mean()))
        return np.array(errors)

    @cached_property
    def expected(self) -> NDArray[np.float32]:
        """The announced displacement at the apex (rows, columns, 2), in face units."""
        expression = self.recording.expression
        height, width = self.recording.still.shape[:2]
        left, top, right, bottom = expression.box
        full = np.zeros((height, width, 2), np.float32)
        full[top:bottom, left:right, 0], full[top:bottom, left:right, 1] = expression.dx, expression.dy
        left, top, right, bottom = self.box
        part = full[top:bottom, left:right]
        return self._cells(part) / np.float32(self.recording.geometry.unit)

    @cached_property
    def region(self) -> NDArray[np.bool_]:
        """Cells of the announced motion (rows, columns)."""
        return self._regions[0]

    @cached_property
    def outside(self) -> NDArray[np.bool_]:
        """Cells of the head that are further from the announced motion than flow spreads (rows, columns)."""
        return self._regions[1]

    @cached_property
    def _regions(self) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        length = np.linalg.norm(self.expected, axis=-1)
        kernel = np.ones((2 * _MARGIN + 1, 2 * _MARGIN + 1), np.uint8)
        region, outside = length > 0, np.zeros(length.shape, np.bool_)
        for share in _REGION_SHARES:
            region = length >= max(share * self.peak, 1e-9)
            outside = (cv2.dilate(region.astype(np.uint8), kernel) == 0) & self.head
            if outside.sum() >= _LEAST_OUTSIDE * self.head.sum():
                break
        return region, outside

    @cached_property
    def head_motion(self) -> NDArray[np.float32]:
        """Movement of the head as a whole in each frame (frames, 2), in face units.

        The median over cells of the head outside the announced motion; zero where the motion covers it all.
        """
        if not self.outside.any():
            return np.zeros((len(self.flow), 2), np.float32)
        return np.median(self.flow[:, self.outside], axis=1).astype(np.float32)

    @cached_property
    def own_motion(self) -> NDArray[np.float32]:
        """Flow less the movement of the head (frames, rows, columns, 2), in face units."""
        return self.flow - self.head_motion[:, None, None]

    @cached_property
    def around_apex(self) -> NDArray[np.float32]:
        """Mean of ``own_motion`` over the apex and its neighbours (rows, columns, 2)."""
        timing = self.recording.timing
        reach = min(2, timing.rise // 4, timing.fall // 4)
        return self.own_motion[timing.apex - reach : timing.apex + reach + 1].mean(axis=0)

    @cached_property
    def progress(self) -> NDArray[np.float64]:
        """How much of the announced motion has happened in each frame (frames,): its least-squares factor."""
        wanted = self.expected[self.region].astype(np.float64)
        moved = self.own_motion[:, self.region].astype(np.float64)
        return (moved * wanted).sum(axis=(1, 2)) / max(float((wanted**2).sum()), 1e-12)

    @property
    def peak(self) -> float:
        """Greatest announced displacement of a cell, in face units."""
        return float(np.linalg.norm(self.expected, axis=-1).max(initial=0.0))

    @cached_property
    def box(self) -> tuple[int, int, int, int]:
        """Left, top, right and bottom in pixels of the part of the picture that the cells cover."""
        height, width = self.recording.still.shape[:2]
        left, top, right, bottom = self.recording.geometry.box(width, height)
        margin = round(0.25 * self.recording.geometry.unit)
        return max(left - margin, 0), max(top - margin, 0), min(right + margin, width), min(bottom + margin, height)

    @property
    def _scale(self) -> float:
        return min(1.0, _PIXELS / self.recording.geometry.unit)

    @cached_property
    def _crops(self) -> NDArray[np.uint8]:
        """Gray faces (frames, h, w), a little smoothed."""
        left, top, right, bottom = self.box
        crops = []
        for frame in self.recording.frames:
            gray = cv2.cvtColor(np.ascontiguousarray(frame[top:bottom, left:right]), cv2.COLOR_RGB2GRAY)
            if self._scale < 1:
                gray = cv2.resize(gray, None, fx=self._scale, fy=self._scale, interpolation=cv2.INTER_AREA)
            crops.append(cv2.GaussianBlur(gray, (0, 0), 1.0))
        return np.stack(crops).astype(np.uint8)

    def _cells(self, field: NDArray[np.float32]) -> NDArray[np.float32]:
        """Average a field (h, w, 2) over cells."""
        left, top, right, bottom = self.box
        side = CELL * self.recording.geometry.unit
        size = max(round((right - left) / side), 4), max(round((bottom - top) / side), 4)
        return np.asarray(cv2.resize(field, size, interpolation=cv2.INTER_AREA), np.float32)

    @cached_property
    def head(self) -> NDArray[np.bool_]:
        """Cells of the head (rows, columns)."""
        left, top, right, bottom = self.box
        x, y = self.recording.geometry.grid((left, top, right, bottom))
        inside = (x / _HEAD[0]) ** 2 + ((y - _HEAD_Y) / _HEAD[1]) ** 2 < 1
        rows, columns = self.expected.shape[:2]
        return cv2.resize(inside.astype(np.float32), (columns, rows), interpolation=cv2.INTER_AREA) > 0.5


def _dense_flow(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return columns and rows (h, w, 2) by which each pixel of one gray picture has moved in the other."""
    search = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    search.setFinestScale(1)
    empty = np.zeros((*one.shape, 2), np.float32)
    return np.asarray(search.calc(one, other, empty), np.float32)
