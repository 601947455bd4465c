"""Motion from the onset to the apex."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
from annotated_types import MinLen
from numpy.typing import NDArray

from mexbench.errors import DataError, NotAnnotated, SampleRejected, missing_extra
from mexbench.interfaces import Clip, Preprocessor
from mexbench_plugins.preprocessors._images import each, gray, position, require

#: The smallest side, in pixels: OpenCV's DIS ends the process with a segmentation fault on 12 x 300, and 16 rows are
#: safe at any width.
SMALLEST = 16

MIDDLE = "no apex known: optical flow to the frame midway between onset and offset"
LARGEST = "no apex known: optical flow to the frame that differs most from the onset"


@dataclass(frozen=True, kw_only=True)
class OpticalFlow(Preprocessor):
    """Optical flow from the onset to the apex of RGB or gray frames, uint8: (1, H, W, channels) float32.

    u is the displacement to the right and v the displacement downwards, in pixels. strain is the magnitude of the
    infinitesimal strain tensor, sqrt(exx^2 + eyy^2 + 2 exy^2), with exx = du/dx, eyy = dv/dy and
    exy = (du/dy + dv/dx) / 2 as central differences (one-sided at the border). The onset is the first frame where the
    data names none. A clip of one frame is excluded.

    Args:
        method: farneback (pyramid of 3 levels halved, window 15, 3 iterations, poly_n 5, poly_sigma 1.2); dis
            (OpenCV's DIS with its preset medium); tvl1 (OpenCV's TV-L1 with its defaults; contrib build only);
            tvl1_skimage (scikit-image's TV-L1 with its defaults, extra ``flow``: another implementation, other flow).
        no_apex: Where the apex is missing or is the onset itself: reject excludes the sample; middle takes the
            frame midway between onset and offset (the last frame where no offset is known); largest the frame between
            them whose gray values differ most from the onset's, on average. Both are noted.
        channels: What to return, in this order.
    """

    source = "flow and strain from onset to apex as in STSTNet, Liong et al. (2019), doi:10.1109/FG.2019.8756567"

    method: Literal["farneback", "dis", "tvl1", "tvl1_skimage"] = "farneback"
    no_apex: Literal["reject", "middle", "largest"] = "reject"
    channels: Annotated[tuple[Literal["u", "v", "strain"], ...], MinLen(1)] = ("u", "v", "strain")

    def __post_init__(self) -> None:
        """Refuse a channel named twice."""
        if len(set(self.channels)) < len(self.channels):
            raise ValueError(f"channels names one twice: {list(self.channels)}")

    def __call__(self, clip: Clip) -> Clip:
        """Compute the flow.

        Raises:
            SampleRejected: The clip has a single frame, or no apex under no_apex: reject.
            DataError: The frames are not uint8 images or too small, or the package of a TV-L1 is missing.
        """
        frames = require("optical_flow", clip, channels=(1, 3))
        if min(frames.shape[1:3]) < SMALLEST:
            raise DataError(f"optical_flow: frames {frames.shape[1:3]} are too small: {SMALLEST} x {SMALLEST} at least")
        onset = position("optical_flow", "onset_index", clip.onset_index, len(frames), default=0)
        apex = position("optical_flow", "apex_index", clip.apex_index, len(frames), default=onset)
        notes = clip.notes
        if apex == onset:
            apex, note = self._stand_in(clip, onset)
            notes = (*notes, note)
        flow = _matcher(self.method)(gray(frames[onset]), gray(frames[apex]))
        planes = {"u": flow[..., 0], "v": flow[..., 1]}
        if "strain" in self.channels:
            planes["strain"] = strain(flow)
        # Its one frame is none of the clip's: neither rate nor positions are left.
        return Clip(frames=np.stack([planes[name] for name in self.channels], axis=-1)[None], notes=notes)

    def _stand_in(self, clip: Clip, onset: int) -> tuple[int, str]:
        """Return a frame to use for the apex and the note that says so."""
        import cv2

        frames = clip.frames
        if len(frames) < 2:
            raise SampleRejected("a clip of one frame has no motion (optical_flow)")
        if self.no_apex == "reject":
            what = "no apex is known" if clip.apex_index is None else "the apex is the onset itself"
            raise NotAnnotated(f"{what} (optical_flow: no_apex: reject)")
        last = position("optical_flow", "offset_index", clip.offset_index, len(frames), default=len(frames) - 1)
        if last <= onset:
            raise SampleRejected("no frame follows the onset up to the offset (optical_flow)")
        if self.no_apex == "middle":
            return (onset + last + 1) // 2, MIDDLE
        images = each(frames[onset : last + 1], gray)
        differences = [float(cv2.norm(images[0], image, cv2.NORM_L1)) for image in images[1:]]
        return onset + 1 + int(np.argmax(differences)), LARGEST


def strain(flow: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the magnitude of the strain (H, W) of a flow field (H, W, 2)."""
    u_y, u_x = np.gradient(flow[..., 0])
    v_y, v_x = np.gradient(flow[..., 1])
    shear = (u_y + v_x) / 2
    return np.sqrt(u_x**2 + v_y**2 + 2 * shear**2)


def _matcher(method: str) -> Callable[[NDArray[Any], NDArray[Any]], NDArray[np.float32]]:
    """Return a function from two gray images (H, W) to the flow (H, W, 2) from the first to the second."""
    if method == "farneback":
        return farneback
    if method == "tvl1_skimage":
        return tvl1_skimage
    import cv2

    if method == "dis":
        dense: Any = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    else:
        contrib: Any = getattr(cv2, "optflow", None)
        if contrib is None:
            raise DataError(
                "optical_flow: method 'tvl1' needs OpenCV's contrib build, and this is the plain one: put "
                "'opencv-contrib-python-headless>=4.10,<5' in the place of opencv-python-headless, or choose "
                "tvl1_skimage, farneback or dis"
            )
        dense = contrib.DualTVL1OpticalFlow_create()
    return lambda first, second: dense.calc(first, second, None)


def farneback(first: NDArray[Any], second: NDArray[Any]) -> NDArray[np.float32]:
    """Return the flow (H, W, 2) from one gray image (H, W) to another, with the parameters of the step."""
    import cv2

    start = np.zeros((*first.shape, 2), np.float32)
    flow = cv2.calcOpticalFlowFarneback(
        first, second, start, pyr_scale=0.5, levels=3, winsize=15, iterations=3, poly_n=5, poly_sigma=1.2, flags=0
    )
    return np.asarray(flow, dtype=np.float32)


def tvl1_skimage(first: NDArray[Any], second: NDArray[Any]) -> NDArray[np.float32]:
    """Return the flow (H, W, 2) from one gray image (H, W) to another by scikit-image's TV-L1 with its defaults.

    Raises:
        DataError: scikit-image is not installed.
    """
    try:
        from skimage.registration import optical_flow_tvl1
    except ImportError:
        raise DataError(missing_extra("optical_flow with method tvl1_skimage", "scikit-image", "flow")) from None
    # scikit-image gives rows first: v, then u.
    v, u = optical_flow_tvl1(first, second, dtype=np.float32)
    return np.stack([u, v], axis=-1).astype(np.float32)
