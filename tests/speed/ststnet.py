"""How fast STSTNet trains: ``python -m tests.speed.ststnet``, from the repository's root; needs PyTorch.

Prints milliseconds per fold and step of 256 samples and ratios: PyTorch in eager mode, as the authors' script trains,
our network one fold at a time, and folds together. Processor time, one thread, one process per contender and one after
the other, the median of several rounds; compilation is left out. LOSO is what 68 folds of 800 epochs would take at that
speed, from these figures and not from a run.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from mexbench.devices import ONE_THREAD

SAMPLES, BATCH = 442, 256  # of MEGC2019: two steps an epoch, of 256 and 186
ROUNDS = 5


def data() -> tuple[np.ndarray, np.ndarray]:
    """Return random flow images (442, 1, 28, 28, 3) and classes."""
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (SAMPLES, 1, 28, 28, 3), dtype=np.uint8), rng.integers(0, 3, SAMPLES)


def per_step(train: Callable[[int], object], folds: int, epochs: int = 4) -> float:
    """Return milliseconds per fold and 256 samples: a long training less a short one, so that beginnings cancel."""

    def seconds(count: int) -> float:
        start = time.process_time()
        train(count)
        return time.process_time() - start

    seconds(1)
    seconds(1 + epochs)
    result = [(seconds(1 + epochs) - seconds(1)) / epochs for _ in range(ROUNDS)]
    return statistics.median(result) * 1e3 / folds * BATCH / SAMPLES


def eager() -> float:
    """Time PyTorch: three streams, Adam, batches in order, on one fold."""
    torch: Any = importlib.import_module("torch")  # no dependency: type checkers must do without it
    nn, functional = torch.nn, torch.nn.functional

    class Streams(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.convs = nn.ModuleList([nn.Conv2d(3, size, 3, padding=2) for size in (3, 5, 8)])
            self.norms = nn.ModuleList([nn.BatchNorm2d(size) for size in (3, 5, 8)])
            self.last = nn.Linear(400, 3)

        def forward(self, x: Any) -> Any:  # noqa: ANN401
            streams = [
                functional.dropout(functional.max_pool2d(norm(torch.relu(conv(x))), 3, 3, 1), 0.5, self.training)
                for conv, norm in zip(self.convs, self.norms, strict=True)
            ]
            return self.last(functional.avg_pool2d(torch.cat(streams, 1), 2).flatten(1))

    torch.set_num_threads(1)
    x, y = data()
    pixels, classes = torch.tensor(x[:, 0]).permute(0, 3, 1, 2).float().contiguous(), torch.tensor(y)

    def train(epochs: int) -> None:
        model = Streams()
        optimiser = torch.optim.Adam(model.parameters(), 5e-5)
        for _ in range(epochs):
            for rows in torch.arange(SAMPLES).split(BATCH):
                optimiser.zero_grad()
                functional.cross_entropy(model(pixels[rows]), classes[rows]).backward()
                optimiser.step()

    return per_step(train, 1)


def alone() -> float:
    """Time our network on one fold, by ``fit``; which is one fold of ``fit_folds`` that holds nothing out."""
    from mexbench_plugins.models.ststnet import STSTNet

    x, y = data()
    groups = np.array(["s"] * SAMPLES)
    return per_step(lambda epochs: STSTNet(epochs=epochs).fit(x, y, n_classes=3, groups=groups, seed=0), 1)


def together(folds: int) -> float:
    """Time our network on several folds, by ``fit_folds``."""
    from mexbench_plugins.models.ststnet import STSTNet

    x, y = data()
    groups, masks = np.array(["s"] * SAMPLES), np.arange(SAMPLES)[None] % 68 != np.arange(folds)[:, None]
    return per_step(
        lambda epochs: STSTNet(epochs=epochs).fit_folds(x, y, masks, n_classes=3, groups=groups, seed=0), folds
    )


def measured(contender: str, folds: int) -> float:
    """Run one contender in a process of its own."""
    command = [sys.executable, "-m", "tests.speed.ststnet", "--only", contender, "--folds", str(folds)]
    done = subprocess.run(command, env={**os.environ, **ONE_THREAD}, capture_output=True, text=True, check=True)
    return float(json.loads(done.stdout.splitlines()[-1]))


def main() -> None:
    """Print the table, or one figure for the parent process."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folds", type=int, default=8)
    parser.add_argument("--only", choices=["eager", "alone", "together"], help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.only:
        print(json.dumps({"eager": eager, "alone": alone, "together": lambda: together(options.folds)}[options.only]()))
        return
    names = {"eager": "PyTorch eager", "alone": "ours, fit", "together": f"ours, fit_folds, {options.folds} folds"}
    result = {name: measured(contender, options.folds) for contender, name in names.items()}
    base = result["PyTorch eager"]
    for name, value in result.items():
        minutes = value * SAMPLES / BATCH * 800 * 68 / 60_000
        print(
            f"{name:<28} {value:6.1f} ms a fold and step   {base / value:5.2f} times PyTorch   LOSO {minutes:6.1f} min"
        )


if __name__ == "__main__":
    main()
