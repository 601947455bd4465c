from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.mexbench_plugins.datasets.layouts import CASME2_ROWS, write_casme2


@pytest.fixture(scope="session")
def casme2_sheet() -> Path:
    """The real annotation beside the checkout, which never enters the repository."""
    beside = Path(__file__).resolve().parents[3].parent / "shared"
    shared = Path(os.environ.get("MEXBENCH_SHARED", beside))
    path = shared / "data" / "casme2_annotation" / "CASME2-coding-20140508.xlsx"
    if not path.is_file():
        pytest.skip(f"needs the real annotation, {path}; set MEXBENCH_SHARED to the folder that holds 'data'")
    return path


@pytest.fixture
def casme2_root(tmp_path: Path) -> Path:
    """A small CASME-II in order."""
    return write_casme2(tmp_path / "casme2", CASME2_ROWS)
