"""A config from Python values: a path, a shipped name or a dict, and changes to it."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from mexbench.config import document as documents
from mexbench.config.document import Document
from mexbench.config.loader import from_document, load
from mexbench.config.run_config import RunConfig
from mexbench.errors import ConfigError
from mexbench.registry.catalogue import Catalogue

#: A config: a path, a shipped name such as "quickstart", or the keys of a config.
ConfigLike = str | os.PathLike[str] | Mapping[str, Any]


def load_config(config: ConfigLike, catalogue: Catalogue, changes: Mapping[str, Any]) -> RunConfig:
    """Read a config and change it.

    Args:
        config: A path, the name of a shipped config, or a dict with the keys of a config.
        catalogue: Where its plugins are looked up.
        changes: Key or path, as ``--set`` takes it, and its new value.

    Raises:
        ConfigError: Lists everything that is wrong with it.
    """
    assignments = _assignments(changes)
    if isinstance(config, Mapping):
        document = documents.parse(_text("config", config), "the config dict", os.environ)
        document = Document(document.data, "the config dict")  # without lines, which a dict does not have
        for assignment in assignments:
            document = documents.override(document, assignment)
        loaded = from_document(document, catalogue, name="config")
        return replace(loaded, name=f"config-{loaded.fingerprint[:8]}")
    if isinstance(config, str | os.PathLike):
        return load(Path(config), catalogue, assignments)
    raise ConfigError(f"config: expected a path, the name of a shipped config or a dict; got {type(config).__name__}")


def _assignments(changes: Mapping[str, Any]) -> list[str]:
    return [f"{key}={_text(key, value)}" for key, value in changes.items()]


def _text(what: str, value: Any) -> str:  # noqa: ANN401
    """Write plain values as YAML, of which JSON is a part."""

    def plain(one: Any) -> Any:  # noqa: ANN401
        if isinstance(one, os.PathLike):
            return os.fspath(one)
        if isinstance(one, Mapping):
            return dict(one)
        if hasattr(one, "tolist"):  # a number or an array of numpy
            return one.tolist()
        if isinstance(one, Sequence):
            return list(one)
        raise TypeError(f"a {type(one).__name__}")

    try:
        return json.dumps(value, default=plain, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ConfigError(
            f"{what}: expected plain values (text, numbers, lists, dicts), as a config has; got {error}; "
            "a model that is an object goes to mexbench.evaluate"
        ) from None
