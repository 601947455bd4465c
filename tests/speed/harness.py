"""What the harness costs: a whole run against the loop over subjects that a user would write with scikit-learn.

    MEGC2019_FLOW_ROOT=... python -m tests.speed.harness

Without the variable, made-up features of the same size are used. Ratios are of one run on one machine: below 1, the
harness is faster than its peer.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from mexbench import devices

devices.use_one_thread()

import numpy as np  # noqa: E402
from sklearn.metrics import f1_score  # noqa: E402
from sklearn.model_selection import LeaveOneGroupOut  # noqa: E402
from sklearn.neural_network import MLPClassifier  # noqa: E402
from sklearn.pipeline import make_pipeline  # noqa: E402
from sklearn.preprocessing import StandardScaler  # noqa: E402
from sklearn.svm import SVC  # noqa: E402
from sklearn.tree import DecisionTreeClassifier  # noqa: E402

from mexbench.config.document import parse  # noqa: E402
from mexbench.data.arrays import load_arrays  # noqa: E402
from mexbench.data.samples import read_samples  # noqa: E402
from mexbench.metrics.classification import REPLICATES, subject_bootstrap  # noqa: E402
from mexbench.registry.catalogue import load_catalogue  # noqa: E402

ROOT = os.environ.get("MEGC2019_FLOW_ROOT")
DATASET = (
    f"{{plugin: megc2019_flow, root: '{ROOT}'}}"
    if ROOT
    else "{plugin: synthetic, subjects: 68, clips: 7, features: 2352}"
)
CONFIG = f"""
dataset: {DATASET}
protocol: loso
models:
  - majority
  - {{plugin: svm, C: 0.001, class_weight: balanced}}
  - {{plugin: decision_tree, class_weight: balanced}}
  - ann
"""


def peer() -> None:
    """Run the same three trained models, fold after fold."""
    from mexbench.config.loader import from_document

    config = from_document(parse(CONFIG, "speed", {}), load_catalogue(), name="speed")
    data, arrays = load_arrays(config.parts[0], read_samples(config.parts[0]))
    x = arrays.x.reshape(len(arrays.x), -1)
    y = np.array([sample.label for sample in data.samples])
    groups = [sample.group for sample in data.samples]
    for model in (
        make_pipeline(StandardScaler(), SVC(kernel="linear", C=0.001, class_weight="balanced")),
        DecisionTreeClassifier(class_weight="balanced", random_state=0),
        make_pipeline(StandardScaler(), MLPClassifier(random_state=0)),
    ):
        predicted = np.empty_like(y)
        for train, test in LeaveOneGroupOut().split(x, y, groups):
            predicted[test] = model.fit(x[train], y[train]).predict(x[test])


def seconds(action: Callable[[], object]) -> float:
    """Time one call."""
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def slow_bootstrap(counts: np.ndarray) -> None:
    """Resample subjects with scikit-learn's scores, replicate by replicate, as a user would; a fiftieth of them."""
    rng = np.random.default_rng(0)
    pairs = [np.argwhere(matrix >= 0).repeat(matrix.ravel(), axis=0) for matrix in counts]
    for _ in range(REPLICATES // 50):
        drawn = np.concatenate([pairs[i] for i in rng.integers(len(pairs), size=len(pairs))])
        f1_score(drawn[:, 0], drawn[:, 1], average="macro")


def main() -> None:
    """Print the ratios."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "speed.yaml").write_text(CONFIG)

        def bench(jobs: int, out: str) -> Callable[[], object]:
            command = [sys.executable, "-m", "mexbench", "run", str(folder / "speed.yaml")]
            command += ["--out", str(folder / out), "--jobs", str(jobs)]
            return lambda: subprocess.run(command, check=True, capture_output=True)

        loop = seconds(peer)
        one, two = seconds(bench(1, "one")), seconds(bench(2, "two"))
        again = seconds(bench(2, "two"))
    print(f"run of four models, --jobs 1, against the scikit-learn loop   {one / loop:6.2f} x")
    print(f"the same with --jobs 2                                        {two / loop:6.2f} x")
    print(f"--jobs 1 against --jobs 2                                     {one / two:6.2f} x")
    print(f"the same command again, when all is done, against the first   {again / two:6.3f} x")
    counts = np.random.default_rng(0).integers(0, 4, size=(68, 3, 3))
    ratio = 50 * seconds(lambda: slow_bootstrap(counts)) / seconds(lambda: subject_bootstrap(counts[None]))
    print(f"2,000 bootstrap replicates: a loop over scikit-learn takes    {ratio:6.0f} x as long")


if __name__ == "__main__":
    main()
