"""Measures of the motion in recorded frames: is it smooth, where it belongs, in its direction, and on time?

All limits are the program's own. They were set, and three of them moved, with clips of procedural faces in view, good
and spoiled: that a spoiled clip of such a face fails shows that a measure works, not how often it errs on others.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mexbench_plugins.synth.clips import Timing
from mexbench_plugins.synth.quality.recording import Measured
from mexbench_plugins.synth.quality.tracking import Tracking

#: Of the shorter of rise and fall: jerk is measured between means of so many frames that noise does not decide it.
_STEPS = 5
_JERK, _WARP, _OUTSIDE, _DIRECTION, _SETBACK, _APEX = 0.5, 2.0, 0.25, 0.5, 0.15, 0.12
#: Motion below this many pixels is lost in the noise of flow.
_LEAST_PIXELS = 0.3


def jerk(tracking: Tracking) -> Measured:
    """Measure the greatest jerk: third difference of the tracked motion from frame to frame, over its size at the apex.

    What is tracked: the progress along the announced motion, the mean displacement of its region, and the head.
    The limit is what the announced course itself has, and a half.
    """
    timing, peak = tracking.recording.timing, max(tracking.peak, 1e-9)
    region = tracking.own_motion[:, tracking.region].mean(axis=1) if tracking.region.any() else tracking.head_motion
    tracks = [tracking.progress[:, None], region / peak, tracking.head_motion / peak]
    step = jerk_step(timing)
    greatest = max(third_difference(track, step) for track in tracks)
    announced = third_difference(timing.intensity()[:, None], step)
    return Measured(
        name="smoothness: jerk", value=greatest, limit=round(announced + _JERK, 4), at_least=False,
        definition="greatest third difference over time of the tracked motion (region and head), as a share of the "
        f"announced one; frames are averaged where there are many: {_STEPS} means to the shorter of rise and fall",
        note=f"the announced course has {announced:.2f}; means of {step}",
    )  # fmt: skip


def warp_error(tracking: Tracking) -> Measured:
    """Measure the greatest warp error between neighbouring frames over the median one.

    A frame that motion does not explain by the one before it, such as a flash, a cut or a dropped block, stands out.
    """
    errors = tracking.warp_errors
    # Half a grey level: without noise the usual error is the rounding of pixels.
    value = float((errors.max() + 0.5) / (np.median(errors) + 0.5))
    return Measured(
        name="smoothness: warp error", value=value, limit=_WARP, at_least=False,
        definition="greatest mean difference between a frame and the one before it after optical flow has been undone, "
        "over the median of all frames (half a grey level added to both)",
        note=f"median {np.median(errors):.2f} grey levels",
    )  # fmt: skip


def locality(tracking: Tracking) -> Measured:
    """Measure motion outside the announced regions at the apex: its 98th percentile over the greatest announced.

    Movement of the head as a whole is taken out before. What an announced motion does there is subtracted.
    """
    definition = (
        "98th percentile, over the head outside the announced regions, of motion at the apex that was not announced, "
        "as a share of the greatest announced displacement; movement of the whole head taken out"
    )
    value, note = None, "the announced motion covers the whole head"
    if tracking.outside.any():
        rest = tracking.around_apex - tracking.visible
        lengths = np.linalg.norm(rest[tracking.outside], axis=-1)
        value = float(np.quantile(lengths, 0.98) / max(tracking.peak, 1e-9))
        note = f"{tracking.outside.sum() / max(tracking.head.sum(), 1):.0%} of the head is outside"
    return Measured(
        name="locality", value=value, limit=_OUTSIDE, at_least=False, definition=definition, note=note
    )  # fmt: skip


def direction(tracking: Tracking) -> Measured:
    """Measure whether the face moves the way that was announced: cosine of the tracked and the announced field."""
    wanted, moved = (field[tracking.region].astype(np.float64) for field in (tracking.visible, tracking.around_apex))
    size = np.sqrt((wanted**2).sum() * (moved**2).sum())
    value = float((wanted * moved).sum() / size) if size > 0 else 0.0
    return Measured(
        name="direction", value=value, limit=_DIRECTION, at_least=True,
        definition="cosine between the field tracked from neutral to the apex and what flow sees of the announced one "
        "(directions of the Facial Action Coding System, or the learned field), over the announced regions",
    )  # fmt: skip


def course(tracking: Tracking) -> Measured:
    """Measure whether the motion rises to the announced apex and fades after it: the greatest setback on either side.

    Progress is measured along the motion that the clip itself has at its apex, whichever way that goes. A setback of
    one is added where the raised cosine between the announced onset and offset that fits best has its apex elsewhere.
    """
    timing = tracking.recording.timing
    field = tracking.around_apex[tracking.region].astype(np.float64)
    moved = tracking.own_motion[:, tracking.region].astype(np.float64)
    progress = (moved * field).sum(axis=(1, 2)) / max(float((field**2).sum()), 1e-12)
    progress = _smoothed(progress, max(1, jerk_step(timing) // 2))
    up, down = progress[timing.onset : timing.apex + 1], progress[timing.apex : timing.offset + 1]
    peak = max(float(np.abs(progress).max()), 1e-9)
    setback = max(
        float((np.maximum.accumulate(up) - up).max()), float((down - np.minimum.accumulate(down)).max())
    )  # fmt: skip
    tracked = _tracked_apex(progress, timing)
    away = abs(tracked - timing.apex)
    elsewhere = away > 1 and away / (timing.rise + timing.fall) > _APEX
    return Measured(
        name="course", value=setback / peak + elsewhere, limit=_SETBACK, at_least=False,
        definition="greatest setback of the tracked motion on its way up to the announced apex or down from it, as a "
        f"share of its greatest; plus 1 where its apex is off by more than {_APEX:.0%} of the expression",
        note=f"tracked apex at frame {tracked + 1}, announced {timing.apex + 1}",
    )  # fmt: skip


def can_be_tracked(tracking: Tracking) -> bool:
    """Return whether the announced motion is large enough for flow to see it."""
    return tracking.peak * tracking.recording.geometry.unit >= _LEAST_PIXELS


def third_difference(track: NDArray[np.floating], step: int) -> float:
    """Return the greatest third difference of a track (frames, n) between means of ``step`` frames that follow."""
    sums = np.cumsum(np.concatenate([np.zeros((1, track.shape[1])), track]), axis=0)
    means = (sums[step:] - sums[:-step]) / step
    third = means[3 * step :] - 3 * means[2 * step : -step] + 3 * means[step : -2 * step] - means[: -3 * step]
    return float(np.linalg.norm(third, axis=-1).max(initial=0.0))


def jerk_step(timing: Timing) -> int:
    """Return over how many frames the motion is averaged before its jerk is taken."""
    return max(1, min(timing.rise, timing.fall) // _STEPS)


def _smoothed(values: NDArray[np.float64], reach: int) -> NDArray[np.float64]:
    """Average over frames up to ``reach`` before and after each, the first and the last one repeated."""
    padded = np.pad(values, reach, mode="edge")
    return np.convolve(padded, np.full(2 * reach + 1, 1 / (2 * reach + 1)), mode="valid")


def _tracked_apex(progress: NDArray[np.float64], timing: Timing) -> int:
    """Return the position of the apex of the raised cosine that fits the progress best."""
    steps = timing.rise + timing.fall

    def fit(rise: int) -> float:
        curve = Timing(lead=timing.lead, rise=rise, fall=steps - rise, tail=timing.tail).intensity()
        return float(curve @ progress / np.linalg.norm(curve))

    return timing.onset + max(range(1, steps), key=fit)
