from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.mexbench_plugins.datasets.layouts import CASME2_ROWS, write_casme2


@pytest.fixture(scope="session")
def shared_folder() -> Path:
    """The real data beside the checkout, which never enters the repository."""
    beside = Path(__file__).resolve().parents[3].parent / "shared"
    path = Path(os.environ.get("MEXBENCH_SHARED", beside)) / "data"
    if not path.is_dir():
        pytest.skip(f"needs the real annotations in {path}; set MEXBENCH_SHARED to the folder that holds 'data'")
    return path


@pytest.fixture(scope="session")
def casme2_sheet(shared_folder: Path) -> Path:
    """The real annotation of CASME-II."""
    return shared_folder / "casme2_annotation" / "CASME2-coding-20140508.xlsx"


@pytest.fixture
def casme2_root(tmp_path: Path) -> Path:
    """A small CASME-II in order."""
    return write_casme2(tmp_path / "casme2", CASME2_ROWS)
