from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mexbench.config import document
from mexbench.config.yaml import path_text
from mexbench.errors import ConfigError


def parse(text: str, **environment: str) -> document.Document:
    return document.parse(text, "x.yaml", environment)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 1e-3), ("-.5", -0.5), ("010", 10), ("0x1F", 31), ("0o17", 15), ("+3", 3), (".inf", float("inf")),
        ("off", "off"), ("no", "no"), ("yes", "yes"), ("true", True), ("null", None), ("~", None), ("'1'", "1"),
        ("2020-01-02", "2020-01-02"), ("1:30", "1:30"), ("1_000", "1_000"),
    ],
)  # fmt: skip
def test_scalars_follow_yaml_1_2(text: str, value: object) -> None:
    result = parse(f"a: {text}").data["a"]
    assert (result, type(result)) == (value, type(value))


def test_every_value_has_its_line() -> None:
    result = parse("a: 1\nb:\n  - x\n  - {c: 2}\n")
    assert result.where(("b", 1, "c")) == "x.yaml, line 4"
    assert result.where(("b", 1, "missing")) == "x.yaml, line 4"
    assert result.where(("nowhere",)) == "x.yaml, line 1"
    assert path_text(("b", 1, "c")) == "b[1].c"


def test_variables_are_expanded() -> None:
    text = (
        "root: ${HERE}/data\nseed: ${SEED:-7}\nquoted: '${SEED:-7}'\nname: pre-${A}-${B:-x}\nliteral: $${A}\nplain: a$b"
    )
    assert parse(text, HERE="/here", A="1").data == {
        "root": "/here/data", "seed": 7, "quoted": "7", "name": "pre-1-x", "literal": "${A}", "plain": "a$b",
    }  # fmt: skip


def test_an_empty_variable_gets_the_default() -> None:
    assert parse("a: ${X:-y}", X="").data == {"a": "y"}


def test_a_variable_is_always_a_scalar() -> None:
    assert parse("a: ${X}", X="{b: [1, 2]}").data == {"a": "{b: [1, 2]}"}


@pytest.mark.parametrize(
    ("text", "environment", "message"),
    [
        ("a: 1\nb: ${MEGC2019_ROOT}", {"MEGC2019_FLOW_ROOT": "x"}, "b: environment variable MEGC2019_ROOT is not set"),
        ("b: ${X}", {"X": ""}, "environment variable X is empty"),
        ("b: ${}", {}, "malformed variable"),
        ("a:\n\t- 1", {}, "line 2: invalid YAML: a tab"),
        ("\ta: 1", {}, "line 1: invalid YAML: a tab"),
        ("a: [1, 2", {}, "invalid YAML"),
        ("a: 1\na: 2", {}, "a: duplicate key\n  in x.yaml, line 2"),
        ("a: !!python/object/apply:os.system ['x']", {}, "not allowed"),
        ("a: !x 1", {}, "YAML tag '!x' is not allowed"),
        ("1: a", {}, "expected a string as key, got '1'"),
        ("? [a]\n: 1", {}, "expected a string as key"),
        ("a: &x [*x]", {}, "nested"),
        ("- {<<: 3}", {}, "merges only mappings"),
        (f"a: {'9' * 5000}", {}, "invalid int"),
    ],
)
def test_invalid_yaml_is_rejected(text: str, environment: dict[str, str], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(text, **environment)
    assert message in str(caught.value)


def test_a_misspelt_variable_is_suggested() -> None:
    with pytest.raises(ConfigError, match=r"did you mean 'MEGC2019_FLOW_ROOT'"):
        parse("a: ${MEGC2019_FLOW_ROT}", MEGC2019_FLOW_ROOT="x")


def test_exponential_aliases_are_rejected() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 9)]
    with pytest.raises(ConfigError, match="too many"):
        parse("\n".join(lines))


def test_merge_keys_and_aliases_are_read() -> None:
    text = "base: &b {plugin: svm, C: 1}\nmodels: [{<<: *b, C: 2}]"
    assert parse(text).data["models"] == [{"plugin": "svm", "C": 2}]


def test_override_replaces_a_value() -> None:
    result = parse("dataset: synthetic\nmodels:\n  - svm\n  - {plugin: svm, name: big, C: 1}\nseeds: [0]")
    for assignment in (
        "dataset.subjects=5",
        "dataset.inner.deep=1",
        "models[0].C=2",
        "models.big.C=1e-3",
        "seeds=[1, 2]",
        "protocol=loso",
    ):
        result = document.override(result, assignment, {})
    assert result.data == {
        "dataset": {"plugin": "synthetic", "subjects": 5, "inner": {"deep": 1}},
        "models": [{"plugin": "svm", "C": 2}, {"plugin": "svm", "name": "big", "C": 0.001}],
        "seeds": [1, 2],
        "protocol": "loso",
    }
    assert result.where(("models", 1, "C")) == "--set models.big.C=1e-3"


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("seeds", "--set seeds: expected KEY=VALUE"),
        ("=3", "expected KEY=VALUE"),
        ("models[7].C=1", "no element 7 in models; choose from: [0], svm"),
        ("models.svn.C=1", "no element 'svn' in models"),
        ("a.b=1", "a has no keys"),
        ("a..b=1", "invalid path"),
        ("a=[1", "invalid YAML"),
    ],
)
def test_invalid_overrides_are_rejected(assignment: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        document.override(parse("models: [svm]\na: 3"), assignment, {})
    assert message in str(caught.value)


def test_an_override_replaces_a_variable_that_is_not_set(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text("dataset: {root: '${NOT_SET_ANYWHERE}'}")
    assert document.read(tmp_path / "x.yaml", ["dataset.root=/here"], {}).data == {"dataset": {"root": "/here"}}
    with pytest.raises(ConfigError, match=r"dataset.root: environment variable NOT_SET_ANYWHERE is not set"):
        document.read(tmp_path / "x.yaml", ["dataset.other=/here"], {})


def test_unreadable_files_are_rejected(tmp_path: Path) -> None:
    (tmp_path / "loso.yaml").write_text("a: 1")
    assert document.read(tmp_path / "loso.yaml").data == {"a": 1}
    with pytest.raises(ConfigError, match=r"file not found.*did you mean .*loso\.yaml"):
        document.read(tmp_path / "losoo.yaml")
    with pytest.raises(ConfigError, match="got a folder"):
        document.read(tmp_path)
    (tmp_path / "latin.yaml").write_bytes(b"a: \xe9")
    with pytest.raises(ConfigError, match="UTF-8"):
        document.read(tmp_path / "latin.yaml")
    (tmp_path / "bom.yaml").write_bytes(b"\xef\xbb\xbfa: 1\r\n")
    assert document.read(tmp_path / "bom.yaml").data == {"a": 1}
    (tmp_path / "huge.yaml").write_text("#" * 1_000_001)
    with pytest.raises(ConfigError, match="too large"):
        document.read(tmp_path / "huge.yaml")


@given(st.text(max_size=80))
@settings(max_examples=500, deadline=None)
def test_any_text_is_read_or_refused(text: str) -> None:
    with suppress(ConfigError):  # any other error is a bug
        assert parse(text).name == "x.yaml"
