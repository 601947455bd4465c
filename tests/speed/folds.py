"""What training folds together gains on a CPU: ``python -m tests.speed.folds``, from the repository's root.

Prints, for each network, processor milliseconds per fold and training step, in three ways: folds one by one, as ``fit``
trains them; together, each with rows of its own, as on a GPU; and together in one minibatch, of which each fold masks
what it holds out, so that the folds share the first convolution's input. The numbers behind are ratios to one by one:
above 1 is a gain. One thread, taking turns, the median of all turns; compilation is left out. A minibatch has no more
rows than a batch here, so the ratios of that column are the best that there can be. STSTNet has a program of its own,
which ``python -m tests.speed.ststnet`` times.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from mexbench.devices import use_one_thread

#: Model, shape of a sample, and a small batch.
NETWORKS: dict[str, tuple[str, tuple[int, ...], int]] = {
    "au_cnn": ("au_cnn:AUCNN", (1, 128, 128, 3), 8),
    "cnn": ("cnn:CNN", (1, 64, 64, 3), 16),
    "off_apexnet": ("off_apexnet:OffApexNet", (1, 28, 28, 2), 32),
    "cnn_lstm": ("cnn_lstm:CNNLSTM", (4, 48, 48, 1), 8),
    "hybrid_micronet": ("hybrid_micronet:HybridMicroNet", (1, 7, 7, 512), 32),
    "htnet": ("htnet:HTNet", (1, 28, 28, 3), 32),
    "rcn_a": ("rcn_a:RCNA", (1, 28, 28, 3), 32),
    "dual_inception": ("dual_inception:DualInception", (1, 28, 28, 2), 16),
}
#: Options that make a network small enough for this script.
SMALL: dict[str, dict[str, Any]] = {"htnet": {"dim": 24, "repeats": (1, 1, 1)}, "rcn_a": {"filters": 32}}
CLASSES = 4


def steps(name: str, n_folds: int) -> dict[str, Callable[[], object]]:
    """Return what makes one step of every fold, by the way in which it does."""
    import importlib

    import jax

    from mexbench_plugins.models._nn import fold_vmap
    from mexbench_plugins.models._nn.train_program import Batch, train_program

    module, _, cls = NETWORKS[name][0].partition(":")
    shape, size = NETWORKS[name][1:]
    model = getattr(importlib.import_module(f"mexbench_plugins.models.{module}"), cls)(**SMALL.get(name, {}))
    build, rng = model.builder(shape, CLASSES), np.random.default_rng(0)
    x, y = rng.integers(0, 256, (size, *shape), dtype=np.uint8), rng.integers(0, CLASSES, size).astype(np.int32)
    masks = np.ones((n_folds, size), np.float32)
    masks[np.arange(n_folds), np.arange(n_folds)] = 0
    program, key = train_program(model, build), jax.random.key(0)
    first = program.init(np.random.default_rng(0))
    factor = (np.float32(1),) if model.decays else ()

    def alone() -> object:
        return jax.block_until_ready(
            [program.train_step(first, Batch(x, y, mask, mask), key, 0, *factor)[1] for mask in masks]
        )

    def together(*, shared: bool) -> Callable[[], object]:
        step_folds = fold_vmap.compiled_steps(model.compiled_part(), build, "softmax", shared=shared, scan=False)
        number = np.zeros(() if shared else n_folds, np.int32)
        rows = np.arange(size, dtype=np.int32)
        step = fold_vmap.Step(rows if shared else np.tile(rows, (n_folds, 1)), masks, masks, number)
        pool = fold_vmap.Pool(jax.numpy.asarray(x), jax.numpy.asarray(y))
        states = [jax.tree.map(lambda leaf: jax.numpy.repeat(jax.numpy.asarray(leaf)[None], n_folds, 0), first)]

        def run() -> object:
            states[0], sums = step_folds(states[0], pool, step, key, factor)
            return jax.block_until_ready((states[0], sums))

        return run

    return {"one by one": alone, "own rows": together(shared=False), "one minibatch": together(shared=True)}


def milliseconds(runs: dict[str, Callable[[], object]], n_folds: int, seconds: float) -> dict[str, float]:
    """Let the runs take turns for so many seconds of processor time, and return the medians per fold and step."""
    for run in runs.values():
        run()
    turns: dict[str, list[float]] = {name: [] for name in runs}
    began = time.process_time()
    while len(turns["one by one"]) < 3 or time.process_time() - began < seconds:
        for name, run in runs.items():
            start = time.process_time()
            run()
            turns[name].append(time.process_time() - start)
    return {name: statistics.median(values) * 1e3 / n_folds for name, values in turns.items()}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("networks", nargs="*", help=f"by default all: {' '.join(NETWORKS)}")
    parser.add_argument("--folds", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=3.0, help="of processor time for each network")
    options = parser.parse_args()
    use_one_thread()
    import jax

    print(f"{options.folds} folds on {jax.devices()[0].platform}, ms a fold and step")
    print(f"{'':<16} {'batch':>5} {'one by one':>11} {'own rows':>14} {'one minibatch':>16}", flush=True)
    for name in options.networks or NETWORKS:
        result = milliseconds(steps(name, options.folds), options.folds, options.seconds)
        base = result["one by one"]
        own, shared = (f"{result[way]:8.2f} {base / result[way]:4.2f}x" for way in ("own rows", "one minibatch"))
        print(f"{name:<16} {NETWORKS[name][2]:>5} {base:11.2f} {own:>14} {shared:>16}", flush=True)


if __name__ == "__main__":
    main()
