"""The plugins that rows name: what each is, where it comes from, and where its paper and its code are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mexbench.errors import PluginError
from mexbench.registry.catalogue import Catalogue
from mexbench.registry.parameters import summary
from mexbench.reports.leaderboards import page
from mexbench.reports.leaderboards.rows import BoardRow, BoardRows

#: Kind -> its heading.
HEADINGS: Mapping[str, str] = {
    "dataset": "Data sets",
    "preprocessor": "Preprocessing",
    "model": "Models",
    "protocol": "Protocols",
}
_NOT_HERE = "not installed where these pages were made"


@dataclass(frozen=True)
class PluginAbout:
    """A plugin of a row.

    Args:
        kind: dataset, preprocessor, model or protocol.
        name: As configs name it.
        distribution: The package that has it, with its version.
        summary: What it is, in a sentence.
        source: Its paper, or what else it comes from.
        licence: Of a data set, from its owners.
        code: What a third party states of its code: pairs of a heading and a text.
    """

    kind: str
    name: str
    distribution: str
    summary: str
    source: str | None = None
    licence: str | None = None
    code: tuple[tuple[str, str], ...] = ()

    @property
    def anchor(self) -> str:
        """Its place on the page of plugins."""
        return f"{self.kind}-{self.name}"


def named(config: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield (kind, name) of each plugin that the config of a row names, members of composite data sets too."""
    data = [config.get("dataset")]
    while data:
        one = data.pop(0)
        if isinstance(one, Mapping):
            if isinstance(one.get("plugin"), str):
                yield "dataset", one["plugin"]
            data += [value for value in one.values() if isinstance(value, (Mapping, list))]
        elif isinstance(one, list):
            data += one
    for step in config.get("preprocess") or ():
        if isinstance(step, Mapping) and isinstance(step.get("plugin"), str):
            yield "preprocessor", step["plugin"]
    protocol = config.get("protocol")
    if isinstance(protocol, Mapping) and isinstance(protocol.get("plugin"), str):
        yield "protocol", protocol["plugin"]


def plugins_about(boards: Sequence[BoardRows], catalogue: Catalogue) -> dict[tuple[str, str], PluginAbout]:
    """Describe every plugin of every row, by kind and name."""
    found: dict[tuple[str, str], PluginAbout] = {}
    for row in (row for board in boards for row in board.rows):
        model = row.entry.model
        keys = [*named(row.entry.origin.config), ("model", model.plugin)]
        for key in keys:
            if key not in found:
                found[key] = _about(*key, row, catalogue)
    order = list(HEADINGS)
    return dict(sorted(found.items(), key=lambda item: (order.index(item[0][0]), item[0][1])))


def _about(kind: str, name: str, row: BoardRow, catalogue: Catalogue) -> PluginAbout:
    model = row.entry.model
    code = tuple(page.code_parts(row)) if kind == "model" else ()
    distribution = model.distribution if kind == "model" else "unknown"
    try:
        entry = catalogue.get(kind, name)
        cls = entry.load()
    except PluginError:
        return PluginAbout(kind, name, distribution, _NOT_HERE, code=code)
    text = summary(cls).replace("`", "")
    return PluginAbout(kind, name, entry.distribution, text, cls.source, cls.licence, code)
