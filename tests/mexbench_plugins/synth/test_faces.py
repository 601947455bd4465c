from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from mexbench.errors import ConfigError, DataError
from mexbench_plugins.synth import faces, identity
from mexbench_plugins.synth.faces import SyntheticFace


def test_a_seed_is_one_person() -> None:
    one, same, other = (faces.builtin(seed, width=160, height=120) for seed in (11, 11, 12))
    assert np.array_equal(one.image, same.image)
    assert identity.draw(11) == identity.draw(11) != identity.draw(12)
    assert np.abs(one.image.astype(int) - other.image).mean() > 10


def test_people_differ_in_skin_hair_shape_and_light() -> None:
    people = [identity.draw(seed) for seed in range(60)]
    for name, least in (("chin", 0.03), ("light_x", 0.2), ("hair_length", 0.3), ("jaw", 0.05), ("mouth_width", 0.01)):
        assert np.std([getattr(person, name) for person in people]) > least, name
    skin = [person.skin[0] for person in people]
    assert min(skin) < 170
    assert max(skin) > 225


def test_eye_sockets_are_darker_than_cheeks_and_forehead(face: SyntheticFace) -> None:
    gray = cv2.GaussianBlur(cv2.cvtColor(face.image, cv2.COLOR_RGB2GRAY), (0, 0), 0.08 * face.geometry.unit)

    def brightness(x: float, y: float) -> float:
        column, row = face.geometry.pixel(x, y)
        return float(gray[round(row), round(column)])

    for side in (-1, 1):
        eye = brightness(side * face.geometry.eye_x, 0.0)
        assert eye < 0.8 * brightness(side * 0.5, 0.4)
        assert eye < 0.8 * brightness(side * 0.3, -0.6)


def test_left_is_the_persons_own_left(face: SyntheticFace) -> None:
    marks = face.geometry.landmarks()
    assert marks["lip_corner_L"][0] > marks["mouth"][0] > marks["lip_corner_R"][0]
    assert marks["brow_inner_L"][1] < marks["upper_lid_L"][1] < marks["nostril_L"][1] < marks["mouth"][1]
    assert marks["mouth"][1] < marks["chin"][1]


def test_face_in_a_photo_is_located(tmp_path: Path, face: SyntheticFace) -> None:
    path = tmp_path / "me.png"
    cv2.imwrite(str(path), cv2.cvtColor(face.image, cv2.COLOR_RGB2BGR))
    read = faces.read(str(path))
    assert np.array_equal(read.image, face.image)
    assert read.seed is None
    assert abs(read.geometry.x - face.geometry.x) < 0.1 * face.geometry.unit
    assert abs(read.geometry.unit / face.geometry.unit - 1) < 0.15


def test_a_large_photo_is_made_smaller_and_even(tmp_path: Path, face: SyntheticFace) -> None:
    path = tmp_path / "large.png"
    cv2.imwrite(str(path), cv2.resize(face.image, (1901, 1427))[..., ::-1])
    image = faces.photo(path).image
    assert max(image.shape) == 1280
    assert image.shape[0] % 2 == image.shape[1] % 2 == 0


def test_a_posed_face_takes_its_landmarks_along(small: SyntheticFace) -> None:
    moved = faces.posed(small, shift=(6.0, -3.0), scale=1.05, turn=4.0)
    assert moved.geometry.tilt == pytest.approx(small.geometry.tilt + 4.0)
    assert moved.geometry.unit == pytest.approx(small.geometry.unit * 1.05)
    assert moved.geometry.x == pytest.approx(small.geometry.x + 6.0)
    # The pixels of a mouth corner are found again where the moved geometry says.
    here, there = (f.geometry.landmarks()["lip_corner_L"] for f in (small, moved))

    def around(image: np.ndarray, point: tuple[float, float]) -> np.ndarray:
        return cv2.getRectSubPix(image, (9, 9), (point[0] - 0.5, point[1] - 0.5)).astype(float)

    close = np.abs(around(small.image, here) - around(moved.image, there)).mean()
    wrong = np.abs(around(small.image, here) - around(moved.image, here)).mean()
    assert close < 0.6 * wrong


def test_bad_photos_say_what_to_do(tmp_path: Path) -> None:
    empty, text, wall = (tmp_path / name for name in ("empty.jpg", "text.jpg", "wall.png"))
    empty.touch()
    text.write_text("no picture")
    cv2.imwrite(str(wall), np.full((200, 300, 3), 127, np.uint8))
    with pytest.raises(DataError, match=r"wall\.png: no face found: use a photo of one person"):
        faces.read(str(wall))
    for path, message in ((empty, "is empty"), (text, "is not a readable image")):
        with pytest.raises(DataError, match=rf"{path.name}: {message}.*give a photo"):
            faces.read(str(path))
    with pytest.raises(DataError, match=r"gone\.jpg: cannot be read \(No such file.*give a photo"):
        faces.read(str(tmp_path / "gone.jpg"))
    with pytest.raises(DataError, match="is a folder, expected an image"):
        faces.read(str(tmp_path))


@pytest.mark.parametrize("text", ["builtin:", "builtin:-1", "builtin:x", "builtin:1.5", "builtin:²"])
def test_a_bad_seed_is_named(text: str) -> None:
    with pytest.raises(ConfigError, match=r"the seed must be a whole number .* as in builtin:7"):
        faces.read(text)
