"""Packages that an extra of this project installs."""

from __future__ import annotations

import importlib.util

from mexbench.errors import PluginError


def check_installed(module: str, *, extra: str) -> None:
    """See that a package is there.

    Raises:
        PluginError: It is not installed; names the extra that installs it.
    """
    if importlib.util.find_spec(module) is None:
        raise PluginError(f"observer {extra!r} needs {module}, which is not installed: pip install 'mexbench[{extra}]'")
