"""The configs and leaderboards that come with mexbench: package data of a wheel, the folders of a checkout."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import resources
from pathlib import Path

from mexbench.errors import ConfigError, listed, suggest

#: Where a wheel holds them, below the package.
_PACKAGE_DATA = "shipped"


def shipped_folder(name: str) -> Path:
    """Return the folder ``configs`` or ``leaderboards`` that belongs to this installation.

    Raises:
        ConfigError: The installation has no such folder.
    """
    package = Path(str(resources.files("mexbench")))
    checkout = package.parent.parent
    if (installed := package / _PACKAGE_DATA / name).is_dir():
        return installed
    if (checkout / "pyproject.toml").is_file() and (checkout / name).is_dir():  # an editable installation
        return checkout / name
    raise ConfigError(
        f"this installation of mexbench has no folder {name!r} (looked in {installed} and {checkout / name}); "
        "install it again from a clone: pip install ."
    )


def shipped_configs() -> Mapping[str, Path]:
    """Return the shipped configs, sorted: name, such as ``quickstart`` or ``papers/au_cnn_2024_table5`` -> file."""
    root = shipped_folder("configs")
    paths = sorted(root.rglob("*.yaml"), key=lambda path: (len(path.relative_to(root).parts), path))
    return {path.relative_to(root).with_suffix("").as_posix(): path for path in paths}


def find_shipped_config(name: str) -> Path:
    """Return the file of a shipped config.

    Raises:
        ConfigError: No shipped config has this name; lists those that there are.
    """
    configs = shipped_configs()
    if name not in configs:
        raise ConfigError(
            f"unknown config {name!r}{suggest(name, configs)}; choose from: {listed(configs, limit=12)}; "
            "'bench configs' lists them all"
        )
    return configs[name]


def find_config(path: Path) -> Path:
    """Return the file that a command's CONFIG names: a file that exists, or else a shipped config by its name.

    Raises:
        ConfigError: It is neither a file nor the name of a shipped config.
    """
    if path.is_file():
        return path
    name = path.as_posix()
    configs = shipped_configs()
    if name in configs:
        return configs[name]
    if path.suffix or path.is_dir():
        if path.stem in configs and not any(path.parent.glob("*.y*ml")):
            raise ConfigError(f"{path}: file not found; the shipped config {path.stem!r} is run by its name alone")
        return path  # whose reader says what is wrong with it, and which files are beside it
    raise ConfigError(
        f"{name}: neither a file nor the name of a shipped config{suggest(name, configs)}; "
        f"choose from: {listed(configs, limit=12)}; 'bench configs' lists them all"
    )


def description(path: Path) -> str:
    """Return the first sentence of a config's comment, on one line; an empty text where it begins without a comment."""
    lines: list[str] = []
    for line in path.read_text(encoding="utf-8").splitlines():
        text = line.removeprefix("#").strip()
        if not line.startswith("#") or not text:
            break
        lines.append(text)
    return " ".join(lines).partition(". ")[0].removesuffix(".")


def find_leaderboards(given: Path | None) -> tuple[Path, bool]:
    """Return the folder of leaderboards that a command reads, and whether it is the shipped one, for reading alone.

    That is the folder that was given, else ``leaderboards`` in the working directory where that has a definition or
    the claims, else the shipped one.
    """
    local = Path("leaderboards")
    if given is not None or any(local.glob("*.yaml")):
        return given or local, False
    return shipped_folder("leaderboards"), True
