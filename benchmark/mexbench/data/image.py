"""One image from its file: never more than 8K, never one whose body is known to be damaged.

OpenCV decodes a damaged JPEG in silence, and most rows may be wrong. So a JPEG's body is first decoded by a library
that reports what libjpeg warns of, a PNG's checksums are compared, and so is a BMP's length. The pixels are OpenCV's.

**What it finds.** Of holes of 64 bytes in a JPEG's body libjpeg notices 69 to 100 %, of stretches that were overwritten
70 to 99 %, of single flipped bits 20 to 40 %: the others give another valid JPEG, which only a checksum of the whole
file could distinguish from the right one. A BMP has no checksum; a PNG has one for every byte.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mexbench.data.image_header import PNG_START, ImageHeader, check_size, read_header
from mexbench.errors import DataError, SampleRejected, counted, listed
from mexbench.files import read_plain

#: Suffixes of the images that are read.
IMAGES = frozenset({".jpg", ".jpeg", ".png", ".bmp"})
#: Bytes of the largest file: an 8K picture of 16 bits a channel with alpha, uncompressed, is smaller.
_MOST_BYTES = 2**29
_JPEG_SCAN, _JPEG_END = b"\xff\xda", b"\xff\xd9"
#: What libjpeg says where the body of a JPEG is damaged; its other warnings are about headers and harm nothing.
_DAMAGE = re.compile(
    r"Corrupt JPEG data|Premature end|bad Huffman|Inconsistent progression|Unsupported marker|found mark"
)


class DamagedImageError(DataError, SampleRejected):
    """Files of images are damaged: a run excludes and names their clip and goes on, unless ``damaged: refuse``.

    Args:
        problems: File -> what is wrong with it.
    """

    def __init__(self, problems: Mapping[Path, str]) -> None:
        super().__init__("; ".join(f"{path}: {problem}" for path, problem in problems.items()))
        self.problems = problems

    @property
    def reason(self) -> str:
        """Why the clip is excluded, without the folder."""
        named = [f"{path.name} {problem}" for path, problem in self.problems.items()]
        return f"damaged image: {listed(named, limit=10)}"


def read_image(path: Path, *, most_bits: int = 16) -> NDArray[np.uint8]:
    """Read one image: (H, W, 3) RGB, or (H, W, 1) where the file is gray.

    Args:
        path: The file.
        most_bits: 8 refuses an image of 16 bits a channel.

    Returns:
        uint8. 16-bit values are divided by 257 and rounded, so that 65535 becomes 255 and 0 stays 0. The alpha channel
        is ignored. A photo that says how the camera was held is turned upright.

    Raises:
        DataError: The file is missing, a folder, a device, empty, damaged, of absurd size or not an image.
    """
    import cv2

    content = _content(path)
    header = read_header(content)
    if header is None:
        raise DamagedImageError({path: f"{_what(content)}; copy it again"})
    check_size(path, header.width, header.height)
    if (problem := _damage(content, header)) is not None:
        raise DamagedImageError({path: f"{problem}; copy it again"})
    try:
        image = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_ANYCOLOR | cv2.IMREAD_ANYDEPTH)
    except cv2.error:
        image = None
    if image is None:
        raise DamagedImageError({path: f"is not a readable image ({counted(len(content), 'byte')}); copy it again"})
    if image.dtype.itemsize * 8 > most_bits:
        raise DataError(f"{path}: expected {most_bits} bits a channel, got {image.shape} {image.dtype}")
    return _as_rgb(image, path)


def _content(path: Path) -> bytes:
    try:
        content = read_plain(path, most=_MOST_BYTES)
    except ValueError as error:  # a device, a pipe, or far too large
        raise DamagedImageError({path: f"{error}; expected an image file"}) from None
    except OSError as error:
        if path.is_dir():
            raise DamagedImageError({path: "is a folder, expected an image file; copy it again"}) from None
        raise DamagedImageError({path: f"cannot be read ({error.strerror}); copy it again"}) from None
    if not content:
        raise DamagedImageError({path: "is empty (0 bytes); copy it again"})
    return content


def _what(content: bytes) -> str:
    """Say what content without a usable header is."""
    others = {b"II*\0": "TIFF", b"MM\0*": "TIFF", b"GIF8": "GIF", b"\0\0\0\x0c": "JPEG 2000", b"v/1\x01": "OpenEXR"}
    if (other := others.get(content[:4])) is not None:
        return f"is {other}; expected a JPEG, PNG, BMP or WebP image: convert it"
    if content.startswith((_JPEG_SCAN[:1], PNG_START)) and _truncated(content) is not None:
        return str(_truncated(content))
    return f"is not a readable image ({counted(len(content), 'byte')}): expected a JPEG, PNG, BMP or WebP image"


def _truncated(content: bytes) -> str | None:
    # Compressed data never holds a bare end marker, and a preview inside the header ends before the image starts.
    if not content.startswith(PNG_START) and content.rfind(_JPEG_END) <= content.rfind(_JPEG_SCAN):
        return f"is truncated: a JPEG without its end ({counted(len(content), 'byte')})"
    if content.startswith(PNG_START) and b"IEND\xaeB`\x82" not in content:
        return f"is truncated: a PNG without its end ({counted(len(content), 'byte')})"
    return None


def _damage(content: bytes, header: ImageHeader) -> str | None:
    """Say what is wrong with a file that some decoders would fill up with gray without a word."""
    if header.kind in ("JPEG", "PNG") and (problem := _truncated(content)) is not None:
        return problem
    if header.kind == "JPEG":
        problem = _jpeg_warning(content, header)
        return f"is damaged: its decoder says {problem!r}" if problem else None
    if header.kind == "PNG":
        return _png_damage(content)
    if header.kind == "BMP":
        return _bmp_damage(content, header)
    return None


def _jpeg_warning(content: bytes, header: ImageHeader) -> str | None:
    """Return what libjpeg warns of in the body of a JPEG, None where it has nothing to say.

    Padding that cameras write before the end marker is not damage.
    """
    body = header.bare + content[header.scan :]
    warning = _strict(body)
    if warning is not None and "extraneous bytes before marker 0xd9" in warning:
        end = body.rfind(_JPEG_END)
        data = body[:end].rstrip(b"\0")
        data += b"\0" * data.endswith(b"\xff")  # a zero follows every such byte of the data
        return _strict(data + body[end:])
    return warning


def _strict(body: bytes) -> str | None:
    """Decode the entropy-coded data, at an eighth of the size: the pixels are not wanted, only the warnings."""
    import simplejpeg

    try:
        *_, colours, _ = simplejpeg.decode_jpeg_header(body, strict=False)
        colours = "CMYK" if colours in ("CMYK", "YCCK") else "GRAY"
        simplejpeg.decode_jpeg(body, colorspace=colours, min_height=1, min_width=1, strict=True)
    except ValueError as error:
        return str(error) if _DAMAGE.search(str(error)) else None
    return None


def _png_damage(content: bytes) -> str | None:
    """Compare the checksum of every chunk up to the end."""
    view, place = memoryview(content), len(PNG_START)
    while place + 12 <= len(content):
        length, kind = int.from_bytes(view[place : place + 4], "big"), bytes(view[place + 4 : place + 8])
        end = place + 8 + length
        if end + 4 > len(content):
            return f"is truncated: a PNG without its end ({counted(len(content), 'byte')})"
        if zlib.crc32(view[place + 4 : end]) != int.from_bytes(view[end : end + 4], "big"):
            return f"is damaged: the checksum of its part {kind.decode('ascii', 'backslashreplace')!r} differs"
        if kind == b"IEND":
            return None
        place = end + 4
    return f"is truncated: a PNG without its end ({counted(len(content), 'byte')})"


def _bmp_damage(content: bytes, header: ImageHeader) -> str | None:
    """Compare the length with what the header promises; rows that are not compressed have a known one."""
    start = int.from_bytes(content[10:14], "little")
    core = int.from_bytes(content[14:18], "little") == 12
    bits = int.from_bytes(content[24:26] if core else content[28:30], "little")
    compression = 0 if core else int.from_bytes(content[30:34], "little")
    needed = start + (header.width * bits + 31) // 32 * 4 * header.height
    if compression in (0, 3) and len(content) < needed:
        return f"is truncated: a BMP of {counted(len(content), 'byte')}, its header promises {needed}"
    return None


def _as_rgb(image: NDArray[Any], path: Path) -> NDArray[np.uint8]:
    if image.dtype == np.uint16:
        image = _to_8_bits()[image]
    elif image.dtype != np.uint8:
        raise DataError(f"{path}: has values of type {image.dtype}; expected 8 or 16 bits a channel")
    if image.ndim == 2:
        image = image[..., None]
    # OpenCV decodes colour to BGR.
    return np.ascontiguousarray(image[..., ::-1], dtype=np.uint8)


@cache
def _to_8_bits() -> NDArray[np.uint8]:
    """Return value / 257, rounded, for each 16-bit value: a table needs no wider copy of the picture."""
    return ((np.arange(2**16, dtype=np.uint32) + 128) // 257).astype(np.uint8)
