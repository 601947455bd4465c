from __future__ import annotations

import pytest

from mexbench.config.run_config import RunConfig
from mexbench.errors import ConfigError
from mexbench.registry.catalogue import Catalogue
from tests.helpers import config_of

BASE = "dataset: synthetic\npreprocess: [grayscale, {plugin: resize, size: 8}]\nprotocol: loso\nmodels:\n"


def models(config: RunConfig) -> dict[str, dict[str, object]]:
    return {block["name"]: block for block in config.resolved()["models"]}


def test_each_cell_of_the_grid_is_a_model(builtin: Catalogue) -> None:
    text = "  - majority\n  - {plugin: svm, name: mine, kernel: rbf}\n"
    sweep = "sweep:\n  models.mine.C: [0.1, 10]\n  models[1].class_weight: [null, balanced]\n"
    result = models(config_of(BASE + text + sweep, builtin))
    assert list(result) == [
        "majority",
        "mine C=0.1 class_weight=null",
        "mine C=0.1 class_weight=balanced",
        "mine C=10 class_weight=null",
        "mine C=10 class_weight=balanced",
    ]
    assert [(block.get("C"), block.get("class_weight")) for block in result.values()][1:] == [
        (0.1, None),
        (0.1, "balanced"),
        (10.0, None),
        (10.0, "balanced"),
    ]
    assert all(block["kernel"] == "rbf" for block in result.values() if block["plugin"] == "svm")


def test_a_step_multiplies_the_models_that_go_through_it(builtin: Catalogue) -> None:
    text = "  - majority\n  - {plugin: svm, preprocess: [grayscale]}\nsweep: {preprocess.resize.size: [4, 8]}\n"
    config = config_of(BASE + text, builtin)
    assert list(models(config)) == ["majority size=4", "majority size=8", "svm"]
    sizes = [[step.resolved().get("size") for step in part.input.preprocess] for part in config.parts]
    assert sizes == [[None, 4], [None, 8], [None]]


def test_a_missing_frames_block_can_be_swept(builtin: Catalogue) -> None:
    text = "  - majority\nframes: {unit: clip, count: 3}\nsweep: {frames.count: [2, 4], models.majority.seed: [1]}\n"
    with pytest.raises(ConfigError, match="unknown parameter 'seed'"):
        config_of(BASE + text, builtin)
    result = models(config_of(BASE + text.replace(", models.majority.seed: [1]", ""), builtin))
    assert [block["frames"] for block in result.values()] == [
        {"unit": "clip", "count": 2},
        {"unit": "clip", "count": 4},
    ]


def test_a_protocol_becomes_several(builtin: Catalogue) -> None:
    text = BASE.replace("protocol: loso", "protocol: holdout") + "  - svm\nsweep: {protocol.test_share: [0.2, 0.3]}\n"
    assert config_of(text, builtin).rows == ("svm under holdout test_share=0.2", "svm under holdout test_share=0.3")
    text = text.replace("protocol: holdout", "protocol: [loso, holdout]").replace(
        "protocol.test", "protocol.holdout.test"
    )
    assert config_of(text, builtin).rows == (
        "svm under loso",
        "svm under holdout test_share=0.2",
        "svm under holdout test_share=0.3",
    )


def test_a_mistake_in_a_cell_is_reported_with_its_line(builtin: Catalogue) -> None:
    text = "  - {plugin: svm, kernel: rfb}\nsweep:\n  models.svm.C:\n    - 1\n    - 0\n"
    with pytest.raises(ConfigError) as caught:
        config_of(BASE + text, builtin)
    assert 'models[0].kernel: expected "linear" | "poly" | "rbf" | "sigmoid", got "rfb"\n  in test.yaml, line 5' in str(
        caught.value
    )
    assert "models[1].C: expected float (> 0), got 0\n  in test.yaml, line 9" in str(caught.value)


@pytest.mark.parametrize(
    ("sweep", "message"),
    [
        ("[1]", "sweep: expected a mapping such as {models.svm.C: [0.1, 1]}, got [1]"),
        ("{}", "sweep: expected a mapping"),
        ("{models.svm.C: 1}", "sweep.models.svm.C: expected a list of values, got 1"),
        ("{models.svm.C: []}", "expected a list of values, got []"),
        ("{models.svn.C: [1]}", "no element 'svn' in models (did you mean 'svm'?); choose from: [0], svm"),
        ("{dataset.subjects: [3, 4]}", "cannot be swept: choose a parameter"),
        ("{seeds: [1, 2]}", "cannot be swept"),
        ("{models.svm: [ann, svm]}", "cannot be swept"),
        ("{models.svm.name: [a, b]}", "cannot be swept"),
        ("{models.svm.C: [1], 'models[0].C': [2]}", "duplicate parameter in the sweep"),
        ("{models.svm.C: [1, 1]}", "two models are called 'svm C=1'"),
        (f"{{models.svm.C: {list(range(1, 1002))}}}", "has more than 1000 cells"),
    ],
)
def test_invalid_sweeps_are_rejected(builtin: Catalogue, sweep: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        config_of(f"{BASE}  - svm\nsweep: {sweep}\n", builtin)
    assert message in str(caught.value)
    assert "test.yaml, line 6" in str(caught.value) or "two models" in message
