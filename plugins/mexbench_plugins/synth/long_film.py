"""``bench synth --seconds``: one long film of a face with expressions at known times, and a table of them."""

from __future__ import annotations

import argparse
import csv
import io
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from mexbench.errors import ConfigError, counted

if TYPE_CHECKING:
    from mexbench_plugins.synth.faces import SyntheticFace
    from mexbench_plugins.synth.output import Request

_LONGEST_S = 3600
_COLUMNS = ("type", "emotion", "onset_s", "apex_s", "offset_s", "onset", "apex", "offset")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of a long film."""
    parser.add_argument(
        "--seconds", type=float, metavar="S",
        help="with --face: a long film of S seconds with head motion, blinks and expressions at random times; a CSV "
        "beside it says which and when (for bench predict --spot MODEL --truth CSV)",
    )  # fmt: skip
    parser.add_argument("--micro", type=int, help="with --seconds: number of micro-expressions (default: 3)")
    parser.add_argument("--macro", type=int, help="with --seconds: number of macro-expressions (default: 0)")


def check(options: argparse.Namespace) -> None:
    """Check the options of a long film.

    Raises:
        ConfigError: One is out of bounds.
    """
    if not 5 <= options.seconds <= _LONGEST_S:
        raise ConfigError(f"--seconds must lie between 5 and {_LONGEST_S}: got {options.seconds:g}")
    if options.out.suffix.lower() != ".mp4":
        raise ConfigError(f"--out {options.out}: a long film is an .mp4 file")
    for name in ("micro", "macro"):
        if not 0 <= (value := getattr(options, name)) <= 1000:
            raise ConfigError(f"--{name} must lie between 0 and 1000: got {value}")
    if options.fps != round(options.fps):
        raise ConfigError(f"--fps {options.fps:g}: a long film has a whole number of frames per second")


def request(options: argparse.Namespace) -> Request:
    """Return what is to be written.

    Raises:
        ConfigError: The film or its table is there already.
    """
    from mexbench_plugins.synth import output

    asked = output.Request(out=options.out, emotion=None, fps=options.fps, force=options.force)
    output.check(asked)
    table = options.out.with_suffix(".csv")
    if table.is_dir() or (table.exists() and not options.force):
        raise ConfigError(f"{table} exists: choose another --out, or give --force to replace it")
    return asked


def write(face: SyntheticFace, asked: Request, options: argparse.Namespace) -> str:
    """Render the film and write it with its table; return a report.

    Raises:
        ConfigError: So many expressions do not fit into the film.
        DataError: The film cannot be written.
    """
    from mexbench_plugins.synth import output
    from mexbench_plugins.synth.long_videos import LongTake, LongVideoSpec, direct

    height, width = face.image.shape[:2]
    spec = LongVideoSpec(
        width=width, height=height, seconds=options.seconds, fps=round(options.fps), intensity=options.intensity,
        micro=options.micro, macro=options.macro, noise=options.noise, drift=options.drift,
    )  # fmt: skip
    try:
        script = direct(spec, person=0, seed=options.seed)
    except ValueError as error:
        raise ConfigError(f"--micro, --macro: {error}; give more --seconds") from None
    out, table = options.out, options.out.with_suffix(".csv")
    parent = out.absolute().parent
    parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=".tmp-synth-long-", dir=parent))
    try:
        output.write_frames(LongTake(face, script).frames(), work / out.name, asked, (width, height))
        stream = io.StringIO()
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(_COLUMNS)
        for one in script.intervals():
            frames = one.onset, one.apex or one.onset, one.offset
            writer.writerow([one.kind, one.emotion, *(f"{(n - 1) / spec.fps:.4f}" for n in frames), *frames])
        (work / table.name).write_text(stream.getvalue(), encoding="utf-8")
        for path in (out, table):
            (work / path.name).replace(path)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    lines = [
        ("film", f"{out}: {counted(spec.n_frames, 'frame')}, {width}x{height}, {spec.fps} fps"),
        (
            "what is in it",
            f"{table}: {counted(spec.micro, 'micro-expression')}, {counted(spec.macro, 'macro-expression')}",
        ),
    ]
    return "\n".join(f"{name:<15}{text}" for name, text in lines)
