"""What the harness costs: a whole run against the loop over subjects that a user would write with scikit-learn.

    MEGC2019_FLOW_ROOT=... python -m tests.speed.harness
    python -m tests.speed.harness --subjects 24 --no-jobs     # a minute

Without the variable, made-up features of the same size are used. The five models are those of
``configs/loso_megc2019_flow.yaml``; the loop computes in float32, as a careful user would. Both are processes of their
own, and their processor time counts from start to end, imports included; they take turns, and the least of each counts,
since what else a machine does only adds. Ratios are of one run on one machine: below 1, the harness is faster than its
peer.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from mexbench import devices

devices.use_one_thread()

import numpy as np  # noqa: E402
from sklearn.dummy import DummyClassifier  # noqa: E402
from sklearn.metrics import f1_score  # noqa: E402
from sklearn.model_selection import LeaveOneGroupOut  # noqa: E402
from sklearn.neural_network import MLPClassifier  # noqa: E402
from sklearn.pipeline import make_pipeline  # noqa: E402
from sklearn.preprocessing import StandardScaler  # noqa: E402
from sklearn.svm import SVC  # noqa: E402
from sklearn.tree import DecisionTreeClassifier  # noqa: E402

from mexbench.data.arrays import load_arrays  # noqa: E402
from mexbench.data.samples import read_samples  # noqa: E402
from mexbench.metrics.classification import REPLICATES, subject_bootstrap  # noqa: E402
from mexbench.registry.catalogue import load_catalogue  # noqa: E402

CONFIG = """
dataset: {dataset}
protocol: loso
models:
  - majority
  - {{plugin: svm, name: svm-linear, kernel: linear, C: 0.001, class_weight: balanced, selection: seen-test}}
  - {{plugin: svm, name: svm-rbf, kernel: rbf, class_weight: balanced, selection: beforehand}}
  - {{plugin: decision_tree, class_weight: balanced, selection: beforehand}}
  - ann
"""


def peer(config: Path) -> None:
    """Train the same five models, fold after fold, and print how often each predicts the class."""
    from mexbench.config.loader import load

    part = load(config, load_catalogue()).parts[0]
    data, arrays = load_arrays(part, read_samples(part))
    x = arrays.x.reshape(len(arrays.x), -1).astype(np.float32)
    y = np.array([sample.label for sample in data.samples])
    groups = [sample.group for sample in data.samples]
    for model in (
        DummyClassifier(),
        make_pipeline(StandardScaler(), SVC(kernel="linear", C=0.001, class_weight="balanced")),
        make_pipeline(StandardScaler(), SVC(class_weight="balanced")),
        DecisionTreeClassifier(class_weight="balanced", random_state=0),
        make_pipeline(StandardScaler(), MLPClassifier(random_state=0)),
    ):
        predicted = np.empty_like(y)
        for train, test in LeaveOneGroupOut().split(x, y, groups):
            predicted[test] = model.fit(x[train], y[train]).predict(x[test])
        print(f"{(predicted == y).mean():.4f}", end=" ")
    print()


def costs(command: list[str]) -> tuple[float, float]:
    """Run a command to its end; return its processor time, that of its children included, and its wall time."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, wall


def seconds(action: Callable[[], object]) -> float:
    """Processor time of one call."""
    start = time.process_time()
    action()
    return time.process_time() - start


def slow_bootstrap(counts: np.ndarray) -> None:
    """Resample subjects with scikit-learn's scores, replicate by replicate, as a user would; a fiftieth of them."""
    rng = np.random.default_rng(0)
    pairs = [np.argwhere(matrix >= 0).repeat(matrix.ravel(), axis=0) for matrix in counts]
    for _ in range(REPLICATES // 50):
        drawn = np.concatenate([pairs[i] for i in rng.integers(len(pairs), size=len(pairs))])
        f1_score(drawn[:, 0], drawn[:, 1], average="macro")


def against_loop(folder: Path, subjects: int = 68, turns: int = 3) -> tuple[Path, dict[str, float]]:
    """Write the config into a folder; return it, and what the loop, a run, and the run a second time cost.

    Args:
        folder: For the config and the run folders.
        subjects: Of the made-up features.
        turns: Of the loop and the run.

    Returns:
        Seconds of processor time of ``loop``, ``run`` and ``again``, and the ``wall`` time of the run.
    """
    root = os.environ.get("MEGC2019_FLOW_ROOT")
    made_up = f"{{plugin: synthetic, subjects: {subjects}, clips: 7, features: 2352}}"
    config = folder / "speed.yaml"
    config.write_text(CONFIG.format(dataset=f"{{plugin: megc2019_flow, root: '{root}'}}" if root else made_up))
    loops, runs, walls = [], [], []
    for _ in range(turns):
        shutil.rmtree(config.with_name("jobs-1"), ignore_errors=True)
        loops.append(costs([sys.executable, "-m", "tests.speed.harness", "--loop", str(config)])[0])
        run, wall = costs(bench(config, 1))
        runs.append(run)
        walls.append(wall)
    again, _ = costs(bench(config, 1))
    return config, {"loop": min(loops), "run": min(runs), "again": again, "wall": min(walls)}


def bench(config: Path, jobs: int) -> list[str]:
    """Return the command of a run, into a folder beside the config for each number of jobs."""
    command = [sys.executable, "-m", "mexbench", "run", str(config), "--jobs", str(jobs)]
    return [*command, "--out", str(config.with_name(f"jobs-{jobs}"))]


def bootstrap_ratio() -> float:
    """Return how many times as long as our bootstrap a loop over scikit-learn's scores takes."""
    counts = np.random.default_rng(0).integers(0, 4, size=(68, 3, 3))
    return 50 * seconds(lambda: slow_bootstrap(counts)) / seconds(lambda: subject_bootstrap(counts[None]))


def main() -> None:
    """Print the ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--subjects", type=int, default=68, help="of the made-up features")
    parser.add_argument("--turns", type=int, default=3, help="of the loop and the run")
    parser.add_argument("--no-jobs", action="store_true", help="leave out what --jobs 2 gains")
    parser.add_argument("--loop", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.loop:
        peer(options.loop)
        return
    with tempfile.TemporaryDirectory() as name:
        config, spent = against_loop(Path(name), options.subjects, options.turns)
        print(f"five models, --jobs 1, against the scikit-learn loop          {spent['run'] / spent['loop']:6.2f} x")
        print(f"the same command again, when all is done, against the first   {spent['again'] / spent['run']:6.3f} x")
        if not options.no_jobs:
            both, two = costs(bench(config, 2))
            print(f"--jobs 2 against --jobs 1, wall time                          {two / spent['wall']:6.2f} x")
            print(f"--jobs 2 against --jobs 1, processor time                     {both / spent['run']:6.2f} x")
    print(f"2,000 bootstrap replicates: a loop over scikit-learn takes    {bootstrap_ratio():6.0f} x as long")


if __name__ == "__main__":
    main()
