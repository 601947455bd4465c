"""How time and memory grow with the number of clips: from the 442 of MEGC 2019 to the 7,526 of DFME.

    python -m tests.speed.scale                                  # plan and load, 442, 1,800 and 7,526 clips
    python -m tests.speed.scale --clips 7526 --train             # and train au_cnn for one epoch, 10 folds by subject
    python -m tests.speed.scale --clips 7526 --train --executor dask --jobs 2
    python -m tests.speed.scale --clips 7526 --only-train --executor dask --scheduler tcp://... --watch PID PID PID

The data are JPEGs in DFME's layout, one folder per clip, with its sheets: coloured noise of low frequency that differs
between clips, and a spot that moves from frame to frame. They are no faces, and scores say nothing; they are as many,
as large and as far from each other as frames of faces are. Memory is the proportional set size (PSS) of all processes
together, in which a page that several processes share counts once, looked at four times a second.
"""

from __future__ import annotations

import argparse
import csv
import json
import math
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import psutil

from mexbench.devices import ONE_THREAD

#: Clips of the composite of MEGC 2019, a size between, and of DFME; and people of the latter.
SIZES, DFME_CLIPS, DFME_SUBJECTS = (442, 1_800, 7_526), 7_526, 671
EMOTIONS = ("Anger", "Contempt", "Disgust", "Fear", "Happiness", "Sadness", "Surprise")
_LOOK_S = 0.25


