from __future__ import annotations

import os
import zlib
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from mexbench.data.image import DamagedImageError, read_image
from mexbench.data.image_header import MOST_PIXELS, read_header
from mexbench.errors import DataError
from tests.mexbench_plugins.datasets.layouts import encode, image
from tests.pictures import face_frame


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
    with pytest.raises(DataError, match="is truncated") as error:
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
    [(b"", r"is empty \(0 bytes\); copy it again"), (b"hello", r"is not a readable image \(5 bytes\).*copy it again")],
)
def test_other_content_is_not_an_image(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(content)
    with pytest.raises(DataError, match=message):
        read_image(path)


def test_another_format_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(cv2.imencode(".tiff", np.zeros((4, 4), np.float32))[1].tobytes())
    with pytest.raises(DataError, match="is TIFF; expected a JPEG, PNG, BMP or WebP image: convert it"):
        read_image(path)


def test_folder_or_missing_file_is_rejected(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").mkdir()
    with pytest.raises(DataError, match=r"a\.jpg: is a folder, expected an image file"):
        read_image(tmp_path / "a.jpg")
    with pytest.raises(DataError, match=r"b\.jpg: cannot be read \(No such file"):
        read_image(tmp_path / "b.jpg")


@pytest.fixture(scope="module")
def photo() -> NDArray[np.uint8]:
    return face_frame(size=(240, 320), faces=((160, 120, 110),))


def jpeg(pixels: NDArray[np.uint8], *options: int) -> bytes:
    return cv2.imencode(".jpg", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), list(options))[1].tobytes()


def refused(path: Path, content: bytes) -> bool:
    path.write_bytes(content)
    try:
        read_image(path)
    except DamagedImageError:
        return True
    return False


WAYS = {
    "baseline": (cv2.IMWRITE_JPEG_QUALITY, 90),
    "coarse": (cv2.IMWRITE_JPEG_QUALITY, 30),
    "finest": (cv2.IMWRITE_JPEG_QUALITY, 100),
    "progressive": (cv2.IMWRITE_JPEG_PROGRESSIVE, 1),
    "own tables": (cv2.IMWRITE_JPEG_OPTIMIZE, 1),
    "restart markers": (cv2.IMWRITE_JPEG_RST_INTERVAL, 8),
    "4:4:4": (cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444),
    "4:1:1": (cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_411),
}


@pytest.mark.parametrize("way", WAYS)
def test_a_whole_jpeg_is_read_with_opencvs_pixels(tmp_path: Path, photo: NDArray[np.uint8], way: str) -> None:
    for pixels in (photo, photo[:239, :317], photo[:1, :1]):
        content = jpeg(pixels, *WAYS[way])
        path = tmp_path / "a.jpg"
        path.write_bytes(content)
        expected = read_expected(content)
        np.testing.assert_array_equal(read_image(path), expected)


def test_cmyk_and_odd_headers_are_not_damage(tmp_path: Path, photo: NDArray[np.uint8]) -> None:
    image_module = pytest.importorskip("PIL.Image")
    path = tmp_path / "a.jpg"
    picture = image_module.fromarray(photo)
    picture.convert("CMYK").save(path)
    assert read_image(path).shape == photo.shape
    picture.save(path, comment=b"c" * 3000, exif=b"Exif\0\0MM\0*\0\0\0\x08\0\0\0\0", icc_profile=b"p" * 70000)
    assert read_image(path).shape == photo.shape
    content = path.read_bytes().replace(b"JFIF\0\x01", b"JFIF\0\x09")  # of a version that libjpeg warns of
    assert not refused(path, content)


def test_bytes_between_the_pixels_and_the_end_are_not_damage(tmp_path: Path, photo: NDArray[np.uint8]) -> None:
    content = jpeg(photo)
    for padding in (b"\0", bytes(300), b"\xff" * 5):
        assert not refused(tmp_path / "a.jpg", content[:-2] + padding + content[-2:])


@pytest.mark.parametrize(
    ("way", "least"), [("coarse", 0.9), ("baseline", 0.6), ("progressive", 0.85), ("restart markers", 0.7)]
)
def test_most_overwritten_bodies_are_refused(tmp_path: Path, photo: NDArray[np.uint8], way: str, least: float) -> None:
    """64 bytes at a random place; what is not refused is another valid JPEG."""
    content, rng = jpeg(photo, *WAYS[way]), np.random.default_rng(0)
    start = content.index(b"\xff\xda") + 14
    count = 0
    for _ in range(60):
        place = int(rng.integers(start, len(content) - 66))
        count += refused(tmp_path / "a.jpg", content[:place] + rng.bytes(64) + content[place + 64 :])
    assert count >= least * 60


def test_a_jpeg_with_a_hole_and_its_end_is_refused_with_the_decoders_words(
    tmp_path: Path, photo: NDArray[np.uint8]
) -> None:
    """OpenCV gives 240 rows for it, most of them wrong."""
    content = jpeg(photo)
    hole = content[: len(content) // 3] + content[len(content) // 2 :]
    wrong = read_expected(hole)
    assert (wrong != read_expected(content)).any(axis=(1, 2)).mean() > 0.5
    path = tmp_path / "a.jpg"
    path.write_bytes(hole)
    with pytest.raises(DamagedImageError, match=r"a\.jpg: is damaged: its decoder says 'Corrupt JPEG data: .*copy it"):
        read_image(path)


def read_expected(content: bytes) -> NDArray[np.uint8]:
    image = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
    assert image is not None
    return image[..., ::-1].astype(np.uint8)


def test_every_flipped_bit_of_a_png_is_refused(tmp_path: Path) -> None:
    content = encode(noise((20, 24, 3)), ".png")
    for place in range(33, len(content) - 12, 7):
        damaged = bytearray(content)
        damaged[place] ^= 1 << place % 8
        assert refused(tmp_path / "a.png", bytes(damaged)), place


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".bmp", ".webp"])
def test_the_size_is_read_from_the_header(suffix: str) -> None:
    header = read_header(cv2.imencode(suffix, noise((37, 53, 3)))[1].tobytes())
    assert header is not None
    assert (header.width, header.height) == (53, 37)


