"""How fast VGG-16's features are: ``python -m tests.speed.vgg16``, from the repository's root; needs PyTorch.

Prints milliseconds a frame of 224x224 and the ratio to PyTorch in eager mode, given 8 frames at once as a script would
give them. Processor time, one thread, one process per contender, both alive and asked in turn, the median of the
rounds. Compilation, which is kept for the next process, and the transformation of the kernels are left out. The step's
other backend, OpenVINO, takes part where it is installed, in bfloat16 where the processor has it.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from typing import IO, Any, Literal

import numpy as np

from mexbench.devices import ONE_THREAD

FRAMES = 8
CONTENDERS = {
    "eager": "PyTorch eager",
    "cl": "PyTorch, channels last",
    "openvino": "OpenVINO, float32",
    "bfloat16": "OpenVINO, bfloat16",
    "ours": "vgg16",
}


def available() -> list[str]:
    """Return the contenders that can run here; print why the others cannot."""
    missing = []
    if importlib.util.find_spec("openvino") is None:
        print("OpenVINO: skipped, it is not installed (pip install '.[openvino]')")
        missing = ["openvino", "bfloat16"]
    elif not has_bfloat16():
        print("OpenVINO, bfloat16: skipped, this processor has no instructions for it")
        missing = ["bfloat16"]
    return [name for name in CONTENDERS if name not in missing]


def has_bfloat16() -> bool:
    """Whether OpenVINO computes in bfloat16 on this processor."""
    from mexbench_plugins.preprocessors._vgg16_openvino import import_openvino

    return "BF16" in import_openvino().Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


def frames() -> np.ndarray:
    """Return random frames (8, 224, 224, 3)."""
    return np.random.default_rng(0).integers(0, 256, (FRAMES, 224, 224, 3), dtype=np.uint8)


def eager(*, channels_last: bool = False) -> Callable[[], object]:
    """Return PyTorch's computation, in the shapes and weights of torchvision's."""
    torch: Any = importlib.import_module("torch")  # no dependency: type checkers must do without it
    from mexbench_plugins.preprocessors._vgg16_weights import BLOCKS

    torch.set_num_threads(1)
    layers, inputs = [], 3
    for sizes in BLOCKS:
        for filters in sizes:
            layers += [torch.nn.Conv2d(inputs, filters, 3, padding=1), torch.nn.ReLU(inplace=True)]
            inputs = filters
        layers.append(torch.nn.MaxPool2d(2))
    network = torch.nn.Sequential(*layers).eval()
    x = torch.tensor(frames()).permute(0, 3, 1, 2).float().div(255).sub(0.45).div(0.225).contiguous()
    if channels_last:
        network, x = (one.to(memory_format=torch.channels_last) for one in (network, x))

    def compute() -> None:
        with torch.inference_mode():
            network(x)

    return compute


def channels_last() -> Callable[[], object]:
    """Return PyTorch's computation with channels last in memory, which is its fastest without a compiler."""
    return eager(channels_last=True)


def step(
    backend: Literal["winograd", "openvino"] = "winograd", precision: Literal["float32", "bfloat16"] = "float32"
) -> Callable[[], object]:
    """Return the step on a clip."""
    from mexbench.interfaces import Clip
    from mexbench_plugins.preprocessors.vgg16 import VGG16

    vgg16, clip = VGG16(weights="auto", backend=backend, precision=precision), Clip(frames=frames())
    return lambda: vgg16(clip)


STARTS: dict[str, Callable[[], Callable[[], object]]] = {
    "eager": eager,
    "cl": channels_last,
    "openvino": lambda: step("openvino"),
    "bfloat16": lambda: step("openvino", "bfloat16"),
    "ours": step,
}


def serve(contender: str) -> None:
    """Compute once for every line that comes in, and answer with milliseconds a frame."""
    compute = STARTS[contender]()
    compute()
    compute()
    print("ready", flush=True)
    for _ in sys.stdin:
        start = time.process_time()
        compute()
        print((time.process_time() - start) * 1e3 / FRAMES, flush=True)


def started(contender: str) -> tuple[IO[str], IO[str]]:
    """Start one contender in a process of its own, which ends when its input does."""
    command = [sys.executable, "-m", "tests.speed.vgg16", "--only", contender]
    process = subprocess.Popen(
        command, env={**os.environ, **ONE_THREAD}, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    if process.stdin is None or process.stdout is None or process.stdout.readline().strip() != "ready":
        sys.exit(f"{contender} did not start")
    return process.stdin, process.stdout


def compare(contenders: Sequence[str], rounds: int) -> dict[str, list[float]]:
    """Return milliseconds a frame of each contender, one figure for each round."""
    processes = {name: started(name) for name in contenders}
    result: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, (ask, answer) in processes.items():
            ask.write("\n")
            ask.flush()
            result[name].append(float(answer.readline()))
    return result


def main() -> None:
    """Print the table, or serve the parent process."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--only", choices=CONTENDERS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.only:
        serve(options.only)
        return
    result = compare(available(), options.rounds)
    base = statistics.median(result["eager"])
    for name, times in result.items():
        value = statistics.median(times)
        print(
            f"{CONTENDERS[name]:<24} {value:7.1f} ms a frame (from {min(times):.1f} to {max(times):.1f})   "
            f"{base / value:5.2f} times PyTorch"
        )


if __name__ == "__main__":
    main()
