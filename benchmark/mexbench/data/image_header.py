"""What the first bytes of an image promise, so that nothing absurd is decoded, and where its body is.

Source: ITU-T T.81 (JPEG), the PNG specification (third edition), RFC 9649 (WebP), Microsoft's BITMAPINFOHEADER.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from mexbench.errors import DataError

#: Pixels of the largest picture that is decoded, of a film or a still: 8K. A file may claim any size.
MOST_PIXELS = 8192 * 4320
#: What the images that are read begin with.
PNG_START, JPEG_START, BMP_START = b"\x89PNG\r\n\x1a\n", b"\xff\xd8", b"BM"

ImageKind = Literal["JPEG", "PNG", "BMP", "WebP"]

#: Frames of a JPEG begin with one of these; C4, C8 and CC are tables and an extension.
_JPEG_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_JPEG_SCAN, _JPEG_END = 0xDA, 0xD9
#: Markers without a length: TEM, restart markers, start of image.
_JPEG_BARE = frozenset({0x01, *range(0xD0, 0xD9)})


@dataclass(frozen=True)
class ImageHeader:
    """What an image claims to be.

    Args:
        kind: Its format by content, whatever its name.
        width: In pixels.
        height: In pixels.
        scan: Of a JPEG, where its first scan begins.
        bare: Of a JPEG, its segments before the first scan without comments and application data, which no decoder
            needs for the pixels.
    """

    kind: ImageKind
    width: int
    height: int
    scan: int = 0
    bare: bytes = b""


def read_header(content: bytes) -> ImageHeader | None:
    """Return what an image claims to be; None for other content, and where its header is damaged."""
    if content.startswith(JPEG_START):
        return _jpeg(content)
    if content.startswith(PNG_START):
        width, height = (int.from_bytes(content[place : place + 4], "big") for place in (16, 20))
        return ImageHeader("PNG", width, height) if content[12:16] == b"IHDR" else None
    if content.startswith(BMP_START):
        return _bmp(content)
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return _webp(content)
    return None


def check_size(what: object, width: int, height: int) -> None:
    """Refuse a picture or film of absurd size before it is decoded.

    Raises:
        DataError: It has more than ``MOST_PIXELS``; the text begins with ``what``.
    """
    if width * height > MOST_PIXELS:
        raise DataError(
            f"{what}: claims frames of {width}x{height} pixels; at most {MOST_PIXELS} pixels, 8K, are decoded: scale "
            "it down"
        )


def _jpeg(content: bytes) -> ImageHeader | None:
    place, size, bare = 2, None, bytearray(JPEG_START)
    while place + 4 <= len(content):
        if content[place] != 0xFF:
            return None
        marker = content[place + 1]
        if marker == 0xFF:  # padding before a marker
            place += 1
            continue
        if marker in _JPEG_BARE:
            place += 2
            continue
        length = int.from_bytes(content[place + 2 : place + 4], "big")
        if marker in _JPEG_FRAMES and size is None and place + 9 <= len(content):
            size = tuple(int.from_bytes(content[place + shift : place + shift + 2], "big") for shift in (7, 5))
        if marker == _JPEG_SCAN:
            return None if size is None else ImageHeader("JPEG", *size, scan=place, bare=bytes(bare))
        if marker == _JPEG_END or length < 2:
            return None
        if not (0xE0 <= marker <= 0xEF or marker == 0xFE):
            bare += content[place : place + 2 + length]
        place += 2 + length
    return None


def _bmp(content: bytes) -> ImageHeader | None:
    size = int.from_bytes(content[14:18], "little")
    if size == 12:
        width, height = (int.from_bytes(content[place : place + 2], "little") for place in (18, 20))
    elif 40 <= size <= 124:
        width, height = (int.from_bytes(content[place : place + 4], "little", signed=True) for place in (18, 22))
    else:
        return None
    return ImageHeader("BMP", width, abs(height)) if width > 0 else None  # a negative height: from the top down


def _webp(content: bytes) -> ImageHeader | None:
    kind = content[12:16]
    if kind == b"VP8X":
        width, height = (1 + int.from_bytes(content[place : place + 3], "little") for place in (24, 27))
    elif kind == b"VP8L":
        bits = int.from_bytes(content[21:25], "little")
        width, height = 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    elif kind == b"VP8 ":
        width, height = (int.from_bytes(content[place : place + 2], "little") & 0x3FFF for place in (26, 28))
    else:
        return None
    return ImageHeader("WebP", width, height)
