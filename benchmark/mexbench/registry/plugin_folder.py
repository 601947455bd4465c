"""A plugin distribution in a folder that is not installed: read from its ``pyproject.toml``."""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Mapping
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

from mexbench import GROUP
from mexbench.errors import PluginError
from mexbench.registry.catalogue import Catalogue, read_distribution
from mexbench.registry.problems import PluginProblem


def load_folder(folder: Path) -> Catalogue:
    """Return the plugins of a folder, which is put on Python's search path.

    Args:
        folder: It has a ``pyproject.toml`` with the entry points of the group ``mexbench``; modules are in it, or in
            ``src``.

    Raises:
        PluginError: The folder is not a plugin distribution; the text says what is missing.
    """
    path = folder / "pyproject.toml"
    if not path.is_file():
        raise PluginError(f"{folder}: has no pyproject.toml; give a folder as 'bench new' writes one")
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise PluginError(f"{path}: invalid TOML: {error}") from None
    project: Mapping[str, Any] = document.get("project", {})
    entry_points = project.get("entry-points", {}).get(GROUP, {})
    if not entry_points:
        raise PluginError(f"{path}: has no entry point; expected a table [project.entry-points.{GROUP}] with one line")
    distribution = f"{project.get('name', folder.name)} {project.get('version', '0')} (not installed)"
    for place in (folder, folder / "src"):
        if place.is_dir():
            sys.path.insert(0, str(place.resolve()))
    entries, problems = [], []
    for name, value in entry_points.items():
        offered, errors = read_distribution(EntryPoint(name=name, value=str(value), group=GROUP), distribution)
        entries += offered
        problems += [PluginProblem(distribution, error) for error in errors]
    return Catalogue(tuple(entries), tuple(problems))
