"""``bench fetch-videos``: the films that a list of clips names, through yt-dlp."""

from __future__ import annotations

import argparse
from pathlib import Path

from mexbench import cli
from mexbench.cli.output import positive, say, say_boxed
from mexbench.data.video import clip_list as manifest
from mexbench.data.video import download as fetch
from mexbench.errors import counted
from mexbench.runs.lock import only_one


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument(
        "manifest", type=Path, metavar="MANIFEST", help="list of clips (.csv) with the columns path and source_url"
    )
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="where the list's paths begin (default: the folder of the list)"
    )
    parser.add_argument(
        "--max-mib", type=positive, default=2048, metavar="N", help="fetch no film larger than so many MiB (2048)"
    )


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    fetch.check_yt_dlp()
    entries = manifest.read(options.manifest, say)
    out: Path = options.out or options.manifest.parent
    wanted = fetch.sources(entries, out)
    without = sorted({entry.path for entry in entries} - wanted.keys())
    say_boxed(fetch.REMINDER)
    for path in without:
        say(f"{path}: the list has no source_url for it")
    failed = 0
    try:
        with only_one(out, say):
            for film in fetch.fetch(wanted, out, most_bytes=options.max_mib * 2**20):
                if film.failed:
                    failed += 1
                    say(f"error: {film.path}: {film.what}")
                else:
                    print(f"{film.path}: {film.what}", flush=True)
    except KeyboardInterrupt:
        say("stopped: what is fetched is kept; the same command goes on from here")
        return cli.INTERRUPTED
    print(
        f"{len(wanted) - failed} of {counted(len(wanted), 'film is', 'films are')} there; checksums: "
        f"{out / fetch.CHECKSUMS}"
    )
    return cli.FAILED if failed else cli.OK
