"""A still face to start from: ``builtin:SEED``, painted by this program, or a user's photo."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from mexbench.data.image import read_image
from mexbench.errors import ConfigError, DataError
from mexbench_plugins.synth import geometry, identity, portrait
from mexbench_plugins.synth.detection import SMALLEST, locate
from mexbench_plugins.synth.geometry import Geometry

_BUILTIN = "builtin:"
#: A longer side is shrunk to this: the motion is a few pixels, and a clip of a 40-megapixel photo would help nobody.
_LONGEST = 1280


@dataclass(frozen=True, eq=False)
class SyntheticFace:
    """A still face.

    Args:
        image: The picture (H, W, 3), RGB.
        geometry: Where the parts of the face lie.
        name: ``builtin:7``, or the photo's file name.
        seed: The seed of a procedural face; None for a photo.
    """

    image: NDArray[np.uint8]
    geometry: Geometry
    name: str
    seed: int | None = None


def builtin(seed: int, *, width: int = 640, height: int = 480, supersample: int = 2) -> SyntheticFace:
    """Paint the person of a seed.

    Args:
        seed: The same seed is the same person, in any size.
        width: Width of the picture in pixels.
        height: Its height; the face takes about two thirds of it.
        supersample: Every pixel is the mean of this many squared.
    """
    who = identity.draw(seed)
    image = portrait.render(who, width, height, supersample=supersample)
    return SyntheticFace(image, geometry.of_identity(who, width, height), f"{_BUILTIN}{seed}", seed)


def photo(path: Path) -> SyntheticFace:
    """Read a photo and find the face in it: the largest, where there are several.

    Raises:
        DataError: The file cannot be read, or shows no face.
    """
    image = _read(path)
    scale = _LONGEST / max(image.shape[:2])
    if scale < 1:
        image = np.asarray(cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)
    image = np.ascontiguousarray(image[: image.shape[0] // 2 * 2, : image.shape[1] // 2 * 2])  # video wants even sides
    geometry = locate(image)
    if geometry is None:
        raise DataError(
            f"{path}: no face found: use a photo of one person who looks into the camera, upright, "
            f"the face at least {SMALLEST} pixels wide, or a procedural face: --face builtin:0"
        )
    return SyntheticFace(image, geometry, path.name)


def is_builtin(text: str) -> bool:
    """Whether a user asks for a procedural face, and not for a photo."""
    return text.startswith(_BUILTIN)


def read(text: str, *, width: int = 640, height: int = 480) -> SyntheticFace:
    """Return the face that a user asks for: ``builtin:SEED`` in this size, or the path of a photo in its own.

    Raises:
        ConfigError: It is neither.
        DataError: The photo cannot be read, or shows no face.
    """
    if not is_builtin(text):
        return photo(Path(text))
    seed = text.removeprefix(_BUILTIN)
    if not (seed.isascii() and seed.isdigit()):
        raise ConfigError(f"face {text!r}: the seed must be a whole number that is not negative, as in builtin:7")
    return builtin(int(seed), width=width, height=height)


def posed(face: SyntheticFace, *, shift: tuple[float, float], scale: float, turn: float) -> SyntheticFace:
    """Move a face in its picture, as when the person sits down again for another clip.

    Args:
        face: The face.
        shift: Columns and rows to move by.
        scale: Size, 1 as it is.
        turn: Degrees to turn by.
    """
    place = face.geometry
    matrix = cv2.getRotationMatrix2D((place.x, place.y), -turn, scale) + np.array([[0, 0, shift[0]], [0, 0, shift[1]]])
    height, width = face.image.shape[:2]
    image = cv2.warpAffine(face.image, matrix, (width, height), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    return SyntheticFace(image.astype(np.uint8), place.moved(matrix.astype(np.float32)), face.name, face.seed)


def _read(path: Path) -> NDArray[np.uint8]:
    try:
        image = read_image(path)
    except DataError as error:
        raise DataError(f"{error}; give a photo, or a procedural face: builtin:0") from None
    return np.repeat(image, 3, axis=-1) if image.shape[-1] == 1 else image
