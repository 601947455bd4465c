"""Every command of README, CONTRIBUTING, FAQ and the documentation, as written, in a folder like a checkout.

The data is small and written here, in the layouts of the originals: a made-up cast as CASME-II and flow images as the
MEGC2019 pack; the configs are the project's, with models that take no minutes. Where the real flow pack is at hand, the
way of a contributor to the leaderboard is gone on it.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import shutil
import site
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from mexbench import cli
from mexbench.registry import scaffold
from mexbench_plugins.synth.standin import StandIn, stand_in_root
from tests.helpers import ROOT, SEARCH_PATH, write_flow
from tests.mexbench.cli.test_new import write_stills
from tests.mexbench.reports.conftest import CLIPS

BOARD = "loso_megc2019_flow"
_SHIMS = {
    "bench": 'exec python -m mexbench "$@"',
    "pytest": 'exec python -W error -m pytest -q -p no:cacheprovider "$@"',
    # No network: the build tool of the test extra builds, and mexbench is there already.
    "pip": 'exec python -m pip "$1" --quiet --no-index --no-build-isolation "${@:2}"',
}


def blocks(document: str, language: str = "sh") -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", (ROOT / document).read_text(encoding="utf-8"), re.DOTALL)


class Workspace:
    """A folder with configs, leaderboards and an environment of its own to install into."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("configs", "leaderboards"):
            shutil.copytree(ROOT / name, folder / name)
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder / ".venv")], check=True)
        commands = folder / ".venv" / "bin"
        (python,) = (folder / ".venv" / "lib").iterdir()
        here = [path for path in site.getsitepackages() if Path(path).is_dir()]
        (python / "site-packages" / "those-of-the-tests.pth").write_text("\n".join(here))
        for name, script in _SHIMS.items():
            (commands / name).write_text(f"#!/usr/bin/env bash\n{script}\n")
            (commands / name).chmod(0o755)
        self.environment = {
            # A width would stack the tables of what is printed.
            **{
                key: value
                for key, value in os.environ.items()
                if not key.startswith(("CASME2", "MEGC2019", "VGG16", "COLUMNS"))
            },
            "PATH": f"{commands}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": SEARCH_PATH,
        }

    def run(self, commands: str, **environment: str) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", commands],
            cwd=self.folder, env={**self.environment, **environment}, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{commands}\n{done.stdout}\n{done.stderr}"
        assert "Traceback" not in done.stderr
        return done

    def config(self, name: str, change: Callable[[dict[str, Any]], object]) -> None:
        path = self.folder / "configs" / name
        config = yaml.safe_load(path.read_text(encoding="utf-8"))
        change(config)
        path.write_text(yaml.safe_dump(config), encoding="utf-8")


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path / "work")


@pytest.fixture(scope="module")
def casme2(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A made-up cast, which nothing tells from the original."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MEXBENCH_CACHE", str(tmp_path_factory.mktemp("cast")))
        return stand_in_root("casme2", StandIn(subjects=3, clips=3, frames=6, width=240, height=200))


def make_configs_small(workspace: Workspace) -> None:
    """Make configs quick, and that of the flow pack one of any pack."""

    def classical(config: dict[str, Any]) -> None:
        remaining = [model for model in config["models"] if str(model) in ("ann", "majority") or "svm" in str(model)]
        config |= {"models": remaining, "profile": "paper"}

    def any_pack(config: dict[str, Any]) -> None:
        config["dataset"]["expect"] = "any"
        config["models"] = config["models"][:2]

    def two_units(config: dict[str, Any]) -> None:
        config |= {"models": ["majority", "always_present"], "profile": "paper"}

    def few_faces(config: dict[str, Any]) -> None:
        config["profiles"]["demo"] = {"models.au_cnn.epochs": 1, "frames.count": 1}
        config["models"] = config["models"][:1]

    def small_study(config: dict[str, Any]) -> None:
        for member in config["dataset"]:
            member["stand_in"] |= {"subjects": 2, "clips": 4}

    def few_videos(config: dict[str, Any]) -> None:
        config["dataset"] = {"plugin": "synthetic_long", "subjects": 2, "videos_each": 1, "seconds": 12, "micro": 1}
        config["models"] = config["models"][:3]

    workspace.config("action_units.yaml", two_units)
    workspace.config("spotting.yaml", few_videos)
    workspace.config("video.yaml", few_faces)
    workspace.config("case_study.yaml", small_study)
    workspace.config("loso_casme2.yaml", classical)
    workspace.config("loso_megc2019_flow.yaml", any_pack)


