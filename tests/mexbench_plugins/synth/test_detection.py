from __future__ import annotations

import numpy as np

from mexbench_plugins.synth import faces
from mexbench_plugins.synth.detection import detect, locate
from mexbench_plugins.synth.faces import SyntheticFace
from mexbench_plugins.synth.geometry import Geometry, of_box

PARTS = ("lip_corner_L", "lip_corner_R", "lower_lid_L", "lower_lid_R", "brow_inner_L", "brow_inner_R", "chin")


def error(geometry: Geometry, face: SyntheticFace) -> float:
    """Return how far landmarks lie from the true ones, on average, in face units."""
    true, guessed = face.geometry.landmarks(), geometry.landmarks()
    return float(np.mean([np.hypot(*np.subtract(true[part], guessed[part])) for part in PARTS])) / face.geometry.unit


def test_haar_finds_procedural_faces_and_their_parts() -> None:
    rng = np.random.default_rng(0)
    missed, off, turned = [], [], []
    for seed in range(30):
        upright = faces.builtin(seed, width=320, height=240, supersample=1)
        face = faces.posed(upright, shift=(0, 0), scale=1, turn=float(rng.uniform(-8, 8)))
        geometry = locate(face.image)
        if geometry is None:
            missed.append(seed)
            continue
        off.append(error(geometry, face))
        turned.append(abs(geometry.tilt - face.geometry.tilt))
    assert not missed
    assert np.percentile(off, 90) < 0.1  # face units: a third of the reach of a mouth corner's motion
    assert np.percentile(turned, 90) < 3  # degrees: the roll comes from the eyes, which a box alone does not tell


def test_gray_is_as_good_as_colour(face: SyntheticFace) -> None:
    gray = face.image.mean(axis=2).astype(np.uint8)
    geometry = locate(gray)
    assert geometry is not None
    assert error(geometry, face) < 0.12


def test_a_face_whose_eyes_are_hidden_is_placed_by_its_box(face: SyntheticFace) -> None:
    image = face.image.copy()
    for side in "LR":
        column, row = (round(value) for value in face.geometry.landmarks()[f"upper_lid_{side}"])
        image[row - 5 : row + 25, column - 28 : column + 28] //= 3  # dark glasses
    box, geometry = detect(image), locate(image)
    assert box is not None
    assert geometry is not None
    assert geometry == of_box(*box)


def test_a_wall_has_no_face() -> None:
    wall = np.full((240, 320, 3), 90, np.uint8)
    assert detect(wall) is None
    assert locate(wall) is None
    assert locate(np.zeros((8, 8), np.uint8)) is None
