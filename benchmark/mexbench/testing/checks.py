"""What a check is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Check:
    """A promise and the code that checks it; an error that the plugin raises is a problem like any other."""

    words: str
    find: Callable[[Any], Iterator[str]]

    def __call__(self, plugin: object) -> Iterator[str]:
        """Yield what is wrong with a plugin."""
        try:
            yield from self.find(plugin)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever third-party code raises
            yield f"{type(error).__name__}: {error}"


def check(words: str) -> Callable[[Callable[[Any], Iterator[str]]], Check]:
    """Make a check of a function that yields problems; ``words`` is the promise."""
    return lambda find: Check(words, find)


def same(one: NDArray[Any], other: NDArray[Any]) -> bool:
    """Whether two arrays are equal in shape, type and every value."""
    return one.shape == other.shape and one.dtype == other.dtype and bool(np.array_equal(one, other))
