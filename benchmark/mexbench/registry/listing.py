"""What can be named in a config, as a table."""

from __future__ import annotations

from mexbench.errors import ConfigError, PluginError, unknown
from mexbench.registry.catalogue import KINDS, Catalogue
from mexbench.registry.parameters import summary

#: The kinds of plugins in the order of a table, in the plural; "bench list model" is understood as well.
PLURALS = tuple(f"{kind}s" for kind in KINDS)


def plugin_rows(catalogue: Catalogue, kind: str | None = None) -> tuple[list[list[str]], list[PluginError]]:
    """List plugins by kind and name.

    Args:
        catalogue: The plugins.
        kind: One of ``PLURALS``, or its singular; None for all.

    Returns:
        Rows of kind, name, what it is and distribution; and why some plugins cannot be imported.

    Raises:
        ConfigError: The kind is unknown.
    """
    wanted = kind.removesuffix("s") if kind else None
    if wanted is not None and wanted not in KINDS:
        raise ConfigError(unknown("kind of plugin", kind, PLURALS))
    rows, errors = [], []
    order = list(KINDS)
    for entry in sorted(catalogue.entries, key=lambda entry: (order.index(entry.kind), entry.name)):
        if wanted not in (None, entry.kind):
            continue
        try:
            text = summary(entry.load())
        except PluginError as error:
            errors.append(error)
            text = "broken: see the error"
        rows.append([entry.kind, entry.name, text, entry.distribution])
    return rows, errors
