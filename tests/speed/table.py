"""One table of speed: ``python -m tests.speed.table`` measures and writes ``docs/reference/speed.md``; needs PyTorch.

It runs the scripts of this folder with few rounds, about five minutes of one processor in all, and writes ratios alone:
milliseconds belong to a machine, ratios of contenders that take turns nearly hold on the next one. Beside them are the
machine, its load, the commit and the date. ``--only NAME`` measures one group and prints it, ``--out FILE`` writes
another file, with ``--only`` as well.
"""

from __future__ import annotations

import argparse
import datetime
import importlib.metadata
import importlib.util
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "reference" / "speed.md"
PACKAGES = ("jax", "numpy", "opencv-python-headless", "scikit-learn", "torch")
OPTIONAL = ("openvino",)


class Row(NamedTuple):
    """A line of the table.

    Args:
        what: What is measured.
        peer: What it is compared with.
        ratio: Time of the peer by ours: above 1, ours is faster.
    """

    what: str
    peer: str
    ratio: float


def networks() -> list[Row]:
    """Time training steps against PyTorch, as it comes and as fast as it gets."""
    from tests.speed.networks import NETWORKS, OURS, PEERS, compare

    rows = []
    for name in NETWORKS:
        times = compare(name, [*PEERS, OURS], rounds=3, steps=3, starts=3)
        fastest = min((peer for peer in PEERS if peer in times), key=lambda peer: times[peer])
        rows.append(Row(f"training step of `{name}`", "PyTorch, eager", times["eager"] / times[OURS]))
        rows.append(Row("", f"the fastest PyTorch ({fastest})", times[fastest] / times[OURS]))
    return rows


def ststnet() -> list[Row]:
    """Time STSTNet, one fold at a time and folds together, against the authors' way."""
    from tests.speed.ststnet import measured

    eager = measured("eager", 8)
    return [
        Row("training step of `ststnet`, one fold", "PyTorch, eager", eager / measured("alone", 8)),
        Row("the same, 8 folds together, each fold", "PyTorch, eager", eager / measured("together", 8)),
    ]


def vgg16() -> list[Row]:
    """Time VGG-16's features."""
    from tests.speed.vgg16 import CONTENDERS, available, compare

    times = {name: statistics.median(turns) for name, turns in compare(available(), rounds=3).items()}
    ours = times.pop("ours")
    return [Row("features of `vgg16`", CONTENDERS[name], peer / ours) for name, peer in times.items()]


def preprocess() -> list[Row]:
    """Time face + CLAHE + resize."""
    from mexbench.data.read_ahead import cores
    from tests.speed.preprocess import against_a_loop

    step, peer = "`face`, `clahe`, `resize`, 30 frames of 640 x 480", "OpenCV's calls, frame by frame"
    one = against_a_loop(1)
    rows = [Row(f"{step}, one thread", peer, one["loop"][0] / one["steps"][0])]
    if cores() > 1:
        many = against_a_loop(cores())
        wall = many["loop"][1] / many["steps"][1]
        rows.append(Row(f"the same, {cores()} threads, wall time", f"{peer}, likewise", wall))
    return rows


def harness() -> list[Row]:
    """Time a run of five classical models against a loop."""
    from tests.speed.harness import against_loop, bootstrap_ratio

    with tempfile.TemporaryDirectory() as folder:
        _, spent = against_loop(Path(folder))
    return [
        Row("`bench run`, five classical models, LOSO of 68", "loop over scikit-learn", spent["loop"] / spent["run"]),
        Row("the same command again, when all is done", "its first run", spent["run"] / spent["again"]),
        Row("2,000 bootstrap replicates of subjects", "loop over scikit-learn", bootstrap_ratio()),
    ]


def planning() -> list[Row]:
    """Time ``bench check`` on four times the subjects: 1 is linear, beside a start that is the same."""
    few, many = check_seconds(500), check_seconds(2000)
    return [Row("`bench check`, 2,000 subjects x 10 clips, each subject", "the same of 500 subjects", 4 * few / many)]


