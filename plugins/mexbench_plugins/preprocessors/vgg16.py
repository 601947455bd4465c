"""Features of frames: the convolutions of VGG-16."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from annotated_types import Ge
from numpy.typing import NDArray

from mexbench.errors import DataError
from mexbench.interfaces import Clip, Preprocessor
from mexbench_plugins.preprocessors import _vgg16_openvino as _openvino
from mexbench_plugins.preprocessors import _vgg16_weights as stored
from mexbench_plugins.preprocessors._images import require

#: Five maxima halve an image; a smaller one has no pixel left.
SMALLEST = 32


@dataclass(frozen=True, kw_only=True)
class VGG16(Preprocessor):
    """Frames (T, H, W, 3), uint8 RGB, to float32 features (T, H/32, W/32, 512) of VGG-16 without its dense layers.

    Frames of 224x224 give 7x7x512, frames of 256x256 give 8x8x512; a side that 32 does not divide loses its rest. The
    step itself turns pixels into what its weights were trained on: give it frames as they are. ImageNet's weights are
    no part of this project. On a processor a frame takes less than half the products of plain convolutions (Winograd's
    algorithm); features differ from those of other programs by rounding alone.

    OpenVINO (extra ``openvino``) computes the same network on the processor, with one thread, whatever ``--device``
    says. In float32 it is an independent computation for comparison, and slower: it takes about 1.3 times as long. In
    bfloat16, which has 8 significant bits where float32 has 24, it takes about two thirds of the time on a processor
    with instructions for it, and features differ by about a hundredth of the largest.

    Args:
        weights: A file of weights, safetensors in the naming of torchvision and timm or Keras's HDF5 (.h5, needs the
            extra keras); hub fetches timm/vgg16.tv_in1k, half a gigabyte, once (needs the extra hub); auto draws random
            weights from seed, fetches nothing and flags every row random-vgg16.
        seed: Source of the random weights of auto.
        backend: What computes the features: winograd, which is part of this project, or openvino (extra openvino), for
            comparison and for bfloat16; in float32 it is slower.
        precision: What they are computed with; bfloat16 is faster and coarser, needs the backend openvino and a
            processor that has instructions for it, and flags every row bfloat16.
    """

    source = (
        "Simonyan and Zisserman, Very deep convolutional networks for large-scale image recognition, ICLR 2015, "
        "configuration D; as in HybridMicroNet (2023), figure 1"
    )
    licence = "of the weights: as their publisher states; none are part of this project"
    example_shape = (2, 32, 64, 3)

    weights: Path | Literal["auto", "hub"]
    seed: Annotated[int, Ge(0)] = 0
    backend: Literal["winograd", "openvino"] = "winograd"
    precision: Literal["float32", "bfloat16"] = "float32"

    def __post_init__(self) -> None:
        """Refuse a precision that the backend does not have."""
        if self.backend == "winograd" and self.precision != "float32":
            raise ValueError(
                f"precision {self.precision} needs 'backend: openvino'; the backend {self.backend} computes in float32"
            )

    def flags(self) -> tuple[str, ...]:
        """Say so where nothing was ever learned, and where features are rounded to few digits."""
        random = ("random-vgg16",) if str(self.weights) == "auto" else ()
        return (*random, *(("bfloat16",) if self.precision == "bfloat16" else ()))

    def provenance(self) -> Mapping[str, str]:
        """Return where the weights come from, the SHA-256 of their file, and the version of an optional backend.

        Raises:
            DataError: The file does not exist or cannot be fetched, or the backend is not installed.
        """
        return {**self._weights_provenance(), **self._backend_provenance()}

    def _weights_provenance(self) -> Mapping[str, str]:
        path = self._file()
        if path is None:
            return {"weights": "random"}
        hub = f"{stored.REPOSITORY}/{stored.FILE} at {stored.REVISION}"
        return {"weights": hub if str(self.weights) == "hub" else "file", "sha256": stored.sha256(path)}

    def _backend_provenance(self) -> Mapping[str, str]:
        if self.backend == "winograd":  # the version of JAX is part of every run's identity
            return {}
        return {"backend": f"openvino {_openvino.version()}, {self.precision}"}

    def __call__(self, clip: Clip) -> Clip:
        """Compute the features of every frame.

        Raises:
            DataError: The frames are not uint8 RGB images or too small, the weights cannot be read, or the backend is
                not installed or lacks the precision on this processor.
        """
        frames = require(
            "vgg16", clip, channels=(3,), hint="put it behind resize, and take out grayscale, normalise or optical_flow"
        )
        if min(frames.shape[1:3]) < SMALLEST:
            raise DataError(
                f"vgg16: frames {frames.shape[1:3]} are too small: {SMALLEST} x {SMALLEST} at least; put "
                "{plugin: resize, size: 224} in front of it"
            )
        path = self._file()
        weights = stored.drawn(self.seed) if path is None else stored.read(path)
        return dataclasses.replace(clip, frames=self._features(weights, frames))

    def _features(self, weights: stored.Weights, frames: NDArray[np.uint8]) -> NDArray[np.float32]:
        if self.backend == "openvino":
            return _openvino.features(weights, frames, self.precision)
        from mexbench_plugins.preprocessors._vgg16_network import features

        return features(weights, frames)

    def _file(self) -> Path | None:
        """Return the file of the weights; None where they are drawn."""
        name = str(self.weights)
        return None if name == "auto" else stored.fetched() if name == "hub" else Path(self.weights)
