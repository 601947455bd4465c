"""What plugins of every kind promise."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Iterator
from multiprocessing.reduction import ForkingPickler
from typing import Any

from mexbench.fingerprint import digest
from mexbench.interfaces import Plugin
from mexbench.registry.parameters import Parameter, check_declaration, parameters, summary, to_dict
from mexbench.testing.checks import NotApplicable, check


@check("says what it is, where it comes from and what its parameters mean")
def metadata(plugin: Plugin) -> Iterator[str]:
    """Look at the docstring and the class attributes."""
    cls = type(plugin)
    if problem := check_declaration(cls):
        yield problem
    if not summary(cls):
        yield "the class has no docstring"
    if not cls.source:
        yield "'source' is empty: name the paper, the DOI, or say that it is your own"
    for parameter in parameters(cls):
        if not parameter.doc:
            yield f"parameter {parameter.name!r} is not explained under 'Args:' in the docstring of the class"


@check("has another fingerprint when a parameter changes")
def fingerprint(plugin: Plugin) -> Iterator[str]:
    """Change one parameter after the other, where another value can be thought of."""
    if not parameters(type(plugin)):
        raise NotApplicable
    before = digest(to_dict(plugin, paths=False))
    for parameter in parameters(type(plugin)):
        other = _another(parameter, getattr(plugin, parameter.name))
        if other is None or parameter.is_path:
            continue
        try:
            changed = dataclasses.replace(plugin, **{parameter.name: other})  # type: ignore[type-var]
        except ValueError:  # it does not fit the other parameters
            continue
        if digest(to_dict(changed, paths=False)) == before:
            yield f"{parameter.name}: {getattr(plugin, parameter.name)!r} and {other!r} give the same"


def _another(parameter: Parameter, value: object) -> Any:  # noqa: ANN401 - a value of the parameter's type
    choices = [
        choice
        for part in (parameter.annotation, *typing.get_args(parameter.annotation))
        if typing.get_origin(part) is typing.Literal
        for choice in typing.get_args(part)
    ]
    if choices:
        return next((choice for choice in choices if choice != value), None)
    if isinstance(value, bool):
        return not value
    return value + 1 if isinstance(value, int | float) else None


@check("can be sent to another process")
def sendable(plugin: Plugin) -> Iterator[str]:
    """Do what a pool of processes does when it sends a task, under ``--jobs 2``."""
    ForkingPickler.dumps(plugin)  # raises where it cannot
    yield from ()


CHECKS = (metadata, fingerprint, sendable)
