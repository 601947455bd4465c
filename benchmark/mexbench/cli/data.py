"""``bench data``: where data sets come from, whether a copy is whole, and what may be fetched."""

from __future__ import annotations

import argparse
import dataclasses
import os
import textwrap
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from tabulate import tabulate

from mexbench import cli
from mexbench.cli.analyse import build_dataset
from mexbench.cli.output import open_catalogue, progress, say, say_boxed
from mexbench.errors import DataError, counted, listed
from mexbench.interfaces import DataIssue, Dataset, DataSource
from mexbench.registry.catalogue import CatalogueEntry


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    actions.add_parser("list", help="who gives each data set, where, and what to ask for")
    where = actions.add_parser("where", help="which roots the environment or a config sets, and what is there")
    where.add_argument(
        "config", type=Path, nargs="?", metavar="CONFIG", help="a config, for the roots of its data sets"
    )
    verify = actions.add_parser("verify", help="compare a copy with what its owners published")
    verify.add_argument("root", metavar="ROOT", help="the folder that a config would name as 'root'")
    verify.add_argument("--dataset", required=True, metavar="NAME", help="plugin of the data set, such as casme2")
    verify.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", dest="overrides",
        help="a parameter of the data set, such as part=C",
    )  # fmt: skip
    fetch = actions.add_parser("fetch", help="fetch a pack whose licence lets anybody")
    fetch.add_argument("dataset", metavar="NAME", help="plugin of the data set, such as causalnet_maps")
    fetch.add_argument("--out", type=Path, metavar="DIR", help="the folder to write (default: data/NAME)")


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    actions = {"list": _list, "where": _where, "verify": _verify, "fetch": _fetch}
    return actions[options.action](options)


def _datasets() -> Iterator[tuple[CatalogueEntry, type[Dataset], DataSource | None]]:
    for entry in open_catalogue().entries:
        if entry.kind == "dataset":
            cls = entry.load()
            if issubclass(cls, Dataset):
                yield entry, cls, cls.data_source()


def _list(options: argparse.Namespace) -> int:
    del options
    rows = []
    for entry, cls, source in _datasets():
        if source is None:
            rows.append([entry.name, "-", "-", textwrap.shorten(cls.licence, 80), "-"])
            continue
        fetched = f"; bench data fetch {entry.name}" if source.archive else ""
        rows.append([entry.name, source.owner, source.page, source.request + fetched, source.size])
    headers = ["data set", "who gives it", "page", "what to ask for", "size"]
    print(
        tabulate(rows, headers=headers, tablefmt="simple", maxcolwidths=[None, 24, 34, 40, 40], disable_numparse=True)
    )
    return cli.OK


def _where(options: argparse.Namespace) -> int:
    if options.config is not None:
        return _where_of_config(options.config)
    rows = []
    for entry, _, source in _datasets():
        if source is None or not source.variable:
            continue
        value = os.environ.get(source.variable)
        state = _state(value) if value else "not set: shipped configs build a stand-in, or name the variable"
        rows.append([entry.name, source.variable, value or "-", state])
    print(tabulate(rows, headers=["data set", "variable", "value", "what is there"], disable_numparse=True))
    return cli.OK


def _where_of_config(path: Path) -> int:
    from mexbench.config.loader import load

    rows = []
    for member in load(path, open_catalogue(), []).members:
        paths = [
            (field.name, value)
            for field in dataclasses.fields(member.instance)  # type: ignore[arg-type]
            if isinstance(value := getattr(member.instance, field.name), Path) or field.name == "root"
        ]
        rows += [[member.name, name, str(value), _state(str(value))] for name, value in paths]
    print(tabulate(rows, headers=["data set", "parameter", "value", "what is there"], disable_numparse=True))
    return cli.OK


def _state(value: str) -> str:
    path = Path(value)
    if value == "stand-in":
        return "a synthetic stand-in, which is built where it is missing"
    if path.is_file():
        return "a file"
    if not path.is_dir():
        return "nothing: no such folder"
    return "a folder" if any(path.iterdir()) else "an empty folder"


def _verify(options: argparse.Namespace) -> int:
    dataset = build_dataset(options.dataset, options.root, options.overrides)
    if notice := dataset.notice():
        say_boxed(notice)
    published = dataset.published_counts()
    counts = counts_of(dataset)
    issues = list(dataset.data_issues())
    names = dict.fromkeys([*published, *counts])
    rows = [[name, published.get(name, "-"), counts.get(name, 0), _verdict(published, counts, name)] for name in names]
    print(tabulate(rows, headers=["count", "published", "this copy", ""], tablefmt="simple"))
    for line in _issue_lines(issues):
        print(line)
    different = [name for name in published if counts.get(name, 0) != published[name]]
    if not published:
        say(f"{options.dataset} states no published counts: nothing to compare with")
        return cli.OK
    print(f"{len(published) - len(different)} of {counted(len(published), 'count is', 'counts are')} as published")
    return cli.FAILED if different else cli.OK


def counts_of(dataset: Dataset) -> Mapping[str, int]:
    """Count what a copy holds, under the names of ``published_counts``.

    Raises:
        DataError: The data cannot be read.
    """
    samples = dataset.samples()
    emotions = Counter(str(sample.emotion) for sample in samples if sample.emotion is not None)
    videos = dataset.videos()
    counts = {
        "clips": len({sample.clip_id for sample in samples}),
        "subjects": len({sample.subject for sample in samples if sample.subject is not None}),
        **{f"emotion {name}": count for name, count in sorted(emotions.items())},
    }
    if videos:
        counts |= {"videos": len(videos), "intervals": sum(len(video.intervals) for video in videos)}
    return counts


def _verdict(published: Mapping[str, int], counts: Mapping[str, int], name: str) -> str:
    if name not in published:
        return "not published"
    return "as published" if counts.get(name, 0) == published[name] else "differs"


def _issue_lines(issues: Sequence[DataIssue]) -> Iterator[str]:
    kinds = Counter((issue.what, issue.excluded) for issue in issues)
    for (what, excluded), count in kinds.items():
        places = [f"{issue.where} {issue.detail}".strip() for issue in issues if issue.what == what]
        yield f"{what}: {count}{' excluded' if excluded else ''}: {listed(places, limit=3)}"


def _fetch(options: argparse.Namespace) -> int:
    from mexbench.data.archive_download import fetch_archive

    cls = open_catalogue().get("dataset", options.dataset).load()
    source = cls.data_source() if issubclass(cls, Dataset) else None
    archive = source.archive if source else None
    if archive is None:
        reason = f"{source.owner} gives it: {source.request}; {source.page}" if source else "nobody publishes it"
        raise DataError(f"{options.dataset} cannot be fetched by this command: {reason}")
    out: Path = options.out or Path("data") / options.dataset
    say_boxed(f"{archive.url}\nLicence: {archive.licence}")
    with progress("fetch, MiB", max(1, archive.largest >> 20)) as tick:
        count = fetch_archive(archive, out, progress=lambda arrived: tick(arrived >> 20))
    print(f"{counted(count, 'file')} in {out}")
    if archive.missing:
        print(f"not in the archive: {archive.missing}")
    print(f"check it with: bench data verify {out} --dataset {options.dataset}")
    return cli.OK
