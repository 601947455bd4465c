"""What a long film needs: ``python -m tests.speed.long_video``, from the repository's root.

Makes a film of 640 x 480, 25 frames a second, by repeating a clip, and runs ``bench predict`` on it in a process of its
own. Prints its greatest memory over that of a bare interpreter, beside that for a film of one minute, and the rate
against real time.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.speed import predicting

LIMIT_MB = 600


def peak_mb(command: list[str]) -> tuple[float, float]:
    """Run a command; return its greatest memory in MB and how long it took, in seconds."""
    start = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    assert process.stderr is not None
    output = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(output.decode())
    unit = 1024 if sys.platform == "linux" else 1  # macOS counts bytes
    return usage.ru_maxrss * unit / 1e6, time.monotonic() - start


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--model", choices=("au_cnn", "cnn_lstm"), action="append", help="default: both")
    options = parser.parse_args()
    bare, _ = peak_mb([sys.executable, "-c", "pass"])
    worst = 0.0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        models = predicting.train(folder)
        for minutes in (1.0, options.minutes):
            film = predicting.film(folder / f"{minutes:g}.mp4", seconds=60 * minutes, fps=25)
            size = film.stat().st_size / 1e6
            print(f"{minutes:g} minutes of 640 x 480, 25 frames a second, {size:.0f} MB", flush=True)
            for model in options.model or models:
                command = [sys.executable, "-m", "mexbench", "predict", str(film), "--model", str(models[model])]
                memory, seconds = peak_mb([*command, "--out", str(folder / f"{model}-{minutes:g}")])
                worst = max(worst, memory - bare)
                rate = 60 * minutes / seconds
                print(
                    f"  {model:<10} {memory - bare:6.0f} MB over a bare interpreter's {bare:.0f}; {rate:5.1f} x real "
                    f"time, {600 * minutes / seconds:6.1f} frames a second, with loading and drawing",
                    flush=True,
                )
    print(f"at most {LIMIT_MB} MB wanted: {'met' if worst <= LIMIT_MB else 'NOT MET'}")
    return 0 if worst <= LIMIT_MB else 1


if __name__ == "__main__":
    sys.exit(main())
