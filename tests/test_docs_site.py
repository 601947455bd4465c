"""The documentation is built strictly, and its pages ask no host for anything."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from mexbench import cli
from mexbench.registry.catalogue import Catalogue
from tests.helpers import ROOT, SEARCH_PATH

pytest.importorskip("mkdocs")
pytest.importorskip("material")
pytest.importorskip("mkdocstrings")


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("docs")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(target)],
        cwd=ROOT, capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": SEARCH_PATH, "NO_MKDOCS_2_WARNING": "1", "PYTHONDONTWRITEBYTECODE": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr
    return target


def test_pages_load_nothing_from_a_host(pages: Path) -> None:
    for path in pages.rglob("*.html"):
        text = path.read_text(encoding="utf-8")
        loads = re.findall(r"<(?:script|img|link|iframe)\b[^>]*?\b(?:src|href)=\"?(https?://[^\s\">]+)", text)
        assert loads == [], path
        assert "fonts.googleapis" not in text


def test_every_plugin_and_command_has_its_place(pages: Path, builtin: Catalogue) -> None:
    for entry in builtin.entries:
        if entry.distribution.startswith("mexbench "):
            assert (pages / "reference" / "plugins" / f"{entry.kind}-{entry.name}.html").is_file(), entry.name
    text = (pages / "reference" / "commands.html").read_text(encoding="utf-8")
    assert [name for name in cli.COMMANDS if f"bench {name}" not in text] == []


def test_the_python_reference_has_what_an_author_reads(pages: Path) -> None:
    text = (pages / "reference" / "python.html").read_text(encoding="utf-8")
    for name in ("Model.fit", "TorchModel.module", "SklearnModel", "Dataset.samples", "assert_conforms"):
        assert name in text, name
