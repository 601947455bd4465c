"""Whole data sets made by the generator, built once into the user's cache folder.

For everybody without a licence for the real data: the official loaders read these as they read the originals.
"""

from __future__ import annotations

import dataclasses
import shutil
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from mexbench.data.cache import default_root
from mexbench.errors import ConfigError, DataError, counted, unknown
from mexbench.files import read_json, write_json
from mexbench.fingerprint import digest, digest_code
from mexbench_plugins.synth.clip_layouts import (
    Casme3CLayout,
    CasmeLayout,
    DfmeLayout,
    FourDmeLayout,
    MmewLayout,
    SmicLayout,
)
from mexbench_plugins.synth.layouts import Casme2Layout, DatasetLayout, SammLayout
from mexbench_plugins.synth.standin_options import StandIn
from mexbench_plugins.synth.video_layouts import Casme3Layout, CasmeSquaredLayout, SammLongLayout, SmicLongLayout

__all__ = ["LAYOUTS", "MARKER", "StandIn", "stand_in_root", "write_stand_in"]

#: Name of a layout -> how it is written.
LAYOUTS: Mapping[str, type[DatasetLayout]] = {
    layout.name: layout
    for layout in (
        Casme2Layout, Casme3CLayout, Casme3Layout, CasmeLayout, CasmeSquaredLayout, DfmeLayout, FourDmeLayout,
        MmewLayout, SammLayout, SammLongLayout, SmicLayout, SmicLongLayout,
    )
}  # fmt: skip

#: The file that says that a data set is whole. It lies in its root, beside the annotation sheet.
MARKER = "stand-in.json"
_NOTE = "Made by a program: procedural faces, no person was recorded. Scores on it say nothing about real faces."
_TEMPORARY = ".tmp-"
_STALE_S = 86_400


def stand_in_root(name: str, options: StandIn) -> Path:
    """Return the root of a stand-in; build it in the cache folder where it is not there yet.

    Args:
        name: The layout, one of ``LAYOUTS``.
        options: The data set to make; equal options are built once.

    Raises:
        ConfigError: The name is unknown, or the cast is not one of this layout.
        DataError: The cache folder cannot be written.
    """
    return _root(layout_of(name), options)


def layout_of(name: str) -> DatasetLayout:
    """Return a layout by its name.

    Raises:
        ConfigError: The name is unknown.
    """
    if name not in LAYOUTS:
        raise ConfigError(unknown("data set", name, LAYOUTS))
    return LAYOUTS[name]()


def write_stand_in(name: str, options: StandIn, target: Path) -> Path:
    """Write a stand-in into a folder that does not exist yet; return the folder.

    Raises:
        ConfigError: The name is unknown, or the folder exists.
        DataError: The folder cannot be written.
    """
    layout = layout_of(name)
    if target.exists():
        raise ConfigError(f"--out {target}: exists already; choose another folder")
    about = {"layout": name, "options": dataclasses.asdict(options), "note": _NOTE}
    try:
        _build(layout, options, target, {**about, "key": digest(about)})
    except OSError as error:
        raise DataError(f"{target}: cannot be written ({error.strerror or error})") from error
    return target


def _root(layout: DatasetLayout, options: StandIn) -> Path:
    about = {"layout": layout.name, "options": dataclasses.asdict(options), "code": digest_code(type(layout))}
    key = digest(about)
    target = default_root() / "stand-in" / f"{layout.name}-{key}"
    if _is_complete(target, key):
        return target
    try:
        _build(layout, options, target, {**about, "key": key, "note": _NOTE})
    except OSError as error:
        raise DataError(
            f"the stand-in for {layout.name} cannot be built in {target.parent}: {error.strerror or error}: "
            "free some space there, or set MEXBENCH_CACHE to another folder"
        ) from error
    return target


def _build(layout: DatasetLayout, options: StandIn, target: Path, about: dict[str, Any]) -> None:
    """Build beside the target; it gets its name when it is whole, so nobody ever sees half of it."""
    target.parent.mkdir(parents=True, exist_ok=True)
    _sweep(target.parent)
    work = Path(tempfile.mkdtemp(prefix=_TEMPORARY, dir=target.parent))
    try:
        folder = work / "made"
        folder.mkdir()
        _write(layout, options, folder)
        write_json(folder / MARKER, {**about, "files": _count(folder)})
        _settle(folder, target, work, str(about["key"]))
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _write(layout: DatasetLayout, options: StandIn, folder: Path) -> None:
    from mexbench.cli.output import progress, say

    total = layout.count(options)
    people = f" of {options.subjects}" if options.cast == "random" else " of the challenge's list, with"
    say(f"building a stand-in for {layout.name}, once: {counted(total, 'clip')}{people} procedural faces")
    with progress(f"stand-in for {layout.name}", total) as tick:
        for done, name in enumerate(layout.write(folder, options), start=1):
            tick(done, name)


def _settle(folder: Path, target: Path, work: Path, key: str) -> None:
    """Move a whole data set to its place, unless another process has just put the same one there."""
    if target.exists() and not _is_complete(target, key):
        with suppress(FileNotFoundError):  # another process moved the damaged one away
            target.rename(work / "damaged")
    try:
        folder.rename(target)
    except OSError:
        if not _is_complete(target, key):
            raise


def _is_complete(root: Path, key: str) -> bool:
    """Return whether a data set is there and has all of its files."""
    try:
        about = read_json(root / MARKER)
        return about["key"] == key and about["files"] == _count(root)
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _count(root: Path) -> int:
    return sum(path.is_file() and path.name != MARKER for path in root.rglob("*"))


def _sweep(folder: Path) -> None:
    """Remove what a killed process left behind, a day later: a younger one may still be at work."""
    for path in folder.glob(f"{_TEMPORARY}*"):
        with suppress(OSError):
            if time.time() - path.stat().st_mtime > _STALE_S:
                shutil.rmtree(path, ignore_errors=True)
