from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from mexbench.config import loader as config_reader
from mexbench.errors import ConfigError
from mexbench.registry.catalogue import Catalogue
from tests.helpers import ROOT, config_of

GOOD = """\
dataset: {plugin: synthetic, subjects: 5}
protocol: loso
models:
  - majority
  - {plugin: svm, name: svm-linear, C: 0.001, class_weight: balanced}
  - {plugin: svm, name: svm-rbf, kernel: rbf, gamma: 0.5}
seeds: [0, 3]
"""


def test_a_valid_config_is_read(builtin: Catalogue) -> None:
    result = config_of(GOOD, builtin)
    assert [(m.name, m.plugin) for m in result.models] == [
        ("majority", "majority"), ("svm-linear", "svm"), ("svm-rbf", "svm"),
    ]  # fmt: skip
    assert result.resolved()["models"][1]["C"] == 0.001
    assert result.resolved()["models"][1]["kernel"] == "linear"  # a default, spelled out
    assert result.seeds == (0, 3)


def test_resolved_loads_to_the_same(builtin: Catalogue) -> None:
    import yaml

    result = config_of(GOOD, builtin)
    again = config_of(yaml.safe_dump(result.resolved()), builtin)
    assert again.fingerprint == result.fingerprint
    assert again.resolved() == result.resolved()


def test_a_config_is_frozen(builtin: Catalogue) -> None:
    with pytest.raises(AttributeError):
        config_of(GOOD, builtin).seeds = (1,)  # type: ignore[misc]


