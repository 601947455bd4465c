from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mexbench.errors import BenchError
from mexbench.reports.plots import check_matplotlib, confusion_figure, draw, learning_figure, mean_and_spread
from mexbench.runs.run_folder import StoredResult
from mexbench.runs.task import Task

ROW = {
    "model": "net <1>",
    "confusion": [[3, 1], [0, 0]],
    "flags": ["synthetic"],
    "per_seed": [{}, {}],
    "protocol": "loso",
}
SCORES: dict[str, Any] = {"rows": [ROW], "classes": ["negative", "positive"], "dataset": "toy"}


def result(fold: str, losses: list[float], **fields: float) -> StoredResult:
    history = tuple({"epoch": i, "loss": loss, **fields} for i, loss in enumerate(losses, 1))
    return StoredResult(Task("net <1>", 0, fold, "x"), {}, 0, 0, (), history)


RESULTS = [result("a", [4, 3, 2], accuracy=0.5, val_loss=5), result("b", [2, 1])]


def test_mean_and_spread_end_where_fewer_than_half_of_the_trainings_continue() -> None:
    curves = [[(1, 4.0), (2, 3.0), (3, 2.0), (4, 9.0)], [(1, 2.0), (2, 1.0), (3, 1.0)], [(1, 3.0), (2, 2.0)]]
    epochs, mean, spread = mean_and_spread(curves)
    assert epochs.tolist() == [1, 2, 3]
    assert mean.tolist() == [3, 2, 1.5]
    np.testing.assert_allclose(spread, [1, 1, np.sqrt(0.5)])
    assert [part.tolist() for part in mean_and_spread([[(1, 2.0)]])] == [[1], [2], [0]]


def test_plots_of_the_same_run_are_equal_to_the_byte(tmp_path: Path) -> None:
    first, second = draw(SCORES, RESULTS, tmp_path / "1"), draw(SCORES, RESULTS, tmp_path / "2")
    assert [path.name for path in first] == [
        "confusion-net <1>.png", "confusion-net <1>.svg", "learning-net <1>.png", "learning-net <1>.svg",
    ]  # fmt: skip
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]
    assert b"dc:date" not in first[1].read_bytes()


def texts(figure: Any) -> list[str]:  # noqa: ANN401
    return [text.get_text() for text in figure.axes[0].texts]


def test_a_confusion_matrix_prints_shares_and_counts() -> None:
    figure = confusion_figure(ROW, SCORES)
    assert texts(figure) == ["75 %\n3", "25 %\n1", "0", "0"]
    axes = figure.axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["negative\n(n = 4)", "positive\n(n = 0)"]
    assert axes.images[0].get_array().tolist() == [[75, 25], [0, 0]]  # pyright: ignore[reportOptionalMemberAccess]
    assert figure.get_suptitle() == "net <1> on toy, loso (flags: synthetic)\n2 runs (seeds, repeats) added up"


def test_learning_curves_have_a_panel_per_value_and_a_line_per_side() -> None:
    figure = learning_figure(ROW, SCORES, RESULTS)
    assert figure is not None
    loss, accuracy = figure.axes
    assert (loss.get_ylabel(), accuracy.get_ylabel(), loss.get_xlabel()) == ("loss", "accuracy (%)", "epoch")
    assert [line.get_label() for line in loss.lines] == ["training", "validation"]
    assert loss.lines[0].get_ydata().tolist() == [3, 2, 2]  # pyright: ignore[reportAttributeAccessIssue]
    assert accuracy.lines[0].get_ydata().tolist() == [50, 50, 50]  # pyright: ignore[reportAttributeAccessIssue]
    assert figure.get_suptitle().endswith("over 2 trainings, fewer where some have stopped")
    assert learning_figure(ROW, SCORES, []) is None


def test_an_error_names_the_extra_where_matplotlib_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    check_matplotlib()
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(BenchError, match=r"--figures needs matplotlib.*pip install '\.\[figures\]'"):
        check_matplotlib()
