"""YAML by the core schema of version 1.2, with environment variables filled in and the line of every value kept.

YAML 1.1, which PyYAML reads by default, turns ``off`` into false, ``010`` into 8 and leaves ``1e-3`` a string. This
module reads them as a string, ten and a number, and takes nothing else: no tags, no dates, no key twice, no alias that
grows without bound.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import yaml

from mexbench.config.variables import from_environment
from mexbench.errors import ConfigError, shown_bytes, suggest

#: The way to a value: keys of mappings and positions in lists.
ValuePath: TypeAlias = tuple[str | int, ...]

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


def resolvers() -> Mapping[str, Sequence[tuple[str, re.Pattern[str]]]]:
    """Return what makes a plain text something else: its first letter -> the tags and patterns that are tried."""
    return _Loader.yaml_implicit_resolvers


def path_text(path: ValuePath) -> str:
    """Write a path as a reader would: ``models[1].C``."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


@dataclass(frozen=True)
class Unset:
    """Takes the place of a variable without a value: an error unless ``--set`` replaces it."""

    message: str


class _NotSetError(ConfigError):
    """An environment variable has no value."""


_MOST_BITS = 1024


class YamlReader:
    """Turns PyYAML's nodes into plain values and notes their lines."""

    def __init__(self, name: str, environment: Mapping[str, str]) -> None:
        self.name = name
        self.environment = environment
        self.lines: dict[ValuePath, int | str] = {}
        self.nodes = 0
        #: How many variables the environment has filled in.
        self.expanded = 0
        self.loader = _Loader("")

    def compose(self, text: str) -> yaml.Node | None:
        """Parse a text to nodes."""
        try:
            return yaml.compose(text, Loader=_Loader)
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            line = mark.line + 1 if mark else 0
            problem = error.problem or str(error)
            if "'\\t'" in problem or _has_tab(text, line):
                problem = "a tab; YAML indents with spaces alone"
            elif hint := _plain_words(problem, error.context or "", text, line):
                problem = hint
            raise ConfigError(f"{self.name}, line {line}: invalid YAML: {problem}") from None
        except (yaml.YAMLError, ValueError) as error:  # ValueError: an escape beyond Unicode
            raise ConfigError(f"{self.name}: invalid YAML: {error}") from None
        except RecursionError:
            raise ConfigError(f"{self.name}: nested too deeply") from None

    def convert(self, node: yaml.Node | None, path: ValuePath) -> Any:  # noqa: ANN401 - any YAML value
        """Turn a node into plain values."""
        if node is None:
            return None
        self.nodes += 1
        if self.nodes > _MAX_NODES or len(path) > _MAX_DEPTH:
            raise self._error(node, path, "too many or too deeply nested values (aliases count each time)")
        self.lines[path] = node.start_mark.line + 1
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            if node.tag != "tag:yaml.org,2002:seq":
                raise self._error(node, path, f"YAML tag {node.tag!r} is not allowed")
            return [self.convert(item, (*path, index)) for index, item in enumerate(node.value)]
        return self._scalar(node, path)

    def _mapping(self, node: yaml.MappingNode, path: ValuePath) -> dict[str, Any]:
        if node.tag != "tag:yaml.org,2002:map":
            raise self._error(node, path, f"YAML tag {node.tag!r} is not allowed")
        merged: dict[str, Any] = {}
        own: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if key_node.tag == "tag:yaml.org,2002:merge":
                parts = value_node.value if isinstance(value_node, yaml.SequenceNode) else [value_node]
                for part in parts:
                    inherited = self.convert(part, path)
                    if not isinstance(inherited, dict):
                        raise self._error(key_node, path, "'<<' merges only mappings")
                    merged = {**inherited, **merged}
                continue
            if key_node.tag != "tag:yaml.org,2002:str":
                shown = getattr(key_node, "value", key_node.id)
                raise self._error(key_node, path, f"expected a string as key, got {shown!r}; put it in quotes")
            key = key_node.value
            if not _is_text(key):
                raise self._error(key_node, path, f"{shown_bytes(key)}: not UTF-8")
            if key in own:
                raise self._error(key_node, (*path, key), "duplicate key")
            own[key] = self.convert(value_node, (*path, key))
        self.lines[path] = node.start_mark.line + 1
        return {**merged, **own}

    def _scalar(self, node: yaml.Node, path: ValuePath) -> str | int | float | bool | Unset | None:
        text = str(node.value)
        before = self.expanded
        value = self._plain_scalar(text, node, path)
        if isinstance(value, str) and not _is_text(value):
            raise self._error(node, path, f"{shown_bytes(value)}: not UTF-8; rename the file, or write its name anew")
        return from_environment(value, text) if self.expanded > before else value

    def _plain_scalar(self, text: str, node: yaml.Node, path: ValuePath) -> str | int | float | bool | Unset | None:
        tag = node.tag
        try:
            expanded = self._expand(text, node, path)
        except _NotSetError as error:
            return Unset(str(error))
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
                number = int(expanded, 0 if expanded[:2] in ("0o", "0x") else 10)
                if number.bit_length() > _MOST_BITS:  # Python reads such a one in hex and cannot print it
                    raise ValueError(f"more than {_MOST_BITS} bits")
                return number
            if kind == "float":
                return float(re.sub(r"^([-+]?)\.(?=[inINF])", r"\1", expanded))
        except ValueError as error:
            raise self._error(node, path, f"invalid {kind} {expanded[:40]!r}: {error}") from None
        raise self._error(node, path, f"YAML tag {node.tag!r} is not allowed")

    def _expand(self, text: str, node: yaml.Node, path: ValuePath) -> str:
        def value(match: re.Match[str]) -> str:
            if match[0] == "$${":
                return "${"
            if not match["name"]:
                raise self._error(node, path, f"malformed variable in {text!r}; write ${{VAR}} or ${{VAR:-default}}")
            replacement = self.environment.get(match["name"], "")
            if not replacement and match["default"] is not None:
                return match["default"]
            if not replacement:
                state = "empty" if match["name"] in self.environment else "not set"
                message = (
                    f"environment variable {match['name']} is {state}{suggest(match['name'], self.environment)}; "
                    f"set it, as in 'export {match['name']}=...', or give a default: ${{{match['name']}:-...}}"
                )
                raise _NotSetError(str(self._error(node, path, message)))
            self.expanded += 1
            return replacement

        return re.sub(r"\$\$\{|\$\{(?:(?P<name>[A-Za-z_]\w*)(?::-(?P<default>[^}]*))?\})?", value, text)

    def _error(self, node: yaml.Node, path: ValuePath, message: str) -> ConfigError:
        where = f"{path_text(path)}: " if path else ""
        return ConfigError(f"{where}{message}\n  in {self.name}, line {node.start_mark.line + 1}")


