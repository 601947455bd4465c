"""VGG-16's convolutions by OpenVINO, an optional extra: built in memory from the same weights, on the processor.

A program takes one frame: features of a frame do not depend on how many others there are, and more at once are not
faster on one thread. Threads are not bound to cores, for several processes would be bound to the same one.
"""

from __future__ import annotations

import functools
import importlib
import importlib.metadata
import sys
from collections.abc import Callable
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mexbench.errors import DataError, missing_extra
from mexbench_plugins.preprocessors._vgg16_weights import BLOCKS, Weights

Precision = Literal["float32", "bfloat16"]

_PRECISIONS = {"float32": "f32", "bfloat16": "bf16"}
_MISSING = missing_extra("vgg16: backend: openvino", "OpenVINO", "openvino")
#: Imported with OpenVINO, it writes an identifier of the user into the home folder and may report to its maker.
_TELEMETRY = "openvino_telemetry"


def version() -> str:
    """Return the version of OpenVINO, without importing it.

    Raises:
        DataError: It is not installed.
    """
    try:
        return importlib.metadata.version("openvino")
    except importlib.metadata.PackageNotFoundError:
        raise DataError(_MISSING) from None


def features(weights: Weights, frames: NDArray[np.uint8], precision: Precision) -> NDArray[np.float32]:
    """Return features (T, H // 32, W // 32, 512) of frames (T, H, W, 3), RGB.

    Raises:
        DataError: OpenVINO is not installed, cannot be imported, or cannot compute with this precision here.
    """
    program = _program(weights, frames.shape[1], frames.shape[2], precision)
    return np.concatenate([program(_pixels(weights, frame[None])) for frame in frames])


def _pixels(weights: Weights, frames: NDArray[np.uint8]) -> NDArray[np.float32]:
    ordered = frames[..., ::-1] if weights.blue_first else frames
    return (ordered.astype(np.float32) - weights.mean) / weights.deviation


@functools.lru_cache(maxsize=2)
def _program(
    weights: Weights, height: int, width: int, precision: Precision
) -> Callable[[NDArray[np.float32]], NDArray[np.float32]]:
    """Compile the network for one frame of this size."""
    openvino = import_openvino()
    settings = {
        "INFERENCE_PRECISION_HINT": _PRECISIONS[precision],
        "INFERENCE_NUM_THREADS": 1,
        "NUM_STREAMS": 1,
        "ENABLE_CPU_PINNING": False,
    }
    compiled = openvino.Core().compile_model(_network(openvino, weights, height, width), "CPU", settings)
    actual = compiled.get_property("INFERENCE_PRECISION_HINT").to_string()
    if actual != _PRECISIONS[precision]:
        raise DataError(
            f"vgg16: precision: {precision}: OpenVINO {version()} computes with {actual} on this processor, which has "
            "no instructions for it; choose 'precision: float32'"
        )
    request = compiled.create_infer_request()
    return lambda x: np.array(request.infer({0: x})[0])


def _network(openvino: Any, weights: Weights, height: int, width: int) -> Any:  # noqa: ANN401 - of an optional package
    """Return the network as OpenVINO describes it: from pixels (1, H, W, 3) to features (1, H // 32, W // 32, 512)."""
    op = openvino.opset13
    pixels = op.parameter([1, height, width, 3], openvino.Type.f32, name="pixels")
    x = op.transpose(pixels, np.array([0, 3, 1, 2]))
    layers = iter(zip(weights.kernels, weights.biases, strict=True))
    ones, twos, zeros = [1, 1], [2, 2], [0, 0]
    for sizes in BLOCKS:
        for _ in sizes:
            kernel, bias = next(layers)
            filters = op.constant(np.ascontiguousarray(kernel.transpose(3, 2, 0, 1)))
            x = op.convolution(x, filters, strides=ones, pads_begin=ones, pads_end=ones, dilations=ones)
            x = op.relu(op.add(x, op.constant(bias.reshape(1, -1, 1, 1))))
        pooled = op.max_pool(x, strides=twos, dilations=ones, pads_begin=zeros, pads_end=zeros, kernel_shape=twos)
        x = pooled.output(0)  # the other output says where the maxima were
    return openvino.Model([op.transpose(x, np.array([0, 2, 3, 1]))], [pixels], "vgg16")


@functools.cache
def import_openvino() -> Any:  # noqa: ANN401 - of a package that is not always there
    """Import OpenVINO without its telemetry.

    Raises:
        DataError: It is not installed, or cannot be imported.
    """
    before = sys.modules.get(_TELEMETRY)
    sys.modules[_TELEMETRY] = None  # type: ignore[assignment]  # what an import then takes for not installed
    try:
        return importlib.import_module("openvino")
    except ImportError as error:
        if isinstance(error, ModuleNotFoundError) and error.name == "openvino":
            raise DataError(_MISSING) from None
        raise DataError(f"vgg16: backend: openvino: OpenVINO cannot be imported: {error}; install it again") from None
    finally:
        if before is None:
            del sys.modules[_TELEMETRY]
        else:
            sys.modules[_TELEMETRY] = before
