"""The notebooks of ``docs/`` run, and their stored outputs are of this machine in nothing.

``python tests/test_notebooks.py`` runs them and stores the outputs.
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = sorted((ROOT / "docs" / "notebooks").glob("*.ipynb"))
HAS_TORCH = importlib.util.find_spec("torch") is not None


def execute(path: Path, folder: Path) -> Any:  # noqa: ANN401 - a notebook
    """Run a notebook in a folder of its own, without the real data; cells with the tag torch need PyTorch."""
    import nbformat
    from nbclient import NotebookClient

    notebook: Any = nbformat.read(path, as_version=4)
    if not HAS_TORCH:
        notebook.cells = [cell for cell in notebook.cells if "torch" not in cell.metadata.get("tags", [])]
    environment = {key: value for key, value in os.environ.items() if key != "MEGC2019_FLOW_ROOT"}
    packages = os.pathsep.join(str(ROOT / name) for name in ("benchmark", "plugins"))
    search = os.pathsep.join(part for part in (packages, environment.get("PYTHONPATH", "")) if part)
    client = NotebookClient(notebook, timeout=550, kernel_name="python3", resources={"metadata": {"path": str(folder)}})
    client.execute(env={**environment, "PYTHONPATH": search})
    return notebook


def outputs(notebook: Any) -> str:  # noqa: ANN401
    texts = []
    for cell in notebook["cells"]:
        for output in cell.get("outputs", []):
            texts += [output.get("text", ""), *(v for k, v in output.get("data", {}).items() if k.startswith("text"))]
    return "\n".join("".join(text) for text in texts)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs(path: Path, tmp_path: Path) -> None:
    pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    text = outputs(execute(path, tmp_path))
    assert "SVC" in text
    assert "majority" in text
    assert "local-code" in text
    assert r"\toprule" in text
    assert ("perceptron" in text) == HAS_TORCH
    assert (tmp_path / "runs" / "quickstart" / "predictions.csv").is_file()


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_stored_outputs_are_complete_and_name_no_machine(path: Path) -> None:
    notebook = json.loads(path.read_text(encoding="utf-8"))
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert [cell["execution_count"] for cell in code] == list(range(1, len(code) + 1))
    assert not [cell for cell in code if any(output["output_type"] == "error" for output in cell["outputs"])]
    assert not re.search(r"(?<![\w.])/(?:home|root|tmp|work|Users|var)/", outputs(notebook))
    assert path.stat().st_size < 200_000


def test_there_are_notebooks() -> None:
    assert [path.name for path in NOTEBOOKS] == ["first_steps.ipynb"]


if __name__ == "__main__":
    import tempfile

    import nbformat

    for found in NOTEBOOKS:
        with tempfile.TemporaryDirectory() as name:
            executed = execute(found, Path(name))
        for cell in executed.cells:
            cell.metadata.pop("execution", None)  # when each cell ran
        nbformat.write(executed, found)
        sys.stdout.write(f"{found.relative_to(ROOT)}\n")
