"""The config that a model of the user's session is evaluated on: a data set, or a config without its own models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from mexbench.config.from_values import ConfigLike, load_config
from mexbench.config.local_code import LOCAL_CODE, LocalComponent
from mexbench.config.run_config import RunConfig
from mexbench.errors import ConfigError, listed, unknown
from mexbench.interfaces import ActionUnitModel
from mexbench.registry.catalogue import Catalogue, CatalogueEntry


def config_for_model(
    given: ConfigLike | Sequence[Any],
    catalogue: Catalogue,
    *,
    changes: Mapping[str, Any],
    options: Mapping[str, Any],
    compare_with: Sequence[Any],
) -> RunConfig:
    """Load a config whose models are those to compare with.

    Args:
        given: Name of a data set, a dict with ``plugin`` or a list of such dicts; or a config.
        catalogue: Where plugins are looked up.
        changes: Key or path of the config, and its new value.
        options: Options of the data set, or keys of the config.
        compare_with: Names of models of the config, or models as a config lists them for a data set.

    Raises:
        ConfigError: Lists everything that is wrong with it.
    """
    data: Any = given
    is_name = isinstance(given, str) and given in catalogue.names("dataset")
    is_dataset = isinstance(given, Mapping) and "plugin" in given and "dataset" not in given
    if not (is_name or is_dataset or (isinstance(given, Sequence) and not isinstance(given, str))):
        loaded = load_config(data, catalogue, {**changes, **options})
        named = {model.name: model for model in loaded.models}
        if missing := [one for one in compare_with if one not in named]:
            raise ConfigError(f"compare_with: {unknown('model of this config', missing[0], named)}")
        return replace(loaded, models=tuple(named[one] for one in compare_with))
    blocks = ("preprocess", "frames", "target")
    document = {key: value for key, value in options.items() if key in blocks}
    own = {key: value for key, value in options.items() if key not in blocks}
    if own and not (is_name or is_dataset):
        raise ConfigError(f"options {listed(own)}: belong to one data set; write them beside its 'plugin' in the list")
    dataset = {"plugin": data, **own} if is_name else {**data, **own} if is_dataset else [*data]
    document |= {"dataset": dataset, "protocol": "loso", "models": [LOCAL_CODE, *compare_with]}
    placeholder = CatalogueEntry("model", LOCAL_CODE, _Placeholder, LOCAL_CODE)
    extended = replace(catalogue, entries=(*catalogue.entries, placeholder))
    members = [dataset] if isinstance(dataset, dict) else dataset
    title = "+".join(str(one["plugin"] if isinstance(one, Mapping) else one) for one in members)
    return replace(load_config(document, extended, changes), name=title)


class _Placeholder(ActionUnitModel):
    """Holds the place of a model of the session while the rest of a config is checked."""

    def fit(self, *_: Any, **__: Any) -> Any:  # noqa: ANN401
        raise NotImplementedError

    def fit_action_units(self, *_: Any, **__: Any) -> Any:  # noqa: ANN401
        raise NotImplementedError


def with_local_model(config: RunConfig, component: LocalComponent) -> RunConfig:
    """Put a model of the session before the models of a config; it sees what a model without an own input sees.

    Raises:
        ConfigError: It cannot detect action units, which the config asks for, or another model has its name.
    """
    others = tuple(model for model in config.models if model.plugin != LOCAL_CODE)
    inputs = {model.name: config.inputs[model.name] for model in others if model.name in config.inputs}
    if config.target == "action_units" and not isinstance(component.instance, ActionUnitModel):
        raise ConfigError(
            f"target: action_units: no 'fit_action_units' in the class of {component.name!r}: it cannot detect action "
            "units; derive it from mexbench.interfaces.ActionUnitModel"
        )
    if component.name.lower() in {model.name.lower() for model in others}:
        raise ConfigError(f"name: two models are called {component.name!r}; give this one another 'name'")
    return replace(config, models=(component, *others), inputs=inputs)
