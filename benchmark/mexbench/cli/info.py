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
    entries = [entry for entry in catalogue.entries if entry.name == options.name]
    if not entries:
        raise PluginError(unknown("plugin", options.name, {entry.name for entry in catalogue.entries}))
    pages = [page_of(entry) for entry in entries]
    if options.classes is not None:
        pages += [_layers(entry, options.classes) for entry in entries if entry.kind == "model"]
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


def page_of(entry: CatalogueEntry) -> str:
    """Return what a plugin is, where it comes from, and its parameters."""
    cls = entry.load()
    lines = [f"{entry.name} ({entry.kind})", textwrap.fill(_plain(summary(cls)), 100), ""]
    lines += [f"from      {entry.distribution}, {entry.location}"]
    lines += [f"file      {inspect.getsourcefile(cls) or 'unknown'}"]
    lines += [f"source    {cls.source or 'not stated'}"]
    if cls.licence:
        lines += [f"licence   {cls.licence}"]
    if issubclass(cls, Dataset) and cls.checked_on:
        lines += [f"checked   on {cls.checked_on}"]
    return "\n\n".join(["\n".join(lines), _parameters(cls), *_errata(cls)])


def _parameters(cls: type[Plugin]) -> str:
    declared = parameters(cls)
    if not declared:
        return "no parameters"
    rows = list(_rows(declared))
    return tabulate(
        rows,
        headers=["parameter", "type", "default/choices", "meaning"],
        tablefmt="simple",
        maxcolwidths=[None, 24, 30, 60],
        disable_numparse=True,
    )


def _rows(declared: Sequence[Parameter], prefix: str = "") -> Iterator[list[str]]:
    """Yield a row for each parameter; one that is a group of others is followed by these."""
    for parameter in declared:
        group = dataclasses.is_dataclass(parameter.annotation)
        default = "(required)" if parameter.required else json.dumps(parameter.default, default=str)
        if parameter.choices:
            default += f"; choices: {', '.join(map(json.dumps, parameter.choices))}"
        name = f"{prefix}{parameter.name}"
        yield [name, *(("", "") if group else (parameter.type_name, default)), _plain(parameter.doc)]
        if group:
            yield from _rows(parameters(parameter.annotation), f"{name}.")


def _plain(text: str) -> str:
    """Drop the marks of code of a docstring."""
    return text.replace("``", "")


def _errata(cls: type[Plugin]) -> list[str]:
    errata = cls.known_corrections() if issubclass(cls, Dataset) else ()
    if not errata:
        return []
    rows = [[e.sample_id, e.field, e.published, e.corrected, e.reason, e.source] for e in errata]
    headers = ["errata", "field", "published", "corrected", "reason", "source"]
    widths = [None, None, None, None, 40, 30]
    return [tabulate(rows, headers=headers, tablefmt="simple", maxcolwidths=widths, disable_numparse=True)]
