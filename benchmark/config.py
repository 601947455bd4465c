"""YAML -> a frozen, validated ``RunConfig`` whose plugins are built and whose parameters are all known."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from benchmark import document as yaml_document
from benchmark.composite import Composite
from benchmark.document import Document, ValuePath
from benchmark.errors import ConfigError, PluginError, unknown
from benchmark.fingerprint import digest
from benchmark.frames import FrameSelection
from benchmark.interfaces import Augmentation, Dataset, Model, Plugin, Preprocessor, Protocol
from benchmark.manager import Catalogue
from benchmark.parameters import RESERVED, build, values

P = TypeVar("P", bound=Plugin)

#: The blocks of a config and whether a config must have them.
BLOCKS: Mapping[str, bool] = {
    "dataset": True,
    "frames": False,
    "preprocess": False,
    "protocol": True,
    "models": True,
    "seeds": False,
}
#: Names of models become file names, table cells and page titles.
MODEL_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 _.+-]*")
_MAX_SEED = 2**32 - 1  # the largest that numpy's and scikit-learn's generators take


@dataclass(frozen=True)
class Component(Generic[P]):
    """One plugin of a config: which, under what name, from where, and the object itself."""

    plugin: str
    name: str
    distribution: str
    instance: P

    def resolved(self) -> dict[str, object]:
        """Return the block as a config would spell it out, defaults included."""
        return {"plugin": self.plugin, "name": self.name, **values(self.instance)}

    def identity(self) -> dict[str, object]:
        """Return what decides the results: the block without its paths, which say where and not what."""
        provenance = dict(self.instance.provenance())
        beside = {"provenance": provenance} if provenance else {}
        return {"plugin": self.plugin, **values(self.instance, paths=False), **beside}


@dataclass(frozen=True)
class RunConfig:
    """A config in which nothing is left to check but the data.

    Args:
        name: The file's name without its ending: the default folder under ``runs/``.
        dataset: Where samples come from; a ``Composite`` where the config lists several.
        members: The data sets one by one, as the config lists them.
        frames: What of a clip is a sample; None takes a sample as the dataset gives it.
        preprocess: Steps that every sample goes through, in order.
        protocol: Which samples train and which test.
        models: What is evaluated; names are unique.
        seeds: Every model is trained once per seed.
    """

    name: str
    dataset: Component[Dataset]
    members: tuple[Component[Dataset], ...]
    frames: FrameSelection | None
    preprocess: tuple[Component[Preprocessor], ...]
    protocol: Component[Protocol]
    models: tuple[Component[Model], ...]
    seeds: tuple[int, ...]

    def resolved(self) -> dict[str, Any]:
        """Return the whole config with every default and variable filled in; loading it gives this config again."""
        return {
            "dataset": _without_name(self.dataset) if self.is_single else [_without_name(one) for one in self.members],
            **self._frames(),
            "preprocess": [_without_name(step) for step in self.preprocess],
            "protocol": _without_name(self.protocol),
            "models": [model.resolved() for model in self.models],
            "seeds": list(self.seeds),
        }

    def identity(self) -> dict[str, Any]:
        """Return what decides the results: ``resolved`` without paths."""
        return {
            # A path says where and not what, but data that is made up is not the data.
            "dataset": {
                **(
                    self.dataset.identity() if self.is_single else {"members": [one.identity() for one in self.members]}
                ),
                "title": dataset_title(self),
            },
            **self._frames(),
            "preprocess": [step.identity() for step in self.preprocess],
            "protocol": self.protocol.identity(),
            "models": {model.name: model.identity() for model in self.models},
            "seeds": list(self.seeds),
        }

    @property
    def fingerprint(self) -> str:
        """Digest of ``identity``: the same on every machine, wherever the data lies."""
        return digest(self.identity())

    @property
    def is_single(self) -> bool:
        """Whether there is one data set alone."""
        return len(self.members) == 1

    def _frames(self) -> dict[str, Any]:
        chosen = values(self.frames) if self.frames else {}
        return {"frames": {key: value for key, value in chosen.items() if value is not None}} if chosen else {}

    def components(self) -> tuple[Component[Any], ...]:
        """Return every plugin that the config names."""
        return (*self.members, *self.preprocess, self.protocol, *self.models)


def load(path: Path, catalogue: Catalogue, overrides: Iterable[str] = ()) -> RunConfig:
    """Read a config file.

    Args:
        path: The YAML file.
        catalogue: Where its plugins are looked up.
        overrides: ``KEY=VALUE`` texts, applied in order.

    Raises:
        ConfigError: Lists everything that is wrong with it, each with its place in the file.
    """
    document = yaml_document.read(path, overrides)
    return from_document(document, catalogue, name=path.stem)


def from_document(document: Document, catalogue: Catalogue, *, name: str) -> RunConfig:
    """Validate a document; see ``load``."""
    data = document.data
    if not isinstance(data, dict):
        got = "nothing" if data is None else f"a {type(data).__name__}"
        raise document.error((), f"expected a mapping with the keys {', '.join(BLOCKS)}; got {got}")
    reader = _ConfigReader(document, catalogue)
    for key in data:
        if key not in BLOCKS:
            reader.fault((key,), unknown("key", key, BLOCKS))
    for key, required in BLOCKS.items():
        if required and key not in data:
            reader.fault((), f"needs the key {key!r}")
    members = reader.datasets(("dataset",), data.get("dataset"))
    frames = reader.frames(("frames",), data.get("frames"))
    preprocess = reader.components("preprocessor", Preprocessor, ("preprocess",), data.get("preprocess", []))
    protocol = reader.component("protocol", Protocol, ("protocol",), data.get("protocol"))
    models = reader.components("model", Model, ("models",), data.get("models", []))
    if models == () and isinstance(data.get("models"), list) and not data["models"]:
        reader.fault(("models",), "expected at least one model")
    reader.unique_names(models)
    reader.one_augmentation(preprocess)
    seeds = reader.seeds(("seeds",), data.get("seeds", [0]))
    if reader.faults or not members or protocol is None:
        raise ConfigError("\n".join(reader.faults))
    dataset = members[0] if len(members) == 1 else _composite(members)
    return RunConfig(name, dataset, members, frames, preprocess, protocol, models, seeds)


class _ConfigReader:
    """Checks the blocks of one document and gathers everything that is wrong with them."""

    def __init__(self, document: Document, catalogue: Catalogue) -> None:
        self.document = document
        self.catalogue = catalogue
        self.faults: list[str] = []

    def fault(self, path: ValuePath, message: str) -> None:
        self.faults.append(self.document.fault(path, message))

    def component(self, kind: str, interface: type[P], path: ValuePath, block: object) -> Component[P] | None:
        """Read a plugin's name alone, or a mapping with its parameters beside ``plugin``."""
        given = self.mapping(kind, path, block)
        if given is None:
            return None
        plugin, name = str(given["plugin"]), given.get("name", given["plugin"])
        if "name" in given and kind != "model":
            self.fault((*path, "name"), f"only models have a name; a {kind} has none")
        elif not (isinstance(name, str) and MODEL_NAME.fullmatch(name)):
            self.fault((*path, "name"), f"expected letters, digits, spaces, '_', '-', '+' or '.', got {name!r}")
        try:
            entry = self.catalogue.get(kind, plugin)
            cls = entry.load()
        except PluginError as error:
            self.fault((*path, "plugin") if (*path, "plugin") in self.document.lines else path, str(error))
            return None
        instance, faults = build(cls, {key: value for key, value in given.items() if key not in RESERVED})
        for key, message in faults:
            self.fault((*path, *key), message if key else f"{kind} {plugin!r}: {message}")
        if not isinstance(instance, interface):
            return None
        return Component(plugin=plugin, name=str(name), distribution=entry.distribution, instance=instance)

    def mapping(self, kind: str, path: ValuePath, block: object) -> dict[str, Any] | None:
        """Bring both forms of a plugin's block to a mapping in which ``plugin`` is a text."""
        if block is None:
            if path[0] in self.document.data:
                self.fault(path, f"expected the name of a {kind}, got nothing")
            return None
        if isinstance(block, str):
            return {"plugin": block}
        if not isinstance(block, dict):
            self.fault(path, f"expected the name of a {kind} or a mapping with 'plugin', got {block!r}")
            return None
        if isinstance(block.get("plugin"), str):
            return block
        given = "plugin" in block
        got = f", got {block['plugin']!r}" if given else ""
        choices = ", ".join(self.catalogue.names(kind)) or "none installed"
        self.fault(
            (*path, "plugin") if given else path, f"needs 'plugin', the name of a {kind}{got}; one of: {choices}"
        )
        return None

    def components(self, kind: str, interface: type[P], path: ValuePath, blocks: object) -> tuple[Component[P], ...]:
        if blocks is None:
            blocks = []
        if not isinstance(blocks, list):
            self.fault(path, f"expected a list of {kind}s, got {blocks!r}")
            return ()
        read = (self.component(kind, interface, (*path, i), block) for i, block in enumerate(blocks))
        return tuple(component for component in read if component is not None)

    def datasets(self, path: ValuePath, block: object) -> tuple[Component[Dataset], ...]:
        """Read one data set, or a list of those that a composite is made of."""
        if isinstance(block, list):
            if not block:
                self.fault(path, "expected at least one dataset")
            return self.components("dataset", Dataset, path, block)
        found = self.component("dataset", Dataset, path, block)
        return () if found is None else (found,)

    def frames(self, path: ValuePath, block: object) -> FrameSelection | None:
        if block is None:
            return None
        if not isinstance(block, dict):
            self.fault(path, f"expected a mapping such as {{unit: clip, count: 16}}, got {block!r}")
            return None
        chosen, faults = build(FrameSelection, block)
        for key, message in faults:
            self.fault((*path, *key), message)
        return chosen if isinstance(chosen, FrameSelection) else None

    def one_augmentation(self, steps: tuple[Component[Preprocessor], ...]) -> None:
        found = [step.plugin for step in steps if isinstance(step.instance, Augmentation)]
        if len(found) > 1:
            self.fault(("preprocess",), f"two augmentations, {' and '.join(found)}: put all alterations into one")

    def unique_names(self, models: tuple[Component[Model], ...]) -> None:
        # Two names that differ in case alone would share a folder where the file system ignores case.
        seen: set[str] = set()
        for model in models:
            if model.name.lower() in seen:
                self.fault(("models",), f"two models are called {model.name!r}; give one of them another 'name'")
            seen.add(model.name.lower())

    def seeds(self, path: ValuePath, block: object) -> tuple[int, ...]:
        given = block if isinstance(block, list) else [block]
        seeds: list[int] = []
        for index, seed in enumerate(given):
            if not isinstance(seed, int) or isinstance(seed, bool) or not 0 <= seed <= _MAX_SEED:
                self.fault((*path, index), f"expected a whole number from 0 to {_MAX_SEED}, got {seed!r}")
            elif seed in seeds:
                self.fault((*path, index), f"seed {seed} stands here twice")
            else:
                seeds.append(seed)
        if not given:
            self.fault(path, "expected at least one seed")
        return tuple(seeds)


def dataset_title(config: RunConfig) -> str:
    """Return what every output calls the dataset."""
    return config.dataset.instance.display_name() or config.dataset.plugin


def _composite(members: tuple[Component[Dataset], ...]) -> Component[Dataset]:
    name = "+".join(member.plugin for member in members)
    distributions = dict.fromkeys(member.distribution for member in members)
    composite = Composite(tuple((member.plugin, member.instance) for member in members))
    return Component(plugin=name, name=name, distribution=", ".join(distributions), instance=composite)


def _without_name(component: Component[Any]) -> dict[str, object]:
    return {key: value for key, value in component.resolved().items() if key != "name"}
