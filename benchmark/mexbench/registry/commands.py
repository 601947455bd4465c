"""The commands that plugin distributions add to ``bench``: the hook ``bench_commands``.

``bench --help`` lists them and has to answer in a tenth of a second, which decides two things. Entry points are read
from the installed distributions' ``entry_points.txt``, here and not by ``importlib.metadata``, whose import alone takes
40 ms; unlike it, this finds no distribution inside a zip file. And the module of an entry point is imported only where
its source mentions the hook: one with a model alone imports numpy at least.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import re
import sys
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from types import ModuleType
from typing import NamedTuple

import pluggy

from mexbench import GROUP
from mexbench.errors import PluginError
from mexbench.registry.problems import ErrorTrap, PluginProblem

HOOK = "bench_commands"
_NAME = re.compile(r"[a-z][a-z0-9-]*")
_MODULE = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*")
_VALUE = re.compile(rf"{_MODULE.pattern}(?::{_MODULE.pattern})?")
_FOLDER = re.compile(r"(?P<name>.+?)-(?P<version>[^-]+)\.dist-info")


class PluginCommand(NamedTuple):
    """A command of a plugin distribution, not imported yet.

    Args:
        name: As in ``bench NAME``.
        module: Has ``add_arguments(parser)`` and ``run(options) -> int``, like the modules of ``mexbench.cli``.
        summary: Its line in ``bench --help``.
        distribution: Name and version of the distribution.
    """

    name: str
    module: str
    summary: str
    distribution: str


def find_commands(reserved: Collection[str]) -> tuple[dict[str, PluginCommand], list[PluginProblem]]:
    """Ask the installed distributions for their commands.

    Args:
        reserved: Names of the built-in commands, which no plugin may take.

    Returns:
        The commands by name, and what is wrong with the others: a name that two distributions claim cannot be used.
    """
    claims: dict[str, list[PluginCommand]] = {}
    problems: list[PluginProblem] = []
    for distribution, module in _entry_points():
        commands, errors = _ask(module, distribution)
        problems += [PluginProblem(distribution, f"entry point {module!r}: {HOOK} {error}") for error in errors]
        for command in commands:
            claims.setdefault(command.name, []).append(command)
    usable: dict[str, PluginCommand] = {}
    for name, claimants in claims.items():
        if name in reserved:
            others = "a built-in command"
        elif len(claimants) > 1:
            others = " and ".join(f"{command.distribution} ({command.module})" for command in claimants)
        else:
            usable[name] = claimants[0]
            continue
        problems += [
            PluginProblem(command.distribution, f"command {name!r} ({command.module}) cannot be used: the name is also "
                          f"that of {others}")
            for command in claimants
        ]  # fmt: skip
    return usable, problems


def read_commands(answer: object, distribution: str) -> tuple[list[PluginCommand], list[str]]:
    """Check what the hook returned. Returns the commands and what is wrong with the others."""
    if not isinstance(answer, Mapping):
        return [], [f"must return a mapping of names to ('module', 'summary'), got {type(answer).__name__}"]
    commands, errors = [], []
    for name, target in answer.items():
        if not (isinstance(name, str) and _NAME.fullmatch(name)):
            errors.append(f"offers {name!r}: a command's name has small letters, digits and '-', a letter first")
        elif (
            not isinstance(target, tuple)
            or len(target) != 2
            or not all(isinstance(text, str) and text for text in target)
            or not _MODULE.fullmatch(target[0])
        ):
            errors.append(f"offers {name!r} as {target!r}: expected ('module', 'summary')")
        else:
            commands.append(PluginCommand(name, target[0], target[1], distribution))
    return commands, errors


def import_command(command: PluginCommand) -> ModuleType:
    """Import a command's module.

    Raises:
        PluginError: It cannot be imported, or lacks a function; names the distribution.
    """
    where = f"plugin distribution {command.distribution}: command {command.name!r} ({command.module})"
    module: ModuleType | None = None
    with ErrorTrap() as trap:
        module = importlib.import_module(command.module)
    if module is None:
        raise PluginError(f"{where} cannot be imported: {trap.text}")
    for name in ("add_arguments", "run"):
        if not callable(getattr(module, name, None)):
            raise PluginError(f"{where} has no function {name!r}")
    return module


def _ask(entry_point: str, distribution: str) -> tuple[list[PluginCommand], list[str]]:
    """Ask what an entry point names for its commands; a module that does not mention the hook is not imported."""
    module, _, attributes = entry_point.partition(":")
    if not _mentions_hook(module):
        return [], []
    commands: list[PluginCommand] = []
    errors: list[str] = []
    manager = pluggy.PluginManager(GROUP)  # without the specifications, which import the interfaces and numpy
    with ErrorTrap() as trap:
        plugin: object = importlib.import_module(module)
        for attribute in filter(None, attributes.split(".")):
            plugin = getattr(plugin, attribute)
        manager.register(plugin)
        for answer in getattr(manager.hook, HOOK, list)():
            read, wrong = read_commands(answer, distribution)
            commands += read
            errors += wrong
    return commands, [*errors, f"failed: {trap.text}"] if trap.text else errors


def _mentions_hook(module: str) -> bool:
    with ErrorTrap():  # "bench list" reports a module that cannot be found
        spec = importlib.util.find_spec(module)
        return spec is not None and spec.origin is not None and HOOK in _read(spec.origin)
    return False


def _read(path: str) -> str:
    with open(path, encoding="utf-8") as stream:  # noqa: PTH123 - importing pathlib costs 5 ms
        return stream.read()


def _entry_points() -> Iterator[tuple[str, str]]:
    """Yield distribution and value of each entry point of the group, by the distribution's name.

    A distribution that is found twice counts where ``sys.path`` has it first, as it does for Python.
    """
    files: dict[str, tuple[str, str]] = {}
    for directory in dict.fromkeys(sys.path):
        with suppress(OSError), os.scandir(directory or os.curdir) as entries:
            for entry in entries:
                if match := _FOLDER.fullmatch(entry.name):
                    distribution = f"{match['name'].replace('_', '-')} {match['version']}"
                    files.setdefault(match["name"].lower(), (distribution, f"{entry.path}/entry_points.txt"))
    for distribution, path in (files[key] for key in sorted(files)):
        text = ""
        with suppress(OSError, UnicodeDecodeError):
            text = _read(path)
        section = re.search(rf"^\[\s*{GROUP}\s*\]\n((?:(?!\[).*\n?)*)", text, re.MULTILINE)
        for line in section[1].splitlines() if section else ():
            value = re.sub(r"\s", "", line.partition("=")[2].partition("[")[0])
            if _VALUE.fullmatch(value):
                yield distribution, value
