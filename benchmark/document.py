"""A YAML file as plain values that remember their line: the layer below ``benchmark.config``.

YAML 1.1, which PyYAML reads by default, turns ``off`` into false, ``010`` into 8 and leaves ``1e-3`` a text. This
module reads by the core schema of YAML 1.2, where they are a text, ten and a number, and takes nothing else: no
tags, no dates, no key twice, no alias that grows without bound.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import yaml

from benchmark.errors import ConfigError, listed, suggest

#: The way to a value: keys of mappings and positions in lists.
ValuePath: TypeAlias = tuple[str | int, ...]

_MAX_BYTES = 1_000_000
_MAX_NODES = 20_000
_MAX_DEPTH = 40


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader with the scalars of YAML 1.2's core schema."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012 - PyYAML's own name


for _tag, _pattern, _first in (
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    ("int", r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", list("-+0123456789")),
    (
        "float",
        r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)",
        list("-+0123456789."),
    ),
    ("merge", r"<<", ["<"]),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(f"^(?:{_pattern})$"), _first)


def path_text(path: ValuePath) -> str:
    """Write a path as a reader would: ``models[1].C``."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


@dataclass(frozen=True)
class Document:
    """Plain values, and where each one stands.

    Args:
        data: Mappings, lists, texts, numbers, booleans and None.
        name: What an error text calls the source: the file's path.
        lines: Line of each value, from 1, by path; a text instead where ``--set`` gave the value.
    """

    data: Any
    name: str
    lines: Mapping[ValuePath, int | str] = field(default_factory=dict)

    def where(self, path: ValuePath) -> str:
        """Say where a value stands, or the nearest value around it: ``configs/x.yaml, line 7``."""
        for end in range(len(path), -1, -1):
            found = self.lines.get(path[:end])
            if isinstance(found, str):
                return found
            if found is not None:
                return f"{self.name}, line {found}"
        return self.name

    def error(self, path: ValuePath, message: str) -> ConfigError:
        """Make an error that says what, and where in the config."""
        return ConfigError(self.fault(path, message))

    def fault(self, path: ValuePath, message: str) -> str:
        """Write one line of an error: the path in the file, what is wrong with it, and the line."""
        return f"{path_text(path)}{': ' * bool(path)}{message}\n  in {self.where(path)}"


@dataclass(frozen=True)
class _Unset:
    """Stands where a variable had no value: an error unless ``--set`` replaces it."""

    message: str


def read(path: Path, overrides: Iterable[str] = (), environment: Mapping[str, str] | None = None) -> Document:
    """Read a YAML file.

    Args:
        path: The file.
        overrides: ``KEY=VALUE`` texts, applied in order; see ``override``.
        environment: What ``${VAR}`` expands from; the process's own by default.

    Raises:
        ConfigError: The file is missing, is no text or no YAML, or names an environment variable that is not set.
    """
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise ConfigError(f"{path}: too large for a config ({path.stat().st_size} bytes)")
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        nearby = [str(other) for other in sorted(path.parent.glob("*.y*ml"))] if path.parent.is_dir() else []
        choices = f"; there are: {listed(nearby)}" if nearby else ""
        raise ConfigError(f"{path}: no such file{suggest(str(path), nearby)}{choices}") from None
    except IsADirectoryError:
        raise ConfigError(f"{path}: expected a YAML file, got a folder") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: expected text in UTF-8: {error}") from None
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from None
    environment = os.environ if environment is None else environment
    found = _parse(text, str(path), environment)
    for assignment in overrides:
        found = override(found, assignment, environment)
    return _complete(found)


def parse(text: str, name: str, environment: Mapping[str, str]) -> Document:
    """Read YAML from a text; see ``read``."""
    return _complete(_parse(text, name, environment))


def _parse(text: str, name: str, environment: Mapping[str, str]) -> Document:
    reader = _Reader(name, environment)
    return Document(reader.convert(reader.compose(text), ()), name, reader.lines)