def write_clips(root: Path, n_clips: int, *, frames: int, size: int) -> None:
    """Write clips of DFME's layout, each person's one after the other; what is there already is kept.

    Args:
        root: Folder to write.
        n_clips: How many; people in DFME's proportion.
        frames: Of each clip.
        size: Height and width of a frame.
    """
    header = ["Subject", "Filename", "OnsetFrame", "ApexFrame", "OffsetFrame", "Emotion", "EmotionId", "Fps", "AU"]
    n_subjects = max(10, round(n_clips * DFME_SUBJECTS / DFME_CLIPS))
    rows = []
    for clip in range(n_clips):
        subject, index = clip % n_subjects, clip // n_subjects
        name = f"sub{subject + 1:04}_{index + 1:02}"
        emotion = (subject * 5 + index) % len(EMOTIONS)
        rows.append([subject + 1, name, 0, frames // 2, frames - 1, EMOTIONS[emotion], emotion, 300, "AU4"])
        folder = root / "training" / name
        if not (folder / f"{frames - 1:03}.jpg").exists():
            folder.mkdir(parents=True, exist_ok=True)
            _write_frames(folder, clip, frames, size)
    with (root / "training_sheet.csv").open("w", newline="") as stream:
        csv.writer(stream).writerows([header, *rows])


def _write_frames(folder: Path, clip: int, frames: int, size: int) -> None:
    rng = np.random.default_rng(clip)
    coarse = rng.integers(40, 200, (12, 12, 3), np.uint8)
    base = cv2.resize(coarse, (size, size), interpolation=cv2.INTER_CUBIC)
    for frame in range(frames):
        image = base.copy()
        centre = (size // 4 + frame * size // (2 * frames), size // 2)
        cv2.circle(image, centre, size // 10, (250, 250, 250), -1)
        cv2.imwrite(str(folder / f"{frame:03}.jpg"), image, [cv2.IMWRITE_JPEG_QUALITY, 80])


CONFIG = """
dataset: {{plugin: dfme, root: {root}, part: training, classes: 7}}
frames: {{unit: frame, count: {count}}}
preprocess: [{{plugin: resize, size: {size}}}]
protocol: {{plugin: kfold, k: 10}}
models:
  - {model}
seeds: [0]
"""
#: The smallest network of the paper's table 5, without batch normalisation: 2.2 ms a frame and epoch on a core.
SMALL = "{plugin: au_cnn, epochs: 1, convolutions: 1, batch_norm: false}"


class Memory:
    """Watches the memory of some processes and of all that they have started."""

    def __init__(self, *processes: int) -> None:
        self.watched, self.peak, self.at_peak = processes, 0, ""
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Memory:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._end.wait(_LOOK_S):
            sizes = list(self._sizes())
            if sum(sizes) > self.peak:
                self.peak = sum(sizes)
                self.at_peak = " + ".join(f"{size / 1e6:.0f}" for size in sizes)

    def _sizes(self) -> Iterator[int]:
        processes = set()
        for number in self.watched:
            with suppress(psutil.Error):
                first = psutil.Process(number)
                processes |= {first, *first.children(recursive=True)}
        for process in sorted(processes, key=lambda process: process.pid):
            try:
                lines = Path(f"/proc/{process.pid}/smaps_rollup").read_text().splitlines()
            except OSError:
                continue
            yield next((int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:")), 0)


def plan_and_load(config: Path) -> dict[str, float]:
    """Plan a run in this process; return the seconds of loading and of all else, and processor time."""
    from mexbench.config.loader import load
    from mexbench.data.cache import Cache, default_root
    from mexbench.evaluation import plan as planning
    from mexbench.registry.catalogue import load_catalogue

    loading = 0.0
    load_arrays = planning.load_arrays

    def timed(*arguments: Any, **named: Any) -> Any:  # noqa: ANN401
        nonlocal loading
        start = time.perf_counter()
        result = load_arrays(*arguments, **named)
        loading += time.perf_counter() - start
        return result

    planning.load_arrays = timed
    start, processor = time.perf_counter(), time.process_time()
    plan = planning.plan(load(config, load_catalogue()), Cache(default_root()))
    total = time.perf_counter() - start
    return {
        "samples": len(plan.parts[0].data.samples), "tasks": len(plan.tasks), "load": loading, "plan": total - loading,
        "processor": time.process_time() - processor, "bytes": plan.parts[0].arrays.x.nbytes,
    }  # fmt: skip


@contextmanager
def watched(
    command: list[str],
    others: Sequence[int] = (),
    **options: Any,  # noqa: ANN401 - those of Popen
) -> Iterator[tuple[subprocess.Popen[str], Memory]]:
    """Start a process and watch its memory, and that of others."""
    process = subprocess.Popen(command, text=True, **options)
    with Memory(process.pid, *others) as memory:
        yield process, memory


def measure(folder: Path, n_clips: int, options: argparse.Namespace) -> dict[str, float]:
    """Write the clips, plan and load them, first without and then with a cache; print and return what it cost."""
    root = folder / f"clips-{n_clips}"
    start = time.perf_counter()
    write_clips(root, n_clips, frames=options.frames, size=options.size)
    print(f"{n_clips} clips x {options.frames} frames x {options.size} x {options.size}: written in "
          f"{time.perf_counter() - start:.0f} s", flush=True)  # fmt: skip
    count = options.count or options.frames
    config = folder / f"scale-{n_clips}-{count}.yaml"
    config.write_text(CONFIG.format(root=root, count=count, size=options.size, model=options.model))
    costs: dict[str, float] = {}
    for what in () if options.only_train else ("first", "cached"):
        command = [sys.executable, "-m", "tests.speed.scale", "--child", str(config)]
        with watched(command, stdout=subprocess.PIPE) as (process, memory):
            answer, _ = process.communicate()
        found = json.loads(answer)
        found["peak"] = memory.peak
        costs |= {f"{what} {name}": value for name, value in found.items()}
        print(
            f"  {what:<7} plan {found['plan']:6.1f} s, load {found['load']:6.1f} s, processor {found['processor']:6.1f}"
            f" s, peak {memory.peak / 1e6:5.0f} MB for {found['samples']:.0f} samples of {found['bytes'] / 1e6:.0f} MB",
            flush=True,
        )
    if options.train or options.only_train:
        train(folder, config, options)
    return costs


def train(folder: Path, config: Path, options: argparse.Namespace) -> None:
    """Carry out the run and print its time and memory."""
    out = folder / f"run-{config.stem}-{options.executor or 'processes'}"
    command = [sys.executable, "-m", "mexbench", "run", str(config), "--out", str(out)]
    command += [] if options.scheduler else ["--jobs", str(options.jobs)]
    command += ["--executor", options.executor] if options.executor else []
    command += ["--scheduler", options.scheduler] if options.scheduler else []
    command += ["--memory", options.memory] if options.memory else []
    start = time.perf_counter()
    with watched(command, options.watch) as (process, memory):
        try:
            code = process.wait(options.stop_after)
        except subprocess.TimeoutExpired:
            process.terminate()
            code = process.wait()
    done = len(list(out.glob("tasks/*/*/*.json")))
    print(f"  run: {done} tasks done, exit code {code}, {time.perf_counter() - start:.0f} s, peak "
          f"{memory.peak / 1e6:.0f} MB in all processes together ({memory.at_peak})", flush=True)  # fmt: skip


def growth(costs: dict[int, dict[str, float]]) -> None:
    """Print how costs grow between the smallest and the largest number of clips; an exponent of 1 is linear."""
    few, many = min(costs), max(costs)
    print(f"from {few} to {many} clips, {many / few:.1f} times as many:")
    for name in ("first plan", "first load", "first processor", "cached plan", "cached load", "first peak"):
        ratio = costs[many][name] / max(costs[few][name], 1e-9)
        print(f"  {name:<16} {ratio:6.1f} times, exponent {math.log(ratio) / math.log(many / few):.2f}")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, nargs="+", default=list(SIZES))
    parser.add_argument("--frames", type=int, default=16)
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--model", default=SMALL, help="as in a config")
    parser.add_argument("--count", type=int, help="frames of each clip that are used (default: all)")
    parser.add_argument("--train", action="store_true", help="carry out the run as well")
    parser.add_argument("--only-train", action="store_true", help="carry out the run alone")
    parser.add_argument("--executor")
    parser.add_argument("--scheduler", help="address of a Dask scheduler that runs")
    parser.add_argument("--watch", type=int, nargs="*", default=[], metavar="PID", help="whose memory counts as well")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--memory")
    parser.add_argument("--stop-after", type=float, help="seconds after which the run is stopped")
    parser.add_argument("--keep", type=Path, help="folder for data and runs, which stay there")
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        print(json.dumps(plan_and_load(options.child)))
        return
    with tempfile.TemporaryDirectory() as temporary:
        folder = (options.keep or Path(temporary)).absolute()
        folder.mkdir(parents=True, exist_ok=True)
        os.environ |= {**ONE_THREAD, "MEXBENCH_CACHE": str(folder / "cache")}  # as bench does before numpy is loaded
        costs = {n_clips: measure(folder, n_clips, options) for n_clips in options.clips}
        if len(costs) > 1 and not options.only_train:
            growth(costs)


if __name__ == "__main__":
    main()
