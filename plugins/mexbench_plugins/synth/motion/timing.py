"""How long micro-expressions rise and fade, from the annotations of real data sets."""

from __future__ import annotations

import numpy as np

#: Quantiles at which the lengths below were taken.
_AT = (0.05, 0.25, 0.5, 0.75, 0.95)
#: Seconds from onset to apex, and from apex to offset.
#: Source: the annotation of CASME-II (Yan et al., 2014; sheet of 2014-05-08): 250 of 255 clips whose apex lies strictly
#: between onset and offset, at 200 frames per second. The two lengths are all but independent (correlation .02); those
#: of SAMM (Yap et al., 2020, Long Videos: 157 clips) have medians of .16 and .20 s.
RISE_S = (0.075, 0.115, 0.15, 0.208, 0.325)
FALL_S = (0.06, 0.11, 0.15, 0.21, 0.328)


def draw(rng: np.random.Generator, fps: float) -> tuple[int, int]:
    """Draw the steps from onset to apex and from apex to offset at a frame rate in Hz; two at least of each."""
    rise, fall = (np.interp(rng.uniform(_AT[0], _AT[-1]), _AT, lengths) for lengths in (RISE_S, FALL_S))
    return max(round(float(rise) * fps), 2), max(round(float(fall) * fps), 2)
