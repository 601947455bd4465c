"""A config file as plain values that remember their line, and changes to them from the command line."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mexbench.config.yaml import Unset, ValuePath, YamlReader, path_text
from mexbench.errors import ConfigError, check_name, listed, suggest

_MAX_BYTES = 1_000_000


@dataclass(frozen=True)
class Document:
    """Plain values, and the line of each one.

    Args:
        data: Mappings, lists, strings, numbers, booleans and None.
        name: What an error text calls the source: the file's path.
        lines: Line of each value, from 1, by path; a string instead where ``--set`` gave the value.
    """

    data: Any
    name: str
    lines: Mapping[ValuePath, int | str] = field(default_factory=dict)

    def where(self, path: ValuePath) -> str:
        """Return the place of a value, or of the nearest value around it: ``configs/x.yaml, line 7``."""
        for end in range(len(path), -1, -1):
            line = self.lines.get(path[:end])
            if isinstance(line, str):
                return line
            if line is not None:
                return f"{self.name}, line {line}"
        return self.name

    def error(self, path: ValuePath, message: str) -> ConfigError:
        """Return an error with the message and the place in the config."""
        return ConfigError(self.error_text(path, message))

    def error_text(self, path: ValuePath, message: str) -> str:
        """Write one line of an error: the path in the file, what is wrong with it, and the line."""
        return f"{path_text(path)}{': ' * bool(path)}{message}\n  in {self.where(path)}"


def read(
    path: Path, overrides: Iterable[str] = (), environment: Mapping[str, str] | None = None, *, check: bool = True
) -> Document:
    """Read a YAML file.

    Args:
        path: The file.
        overrides: ``KEY=VALUE`` texts, applied in order; see ``override``.
        environment: What ``${VAR}`` expands from; the process's own by default.
        check: Whether every variable must have a value by now; else the caller calls ``check_variables``.

    Raises:
        ConfigError: The file is missing, is not text or invalid YAML, or names an environment variable that is not set.
        DataError: Its name is not UTF-8.
    """
    check_name(path)
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise ConfigError(f"{path}: too large for a config ({path.stat().st_size} bytes)")
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        nearby = [str(other) for other in sorted(path.parent.glob("*.y*ml"))] if path.parent.is_dir() else []
        choices = f"; files beside it: {listed(nearby)}" if nearby else ""
        raise ConfigError(f"{path}: file not found{suggest(str(path), nearby)}{choices}") from None
    except IsADirectoryError:
        raise ConfigError(f"{path}: expected a YAML file, got a folder") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: expected text in UTF-8: {error}") from None
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from None
    environment = os.environ if environment is None else environment
    document = _parse(text, str(path), environment)
    for assignment in overrides:
        document = override(document, assignment, environment)
    return check_variables(document) if check else document


def parse(text: str, name: str, environment: Mapping[str, str]) -> Document:
    """Read YAML from a text; see ``read``."""
    return check_variables(_parse(text, name, environment))


def _parse(text: str, name: str, environment: Mapping[str, str]) -> Document:
    reader = YamlReader(name, environment)
    return Document(reader.convert(reader.compose(text), ()), name, reader.lines)


def check_variables(document: Document) -> Document:
    """Return the document as it is once every variable in it has a value.

    Raises:
        ConfigError: Names each variable that has none.
    """

    def unset(node: object) -> Iterator[str]:
        if isinstance(node, Unset):
            yield node.message
        for inside in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
            yield from unset(inside)

    if messages := list(unset(document.data)):
        raise ConfigError("\n".join(messages))
    return document


def override(document: Document, assignment: str, environment: Mapping[str, str] | None = None) -> Document:
    """Return the document with one ``KEY=VALUE`` applied, as ``--set`` gives it.

    KEY is a path such as ``models[1].C``, ``models.svm-linear.C`` (by the model's name) or ``seeds``; VALUE is YAML.

    Raises:
        ConfigError: No ``=``, a value that is invalid YAML, or a path to nothing.
    """
    key, equals, text = assignment.partition("=")
    origin = f"--set {assignment}"
    if not equals or not key.strip():
        raise ConfigError(f"{origin}: expected KEY=VALUE, such as --set seeds=[0,1,2]")
    path = parse_path(key.strip(), origin)
    value = parse(text, origin, os.environ if environment is None else environment).data
    data, path = replaced(document.data, path, (), value, origin)
    lines = {other: line for other, line in document.lines.items() if other[: len(path)] != path}
    return Document(data, document.name, {**lines, path: origin})


def parse_path(key: str, origin: str) -> ValuePath:
    """Split ``models[1].C`` into its parts.

    Raises:
        ConfigError: It is an invalid path; the text begins with ``origin``.
    """
    if not re.fullmatch(r"[^.\[\]]+(?:\[\d+\]|\.[^.\[\]]+)*", key):
        raise ConfigError(f"{origin}: invalid path {key!r}; expected one such as models[1].C")
    return tuple(int(part) if part.isdigit() else part for part in re.findall(r"[^.\[\]]+", key))


def replaced(node: Any, path: ValuePath, done: ValuePath, value: Any, origin: str) -> tuple[Any, ValuePath]:  # noqa: ANN401
    """Return ``node`` with the value at ``path`` replaced, and that path with names turned into positions.

    Args:
        node: Plain values.
        path: Which value; lists are entered by position or by the name of a plugin.
        done: The path to ``node``.
        value: The new value.
        origin: What asks for it, for the error text.

    Raises:
        ConfigError: There is nothing at the path.
    """
    if not path:
        return value, done
    head, rest = path[0], path[1:]
    if isinstance(node, list):
        names = [name_of(item) for item in node]
        if isinstance(head, str) and names.count(head) == 1:
            head = names.index(head)
        if not isinstance(head, int) or head >= len(node):
            known = [name for name in names if name]
            choices = listed([*(f"[{i}]" for i in range(len(node))), *known])
            raise ConfigError(
                f"{origin}: no element {head!r} in {path_text(done) or 'the config'}{suggest(str(head), known)}; "
                f"choose from: {choices}"
            )
        inside, full = replaced(node[head], rest, (*done, head), value, origin)
        return [*node[:head], inside, *node[head + 1 :]], full
    if isinstance(node, str) and done:  # a plugin by its name alone gets its first parameter
        node = {"plugin": node}
    if not isinstance(node, dict) or isinstance(head, int):
        has = "keys, not positions" if isinstance(node, dict) else "no keys"
        raise ConfigError(f"{origin}: {path_text(done) or 'the config'} has {has}")
    # A block that the file lacks has defaults, and one of them may be changed; the loader refuses unknown keys.
    inside, full = replaced(node.get(head, {}), rest, (*done, head), value, origin)
    return {**node, head: inside}, full


def name_of(item: object) -> str | None:
    """Return the name of a plugin's block, None where the value is not such a block."""
    if isinstance(item, dict):
        item = item.get("name", item.get("plugin"))
    return item if isinstance(item, str) else None
