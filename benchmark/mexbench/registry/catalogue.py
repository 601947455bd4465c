"""Finds plugins through pluggy and names the distribution where one cannot be used.

pluggy ignores a misspelt hook until it is asked, a hook without its marker even then, and its own loader stops at
the first entry point that cannot be imported. Here every distribution is taken by itself: what is wrong with
one becomes a ``PluginProblem`` and leaves the others alone.
"""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint, entry_points
from types import ModuleType

import pluggy

from mexbench import GROUP
from mexbench.errors import PluginError, listed, suggest, unknown
from mexbench.interfaces import Dataset, Model, Plugin, Preprocessor, Protocol, hookspecs
from mexbench.interfaces.observer import Observer
from mexbench.registry import commands
from mexbench.registry.parameters import check_declaration
from mexbench.registry.problems import ErrorTrap, PluginProblem

#: The distribution whose plugins keep their names when a third-party one claims the same.
HOME = "mexbench"

KINDS: Mapping[str, type[Plugin]] = {
    "dataset": Dataset,
    "preprocessor": Preprocessor,
    "model": Model,
    "protocol": Protocol,
    "observer": Observer,
}
HOOKS: Mapping[str, str] = {f"bench_{kind}s": kind for kind in KINDS}
#: The hooks that report a run.
EVENTS = ("bench_run_started", "bench_task_done", "bench_run_done")
_KNOWN = (*HOOKS, commands.HOOK, *EVENTS)
_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]*")


@dataclass(frozen=True)
class CatalogueEntry:
    """One plugin of the catalogue, not imported yet."""

    kind: str
    name: str
    target: str | type[Plugin]
    distribution: str

    @property
    def location(self) -> str:
        """``module:Class``."""
        return self.target if isinstance(self.target, str) else f"{self.target.__module__}:{self.target.__name__}"

    def load(self) -> type[Plugin]:
        """Import the class.

        Raises:
            PluginError: It cannot be imported, or is not a usable plugin of its kind; names the distribution.
        """
        interface = KINDS[self.kind]
        where = "interfaces.observer" if interface is Observer else "interfaces"
        cls = self.target if not isinstance(self.target, str) else self._import(self.target)
        if not (isinstance(cls, type) and issubclass(cls, interface)):
            raise self._error(f"is not a subclass of mexbench.{where}.{interface.__name__}")
        missing = sorted(getattr(cls, "__abstractmethods__", ()))
        if missing:
            raise self._error(f"does not implement {listed(missing)}")
        if problem := check_declaration(cls):
            raise self._error(problem)
        return cls

    def _import(self, target: str) -> object:
        module, _, attribute = target.partition(":")
        with ErrorTrap() as trap:
            value: object = importlib.import_module(module)
            for part in attribute.split("."):
                value = getattr(value, part)
            return value
        raise self._error(f"cannot be imported: {trap.text}")

    def _error(self, message: str) -> PluginError:
        return PluginError(
            f"plugin distribution {self.distribution}: {self.kind} {self.name!r} ({self.location}) {message}"
        )


@dataclass(frozen=True)
class Catalogue:
    """Every plugin that the installed distributions offer, by kind and name, and what is wrong with the others."""

    entries: tuple[CatalogueEntry, ...]
    problems: tuple[PluginProblem, ...] = ()
    #: (kind, name) that several third-party distributions claim: it belongs to none of them.
    disputed: Mapping[tuple[str, str], tuple[str, ...]] = field(default_factory=dict)
    #: Plugins whose hooks are called in every run: (distribution, plugin).
    run_listeners: tuple[tuple[str, object], ...] = ()

    def names(self, kind: str) -> list[str]:
        """Return the names of one kind, sorted."""
        return sorted(entry.name for entry in self.entries if entry.kind == kind)

    def get(self, kind: str, name: str) -> CatalogueEntry:
        """Look up one plugin.

        Raises:
            PluginError: No usable plugin has this name; lists the choices and what may have hidden it.
        """
        for entry in self.entries:
            if (entry.kind, entry.name) == (kind, name):
                return entry
        if claimants := self.disputed.get((kind, name)):
            raise PluginError(
                f"{kind} {name!r} is claimed by {listed(claimants)}: uninstall all but one of them, "
                "or ask for another name"
            )
        message = unknown(kind, name, self.names(kind))
        elsewhere = [entry.kind for entry in self.entries if entry.name == name]
        if elsewhere:
            message += f"\n  {name!r} is a {elsewhere[0]}"
        for problem in self.problems:
            message += f"\n  not available: {problem}"
        raise PluginError(message)


def load_catalogue() -> Catalogue:
    """Ask every installed distribution for its plugins: the built-in ones first, then third-party ones by name."""
    manager = pluggy.PluginManager(GROUP)
    manager.add_hookspecs(hookspecs)
    problems: list[PluginProblem] = []
    claims: dict[tuple[str, str], list[CatalogueEntry]] = {}
    run_listeners: list[tuple[str, object]] = []
    for entry_point in _sorted(entry_points(group=GROUP)):
        distribution = _distribution(entry_point)
        offered, errors = _register(manager, entry_point, distribution)
        problems += [PluginProblem(distribution, error) for error in errors]
        plugin = manager.get_plugin(f"{distribution}:{entry_point.name}")
        if plugin is not None and listens_to_runs(manager, plugin):
            run_listeners.append((distribution, plugin))
        for entry in offered:
            claims.setdefault((entry.kind, entry.name), []).append(entry)

    entries: list[CatalogueEntry] = []
    disputed: dict[tuple[str, str], tuple[str, ...]] = {}
    for (kind, name), (first, *others) in claims.items():
        usable = not others or _is_home(first.distribution)
        if usable:
            entries.append(first)
        else:
            disputed[kind, name] = tuple(entry.distribution for entry in (first, *others))
        outcome = "the built-in one is used" if usable else "none of them can be used"
        for entry in others:
            problems.append(
                PluginProblem(
                    entry.distribution,
                    f"{kind} {name!r} ({entry.location}) has the name of one in {first.distribution} "
                    f"({first.location}): {outcome}",
                )
            )
    if not entries:
        problems.append(PluginProblem(HOME, "no plugins found: install mexbench again"))
    return Catalogue(
        entries=tuple(entries), problems=tuple(problems), disputed=disputed, run_listeners=tuple(run_listeners)
    )


