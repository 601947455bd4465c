"""A face recogniser small enough to write by hand: the mean colour of 7 x 7 blocks of an aligned face, as ONNX."""

from __future__ import annotations

import struct


def _varint(value: int) -> bytes:
    out = bytearray()
    while True:
        value, low = value >> 7, value & 0x7F
        out.append(low | (0x80 if value else 0))
        if not value:
            return bytes(out)


def _field(number: int, value: int | bytes | str) -> bytes:
    if isinstance(value, int):
        return _varint(number << 3) + _varint(value)
    data = value.encode() if isinstance(value, str) else value
    return _varint(number << 3 | 2) + _varint(len(data)) + data


def _ints(name: str, values: tuple[int, ...]) -> bytes:
    return _field(5, _field(1, name) + b"".join(_field(8, value) for value in values) + _field(20, 7))


def _int(name: str, value: int) -> bytes:
    return _field(5, _field(1, name) + _field(3, value) + _field(20, 2))


def _value(name: str, shape: tuple[int, ...]) -> bytes:
    dimensions = b"".join(_field(1, _field(1, size)) for size in shape)
    return _field(1, name) + _field(2, _field(1, _field(1, 1) + _field(2, dimensions)))


def recogniser() -> bytes:
    """Return the file: input (1, 3, 112, 112), less 128, AveragePool 16 x 16, Flatten to 147 values."""
    constant = _field(1, 1) + _field(2, 1) + _field(8, "level") + _field(9, struct.pack("<f", 128.0))
    nodes = [
        _field(1, "data") + _field(1, "level") + _field(2, "zero") + _field(3, "s") + _field(4, "Sub"),
        _field(1, "zero") + _field(2, "pooled") + _field(3, "p") + _field(4, "AveragePool")
        + _ints("kernel_shape", (16, 16)) + _ints("strides", (16, 16)),
        _field(1, "pooled") + _field(2, "fc1") + _field(3, "f") + _field(4, "Flatten") + _int("axis", 1),
    ]  # fmt: skip
    graph = b"".join(_field(1, node) for node in nodes) + _field(2, "face") + _field(5, constant)
    graph += _field(11, _value("data", (1, 3, 112, 112))) + _field(12, _value("fc1", (1, 147)))
    return _field(1, 8) + _field(7, graph) + _field(8, _field(1, "") + _field(2, 13))
