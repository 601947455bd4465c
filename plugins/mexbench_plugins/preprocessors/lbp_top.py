"""Local binary patterns on three orthogonal planes: texture and its motion."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
from annotated_types import Ge
from numpy.typing import NDArray

from mexbench.errors import DataError, SampleRejected
from mexbench.interfaces import Clip, Preprocessor
from mexbench_plugins.preprocessors._images import require
from mexbench_plugins.preprocessors._lbp_codes import CODES, POINTS, cell_of, histograms, taps, uniform_table

#: First and second axis of each plane, as axes of a volume (T, H, W).
PLANES = {"XY": (1, 2), "XT": (0, 2), "YT": (0, 1)}

#: An interpolated difference nearer to 0 than this is 0 but for rounding. For whole-numbered pixels and radii the true
#: one is a sum p + q * sqrt(2) of bounded multiples of one half, which comes no nearer unless it is 0.
_TIE = 1e-6
#: Pixels coded at a time: the temporary arrays of a long clip stay small.
_CHUNK = 2**20


@dataclass(frozen=True, kw_only=True)
class LbpTop(Preprocessor):
    """LBP-TOP: a gray clip (T, H, W, 1) uint8 to one vector (1, D) float32.

    Each pixel that is at least a radius away from every border of the volume gets a code in the planes XY, XT and YT:
    eight neighbours on an ellipse, bit i at i times 45 degrees from x (from y in YT) towards falling y (falling t in
    XT and YT), set where the neighbour is not less than the centre. These pixels fall into grid x grid cells over the
    image; the vector joins, cell by cell (row by row), the histograms of XY, XT and YT, each with sum 1.
    D = grid * grid * 3 * 59 for uniform patterns and grid * grid * 3 * 256 for all.

    A clip with fewer than 2 * radius_t + 1 frames is excluded.

    Args:
        radius_x: Distance to the neighbours along x, in pixels.
        radius_y: Distance to the neighbours along y, in pixels.
        radius_t: Distance to the neighbours along t, in frames.
        neighbours: circle interpolates bilinearly between pixels; square takes the pixels at the corners and the
            middle of the sides of the rectangle around the ellipse.
        comparison: A bit is set where the neighbour is not less than the centre (at_least) or greater (strict).
        patterns: uniform gives each code with at most two changes around the circle its own bin, 58 in the order of
            the codes, and one bin to all others; all gives each of the 256 codes its own.
        grid: Cells along each side of the image.
    """

    example_shape = (5, 64, 64, 1)
    source = "Zhao and Pietikainen (2007), doi:10.1109/TPAMI.2007.1110"

    radius_x: Annotated[int, Ge(1)] = 1
    radius_y: Annotated[int, Ge(1)] = 1
    radius_t: Annotated[int, Ge(1)] = 1
    neighbours: Literal["circle", "square"] = "circle"
    comparison: Literal["at_least", "strict"] = "at_least"
    patterns: Literal["uniform", "all"] = "uniform"
    grid: Annotated[int, Ge(1)] = 5

    def __call__(self, clip: Clip) -> Clip:
        """Code the clip.

        Raises:
            SampleRejected: It has too few frames for the radius in time.
            DataError: The frames are not gray images, or too small for the radii and the grid.
        """
        volume = require("lbp_top", clip, channels=(1,), hint="put grayscale before it")[..., 0]
        radii = (self.radius_t, self.radius_y, self.radius_x)
        count, height, width = (size - 2 * radius for size, radius in zip(volume.shape, radii, strict=True))
        if count < 1:
            raise SampleRejected(f"fewer frames than the {2 * self.radius_t + 1} that lbp_top needs for its radius_t")
        if min(height, width) < self.grid:
            raise DataError(
                f"lbp_top: frames {volume.shape[1:]} are too small for a grid of {self.grid} x {self.grid} cells "
                f"with radius_y {self.radius_y} and radius_x {self.radius_x}"
            )
        table = uniform_table() if self.patterns == "uniform" else np.arange(CODES)
        n_bins = int(table.max()) + 1
        cells = cell_of(height, self.grid)[:, None] * self.grid + cell_of(width, self.grid)
        counts = np.zeros((self.grid**2, len(PLANES), n_bins), dtype=np.intp)
        step = max(1, _CHUNK // (height * width))
        for start in range(0, count, step):
            part = volume[start : start + step + 2 * self.radius_t].astype(np.float64)
            for plane, axes in enumerate(PLANES.values()):
                bins = table[self._codes(part, radii, axes)]
                counts[:, plane] += histograms(bins, cells, self.grid**2, n_bins)
        shares = counts / counts.sum(axis=2, keepdims=True)
        # The one row is not a frame: neither rate nor positions are left.
        return Clip(frames=shares.reshape(1, -1).astype(np.float32), notes=clip.notes)

    def _codes(self, volume: NDArray[np.float64], radii: Sequence[int], axes: tuple[int, int]) -> NDArray[np.uint8]:
        """Return the codes in one plane of all pixels a radius away from the borders."""
        shape = tuple(size - 2 * radius for size, radius in zip(volume.shape, radii, strict=True))

        def shifted(steps: Sequence[int]) -> NDArray[Any]:
            return volume[
                tuple(
                    slice(radius + step, radius + step + size)
                    for radius, step, size in zip(radii, steps, shape, strict=True)
                )
            ]

        centre = shifted((0, 0, 0))
        codes = np.zeros(shape, np.uint8)
        difference = np.empty(shape)
        for bit in range(POINTS):
            np.negative(centre, out=difference)
            places = taps([radii[axis] for axis in axes], bit, on_circle=self.neighbours == "circle")
            for first, second, weight in places:
                steps = [0, 0, 0]
                steps[axes[0]], steps[axes[1]] = first, second
                difference += shifted(steps) if weight == 1 else weight * shifted(steps)
            hit = difference >= -_TIE if self.comparison == "at_least" else difference > _TIE
            codes |= hit.view(np.uint8) << np.uint8(bit)
        return codes
