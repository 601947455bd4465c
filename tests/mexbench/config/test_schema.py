from __future__ import annotations

from typing import Any

import jsonschema
import pytest
import yaml

from mexbench.config.schema import config_schema
from mexbench.registry.catalogue import Catalogue
from tests.helpers import ROOT
from tests.mexbench.config.test_run_config import GOOD


@pytest.fixture(scope="module")
def schema(builtin: Catalogue) -> Any:  # noqa: ANN401 - a validator; jsonschema.validate would check the schema each time
    result = config_schema(builtin)
    jsonschema.Draft202012Validator.check_schema(result)
    return jsonschema.Draft202012Validator(result)


def test_loadable_configs_are_valid(schema: Any) -> None:  # noqa: ANN401
    schema.validate(yaml.safe_load(GOOD))
    for path in (ROOT / "configs").glob("**/*.yaml"):
        schema.validate(yaml.safe_load(path.read_text()))


@pytest.mark.parametrize(
    "change",
    [
        ("subjects: 5", "subject: 5"), ("subjects: 5", "subjects: 1"), ("subjects: 5", "subjects: '5'"),
        ("protocol: loso", "protocol: svm"), ("kernel: rbf", "kernel: rfb"), ("seeds: [0, 3]", "seeds: [-1]"),
        ("dataset: {plugin: synthetic, subjects: 5}", "dataset: megc2019_flow"), ("- majority", "- {name: x}"),
        ("dataset:", "datset:"), ("name: svm-rbf", "name: ../up"), ("seeds: [0, 3]", "frames: {unit: second}"),
    ],
)  # fmt: skip
def test_rejected_configs_are_invalid(schema: Any, change: tuple[str, str]) -> None:  # noqa: ANN401
    assert change[0] in GOOD
    with pytest.raises(jsonschema.ValidationError):
        schema.validate(yaml.safe_load(GOOD.replace(*change)))


def test_variables_are_valid_anywhere(schema: Any) -> None:  # noqa: ANN401
    schema.validate(yaml.safe_load(GOOD.replace("subjects: 5", "subjects: '${N}'")))


def test_a_kind_without_plugins_allows_nothing() -> None:
    empty = config_schema(Catalogue(entries=()))
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(yaml.safe_load(GOOD), empty)
