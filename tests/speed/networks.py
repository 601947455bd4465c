"""How fast the networks train: ``python -m tests.speed.networks``, from the repository's root; needs PyTorch.

Prints, for each network, milliseconds per training step of PyTorch and of ours, and ours against PyTorch's eager mode
and against its best: above 1, ours is faster. The peer is the twin of the parity tests as a user would write it, with
PyTorch's own batch norm, on pixels that are floats already; ours gets bytes. PyTorch runs five ways: ``eager``; ``cl``
with channels last in memory; ``km`` keeping memory between steps, by the setting that our training engine makes for
itself; ``cl+km`` with both; ``compile``, by ``torch.compile`` with both, which needs a C++ compiler. One process each,
one thread each on one core, processor time, taking turns; the median of all turns. Compilation is left out. All
processes are started several times: where in memory a process has its arrays makes up to 3 % of a step.
"""

from __future__ import annotations

import argparse
import importlib
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

import numpy as np

from mexbench.devices import ONE_THREAD

#: Batch, shape of a sample, and how the peer is made from the module of the parity tests.
NETWORKS: dict[str, tuple[int, tuple[int, ...], Callable[[Any], Any]]] = {
    "au_cnn": (32, (1, 128, 128, 3), lambda twins: twins.MicroNetTwin(3)),
    "cnn": (32, (1, 128, 128, 3), lambda twins: twins.CNNTwin(16 * 16 * 64)),
    "cnn_lstm": (8, (16, 48, 48, 1), lambda twins: twins.CNNLSTMTwin(1, 1600, rows=False)),
    "hybrid_micronet": (64, (1, 7, 7, 512), lambda twins: twins.MicroNetTwin(512)),
    "off_apexnet": (128, (1, 28, 28, 2), lambda twins: twins.OffApexNetTwin()),
}
CLASSES = 4
#: How PyTorch runs: channels last, memory kept, compiled.
PEERS = {
    "eager": (False, False, False),
    "cl": (True, False, False),
    "km": (False, True, False),
    "cl+km": (True, True, False),
    "compile": (True, True, True),
}
OURS = "ours"


def data(name: str) -> tuple[np.ndarray, np.ndarray]:
    """Return one batch: bytes, or floats where they are features, and classes."""
    batch, shape, _ = NETWORKS[name]
    rng = np.random.default_rng(0)
    x = rng.integers(0, 256, (batch, *shape), dtype=np.uint8)
    return x if shape[-1] < 512 else (x / 255).astype(np.float32), rng.integers(0, CLASSES, batch)


def pytorch(name: str, contender: str) -> Callable[[], object]:
    """Return one step of PyTorch."""
    channels_last, keeps_memory, compiled = PEERS[contender]
    if keeps_memory:
        from mexbench_plugins.models._nn.memory import keep_memory

        keep_memory()
    torch: Any = importlib.import_module("torch")  # no dependency: type checkers must do without it
    twins: Any = importlib.import_module("tests.mexbench_plugins.models.test_torch_parity")
    twins.KerasNorm, twins.before_norm = torch.nn.BatchNorm2d, torch.nn.Conv2d
    torch.set_num_threads(1)
    x, y = data(name)
    pixels = torch.tensor(x).float().div_(255 if x.dtype == np.uint8 else 1)
    classes, twin = torch.tensor(y), NETWORKS[name][2](twins)
    if channels_last:
        twin = twin.to(memory_format=torch.channels_last)
    else:
        pixels = pixels.movedim(-1, 2).contiguous().movedim(2, -1)  # channels first in memory, as the twin will ask for
    sgd = name == "hybrid_micronet"
    optimiser = (
        torch.optim.SGD(twin.parameters(), 1e-4, momentum=0.5, weight_decay=0.001)
        if sgd
        else torch.optim.Adam(twin.parameters(), 1e-4)
    )

    forward = torch.compile(twin) if compiled else twin

    def step() -> None:
        optimiser.zero_grad()
        torch.nn.functional.cross_entropy(forward(pixels), classes).backward()
        optimiser.step()

    return step


