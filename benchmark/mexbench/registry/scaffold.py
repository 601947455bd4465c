"""A plugin distribution to start from: ``pyproject.toml`` with the entry point, one source file that runs, one test.

The files are templates in ``benchmark/mexbench/registry/templates``; ``$name`` and ``$cls`` stand for the plugin's name
and its class.
"""

from __future__ import annotations

import builtins
import importlib.util
import keyword
import re
import shutil
import sys
from collections.abc import Mapping
from importlib import metadata, resources
from pathlib import Path
from string import Template

from mexbench.errors import PluginError, unknown
from mexbench.files import write_text
from mexbench.registry.catalogue import HOME, Catalogue

#: What can be made, and from which templates; the first is the default, and a kind with one has no choice.
TEMPLATES: Mapping[str, tuple[str, ...]] = {
    "model": ("numpy", "sklearn", "torch", "flax"),
    "dataset": ("images", "clips", "features"),
    "preprocessor": (),
    "protocol": (),
    "observer": (),
}
KINDS = tuple(TEMPLATES)
#: Distributions that a template imports beside mexbench.
_DEPENDENCIES = {"torch": ("torch",), "sklearn": ("scikit-learn",), "flax": ("flax", "jax", "optax")}
_NAME = re.compile(r"[a-z][a-z0-9_]*")
_LONGEST_NAME = 30  # so that no line of a template grows beyond 120
_OURS = (HOME, "mexbench_plugins", "tests")


def write(kind: str, name: str, folder: Path, catalogue: Catalogue, *, template: str | None = None) -> list[Path]:
    """Write the distribution of one plugin.

    Args:
        kind: One of ``KINDS``.
        name: Of the plugin, of its module and, with hyphens, of its distribution.
        folder: It must not exist.
        catalogue: Whose names are taken.
        template: One of the kind's ``TEMPLATES``; by default the first.

    Returns:
        The files.

    Raises:
        PluginError: The name cannot be used, the kind has no such template, or the folder exists; nothing is written.
    """
    check_name(name, catalogue)
    texts = files(kind, name, template)
    try:
        folder.mkdir(parents=True)
    except FileExistsError:
        raise PluginError(f"{folder}: exists already, and nothing is overwritten; choose another --out") from None
    try:
        for file, text in texts.items():
            write_text(folder / file, text)
    except BaseException:  # such as a full disk: nothing half-written
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return [folder / file for file in texts]


def files(kind: str, name: str, template: str | None = None) -> Mapping[str, str]:
    """Return the files of a plugin's distribution: name -> text.

    Raises:
        PluginError: The kind has no such template.
    """
    template = _template(kind, template)
    stem = f"{kind}_{template}" if template else kind
    templates = resources.files("mexbench.registry") / "templates"
    source = (templates / f"{stem}.py.txt").read_text(encoding="utf-8")
    test = templates / f"test_{stem}.py.txt"
    words = {
        "kind": kind,
        "name": name,
        "cls": _class_name(name, source),
        "distribution": name.replace("_", "-"),
        "dependencies": ", ".join(f'"{one}"' for one in ("mexbench", *_DEPENDENCIES.get(template, ()))),
    }
    texts = {
        "pyproject.toml": (templates / "pyproject.toml.txt").read_text(encoding="utf-8"),
        f"{name}.py": source,
        f"test_{name}.py": (test if test.is_file() else templates / "test.py.txt").read_text(encoding="utf-8"),
    }
    return {file: Template(text).substitute(words) for file, text in texts.items()}


def _template(kind: str, template: str | None) -> str:
    choices = TEMPLATES[kind]
    if template is None:
        return choices[0] if choices else ""
    if template not in choices:
        if not choices:
            kinds = " and ".join(one for one, names in TEMPLATES.items() if names)
            raise PluginError(f"--template {template}: a {kind} has one template; only {kinds} have a choice")
        raise PluginError(f"--template: {unknown('template', template, choices)}")
    return template


def check_name(name: str, catalogue: Catalogue) -> None:
    """Check that a plugin may have this name.

    Raises:
        PluginError: It is an invalid name, is reserved in Python, or belongs to a plugin, a module or a distribution.
    """
    if not _NAME.fullmatch(name) or len(name) > _LONGEST_NAME:
        raise PluginError(
            f"{name!r} is not a valid name for a plugin: expected small letters, digits and '_', a letter first, "
            f"{_LONGEST_NAME} at most, such as 'my_model'"
        )
    if owner := _owner(name, catalogue):
        raise PluginError(f"{name!r} is {owner}; choose another name")


def _owner(name: str, catalogue: Catalogue) -> str | None:
    """Return what has this name already; None where it is free."""
    if keyword.iskeyword(name) or keyword.issoftkeyword(name):
        return "a reserved word of Python"
    for entry in catalogue.entries:
        if entry.name == name:
            return f"the name of a {entry.kind} in {entry.distribution} ({entry.location})"
    for (kind, disputed), claimants in catalogue.disputed.items():
        if disputed == name:
            return f"the name of a {kind} in {' and in '.join(claimants)}"
    return _module(name)


def _module(name: str) -> str | None:
    if name in _OURS:
        return "a package of mexbench itself"
    if name in sys.stdlib_module_names:
        return "a module of Python's standard library"
    spec = importlib.util.find_spec(name)
    if spec is not None and spec.origin is not None:  # without an origin it is a folder that only looks like a module
        return f"a module that is installed here ({spec.origin})"
    try:
        return f"a distribution that is installed here ({metadata.version(name)})"
    except metadata.PackageNotFoundError:
        return None


def _class_name(name: str, source: str) -> str:
    """Return ``MyModel`` for ``my_model``; another one where that means something already."""
    class_name = "".join(part.capitalize() for part in name.split("_"))
    taken = keyword.iskeyword(class_name) or hasattr(builtins, class_name) or re.search(rf"\b{class_name}\b", source)
    return f"{class_name}Plugin" if taken else class_name
