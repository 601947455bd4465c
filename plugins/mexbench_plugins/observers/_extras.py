"""Packages that an extra of this project installs."""

from __future__ import annotations

import importlib.util

from mexbench.errors import PluginError, missing_extra


def check_installed(module: str, *, extra: str) -> None:
    """See that a package is there.

    Raises:
        PluginError: It is not installed; names the extra that installs it.
    """
    if importlib.util.find_spec(module) is None:
        raise PluginError(missing_extra(f"observer {extra!r}", module, extra))