def small(workspace: Workspace, casme2: Path, pack: Path, stills: Path) -> Callable[[str], str]:
    """Make configs quick and the flow's board that of the written pack; returns what fills in the paths of a block."""
    make_configs_small(workspace)
    shutil.rmtree(workspace.folder / "leaderboards")
    places = {"/path/to/CASME2": casme2, "/path/to/norm_u_v_os": pack, "/path/to/data": stills}
    flow = f"bench run configs/loso_megc2019_flow.yaml --out made && bench leaderboard define made {BOARD}"
    workspace.run(
        f"{flow}; cp -r made mine; mkdir runs; mv mine runs/mine; mv made runs/theirs", MEGC2019_FLOW_ROOT=str(pack)
    )

    def filled(block: str) -> str:
        for place, real in places.items():
            block = block.replace(place, str(real))
        return block

    return filled


@pytest.fixture
def filled(workspace: Workspace, casme2: Path, tmp_path: Path) -> Callable[[str], str]:
    return small(workspace, casme2, write_flow(tmp_path / "pack", CLIPS), write_stills(tmp_path / "stills"))


#: The pages of the documentation with commands, and how many blocks each has; every one is run by a test below.
PAGES = {
    "docs/tutorial.md": 4, "docs/how-to/licensed-data.md": 1, "docs/how-to/films.md": 5, "docs/how-to/publish.md": 1,
    "docs/how-to/cluster.md": 3, "docs/how-to/large-data.md": 1, "docs/how-to/own-model.md": 1,
    "docs/how-to/own-data.md": 2, "docs/how-to/generated-faces.md": 3,
}  # fmt: skip


DOCUMENTS = ["README.md", "CONTRIBUTING.md", "FAQ.md", *sorted(
    path.relative_to(ROOT).as_posix() for path in (ROOT / "docs").rglob("*.md")
)]  # fmt: skip


@cache
def help_of(*command: str) -> str:
    """Return what a command prints with --help; a command that does not exist fails the test."""
    shown = io.StringIO()
    with contextlib.redirect_stdout(shown), pytest.raises(SystemExit) as stopped:
        cli.main([*command, "--help"])
    assert stopped.value.code == 0, command
    return shown.getvalue()


def test_every_page_with_commands_is_tested() -> None:
    pages = {path.relative_to(ROOT).as_posix() for path in (ROOT / "docs").rglob("*.md")}
    assert {page: len(blocks(page)) for page in pages if blocks(page)} == PAGES


def test_tutorial(workspace: Workspace) -> None:
    quick, _, board, audit = blocks("docs/tutorial.md")  # the second one is run with the board's commands below
    lines = workspace.run(quick).stdout.splitlines()
    assert [line.split()[0] for line in lines if line.split()[1:2] == ["chance"]] == ["-"]
    assert "4 of 4 submissions verify" in workspace.run(board).stdout
    assert (workspace.folder / "boards" / "my_board.md").is_file()
    assert "clip-split" in workspace.run(audit).stdout


def test_own_model_and_own_data(workspace: Workspace) -> None:
    (model,) = blocks("docs/how-to/own-model.md")
    done = workspace.run(model)
    assert "12 kept, 3 n/a" in done.stdout
    assert len(json.loads((workspace.folder / "runs/my_forest/scores.json").read_text())["rows"]) == 2
    info, clips = blocks("docs/how-to/own-data.md")
    assert "sample_id" in workspace.run(info).stdout
    assert "1 passed" in workspace.run(clips).stdout


