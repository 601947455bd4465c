"""Each template of a model, as a newcomer goes: new, test-plugin, run, submit, verify, and the page of its row."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest
import yaml

from mexbench.registry import scaffold
from tests.helpers import write_flow
from tests.mexbench.reports.conftest import CLIPS
from tests.test_plugin_distribution import bench, install

TEMPLATES = [
    template
    for template in scaffold.TEMPLATES["model"]
    if template != "torch" or importlib.util.find_spec("torch") is not None
]
REPOSITORY = "https://example.org/me/models"
#: Quick settings of each template's own parameters.
QUICK = {"torch": {"recipe": {"epochs": 2}}, "flax": {"epochs": 3}, "sklearn": {"C": 0.1}, "numpy": {}}


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A distribution of each template, all but numpy's with an address of its code."""
    folder = tmp_path_factory.mktemp("sources")
    for template in TEMPLATES:
        target = folder / f"my_{template}"
        done = bench(folder, "new", "model", f"my_{template}", "--template", template, "--out", str(target))
        assert done.returncode == 0, done.stderr
        if template != "numpy":
            path = target / "pyproject.toml"
            urls = f'urls = {{Repository = "{REPOSITORY}", Paper = "https://doi.org/10.1/x"}}\nlicense = "MIT"\n'
            text = path.read_text().replace("\n# A leaderboard shows these", f"\n{urls}# A leaderboard shows these")
            path.write_text(text)
    return folder


@pytest.mark.parametrize("template", [template for template in TEMPLATES if template != "numpy"])
def test_a_folder_conforms_before_it_is_installed(template: str, sources: Path) -> None:
    done = bench(sources, "test-plugin", str(sources / f"my_{template}"))
    assert done.returncode == 0, done.stdout + done.stderr
    kept, n_a = {"sklearn": (12, 3), "torch": (13, 2)}.get(template, (10, 5))
    assert done.stdout.endswith(f"{kept} kept, {n_a} n/a\n")


def test_rows_of_every_template_reach_the_leaderboard(sources: Path, tmp_path: Path) -> None:
    site = install(tmp_path / "site", *(sources / f"my_{template}" for template in TEMPLATES))
    config = {
        "dataset": {"plugin": "megc2019_flow", "root": str(write_flow(tmp_path / "pack", CLIPS)), "expect": "any"},
        "protocol": "loso",
        "models": [
            "majority",
            *({"plugin": f"my_{template}", "selection": "beforehand", **QUICK[template]} for template in TEMPLATES),
        ],
    }
    (tmp_path / "c.yaml").write_text(yaml.safe_dump(config))
    run, root = str(tmp_path / "run"), ("--root", str(tmp_path / "boards"))
    saved = [f"my_{template}" for template in TEMPLATES if template in ("sklearn", "torch")]
    done = bench(site, "run", str(tmp_path / "c.yaml"), "--out", run)
    assert done.returncode == 0, done.stderr
    rows = {row["model"]: row for row in json.loads((tmp_path / "run" / "scores.json").read_text())["rows"]}
    assert rows.keys() == {"majority", *(f"my_{template}" for template in TEMPLATES)}
    (tmp_path / "saved.yaml").write_text(yaml.safe_dump({**config, "models": saved}))
    done = bench(site, "run", str(tmp_path / "saved.yaml"), "--out", str(tmp_path / "saved"), "--save-models", "task")
    assert done.returncode == 0, done.stderr

    assert bench(site, "leaderboard", "define", run, "toy", *root).returncode == 0
    done = bench(site, "leaderboard", "submit", run, "toy", *root)
    assert done.returncode == 0, done.stderr
    assert "flagged code-unavailable: my-numpy 0.1.0 names no address of its code" in done.stderr
    done = bench(site, "leaderboard", "verify", *root)
    assert done.stdout == f"{len(TEMPLATES) + 1} of {len(TEMPLATES) + 1} submissions verify\n"
    assert bench(site, "leaderboard", "render", *root).returncode == 0
    page = (tmp_path / "boards" / "toy.md").read_text()
    for template in TEMPLATES:
        (line,) = [line for line in page.splitlines() if line.startswith(f"- **my_{template}** ")]
        assert (REPOSITORY in line, "licence MIT" in line) == (template != "numpy", template != "numpy")
    assert "code-unavailable" in next(line for line in page.splitlines() if "| my_numpy " in line)
    pages = str(tmp_path / "pages")
    assert bench(site, "site", *root, "--out", pages).returncode == 0
    html = Path(pages, "rows", "toy", "my_sklearn.html").read_text()
    assert f'<dt>Address</dt><dd><a href="{REPOSITORY}" rel="external noreferrer">{REPOSITORY}</a></dd>' in html
