"""The JSON Schema of a config: what an editor needs to complete and check one."""

from __future__ import annotations

from typing import Any, get_args

from mexbench.config.frame_selection import FrameSelection
from mexbench.config.paper_table import paper_schema
from mexbench.config.run_config import NAME, Damaged, Target
from mexbench.config.tuning import SELECTION_TEXT, Selection, Tuning
from mexbench.errors import PluginError
from mexbench.interfaces import Plugin
from mexbench.registry.catalogue import KINDS, Catalogue
from mexbench.registry.parameters import json_schema, summary

_VARIABLE = {"type": "string", "pattern": r"\$\{", "description": "filled in from the environment"}

#: What a model sees: for all models, or for one.
_INPUT: dict[str, Any] = {
    "frames": {"anyOf": [{"$ref": "#/$defs/frames"}, {"type": "null"}]},
    "preprocess": {
        "type": "array",
        "items": {"$ref": "#/$defs/preprocessor"},
        "description": "steps that every sample goes through, in order",
    },
}

#: How a model's values were chosen, or are to be chosen.
_CHOICE: dict[str, Any] = {
    "tune": {"$ref": "#/$defs/tune"},
    "selection": {
        "enum": list(get_args(Selection)),
        "description": f"how the values in this block were chosen: {SELECTION_TEXT}",
    },
}


def config_schema(catalogue: Catalogue) -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of a config with these plugins; broken ones are excluded."""
    definitions: dict[str, Any] = {kind: {"anyOf": []} for kind in KINDS if kind != "observer"}  # not part of a config
    for entry in sorted(catalogue.entries, key=lambda entry: (entry.kind, entry.name)):
        if entry.kind not in definitions:
            continue
        try:
            cls = entry.load()
        except PluginError:
            continue
        alone, mapping = _plugin(entry.kind, entry.name, cls)
        definitions[entry.kind]["anyOf"] += [*alone, mapping]
    for kind, definition in definitions.items():
        if not definition[
            "anyOf"
        ]:  # an empty anyOf is not a valid schema; without a plugin of this kind, nothing is valid
            definitions[kind] = {"not": {}}
    frames = {
        "type": "object",
        "additionalProperties": False,
        "description": summary(FrameSelection),
        **_properties(json_schema(FrameSelection)),
    }
    tune = {
        "type": "object",
        "additionalProperties": False,
        "description": summary(Tuning),
        **_properties(json_schema(Tuning)),
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "mexbench config",
        "type": "object",
        "additionalProperties": False,
        "required": ["dataset", "protocol", "models"],
        "properties": _blocks(),
        "$defs": {**definitions, "frames": frames, "tune": tune},
    }


def _blocks() -> dict[str, Any]:
    """Return the schema of each block of a config."""
    seed = {"type": "integer", "minimum": 0, "maximum": 2**32 - 1}
    return {
        "dataset": {
            **_one_or_several("dataset"),
            "description": "where samples come from: one data set, or a list that makes a composite",
        },
        **_INPUT,
        "protocol": {
            **_one_or_several("protocol"),
            "description": "which samples train and which test: one protocol, or several, side by side",
        },
        "models": {
            "type": "array",
            "minItems": 1,
            "items": {"$ref": "#/$defs/model"},
            "description": "what is evaluated; names are unique",
        },
        "seeds": {
            "anyOf": [
                seed,
                {"type": "array", "minItems": 1, "uniqueItems": True, "items": {"anyOf": [seed, _VARIABLE]}},
            ],
            "description": "every model is trained once per seed",
        },
        "target": {
            "enum": list(get_args(Target)),
            "description": "what models predict of a sample: its class, which action units show, or, of a long video, "
            "where expressions are",
        },
        "damaged": {
            "enum": list(get_args(Damaged)),
            "description": "clips with a damaged image, or a cell of the annotation that cannot be read: they are "
            "excluded and named, or the run is refused",
        },
        "sweep": {
            "type": "object",
            "minProperties": 1,
            "additionalProperties": {"type": "array", "minItems": 1},
            "description": "a grid over parameters, such as models.svm.C: [0.1, 1]; one row per cell",
        },
        "paper": paper_schema(),
        "profiles": {
            "type": "object",
            "additionalProperties": {"type": "object"},
            "description": "named sets of changes, such as demo: {models.ann.epochs: 5}",
        },
        "profile": {"type": "string", "description": "the profile in force"},
    }


def _one_or_several(kind: str) -> dict[str, Any]:
    reference = {"$ref": f"#/$defs/{kind}"}
    return {"anyOf": [reference, {"type": "array", "minItems": 1, "items": reference}]}


def _plugin(kind: str, name: str, cls: type[Plugin]) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Return the schema of a plugin's name alone, where that suffices, and of its mapping."""
    schema = _properties(json_schema(cls))
    properties: dict[str, Any] = {"plugin": {"const": name}}
    if kind in ("model", "protocol"):
        properties["name"] = {"type": "string", "pattern": f"^(?:{NAME.pattern})$"}
    properties |= {**_INPUT, **_CHOICE} if kind == "model" else {}
    properties |= schema["properties"]
    mapping = {
        "type": "object",
        "description": summary(cls),
        "additionalProperties": False,
        "required": ["plugin", *schema["required"]],
        "properties": properties,
    }
    return ([] if schema["required"] else [{"const": name, "description": summary(cls)}]), mapping


def _properties(schema: dict[str, Any]) -> dict[str, Any]:
    """Let every value come from the environment as well."""
    properties = {}
    for parameter, value_schema in schema["properties"].items():
        outer = {key: value for key, value in value_schema.items() if key in ("description", "default")}
        inner = {key: value for key, value in value_schema.items() if key not in outer}
        properties[parameter] = {"anyOf": [inner, _VARIABLE], **outer}
    return {"properties": properties, "required": schema["required"]}