def png_header(width: int, height: int) -> bytes:
    part = b"IHDR" + width.to_bytes(4, "big") + height.to_bytes(4, "big") + b"\x10\x02\0\0\0"
    end = b"\0\0\0\0IEND\xaeB`\x82"
    return b"\x89PNG\r\n\x1a\n" + (13).to_bytes(4, "big") + part + zlib.crc32(part).to_bytes(4, "big") + end


def jpeg_header(width: int, height: int) -> bytes:
    content = jpeg(np.zeros((8, 8, 3), np.uint8))
    place = content.index(b"\xff\xc0") + 5
    return content[:place] + height.to_bytes(2, "big") + width.to_bytes(2, "big") + content[place + 4 :]


def bmp_header(width: int, height: int) -> bytes:
    content = encode(image(0), ".bmp")
    return content[:18] + width.to_bytes(4, "little") + height.to_bytes(4, "little", signed=True) + content[26:]


@pytest.mark.parametrize("header", [png_header, jpeg_header, bmp_header])
@pytest.mark.parametrize(("width", "height"), [(60000, 60000), (8000, 8000), (MOST_PIXELS // 1000 + 1, 1000)])
def test_a_huge_image_is_refused_by_its_header(
    tmp_path: Path, header: Callable[[int, int], bytes], width: int, height: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def decode(*_: object) -> None:
        raise AssertionError("decoded")

    monkeypatch.setattr(cv2, "imdecode", decode)
    path = tmp_path / "a.png"
    path.write_bytes(header(width, height))
    message = rf"claims frames of {width}x{height} pixels; at most {MOST_PIXELS} pixels, 8K, are decoded"
    with pytest.raises(DataError, match=message):
        read_image(path)
    if header is bmp_header:
        path.write_bytes(header(width, -height))
        with pytest.raises(DataError, match=message):
            read_image(path)


def test_a_pipe_and_a_device_are_refused_and_never_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.jpg")
    for path in (tmp_path / "a.jpg", Path("/dev/zero")):
        with pytest.raises(DataError, match="not a plain file; expected an image file"):
            read_image(path)
