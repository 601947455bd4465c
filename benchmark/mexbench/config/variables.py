"""Values that came from the environment: used like any other in memory, and written down as the variable.

A config may keep a path, a site's name or a password in ``${VAR}``. What a run records (manifest, reports, submissions)
leaves the machine, so it has the text of the config, not what the environment put in its place.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mexbench.fingerprint import digest


class VariableText(str):
    """A text with a variable in it; ``written`` is how the config has it."""

    __slots__ = ("written",)
    written: str


class VariableInt(int):
    """A whole number that a variable gave."""

    written: str


class VariableFloat(float):
    """A number that a variable gave."""

    __slots__ = ("written",)
    written: str


def from_environment(value: object, text: str) -> Any:  # noqa: ANN401 - the same value
    """Return a value that remembers the text that the config has for it; true, false and null are no secret."""
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        return value
    cls = VariableText if isinstance(value, str) else VariableInt if isinstance(value, int) else VariableFloat
    marked = cls(value)
    marked.written = text
    return marked


def written(value: Any) -> Any:  # noqa: ANN401 - any plain value
    """Return a value as the config has it, variables in the place of what they gave."""
    if isinstance(value, (VariableText, VariableInt, VariableFloat)):
        return value.written
    if isinstance(value, Mapping):
        return {key: written(inside) for key, inside in value.items()}
    if isinstance(value, (list, tuple)):
        return [written(inside) for inside in value]
    return value


def has_variable(value: object) -> bool:
    """Whether any part of a value came from the environment."""
    if isinstance(value, Mapping):
        return any(map(has_variable, value.values()))
    if isinstance(value, (list, tuple)):
        return any(map(has_variable, value))
    return isinstance(value, (VariableText, VariableInt, VariableFloat))


def written_parameters(block: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters of a block that came from the environment, as the config has them."""
    return {key: written(value) for key, value in block.items() if has_variable(value)}


def marked(identity: Mapping[str, Any], variables: Mapping[str, Any]) -> dict[str, Any]:
    """Put variables into an identity, each with a short digest: a change is seen, and not what the value was."""
    return {
        key: f"{variables[key]} ({digest(value)[:8]})" if key in variables else value for key, value in identity.items()
    }
