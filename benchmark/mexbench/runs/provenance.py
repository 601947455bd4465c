"""Where a result comes from: versions, commit, machine, device, time."""

from __future__ import annotations

import datetime
import os
import platform
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path

from mexbench import devices
from mexbench.fingerprint import versions
from mexbench.registry.catalogue import HOME

#: Raised by one whenever a change of this project changes the figures of runs that were made before it: a leaderboard
#: says which epochs it accepts. A manifest without the number was written in epoch 1. Epoch 3: batch normalisation
#: has exact statistics of the training side after training, where it had the moving average of the training steps.
EPOCH = 3


def now() -> str:
    """Return the time in UTC, to the second, as ISO 8601."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


def own_version() -> str:
    """Return the installed version of this project."""
    try:
        return metadata.version(HOME)
    except metadata.PackageNotFoundError:
        return "not installed"


def git_commit() -> str | None:
    """Return the commit of this checkout, with ``-dirty`` behind it where files differ; None outside git."""
    root = Path(__file__).resolve().parents[3]
    if not ((root / ".git").exists() and (root / "benchmark" / "mexbench").is_dir()):
        return None  # installed elsewhere: a repository further up would be somebody else's
    command = ["git", "-C", str(root), "describe", "--always", "--abbrev=40", "--dirty", "--exclude=*"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)  # noqa: S603
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() or None if done.returncode == 0 else None


def machine() -> dict[str, object]:
    """Return the platform, its processors, and the threads of a task."""
    return {
        "platform": platform.platform(),
        "machine": platform.machine(),
        "cpus": os.cpu_count(),
        "threads": devices.thread_settings(),
    }


def all_versions(distributions: Sequence[str] = ()) -> dict[str, str]:
    """Return the versions of this project, of Python, of what computes, and of other plugin distributions."""
    third_party = {}
    for text in sorted(set(distributions)):
        name, _, version = text.partition(" ")
        if name != HOME:
            third_party[name] = version
    return {HOME: own_version(), **versions(), **third_party}


def version_changes(before: object, now: Mapping[str, str]) -> list[str]:
    """Say which versions differ from those that a manifest records: ``numpy 2.0.1, now 2.1.0``.

    Args:
        before: ``versions`` of a manifest; anything else has no differences.
        now: ``all_versions`` of this process.
    """
    if not isinstance(before, Mapping):
        return []
    names = dict.fromkeys([*before, *now])
    return [
        f"{name} {before.get(name, 'absent')}, now {now.get(name, 'absent')}"
        for name in names
        if before.get(name) != now.get(name)
    ]


def only_patch_of_python(before: object, now: Mapping[str, str]) -> bool:
    """Whether nothing but the patch release of Python differs, which changes no result."""
    if not isinstance(before, Mapping) or {**before, "python": ""} != {**now, "python": ""}:
        return False
    old, new = (str(one.get("python", "")).split(".")[:2] for one in (before, now))
    return old == new and before.get("python") != now.get("python")


def command_line() -> str:
    """Return the command as a user could type it again."""
    return shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]])
