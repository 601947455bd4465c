"""YAML -> a validated ``RunConfig``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar, cast, get_args

from mexbench.config import document as yaml_document
from mexbench.config import profiles as profile
from mexbench.config import sweep
from mexbench.config.composite import CompositeDataset
from mexbench.config.document import Document, ValuePath
from mexbench.config.frame_selection import FrameSelection
from mexbench.config.paper_table import PaperTable, read_paper_table
from mexbench.config.run_config import NAME, Component, Damaged, Input, RunConfig, Target
from mexbench.config.shipped import find_config
from mexbench.config.tuning import Selection, read_tuning
from mexbench.config.variables import has_variable, written, written_parameters
from mexbench.errors import ConfigError, PluginError, listed, unknown
from mexbench.interfaces import (
    ActionUnitModel,
    Augmentation,
    Dataset,
    Model,
    Plugin,
    Preprocessor,
    Protocol,
    SpottingModel,
)
from mexbench.registry.catalogue import Catalogue
from mexbench.registry.parameters import RESERVED, build

P = TypeVar("P", bound=Plugin)

#: The blocks of a config and whether a config must have them.
BLOCKS: Mapping[str, bool] = {
    "dataset": True,
    "target": False,
    "frames": False,
    "preprocess": False,
    "protocol": True,
    "models": True,
    "seeds": False,
    "damaged": False,
    "sweep": False,
    "paper": False,
    "profile": False,
    "profiles": False,
}
#: What a model's block may have besides the model's parameters: an input of its own.
INPUT = frozenset({"frames", "preprocess"})
#: What a model's block may have about how its values were chosen, or are to be chosen.
CHOICE = frozenset({"tune", "selection"})
_MAX_SEED = 2**32 - 1  # the largest that numpy's and scikit-learn's generators take


def load(path: Path, catalogue: Catalogue, overrides: Iterable[str] = ()) -> RunConfig:
    """Read a config file.

    Args:
        path: The YAML file, or the name of a shipped config, such as ``quickstart``; a file wins over a name.
        catalogue: Where its plugins are looked up.
        overrides: ``KEY=VALUE`` texts, applied in order.

    Raises:
        ConfigError: Lists everything that is wrong with it, each with its place in the file.
    """
    path = find_config(path)
    document = yaml_document.read(path, overrides, check=False)
    return from_document(document, catalogue, name=path.stem)


def from_document(document: Document, catalogue: Catalogue, *, name: str) -> RunConfig:
    """Validate a document; see ``load``."""
    if not isinstance(document.data, dict):
        yaml_document.check_variables(document)
        got = "nothing" if document.data is None else f"a {type(document.data).__name__}"
        raise document.error((), f"expected a mapping with the keys {', '.join(BLOCKS)}; got {got}")
    try:
        document, chosen = profile.apply(document)
        yaml_document.check_variables(document)  # of the chosen profile: what it replaces may lack a value
        document = sweep.expand(document)
    except ConfigError:
        # A path such as models.au_cnn.epochs also fails where the plugin itself is misspelt: then that is reported.
        if misspelt := list(_unknown_plugins(document, catalogue)):
            raise ConfigError("\n".join(misspelt)) from None
        raise
    data = document.data
    reader = _ConfigReader(document, catalogue)
    for key in data:
        if key not in BLOCKS:
            reader.add_error((key,), unknown("key", key, BLOCKS))
    for key, required in BLOCKS.items():
        if required and key not in data:
            reader.add_error((), f"needs the key {key!r}")
    members = reader.several("dataset", Dataset, data.get("dataset"))
    common = Input(
        reader.frames(("frames",), data.get("frames")), reader.steps((), data), document.where(("frames",)),
        _frame_variables(data),
    )  # fmt: skip
    protocols = reader.several("protocol", Protocol, data.get("protocol"))
    models = reader.components("model", Model, ("models",), data.get("models", []))
    if models == () and isinstance(data.get("models"), list) and not data["models"]:
        reader.add_error(("models",), "expected at least one model")
    inputs = reader.inputs(data.get("models"), common)
    reader.unique_names(("models",), models)
    reader.unique_names(("protocol",), protocols)
    seeds = reader.seeds(("seeds",), data.get("seeds", [0]))
    damaged = reader.damaged(data.get("damaged", "exclude"))
    target = reader.target(data.get("target", "emotion"), models, (common, *inputs.values()))
    models = reader.tuned(data.get("models"), models, target)
    paper = reader.paper(models, protocols)
    if reader.errors or not members or not protocols:
        raise ConfigError("\n".join(reader.errors))
    dataset = members[0] if len(members) == 1 else _composite(members)
    return RunConfig(name, dataset, members, common, protocols, models, inputs, seeds, chosen, target, paper, damaged)


#: Target -> the interface that a model needs for it, the method of that interface, and what it does.
_TARGET_MODELS: Mapping[str, tuple[type[Model], str, str]] = {
    "action_units": (ActionUnitModel, "fit_action_units", "detect action units"),
    "spotting": (SpottingModel, "fit_spotting", "spot expressions in long videos"),
}


def _has_method(model: type, interface: type[Model], method: str) -> bool:
    """Return whether a model can do it: a class that inherits the method and cannot sets it to None."""
    return issubclass(model, interface) and getattr(model, method) is not None


class _ConfigReader:
    """Checks the blocks of one document and gathers everything that is wrong with them."""

    def __init__(self, document: Document, catalogue: Catalogue) -> None:
        self.document = document
        self.catalogue = catalogue
        self.errors: list[str] = []

    def add_error(self, path: ValuePath, message: str) -> None:
        self.errors.append(self.document.error_text(path, message))

    def component(self, kind: str, interface: type[P], path: ValuePath, block: object) -> Component[P] | None:
        """Read a plugin's name alone, or a mapping with its parameters beside ``plugin``."""
        given = self.mapping(kind, path, block)
        if given is None:
            return None
        plugin, name = str(given["plugin"]), given.get("name", given["plugin"])
        if "name" in given and kind not in ("model", "protocol"):
            self.add_error((*path, "name"), f"only models and protocols have a name; a {kind} has none")
        elif not (isinstance(name, str) and NAME.fullmatch(name)):
            self.add_error((*path, "name"), f"expected letters, digits, spaces or any of _ - + . , =; got {name!r}")
        try:
            entry = self.catalogue.get(kind, plugin)
            cls = entry.load()
        except PluginError as error:
            self.add_error((*path, "plugin") if (*path, "plugin") in self.document.lines else path, str(error))
            return None
        if has_variable(given.get("name")):
            self.add_error((*path, "name"), "is part of every output, so it cannot come from an environment variable")
        taken = RESERVED | (INPUT | CHOICE if kind == "model" else set())
        values = {key: value for key, value in given.items() if key not in taken}
        if kind == "dataset" and "title" in values:  # it is a part of every id: the variable's name is, not its value
            values["title"] = written(values["title"])
        instance, errors = build(cls, values)
        for key, message in errors:
            self.add_error((*path, *key), message if key else f"{kind} {plugin!r}: {message}")
        if not isinstance(instance, interface):
            return None
        return Component(
            plugin=plugin, name=str(name), distribution=entry.distribution, instance=instance,
            variables=written_parameters(values), where=self.document.where((*path, "plugin")),
        )  # fmt: skip

    def mapping(self, kind: str, path: ValuePath, block: object) -> dict[str, Any] | None:
        """Bring both forms of a plugin's block to a mapping in which ``plugin`` is a string."""
        if block is None:
            if path[0] in self.document.data:
                self.add_error(path, f"expected the name of a {kind}, got nothing")
            return None
        if isinstance(block, str):
            return {"plugin": block}
        if not isinstance(block, dict):
            self.add_error(path, f"expected the name of a {kind} or a mapping with 'plugin', got {block!r}")
            return None
        if isinstance(block.get("plugin"), str):
            return block
        given = "plugin" in block
        got = f", got {block['plugin']!r}" if given else ""
        choices = ", ".join(self.catalogue.names(kind)) or "none installed"
        self.add_error(
            (*path, "plugin") if given else path, f"needs 'plugin', the name of a {kind}{got}; one of: {choices}"
        )
        return None

    def components(self, kind: str, interface: type[P], path: ValuePath, blocks: object) -> tuple[Component[P], ...]:
        if blocks is None:
            blocks = []
        if not isinstance(blocks, list):
            self.add_error(path, f"expected a list of {kind}s, got {blocks!r}")
            return ()
        read = (self.component(kind, interface, (*path, i), block) for i, block in enumerate(blocks))
        return tuple(component for component in read if component is not None)

    def several(self, kind: str, interface: type[P], block: object) -> tuple[Component[P], ...]:
        """Read the block of one plugin, or a list of such blocks."""
        if isinstance(block, list):
            if not block:
                self.add_error((kind,), f"expected at least one {kind}")
            return self.components(kind, interface, (kind,), block)
        component = self.component(kind, interface, (kind,), block)
        return () if component is None else (component,)

    def steps(self, path: ValuePath, block: Mapping[str, Any]) -> tuple[Component[Preprocessor], ...]:
        """Read the steps of the run, or of one model."""
        path = (*path, "preprocess")
        steps = self.components("preprocessor", Preprocessor, path, block.get("preprocess", []))
        augmentations = [step.plugin for step in steps if isinstance(step.instance, Augmentation)]
        if len(augmentations) > 1:
            self.add_error(path, f"two augmentations, {' and '.join(augmentations)}: put all alterations into one")
        return steps

    def inputs(self, models: object, common: Input) -> dict[str, Input]:
        """Read what single models see: their own ``frames`` or ``preprocess`` replace those of the run."""
        inputs: dict[str, Input] = {}
        for index, block in enumerate(models if isinstance(models, list) else []):
            if not isinstance(block, dict) or not INPUT & block.keys():
                continue
            path = ("models", index)
            frames = self.frames((*path, "frames"), block["frames"]) if "frames" in block else common.frames
            steps = self.steps(path, block) if "preprocess" in block else common.preprocess
            own = "frames" in block
            inputs[str(block.get("name", block.get("plugin")))] = Input(
                frames, steps, self.document.where((*path, "frames") if own else ("frames",)),
                _frame_variables(block) if own else common.variables,
            )  # fmt: skip
        return inputs

    def tuned(
        self, blocks: object, models: tuple[Component[Model], ...], target: Target
    ) -> tuple[Component[Model], ...]:
        """Read how the values of single models were chosen (``selection``), or are to be chosen (``tune``)."""
        if not isinstance(blocks, list) or len(blocks) != len(models):  # a block has errors of its own
            return models
        return tuple(
            self._tuned(("models", index), block, model, target) if isinstance(block, dict) else model
            for index, (block, model) in enumerate(zip(blocks, models, strict=True))
        )

    def _tuned(
        self, path: ValuePath, block: Mapping[str, Any], model: Component[Model], target: Target
    ) -> Component[Model]:
        if "selection" in block and block["selection"] not in get_args(Selection):
            self.add_error((*path, "selection"), unknown("selection", block["selection"], get_args(Selection)))
        tuning = None
        if has_variable(block.get("tune")):
            self.add_error(
                (*path, "tune"),
                "what is chosen is part of the results, so it cannot come from an environment variable; write the "
                "values here",
            )
        elif "tune" in block:
            given = [key for key in block if key not in RESERVED | INPUT | CHOICE]
            tuning, errors = read_tuning(block["tune"], model.instance, given=given, target=target)
            for key, message in errors:
                self.add_error((*path, "tune", *key), message)
        return replace(model, tuning=tuning, selection=block.get("selection"))

    def frames(self, path: ValuePath, block: object) -> FrameSelection | None:
        if block is None:
            return None
        if not isinstance(block, dict):
            self.add_error(path, f"expected a mapping such as {{unit: clip, count: 16}}, got {block!r}")
            return None
        chosen, errors = build(FrameSelection, block)
        for key, message in errors:
            self.add_error((*path, *key), message)
        return chosen if isinstance(chosen, FrameSelection) else None

    def unique_names(self, path: ValuePath, named: tuple[Component[Any], ...]) -> None:
        # Two names that differ in case alone would share a folder where the file system ignores case.
        seen: set[str] = set()
        for one in named:
            if one.name.lower() in seen:
                what = str(path[0]).removesuffix("s")
                self.add_error(path, f"two {what}s are called {one.name!r}; give one of them another 'name'")
            seen.add(one.name.lower())

    def damaged(self, value: object) -> Damaged:
        """Read what becomes of damaged clips."""
        if value not in get_args(Damaged):
            self.add_error(("damaged",), unknown("value", value, get_args(Damaged)))
        return cast("Damaged", value)

    def target(self, value: object, models: tuple[Component[Model], ...], inputs: Iterable[Input]) -> Target:
        """Read what the models predict, and refuse those that cannot."""
        if value not in get_args(Target):
            self.add_error(("target",), unknown("target", value, get_args(Target)))
        for target, (interface, method, task) in _TARGET_MODELS.items():
            lacking = [model for model in models if not _has_method(type(model.instance), interface, method)]
            if value == target and lacking:
                can = [name for name in self.catalogue.names("model") if self._can(name, interface, method)]
                names = listed(repr(model.name) for model in lacking)
                self.add_error(
                    ("target",),
                    f"{target}: no {method!r} in the class of {names}: they cannot {task}; those that can: "
                    f"{listed(can)}",
                )
        spotters = [model for model in models if getattr(type(model.instance), "fit", None) is SpottingModel.fit]
        if value != "spotting" and spotters:
            names = listed(repr(model.name) for model in spotters)
            self.add_error(("target",), f"{names} spot expressions in long videos; they need 'target: spotting'")
        if value == "spotting":
            self.check_spotting_inputs(inputs)
        return cast("Target", value)

    def check_spotting_inputs(self, inputs: Iterable[Input]) -> None:
        """Refuse what long videos cannot be put through: a choice of frames, and altered copies."""
        for seen in inputs:
            if seen.frames is not None:
                self.add_error(("frames",), "a spotter sees every frame of a video; 'target: spotting' has no 'frames'")
            if altered := [step.plugin for step in seen.preprocess if isinstance(step.instance, Augmentation)]:
                self.add_error(("preprocess",), f"{altered[0]}: long videos are not augmented")

    def paper(
        self, models: tuple[Component[Model], ...], protocols: tuple[Component[Protocol], ...]
    ) -> PaperTable | None:
        """Read what a published table claims of the rows."""
        if "paper" not in self.document.data:
            return None
        try:
            return read_paper_table(self.document, [one.name for one in models], [one.name for one in protocols])
        except ConfigError as error:
            self.errors.append(str(error))
            return None

    def _can(self, name: str, interface: type[Model], method: str) -> bool:
        try:
            return _has_method(self.catalogue.get("model", name).load(), interface, method)
        except PluginError:
            return False

    def seeds(self, path: ValuePath, block: object) -> tuple[int, ...]:
        if isinstance(block, int) and not isinstance(block, bool) and block > 0:  # no seeds at all is never meant
            self.add_error(
                path,
                f"expected a list of seeds, got {block}: [{block}] is one seed with this number, [0, 1, 2] are three",
            )
            return ()
        given = block if isinstance(block, list) else [block]
        seeds: list[int] = []
        for index, seed in enumerate(given):
            if not isinstance(seed, int) or isinstance(seed, bool) or not 0 <= seed <= _MAX_SEED:
                self.add_error((*path, index), f"expected a whole number from 0 to {_MAX_SEED}, got {seed!r}")
            elif seed in seeds:
                self.add_error((*path, index), f"duplicate seed {seed}")
            else:
                seeds.append(seed)
        if not given:
            self.add_error(path, "expected at least one seed")
        return tuple(seeds)