def check_seconds(subjects: int) -> float:
    """Return the processor time of ``bench check`` on a synthetic data set of ten clips a subject."""
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "config.yaml"
        dataset = f"{{plugin: synthetic, subjects: {subjects}, clips: 10}}"
        config.write_text(f"dataset: {dataset}\nprotocol: loso\nmodels: [majority]\n")
        before = _children()
        command = [sys.executable, "-m", "mexbench", "check", str(config)]
        subprocess.run(command, check=True, capture_output=True)
        return _children() - before


GROUPS: dict[str, Callable[[], list[Row]]] = {
    "networks": networks, "ststnet": ststnet, "vgg16": vgg16, "preprocess": preprocess, "harness": harness,
    "planning": planning,
}  # fmt: skip


def _children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def measure(group: str) -> list[Row]:
    """Measure a group in a process of its own, so that none sees the libraries and the memory of another."""
    command = [sys.executable, "-m", "tests.speed.table", "--child", group]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return [Row(*row) for row in json.loads(done.stdout.splitlines()[-1])]


def circumstances(load: Sequence[float]) -> str:
    """Return a sentence on the machine, its load before and after, the commit, the date and the packages."""
    model = platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        names = [line.partition(":")[2].strip() for line in cpuinfo.read_text().splitlines() if "model name" in line]
        model = f"{names[0]}, {model}" if names else model

    def git(*arguments: str) -> str:
        return subprocess.run(["git", *arguments], cwd=ROOT, check=True, capture_output=True, text=True).stdout.strip()

    changed = "with changes" if git("status", "--porcelain", "--untracked-files=no") else "unchanged"
    packages = [*PACKAGES, *(name for name in OPTIONAL if importlib.util.find_spec(name))]
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in packages)
    after = os.getloadavg()[0]
    return (
        f"Measured on {datetime.datetime.now(datetime.UTC):%Y-%m-%d} at commit `{git('rev-parse', '--short', 'HEAD')}`"
        f" ({changed}), on {os.cpu_count()} cores of {model}, whose load was {load[0]:.1f} before and {after:.1f} after"
        f" it; Python {platform.python_version()}, {versions}."
    )


def render(rows: Sequence[Row], about: str) -> str:
    """Return the page."""
    table = [f"| {what} | {peer} | {_digits(ratio)} |" for what, peer, ratio in rows]
    return "\n".join(
        [
            "# Speed",
            "",
            "How many times as fast as its peer each part is: above 1, mexbench is faster. Peers and ours take turns,",
            "on one thread, and processor time counts, unless a line says otherwise. `cl` is channels last in memory,",
            "`km` keeps memory between steps, as ours does, `compile` is `torch.compile` with both. `python -m",
            "tests.speed.table` writes this page; the scripts beside it in `tests/speed` say what each line is.",
            "",
            "| part | peer | times as fast |",
            "| --- | --- | ---: |",
            *table,
            "",
            about,
            "",
        ]
    )


def _digits(ratio: float) -> str:
    return f"{ratio:.2f}" if ratio < 10 else f"{ratio:.0f}"


def main() -> None:
    """Measure all groups and write the page, or measure one."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=GROUPS, action="append", help="measure this group alone")
    parser.add_argument("--out", type=Path, help="page to write; unless --only is given, docs/reference/speed.md")
    parser.add_argument("--child", choices=GROUPS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        from mexbench import devices

        devices.use_one_thread()
        print(json.dumps(GROUPS[options.child]()))
        return
    load, rows = os.getloadavg(), []
    for group in options.only or GROUPS:
        start = time.perf_counter(), _children()
        measured = measure(group)
        spent = time.perf_counter() - start[0], _children() - start[1]
        print(f"{group}: {spent[1]:.0f} s of a processor, {spent[0]:.0f} s on the clock", flush=True)
        for row in measured:
            print(f"  {row.what:<60} {row.peer:<38} {_digits(row.ratio)}", flush=True)
        rows += measured
    page = options.out or (None if options.only else PAGE)
    if page is not None:
        page.write_text(render(rows, circumstances(load)), encoding="utf-8")
        print(f"written: {page}")


if __name__ == "__main__":
    main()
