"""Which options of ``bench synth`` belong to which of the three things that it makes, and what they are by default."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Any, Literal

from mexbench.errors import ConfigError, listed

Product = Literal["clip", "film", "data set"]
#: What each product is called in errors.
_CALLED: Mapping[Product, str] = {
    "clip": "a clip of one --face",
    "film": "a long film (--face with --seconds)",
    "data set": "a --dataset",
}
#: Option -> the products that it belongs to, each with its default; None where later code decides.
DEFAULTS: Mapping[str, Mapping[Product, Any]] = {
    "subjects": {"data set": None},
    "clips": {"data set": None},
    "frames": {"data set": None},
    "cast": {"data set": "random"},
    "emotion": {"clip": None},
    "aus": {"clip": None},
    "force": {"clip": False, "film": False},
    "fps": {"clip": 200.0, "film": 30.0},
    "intensity": {"clip": 1.0, "film": 2.0},
    "size": {"clip": "640x480", "film": "320x240", "data set": "320x240"},
    "micro": {"film": 3},
    "macro": {"film": 0},
    "lead": {"clip": 10},
    "rise": {"clip": None},
    "fall": {"clip": None},
    "tail": {"clip": 10},
    "noise": {"clip": 1.5, "film": 1.5},
    "drift": {"clip": 0.15, "film": 0.3},
    "flicker": {"clip": 0.004},
}


def default_text(name: str) -> str:
    """Return what help says of an option's default."""
    defaults = DEFAULTS[name]
    first, *others = dict.fromkeys(defaults.values())
    return f"default: {first:g}" + "".join(f"; with --seconds {other:g}" for other in others)


def resolve(options: argparse.Namespace) -> Product:
    """Give every option that was not given the default of what is made.

    Raises:
        ConfigError: An option was given that does not belong to it; the text names all of them.
    """
    product: Product = "clip" if options.seconds is None else "film"
    if options.dataset is not None:
        product = "data set"
    if product == "data set" and options.seconds is not None:
        raise ConfigError("--seconds is for a long film of one --face; the data set synthetic_long has long videos")
    others = [name for name in DEFAULTS if product not in DEFAULTS[name] and getattr(options, name) is not None]
    if others:
        owners = [text for owner, text in _CALLED.items() if any(owner in DEFAULTS[name] for name in others)]
        raise ConfigError(
            f"{listed(f'--{name}' for name in others)}: not for {_CALLED[product]}, but for "
            f"{' or '.join(owners)}: leave it out"
        )
    options.sized = options.size is not None
    for name, products in DEFAULTS.items():
        if getattr(options, name) is None:
            setattr(options, name, products.get(product))
    return product
