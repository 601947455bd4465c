"""Fields of the hand-made warp: what the action units of a class do to a person, on the normalised face."""

from __future__ import annotations

from collections.abc import Mapping

import cv2
import numpy as np

from mexbench.errors import ConfigError, unknown
from mexbench_plugins.synth import emotions, identity
from mexbench_plugins.synth.expression import express
from mexbench_plugins.synth.geometry import Geometry
from mexbench_plugins.synth.motion.fields import SIDE, STSTNET_WINDOW, Fields, normalised

#: Class of MEGC2019 -> emotions that it is made of, by their clips in CASME-II and SAMM (See et al., FG 2019).
CLASSES: Mapping[str, Mapping[str, int]] = {
    "negative": {"disgust": 72, "anger": 57, "repression": 27, "sadness": 13, "contempt": 12, "fear": 10},
    "positive": {"happiness": 58},
    "surprise": {"surprise": 40},
}
#: Root mean square of what a flow algorithm adds, as a share of the motion: smooth errors of a few cells. This
#: program's own choice, made before any classifier was trained; it was not fitted to real fields.
_ESTIMATION_ERROR = 0.3
#: Errors of where the face lies and how large it is, in face units and as a share: a crop is never exact.
_MISPLACED, _RESIZED = 0.04, 0.04
_PIXELS = 60  # in a face unit, before a field is shrunk


def sample(label: str, count: int, rng: np.random.Generator) -> Fields:
    """Draw fields of a class from onset to apex: people, combinations of action units and their strengths vary.

    Args:
        label: Class of MEGC2019.
        count: How many.
        rng: Source of all of it.

    Raises:
        ConfigError: The class is unknown.
    """
    if label not in CLASSES:
        raise ConfigError(unknown("class", label, CLASSES))
    fields = np.stack([_draw(label, rng) for _ in range(count)]) if count else np.zeros((0, 2, SIDE, SIDE))
    noise = np.stack([_smooth(rng, fields.shape[2:]) for _ in range(2 * count)]) if count else fields
    return normalised(normalised(fields) + _ESTIMATION_ERROR * noise.reshape(fields.shape))


def _draw(label: str, rng: np.random.Generator) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    names = list(CLASSES[label])
    weights = np.array([CLASSES[label][name] for name in names], np.float64)
    units = emotions.draw(str(rng.choice(names, p=weights / weights.sum())), rng)
    who = identity.draw(int(rng.integers(2**31)))
    window, scale = STSTNET_WINDOW, _PIXELS * (1 + _RESIZED * rng.standard_normal())
    width, height = (round(_PIXELS * side) for side in (window.right - window.left, window.bottom - window.top))
    across, down = _MISPLACED * _PIXELS * rng.standard_normal(2)
    place = Geometry(
        x=-window.left * _PIXELS + across, y=-window.top * _PIXELS + down, unit=scale, tilt=who.tilt,
        eye_x=who.eye_x, eye_width=who.eye_width, brow_y=who.brow_y, nose_width=who.nose_width, nose_y=who.nose_y,
        mouth_width=who.mouth_width, mouth_y=who.mouth_y, chin=who.chin,
    )  # fmt: skip
    shown = express(units, place, width, height, strengths=rng.uniform(0.7, 1.3, len(units)).tolist())
    left, top, right, bottom = shown.box
    planes = np.zeros((2, height, width), np.float32)
    planes[:, top:bottom, left:right] = shown.dx, shown.dy
    small = [cv2.resize(plane, (SIDE, SIDE), interpolation=cv2.INTER_AREA) for plane in planes]
    return np.asarray(small, np.float32)


def _smooth(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    """Return a smooth random plane of root mean square 1 over the root of two, so that two make a field of 1."""
    plane = cv2.GaussianBlur(rng.standard_normal(shape).astype(np.float32), (0, 0), 2.0)
    return np.asarray(plane / (np.sqrt(2) * max(float(plane.std()), 1e-9)), np.float32)
