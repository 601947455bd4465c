"""The layers of HybridMicroNet with action units (2026)."""

from __future__ import annotations

import jax.numpy as jnp
from jax import Array

from mexbench_plugins.models._input_shapes import VGG16_CHANNELS
from mexbench_plugins.models._nn.hybrid_micronet_network import HybridMicroNetLayers
from mexbench_plugins.models._nn.layers import Context, record


class HybridMicroNetAULayers(HybridMicroNetLayers):
    """The 2023 network and K action units; output shapes and numbers of values for 5 classes."""

    def __call__(self, x: Array, context: Context) -> Array:
        """Return logits (n, classes) for x (n, T=1, 7, 7, 512 + K)."""
        features, units = x[:, 0, ..., :VGG16_CHANNELS], x[:, 0, 0, 0, VGG16_CHANNELS:]
        x = self.averages(features, context)  #                           32       421,072
        x = record("Concatenate", jnp.concatenate([x, units], axis=1))  # 32 + K         0
        return self.dense(x)  #                                            5       165 + 5 K