def test_the_fingerprint_ignores_paths_alone(builtin: Catalogue) -> None:
    def of(root: str, channels: str = "rgb", seed: int = 0) -> str:
        text = (
            f"dataset: {{plugin: megc2019_flow, root: {root}, channels: {channels}}}\nprotocol: loso\nmodels: [svm]\n"
        )
        return config_of(f"{text}seeds: [{seed}]", builtin).fingerprint

    assert of("/a") == of("/b")
    assert of("/a") != of("/a", channels="bgr")
    assert of("/a") != of("/a", seed=1)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            ("dataset: {plugin: synthetic, subjects: 5}", "datset: synthetic"),
            "unknown key 'datset' (did you mean 'dataset'?)",
        ),
        (("dataset: {plugin: synthetic, subjects: 5}\n", ""), "needs the key 'dataset'"),
        (("synthetic,", "sinthetic,"), "dataset.plugin: unknown dataset 'sinthetic' (did you mean 'synthetic'?)"),
        (("plugin: synthetic, ", ""), "dataset: needs 'plugin', the name of a dataset"),
        (("subjects: 5", "subject: 5"), "dataset.subject: unknown parameter 'subject' (did you mean 'subjects'?)"),
        (("subjects: 5", "subjects: 1"), "dataset.subjects: expected int (>= 2), got 1\n  in test.yaml, line 1"),
        (("subjects: 5", "subjects: five"), 'dataset.subjects: expected int (>= 2), got "five"'),
        (("subjects: 5", "subjects: true"), "dataset.subjects: expected int (>= 2), got true"),
        (("C: 0.001", "C: '0.001'"), 'models[1].C: expected float (> 0), got "0.001"\n  in test.yaml, line 5'),
        (("C: 0.001", "C: .nan"), "models[1].C: expected float (> 0), got NaN"),
        (("kernel: rbf", "kernel: rfb"), 'models[2].kernel: expected "linear" | "poly" | "rbf" | "sigmoid", got "rfb"'),
        (("name: svm-rbf", "name: svm-linear"), "two models are called 'svm-linear'"),
        (("name: svm-rbf", "name: SVM-Linear"), "two models are called 'SVM-Linear'"),
        (("name: svm-rbf", "name: ../up"), "models[2].name: expected letters"),
        (("protocol: loso", "protocol: []"), "protocol: expected at least one protocol"),
        (("protocol: loso", "protocol: [loso, loso]"), "protocol: two protocols are called 'loso'"),
        (("seeds: [0, 3]", "preprocess: [{plugin: face, name: x}]"), "only models and protocols have a name"),
        (("C: 0.001", "frames: {unit: clips}"), 'models[1].frames.unit: expected "clip" | "frame", got "clips"'),
        (("C: 0.001", "preprocess: [fase]"), "models[1].preprocess[0]: unknown preprocessor 'fase'"),
        (("protocol: loso", "protocol:"), "protocol: expected the name of a protocol, got nothing"),
        (("protocol: loso", "protocol: svm"), "'svm' is a model"),
        (("seeds: [0, 3]", "seeds: [0, -1]"), "seeds[1]: expected a whole number from 0"),
        (("seeds: [0, 3]", "seeds: [0, 0]"), "duplicate seed 0"),
        (("seeds: [0, 3]", "seeds: []"), "seeds: expected at least one seed"),
        (("seeds: [0, 3]", "seeds: 1.5"), "expected a whole number"),
        (("  - majority", "  - 3"), "models[0]: expected the name of a model or a mapping with 'plugin', got 3"),
        (("  - majority", "  - {plugin: 3}"), "models[0].plugin: needs 'plugin', the name of a model, got 3"),
    ],
)
def test_every_mistake_has_its_message(builtin: Catalogue, change: tuple[str, str], message: str) -> None:
    assert change[0] in GOOD
    with pytest.raises(ConfigError) as caught:
        config_of(GOOD.replace(*change), builtin)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("- a", "models, seeds, damaged, sweep, paper, profile, profiles; got a list"),
        ("", "got nothing"),
        ("hello", "got a str"),
        ("dataset: synthetic\nprotocol: loso\nmodels: []", "expected at least one model"),
        ("dataset: synthetic\nprotocol: loso\nmodels: svm", "expected a list of models, got 'svm'"),
    ],
)
def test_a_config_that_is_not_a_mapping_is_rejected(builtin: Catalogue, text: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        config_of(text, builtin)
    assert message in str(caught.value)


def test_all_mistakes_are_reported_together(builtin: Catalogue) -> None:
    with pytest.raises(ConfigError) as caught:
        config_of("dataset: sinthetic\nprotocol: los\nmodels: [svn]\nseeds: [x]", builtin)
    assert str(caught.value).count("did you mean") == 3
    assert "seeds[0]" in str(caught.value)


def test_load_applies_overrides(tmp_path: Path, builtin: Catalogue) -> None:
    (tmp_path / "mine.yaml").write_text(GOOD)
    result = config_reader.load(tmp_path / "mine.yaml", builtin, ["models.svm-rbf.gamma=auto", "seeds=[9]"])
    assert result.name == "mine"
    assert result.resolved()["models"][2]["gamma"] == "auto"
    assert result.seeds == (9,)


@pytest.mark.parametrize("path", sorted((ROOT / "configs").glob("**/*.yaml")), ids=lambda path: path.stem)
def test_shipped_configs_load(path: Path, builtin: Catalogue, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEGC2019_FLOW_ROOT", "/data")
    monkeypatch.setenv("IMAGE_FOLDER_ROOT", "/data")
    monkeypatch.setenv("CAUSALNET_MAPS_ROOT", "/data")
    assert config_reader.load(path, builtin).models
    assert "Command:" in path.read_text()


def test_a_component_keeps_its_paths_out_of_its_identity(builtin: Catalogue) -> None:
    result = config_of(GOOD.replace("{plugin: synthetic, subjects: 5}", "{plugin: megc2019_flow, root: /x}"), builtin)
    assert "root" not in result.dataset.identity()
    assert result.dataset.resolved()["root"] == "/x"


def test_replace_keeps_a_frozen_config_usable(builtin: Catalogue) -> None:
    result = config_of(GOOD, builtin)
    assert replace(result, seeds=(1,)).fingerprint != result.fingerprint


def test_a_model_may_have_an_input_of_its_own(builtin: Catalogue) -> None:
    result = config_of(
        "dataset: synthetic\nframes: {unit: clip, count: 4}\npreprocess: [grayscale]\nprotocol: [loso, holdout]\n"
        "models:\n  - svm\n  - {plugin: svm, name: small, preprocess: [{plugin: resize, size: 8}]}\n"
        "  - {plugin: ann, frames: null}\n  - {plugin: ann, name: ann2, frames: {unit: clip, count: 4}}",
        builtin,
    )
    assert result.rows == tuple(
        f"{model} under {protocol}" for model in ("svm", "small", "ann", "ann2") for protocol in ("loso", "holdout")
    )
    seen = [
        (
            part.protocol.name,
            [model.name for model in part.models],
            part.input.frames.count if part.input.frames else None,
            [step.plugin for step in part.input.preprocess],
        )
        for part in result.parts
    ]
    assert seen == [
        (protocol, [f"{model} under {protocol}" for model in models], count, steps)
        for protocol in ("loso", "holdout")
        for models, count, steps in (
            (("svm", "ann2"), 4, ["grayscale"]),  # the same input, spelled out: one part
            (("small",), 4, ["resize"]),
            (("ann",), None, ["grayscale"]),
        )
    ]
    assert result.parts[0].input is result.parts[3].input  # loaded once
    again = config_of(yaml.safe_dump(result.resolved()), builtin)
    assert again.fingerprint == result.fingerprint
    assert again.resolved() == result.resolved()
    other = config_of(yaml.safe_dump(result.resolved()).replace("size: 8", "size: 9"), builtin)
    assert other.fingerprint != result.fingerprint