def _complete(document: Document) -> Document:
    """See that every variable has a value by now."""

    def unset(node: object) -> Iterator[str]:
        if isinstance(node, _Unset):
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
        ConfigError: No ``=``, a value that is no YAML, or a path that leads nowhere.
    """
    key, equals, text = assignment.partition("=")
    origin = f"--set {assignment}"
    if not equals or not key.strip():
        raise ConfigError(f"{origin}: expected KEY=VALUE, such as --set seeds=[0,1,2]")
    path = _parse_path(key.strip(), origin)
    value = parse(text, origin, os.environ if environment is None else environment).data
    data, path = _replaced(document.data, path, (), value, origin)
    lines = {other: line for other, line in document.lines.items() if other[: len(path)] != path}
    return Document(data, document.name, {**lines, path: origin})


def _parse_path(key: str, origin: str) -> ValuePath:
    if not re.fullmatch(r"[^.\[\]]+(?:\[\d+\]|\.[^.\[\]]+)*", key):
        raise ConfigError(f"{origin}: {key!r} is no path; write it like models[1].C")
    return tuple(int(part) if part.isdigit() else part for part in re.findall(r"[^.\[\]]+", key))


def _replaced(node: Any, path: ValuePath, done: ValuePath, value: Any, origin: str) -> tuple[Any, ValuePath]:  # noqa: ANN401
    """Return ``node`` with the value at ``path`` replaced, and that path with names turned into positions."""
    if not path:
        return value, done
    head, rest = path[0], path[1:]
    if isinstance(node, list):
        names = [_name_of(item) for item in node]
        if isinstance(head, str) and names.count(head) == 1:
            head = names.index(head)
        if not isinstance(head, int) or head >= len(node):
            choices = listed([*(f"[{i}]" for i in range(len(node))), *(name for name in names if name)])
            raise ConfigError(
                f"{origin}: no element {head!r} in {path_text(done) or 'the config'}; choose from: {choices}"
            )
        inside, full = _replaced(node[head], rest, (*done, head), value, origin)
        return [*node[:head], inside, *node[head + 1 :]], full
    if isinstance(node, str) and done:  # a plugin by its name alone gets its first parameter
        node = {"plugin": node}
    if not isinstance(node, dict) or isinstance(head, int):
        has = "keys, no positions" if isinstance(node, dict) else "no keys"
        raise ConfigError(f"{origin}: {path_text(done) or 'the config'} has {has}")
    if rest and head not in node:
        raise ConfigError(
            f"{origin}: no {str(head)!r} in {path_text(done) or 'the config'}; choose from: {listed(map(str, node))}"
        )
    inside, full = _replaced(node.get(head), rest, (*done, head), value, origin)
    return {**node, head: inside}, full


def _name_of(item: object) -> str | None:
    if isinstance(item, dict):
        item = item.get("name", item.get("plugin"))
    return item if isinstance(item, str) else None


class _NotSetError(ConfigError):
    """An environment variable has no value."""


class _Reader:
    """Turns PyYAML's nodes into plain values and notes their lines."""

    def __init__(self, name: str, environment: Mapping[str, str]) -> None:
        self.name = name
        self.environment = environment
        self.lines: dict[ValuePath, int | str] = {}
        self.nodes = 0
        self.loader = _Loader("")

    def compose(self, text: str) -> yaml.Node | None:
        try:
            return yaml.compose(text, Loader=_Loader)
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            line = mark.line + 1 if mark else 0
            problem = error.problem or str(error)
            if "'\\t'" in problem or _has_tab(text, line):
                problem = "a tab; YAML indents with spaces alone"
            raise ConfigError(f"{self.name}, line {line}: this is no YAML: {problem}") from None
        except (yaml.YAMLError, ValueError) as error:  # ValueError: an escape beyond Unicode
            raise ConfigError(f"{self.name}: this is no YAML: {error}") from None
        except RecursionError:
            raise ConfigError(f"{self.name}: nested too deeply") from None

    def convert(self, node: yaml.Node | None, path: ValuePath) -> Any:  # noqa: ANN401 - any YAML value
        if node is None:
            return None
        self.nodes += 1
        if self.nodes > _MAX_NODES or len(path) > _MAX_DEPTH:
            raise self.error(node, path, "too many or too deeply nested values (aliases count each time)")
        self.lines[path] = node.start_mark.line + 1
        if isinstance(node, yaml.MappingNode):
            return self.mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            if node.tag != "tag:yaml.org,2002:seq":
                raise self.error(node, path, f"YAML tag {node.tag!r} is not allowed")
            return [self.convert(item, (*path, index)) for index, item in enumerate(node.value)]
        return self.scalar(node, path)

    def mapping(self, node: yaml.MappingNode, path: ValuePath) -> dict[str, Any]:
        if node.tag != "tag:yaml.org,2002:map":
            raise self.error(node, path, f"YAML tag {node.tag!r} is not allowed")
        merged: dict[str, Any] = {}
        own: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if key_node.tag == "tag:yaml.org,2002:merge":
                parts = value_node.value if isinstance(value_node, yaml.SequenceNode) else [value_node]
                for part in parts:
                    inherited = self.convert(part, path)
                    if not isinstance(inherited, dict):
                        raise self.error(key_node, path, "'<<' merges mappings alone")
                    merged = {**inherited, **merged}
                continue
            if key_node.tag != "tag:yaml.org,2002:str":
                shown = getattr(key_node, "value", key_node.id)
                raise self.error(key_node, path, f"expected a text as key, got {shown!r}; put it in quotes")
            key = key_node.value
            if key in own:
                raise self.error(key_node, (*path, key), "this key stands here twice")
            own[key] = self.convert(value_node, (*path, key))
        self.lines[path] = node.start_mark.line + 1
        return {**merged, **own}

    def scalar(self, node: yaml.Node, path: ValuePath) -> str | int | float | bool | _Unset | None:
        text = str(node.value)
        tag = node.tag
        try:
            expanded = self.expand(text, node, path)
        except _NotSetError as error:
            return _Unset(str(error))
        if expanded != text and getattr(node, "style", None) is None:  # unquoted: its type is that of what it became
            tag = self.loader.resolve(yaml.ScalarNode, expanded, (True, False))
        kind = tag.removeprefix("tag:yaml.org,2002:")
        try:
            if kind in ("str", "merge"):
                return expanded
            if kind == "null":
                return None
            if kind == "bool":
                return expanded.lower() == "true"
            if kind == "int":
                return int(expanded, 0 if expanded[:2] in ("0o", "0x") else 10)
            if kind == "float":
                return float(re.sub(r"^([-+]?)\.(?=[inINF])", r"\1", expanded))
        except ValueError as error:
            raise self.error(node, path, f"{expanded[:40]!r} is no {kind}: {error}") from None
        raise self.error(node, path, f"YAML tag {node.tag!r} is not allowed")

    def expand(self, text: str, node: yaml.Node, path: ValuePath) -> str:
        def value(match: re.Match[str]) -> str:
            if match[0] == "$${":
                return "${"
            if not match["name"]:
                raise self.error(node, path, f"malformed variable in {text!r}; write ${{VAR}} or ${{VAR:-default}}")
            found = self.environment.get(match["name"], "")
            if not found and match["default"] is not None:
                return match["default"]
            if not found:
                state = "empty" if match["name"] in self.environment else "not set"
                message = (
                    f"environment variable {match['name']} is {state}{suggest(match['name'], self.environment)}; "
                    f"set it, as in 'export {match['name']}=...', or give a default: ${{{match['name']}:-...}}"
                )
                raise _NotSetError(str(self.error(node, path, message)))
            return found

        return re.sub(r"\$\$\{|\$\{(?:(?P<name>[A-Za-z_]\w*)(?::-(?P<default>[^}]*))?\})?", value, text)

    def error(self, node: yaml.Node, path: ValuePath, message: str) -> ConfigError:
        where = f"{path_text(path)}: " if path else ""
        return ConfigError(f"{where}{message}\n  in {self.name}, line {node.start_mark.line + 1}")


def _has_tab(text: str, line: int) -> bool:
    lines = text.splitlines()
    return 0 < line <= len(lines) and "\t" in lines[line - 1][: len(lines[line - 1]) - len(lines[line - 1].lstrip())]
