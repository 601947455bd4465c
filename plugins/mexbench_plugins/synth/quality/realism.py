"""Does the motion of a clip look like that of real micro-expressions? Against the fields of a pack of real flow.

The packs have lost amplitudes, so only directions and shapes are compared, and every field is scaled to the same size.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from mexbench_plugins.synth.motion import packs
from mexbench_plugins.synth.motion.fields import SIDE, STSTNET_WINDOW, Fields, normalised
from mexbench_plugins.synth.motion.learned import principal
from mexbench_plugins.synth.quality.recording import Measured
from mexbench_plugins.synth.quality.tracking import Tracking

#: A clip is unlike real ones where fewer than this share of real fields are as extreme in any of the statistics.
_TAIL = 0.01
_COMPONENTS = 24


def realism(tracking: Tracking, root: Path, *, published: bool = True) -> Measured:
    """Measure how extreme the tracked field at the apex is among the onset-to-apex fields of a pack.

    Args:
        tracking: Of the clip.
        root: Folder of megc2019_flow or of causalnet_maps.
        published: Whether the pack must be a published one.

    Raises:
        DataError: It is neither of the packs.
    """
    real = packs.read([root], published=published).rise
    field = tracked_field(tracking)
    halves = real[0::2], real[1::2]
    # Each half is compared with a basis of the other one: a field is always nearer to a basis that it is part of.
    bases = [principal(half.reshape(len(half), -1), _COMPONENTS) for half in halves]
    known = [statistics(half, basis) for half, basis in zip(halves, bases[::-1], strict=True)]
    own = [statistics(field[None], basis) for basis in bases]
    tails: dict[str, float] = {}
    for name in known[0]:
        among = np.concatenate([part[name] for part in known])
        value = float(np.mean([part[name][0] for part in own]))
        above, below = float((among >= value).mean()), float((among <= value).mean())
        # A field may be smoother than real ones, which carry the noise of their estimation, and simpler to explain.
        tails[name] = {"unexplained": above, "neighbours": below}.get(name, min(above, below))
    worst = min(tails, key=lambda name: tails[name])
    shown = ", ".join(f"{name} {share:.1%}" for name, share in tails.items())
    return Measured(
        name="realism", value=tails[worst], limit=_TAIL, at_least=True,
        definition=f"share of {len(real)} real fields from onset to apex that are at least as extreme as the clip's, "
        f"in its most extreme statistic: energy outside {_COMPONENTS} principal components of real motion, likeness of "
        "neighbouring cells, share of the face that holds half of the motion; amplitudes are not compared",
        note=f"real fields as extreme: {shown}",
    )  # fmt: skip


def tracked_field(tracking: Tracking) -> Fields:
    """Return the tracked motion at the apex on the normalised face (2, SIDE, SIDE)."""
    recording = tracking.recording
    left, top, right, bottom = tracking.box
    x, y = STSTNET_WINDOW.points()
    cos, sin = np.cos(np.deg2rad(recording.geometry.tilt)), np.sin(np.deg2rad(recording.geometry.tilt))
    unit = recording.geometry.unit
    columns = recording.geometry.x + unit * (cos * x - sin * y)
    rows = recording.geometry.y + unit * (sin * x + cos * y)
    height, width = tracking.around_apex.shape[:2]
    to_x = ((columns - left) / (right - left) * width - 0.5).astype(np.float32)
    to_y = ((rows - top) / (bottom - top) * height - 0.5).astype(np.float32)
    planes = [
        cv2.remap(
            np.ascontiguousarray(tracking.around_apex[..., part]), to_x, to_y, cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REPLICATE,
        )
        for part in (0, 1)
    ]  # fmt: skip
    turned = np.stack([cos * planes[0] + sin * planes[1], cos * planes[1] - sin * planes[0]])
    return normalised(turned[None])[0]


def statistics(fields: Fields, basis: NDArray[np.float32]) -> Mapping[str, NDArray[np.float64]]:
    """Describe the shape of fields (n, 2, SIDE, SIDE) of size 1 by three numbers each, none of which needs amplitude.

    Returns:
        ``unexplained``: share of the energy outside the basis. ``neighbours``: cosine of neighbouring vectors.
        ``spread``: smallest share of the cells that holds half of the energy.
    """
    rows = fields.reshape(len(fields), -1).astype(np.float64)
    energy = np.maximum((rows**2).sum(axis=1), 1e-12)
    explained = ((rows @ basis.T.astype(np.float64)) ** 2).sum(axis=1)
    pairs = (fields[..., :, 1:] * fields[..., :, :-1]).sum(axis=(1, 2, 3)) + (
        fields[..., 1:, :] * fields[..., :-1, :]
    ).sum(axis=(1, 2, 3))
    cells = np.sort((fields.astype(np.float64) ** 2).sum(axis=1).reshape(len(fields), -1), axis=1)[:, ::-1]
    reached = np.cumsum(cells, axis=1) >= 0.5 * energy[:, None]
    return {
        "unexplained": 1 - explained / energy,
        "neighbours": pairs / (2 * energy),
        "spread": (reached.argmax(axis=1) + 1) / SIDE**2,
    }
