"""Perceptual hashes of frames: pictures that look the same get hashes that differ in few bits.

A frame is averaged down to 32 x 32 grey levels; its hash holds the signs of the 16 x 16 lowest frequencies of the
cosine transform of that, without the constant one: 255 bits. Brightness changes the constant alone and contrast no
sign, while re-encoding and resizing flip the few bits whose coefficient is near zero.

**The threshold.** Two frames are near-duplicates if at most ``NEAR_BITS`` of their bits differ. For signs of jointly
normal coefficients, 8 of 255 bits (3 %) mean a correlation above .995 at *every* frequency. A re-encoded picture
differs in 0 to 5 bits, a neighbouring frame in as many; among a hundred photographs of faces, cropped alike, the
nearest two differ in more than 70 (the tests measure both). A false alarm costs an honest run its rank, so the
threshold is strict: a copy that was cropped, mirrored or heavily filtered is not found.

Source: the idea is that of pHash (Zauner, Implementation and benchmarking of perceptual image hash functions, 2010);
this one has four times the bits, because a benchmark compares millions of pairs.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

#: At most this many of the 255 bits differ between near-duplicates.
NEAR_BITS = 8
#: A clip is compared by this many of its frames, spread evenly from the first to the last.
FRAMES_PER_CLIP = 4
_SMALL, _KEPT = 32, 16
_WORDS = _KEPT * _KEPT // 64
#: Grey levels (standard deviation) below which a picture is flat: its signs would be those of noise.
_FLAT = 2.0
_BLOCK = 2**22  # pairs that are compared at once: 32 MiB


def few_of(frames: NDArray[Any]) -> NDArray[Any]:
    """Return the frames (T, ...) that a clip is compared by."""
    places = np.unique(np.linspace(0, len(frames) - 1, FRAMES_PER_CLIP).round().astype(int))
    return frames[places]


def perceptual_hash(frame: NDArray[Any]) -> str:
    """Hash one frame.

    Args:
        frame: Grey levels (H, W), or channels (H, W, C), RGB where C is 3.

    Returns:
        64 hexadecimal digits, or nothing for what is not a picture: not of 8-bit integers, smaller than 32 x 32 (flow
        fields are), or flat.
    """
    if frame.dtype != np.uint8 or frame.ndim not in (2, 3) or min(frame.shape[:2]) < _SMALL:
        return ""
    small = _averaged(frame)
    if small.std() < _FLAT:
        return ""
    basis = _cosines()
    signs = (basis @ small @ basis.T).ravel() > 0
    signs[0] = False  # the constant is brightness
    return np.packbits(signs).tobytes().hex()


def as_words(hashes: Sequence[str]) -> NDArray[np.uint64]:
    """Return hashes, none of them empty, as numbers (n, 4)."""
    return np.frombuffer(bytes.fromhex("".join(hashes)), dtype=np.uint64).reshape(-1, _WORDS)


def near_pairs(first: NDArray[np.uint64], second: NDArray[np.uint64]) -> Sequence[tuple[int, int]]:
    """Return the positions of near-duplicates, for the first few rows that have any.

    Args:
        first: Hashes (n, 4).
        second: Hashes (m, 4).

    Returns:
        Pairs of a position in ``first`` and one in ``second``, in rising order; it stops after the block of rows in
        which the first pair is found, since one is enough to flag a fold.
    """
    rows = max(1, _BLOCK // max(1, len(second)))
    for start in range(0, len(first), rows):
        block = first[start : start + rows]
        # A quarter of the bits rules out nearly every pair.
        near = np.bitwise_count(block[:, None, 0] ^ second[None, :, 0]) <= NEAR_BITS
        left, right = np.nonzero(near)
        distance = np.bitwise_count(block[left] ^ second[right]).sum(axis=1, dtype=np.intp)
        is_near = distance <= NEAR_BITS
        if is_near.any():
            return list(zip((left[is_near] + start).tolist(), right[is_near].tolist(), strict=True))
    return []


def _averaged(frame: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Average areas: (32, 32) grey levels."""
    height, width = frame.shape[:2]
    rows = (_areas(height) @ frame.reshape(height, -1).astype(np.float32)).reshape(_SMALL, width, -1)
    weights = np.array([0.299, 0.587, 0.114]) if rows.shape[2] == 3 else np.full(rows.shape[2], 1 / rows.shape[2])
    return (rows @ weights) @ _areas(width).T


@cache
def _areas(size: int) -> NDArray[np.float32]:
    """Return the share (32, size) that each pixel of a line has in each of 32 stretches of equal length."""
    edges = np.linspace(0, size, _SMALL + 1)
    starts, pixels = edges[:-1, None], np.arange(size)[None, :]
    shared = np.minimum(edges[1:, None], pixels + 1) - np.maximum(starts, pixels)
    return (np.clip(shared, 0, None) * _SMALL / size).astype(np.float32)


@cache
def _cosines() -> NDArray[np.float64]:
    """Return the lowest rows (16, 32) of the orthonormal cosine transform, type II."""
    frequency, place = np.arange(_KEPT)[:, None], np.arange(_SMALL)[None, :]
    return np.cos(np.pi * (2 * place + 1) * frequency / (2 * _SMALL)) * np.where(frequency, 2, 1) ** 0.5 / _SMALL**0.5
