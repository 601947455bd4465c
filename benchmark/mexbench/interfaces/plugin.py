"""What every kind of plugin shares."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar


class Plugin:
    """What the five kinds of plugin share: where they come from, and flags that every table shows."""

    #: Paper, section and table, or DOI, of what is re-implemented or of the data.
    source: ClassVar[str] = ""
    #: Licence or conditions of the data, or of the weights.
    licence: ClassVar[str] = ""

    def flags(self) -> tuple[str, ...]:
        """Return words that every score made with this plugin is flagged with, such as ``synthetic``."""
        return ()

    def provenance(self) -> Mapping[str, str]:
        """Return what decides results besides the parameters, such as the SHA-256 of a file of weights; no path.

        It is part of a run's identity, which the manifest holds, and of the keys of the cache.

        Raises:
            DataError: A file that it needs is missing.
        """
        return {}
