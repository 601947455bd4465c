from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from mexbench.errors import DataError
from mexbench_plugins.datasets._io.folders import inside, list_frames, read_image
from tests.mexbench_plugins.datasets.layouts import encode, image


def noise(shape: tuple[int, ...], dtype: type[np.uint8] | type[np.uint16] = np.uint8) -> np.ndarray:
    return np.random.default_rng(0).integers(0, np.iinfo(dtype).max, size=shape, dtype=dtype, endpoint=True)


@pytest.mark.parametrize("suffix", [".png", ".bmp"])
def test_colour_is_rgb(tmp_path: Path, suffix: str) -> None:
    pixels = noise((12, 16, 3))
    path = tmp_path / f"größe 図{suffix}"
    path.write_bytes(encode(pixels, suffix))
    np.testing.assert_array_equal(read_image(path), pixels)


def test_jpeg_is_rgb(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(encode(image(200), ".jpg"))
    read = read_image(path)
    assert read.shape == (12, 16, 3)
    assert np.abs(read.astype(int) - (200, 100, 0)).max() <= 3


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_gray_keeps_one_channel(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    path.write_bytes(encode(image(77, gray=True), suffix))
    read = read_image(path)
    assert read.shape == (12, 16, 1)
    assert read.dtype == np.uint8
    assert (read == 77).all()


@pytest.mark.parametrize("shape", [(12, 16), (12, 16, 3)])
def test_sixteen_bits_are_divided_by_257_and_rounded(tmp_path: Path, shape: tuple[int, ...]) -> None:
    pixels = noise(shape, np.uint16)
    pixels[0, :5] = np.array([0, 128, 129, 65406, 65535], np.uint16).reshape(5, *[1] * (len(shape) - 2))
    path = tmp_path / "a.png"
    path.write_bytes(encode(pixels, ".png"))
    read = read_image(path)
    np.testing.assert_array_equal(read.reshape(shape), np.rint(pixels / 257))
    assert read[0, :5, 0].tolist() == [0, 0, 1, 254, 255]


def test_alpha_channel_is_ignored(tmp_path: Path) -> None:
    colour = noise((12, 16, 3))
    path = tmp_path / "a.png"
    path.write_bytes(encode(np.dstack([colour[..., ::-1], np.full((12, 16), 10, np.uint8)]), ".png"))
    np.testing.assert_array_equal(read_image(path), colour)


@pytest.mark.parametrize("keep", [0.3, 0.6, 0.9, 0.9999])
@pytest.mark.parametrize("suffix", [".jpg", ".png", ".bmp"])
def test_truncated_file_is_rejected(tmp_path: Path, suffix: str, keep: float) -> None:
    content = encode(noise((48, 64, 3)), suffix)
    path = tmp_path / f"a{suffix}"
    path.write_bytes(content[: int(len(content) * keep)])
    with pytest.raises(DataError, match=r"is truncated|is not a readable image") as error:
        read_image(path)
    assert str(path) in str(error.value)


def test_truncated_jpeg_with_complete_preview_is_rejected(tmp_path: Path) -> None:
    content, preview = encode(noise((48, 64, 3)), ".jpg"), encode(noise((8, 8, 3)), ".jpg")
    application = b"\xff\xe1" + (len(preview) + 2).to_bytes(2, "big") + preview
    complete = content[:2] + application + content[2:]
    path = tmp_path / "a.jpg"
    path.write_bytes(complete)
    assert read_image(path).shape == (48, 64, 3)
    path.write_bytes(complete[:-400])
    with pytest.raises(DataError, match="is truncated: a JPEG without its end"):
        read_image(path)


def test_a_jpeg_may_have_padding_behind_its_end(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(encode(image(200), ".jpg") + bytes(500))
    assert read_image(path).shape == (12, 16, 3)


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"", r"is empty \(0 bytes\); copy it again"), (b"hello", r"is not a readable image \(5 bytes\); copy it again")],
)
def test_other_content_is_not_an_image(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(content)
    with pytest.raises(DataError, match=message):
        read_image(path)


def test_floating_point_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(cv2.imencode(".tiff", np.zeros((4, 4), np.float32))[1].tobytes())
    with pytest.raises(DataError, match="float32; expected 8 or 16 bits"):
        read_image(path)


def test_folder_or_missing_file_is_rejected(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").mkdir()
    with pytest.raises(DataError, match=r"a\.jpg: is a folder, expected an image file"):
        read_image(tmp_path / "a.jpg")
    with pytest.raises(DataError, match=r"b\.jpg: cannot be read \(No such file"):
        read_image(tmp_path / "b.jpg")


def test_frames_are_sorted_by_number_and_other_files_ignored(tmp_path: Path) -> None:
    for name in ("img10.jpg", "img9.jpg", "img100.JPG", "._img11.jpg", "Thumbs.db", "cover.jpg", "notes12.txt"):
        (tmp_path / name).touch()
    (tmp_path / "img12.jpg").mkdir()
    frames = list_frames(tmp_path)
    assert list(frames) == [9, 10, 12, 100]
    assert [path.name for path in frames.values()] == ["img9.jpg", "img10.jpg", "img12.jpg", "img100.JPG"]


def test_last_number_in_the_name_is_the_frame_number(tmp_path: Path) -> None:
    (tmp_path / "006_05562.jpg").touch()
    assert list(list_frames(tmp_path)) == [5562]


def test_duplicate_frame_numbers_are_rejected(tmp_path: Path) -> None:
    for name in ("img7.jpg", "reg_img07.jpg"):
        (tmp_path / name).touch()
    with pytest.raises(DataError, match=r"img7\.jpg and reg_img07\.jpg are both frame 7; remove one"):
        list_frames(tmp_path)


@pytest.mark.parametrize("part", ["", ".", "..", " .. ", "a/b", "/etc", "..\\x", "C:", "a\0b"])
def test_names_cannot_lead_out_of_the_folder(tmp_path: Path, part: str) -> None:
    with pytest.raises(DataError, match=r"row 3: .* cannot be the name of a folder"):
        inside(tmp_path, "sub01", part, where="row 3")


def test_ordinary_names_may_hold_dots(tmp_path: Path) -> None:
    assert inside(tmp_path, "sub01", "a..b.c", where="row 3") == tmp_path / "sub01" / "a..b.c"
