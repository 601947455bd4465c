"""CNN-LSTM: convolutions on each frame, recurrent layers over time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

import jax
from annotated_types import Ge
from jax import Array
from numpy.random import Generator

from mexbench.errors import DataError
from mexbench_plugins.models._nn.layers import Context, Conv, Dense, Network, each, max_pool, record
from mexbench_plugins.models._nn.lstm import LSTM, SimpleRNN
from mexbench_plugins.models._nn.network_model import NetworkModel, Shape, shape_text

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
        return CNNLSTMLayers(self, shape, n_classes, rng)


class CNNLSTMLayers(Network):
    """Two convolutions and three poolings on each frame, two recurrent and two dense layers; see ``__call__``.

    Output shapes and numbers of values there are for one image of 48x48x1, read by rows, and 6 classes.
    """

    def __init__(self, model: CNNLSTM, shape: Shape, n_classes: int, rng: Generator) -> None:
        self.rows = model.time == "rows" or (model.time == "auto" and shape[0] == 1)
        _, height, width, channels = shape
        height, width = (((side - 2) // 2 - 2) // 4 for side in (height, width))
        self.conv1 = Conv(channels, 32, 3, product=True, rng=rng)
        self.conv2 = Conv(32, model.filters, 3, product=True, rng=rng)
        self.lstm = LSTM(width * model.filters * (1 if self.rows else height), 50, rng=rng)
        self.rnn = SimpleRNN(50, 30, rng=rng)
        self.dense1 = Dense(30, 128, rng=rng)
        self.dense2 = Dense(128, n_classes, rng=rng)

    def __call__(self, x: Array, context: Context) -> Array:
        """Return logits (n, classes) for x (n, T, H, W, C)."""
        del context
        n, frames = x.shape[:2]
        x = each(self.frame_layers, x.reshape(n * frames, *x.shape[2:]))
        x = record("Reshape", x.reshape(n, x.shape[1] if self.rows else frames, -1))  # 5 x 320           0
        x = self.lstm(x)  #                                                              5 x 50      74,200
        x = self.rnn(x)  #                                                                   30       2,430
        x = jax.nn.relu(self.dense1(x))  #                                                  128       3,968
        return self.dense2(x)  #                                                              6         774

    def frame_layers(self, x: Array) -> Array:
        """Return feature maps (n, 5, 5, 64) of images x (n, 48, 48, 1)."""
        x = jax.nn.relu(self.conv1(x))  #                                          46 x 46 x 32         320
        x = max_pool(x, 2, 2)  #                                                   23 x 23 x 32           0
        x = jax.nn.relu(self.conv2(x))  #                                          21 x 21 x 64      18,496
        x = max_pool(x, 2, 2)  #                                                   10 x 10 x 64           0
        return max_pool(x, 2, 2)  #                                                  5 x 5 x 64           0
