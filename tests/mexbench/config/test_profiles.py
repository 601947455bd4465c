from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from mexbench.config import loader as config_reader
from mexbench.errors import ConfigError
from mexbench.evaluation import plan as planning
from mexbench.registry.catalogue import Catalogue
from tests.helpers import config_of

TEXT = """\
dataset: synthetic
protocol: loso
models:
  - svm
  - ann
profile: quick
profiles:
  quick: {models.svm.C: 7, "models[1].hidden_layer_sizes": [3], dataset.subjects: 4}
  paper: {}
"""


def test_the_profile_in_force_changes_the_config(builtin: Catalogue) -> None:
    result = config_of(TEXT, builtin)
    assert result.resolved()["models"][0]["C"] == 7
    assert result.resolved()["models"][1]["hidden_layer_sizes"] == [3]
    assert result.resolved()["dataset"]["subjects"] == 4
    assert result.profile == "quick"
    assert "profile:quick" in planning.plan(result).parts[0].flags
    again = config_of(yaml.safe_dump(result.resolved()), builtin)
    assert (again.resolved(), again.fingerprint) == (result.resolved(), result.fingerprint)


def test_set_selects_another_profile(builtin: Catalogue, tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(TEXT)
    result = config_reader.load(path, builtin, ["profile=paper"])
    plain = config_of(TEXT.partition("profile:")[0], builtin)
    assert result.identity() == plain.identity()
    assert planning.plan(plain).parts[0].flags == ("synthetic",)


def test_set_overrides_the_profile(builtin: Catalogue, tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(
        TEXT.replace("dataset.subjects: 4", "models.ann.batch_size: 5, dataset: {plugin: synthetic, subjects: 4}")
    )
    result = config_reader.load(path, builtin, ["models[0].C=9", "dataset.subjects=6", "models.ann.alpha=2"]).resolved()
    assert (result["models"][0]["C"], result["dataset"]["subjects"]) == (9, 6)
    assert (result["models"][1]["alpha"], result["models"][1]["batch_size"]) == (2, 5)
    assert config_reader.load(path, builtin, ["models=[majority]"]).rows == ("majority",)
    with pytest.raises(
        ConfigError, match=r"dataset.subject: unknown parameter 'subject'(.|\n)*in --set dataset.subject=6"
    ):
        config_reader.load(path, builtin, ["dataset.subject=6"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("profile: quick", "profile: quik"), "profile: unknown profile 'quik' (did you mean 'quick'?)"),
        (("profile: quick\n", ""), "profiles: 'profile' is missing, which says which one is in force; choose from: "),
        (("profile: quick", "profile: [1]"), "profile: expected a name, got [1]; choose from: "),
        ((TEXT.partition("profiles:")[2], " 3\n"), "profiles: expected a mapping such as"),
        (
            ("models.svm.C", "models.svn.C"),
            "profile quick: no element 'svn' in models (did you mean 'svm'?); choose from: [0], [1], svm, ann",
        ),
        (("C: 7", "C: -7"), "models[0].C: expected float (> 0), got -7\n  in test.yaml, line 8"),
    ],
)
def test_invalid_profiles_are_rejected(builtin: Catalogue, change: tuple[str, str], message: str) -> None:
    assert change[0] in TEXT
    with pytest.raises(ConfigError) as caught:
        config_of(TEXT.replace(*change), builtin)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            ("- svm", "- svn"),
            "models[0]: unknown model 'svn' (did you mean 'svm'?); choose from: always_present, ann, au_cnn, ",
        ),
        (("- svm", "- {plugin: svn, C: 3}"), "models[0].plugin: unknown model 'svn' (did you mean 'svm'?)"),
        (
            ("- svm", "- {plugin: sum, name: svn, preprocess: [lbq]}"),
            "models[0].plugin: unknown model 'sum' (did you mean 'svm'?)",
        ),
        (
            ("- svm", "- {plugin: ann, name: svn, preprocess: [lbq]}"),
            "models[0].preprocess[0]: unknown preprocessor 'lbq'",
        ),
    ],
)
def test_a_misspelt_plugin_is_reported_where_a_profile_changes_it(
    builtin: Catalogue, change: tuple[str, str], message: str
) -> None:
    """The change leads nowhere because of the name: the name is what is told, and where it stands."""
    with pytest.raises(ConfigError) as caught:
        config_of(TEXT.replace(*change), builtin)
    assert str(caught.value).startswith(message)
    assert str(caught.value).count("\n  in test.yaml, line 4") == str(caught.value).count("unknown ")
    assert "profile quick" not in str(caught.value)


def test_a_misspelt_plugin_is_reported_where_a_sweep_changes_it(builtin: Catalogue) -> None:
    text = "dataset: synthetic\nprotocol: lozo\nmodels: [svn]\nsweep: {models.svm.C: [1, 2]}\n"
    with pytest.raises(ConfigError) as caught:
        config_of(text, builtin)
    first, _, second, _ = str(caught.value).splitlines()
    assert first.startswith("protocol: unknown protocol 'lozo' (did you mean 'loso'?)")
    assert second.startswith("models[0]: unknown model 'svn' (did you mean 'svm'?)")
