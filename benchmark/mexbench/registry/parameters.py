"""A plugin's parameters: the typed fields of its class, checked by pydantic, which knows the types and their schema.

Values come from YAML, so they are checked as JSON would be: a list may become a tuple and a str a Path, but a str never
becomes a number, nor a number a bool.
"""

from __future__ import annotations

import dataclasses
import functools
import inspect
import json
import math
import re
import types
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, cast

from pydantic import TypeAdapter, ValidationError

from mexbench.errors import unknown
from mexbench.files import expand_home
from mexbench.interfaces import Plugin

#: Keys of a plugin's block in a config that are not parameters.
RESERVED = frozenset({"plugin", "name"})


D = TypeVar("D")


@dataclass(frozen=True)
class Parameter:
    """One typed field of a plugin's class."""

    name: str
    annotation: Any
    default: Any
    doc: str

    @property
    def required(self) -> bool:
        """Whether a config must give a value."""
        return self.default is dataclasses.MISSING

    @property
    def is_path(self) -> bool:
        """Whether it says where something is stored rather than what is computed: not part of a fingerprint."""
        return Path in (self.annotation, *typing.get_args(self.annotation))

    @property
    def type_text(self) -> str:
        """The annotation as an error text has it: choices in the place of their type."""
        return type_text(self.annotation)

    @property
    def type_name(self) -> str:
        """The annotation with Python's types alone; ``choices`` has the values of a Literal."""
        return type_text(self.annotation, literals=False)

    @property
    def choices(self) -> tuple[object, ...]:
        """The values that a Literal in the annotation allows; () without one."""
        return tuple(_literal_values(self.annotation))


def _literal_values(annotation: object) -> Iterator[object]:
    if typing.get_origin(annotation) is typing.Literal:
        yield from typing.get_args(annotation)
    else:
        for argument in typing.get_args(annotation):
            yield from _literal_values(argument)


def type_text(annotation: object, *, literals: bool = True) -> str:
    """Write a type for a reader, bounds behind it.

    Args:
        annotation: A type hint.
        literals: Whether a Literal is written as its values, ``"a" | "b"``, and not as their type.
    """
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        bounds = ", ".join(_bound_text(bound) for bound in arguments[1:])
        return f"{type_text(arguments[0], literals=literals)} ({bounds})"
    if origin is typing.Literal:
        words = (json.dumps(value) if literals else type(value).__name__ for value in arguments)
        return " | ".join(dict.fromkeys(words))
    if origin in (typing.Union, types.UnionType):
        return " | ".join("None" if part is type(None) else type_text(part, literals=literals) for part in arguments)
    if origin is not None:
        inside = ", ".join("..." if part is ... else type_text(part, literals=literals) for part in arguments)
        return f"{getattr(origin, '__name__', origin)}[{inside}]"
    return getattr(annotation, "__name__", str(annotation))


def _bound_text(bound: object) -> str:
    symbols = {
        "gt": ">",
        "ge": ">=",
        "lt": "<",
        "le": "<=",
        "min_length": "length >=",
        "max_length": "length <=",
    }
    for attribute, symbol in symbols.items():
        if (value := getattr(bound, attribute, None)) is not None:
            return f"{symbol} {value}"
    return str(bound)


@functools.cache
def parameters(cls: type[Any]) -> tuple[Parameter, ...]:
    """Return the parameters of a plugin's class, or the fields of a dataclass in one, in the order of its fields."""
    if not dataclasses.is_dataclass(cls):
        return ()
    hints = typing.get_type_hints(cls, include_extras=True)
    docs = _argument_docs(cls)
    declared = []
    for field in dataclasses.fields(cls):
        default = field.default
        if field.default_factory is not dataclasses.MISSING:
            default = field.default_factory()
        if field.init:
            declared.append(Parameter(field.name, hints[field.name], default, docs.get(field.name, "")))
    return tuple(declared)


def check_declaration(cls: type[Plugin]) -> str | None:
    """Return what is wrong with the way a plugin class declares its parameters, None where nothing is."""
    own = vars(cls).get("__annotations__", {})
    declared = [name for name, hint in own.items() if "ClassVar" not in str(hint)]
    decorated = "__dataclass_params__" in vars(cls)
    if declared and not decorated:
        return f"declares {declared[0]!r} without @dataclass(frozen=True, kw_only=True) above the class"
    if decorated and not cls.__dataclass_params__.frozen:  # type: ignore[attr-defined]
        return "is a dataclass that is not frozen: use @dataclass(frozen=True, kw_only=True)"
    try:
        declared_parameters = parameters(cls)
        for parameter in declared_parameters:
            _adapter(parameter.annotation)
    except Exception as error:  # noqa: BLE001 - a third-party annotation can raise anything
        return f"has a parameter of a type that cannot be used: {error}"
    taken = sorted(RESERVED & {parameter.name for parameter in declared_parameters})
    return f"has a parameter {taken[0]!r}, which is a reserved word in a config" if taken else None


