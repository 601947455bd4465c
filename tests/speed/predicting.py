"""What the scripts on films share: models trained a little on the stand-in, and films of a face."""

from __future__ import annotations

import itertools
import subprocess
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mexbench_plugins.synth import faces
from mexbench_plugins.synth.action_units import parse
from mexbench_plugins.synth.clips import Camera, Take, Timing
from mexbench_plugins.synth.expression import express
from tests import films

CONFIG = """
dataset: {plugin: casme2, root: stand-in, classes: 5, stand_in: {subjects: 4, clips: 4}}
frames: {unit: frame, count: 4}
preprocess: [face, clahe, {plugin: resize, size: 128}]
protocol: loso
models:
  - {plugin: au_cnn, epochs: 1}
  - plugin: cnn_lstm
    epochs: 1
    frames: {unit: clip, count: 16}
    preprocess: [face, grayscale, {plugin: resize, size: 48}]
"""


def train(folder: Path) -> dict[str, Path]:
    """Train both networks for one epoch: what they predict is worth nothing, how long it takes is the same."""
    (folder / "train.yaml").write_text(CONFIG)
    command = [sys.executable, "-m", "mexbench", "run", str(folder / "train.yaml"), "--out", str(folder / "run")]
    subprocess.run([*command, "--save-models", "all"], check=True, capture_output=True)
    return {name: folder / "run" / "models" / name / "all" / "0" for name in ("au_cnn", "cnn_lstm")}


def clip(fps: float) -> list[NDArray[np.uint8]]:
    """Return three seconds (H, W, 3) of a procedural face that smiles, 640 x 480."""
    face = faces.builtin(3, width=640, height=480)
    shown = express(parse("6+12"), face.geometry, 640, 480)
    count = round(3 * fps)
    timing = Timing(lead=count // 4, rise=count // 4, fall=count // 4, tail=count - 3 * (count // 4) - 1)
    return list(Take(face, shown, timing, Camera(), 0).frames())


def film(path: Path, *, seconds: float, fps: float) -> Path:
    """Write a film of 640 x 480 by repeating a clip."""
    return films.write(path, itertools.islice(itertools.cycle(clip(fps)), round(seconds * fps)), fps=fps)
