"""Bi-WOOF: histograms of the flow's orientation, weighted twice."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from annotated_types import Ge

from mexbench.errors import DataError
from mexbench.interfaces import Clip, Preprocessor
from mexbench_plugins.preprocessors._images import require
from mexbench_plugins.preprocessors._lbp_codes import cell_of


@dataclass(frozen=True, kw_only=True)
class BiWoof(Preprocessor):
    """Bi-weighted oriented optical flow: u, v, strain (T, H, W, 3) float32 to (T, blocks * blocks * bins) float32.

    The flow of each pixel adds its magnitude (the local weight) to the bin of its orientation, and the histogram of a
    block is multiplied by the mean strain of its pixels (the global weight). Blocks come row by row. ``optical_flow``
    gives the three channels; maps whose channels were each stretched to 0 to 255, as those of the flow packs are, have
    lost both magnitude and zero, so they are refused. The paper classifies by a linear SVM.

    Args:
        blocks: Blocks along each side of a frame; our choice, as the best number depends on the data set.
        bins: Equal ranges of orientation from -180 to 180 degrees, 0 to the right and 90 downwards.
    """

    example_shape = (1, 64, 64, 3)
    example_dtype = "float32"
    source = (
        "Liong et al., Less is more: micro-expression recognition from video using apex frame, Signal Processing: "
        "Image Communication 62, 2018 (arXiv 1606.01721)"
    )

    blocks: Annotated[int, Ge(1)] = 8
    bins: Annotated[int, Ge(1)] = 8

    def __call__(self, clip: Clip) -> Clip:
        """Describe every frame of flow."""
        frames = require(
            "bi_woof", clip, channels=(3,), dtypes=("float32",), hint="put optical_flow (u, v, strain) before it"
        )
        count, height, width, _ = frames.shape
        if min(height, width) < self.blocks:
            raise DataError(f"bi_woof: frames {(height, width)} are too small for {self.blocks} x {self.blocks} blocks")
        u, v, strain = np.moveaxis(frames.astype(np.float64), -1, 0)
        turn = (np.arctan2(v, u) + np.pi) / (2 * np.pi)
        # An orientation of 180 degrees is -180 too: it goes to the first bin.
        orientation = np.floor(turn * self.bins).astype(np.intp) % self.bins
        blocks = cell_of(height, self.blocks)[:, None] * self.blocks + cell_of(width, self.blocks)
        n_blocks = self.blocks**2
        sizes = np.bincount(blocks.ravel(), minlength=n_blocks)
        features = np.empty((count, n_blocks, self.bins))
        for index in range(count):
            place = blocks * self.bins + orientation[index]
            magnitude = np.hypot(u[index], v[index])
            local = np.bincount(place.ravel(), magnitude.ravel(), n_blocks * self.bins).reshape(n_blocks, self.bins)
            total_strain = np.bincount(blocks.ravel(), strain[index].ravel(), n_blocks)
            features[index] = local * (total_strain / sizes)[:, None]
        return dataclasses.replace(clip, frames=features.reshape(count, -1).astype(np.float32))