def ours(name: str) -> Callable[[], object]:
    """Return one step of the training engine."""
    import jax

    from mexbench_plugins.models._nn import train_program

    module: Any = importlib.import_module(f"mexbench_plugins.models.{name}")
    model_type = {"au_cnn": "AUCNN", "cnn": "CNN", "cnn_lstm": "CNNLSTM", "hybrid_micronet": "HybridMicroNet"}
    x, y = data(name)
    model = getattr(module, model_type.get(name, "OffApexNet"))(learning_rate=1e-4)
    program = train_program.train_program(model, model.builder(x.shape[1:], CLASSES))
    ones = np.ones(len(y), np.float32)
    rows, key = train_program.Batch(x, y.astype(np.int32), ones, ones), jax.random.key(0)
    state = program.init(np.random.default_rng(0))

    def step() -> None:
        nonlocal state
        state, *_ = jax.block_until_ready(program.train_step(state, rows, key, 0))

    return step


def serve(name: str, contender: str) -> None:
    """Take one turn for every line that comes in: so many steps, and the milliseconds of each."""
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})  # contenders share one core's caches
    step = ours(name) if contender == OURS else pytorch(name, contender)
    for _ in range(3):
        step()
    for line in sys.stdin:
        start = time.process_time()
        for _ in range(int(line)):
            step()
        print((time.process_time() - start) / int(line) * 1e3, flush=True)


def compare(name: str, contenders: Sequence[str], rounds: int, steps: int, starts: int = 1) -> dict[str, float]:
    """Return milliseconds per step of each contender, over all starts; one that cannot start is missing."""
    started = [turns_of(name, contenders, rounds, steps) for _ in range(starts)]
    turns = {contender: [time for turns in started for time in turns[contender]] for contender in contenders}
    return {contender: statistics.median(times) for contender, times in turns.items() if times}


def turns_of(name: str, contenders: Sequence[str], rounds: int, steps: int) -> dict[str, list[float]]:
    """Start a process for each contender; return milliseconds per step of each turn."""
    command = [sys.executable, "-m", "tests.speed.networks", name, "--only"]
    processes = {
        contender: subprocess.Popen(
            [*command, contender], env={**os.environ, **ONE_THREAD}, text=True, bufsize=1,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )
        for contender in contenders
    }  # fmt: skip
    turns: dict[str, list[float]] = {contender: [] for contender in contenders}
    for _ in range(rounds):
        for contender, process in processes.items():
            assert process.stdin is not None and process.stdout is not None  # noqa: PT018 - they are pipes
            with suppress(BrokenPipeError, ValueError):  # it ended with a traceback, such as for want of a compiler
                process.stdin.write(f"{steps}\n")
                turns[contender].append(float(process.stdout.readline()))
    for process in processes.values():
        with suppress(BrokenPipeError):
            process.communicate()
    return turns


def row(name: str, times: Mapping[str, float]) -> str:
    """Return the line of a network: milliseconds of each contender, and ours against eager and the best of PyTorch."""
    cells = [f"{times[contender]:8.1f}" if contender in times else "       -" for contender in (*PEERS, OURS)]
    peers = [times[contender] for contender in PEERS if contender in times]
    ratios = [times["eager"] / times[OURS], min(peers) / times[OURS]] if OURS in times and "eager" in times else []
    return f"{name:<16}{''.join(cells)}{''.join(f'{ratio:9.2f}' for ratio in ratios)}"


def main() -> None:
    """Print the table, or take turns for the parent process."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("networks", nargs="*", metavar="NETWORK", help=f"of {', '.join(NETWORKS)}; all unless told")
    parser.add_argument("--starts", type=int, default=3, help="of all processes")
    parser.add_argument("--rounds", type=int, default=3, help="of each start")
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--contenders", nargs="*", choices=[*PEERS, OURS], default=[*PEERS, OURS])
    parser.add_argument("--only", choices=[*PEERS, OURS], help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.only:
        serve(options.networks[0], options.only)
        return
    heads = "".join(f"{contender:>8}" for contender in (*PEERS, OURS))
    print(f"{'ms per step':<16}{heads}  / eager   / best", flush=True)
    for name in options.networks or NETWORKS:
        print(row(name, compare(name, options.contenders, options.rounds, options.steps, options.starts)), flush=True)


if __name__ == "__main__":
    main()