def read_distribution(entry_point: EntryPoint, distribution: str) -> tuple[list[CatalogueEntry], list[str]]:
    """Import one entry point and ask its hooks. Returns its plugins, and what is wrong with it."""
    manager = pluggy.PluginManager(GROUP)
    manager.add_hookspecs(hookspecs)
    return _register(manager, entry_point, distribution)


def listens_to_runs(manager: pluggy.PluginManager, plugin: object) -> bool:
    """Whether a registered plugin has a hook that reports a run."""
    return any(caller.name in EVENTS for caller in manager.get_hookcallers(plugin) or ())


def _sorted(unsorted: Iterable[EntryPoint]) -> list[EntryPoint]:
    def order(entry_point: EntryPoint) -> tuple[bool, str, str]:
        distribution = _distribution(entry_point)
        return not _is_home(distribution), distribution.lower(), entry_point.name

    return sorted(unsorted, key=order)


def _distribution(entry_point: EntryPoint) -> str:
    return f"{entry_point.dist.name} {entry_point.dist.version}" if entry_point.dist else "(unknown distribution)"


def _is_home(distribution: str) -> bool:
    return distribution.partition(" ")[0] == HOME


def _register(
    manager: pluggy.PluginManager, entry_point: EntryPoint, distribution: str
) -> tuple[list[CatalogueEntry], list[str]]:
    """Import one entry point, register it and ask its hooks. Returns its plugins and what is wrong with it."""
    where = f"entry point {entry_point.name!r} = {entry_point.value!r}"
    plugin: object = None
    with ErrorTrap() as trap:
        plugin = entry_point.load()
    if trap.text:
        return [], [f"{where} cannot be imported: {trap.text}"]
    errors = [f"{where}: {error}" for error in marker_errors(plugin)]
    with ErrorTrap() as trap:
        manager.register(plugin, name=f"{distribution}:{entry_point.name}")
    if trap.text:
        if manager.has_plugin(f"{distribution}:{entry_point.name}"):  # pluggy leaves it half registered
            manager.unregister(plugin)
        return [], [*errors, f"{where} cannot be registered: {trap.text}"]

    entries: list[CatalogueEntry] = []
    n_commands = 0
    others = [other for other in manager.get_plugins() if other is not plugin]
    for hook in (*HOOKS, commands.HOOK):
        with ErrorTrap() as trap:
            for answer in manager.subset_hook_caller(hook, remove_plugins=others)():
                if hook == commands.HOOK:  # the command line asks for them by itself; here they are checked alone
                    added, wrong = commands.read_commands(answer, distribution)
                    n_commands += len(added)
                else:
                    offered, wrong = _entries(HOOKS[hook], answer, distribution)
                    entries += offered
                errors += [f"{where}: {hook} {error}" for error in wrong]
        if trap.text:
            errors.append(f"{where}: {hook} failed: {trap.text}")
    if not (entries or n_commands or errors or listens_to_runs(manager, plugin)):
        nothing = "has hooks that return nothing" if manager.get_hookcallers(plugin) else "has no hook"
        errors.append(f"{where} {nothing}; known hooks: {listed(_KNOWN)}")
    return entries, errors


def marker_errors(plugin: object) -> list[str]:
    """Find hooks that pluggy would silently ignore: marked under a wrong name, or rightly named and unmarked."""
    errors = []
    for name in dir(plugin):
        if name.startswith("__"):
            continue
        value = inspect.getattr_static(plugin, name) if not isinstance(plugin, ModuleType) else getattr(plugin, name)
        marked = hasattr(value, f"{GROUP}_impl")
        if marked and name not in _KNOWN:
            errors.append(f"unknown hook {name!r}{suggest(name, _KNOWN)}; known hooks: {listed(_KNOWN)}")
        elif not marked and name.startswith("bench_") and callable(value):
            hint = "" if name in _KNOWN else f"{suggest(name, _KNOWN)}; known hooks: {listed(_KNOWN)}"
            errors.append(f"{name!r} is not marked: put @mexbench.hookimpl above it{hint}")
    return errors


def _entries(kind: str, answer: object, distribution: str) -> tuple[list[CatalogueEntry], list[str]]:
    if not isinstance(answer, Mapping):
        return [], [f"must return a mapping of names to 'module:Class', got {type(answer).__name__}"]
    entries, errors = [], []
    for name, target in answer.items():
        if not (isinstance(name, str) and _NAME.fullmatch(name)):
            errors.append(f"offers {name!r}: a name has small letters, digits, '_', '-' and '.'")
        elif not isinstance(target, type) and not (isinstance(target, str) and target.count(":") == 1):
            errors.append(f"offers {name!r} as {target!r}: expected a class or the text 'module:Class'")
        else:
            entries.append(CatalogueEntry(kind=kind, name=name, target=target, distribution=distribution))
    return entries, errors
