"""The files of leaderboards that are JSON: read as dataclasses, strictly, with errors that say where."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ConfigDict, TypeAdapter, ValidationError

from mexbench.config.yaml import path_text
from mexbench.errors import BoardError
from mexbench.files import read_plain

SCHEMA = 1
#: Of a file that is read.
MOST_BYTES = 2**28
#: For ``__pydantic_config__`` of a record that a file holds.
STRICT = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False)
_T = TypeVar("_T")


def read_record(path: Path, cls: type[_T], what: str = "a submission") -> _T:
    """Read a JSON file with a key ``schema`` as a dataclass, strictly.

    Args:
        path: The file.
        cls: The dataclass.
        what: The file is, for errors.

    Raises:
        BoardError: It is not JSON, has a newer schema, or an invalid value; the text says where.
    """
    try:
        content = read_plain(path, most=MOST_BYTES, follow_links=False)
    except (ValueError, OSError) as error:
        raise BoardError(f"{path}: cannot be read: {error}") from None
    return parse(content, str(path), cls, what)


def parse(content: bytes, name: str, cls: type[_T], what: str = "a submission") -> _T:
    """Read a record from a file's bytes; see ``read_record``."""
    try:
        record = adapter(cls).validate_json(content)
    except ValidationError as error:
        raise BoardError(f"{name}: {_error_text(content, error, what)}") from None
    if record.schema != SCHEMA:
        raise BoardError(f"{name}: {_other_schema(record.schema, what)}")
    return record


@functools.cache
def adapter(cls: type[Any]) -> TypeAdapter[Any]:
    """Return what reads and writes a record."""
    return TypeAdapter(cls)


def _error_text(content: bytes, error: ValidationError, what: str) -> str:
    """Describe the first error, and count the others; another schema explains them all."""
    errors = error.errors(include_url=False)
    first = errors[0]
    if first["type"] == "json_invalid":
        return f"invalid JSON: {first['msg'].removeprefix('Invalid JSON: ')}"
    schema = _schema(content)
    if schema != SCHEMA:
        return _other_schema(schema, what)
    where = path_text(tuple(first["loc"])) or "the file"
    rest = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
    if first["type"].startswith("missing"):
        return f"{where}: is missing{rest}"
    if first["type"].startswith("unexpected"):
        return f"{where}: is not a key of {what}{rest}"
    shown = "" if isinstance(first["input"], (dict, list)) else f", got {first['input']!r}"
    return f"{where}: {first['msg'][0].lower()}{first['msg'][1:]}{shown}{rest}"


def _schema(content: bytes) -> object:
    try:
        data = json.loads(content)
    except (ValueError, RecursionError):
        return None
    return data.get("schema") if isinstance(data, dict) else None


def _other_schema(schema: object, what: str) -> str:
    if isinstance(schema, int) and schema > SCHEMA:
        return f"schema {schema} is newer than this version reads ({SCHEMA}): update mexbench"
    return f"is not {what}: expected 'schema': {SCHEMA}, got {schema!r}"
