"""What a LOSO of 26 folds takes against its first fold: ``python -m tests.speed.compile_once``.

Every fold has another number of samples and trains one epoch, so that little but compilation is left. Prints the ratio
for each network: about 26 where each fold compiles anew, below 2 where one compilation serves all. Processor time, no
compilations from earlier processes.
"""

from __future__ import annotations

import os
import tempfile
import time

from mexbench import devices

devices.use_one_thread()

import numpy as np  # noqa: E402

from mexbench_plugins.models._nn.network_model import NetworkModel  # noqa: E402
from mexbench_plugins.models.au_cnn import AUCNN  # noqa: E402
from mexbench_plugins.models.cnn import CNN  # noqa: E402
from mexbench_plugins.models.cnn_lstm import CNNLSTM  # noqa: E402

NETWORKS: dict[str, tuple[NetworkModel, tuple[int, ...]]] = {
    "au_cnn": (AUCNN(batch_size=4, epochs=1), (1, 128, 128, 3)),
    "cnn": (CNN(batch_size=4, epochs=1), (1, 16, 16, 3)),
    "cnn_lstm": (CNNLSTM(batch_size=4, epochs=1, early_stopping=None), (1, 48, 48, 1)),
}
SUBJECTS = 26


def main() -> None:
    """Print the ratios."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["MEXBENCH_CACHE"] = folder
        for name, (model, shape) in NETWORKS.items():
            rng = np.random.default_rng(0)
            subjects = np.concatenate([np.repeat(f"s{i:02}", 1 + i // 9) for i in range(SUBJECTS)])
            x = rng.integers(0, 256, (len(subjects), *shape), dtype=np.uint8)
            y = rng.integers(0, 3, len(subjects))
            start, first = time.process_time(), 0.0
            for subject in np.unique(subjects):
                train = subjects != subject
                predictor = model.fit(x[train], y[train], n_classes=3, groups=subjects[train], seed=0)
                predictor(x[~train])
                first = first or time.process_time() - start
            print(f"{name:<12} {(time.process_time() - start) / first:6.2f} times the first fold", flush=True)


if __name__ == "__main__":
    main()
