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

from collections.abc import Iterator, Sequence
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
_ROWS = 2**16  # hashes whose bits are unpacked at once: 16 MiB


def few_of(frames: NDArray[Any]) -> NDArray[Any]:
    """Return the frames (T, ...) that a clip is compared by."""
    if len(frames) <= FRAMES_PER_CLIP:
        return frames
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


def near_pairs(first: NDArray[np.uint64], second: NDArray[np.uint64]) -> Iterator[tuple[int, int]]:
    """Yield the positions of near-duplicates, one in each of two lists, in rising order, by comparing every pair.

    Args:
        first: Hashes (n, 4).
        second: Hashes (m, 4).
    """
    rows = max(1, _BLOCK // max(1, len(second)))
    for start in range(0, len(first), rows):
        block = first[start : start + rows]
        # A quarter of the bits rules out nearly every pair.
        near = np.bitwise_count(block[:, None, 0] ^ second[None, :, 0]) <= NEAR_BITS
        left, right = np.nonzero(near)
        is_near = _are_near(block[left], second[right])
        yield from zip((left[is_near] + start).tolist(), right[is_near].tolist(), strict=True)


def near_groups(words: NDArray[np.uint64]) -> NDArray[np.intp]:
    """Return a number for each hash (n,), the same for near-duplicates, for near-duplicates of those, and so on.

    Hashes are cut into ``NEAR_BITS + 1`` bands. Two that differ in at most ``NEAR_BITS`` bits agree in one band at
    least, so only hashes with an equal band are compared: for 30,000 hashes of different clips that is one pair in
    thousands.

    Args:
        words: Hashes (n, 4).
    """
    unique, inverse = np.unique(words, axis=0, return_inverse=True)
    groups = np.arange(len(unique))
    for band in range(NEAR_BITS + 1):
        keys = _band(unique, band)
        order = np.argsort(keys, kind="stable")
        keys = keys[order]
        places, step = np.arange(len(keys) - 1), 1
        while len(places := places[keys[places] == keys[places + step]]):
            left, right = order[places], order[places + step]
            is_near = _are_near(unique[left], unique[right])
            _join(groups, left[is_near], right[is_near])
            step += 1
            places = places[places + step < len(keys)]
    return groups[inverse.ravel()]


def _are_near(first: NDArray[np.uint64], second: NDArray[np.uint64]) -> NDArray[np.bool_]:
    """Return whether each row (n, 4) is near the same row of the other."""
    return np.bitwise_count(first ^ second).sum(axis=1, dtype=np.intp) <= NEAR_BITS


def _band(words: NDArray[np.uint64], band: int) -> NDArray[np.uint32]:
    """Return every ninth bit of hashes (n, 4) as a number (n,).

    Not bits in a row: those of low frequencies are much the same in all faces, so each band gets some of all.
    """
    keys = np.empty(len(words), np.uint32)
    for start in range(0, len(words), _ROWS):
        bits = np.unpackbits(words[start : start + _ROWS].view(np.uint8), axis=1)[:, band :: NEAR_BITS + 1]
        keys[start : start + _ROWS] = np.packbits(bits, axis=1).view(np.uint32)[:, 0]  # 28 or 29 bits
    return keys


def _join(groups: NDArray[np.intp], left: NDArray[np.intp], right: NDArray[np.intp]) -> None:
    """Give the groups of each pair one number, in place: the smallest position in the joint group."""
    while True:
        low, high = np.minimum(groups[left], groups[right]), np.maximum(groups[left], groups[right])
        differ = low < high
        if not differ.any():
            return
        left, right = left[differ], right[differ]
        np.minimum.at(groups, high[differ], low[differ])
        while not np.array_equal(joined := groups[groups], groups):
            groups[:] = joined


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
