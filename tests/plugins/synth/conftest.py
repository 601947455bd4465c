from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import openpyxl
import pytest

from plugins.synth import faces, standin
from plugins.synth.faces import Face

#: Large enough for figures with intervals, small enough for a test.
OPTIONS = standin.StandIn(subjects=14, clips=7, frames=8, seed=3)


@dataclass(frozen=True)
class Row:
    """One row of the stand-in's sheet and the folder it speaks of."""

    subject: str
    folder: Path
    onset: int
    apex: int
    offset: int
    aus: str
    emotion: str

    def frame(self, number: int) -> Path:
        return self.folder / f"img{number}.jpg"


@dataclass(frozen=True)
class Built:
    root: Path
    header: tuple[object, ...]
    rows: tuple[Row, ...]


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Built]:
    """A stand-in in the layout of CASME-II, built once for all tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MEXBENCH_CACHE", str(tmp_path_factory.mktemp("cache")))
        root = standin.casme2_root(OPTIONS)
    book = openpyxl.load_workbook(root / "CASME2-coding-20140508.xlsx")
    header, *lines = book.worksheets[0].iter_rows(values_only=True)
    rows = []
    for subject, name, onset, apex, offset, aus, emotion in lines:
        folder = root / "CASME2_RAW_selected" / f"sub{subject}" / str(name)
        numbers = (int(str(value)) for value in (onset, apex, offset))
        rows.append(Row(str(subject), folder, *numbers, str(aus), str(emotion)))
    return Built(root, header, tuple(rows))


@pytest.fixture(scope="session")
def face() -> Face:
    return faces.builtin(4)


@pytest.fixture(scope="session")
def small() -> Face:
    return faces.builtin(7, width=320, height=240)
