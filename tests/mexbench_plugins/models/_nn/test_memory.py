"""Whether a process is told to keep its memory in time: threads that JAX has started keep their own."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.helpers import ROOT

TRAINING = """
import sys
import numpy as np
from mexbench_plugins.models import {module}
from mexbench_plugins.models._nn import network_model

def told():
    from jax._src.xla_bridge import backends_are_initialized
    sys.exit("too late" if backends_are_initialized() else "in time")

network_model.keep_memory = told
model = {module}.{model}
model.folds_at_once()
x, y, groups = np.zeros((12, *{shape}), np.{dtype}), np.arange(12) % 3, np.array(list("abcdef") * 2)
model.fit(x, y, n_classes=3, groups=groups, seed=0)
"""


@pytest.mark.parametrize(
    ("module", "model", "shape", "dtype"),
    [
        ("ststnet", "STSTNet()", (1, 28, 28, 3), "uint8"),
        ("off_apexnet", "OffApexNet()", (1, 28, 28, 2), "uint8"),
        ("cnn_lstm", "CNNLSTM(early_stopping=1)", (16, 48, 48, 1), "uint8"),
        ("hybrid_micronet_au", "HybridMicroNetAU(detect_units=True)", (1, 7, 7, 518), "float32"),
    ],
)
def test_memory_is_kept_before_jax_starts(module: str, model: str, shape: tuple[int, ...], dtype: str) -> None:
    code = TRAINING.format(module=module, model=model, shape=shape, dtype=dtype)
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stderr.splitlines()[-1] == "in time"
