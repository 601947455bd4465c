"""Motion of a recorded clip as an algorithm sees it that does not know how the clip was made: dense optical flow."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from mexbench_plugins.synth.quality.recording import Recording

#: Pixels of a face unit in which flow is computed. Every face is brought to it, small ones too: flow is smooth over a
#: fixed number of pixels, and of a mouth corner that is few pixels wide it saw a tenth to a half of the motion.
_PIXELS = 105.0
#: The same at most where neighbouring frames are compared, which needs no fine motion.
_WARP_PIXELS = 105.0
#: Standard deviation in pixels of the smoothing before flow, at either scale.
_BLUR, _WARP_BLUR = 1.5, 1.0
#: Frames up to the onset whose mean is the neutral face: each takes noise out of every displacement.
_NEUTRAL = 12
#: Frames count as the apex from this share of the announced intensity on.
_NEAR_APEX = 0.7
#: Side of a cell in face units: the flow is averaged over cells, which takes most of the sensor's noise out of it.
CELL = 0.08
#: Cells of the announced motion: those that it moves by this share of its greatest displacement, or more; where that
#: leaves less than the least share of the head beside the motion, as a learned motion does, the next share counts.
_REGION_SHARES, _LEAST_OUTSIDE = (0.1, 0.2, 0.35, 0.5, 0.7), 0.1
#: What still counts as within the motion, in cells: flow is smooth, and so spreads a little.
_MARGIN = 3
#: Distance from the announced motion, in face units, from which on motion lies outside.
OUTSIDE = _MARGIN * CELL
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
        onset = self.recording.timing.onset
        crops = [self._gray(frame, _PIXELS, _BLUR) for frame in self.recording.frames]
        neutral = _rounded(np.mean(crops[max(onset + 1 - _NEUTRAL, 0) : onset + 1], axis=0))
        flows = [self._cells(_dense_flow(neutral, _rounded(crop))) for crop in crops]
        return np.stack(flows) / np.float32(_PIXELS)

    @cached_property
    def warp_errors(self) -> NDArray[np.float64]:
        """Mean absolute difference of each frame from the one before it, warped by their flow, in grey levels.

        (frames - 1,). Brightness and contrast of the two are made equal first.
        """
        pixels = min(_WARP_PIXELS, self.recording.geometry.unit)
        crops = [_rounded(self._gray(frame, pixels, _WARP_BLUR)) for frame in self.recording.frames]
        columns, rows = _grid(crops[0])
        errors = []
        for before, after in pairwise(crops):
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
        left, top, right, bottom = self.box
        part = self._announced[top:bottom, left:right, :2]
        return self._cells(part) / np.float32(self.recording.geometry.unit)

    @cached_property
    def visible(self) -> NDArray[np.float32]:
        """What flow sees of the announced displacement at the apex (rows, columns, 2), in face units.

        The photo, moved and shaded as announced, without a camera, tracked as the frames are. Where skin has no texture
        flow sees little of a motion, and it takes a fold that deepens for one.
        """
        still = self.recording.still
        columns, rows = _grid(still)
        announced = self._announced
        moved = cv2.remap(
            still.astype(np.float32), columns - announced[..., 0], rows - announced[..., 1], cv2.INTER_CUBIC,
            borderMode=cv2.BORDER_REPLICATE,
        )  # fmt: skip
        apex = _rounded(moved * (1 - announced[..., 2:]))
        neutral, moved = (_rounded(self._gray(picture, _PIXELS, _BLUR)) for picture in (still, apex))
        return self._cells(_dense_flow(neutral, moved)) / np.float32(_PIXELS)

    @cached_property
    def _announced(self) -> NDArray[np.float32]:
        """Columns, rows and loss of light that are announced at the apex, over the whole picture (H, W, 3)."""
        expression = self.recording.expression
        left, top, right, bottom = expression.box
        full = np.zeros((*self.recording.still.shape[:2], 3), np.float32)
        for index, plane in enumerate((expression.dx, expression.dy, expression.shade)):
            full[top:bottom, left:right, index] = plane
        return full

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
        """Motion at the apex (rows, columns, 2): least-squares factor of ``own_motion`` on the announced intensity.

        Over the frames whose announced intensity is near that of the apex: many frames have less noise than one.
        """
        amounts = self.recording.timing.intensity()
        near = amounts >= _NEAR_APEX
        weights = (amounts[near] / (amounts[near] ** 2).sum()).astype(np.float32)
        return np.tensordot(weights, self.own_motion[near], axes=1)

    @cached_property
    def progress(self) -> NDArray[np.float64]:
        """Share of the announced motion in each frame (frames,): least-squares factor of ``visible``."""
        wanted = self.visible[self.region].astype(np.float64)
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

    def _gray(self, frame: NDArray[np.uint8], pixels: float, blur: float) -> NDArray[np.float32]:
        """Return the gray face of a frame (h, w), ``pixels`` to a face unit, a little smoothed."""
        left, top, right, bottom = self.box
        gray = cv2.cvtColor(np.ascontiguousarray(frame[top:bottom, left:right]), cv2.COLOR_RGB2GRAY).astype(np.float32)
        scale = pixels / self.recording.geometry.unit
        if scale != 1:
            how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
            gray = cv2.resize(gray, None, fx=scale, fy=scale, interpolation=how)
        return np.asarray(cv2.GaussianBlur(gray, (0, 0), blur), np.float32)

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


def _rounded(picture: NDArray[np.float32]) -> NDArray[np.uint8]:
    return np.clip(np.rint(picture), 0, 255).astype(np.uint8)


def _grid(picture: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the column and the row of each pixel (h, w)."""
    height, width = picture.shape[:2]
    columns, rows = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    return columns, rows


def _dense_flow(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return columns and rows (h, w, 2) by which each pixel of one gray picture has moved in the other."""
    search = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    search.setFinestScale(1)
    empty = np.zeros((*one.shape, 2), np.float32)
    return np.asarray(search.calc(one, other, empty), np.float32)
