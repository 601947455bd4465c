"""Finds plugins through pluggy and says which distribution is at fault when one cannot be used.

pluggy ignores a misspelt hook until it is asked, a hook without its marker even then, and its own loader stops at
the first entry point that cannot be imported. Here every distribution is taken by itself: what is wrong with
one becomes a ``PluginProblem`` and leaves the others alone.
"""

from __future__ import annotations

import importlib
import inspect
import re
import traceback
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint, entry_points
from types import ModuleType

import pluggy

from mexbench import GROUP
from mexbench.errors import PluginError, listed, suggest, unknown
from mexbench.interfaces import Dataset, Model, Plugin, Preprocessor, Protocol, hookspecs
from mexbench.interfaces.observer import Observer
from mexbench.registry.parameters import check_declaration

#: The distribution whose plugins keep their names when a stranger claims one of them.
HOME = "mexbench"

KINDS: Mapping[str, type[Plugin]] = {
    "dataset": Dataset,
    "preprocessor": Preprocessor,
    "model": Model,
    "protocol": Protocol,
    "observer": Observer,
}
HOOKS: Mapping[str, str] = {f"bench_{kind}s": kind for kind in KINDS}
#: The hooks that tell of a run.
EVENTS = ("bench_run_started", "bench_task_done", "bench_run_done")
_KNOWN = (*HOOKS, *EVENTS)
_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]*")


@dataclass(frozen=True)
class PluginProblem:
    """Something wrong with a plugin distribution."""

    distribution: str
    message: str

    def __str__(self) -> str:
        """Name the distribution at fault, then what is wrong with it."""
        return f"plugin distribution {self.distribution}: {self.message}"


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
            PluginError: It cannot be imported, or is no usable plugin of its kind; names the distribution.
        """
        interface = KINDS[self.kind]
        where = "interfaces.observer" if interface is Observer else "interfaces"
        cls = self.target if not isinstance(self.target, str) else self._import(self.target)
        if not (isinstance(cls, type) and issubclass(cls, interface)):
            raise self._error(f"is no subclass of mexbench.{where}.{interface.__name__}")
        missing = sorted(getattr(cls, "__abstractmethods__", ()))
        if missing:
            raise self._error(f"does not implement {listed(missing)}")
        if fault := check_declaration(cls):
            raise self._error(fault)
        return cls

    def _import(self, target: str) -> object:
        module, _, attribute = target.partition(":")
        with _Guard() as caught:
            found: object = importlib.import_module(module)
            for part in attribute.split("."):
                found = getattr(found, part)
            return found
        raise self._error(f"cannot be imported: {caught.text}")

    def _error(self, message: str) -> PluginError:
        return PluginError(
            f"plugin distribution {self.distribution}: {self.kind} {self.name!r} ({self.location}) {message}"
        )


@dataclass(frozen=True)
class Catalogue:
    """Every plugin that the installed distributions offer, by kind and name, and what is wrong with the others."""

    entries: tuple[CatalogueEntry, ...]
    problems: tuple[PluginProblem, ...] = ()
    #: (kind, name) that several strangers claim: it belongs to none of them.
    disputed: Mapping[tuple[str, str], tuple[str, ...]] = field(default_factory=dict)
    #: Modules that are told of every run: (distribution, module).
    watching: tuple[tuple[str, object], ...] = ()

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


class _Guard:
    """Runs a stranger's code and keeps its error as text."""

    text = ""

    def __enter__(self) -> _Guard:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> bool:
        del kind, trace
        # SystemExit too: a plugin that calls sys.exit() while it is imported must not end the program.
        if error is None or not isinstance(error, (Exception, SystemExit)):
            return False
        self.text = f"{type(error).__name__}: {error}"
        frames = [frame for frame in traceback.extract_tb(error.__traceback__) if not frame.filename.startswith("<")]
        if frames and not isinstance(error, SyntaxError):  # whose text names the place already
            self.text += f" ({frames[-1].filename}, line {frames[-1].lineno})"
        return True


def load_catalogue() -> Catalogue:
    """Ask every installed distribution for its plugins: the built-in ones first, then strangers by name."""
    manager = pluggy.PluginManager(GROUP)
    manager.add_hookspecs(hookspecs)
    problems: list[PluginProblem] = []
    claims: dict[tuple[str, str], list[CatalogueEntry]] = {}
    watching: list[tuple[str, object]] = []
    for entry_point in _sorted(entry_points(group=GROUP)):
        distribution = _distribution(entry_point)
        offered, faults = _register(manager, entry_point, distribution)
        problems += [PluginProblem(distribution, fault) for fault in faults]
        plugin = manager.get_plugin(f"{distribution}:{entry_point.name}")
        watching += [(distribution, plugin)] if plugin is not None and hears(manager, plugin) else []
        for entry in offered:
            claims.setdefault((entry.kind, entry.name), []).append(entry)

    entries: list[CatalogueEntry] = []
    disputed: dict[tuple[str, str], tuple[str, ...]] = {}
    for (kind, name), (first, *others) in claims.items():
        kept = not others or _is_home(first.distribution)
        if kept:
            entries.append(first)
        else:
            disputed[kind, name] = tuple(entry.distribution for entry in (first, *others))
        outcome = "the built-in one stays" if kept else "none of them can be used"
        for entry in others:
            problems.append(
                PluginProblem(
                    entry.distribution,
                    f"{kind} {name!r} ({entry.location}) has the name of one in {first.distribution} "
                    f"({first.location}): {outcome}",
                )
            )
    if not entries:
        problems.append(PluginProblem(HOME, "no plugins found: install the project with 'pip install -e .'"))
    return Catalogue(entries=tuple(entries), problems=tuple(problems), disputed=disputed, watching=tuple(watching))


