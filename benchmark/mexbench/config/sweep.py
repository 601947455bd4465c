"""The ``sweep`` block of a config: a grid over parameters, one row of the table per cell.

    models: [au_cnn]
    sweep:
      models.au_cnn.epochs: [32, 45]
      models.au_cnn.batch_size: [16, 32]

becomes four models in the place of one, called ``au_cnn epochs=32 batch_size=16`` and so on. A parameter of a
preprocessor or of ``frames`` multiplies every model that has no such block of its own, one of a protocol the protocols.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

from mexbench.config.document import Document, ValuePath, name_of, parse_path, replaced
from mexbench.config.variables import written

_SHARED = ("frames", "preprocess")
_BLOCKS = ("models", "protocol", *_SHARED)
_MOST_CELLS = 1000


@dataclass(frozen=True)
class _Axis:
    """One parameter and its values.

    Args:
        key: As the config writes it.
        path: Of the parameter, with positions instead of names.
        values: To be tried.
    """

    key: str
    path: ValuePath
    values: Sequence[Any]

    def label(self, value: object) -> str:
        value = written(value)  # a label is part of every output
        text = value if isinstance(value, str) else json.dumps(value)
        return f"{self.path[-1]}={re.sub(r'[^A-Za-z0-9_.+-]+', '-', text).strip('-')}"


def expand(document: Document) -> Document:
    """Return the config with the cells of its ``sweep`` block written out, and without that block.

    Raises:
        ConfigError: The block is not a mapping from parameters to lists of values, names what cannot be swept, or has
            too many cells.
    """
    if "sweep" not in document.data:
        return document
    axes = _axes(document)
    shared = [axis for axis in axes if axis.path[0] in _SHARED]
    for key in ("models", "protocol"):
        if own := [axis for axis in axes if axis.path[0] == key or (key == "models" and axis in shared)]:
            document = _with_cells(document, key, own)
    return replace(document, data={key: value for key, value in document.data.items() if key != "sweep"})


def _axes(document: Document) -> list[_Axis]:
    block = document.data["sweep"]
    if not isinstance(block, dict) or not block:
        raise document.error(
            ("sweep",), f"expected a mapping such as {{models.svm.C: [0.1, 1]}}, got {json.dumps(block)}"
        )
    axes: list[_Axis] = []
    for key, values in block.items():
        place = ("sweep", key)
        if not isinstance(values, list) or not values:
            raise document.error(place, f"expected a list of values, got {json.dumps(values)}")
        origin = f"{document.where(place)}: sweep"
        _, path = replaced(document.data, parse_path(str(key), origin), (), values[0], origin)
        if path[0] not in _BLOCKS or len(path) < 2 or path[-1] in ("plugin", "name") or isinstance(path[-1], int):
            raise document.error(
                place,
                f"cannot be swept: choose a parameter, by a path that begins with one of {', '.join(_BLOCKS)}, such as "
                "models.NAME.PARAMETER; for another data set, run another config",
            )
        if any(other.path == path for other in axes):
            raise document.error(place, "duplicate parameter in the sweep")
        axes.append(_Axis(str(key), path, values))
    return axes


def _with_cells(document: Document, key: str, axes: Sequence[_Axis]) -> Document:
    """Replace the blocks of one list by their cells."""
    given = document.data.get(key)
    alone = not isinstance(given, list)
    blocks: list[Any] = []
    lines = {path: line for path, line in document.lines.items() if path[0:1] != (key,) or len(path) == 1}
    for index, block in enumerate([given] if alone else given):
        origin: ValuePath = (key,) if alone else (key, index)
        mine = [axis for axis in axes if _concerns(axis, origin, block)]
        if len(blocks) + math.prod(len(axis.values) for axis in mine) > _MOST_CELLS:
            raise document.error(("sweep",), f"has more than {_MOST_CELLS} cells; split it into several configs")
        for chosen in product(*(range(len(axis.values)) for axis in mine)):
            cell, cell_lines = _cell(document, origin, block, list(zip(mine, chosen, strict=True)))
            lines |= {(key, len(blocks), *path): line for path, line in cell_lines.items()}
            blocks.append(cell)
    return Document({**document.data, key: blocks}, document.name, lines)


def _concerns(axis: _Axis, origin: ValuePath, block: object) -> bool:
    if axis.path[0] in _SHARED:
        return not (isinstance(block, dict) and axis.path[0] in block)
    return axis.path[: len(origin)] == origin


def _cell(
    document: Document,
    origin: ValuePath,
    block: Any,  # noqa: ANN401 - YAML
    chosen: Sequence[tuple[_Axis, int]],
) -> tuple[Any, dict[ValuePath, int | str]]:
    """Return a block with one value of each axis, and the lines of its values, by path within the block."""
    lines = _below(document.lines, origin)
    name = name_of(block)
    for axis, index in chosen:
        value, shared = axis.values[index], axis.path[0] in _SHARED
        path = axis.path if shared else axis.path[len(origin) :]
        if shared and not (isinstance(block, dict) and axis.path[0] in block):
            head = str(axis.path[0])
            block = {**(block if isinstance(block, dict) else {"plugin": block}), head: document.data.get(head, {})}
            lines |= {(head, *inside): line for inside, line in _below(document.lines, (head,)).items()}
        block, _ = replaced(block, path, origin, value, "sweep")
        lines = {inside: line for inside, line in lines.items() if inside[: len(path)] != path}
        lines[path] = document.lines.get(("sweep", axis.key, index), document.where(("sweep", axis.key)))
    if chosen:
        block = {**block, "name": " ".join([str(name), *(axis.label(axis.values[index]) for axis, index in chosen)])}
    return block, lines


def _below(lines: Mapping[ValuePath, int | str], origin: ValuePath) -> dict[ValuePath, int | str]:
    return {path[len(origin) :]: line for path, line in lines.items() if path[: len(origin)] == origin}
