"""The ``paper`` block of a config: strict, and no part of what is computed."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from mexbench.config import loader as config_reader
from mexbench.errors import ConfigError
from mexbench.registry.catalogue import Catalogue
from tests.helpers import config_of

BLOCK = """\
paper:
  title: Some paper (2024)
  table: table 4
  split: random frames
  protocol: random
  averages: macro
  rows:
    - {model: svm, claim: some-row, accuracy: 87.14, f1: 90}
"""
REST = """\
dataset: {plugin: synthetic, subjects: 3}
protocol: [{plugin: holdout, name: random, group: none}, loso]
models: [majority, svm]
"""


def test_the_block_is_read_and_resolved(builtin: Catalogue) -> None:
    config = config_of(BLOCK + REST, builtin)
    assert config.paper is not None
    assert config.paper.rows[0].figures() == {"accuracy": 87.14, "f1": 90}
    assert config.resolved()["paper"] == {
        "title": "Some paper (2024)", "table": "table 4", "split": "random frames", "protocol": "random",
        "averages": "macro",
        "rows": [{"model": "svm", "claim": "some-row", "accuracy": 87.14, "f1": 90}],
    }  # fmt: skip
    assert config_of(yaml.safe_dump(config.resolved()), builtin).paper == config.paper


def test_the_block_is_no_part_of_the_identity(builtin: Catalogue) -> None:
    fingerprints = {
        config_of(text + REST, builtin).fingerprint
        for text in ("", BLOCK, BLOCK.replace("87.14", "12.5"), BLOCK.replace("macro", "weighted"))
    }
    assert len(fingerprints) == 1


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (("accuracy:", "acuracy:"), (8, "paper.rows[0].acuracy: unknown key (did you mean 'accuracy'?); ")),
        (("  split:", "  spilt:"), (4, "paper.spilt: unknown key (did you mean 'split'?); choose from: ")),
        (("  table: table 4\n", ""), (2, "paper: 'table' is missing")),
        (("macro", "mean"), (6, "paper.averages: unknown averages 'mean'; choose from: macro, micro, unstated")),
        (("accuracy: 87.14", "accuracy: '87.14'"), (8, "paper.rows[0].accuracy: expected a number, got '87.14'")),
        (("f1: 90", "f1: 101"), (8, "paper.rows[0].f1: ")),
        (("model: svm", "model: swm"), (8, "paper.rows[0].model: unknown model 'swm' (did you mean 'svm'?)")),
        (("protocol: random\n", "protocol: rand\n"), (5, "paper.protocol: unknown protocol 'rand'")),
        ((BLOCK[BLOCK.index("  rows:") :], "  rows: []\n"), (7, "paper.rows: expected at least one row")),
        (("paper:", "target: action_units\npaper:"), (3, "paper: needs 'target: emotion'")),
    ],
)  # fmt: skip
def test_mistakes_are_reported_with_their_line(
    builtin: Catalogue, change: tuple[str, str], expected: tuple[int, str]
) -> None:
    assert change[0] in BLOCK
    with pytest.raises(ConfigError) as caught:
        config_of(BLOCK.replace(*change) + REST, builtin)
    line, message = expected
    assert message in str(caught.value)
    assert f"test.yaml, line {line}" in str(caught.value)


def test_set_may_replace_the_models_that_the_block_names(builtin: Catalogue, tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(BLOCK + REST)
    config = config_reader.load(path, builtin, ["models=[majority]", "protocol=loso"])
    assert config.paper is not None


def test_a_profile_may_replace_a_variable_without_a_value(builtin: Catalogue, tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(
        "dataset: {plugin: image_folder, root: '${MEXBENCH_TEST_UNSET}'}\nprotocol: loso\nmodels: [majority]\n"
        "profile: paper\nprofiles: {paper: {}, quick: {dataset: synthetic}}\n"
    )
    assert config_reader.load(path, builtin, ["profile=quick"]).dataset.plugin == "synthetic"
    with pytest.raises(ConfigError, match="MEXBENCH_TEST_UNSET"):
        config_reader.load(path, builtin)