def build(cls: type[D], to_dict: Mapping[str, object]) -> tuple[D | None, list[tuple[tuple[str, ...], str]]]:
    """Check values against a dataclass and make one; a field may be a dataclass itself.

    Returns:
        The plugin, or None, and what was wrong: pairs of a path of keys, () for the block as a whole, and a text.
    """
    known = {parameter.name: parameter for parameter in parameters(cls)}
    errors: list[tuple[tuple[str, ...], str]] = [
        ((key,), unknown("parameter", key, known)) for key in to_dict if key not in known
    ]
    checked: dict[str, Any] = {}
    for name, parameter in known.items():
        if name not in to_dict:
            if parameter.required:
                errors.append(
                    ((), f"needs {name!r} ({parameter.type_text}){': ' * bool(parameter.doc)}{parameter.doc}")
                )
            continue
        if dataclasses.is_dataclass(parameter.annotation) and isinstance(inside := to_dict[name], Mapping):
            # Not left to pydantic, which would ignore a misspelt key.
            checked[name], wrong = build(cast("type[Any]", parameter.annotation), inside)
            errors += [((name, *path), text) for path, text in wrong]
            continue
        if not _is_finite(to_dict[name]):  # JSON, which configs are recorded in, has no such number
            shown = json.dumps(to_dict[name], ensure_ascii=False)
            errors.append(((name,), f"expected {parameter.type_text}, got {shown}; every number must be finite"))
            continue
        try:
            checked[name] = _expanded(
                _adapter(parameter.annotation).validate_json(json.dumps(to_dict[name]), strict=True)
            )
        except ValidationError as error:
            shown = json.dumps(to_dict[name], ensure_ascii=False)
            errors.append(((name,), f"expected {parameter.type_text}, got {shown}{_details(error)}"))
    if errors:
        return None, errors
    try:
        return cls(**checked), []
    except ValueError as error:  # a check across parameters in __post_init__
        return None, [((), str(error))]


def _is_finite(value: object) -> bool:
    """Whether every number in a value is finite, and short enough to be written as text."""
    if isinstance(value, Mapping):
        return all(map(_is_finite, value.values()))
    if isinstance(value, list | tuple):
        return all(map(_is_finite, value))
    return not isinstance(value, float) or math.isfinite(value)


def _expanded(value: object) -> object:
    """Write out the home folder in paths that begin with ``~``."""
    if isinstance(value, Path):
        return expand_home(value)
    return tuple(map(_expanded, value)) if isinstance(value, tuple) else value


def _details(error: ValidationError) -> str:
    """Say which element of a list or which bound, where the type alone does not."""
    first = error.errors(include_url=False)[0]
    inside = "".join(f"[{part}]" for part in first["loc"] if isinstance(part, int))
    return f" (element {inside}: {first['msg'].lower()})" if inside else ""


@functools.cache
def _adapter(annotation: Any) -> TypeAdapter[Any]:  # noqa: ANN401 - any annotation
    return TypeAdapter(annotation)


def to_dict(plugin: Plugin, *, paths: bool = True) -> dict[str, object]:
    """Return a plugin's parameters as JSON values, defaults included; without those that are paths if so asked."""
    return {
        parameter.name: _adapter(parameter.annotation).dump_python(getattr(plugin, parameter.name), mode="json")
        for parameter in parameters(type(plugin))
        if paths or not parameter.is_path
    }


def default_values(cls: type[Any]) -> dict[str, object]:
    """Return the defaults of a plugin's parameters as JSON values, those of groups too; required ones have none."""
    return {
        parameter.name: _adapter(parameter.annotation).dump_python(parameter.default, mode="json")
        for parameter in parameters(cls)
        if not parameter.required
    }


def json_schema(cls: type[Any]) -> dict[str, Any]:
    """Return the JSON Schema of a plugin's parameters: ``properties`` and ``required``."""
    properties: dict[str, object] = {}
    for parameter in parameters(cls):
        nested = dataclasses.is_dataclass(parameter.annotation)
        # Not pydantic's schema of a dataclass, which refers to definitions that an outer schema would have to repeat.
        schema = _group(parameter.annotation) if nested else _adapter(parameter.annotation).json_schema()
        if parameter.doc:
            schema["description"] = parameter.doc
        if not parameter.required:
            schema["default"] = _adapter(parameter.annotation).dump_python(parameter.default, mode="json")
        properties[parameter.name] = schema
    return {"properties": properties, "required": [p.name for p in parameters(cls) if p.required]}


def _group(cls: type[Any]) -> dict[str, Any]:
    return {"type": "object", "additionalProperties": False, **json_schema(cls)}


def summary(cls: type[Any]) -> str:
    """Return the first paragraph of a class's docstring on one line."""
    if cls.__doc__ is None or cls.__doc__.startswith(f"{cls.__name__}("):  # a dataclass's own signature
        return ""
    return " ".join((inspect.getdoc(cls) or "").partition("\n\n")[0].split())


def _argument_docs(cls: type[Any]) -> dict[str, str]:
    """Read the ``Args:`` section of a Google docstring, of base classes too."""
    docs: dict[str, str] = {}
    for base in reversed(cls.__mro__):
        docs.update(_read_args(inspect.cleandoc(base.__doc__ or "")))
    return docs


def _read_args(docstring: str) -> Iterator[tuple[str, str]]:
    section = re.search(r"^Args:\n((?:[ ]+.*\n?|\n)*)", docstring, re.MULTILINE)
    if section is None:
        return
    for match in re.finditer(r"^ {4}(\w+)(?: \([^)]*\))?: (.*(?:\n {5,}.*)*)", section[1], re.MULTILINE):
        yield match[1], " ".join(match[2].split())
