"""Public packs of optical flow for the MEGC2019 clips, recognised by the pixels in them.

"TV-L1 flow from onset to apex" does not name a data set: two public recomputations of the same 442 clips share no
picture. So a figure belongs to the pack that it was computed on. A pack is known by its checksum, not by its layout.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

#: The flag of every row that was computed on a pack that is not among ``PACKS``.
UNKNOWN_PACK = "unknown-pack"


@dataclass(frozen=True, kw_only=True)
class FlowPack:
    """A published recomputation of the flow of the 442 clips.

    Args:
        name: What messages call it.
        published: Where its authors publish it.
        checksum: What ``checksum`` gives for its onset-to-apex maps.
        plugin: The data set plugin that reads it.
    """

    name: str
    published: str
    checksum: str
    plugin: str


PACKS = (
    FlowPack(
        name="the flow pack of STSTNet's authors",
        published="GitHub, christy1206/STSTNet, norm_u_v_os",
        checksum="28a0e46544be956504b7afb2c6e2714f",
        plugin="megc2019_flow",
    ),
    FlowPack(
        name="CausalNet's recomputation",
        published="GitHub, tony19980810/CausalNet (MIT licence)",
        checksum="9bedfbd7f3fb5f28ff85164a3d829fe0",
        plugin="causalnet_maps",
    ),
)


def checksum(maps: Iterable[tuple[str, NDArray[Any]]]) -> str:
    """Return 32 hexadecimal digits of SHA-256 over sample ids and pixels, in the order of the ids.

    Args:
        maps: Sample id and its onset-to-apex map (28, 28, 3), uint8, in RGB order. Pixels count and not files, so a
            copy that was compressed again is still recognised.
    """
    total = hashlib.sha256()
    for sample_id, image in sorted(maps, key=lambda pair: pair[0]):
        pixels = hashlib.sha256(np.ascontiguousarray(image).tobytes()).digest()
        total.update(sample_id.encode() + b"\0" + pixels)
    return total.hexdigest()[:32]


def recognise(digest: str) -> FlowPack | None:
    """Return the published pack with this checksum, None where it is none of them."""
    return next((pack for pack in PACKS if pack.checksum == digest), None)
