"""CNN-LSTM: convolutions on each frame, recurrent layers over time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

from annotated_types import Ge
from numpy.random import Generator

from mexbench.errors import DataError
from mexbench_plugins.models._nn.network_model import NetworkModel, Shape, shape_text

if TYPE_CHECKING:
    from mexbench_plugins.models._nn.cnn_lstm_network import CNNLSTMLayers

#: The smallest side of which two convolutions without padding and three halvings leave a pixel.
_SMALLEST = 14


@dataclass(frozen=True, kw_only=True)
class CNNLSTM(NetworkModel):
    """Conv 3x3 32, pool, conv 3x3, pool, pool on each frame; LSTM 50, SimpleRNN 30, dense 128, dense.

    Unstated in the paper and chosen here: 64 filters in the second convolution (twice the first's, as is usual), no
    padding (Keras's default, and equation 8 has none), one pooling after each convolution and the third after the
    second pooling, and the time axis. "More than 20 epochs" is 50 at most here, since early stopping ends training.

    Args:
        time: What the recurrent layers read step by step: frames of a clip, or rows of a single image's
            feature map. auto is frames where there are several.
        filters: Of the second convolution.
        epochs: At most; the paper says more than 20.
        batch_size: As in the paper.
        early_stopping: As in the paper, but on subjects that do not train.
    """

    source = "CNN-LSTM paper (2024), sections 2.6 and 2.7; the time axis and the second convolution are unstated"
    example_shape = (1, 48, 48, 1)
    has_batch_norm = False

    time: Literal["auto", "frames", "rows"] = "auto"
    filters: Annotated[int, Ge(1)] = 64
    epochs: Annotated[int, Ge(1)] = 50
    batch_size: Annotated[int, Ge(1)] = 8
    early_stopping: Annotated[int, Ge(1)] | None = 3

    def check(self, shape: Shape) -> None:
        """Refuse features, small images, and clips where rows are to be read."""
        if len(shape) != 4 or min(shape[1:3]) < _SMALLEST:
            raise DataError(
                f"cnn_lstm needs (n, T, H, W, C) images of at least {_SMALLEST}x{_SMALLEST} pixels, 48x48x1 in the "
                f"paper, got {shape_text(shape)}; add grayscale, and resize to 48x48"
            )
        if self.time == "rows" and shape[0] != 1:
            raise DataError(
                f"cnn_lstm with time: rows needs (n, T=1, H, W, C) single images, got {shape_text(shape)}; "
                "set time: frames"
            )

    def network(self, shape: Shape, n_classes: int, rng: Generator) -> CNNLSTMLayers:
        """Build the network."""
        from mexbench_plugins.models._nn.cnn_lstm_network import CNNLSTMLayers

        return CNNLSTMLayers(shape, n_classes, rng, time=self.time, filters=self.filters)
