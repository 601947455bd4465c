"""The ways in which a clip can be spoiled; apart from what spoils it, so that the command line imports no OpenCV."""

from __future__ import annotations

from collections.abc import Mapping

#: Way -> how the name of the measure begins that must notice it.
NOTICED_BY: Mapping[str, str] = {
    "jump": "smoothness: jerk",
    "glitch": "smoothness: warp error",
    "other-identity": "identity",
    "motion-outside": "locality",
    "reversed-direction": "direction",
    "reversed-time": "course",
    "unreal-motion": "realism",
}
