"""A run, described: a frozen ``RunConfig`` whose plugins are built and whose parameters are all known."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import product
from typing import Any, Generic, Literal, TypeVar

from mexbench.config.frame_selection import FrameSelection
from mexbench.config.paper_table import PaperTable
from mexbench.config.tuning import SEEN_TEST_FLAG, Selection, Tuning
from mexbench.config.variables import marked
from mexbench.fingerprint import digest
from mexbench.interfaces import Dataset, Model, Plugin, Preprocessor, Protocol
from mexbench.registry.parameters import to_dict

P = TypeVar("P", bound=Plugin)
#: What a run's models predict of a sample: its one class, which of twelve action units show, or where in a long video
#: the expressions are.
Target = Literal["emotion", "action_units", "spotting"]
#: What becomes of damaged clips: they are excluded and named, or the run is refused.
Damaged = Literal["exclude", "refuse"]

#: Names of models and protocols become file names, table cells and page titles.
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 _.,=+-]*")


@dataclass(frozen=True)
class Component(Generic[P]):
    """One plugin of a config: which, under what name, from where, and the object itself.

    Args:
        plugin: Its name in the catalogue.
        name: Its name in this run.
        distribution: Where it comes from.
        instance: The object, with its parameters.
        tuning: Of a model: what is chosen inside each training side; None where nothing is.
        selection: Of a model: how the values in its block were chosen, as the config declares; None where it does not.
        where: Its place in the config.
        variables: The parameters that came from the environment, as the config writes them.
    """

    plugin: str
    name: str
    distribution: str
    instance: P
    tuning: Tuning | None = None
    selection: Selection | None = None
    where: str = field(default="", compare=False)
    variables: Mapping[str, Any] = field(default_factory=dict, compare=False)

    def resolved(self, *, recorded: bool = False) -> dict[str, object]:
        """Return the block as a config would spell it out, defaults included.

        Args:
            recorded: Whether it is written down: then variables of the environment stay variables.
        """
        own = self.variables if recorded else {}
        tuned = set((self.tuning.values or {}) if self.tuning else ())
        values = {key: value for key, value in {**to_dict(self.instance), **own}.items() if key not in tuned}
        return {
            "plugin": self.plugin,
            "name": self.name,
            **({"selection": self.selection} if self.selection else {}),
            **values,
            **({"tune": self.tuning.resolved()} if self.tuning else {}),
        }

    def flags(self) -> tuple[str, ...]:
        """Return words that must stand beside every score made with this plugin."""
        return (*self.instance.flags(), *([SEEN_TEST_FLAG] if self.selection == "seen-test" else []))

    def identity(self, *, recorded: bool = False) -> dict[str, object]:
        """Return what decides the results: the block without its paths, which say where and not what."""
        provenance = dict(self.instance.provenance())
        beside = {"provenance": provenance} if provenance else {}
        tuned = {"tune": self.tuning.resolved()} if self.tuning else {}
        values = to_dict(self.instance, paths=False)
        return {"plugin": self.plugin, **(marked(values, self.variables) if recorded else values), **beside, **tuned}


@dataclass(frozen=True)
class Input:
    """What a model sees of a clip.

    Args:
        frames: What of a clip is a sample; None takes a sample as the dataset gives it.
        preprocess: Steps that every sample goes through, in order.
        where: Place of the ``frames`` block in the config.
        variables: What of the ``frames`` block came from the environment, as the config writes it.
    """

    frames: FrameSelection | None
    preprocess: tuple[Component[Preprocessor], ...]
    where: str = field(default="", compare=False)
    variables: Mapping[str, Any] = field(default_factory=dict, compare=False)

    def resolved(self, *, recorded: bool = False) -> dict[str, Any]:
        """Return both blocks as a config would spell them out; no ``frames`` where a sample is taken as it is."""
        return {
            **self._frames(self.variables if recorded else {}),
            "preprocess": [without_name(step, recorded=recorded) for step in self.preprocess],
        }

    def identity(self, *, recorded: bool = False) -> dict[str, Any]:
        """Return what decides the results: ``resolved`` without paths."""
        frames = self._frames({})
        if recorded and frames:
            frames = {"frames": marked(frames["frames"], self.variables)}
        return {**frames, "preprocess": [step.identity(recorded=recorded) for step in self.preprocess]}

    def _frames(self, variables: Mapping[str, Any]) -> dict[str, Any]:
        chosen = {**to_dict(self.frames), **variables} if self.frames else {}
        return {"frames": {key: value for key, value in chosen.items() if value is not None}} if chosen else {}


@dataclass(frozen=True)
class RowGroup:
    """Rows of a run that share their samples, their input and their protocol.

    Args:
        dataset: As in ``RunConfig``.
        members: As in ``RunConfig``.
        input: What the models see.
        protocol: Which samples train and which test.
        models: What is evaluated, under the names of the rows.
        seeds: As in ``RunConfig``.
        profile: As in ``RunConfig``.
        target: As in ``RunConfig``.
        damaged: As in ``RunConfig``.
    """

    dataset: Component[Dataset]
    members: tuple[Component[Dataset], ...]
    input: Input
    protocol: Component[Protocol]
    models: tuple[Component[Model], ...]
    seeds: tuple[int, ...]
    profile: str | None = None
    target: Target = "emotion"
    damaged: Damaged = "exclude"


@dataclass(frozen=True)
class RunConfig:
    """A validated config: only the data is still unchecked.

    Args:
        name: The file's name without its ending: the default folder under ``runs/``.
        dataset: Where samples come from; a ``CompositeDataset`` where the config lists several.
        members: The data sets one by one, as the config lists them.
        input: What a model sees unless ``inputs`` has its name.
        protocols: Which samples train and which test; names are unique.
        models: What is evaluated, under each protocol; names are unique.
        inputs: Model's name -> what it sees instead of ``input``.
        seeds: Every model is trained once per seed.
        profile: Name of the profile in force, None where the config has none.
        target: What models predict of a sample.
        damaged: What becomes of clips with a damaged image or a cell of the annotation that cannot be read.
        paper: What a published table claims of the rows; None where the config re-does none.
    """

    name: str
    dataset: Component[Dataset]
    members: tuple[Component[Dataset], ...]
    input: Input
    protocols: tuple[Component[Protocol], ...]
    models: tuple[Component[Model], ...]
    inputs: Mapping[str, Input]
    seeds: tuple[int, ...]
    profile: str | None = None
    target: Target = "emotion"
    paper: PaperTable | None = None
    damaged: Damaged = "exclude"

    @cached_property
    def parts(self) -> tuple[RowGroup, ...]:
        """The run's rows, brought together where they share input and protocol."""
        groups: dict[tuple[str, str], list[Component[Model]]] = {}
        inputs = {digest(input_.resolved()): input_ for input_ in (self.input, *self.inputs.values())}
        for protocol, model in product(self.protocols, self.models):
            seen = digest(self.inputs.get(model.name, self.input).resolved())
            row = replace(model, name=self.row(model, protocol))
            groups.setdefault((protocol.name, seen), []).append(row)
        protocols = {protocol.name: protocol for protocol in self.protocols}
        return tuple(
            RowGroup(
                self.dataset,
                self.members,
                inputs[seen],
                protocols[name],
                tuple(rows),
                self.seeds,
                self.profile,
                self.target,
                self.damaged,
            )
            for (name, seen), rows in groups.items()
        )

    @property
    def rows(self) -> tuple[str, ...]:
        """Names of the rows, in the order of the config: every protocol of a model, then the next model."""
        return tuple(self.row(model, protocol) for model, protocol in product(self.models, self.protocols))

    def row(self, model: Component[Model], protocol: Component[Protocol]) -> str:
        """Return the name of a row: the model's, with the protocol's where there are several."""
        return model.name if len(self.protocols) == 1 else f"{model.name} under {protocol.name}"

    def resolved(self, *, recorded: bool = False) -> dict[str, Any]:
        """Return the whole config with every default and variable filled in; loading it gives this config again.

        Args:
            recorded: Whether it is written down: then variables of the environment stay variables.
        """
        own = {name: {"frames": None, **input_.resolved(recorded=recorded)} for name, input_ in self.inputs.items()}
        return {
            "dataset": without_name(self.dataset, recorded=recorded)
            if self.is_single
            else [without_name(one, recorded=recorded) for one in self.members],
            **self.input.resolved(recorded=recorded),
            "protocol": without_name(self.protocols[0], recorded=recorded)
            if len(self.protocols) == 1
            else [protocol.resolved(recorded=recorded) for protocol in self.protocols],
            "models": [{**model.resolved(recorded=recorded), **own.get(model.name, {})} for model in self.models],
            "seeds": list(self.seeds),
            **self._target(),
            **({} if self.damaged == "exclude" else {"damaged": self.damaged}),
            **({"paper": self.paper.resolved()} if self.paper else {}),
            **({"profile": self.profile, "profiles": {self.profile: {}}} if self.profile else {}),
        }

    def identity(self, *, recorded: bool = False) -> dict[str, Any]:
        """Return what decides the results: ``resolved`` without paths.

        Args:
            recorded: Whether it is written down: then variables with a short digest stand for values.
        """
        own = {name: input_.identity(recorded=recorded) for name, input_ in self.inputs.items()}
        return {
            # A path says where and not what, but data that is made up is not the data.
            "dataset": {
                **(
                    self.dataset.identity(recorded=recorded)
                    if self.is_single
                    else {"members": [one.identity(recorded=recorded) for one in self.members]}
                ),
                "title": dataset_title(self),
            },
            **self.input.identity(recorded=recorded),
            "protocol": self.protocols[0].identity(recorded=recorded)
            if len(self.protocols) == 1
            else {protocol.name: protocol.identity(recorded=recorded) for protocol in self.protocols},
            "models": {
                model.name: {**model.identity(recorded=recorded), **own.get(model.name, {})} for model in self.models
            },
            "seeds": list(self.seeds),
            **self._target(),
        }

    def _target(self) -> dict[str, str]:
        """Return the key ``target`` where it is not the usual one: so what was run before there was another, stays."""
        return {} if self.target == "emotion" else {"target": self.target}

    @property
    def fingerprint(self) -> str:
        """Digest of ``identity``: the same on every machine, wherever the data is stored."""
        return digest(self.identity())

    @property
    def is_single(self) -> bool:
        """Whether there is one data set alone."""
        return len(self.members) == 1

    def components(self) -> tuple[Component[Any], ...]:
        """Return every plugin that the config names."""
        steps = [step for input_ in (self.input, *self.inputs.values()) for step in input_.preprocess]
        return (*self.members, *steps, *self.protocols, *self.models)


def dataset_title(config: RunConfig | RowGroup) -> str:
    """Return what every output calls the dataset."""
    return config.dataset.instance.display_name() or config.dataset.plugin


def without_name(component: Component[Any], *, recorded: bool = False) -> dict[str, object]:
    """Return a plugin's block without a name."""
    return {key: value for key, value in component.resolved(recorded=recorded).items() if key != "name"}