def test_readme_and_how_tos(workspace: Workspace, filled: Callable[[str], str]) -> None:
    (created,) = blocks("README.md")
    assert [line.split()[:2] for line in created.splitlines()] == [["make", "demo"], ["make", "test"]]
    (licensed,), (boards,) = blocks("docs/how-to/licensed-data.md"), blocks("docs/how-to/publish.md")
    units_and_films, _, _, synth, spotting = blocks("docs/how-to/films.md")  # the case study has a test of its own
    new, (array, rows, dask) = blocks("docs/tutorial.md")[1], blocks("docs/how-to/cluster.md")
    workspace.run(filled(licensed))
    casme, flow = (workspace.folder / "runs" / name for name in ("loso_casme2", BOARD))
    manifest = json.loads((casme / "manifest.json").read_text())
    assert len(json.loads((flow / "scores.json").read_text())["rows"]) == 2
    workspace.run(filled(synth))
    assert (workspace.folder / "clip.mp4").stat().st_size > 0
    output = workspace.run(units_and_films, CASME2_ROOT=filled("/path/to/CASME2")).stdout
    assert "clip.mp4: " in output
    assert "not a diagnosis" in output
    assert "broken" not in workspace.run(filled(new)).stdout
    assert "above it" in workspace.run(filled(spotting.splitlines()[0])).stdout
    assert len(json.loads((workspace.folder / "runs/my_model/scores.json").read_text())["rows"]) == 2
    assert "2 of 2 submissions verify" in workspace.run(filled(boards)).stdout
    assert (workspace.folder / "leaderboards" / f"{BOARD}.md").is_file()

    slurm = {
        "CASME2_ROOT": str(next(iter(re.findall(r"CASME2_ROOT=(\S+)", filled(licensed))))),
        "SLURM_CPUS_PER_TASK": "1",
    }
    for task in ("1", "2"):
        done = workspace.run(array, SLURM_ARRAY_TASK_ID=task, **slurm)
        assert (f"{manifest_tasks(casme)} to do" in done.stderr) == (task == "1")
        assert (" 0 to do" in done.stderr) == (task == "2")
    for task, model in (("0", "majority"), ("1", "svm")):
        workspace.run(rows, SLURM_ARRAY_TASK_ID=task, **slurm)
        scores = json.loads((workspace.folder / f"runs/casme2-{model}/scores.json").read_text())
        assert [row["model"] for row in scores["rows"]] == [model]
    assert manifest["config"]["dataset"]["plugin"] == "casme2"
    workspace.run(dask, CASME2_ROOT=slurm["CASME2_ROOT"])
    (large,) = blocks("docs/how-to/large-data.md")
    assert "memory: at most 2 GB together" in workspace.run(large, CASME2_ROOT=slurm["CASME2_ROOT"]).stderr
    messages = [
        json.loads((workspace.folder / name / "scores.json").read_text())
        for name in ("runs/casme2", "runs/casme2-dask")
    ]
    assert [row["uf1"] for row in messages[0]["rows"]] == [row["uf1"] for row in messages[1]["rows"]]


def test_the_case_study_of_generated_films(workspace: Workspace) -> None:
    """Fewer films than in the how-to, one model: files and clusters; a difference is found with all of them."""
    _, make, study, _, _ = blocks("docs/how-to/films.md")

    def small_units(config: dict[str, Any]) -> None:
        config["models"] = [model for model in config["models"] if "svm" in str(model)]
        config["profiles"]["demo"] = {"dataset.stand_in": {"subjects": 6, "clips": 6, "frames": 6}}

    workspace.config("action_units.yaml", small_units)
    workspace.run(make.replace("seq 1 16", "seq 1 4"))
    # The same stand-in as that of the config, where the how-to's has 26 subjects.
    small_root = "--root stand-in --set 'stand_in={subjects: 6, clips: 6, frames: 6}'"
    assert study.count("--root stand-in") == 1
    ran = workspace.run(study.replace("--root stand-in", small_root))
    assert "p4: " in ran.stdout
    films = workspace.folder / "runs" / "films"
    header, *lines = (films / "clips.csv").read_text().splitlines()
    cluster = header.split(",").index("cluster")
    assert len(lines) == 4
    assert any("_ME" in line.split(",")[cluster] for line in lines)
    assert (films / "timeline-p1.png").is_file()
    assert (films / "study_distribution.png").is_file()
    assert "Research use, not a diagnosis" in (films / "study.md").read_text()


def test_generated_faces(workspace: Workspace, shared_data: Path) -> None:
    clip, learned, configs = blocks("docs/how-to/generated-faces.md")
    assert "smile.report.md" in workspace.run(clip).stdout
    flow, maps = shared_data / "megc2019_flow" / "norm_u_v_os", shared_data / "causalnet_maps"
    learned = learned.replace("/path/to/norm_u_v_os", str(flow)).replace("/path/to/causalnet_maps", str(maps))
    assert "learned motion of class surprise" in workspace.run(learned).stdout
    # The runs take minutes; that they would run is enough here.
    done = workspace.run(configs.replace("bench run", "bench check"), MEGC2019_FLOW_ROOT=str(flow))
    assert done.stderr.count("all is well") == 2


def manifest_tasks(folder: Path) -> int:
    return json.loads((folder / "scores.json").read_text())["tasks"]["total"]


