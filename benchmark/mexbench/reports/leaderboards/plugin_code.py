"""Where the code of a third-party plugin is: what somebody else needs to run its row again.

All of it is read from the metadata of the installed distribution: no network is used, and no path of the submitter's
machine is written. It is stated, not verified.
"""

from __future__ import annotations

import json
import re
import subprocess
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib import metadata
from typing import Any, ClassVar

from pydantic import ConfigDict

from mexbench.registry.catalogue import HOME

#: Of a row whose plugin is a third-party one that names neither an install line nor an address.
CODE_UNAVAILABLE = "code-unavailable"
#: Labels of a distribution's addresses, in the order in which one is taken.
_CODE = ("repository", "source", "source code", "code", "github", "homepage", "home-page")
_PAPER = ("paper", "publication", "doi", "article")
_WEB = re.compile(r"https?://[^\s@]+", re.ASCII)
_INSTALL = re.compile(
    r'pip install (?:[A-Za-z0-9._-]+==[A-Za-z0-9.+!_-]+|"(?:git\+)?https?://[A-Za-z0-9._~:/?#@!&=+,%-]+")'
)
_MOST_TEXT = 500


@dataclass(frozen=True, kw_only=True)
class PluginCode:
    """What the metadata of a plugin's distribution says.

    Args:
        install: The line that installs it; None where it was installed from a folder and names no repository.
        address: Of its repository or its home page.
        commit: Of its code, where it was installed from a repository; ``-dirty`` behind it says that files differed.
        paper: Address of its paper.
        authors: As its metadata names them.
        licence: Of its code.
        dependencies: Distributions that it requires, as they were installed: name -> version.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False)

    install: str | None = None
    address: str | None = None
    commit: str | None = None
    paper: str | None = None
    authors: str | None = None
    licence: str | None = None
    dependencies: dict[str, str] = field(default_factory=dict)


def is_third_party(distribution: str) -> bool:
    """Whether a distribution, as in ``my-model 0.1.0``, is not this project."""
    return distribution.partition(" ")[0] != HOME


def is_available(code: PluginCode | None) -> bool:
    """Whether somebody else can get the code: by an install line or an address."""
    return code is not None and (code.install is not None or code.address is not None)


def code_errors(code: PluginCode) -> Iterator[str]:
    """Yield what a page must not show: a link that is not a web address, a line that is not an installation."""
    for name in ("address", "paper"):
        if (url := getattr(code, name)) is not None and not _WEB.fullmatch(url):
            yield f"model.code.{name}: expected a web address, got {url!a}"
    if code.install is not None and not _INSTALL.fullmatch(code.install):
        yield f"model.code.install: expected a line 'pip install ...' of one distribution, got {code.install!a}"


def read_plugin_code(distribution: str) -> PluginCode | None:
    """Read what an installed distribution says of its code.

    Args:
        distribution: Name and version, as a run records them.

    Returns:
        None for this project itself, and where this version is not installed here.
    """
    name, _, version = distribution.partition(" ")
    if not is_third_party(distribution):
        return None
    try:
        installed = metadata.distribution(name)
    except (metadata.PackageNotFoundError, ValueError):
        return None
    if installed.version != version:
        return None
    addresses = _addresses(installed)
    address = next((addresses[label] for label in _CODE if label in addresses), None)
    origin = _origin(installed)
    commit = _commit(origin)
    return PluginCode(
        install=_install_line(name, version, origin, address, commit),
        address=address,
        commit=commit,
        paper=next((addresses[label] for label in _PAPER if label in addresses), None),
        authors=_line(", ".join(filter(None, (_field(installed, name) for name in ("Author", "Author-email"))))),
        licence=_line(_field(installed, "License-Expression") or _field(installed, "License")),
        dependencies=_dependencies(installed),
    )


def _field(installed: metadata.Distribution, name: str) -> str:
    return str(installed.metadata[name]) if name in installed.metadata else ""


def _addresses(installed: metadata.Distribution) -> Mapping[str, str]:
    """Return label in small letters -> address; what is not a web address is no address."""
    pairs = [text.partition(",")[::2] for text in installed.metadata.get_all("Project-URL") or ()]
    pairs.append(("home-page", _field(installed, "Home-page")))
    return {label.strip().lower(): url.strip() for label, url in pairs if _WEB.fullmatch(url.strip())}


def _origin(installed: metadata.Distribution) -> Mapping[str, Any] | None:
    """Return ``direct_url.json``: where pip took it from; None where that was an index."""
    text = installed.read_text("direct_url.json")
    try:
        origin = json.loads(text) if text else None
    except ValueError:
        return {}
    return origin if isinstance(origin, dict) else ({} if text else None)


def _commit(origin: Mapping[str, Any] | None) -> str | None:
    if origin is None:
        return None
    commit = (origin.get("vcs_info") or {}).get("commit_id")
    if isinstance(commit, str):
        return _line(commit)
    url = urllib.parse.urlsplit(str(origin.get("url", "")))
    if url.scheme != "file":
        return None
    folder = urllib.request.url2pathname(url.path)
    command = ["git", "-C", folder, "describe", "--always", "--abbrev=40", "--dirty", "--exclude=*"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)  # noqa: S603
    except (OSError, subprocess.TimeoutExpired):
        return None
    return _line(done.stdout) if done.returncode == 0 else None


def _install_line(
    name: str, version: str, origin: Mapping[str, Any] | None, address: str | None, commit: str | None
) -> str | None:
    if origin is None:
        return f"pip install {name}=={version}"
    url = str(origin.get("url", ""))
    clean = None if commit is None or commit.endswith("-dirty") else commit
    if origin.get("vcs_info") and _WEB.fullmatch(url):
        return f'pip install "git+{url}@{clean}"' if clean else None
    if _WEB.fullmatch(url):  # an archive
        return f'pip install "{url}"'
    return f'pip install "git+{address}@{clean}"' if address and clean else None


def _dependencies(installed: metadata.Distribution) -> dict[str, str]:
    versions = {}
    for requirement in installed.requires or ():
        name = re.match(r"[A-Za-z0-9._-]+", requirement)
        if name is None or "extra ==" in requirement or name[0] == HOME:
            continue
        try:
            versions[name[0]] = metadata.version(name[0])
        except metadata.PackageNotFoundError:
            continue  # of another platform
    return dict(sorted(versions.items()))


def _line(text: str) -> str | None:
    """Return a text on one line, None where it is empty or too long for a line, such as a whole licence."""
    line = " ".join(text.split())
    return line if 0 < len(line) <= _MOST_TEXT else None
