"""What the environment put into a config is used, and is written nowhere."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from mexbench.config.loader import load
from mexbench.config.variables import VariableFloat, VariableInt, VariableText, has_variable, written
from mexbench.config.yaml import YamlReader
from mexbench.errors import ConfigError
from mexbench.registry.catalogue import Catalogue
from tests.helpers import Ran

Bench = Callable[..., Ran]
CLINIC, PENALTY = "Sankt-Elsewhere", "0.4711"
RUN = """\
dataset: {plugin: image_folder, root: "${PICTURES}", title: "${CLINIC}"}
protocol: {plugin: kfold, k: 2, group: clip}
models:
  - plugin: svm
    C: ${PENALTY}
  - plugin: svm
    name: typed
    C: ${PENALTY}
  - majority
"""


def values(text: str, environment: dict[str, str]) -> dict[str, object]:
    reader = YamlReader("c.yaml", environment)
    return reader.convert(reader.compose(text), ())


def test_a_value_remembers_the_variable_and_behaves_like_any_other() -> None:
    data = values(
        "a: ${X}/b\nc: ${N}\nd: ${F}\ne: ${U:-default}\nf: ${B}\ng:\n  - 1\n  - ${X}\nh: $${X}",
        {"X": "secret", "N": "3", "F": "0.5", "B": "true"},
    )
    assert data == {
        "a": "secret/b", "c": 3, "d": 0.5, "e": "default", "f": True, "g": [1, "secret"], "h": "${X}"
    }  # fmt: skip
    assert [type(data[key]) for key in "acdefh"] == [VariableText, VariableInt, VariableFloat, str, bool, str]
    assert written(data) == {
        "a": "${X}/b", "c": "${N}", "d": "${F}", "e": "default", "f": True, "g": [1, "${X}"], "h": "${X}"
    }  # fmt: skip
    assert (has_variable(data["g"]), has_variable(data["h"])) == (True, False)
    assert json.loads(json.dumps(data)) == data


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    rng = np.random.default_rng(0)
    for index in range(12):
        path = tmp_path / "pictures" / ("sad", "glad")[index % 2] / f"{index}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), rng.integers(0, 256, (8, 8, 3), dtype=np.uint8))
    monkeypatch.setenv("PICTURES", str(tmp_path / "pictures"))
    monkeypatch.setenv("CLINIC", CLINIC)
    monkeypatch.setenv("PENALTY", PENALTY)
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "c.yaml"
    path.write_text(RUN)
    return path


def test_values_of_the_environment_are_written_nowhere(config: Path, tmp_path: Path, bench: Bench) -> None:
    ran = bench("run", config, "--in-process", "--out", tmp_path / "run")
    assert ran.code == 0, ran.err
    for command in (
        ("leaderboard", "define", tmp_path / "run", "board", "--root", tmp_path / "boards"),
        (
            "leaderboard",
            "submit",
            tmp_path / "run",
            "board",
            "--root",
            tmp_path / "boards",
            "--selection",
            "beforehand",
        ),
        ("leaderboard", "render", "--root", tmp_path / "boards"),
        ("site", "--root", tmp_path / "boards", "--out", tmp_path / "site"),
        ("compare", tmp_path / "run", tmp_path / "run"),
    ):
        done = bench(*command)
        assert done.code == 0, (command, done.err)
        assert not {CLINIC, PENALTY} & set((done.out + done.err).split())
    files = [path for where in ("run", "boards", "site") for path in (tmp_path / where).rglob("*") if path.is_file()]
    assert len(files) > 10
    for path in files:
        content = path.read_bytes()
        for secret in (CLINIC, PENALTY, str(tmp_path / "pictures")):
            assert secret.encode() not in content, (path, secret)
    manifest = json.loads((tmp_path / "run" / "manifest.json").read_text())
    assert manifest["config"]["dataset"]["root"] == "${PICTURES}"
    assert [model.get("C") for model in manifest["config"]["models"]] == ["${PENALTY}", "${PENALTY}", None]
    assert manifest["identity"]["models"]["svm"]["C"].startswith("${PENALTY} (")


def test_another_value_of_the_environment_is_another_run(
    config: Path, tmp_path: Path, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert bench("run", config, "--in-process", "--out", tmp_path / "run").code == 0
    assert bench("run", config, "--in-process", "--out", tmp_path / "run").code == 0
    monkeypatch.setenv("PENALTY", "0.5")
    ran = bench("run", config, "--in-process", "--out", tmp_path / "run")
    assert (ran.code, "models.svm.C: was '${PENALTY} (" in ran.err) == (2, True)


def test_a_row_is_not_named_by_the_environment(config: Path, bench: Bench) -> None:
    config.write_text(config.read_text().replace("name: typed", "name: ${CLINIC}"))
    ran = bench("run", config, "--in-process")
    assert ran.code == 2
    assert "models[1].name: is part of every output, so it cannot come from an environment variable" in ran.err


def test_names_of_an_own_list_leave_the_run_folder_as_pseudonyms(config: Path, tmp_path: Path, bench: Bench) -> None:
    assert bench("run", config, "--in-process", "--out", tmp_path / "run").code == 0
    for folder, extra in (("boards", ()), ("plain", ("--keep-names",))):
        for action, declared in (("define", ()), ("submit", ("--selection", "beforehand"))):
            ran = bench(
                "leaderboard", action, tmp_path / "run", "board", "--root", tmp_path / folder, *declared, *extra
            )
            assert ran.code == 0, ran.err
        assert bench("leaderboard", "verify", "--root", tmp_path / folder).out == "3 of 3 submissions verify\n"
        assert bench("site", "--root", tmp_path / folder, "--out", tmp_path / f"{folder}-site").code == 0
    private = [path for where in ("boards", "boards-site") for path in (tmp_path / where).rglob("*") if path.is_file()]
    assert not [path for path in private if b"/3.png" in path.read_bytes()]
    assert "/3.png" in (tmp_path / "plain" / "samples" / "board.csv").read_text()
    first, *_ = (tmp_path / "boards" / "samples" / "board.csv").read_text().splitlines()[1:]
    assert re.search(r"\$\{CLINIC\}/clip-[0-9a-f]{12},", first)


@pytest.mark.parametrize("own", [False, True])
def test_the_frames_block_is_recorded_as_it_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, builtin: Catalogue, *, own: bool
) -> None:
    block = "frames:\n    unit: clip\n    count: ${HOW_MANY}\n"
    path = tmp_path / "c.yaml"
    path.write_text(
        "dataset: {plugin: casme2, root: stand-in}\nprotocol: loso\n"
        + (f"models:\n- plugin: majority\n  {block}" if own else f"{block}models: [majority]\n")
    )
    digests = set()
    for value in ("13", "14"):
        monkeypatch.setenv("HOW_MANY", value)
        config = load(path, builtin)
        seen = config.inputs["majority"] if own else config.input
        assert (seen.frames.count if seen.frames else None, seen.resolved()["frames"]["count"]) == (int(value),) * 2
        assert seen.resolved(recorded=True)["frames"]["count"] == "${HOW_MANY}"
        recorded = seen.identity(recorded=True)["frames"]["count"]
        assert re.fullmatch(r"\$\{HOW_MANY\} \([0-9a-f]{8}\)", recorded)
        digests.add(recorded)
    assert len(digests) == 2


def test_values_to_choose_from_do_not_come_from_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, builtin: Catalogue
) -> None:
    monkeypatch.setenv("PENALTY", PENALTY)
    path = tmp_path / "c.yaml"
    path.write_text(
        "dataset: synthetic\nprotocol: loso\nmodels:\n  - plugin: svm\n    tune:\n"
        "      values: {C: [1.0, '${PENALTY}']}\n      metric: uf1\n      budget: 4\n"
    )
    with pytest.raises(ConfigError) as error:
        load(path, builtin)
    assert "models[0].tune: what is chosen is part of the results" in str(error.value)
    assert PENALTY not in str(error.value)