def hears(manager: pluggy.PluginManager, plugin: object) -> bool:
    """Whether a registered plugin has a hook that tells of a run."""
    return any(caller.name in EVENTS for caller in manager.get_hookcallers(plugin) or ())


def _sorted(found: Iterable[EntryPoint]) -> list[EntryPoint]:
    def order(entry_point: EntryPoint) -> tuple[bool, str, str]:
        distribution = _distribution(entry_point)
        return not _is_home(distribution), distribution.lower(), entry_point.name

    return sorted(found, key=order)


def _distribution(entry_point: EntryPoint) -> str:
    return f"{entry_point.dist.name} {entry_point.dist.version}" if entry_point.dist else "(unknown distribution)"


def _is_home(distribution: str) -> bool:
    return distribution.partition(" ")[0] == HOME


def _register(
    manager: pluggy.PluginManager, entry_point: EntryPoint, distribution: str
) -> tuple[list[CatalogueEntry], list[str]]:
    """Import one entry point, register it and ask its hooks. Returns its plugins and its faults."""
    where = f"entry point {entry_point.name!r} = {entry_point.value!r}"
    plugin: object = None
    with _Guard() as caught:
        plugin = entry_point.load()
    if caught.text:
        return [], [f"{where} cannot be imported: {caught.text}"]
    faults = [f"{where}: {fault}" for fault in marker_faults(plugin)]
    with _Guard() as caught:
        manager.register(plugin, name=f"{distribution}:{entry_point.name}")
    if caught.text:
        if manager.has_plugin(f"{distribution}:{entry_point.name}"):  # pluggy leaves it half registered
            manager.unregister(plugin)
        return [], [*faults, f"{where} cannot be registered: {caught.text}"]

    entries: list[CatalogueEntry] = []
    others = [other for other in manager.get_plugins() if other is not plugin]
    for hook, kind in HOOKS.items():
        with _Guard() as caught:
            answers = manager.subset_hook_caller(hook, remove_plugins=others)()
            for answer in answers:
                found, wrong = _entries(kind, answer, distribution)
                entries += found
                faults += [f"{where}: {hook} {fault}" for fault in wrong]
        if caught.text:
            faults.append(f"{where}: {hook} failed: {caught.text}")
    if not entries and not faults and not hears(manager, plugin):
        faults.append(f"{where} has no hook; known hooks: {listed(_KNOWN)}")
    return entries, faults


def marker_faults(plugin: object) -> list[str]:
    """Find hooks that pluggy would silently ignore: marked under a wrong name, or rightly named and unmarked."""
    faults = []
    for name in dir(plugin):
        if name.startswith("__"):
            continue
        value = inspect.getattr_static(plugin, name) if not isinstance(plugin, ModuleType) else getattr(plugin, name)
        marked = hasattr(value, f"{GROUP}_impl")
        if marked and name not in _KNOWN:
            faults.append(f"unknown hook {name!r}{suggest(name, _KNOWN)}; known hooks: {listed(_KNOWN)}")
        elif not marked and name.startswith("bench_") and callable(value):
            hint = "" if name in _KNOWN else f"{suggest(name, _KNOWN)}; known hooks: {listed(_KNOWN)}"
            faults.append(f"{name!r} is not marked: put @mexbench.hookimpl above it{hint}")
    return faults


def _entries(kind: str, answer: object, distribution: str) -> tuple[list[CatalogueEntry], list[str]]:
    if not isinstance(answer, Mapping):
        return [], [f"must return a mapping of names to 'module:Class', got {type(answer).__name__}"]
    entries, faults = [], []
    for name, target in answer.items():
        if not (isinstance(name, str) and _NAME.fullmatch(name)):
            faults.append(f"offers {name!r}: a name has small letters, digits, '_', '-' and '.'")
        elif not isinstance(target, type) and not (isinstance(target, str) and target.count(":") == 1):
            faults.append(f"offers {name!r} as {target!r}: expected a class or the text 'module:Class'")
        else:
            entries.append(CatalogueEntry(kind=kind, name=name, target=target, distribution=distribution))
    return entries, faults
