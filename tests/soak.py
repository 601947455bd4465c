"""A run that trains folds together, killed again and again: ``python -m tests.soak --rounds 20``, from the root.

Each round kills the run with SIGKILL, it and the process that it trains in, at a random moment, and the next one goes
on. In the end the predictions must be those of a run that nobody disturbed, to the byte. The network is STSTNet, on
pictures of optical flow that are made up here.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

CONFIG = """\
dataset: {{plugin: megc2019_flow, root: {root}, expect: any}}
protocol: loso
models: [{{plugin: ststnet, epochs: {epochs}, batch_size: 16}}]
seeds: [0, 1]
"""
SUBJECTS, CLIPS = 12, 6


def write_flow(root: Path) -> None:
    """Write made-up flow pictures of 28x28x3, of three classes."""
    import cv2
    import numpy as np

    for subject in range(SUBJECTS):
        for clip in range(CLIPS):
            rng = np.random.default_rng([subject, clip])
            picture = rng.integers(0, 120, (28, 28, 3)) + np.array([60, 60, 60]) * (np.arange(3) == clip % 3)
            path = root / f"sub{subject:02}" / "u_test" / str(clip % 3) / f"sub{subject:02}_c{clip}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(path), picture.astype(np.uint8))


def start(folder: Path, config: Path) -> subprocess.Popen[bytes]:
    """Start the run in a session of its own, so that all that it starts is killed with it."""
    environment = {**os.environ, "MEXBENCH_CACHE": str(folder / "cache")}
    with (folder / "output.txt").open("ab") as output:
        return subprocess.Popen(
            [sys.executable, "-m", "mexbench", "run", str(config), "--out", str(folder / "run"), "--jobs", "1"],
            stdout=output, stderr=output, env=environment, start_new_session=True,
        )  # fmt: skip


def kill(process: subprocess.Popen[bytes]) -> None:
    """Kill the run, and what it has started and given a process group of its own."""
    children = descendants(process.pid)
    for pid in (process.pid, *children):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    process.wait()


def descendants(pid: int) -> list[int]:
    """Return the processes that a process has started, and theirs (Linux)."""
    try:
        own = [int(part) for part in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []
    return [one for child in own for one in (child, *descendants(child))]


def tasks(folder: Path) -> list[Path]:
    """Return the results that are kept."""
    return list((folder / "run" / "tasks").rglob("*.json"))


def predictions(folder: Path) -> str:
    return hashlib.sha256((folder / "run" / "predictions.csv").read_bytes()).hexdigest()


def finish(folder: Path, config: Path) -> float:
    began = time.monotonic()
    process = start(folder, config)
    code = process.wait()
    if code:
        sys.exit(f"the run ended with exit code {code}:\n{(folder / 'output.txt').read_text()[-2000:]}")
    return time.monotonic() - began


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    rng = random.Random(options.seed)  # noqa: S311 - moments, not secrets
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        write_flow(root / "flow")
        config = root / "soak.yaml"
        config.write_text(CONFIG.format(root=root / "flow", epochs=options.epochs))
        undisturbed, disturbed = root / "undisturbed", root / "disturbed"
        for folder in (undisturbed, disturbed):
            folder.mkdir()
        finish(undisturbed, config)  # fills the cache of compiled programs as well
        expected = predictions(undisturbed)
        shutil.rmtree(undisturbed / "run")
        seconds = finish(undisturbed, config)
        same = predictions(undisturbed) == expected
        print(f"undisturbed: {seconds:.1f} s, predictions {expected[:16]}, again equal: {same}", flush=True)
        kills = completed = 0
        while kills < options.rounds:
            process = start(disturbed, config)
            kept = len(tasks(disturbed))
            if kept == 2 * SUBJECTS:  # nothing is left to interrupt
                process.wait()
            until = rng.randint(kept, max(kept, min(kept + 6, 2 * SUBJECTS - 1)))
            while process.poll() is None and len(tasks(disturbed)) < until:
                time.sleep(0.02)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(rng.uniform(0, 0.3) * seconds)  # anywhere between two tasks, or before the first
            if process.poll() is None:
                kill(process)
                kills += 1
                print(f"kill {kills}: {len(tasks(disturbed))} of {2 * SUBJECTS} tasks are stored", flush=True)
                continue
            completed += 1
            same &= process.returncode == 0 and predictions(disturbed) == expected
            print(f"run {completed} went to its end, equal so far: {same}", flush=True)
            shutil.rmtree(disturbed / "run")
        finish(disturbed, config)
        same &= predictions(disturbed) == expected
        leftover = [path.name for path in (disturbed / "run").rglob(".tmp-*")]
        verdict = "byte-equal" if same else "DIFFERENT"
        print(f"{kills} kills, {completed + 1} runs completed: predictions {verdict}; temporary files: {len(leftover)}")
        return 0 if same and not leftover else 1


if __name__ == "__main__":
    sys.exit(main())
