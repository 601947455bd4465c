"""What ``--jobs 2`` gains: a run of the flow pack with four classical models, against one job.

    MEGC2019_FLOW_ROOT=... python -m tests.speed.jobs

Wall time of whole commands, start of the program, loading and scoring included, one after the other in turn. It needs
two processors that nobody else uses: the load before each pair of runs is printed.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

CONFIG = """
dataset: {{plugin: megc2019_flow, root: '{root}'}}
protocol: loso
models:
  - {{plugin: svm, name: svm-linear, kernel: linear, C: 0.001, class_weight: balanced}}
  - {{plugin: svm, name: svm-rbf, kernel: rbf}}
  - {{plugin: decision_tree, class_weight: balanced}}
  - ann
"""


def wall(config: Path, out: Path, *arguments: str) -> float:
    """Return the seconds of a run."""
    start = time.perf_counter()
    command = [sys.executable, "-m", "mexbench", "run", str(config), "--out", str(out), *arguments]
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - start


def children() -> float:
    """Return the seconds of processor time that commands have used so far, with their own processes."""
    result = resource.getrusage(resource.RUSAGE_CHILDREN)
    return result.ru_utime + result.ru_stime


def main() -> None:
    """Print the ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=3)
    pairs = parser.parse_args().pairs
    ratios = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "jobs.yaml").write_text(CONFIG.format(root=os.environ["MEGC2019_FLOW_ROOT"]))
        for pair in range(pairs):
            load = os.getloadavg()[0]
            used = [children()]
            one = wall(folder / "jobs.yaml", folder / f"one{pair}")
            used.append(children())
            two = wall(folder / "jobs.yaml", folder / f"two{pair}", "--jobs", "2")
            used.append(children())
            same = [(folder / f"{which}{pair}" / "predictions.csv").read_bytes() for which in ("one", "two")]
            assert same[0] == same[1]
            ratios.append(one / two)
            print(
                f"one job takes {ratios[-1]:.2f} x as long as two ({os.cpu_count()} processors, load before {load:.1f})"
            )
    print(f"median {sorted(ratios)[len(ratios) // 2]:.2f} x (limit 1.6)")


if __name__ == "__main__":
    main()
