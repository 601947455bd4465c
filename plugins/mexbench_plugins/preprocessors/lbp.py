"""Local binary patterns of single frames."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
from annotated_types import Ge
from numpy.typing import NDArray

from mexbench.errors import DataError
from mexbench.interfaces import Clip, Preprocessor
from mexbench_plugins.preprocessors._images import require
from mexbench_plugins.preprocessors._lbp_codes import CIRCLE, CODES, STEPS, cell_of, histograms

#: scikit-image rounds the neighbours' places to so many digits; its codes hang on it where values tie.
_DIGITS = 5


@dataclass(frozen=True, kw_only=True)
class Lbp(Preprocessor):
    """Local binary patterns at radius 1: gray frames (T, H, W, 1), uint8 or float32, to codes or histograms.

    Eight neighbours are compared with each pixel; bit i of its code stands for the neighbour at i times 45 degrees,
    counter-clockwise from the right. What lies outside the image counts as 0. The defaults are paper 4's patterns;
    comparison: at_least with neighbours: circle gives, bit for bit, the code map of scikit-image's
    local_binary_pattern(image, 8, 1, method="default"), borders included.

    Args:
        comparison: A bit is set where the neighbour is greater than the centre (strict) or not less (at_least).
        neighbours: square takes the 3 x 3 neighbourhood's own pixels; circle takes the diagonal neighbours at
            distance 1, bilinearly interpolated. On the circle the bits of an even area hang on rounding, as they do
            in scikit-image: the sum of four weighted equal values is not always that value.
        output: codes gives (T, H, W, 1) uint8; histogram gives (T, grid * grid * 256) float32, the histogram of each
            cell after the other, row by row, each with sum 1.
        grid: Cells along each side of a frame, for histograms.
    """

    example_shape = (5, 64, 64, 1)
    source = "CNN-LSTM with LBP (2024), pre-processing; circle: Ojala et al. (2002), as in scikit-image"

    comparison: Literal["strict", "at_least"] = "strict"
    neighbours: Literal["square", "circle"] = "square"
    output: Literal["codes", "histogram"] = "codes"
    grid: Annotated[int, Ge(1)] = 1

    def __call__(self, clip: Clip) -> Clip:
        """Code every frame."""
        frames = require("lbp", clip, channels=(1,), dtypes=("uint8", "float32"), hint="put grayscale before it")
        codes = self._codes(frames[..., 0])
        result = codes[..., None] if self.output == "codes" else self._histograms(codes)
        return dataclasses.replace(clip, frames=result)

    def _codes(self, images: NDArray[Any]) -> NDArray[np.uint8]:
        """Return the codes of images (T, H, W)."""
        _, height, width = images.shape
        padded = np.pad(images, ((0, 0), (1, 1), (1, 1)))
        codes = np.zeros(images.shape, np.uint8)
        hit = np.empty(images.shape, np.bool_)
        compare = np.greater if self.comparison == "strict" else np.greater_equal
        for bit, (down, right) in enumerate(STEPS):
            if self.neighbours == "circle" and down and right:
                neighbour = _interpolated(padded, bit)
            else:
                neighbour = padded[:, 1 + down : 1 + down + height, 1 + right : 1 + right + width]
            compare(neighbour, images, out=hit)
            codes |= hit.view(np.uint8) << np.uint8(bit)
        return codes

    def _histograms(self, codes: NDArray[np.uint8]) -> NDArray[np.float32]:
        count, height, width = codes.shape
        if min(height, width) < self.grid:
            raise DataError(
                f"lbp: frames {(height, width)} are too small for a grid of {self.grid} x {self.grid} cells"
            )
        n_cells = self.grid**2
        cells = cell_of(height, self.grid)[:, None] * self.grid + cell_of(width, self.grid)
        counts = np.stack([histograms(frame, cells, n_cells, CODES) for frame in codes])
        return (counts / counts.sum(axis=2, keepdims=True)).reshape(count, -1).astype(np.float32)


def _interpolated(padded: NDArray[Any], bit: int) -> NDArray[np.float64]:
    """Return the diagonal neighbour on the circle of every pixel (T, H, W), from images with a border of one.

    Weights are taken from the neighbour's place in the image, and the sums in this order, since that is what gives
    scikit-image's values to the last bit: an interpolated value decides by its rounding where it ties with the centre.
    """
    _, height, width = (size - 2 * (axis > 0) for axis, size in enumerate(padded.shape))
    down, right = (round(share, _DIGITS) for share in CIRCLE[bit])
    rows, columns = np.arange(height) + down, np.arange(width) + right
    low_row, low_column = np.floor(rows), np.floor(columns)
    row_part, column_part = (rows - low_row)[:, None], columns - low_column
    top, left = (0 if share < 0 else 1 for share in (down, right))
    values = padded.astype(np.float64)

    def along(row: int) -> NDArray[np.float64]:
        near = values[:, row : row + height, left : left + width]
        far = values[:, row : row + height, left + 1 : left + 1 + width]
        return (1 - column_part) * near + column_part * far

    return (1 - row_part) * along(top) + row_part * along(top + 1)
