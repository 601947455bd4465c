"""The figure of two models' agreement shows the numbers of the table."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mexbench.studies.agreement import figure
from mexbench.studies.agreement.agreement import agree
from mexbench.studies.agreement.page import confusion_table, overall_table
from tests.mexbench.studies.agreement.test_agreement import predictions

pytestmark = pytest.mark.usefixtures("few_subjects_suffice")


def test_the_drawing_has_the_values_of_the_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from matplotlib.figure import Figure

    axes = Figure().subplots()

    def painted(path: Path, title: str, paint: Callable[[Any], None], size: tuple[float, float]) -> None:
        del path, title, size
        paint(axes)

    monkeypatch.setattr(figure, "write_figure", painted)
    # Both sad 4, A sad and B glad 3, A glad and B sad 1, both glad 2; calm is nobody's answer.
    one = predictions("one", ["sad"] * 7 + ["glad"] * 3)
    other = predictions("other", ["sad"] * 4 + ["glad"] * 3 + ["sad"] + ["glad"] * 2)
    agreement = agree(one, other)
    caption = figure.draw(agreement, tmp_path / "figure.png")
    names = [text.get_text() for text in axes.get_xticklabels()]
    assert names == [text.get_text() for text in axes.get_yticklabels()] == list(agreement.emotions)
    image = np.asarray(axes.get_images()[0].get_array())
    written = {tuple(map(int, text.get_position())): text.get_text() for text in axes.texts}
    assert len(written) == len(names) ** 2
    for row, (name, *cells) in enumerate(confusion_table(agreement).rows):
        assert name == names[row]
        assert [written[column, row] for column in range(len(names))] == list(cells)
        assert image[row].astype(int).astype(str).tolist() == list(cells)
    sad, glad = names.index("sad"), names.index("glad")
    assert (written[sad, sad], written[glad, sad], written[sad, glad], written[glad, glad]) == ("4", "3", "1", "2")
    assert caption == "agreement of one (A) and other (B): 60 % of clips, 50 % by chance, kappa 0.20"
    assert overall_table(agreement).rows[0][1] == "60.00"


def test_the_figure_is_a_picture_and_the_same_every_time(tmp_path: Path) -> None:
    agreement = agree(predictions("one", ["sad", "glad"]), predictions("other", ["sad", "sad"]))
    for name in ("a.png", "b.png"):
        figure.draw(agreement, tmp_path / name)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