def _unknown_plugins(document: Document, catalogue: Catalogue) -> Iterator[str]:
    """Yield an error for each unknown plugin that a config names, before anything else is validated."""
    data = document.data
    blocks: dict[ValuePath, tuple[str, object]] = {(key,): (key, data.get(key)) for key in ("dataset", "protocol")}
    blocks |= {("models",): ("model", data.get("models")), ("preprocess",): ("preprocessor", data.get("preprocess"))}
    for index, model in enumerate(models if isinstance(models := data.get("models"), list) else []):
        if isinstance(model, dict):
            blocks["models", index, "preprocess"] = ("preprocessor", model.get("preprocess"))
    for path, (kind, block) in blocks.items():
        listed = {(*path, index): one for index, one in enumerate(block)} if isinstance(block, list) else {path: block}
        for place, one in listed.items():
            plugin = one.get("plugin") if isinstance(one, dict) else one
            if isinstance(plugin, str):
                try:
                    catalogue.get(kind, plugin)
                except PluginError as error:
                    yield document.error_text((*place, "plugin") if isinstance(one, dict) else place, str(error))


def _frame_variables(block: Mapping[str, Any]) -> dict[str, Any]:
    frames = block.get("frames")
    return written_parameters(frames) if isinstance(frames, Mapping) else {}


def _composite(members: tuple[Component[Dataset], ...]) -> Component[Dataset]:
    name = "+".join(member.plugin for member in members)
    distributions = dict.fromkeys(member.distribution for member in members)
    composite = CompositeDataset(tuple((member.plugin, member.instance) for member in members))
    return Component(
        plugin=name, name=name, distribution=", ".join(distributions), instance=composite, where=members[0].where
    )
