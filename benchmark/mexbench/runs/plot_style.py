"""How every drawing looks: one palette, one style of matplotlib, and figures that are the same each time."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mexbench.files import replacing

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: Told apart by colour-blind readers (Okabe and Ito); what a colour says is also said by a shape, a place or a word.
BLUE, ORANGE, GREEN, PURPLE = "#0072B2", "#D55E00", "#009E73", "#CC79A7"
AMBER, SKY, BLACK, GREY = "#E69F00", "#56B4E9", "#000000", "#666666"
#: Of texts, of lines that only guide the eye, and of the paper.
INK, RULE, GRID, PAPER = "#222222", "#bbbbbb", "#dddddd", "#ffffff"
DPI = 150
_STYLE: dict[Any, Any] = {
    "font.size": 13,
    "axes.titlesize": 13,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "svg.hashsalt": "mexbench",  # else ids are drawn anew each time
    "svg.fonttype": "path",
    "figure.constrained_layout.use": True,
}


@contextmanager
def house_style(changes: Mapping[Any, Any] | None = None) -> Iterator[None]:
    """Draw every figure of the block in one style: a user's own matplotlibrc changes none.

    Args:
        changes: Settings of matplotlib that this drawing needs otherwise, such as ``font.size``.
    """
    import matplotlib as mpl

    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update({**_STYLE, **(changes or {})})
        yield


def figure_bytes(figure: Figure, kind: str) -> bytes:
    """Return a figure as ``png`` or ``svg``, without anything that differs from one time to the next."""
    stream = io.BytesIO()
    metadata = {"png": {"Software": None}, "svg": {"Date": None}}[kind]
    figure.savefig(stream, format=kind, dpi=DPI, metadata=metadata)
    return stream.getvalue()


def save_figure(figure: Figure, base: Path, kinds: Sequence[str] = ("png", "svg")) -> list[Path]:
    """Write a figure as ``BASE.png`` and ``BASE.svg``, each whole or not at all.

    Returns:
        The files.
    """
    paths = [base.with_name(f"{base.name}.{kind}") for kind in kinds]
    for path, kind in zip(paths, kinds, strict=True):
        content = figure_bytes(figure, kind)
        with replacing(path) as target:
            target.write(content)
    return paths
