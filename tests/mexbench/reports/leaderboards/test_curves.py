"""Learning curves of a run, averaged over folds and seeds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mexbench.errors import RunFolderError
from mexbench.reports.leaderboards.curves import MOST_POINTS, read_curves


def test_mean_and_percentiles_over_folds_and_seeds(tmp_path: Path) -> None:
    lines = ["model,seed,fold,epoch,loss,val_loss"]
    losses = {(0, "a"): [4.0, 2.0], (0, "b"): [2.0, 1.0], (1, "a"): [3.0]}
    for (seed, fold), result in losses.items():
        lines += [f"net,{seed},{fold},{epoch},{loss}," for epoch, loss in enumerate(result, start=1)]
    lines.append("other,0,a,1,9.0,9.0")
    (tmp_path / "histories.csv").write_text("\n".join(lines) + "\n")
    low, high = np.quantile([4.0, 2.0, 3.0], [0.1, 0.9])
    assert read_curves(tmp_path, "net") == {
        "loss": ((1, 3.0, pytest.approx(low), pytest.approx(high)), (2, 1.5, 1.1, 1.9)),
    }
    assert read_curves(tmp_path, "other").keys() == {"loss", "val_loss"}
    assert read_curves(tmp_path, "svm") == {}


def test_long_curves_are_thinned_and_keep_their_ends(tmp_path: Path) -> None:
    lines = ["model,seed,fold,epoch,loss", *(f"net,0,a,{epoch},{1 / epoch}" for epoch in range(1, 801))]
    (tmp_path / "histories.csv").write_text("\n".join(lines) + "\n")
    curve = read_curves(tmp_path, "net")["loss"]
    assert (len(curve), curve[0][0], curve[-1][0]) == (MOST_POINTS, 1, 800)
    assert len({point[0] for point in curve}) == MOST_POINTS


def test_runs_without_curves_and_damaged_files(tmp_path: Path) -> None:
    assert read_curves(tmp_path, "net") == {}
    (tmp_path / "histories.csv").write_text("model,seed,fold,epoch,loss\nnet,0,a,one,2.0\n")
    with pytest.raises(RunFolderError, match=r"histories.csv, line 2: is damaged"):
        read_curves(tmp_path, "net")
