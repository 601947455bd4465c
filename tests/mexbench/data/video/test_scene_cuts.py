from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from mexbench.data.video.reader import Frame, Video
from mexbench.data.video.scene_cuts import is_cut, scenes, shrunk, unexplained
from tests.pictures import face_frame, texture

Image = NDArray[np.uint8]
SIZE = (240, 320)


def cuts(images: list[Image]) -> list[int]:
    """Numbers of the frames that begin a scene."""
    numbered = list(scenes(Frame(index / 10, image) for index, image in enumerate(images)))
    assert [frame.time_s for _, frame in numbered] == [index / 10 for index in range(len(images))]
    numbers = [scene for scene, _ in numbered]
    assert set(np.diff(numbers)) <= {0, 1}
    return [index for index in range(1, len(numbers)) if numbers[index] > numbers[index - 1]]


def noisy(image: Image, seed: int) -> Image:
    noise = np.random.default_rng(seed).normal(0, 3, image.shape)
    return np.clip(image + noise, 0, 255).astype(np.uint8)


def takes(*faces: tuple[int, int, int], count: int = 5) -> list[Image]:
    return [face_frame(size=SIZE, faces=faces, seed=seed) for seed in range(count)]


def person(seed: int, count: int = 5) -> list[Image]:
    faces = pytest.importorskip("mexbench_plugins.synth.faces")
    image = faces.builtin(seed, width=320, height=240).image
    return [noisy(image, index) for index in range(count)]


def panned(wide: Image, step: int, count: int) -> list[Image]:
    return [noisy(wide[: SIZE[0], step * i : step * i + SIZE[1]], i) for i in range(count)]


def test_a_cut_between_a_face_and_a_wall() -> None:
    assert cuts([*takes((160, 120, 110)), *takes(), *takes((160, 120, 110))]) == [5, 10]


@pytest.mark.parametrize("pair", [(0, 1), (2, 3), (4, 5), (6, 7)])
def test_a_cut_between_two_people_in_the_same_place(pair: tuple[int, int]) -> None:
    one, other = pair
    assert cuts([*person(one), *person(other), *person(one)]) == [5, 10]


def test_a_cut_between_places_of_a_face_and_between_one_face_and_two() -> None:
    assert cuts([*takes((90, 120, 110)), *takes((230, 120, 110))]) == [5]
    assert cuts([*takes((160, 120, 110)), *takes((80, 120, 110), (240, 120, 90))]) == [5]


@pytest.mark.parametrize("step", [1, 2, 4, 6, 12])
def test_a_pan_is_not_a_cut(step: int) -> None:
    people = face_frame(size=(240, 1000), faces=((160, 120, 110), (500, 120, 100), (850, 120, 110)))
    assert cuts(panned(people, step, min(40, 680 // step))) == []
    wall = np.stack([texture(240, 1000)] * 3, axis=-1)
    assert cuts([*panned(wall, 0, 4), *panned(wall, step, 20)]) == []  # a pan that sets in is none either


def test_motion_zoom_and_light_are_not_cuts() -> None:
    assert cuts([face_frame(size=SIZE, faces=((60 + 15 * i, 120, 110),), seed=i) for i in range(12)]) == []
    assert cuts([face_frame(size=SIZE, faces=((160, 120, 80 + 6 * i),), seed=i) for i in range(12)]) == []
    still = takes((160, 120, 110), count=9)
    assert cuts([*still[:3], *[(image * 0.6).astype(np.uint8) for image in still[3:6]], *still[6:]]) == []
    brighter = [np.clip(image.astype(int) + 40, 0, 255).astype(np.uint8) for image in still[3:6]]
    assert cuts([*still[:3], *brighter, *still[6:]]) == []
    assert cuts([noisy(np.full((*SIZE, 3), 60, np.uint8), seed) for seed in range(9)]) == []


def test_real_films_have_no_cut_and_one_between_them(shared_data: object) -> None:
    films = []
    for name in ("single_face", "no_face"):
        with Video(shared_data / "video" / f"{name}.mp4") as film:  # type: ignore[operator]
            films.append([cv2.resize(frame.image, (320, 180)) for frame in film.frames(fps=10)])
        assert cuts(films[-1]) == []
        assert cuts(films[-1][::3]) == []
    one, other = films
    assert cuts([*one, *other, *one]) == [len(one), len(one) + len(other)]


def test_the_measure_by_hand() -> None:
    """Left black and right white, and the other way round: every pixel is wrong by the full range."""
    image = np.zeros((64, 64, 3), np.uint8)
    image[:, 32:] = 200
    one, other = shrunk(image), shrunk(image[:, ::-1])
    assert unexplained(one, one) == 0
    # Variance 100^2; blocks up to 6 pixels from the edge find nothing of the other side, so all is unexplained.
    assert unexplained(one, other) == pytest.approx(200**2 / (100**2 + 100) * 1.0, rel=0.35)
    assert unexplained(one, shrunk(np.roll(image, 5, axis=0))) == 0
    assert unexplained(one, np.zeros((8, 8, 3), np.float32)) == 1


def test_a_cut_stands_out_from_its_neighbours() -> None:
    assert is_cut(0.0, 0.1, 0.02)
    assert not is_cut(0.0, 0.09, 0.0)
    assert not is_cut(0.1, 0.3, 0.0)
    assert not is_cut(0.0, 0.3, 0.1)
    assert is_cut(0.6, 0.6, 0.6)


def test_short_films() -> None:
    assert cuts([]) == []
    assert cuts(takes(count=1)) == []
    assert cuts([*takes((160, 120, 110), count=1), *takes(count=1)]) == [1]
