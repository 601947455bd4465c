"""``bench audit --models``: some of a config's models."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection
from pathlib import Path

from mexbench.config.run_config import RunConfig
from mexbench.errors import ConfigError, unknown


def select_models(config: RunConfig, text: str | None) -> RunConfig:
    """Return the config with the models that ``--models`` names; with all where it is not given.

    Raises:
        ConfigError: The config has no such model.
    """
    if text is None:
        return config
    names = [name.strip() for name in text.split(",")]
    known = [model.name for model in config.models]
    for name in names:
        if name not in known:
            raise ConfigError(f"--models: {unknown('model', name, known)}")
    return _with_models(config, names)


def config_of_run(config: RunConfig, audited: RunConfig, folder: Path) -> RunConfig:
    """Return what the honest run has: the audited models, and those that its folder has results of already.

    Args:
        config: With every model.
        audited: With those that are audited.
        folder: The run folder; a run may get more models and may not lose one.
    """
    from mexbench.runs.run_folder import RunFolder

    identity = RunFolder(folder, keep=True).read_manifest().get("identity")
    models = identity.get("models") if isinstance(identity, dict) else None
    before = set(models) if isinstance(models, dict) else set()
    return _with_models(config, before | {model.name for model in audited.models})


def _with_models(config: RunConfig, names: Collection[str]) -> RunConfig:
    return dataclasses.replace(config, models=tuple(model for model in config.models if model.name in names))
