"""What a check is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


class NotApplicable(Exception):  # noqa: N818 - nothing is wrong
    """A check raises it where a plugin does not have what is checked."""


@dataclass(frozen=True)
class Result:
    """The outcome of one check.

    Args:
        check: What was checked, in words.
        problems: What is wrong; nothing where all is well.
        applies: Whether the plugin has what was checked.
    """

    check: str
    problems: tuple[str, ...]
    applies: bool = True


@dataclass(frozen=True)
class Check:
    """A promise and the code that checks it; an error that the plugin raises is a problem like any other."""

    words: str
    find: Callable[[Any], Iterator[str]]

    def __call__(self, plugin: object) -> Result:
        """Check a plugin."""
        problems = []
        try:
            problems += self.find(plugin)
        except NotApplicable:
            return Result(self.words, (), applies=False)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever third-party code raises
            problems.append(f"{type(error).__name__}: {error}")
        return Result(self.words, tuple(problems))


def check(words: str) -> Callable[[Callable[[Any], Iterator[str]]], Check]:
    """Make a check of a function that yields problems; ``words`` is the promise."""
    return lambda find: Check(words, find)


def same(one: NDArray[Any], other: NDArray[Any]) -> bool:
    """Whether two arrays are equal in shape, type and every value."""
    return one.shape == other.shape and one.dtype == other.dtype and bool(np.array_equal(one, other))