def _is_text(value: str) -> bool:
    """Whether a text can be written: half of a surrogate pair, which a name that is not UTF-8 has, cannot."""
    return not any("\ud800" <= letter <= "\udfff" for letter in value)


def _has_tab(text: str, line: int) -> bool:
    lines = text.splitlines()
    return 0 < line <= len(lines) and "\t" in lines[line - 1][: len(lines[line - 1]) - len(lines[line - 1].lstrip())]


#: A variable that is not in quotes, inside a mapping or list in braces: YAML takes its brace for one of its own.
_BARE_VARIABLE = re.compile(r"[{\[].*[:,\[]\s*\$\{")


def _plain_words(problem: str, context: str, text: str, line: int) -> str | None:
    """Say what a parser's error mostly comes from, where that can be seen; None elsewhere."""
    lines = text.splitlines()
    here = lines[line - 1] if 0 < line <= len(lines) else ""
    before = lines[line - 2] if 1 < line <= len(lines) + 1 else ""
    for one in (here, before):
        if _BARE_VARIABLE.search(one):
            return f'a variable inside {{...}} or [...] needs quotes: "${{NAME}}"; got {one.strip()!r}'
    if "flow sequence" in context or "flow mapping" in context:
        closing = "]" if "sequence" in context else "}"
        return f"{closing!r} or a comma is missing, or a value with a space, colon or bracket needs quotes ({problem})"
    if problem == "mapping values are not allowed here":
        return (
            f"{here.strip()!r} is indented otherwise than the line above it, or has a second ':' in a value, which "
            "then needs quotes"
        )
    if "block end" in problem or "block mapping" in context or "block collection" in context:
        return f"{here.strip()!r} is not aligned: keys of one block begin in the same column, items with '- ' too"
    return None