def test_contributing(workspace: Workspace, casme2: Path, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """As a new contributor would: a plugin, its conformance, a run on the flow pack, a row on the leaderboard."""
    data = Path(os.environ.get("MEXBENCH_SHARED", ROOT.parent / "shared")) / "data" / "megc2019_flow" / "norm_u_v_os"
    real = data.is_dir()
    pack = data if real else write_flow(tmp_path / "pack", CLIPS)
    stills = write_stills(tmp_path / "stills")
    boards = workspace.folder / "leaderboards"
    if not real:
        small(workspace, casme2, pack, stills)
    before = {path: path.read_bytes() for path in boards.rglob("*") if path.is_file()}
    new, to_the_board, dataset = blocks("CONTRIBUTING.md")
    ran = workspace.run(new)
    assert ("broken" in ran.stdout, "1 passed" in ran.stdout) == (False, True)
    done = workspace.run(to_the_board, MEGC2019_FLOW_ROOT=str(pack))
    added = {path.relative_to(boards).as_posix() for path in boards.rglob("*") if path.is_file()} - {
        path.relative_to(boards).as_posix() for path in before
    }
    changed = {path.name for path, content in before.items() if path.read_bytes() != content}
    page = (boards / f"{BOARD}.md").read_text()
    assert "| my_model " in page
    assert "my_model, my-model 0.1.0" in page
    if real:
        rows = len([path for path in before if path.parent.name == BOARD]) + 1
        assert f"{rows} of {rows} submissions verify" in done.stdout
        drawings = {f"{BOARD}_{name}.svg" for name in ("forest", "differences", "cost")}
        pages = {f"{BOARD}.md", *drawings, "state_of_the_art.md"}
        assert (added, changed) == ({f"results/{BOARD}/my_model.json"}, pages)
    ran = workspace.run(dataset.replace("/path/to/data", str(stills)))
    assert ("broken" in ran.stdout, "1 passed" in ran.stdout) == (False, True)


def test_faq(workspace: Workspace, casme2: Path) -> None:
    make_configs_small(workspace)
    audit, licence, flow, check, resume = blocks("FAQ.md")
    assert "clip-split" in workspace.run(audit).stdout
    assert "Chinese Academy of Sciences" in workspace.run(licence).stdout
    assert "farneback" in workspace.run(flow).stdout
    assert "casme2-synthetic" not in workspace.run(check, CASME2_ROOT=str(casme2)).stdout
    messages = re.findall(r"= (\d+) tasks, (\d+) to do", workspace.run(resume).stderr)
    (first, again), (more, new), (same, none), (_, left_to_do) = ((int(a), int(b)) for a, b in messages)
    assert first == again
    assert (more, new, same, none, left_to_do) == (first * 4 // 3, first // 3, first * 4 // 3, 0, 0)


def test_what_contributing_shows_is_what_is_written() -> None:
    (shown,) = blocks("CONTRIBUTING.md", "python")
    assert shown == scaffold.files("model", "my_model")["my_model.py"]
    assert shown.count("\n") < 40


@pytest.mark.parametrize("document", ["README.md", "CONTRIBUTING.md", "FAQ.md"])
def test_help_that_is_quoted_is_the_help(document: str) -> None:
    for block in blocks(document, "text"):
        command, _, text = block.partition("\n")
        words = command.removeprefix("$ bench ").split()
        assert command == f"$ bench {' '.join(words)}"
        done = subprocess.run(
            [sys.executable, "-m", "mexbench", *words], capture_output=True, text=True, check=True,
            env={**os.environ, "COLUMNS": "100", "PYTHONPATH": SEARCH_PATH},
        )  # fmt: skip
        assert done.stdout == text
    assert len(blocks("CONTRIBUTING.md", "text")) == 1


@pytest.mark.parametrize("document", ["README.md", "CONTRIBUTING.md", "FAQ.md"])
def test_links_lead_somewhere(document: str) -> None:
    text = (ROOT / document).read_text(encoding="utf-8")
    links = re.findall(r"\]\(([^)#]+)\)", text)
    assert links
    assert [link for link in links if not (ROOT / link).exists() and not link.startswith("https://github.com/")] == []
    assert max(len(line) for line in text.splitlines() if "|" not in line) <= 130


def test_the_citation_is_of_this_version() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert f'version = "{citation["version"]}"' in project
    assert f'license = "{citation["license"]}"' in project
    assert {"cff-version", "message", "title", "authors", "type"} <= citation.keys()


@pytest.mark.parametrize("document", DOCUMENTS)
def test_commands_in_the_text_have_the_options_that_they_name(document: str) -> None:
    """Commands between backticks have placeholders and are not run; their names and options must exist all the same."""
    text = (ROOT / document).read_text(encoding="utf-8")
    for command in re.findall(r"`(bench [a-z][^`]*)`", text):
        words = command.split()[1:]
        known = help_of(words[0])
        subcommand = [word for word in words[1:2] if re.fullmatch(r"[a-z][a-z-]+", word)]
        if re.search(r"^ {4}[a-z-]+ ", known, re.MULTILINE) and subcommand:
            known += help_of(words[0], *subcommand)
        for option in re.findall(r"(?<![\w-])--[a-z][a-z-]+", command):
            assert option in known, f"{document}: {command}"
