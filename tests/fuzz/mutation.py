"""Structured mutation: of bytes, of the words of a text, of the values of a JSON file, of the cells of a table."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

Random = np.random.Generator
Mutate = Callable[[Random, bytes], bytes]

#: Words that programs stumble over.
WORDS = (
    "", "0", "-1", "1e999", "-0.0", "nan", "inf", "9" * 400, "0x10", "1_0", "null", "true", "off", "~", "''", '"',
    "[", "]", "{", "}", ":", ",", "-", "&a", "*a", "<<: *a", "${HOME}", "${", "${X:-y}", "!!python/object:os.system",
    "!!binary aGk=", "\t", "\0", "\r", "\n", "\u2028", "é", "\U0001f600", "../../etc/passwd", "/", "a" * 5000,
    "%2E%2E", "=1+1", "|", "<script>", "# ", "---", "...",
)  # fmt: skip
VALUES: tuple[Any, ...] = (
    None, True, 0, -1, 10**400, 1e308, "", "x", "1", [], {}, [[]], [None], {"": 0}, [[1]], "\ud800", "a\0b", ["a", 1],
)  # fmt: skip


def of_bytes(rng: Random, content: bytes) -> bytes:
    """Flip, cut, repeat, blank or overwrite some bytes."""
    result = bytearray(content)
    for _ in range(int(rng.integers(1, 5))):
        start = int(rng.integers(0, len(result) + 1))
        length = int(min(rng.geometric(0.1), len(result) - start))
        match int(rng.integers(6)):
            case 0 if start < len(result):
                result[start] ^= 1 << int(rng.integers(8))
            case 1:
                del result[start : start + length]
            case 2:
                result[start:start] = result[start : start + length] * int(rng.integers(1, 50))
            case 3:
                result[start : start + length] = bytes(length)
            case 4:
                result[start : start + 4] = [b"\xff\xff\xff\xff", b"\0\0\0\0", b"\x7f\xff\xff\xff"][
                    int(rng.integers(3))
                ]
            case _:
                result[start : start + length] = rng.bytes(length)
    return bytes(result[: int(rng.integers(len(result) + 1))] if rng.random() < 0.1 else result)


def of_words(rng: Random, content: bytes) -> bytes:
    """Drop, double, swap or replace words, blanks and lines; now and then bytes."""
    if rng.random() < 0.1:
        return of_bytes(rng, content)
    words = re.findall(r"\w+|\s|[^\w\s]", content.decode())
    for _ in range(int(rng.integers(1, 6))):
        if not words:
            break
        one, two = (int(result) for result in rng.integers(0, len(words), 2))
        match int(rng.integers(5)):
            case 0:
                del words[min(one, two) : min(one, two) + int(rng.geometric(0.3))]
            case 1:
                words[one:one] = words[min(one, two) : max(one, two)][:40] * int(rng.integers(1, 20))
            case 2:
                words[one], words[two] = words[two], words[one]
            case _:
                words[one] = WORDS[int(rng.integers(len(WORDS)))]
    return "".join(words).encode()


def of_json(rng: Random, content: bytes) -> bytes:
    """Do what ``of_values`` does; now and then words or bytes."""
    if (luck := rng.random()) < 0.3:
        return of_bytes(rng, content) if luck < 0.1 else of_words(rng, content)
    return of_values(rng, content)


def of_values(rng: Random, content: bytes) -> bytes:
    """Replace, drop or double a value somewhere in a JSON file, which stays one."""
    document = json.loads(content)
    for _ in range(int(rng.integers(1, 3))):
        document = _replaced(rng, document)
    return json.dumps(document).encode()


def _replaced(rng: Random, node: Any) -> Any:  # noqa: ANN401
    if isinstance(node, (dict, list)) and node and rng.random() < 0.85:
        keys: Sequence[Any] = list(node) if isinstance(node, dict) else range(len(node))
        key = keys[int(rng.integers(len(keys)))]
        if rng.random() < 0.15:
            del node[key]
        elif rng.random() < 0.1 and isinstance(node, list):
            node.append(node[key])
        else:
            node[key] = _replaced(rng, node[key])
        return node
    return copy.deepcopy(VALUES[int(rng.integers(len(VALUES)))])


def of_cells(rng: Random, rows: Sequence[Sequence[object]]) -> list[list[object]]:
    """Replace cells of a table; drop, double or swap rows."""
    table = [list(row) for row in rows]
    for _ in range(int(rng.integers(1, 6))):
        if not table:
            break
        one, two = (int(result) for result in rng.integers(0, len(table), 2))
        match int(rng.integers(6)):
            case 0:
                del table[one]
            case 1:
                table.append(list(table[one]))
            case 2:
                table[one], table[two] = table[two], table[one]
            case 3 if table[one]:
                del table[one][int(rng.integers(len(table[one])))]
            case _ if table[one]:
                word = WORDS[int(rng.integers(len(WORDS)))]
                table[one][int(rng.integers(len(table[one])))] = word
            case _:
                pass
    return table
