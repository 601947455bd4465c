"""A document -> a frozen dataclass, checked by pydantic; every error names the key path, the value and the line.

Values are checked as JSON would be: a list may become a tuple, a text never becomes a number, and unknown keys are
errors. A dataclass may add its own checks with pydantic's validators, which raise ``invalid``.
"""

from __future__ import annotations

import functools
import json
import re
import types
import typing
from collections.abc import Sequence
from dataclasses import fields, is_dataclass
from typing import Any, TypeVar

from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails, PydanticCustomError

from mexbench.config.document import Document
from mexbench.config.yaml import ValuePath
from mexbench.errors import BenchError, listed, suggest, unknown

#: For ``__pydantic_config__`` of a dataclass that a document is read into.
STRICT = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False)

T = TypeVar("T")
_EXPECTED = {
    "string_type": "a string",
    "int_type": "an integer",
    "float_type": "a number",
    "bool_type": "true or false",
    "tuple_type": "a list",
    "dict_type": "a mapping",
    "dataclass_type": "a mapping",
    "greater_than_equal": "an integer of at least {ge}",
    "too_short": "at least {min_length} elements",
}


def read_as(cls: type[T], document: Document, error: type[BenchError]) -> T:
    """Check a document and return it as an instance of a dataclass.

    Args:
        cls: A frozen dataclass; nested dataclasses, tuples, mappings and ``Literal`` choices are followed.
        document: What was read.
        error: Raised where something is wrong; it lists every problem.
    """
    try:
        return _adapter(cls).validate_json(json.dumps(document.data))
    except ValidationError as invalid_data:
        raise error("\n".join(_message(cls, document, each) for each in invalid_data.errors())) from None


def invalid(message: str, *path: str | int) -> PydanticCustomError:
    """Return the error of a validator.

    Args:
        message: What is wrong, with the value and the choices.
        path: Where, below the validated value.
    """
    return PydanticCustomError("invalid", "{message}", {"message": message, "path": path})


@functools.cache
def _adapter(cls: type[T]) -> TypeAdapter[T]:
    return TypeAdapter(cls)


def _message(cls: type[Any], document: Document, error: ErrorDetails) -> str:
    kind, context = error["type"], error.get("ctx", {})
    path = tuple(part for part in error["loc"] if part != "[key]") + tuple(context.get("path", ()))
    if kind == "missing":
        return document.error_text(path[:-1], f"{path[-1]!r} is missing")
    if kind == "unexpected_keyword_argument":
        keys = _keys(cls, path[:-1])
        return document.error_text(path, f"unknown key{suggest(str(path[-1]), keys)}; choose from: {listed(keys)}")
    path = _existing(document.data, path)
    return document.error_text(path, _type_message(error, str(path[-1]) if path else "value"))


def _type_message(error: ErrorDetails, name: str) -> str:
    """Return what is wrong with a value that is present; ``name`` is its key."""
    kind, context, value = error["type"], error.get("ctx", {}), error["input"]
    if kind == "literal_error":
        choices = [text or "null" for text in re.findall(r"'([^']*)'|\bNone\b", context["expected"])]
        if len(choices) > 1:
            return unknown("key" if "[key]" in error["loc"] else name, value, choices)
        return f"expected {context['expected']}, got {value!r}"
    if kind == "string_pattern_mismatch":
        pattern = context["pattern"]
        expected = "a string that is not blank" if pattern == r"\S" else f"a string that matches {pattern}"
        return f"expected {expected}, got {value!r}"
    if kind in _EXPECTED:
        return f"expected {_EXPECTED[kind].format_map(context)}, got {value!r}"
    return error["msg"]


def _keys(annotation: Any, path: ValuePath) -> Sequence[str]:  # noqa: ANN401 - any annotation
    """Return the keys of the mapping that a path leads to."""
    for part in path:
        annotation = _without_none(annotation)
        if is_dataclass(annotation):
            annotation = typing.get_type_hints(annotation)[str(part)]
        else:  # the value type of a mapping, or the element type of a tuple
            annotation = typing.get_args(annotation)[isinstance(part, str)]
    return [field.name for field in fields(_without_none(annotation))]


def _without_none(annotation: Any) -> Any:  # noqa: ANN401 - any annotation
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        return next(part for part in typing.get_args(annotation) if part is not type(None))
    return annotation


def _existing(data: Any, path: Sequence[Any]) -> ValuePath:  # noqa: ANN401 - plain values
    """Cut a path where the document ends: a short form such as a text for a mapping has no keys inside."""
    for end, part in enumerate(path):
        if not isinstance(data, dict | list) or (isinstance(data, dict) and part not in data):
            return tuple(path[:end])
        data = data[part]
    return tuple(path)
