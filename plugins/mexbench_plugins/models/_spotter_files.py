"""How a fitted spotter is saved: its numbers as JSON, arrays of networks as safetensors."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

from mexbench.files import read_json, write_json
from mexbench.metrics.spotting import KINDS
from mexbench_plugins.models._spotting import SCALES, Curves, CurveSpotter

SPOTTER = "spotter.json"
#: The longest expression, in seconds, of which a spotter is read: work grows with the length.
MOST_SECONDS = 60.0
#: Heights of peaks and factors of networks: whatever training gives lies far inside.
_FACTORS = 1e-9, 1e9


def save_spotter(predictor: object, folder: Path, **extra: Any) -> None:  # noqa: ANN401 - JSON
    """Write lengths, units and thresholds of a spotter; ``extra`` goes into the same file."""
    assert isinstance(predictor, CurveSpotter)  # noqa: S101 - fit_spotting returns no other
    document = {
        "seconds": dict(predictor.seconds),
        "scale": predictor.scale,
        "units": dict(predictor.units),
        "threshold": predictor.threshold,
        "thresholds": list(predictor.thresholds),
        **extra,
    }
    write_json(folder / SPOTTER, document)


def load_spotter(folder: Path, make_curves: Callable[[Mapping[str, Any], Mapping[str, float]], Curves]) -> CurveSpotter:
    """Read what ``save_spotter`` wrote.

    Args:
        folder: Where the files are.
        make_curves: From the whole document and the length of each type, in seconds, to the curves.

    Raises:
        ValueError: The file has another content than a spotter's.
    """
    document = read_document(folder)
    seconds = positive_by_kind(document, "seconds", most=MOST_SECONDS)
    units = positive_by_kind(document, "units")
    if set(units) != set(seconds):
        raise ValueError(f"{SPOTTER}: 'units' and 'seconds' name different types")
    scale = document.get("scale")
    if scale not in SCALES:
        raise ValueError(f"{SPOTTER}: unknown scale {scale!r}; known: {', '.join(SCALES)}")
    thresholds = tuple(number(one, "thresholds") for one in _listed(document, "thresholds"))
    threshold = number(document.get("threshold"), "threshold")
    return CurveSpotter(make_curves(document, seconds), seconds, scale, units, threshold, thresholds)


def read_document(folder: Path) -> dict[str, Any]:
    """Read the JSON of a spotter.

    Raises:
        ValueError: It is not a JSON object.
    """
    document = read_json(folder / SPOTTER)
    if not isinstance(document, dict):
        raise ValueError(f"{SPOTTER}: expected a JSON object, got {type(document).__name__}")  # noqa: TRY004 - a file's error
    return cast("dict[str, Any]", document)


def positive_by_kind(document: Mapping[str, Any], name: str, *, most: float = _FACTORS[1]) -> dict[str, float]:
    """Return a positive number for each type that is there, in the order of the types.

    Raises:
        ValueError: Another type, or another kind of value, or one that is next to 0 or above ``most``.
    """
    values = document.get(name)
    if not isinstance(values, dict) or not set(values) <= set(KINDS):
        raise ValueError(f"{SPOTTER}: {name!r} should have numbers by type ({', '.join(KINDS)})")
    numbers = {kind: number(values[kind], name) for kind in KINDS if kind in values}
    for value in numbers.values():
        check_range(value, name, most=most)
    return numbers


def check_range(value: float, name: str, *, least: float = _FACTORS[0], most: float) -> None:
    """Refuse a number outside of what training can give.

    Raises:
        ValueError: With the range.
    """
    if not least <= value <= most:
        raise ValueError(f"{SPOTTER}: {name!r} is {value:g}, expected {least:g} to {most:g}")


def number(value: object, name: str) -> float:
    """Return a finite number.

    Raises:
        ValueError: It is something else.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise ValueError(f"{SPOTTER}: {name!r} should have finite numbers, got {value!r}")
    return float(value)


def _listed(document: Mapping[str, Any], name: str) -> list[object]:
    values = document.get(name)
    if not isinstance(values, list):
        raise ValueError(f"{SPOTTER}: {name!r} should be a list, got {type(values).__name__}")  # noqa: TRY004 - a file's error
    return values
