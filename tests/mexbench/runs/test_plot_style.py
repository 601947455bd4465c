"""One palette and one style: no other module names a colour, and colour-blind readers tell those of a drawing apart."""

from __future__ import annotations

import re
from itertools import combinations

import numpy as np
import pytest
from numpy.typing import NDArray

from mexbench.runs import plot_style
from tests.helpers import ROOT

#: Machado, Oliveira and Fernandes (2009), severity 1: linear RGB of a normal eye -> of a colour-blind one.
BLINDNESS = {
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
}


def linear(colour: str) -> NDArray[np.float64]:
    value = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


def lab(rgb: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return CIELAB under D65, from linear RGB."""
    xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]) @ np.clip(rgb, 0, 1)
    x, y, z = np.cbrt(np.maximum(xyz / [0.9505, 1, 1.089], 0.008856))
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def test_no_other_module_names_a_colour() -> None:
    owners = {
        path.relative_to(ROOT).as_posix()
        for folder in ("benchmark", "plugins")
        for path in (ROOT / folder).rglob("*.py")
        if re.search(r"\"#[0-9A-Fa-f]{6}\"", path.read_text(encoding="utf-8"))
    }
    assert owners == {"benchmark/mexbench/runs/plot_style.py"}


@pytest.mark.parametrize("kind", BLINDNESS)
def test_the_colours_of_one_drawing_differ_for_colour_blind_eyes(kind: str) -> None:
    matrix = np.array(BLINDNESS[kind])
    colours = [plot_style.BLUE, plot_style.ORANGE, plot_style.GREEN, plot_style.GREY]
    seen = [lab(matrix @ linear(colour)) for colour in colours]
    assert min(float(np.linalg.norm(a - b)) for a, b in combinations(seen, 2)) > 10  # 2.3 is just noticeable


def test_a_figure_is_the_same_each_time_whatever_the_users_settings() -> None:
    mpl = pytest.importorskip("matplotlib")
    figures = pytest.importorskip("matplotlib.figure")

    def drawn() -> tuple[bytes, bytes]:
        with plot_style.house_style({"font.size": 9}):
            figure = figures.Figure(figsize=(2, 2))
            figure.add_subplot().plot([0, 1], color=plot_style.BLUE)
            return plot_style.figure_bytes(figure, "svg"), plot_style.figure_bytes(figure, "png")

    first = drawn()
    with mpl.rc_context({"font.size": 30, "axes.facecolor": "red"}):
        assert drawn() == first
        assert mpl.rcParams["font.size"] == 30  # given back
