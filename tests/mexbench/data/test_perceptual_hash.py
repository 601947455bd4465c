from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.fft import dctn

from mexbench.data.perceptual_hash import FRAMES_PER_CLIP, NEAR_BITS, as_words, few_of, near_pairs, perceptual_hash
from tests.pictures import face_frame, texture


def bits(first: NDArray[Any], second: NDArray[Any]) -> int:
    one, two = as_words([perceptual_hash(first)]), as_words([perceptual_hash(second)])
    return int(np.bitwise_count(one ^ two).sum())


def portraits() -> list[NDArray[np.uint8]]:
    """Faces of a hundred photographs, cropped alike."""
    data = pytest.importorskip("skimage.data")
    faces = data.lfw_subset()[:100]
    return [
        np.clip(cv2.resize(face, (96, 96), interpolation=cv2.INTER_CUBIC) * 255, 0, 255).astype(np.uint8)
        for face in faces
    ]


def test_the_signs_are_those_of_the_cosine_transform() -> None:
    picture = texture(32, 32)
    expected = np.asarray(dctn(picture.astype(float), norm="ortho"))[:16, :16].ravel() > 0
    expected[0] = False
    assert perceptual_hash(picture) == np.packbits(expected).tobytes().hex()


def changed(picture: NDArray[np.uint8]) -> dict[str, NDArray[np.uint8]]:
    jpeg = {
        f"jpeg {quality}": cv2.imdecode(cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])[1], -1)
        for quality in (95, 75)
    }
    shifted = np.clip(picture.astype(int) + 20, 0, 255).astype(np.uint8)
    half = cv2.resize(picture, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    return {**jpeg, "brighter": shifted, "less contrast": (picture * 0.8).astype(np.uint8), "half": half}  # type: ignore[dict-item]


@pytest.mark.parametrize("kind", ["drawn", "photograph"])
def test_a_copy_is_near(kind: str) -> None:
    picture = face_frame() if kind == "drawn" else portraits()[0]
    distances = {name: bits(picture, copy) for name, copy in changed(picture).items()}
    assert max(distances.values()) <= NEAR_BITS, distances


def test_different_people_are_far_though_cropped_alike() -> None:
    words = as_words([perceptual_hash(face) for face in portraits()])
    distance = np.bitwise_count(words[:, None] ^ words[None]).sum(axis=-1, dtype=int)
    nearest = distance[np.triu_indices(len(words), 1)].min()
    assert nearest >= 60


def test_drawn_people_are_far() -> None:
    heads = [(320, 240, 220), (320, 240, 232), (326, 240, 220), (320, 240, 200)]
    people = [face_frame(faces=(head,), seed=seed) for seed, head in enumerate(heads)]
    assert all(bits(people[0], other) > NEAR_BITS for other in people[1:])


@pytest.mark.parametrize(
    "frame",
    [texture(31, 64), texture(40, 40).astype(np.float32), np.full((40, 40, 3), 7, np.uint8), np.zeros(64, np.uint8)],
    ids=["small", "float", "flat", "features"],
)
def test_arrays_that_are_not_pictures_have_no_hash(frame: NDArray[Any]) -> None:
    assert perceptual_hash(frame) == ""


def test_channels_are_averaged_to_luma() -> None:
    grey = texture(40, 50)
    assert bits(grey, grey[..., None]) == 0
    assert bits(grey, np.repeat(grey[..., None], 3, axis=2)) <= 1
    colours = np.random.default_rng(1).integers(0, 256, (64, 64, 3), np.uint8)
    luma = np.rint(colours @ np.array([0.299, 0.587, 0.114])).astype(np.uint8)  # ITU-R BT.601, in the order RGB
    assert bits(luma, colours) <= 3  # by rounding
    assert bits(luma, colours[..., ::-1]) > 30


def test_pairs_equal_a_slow_search(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    first = rng.integers(0, 2**63, (40, 4), dtype=np.uint64)
    second = rng.integers(0, 2**63, (30, 4), dtype=np.uint64)
    second[7] = first[3] ^ np.uint64(1)  # one bit of each word
    second[9] = first[35]
    second[11] = first[5] ^ np.uint64(0b111)  # twelve bits
    assert list(near_pairs(first, second)) == [(3, 7), (35, 9)]
    monkeypatch.setattr("mexbench.data.perceptual_hash._BLOCK", 30 * 10)
    assert list(near_pairs(first, second)) == [(3, 7), (35, 9)]
    assert list(near_pairs(first[:0], second)) == list(near_pairs(first, second[:0])) == []


def test_a_clip_is_compared_by_few_frames() -> None:
    assert few_of(np.arange(31)).tolist() == [0, 10, 20, 30]
    assert few_of(np.arange(2)).tolist() == [0, 1]
    assert FRAMES_PER_CLIP == 4
