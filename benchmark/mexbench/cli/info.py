"""``bench info NAME``: one plugin's page."""

from __future__ import annotations

import argparse
import dataclasses
import inspect
import json
import textwrap
from collections.abc import Iterator, Sequence

from tabulate import tabulate

from mexbench import cli
from mexbench.cli.output import open_catalogue
from mexbench.errors import ConfigError, PluginError, unknown
from mexbench.interfaces import Dataset, Model, Plugin
from mexbench.registry.catalogue import CatalogueEntry
from mexbench.registry.parameters import Parameter, build, parameters, summary


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("name", metavar="NAME", help="a plugin's name, as 'bench list' shows it")
    parser.add_argument("--classes", type=int, metavar="N", help="show a network's layers for this many classes")


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    catalogue = open_catalogue()
    found = [entry for entry in catalogue.entries if entry.name == options.name]
    if not found:
        raise PluginError(unknown("plugin", options.name, {entry.name for entry in catalogue.entries}))
    pages = [_page(entry) for entry in found]
    if options.classes is not None:
        pages += [_layers(entry, options.classes) for entry in found if entry.kind == "model"]
    print("\n\n".join(pages))
    return cli.OK


def _layers(entry: CatalogueEntry, n_classes: int) -> str:
    """Return the table of a network with its default parameters: name, output shape, values, and their sum."""
    if n_classes < 2:
        raise ConfigError(f"--classes: expected at least 2, got {n_classes}")
    model, _ = build(entry.load(), {})
    rows = model.layers(n_classes) if isinstance(model, Model) else ()
    if not rows:
        return f"{entry.name} has no layers to show"
    cells = [[row.name, " x ".join(map(str, row.shape)), f"{row.n_params:,}"] for row in rows]
    total = ["total", "", f"{sum(row.n_params for row in rows):,}"]
    headers = [f"layer, {n_classes} classes", "output of a sample", "values"]
    return tabulate(
        [*cells, total], headers=headers, tablefmt="simple", disable_numparse=True, colalign=("left", "left", "right")
    )


def _page(entry: CatalogueEntry) -> str:

    cls = entry.load()
    lines = [f"{entry.name} ({entry.kind})", textwrap.fill(summary(cls), 100), ""]
    lines += [f"from      {entry.distribution}, {entry.location}"]
    lines += [f"file      {inspect.getsourcefile(cls) or 'unknown'}"]
    lines += [f"source    {cls.source or 'not stated'}"]
    if cls.licence:
        lines += [f"licence   {cls.licence}"]
    if issubclass(cls, Dataset) and cls.checked_on:
        lines += [f"checked   on {cls.checked_on}"]
    return "\n\n".join(["\n".join(lines), _parameters(cls), *_errata(cls)])


def _parameters(cls: type[Plugin]) -> str:
    found = parameters(cls)
    if not found:
        return "no parameters"
    rows = list(_rows(found))
    return tabulate(
        rows,
        headers=["parameter", "type", "default", "meaning"],
        tablefmt="simple",
        maxcolwidths=[None, 30, None, 60],
        disable_numparse=True,
    )


def _rows(found: Sequence[Parameter], prefix: str = "") -> Iterator[list[str]]:
    """Yield a row for each parameter; one that is a group of others is followed by these."""
    for parameter in found:
        group = dataclasses.is_dataclass(parameter.annotation)
        default = "" if group else "(required)" if parameter.required else json.dumps(parameter.default, default=str)
        yield [f"{prefix}{parameter.name}", "" if group else parameter.type_text, default, parameter.doc]
        if group:
            yield from _rows(parameters(parameter.annotation), f"{prefix}{parameter.name}.")


def _errata(cls: type[Plugin]) -> list[str]:
    errata = cls.known_corrections() if issubclass(cls, Dataset) else ()
    if not errata:
        return []
    rows = [[e.sample_id, e.field, e.published, e.corrected, e.reason, e.source] for e in errata]
    headers = ["errata", "field", "published", "corrected", "reason", "source"]
    widths = [None, None, None, None, 40, 30]
    return [tabulate(rows, headers=headers, tablefmt="simple", maxcolwidths=widths, disable_numparse=True)]
