from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

import jsonschema
import pytest
from annotated_types import Gt, MinLen

from mexbench.interfaces import Plugin
from mexbench.registry import parameters
from mexbench.registry.catalogue import Catalogue


@dataclass(frozen=True, kw_only=True)
class Inner:
    step: float = 0.1


@dataclass(frozen=True, kw_only=True)
class Thing(Plugin):
    """A thing
    of two lines.

    And more.

    Args:
        root: Where it
            lies.
        sizes (tuple): How large.
        mode: In which way.
    """

    root: Path
    sizes: Annotated[tuple[int, ...], MinLen(1)] = (3, 4)
    mode: Literal["a", "b"] | None = None
    share: Annotated[float, Gt(0)] = 1
    inner: Inner = field(default_factory=Inner)


def test_parameters_are_the_typed_fields() -> None:
    result = {p.name: p for p in parameters.parameters(Thing)}
    assert list(result) == ["root", "sizes", "mode", "share", "inner"]
    assert result["root"].required
    assert result["root"].is_path
    assert not result["sizes"].required
    assert result["root"].doc == "Where it lies."
    assert result["sizes"].doc == "How large."
    assert parameters.summary(Thing) == "A thing of two lines."
    assert [p.type_text for p in result.values()] == [
        "Path", "tuple[int, ...] (length >= 1)", '"a" | "b" | None', "float (> 0)", "Inner",
    ]  # fmt: skip


def test_build_checks_as_json_would() -> None:
    thing, errors = parameters.build(
        Thing, {"root": "/x", "sizes": [1, 2], "mode": "b", "share": 2, "inner": {"step": 1}}
    )
    assert errors == []
    assert thing == Thing(root=Path("/x"), sizes=(1, 2), mode="b", share=2.0, inner=Inner(step=1))


@pytest.mark.parametrize(
    ("values", "key", "message"),
    [
        ({}, "", "needs 'root' (Path): Where it lies."),
        ({"root": 3}, "root", "expected Path, got 3"),
        ({"root": "x", "sizes": [1, "2"]}, "sizes", 'got [1, "2"] (element [1]: input should be a valid integer)'),
        ({"root": "x", "sizes": []}, "sizes", "expected tuple[int, ...] (length >= 1), got []"),
        ({"root": "x", "mode": "c"}, "mode", 'expected "a" | "b" | None, got "c"'),
        ({"root": "x", "share": 0}, "share", "expected float (> 0), got 0"),
        ({"root": "x", "share": True}, "share", "got true"),
        ({"root": "x", "inner": {"stpe": 1}}, "inner.stpe", "unknown parameter 'stpe' (did you mean 'step'?)"),
        ({"root": "x", "inner": {"step": "a"}}, "inner.step", 'expected float, got "a"'),
        ({"root": "x", "inner": 3}, "inner", "expected Inner, got 3"),
        ({"root": "x", "moed": "a"}, "moed", "unknown parameter 'moed' (did you mean 'mode'?)"),
    ],
)
def test_invalid_values_are_rejected(values: dict[str, object], key: str, message: str) -> None:
    thing, errors = parameters.build(Thing, values)
    assert thing is None
    assert [".".join(result) for result, _ in errors] == [key]
    assert message in errors[0][1]


def test_an_error_across_parameters_belongs_to_the_block() -> None:
    @dataclass(frozen=True, kw_only=True)
    class Range(Plugin):
        low: int = 0
        high: int = 1

        def __post_init__(self) -> None:
            if self.low >= self.high:
                raise ValueError(f"low {self.low} is not below high {self.high}")

    assert parameters.build(Range, {"low": 3}) == (None, [((), "low 3 is not below high 1")])


def test_to_dict_gives_json_with_or_without_paths() -> None:
    thing = Thing(root=Path("/x"))
    assert parameters.to_dict(thing)["root"] == "/x"
    assert parameters.to_dict(thing, paths=False) == {
        "sizes": [3, 4], "mode": None, "share": 1.0, "inner": {"step": 0.1},
    }  # fmt: skip


def test_json_schema_of_a_class() -> None:
    schema = parameters.json_schema(Thing)
    assert schema["required"] == ["root"]
    jsonschema.validate({"root": "x", "sizes": [1]}, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"root": "x", "sizes": ["1"]}, schema)


def test_every_built_in_parameter_is_explained(builtin: Catalogue) -> None:
    for entry in builtin.entries:
        cls = entry.load()
        assert parameters.summary(cls), entry.name
        assert cls.source, entry.name
        for parameter in parameters.parameters(cls):
            assert parameter.doc, f"{entry.name}.{parameter.name}"


def test_default_values_are_json_those_of_groups_too() -> None:
    assert parameters.default_values(Thing) == {"sizes": [3, 4], "mode": None, "share": 1, "inner": {"step": 0.1}}
