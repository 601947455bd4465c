"""The input that a saved model needs, and whether a video or a still picture can provide it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from mexbench.config.frame_selection import FrameSelection
from mexbench.config.run_config import Component, Input, RunConfig
from mexbench.errors import BenchError, NotAnnotated, PluginError, SavedModelError
from mexbench.interfaces import Clip, ClipInfo, MeasuredUnits, Preprocessor
from mexbench.registry.catalogue import Catalogue
from mexbench.registry.parameters import build
from mexbench.runs.saved_model import SavedModel

#: Data sets whose samples are single photographs.
_DATASETS_OF_STILLS = frozenset({"image_folder"})
_REMEDY = "train one with frames {unit: frame, fps: 10} or {unit: clip, count: 16}"


@dataclass(frozen=True)
class Wanted:
    """How the samples of a model are made of frames.

    Args:
        count: Frames of a window that are one sample; None where each frame is one.
        steps: What they go through.
        at: The annotated moments that a sample's frames were in training, such as onset and apex; empty for others.
        no_film: Why a film cannot provide its samples; empty where it can.
        no_still: Why a still picture cannot.
    """

    count: int | None
    steps: tuple[Component[Preprocessor], ...]
    at: tuple[str, ...] = ()
    no_film: str = ""
    no_still: str = ""

    def check_films(self) -> None:
        """Check that samples can be made of films.

        Raises:
            SavedModelError: They cannot.
        """
        if self.no_film:
            raise SavedModelError(self.no_film)

    def check_snapshots(self) -> None:
        """Check that samples can be made of single frames of a film.

        Raises:
            SavedModelError: They cannot.
        """
        if self.no_still:
            raise SavedModelError(
                self.no_still.replace("a still picture", "a snapshot").replace("give films", "leave --every out")
            )

    def check_stills(self) -> None:
        """Check that samples can be made of still pictures.

        Raises:
            SavedModelError: They cannot.
        """
        if self.no_still:
            raise SavedModelError(self.no_still)

    def estimating_moments(self) -> Wanted:
        """Return the same for films in which the moments are estimated; see ``moments``."""
        return replace(self, no_film="") if self.at else self

    @property
    def finds_faces(self) -> bool:
        """Whether a step looks for a face."""
        return any(step.instance.finds_faces for step in self.steps)


def wanted(
    model: SavedModel, catalogue: Catalogue, *, with_units: bool = False, estimate: bool = False, stills: bool = False
) -> Wanted:
    """Build the steps that the model's samples went through.

    Args:
        model: The model.
        catalogue: Where the steps are looked up.
        with_units: Whether a file says which action units a film shows.
        estimate: Whether annotated moments, such as the apex, are estimated in a film.
        stills: Whether single pictures are all that is asked for, so that films do not matter.

    Raises:
        SavedModelError: A step is not installed, is not what it was, or needs an annotation that neither a video nor a
            still picture has.
    """
    frames, errors = (
        build(FrameSelection, model.about["frames"]) if model.about.get("frames") is not None else (None, [])
    )
    if errors:
        raise SavedModelError(f"{model.folder}: its 'frames' cannot be used: {errors[0][1]}")
    steps = tuple(_step(model, catalogue, block) for block in model.about["preprocess"])
    model.check_same_input({"frames": None, **Input(frames, steps).identity()})
    if not model.reads_annotation:
        steps = tuple(replace(step, instance=step.instance.unannotated()) for step in steps)
    spec = _of_selection(model, frames, steps)
    if spec.count is None and not spec.no_still and (step := _motion_step(spec)):
        no_still = (
            f"{model.folder}: its step {step!r} needs several frames, and a still picture is one: give films, or give "
            "a model that was trained without this step"
        )
        spec = replace(spec, no_still=no_still)
    if estimate:
        spec = spec.estimating_moments()
    if spec.no_film and spec.no_still and not stills:
        raise SavedModelError(spec.no_film)
    _check_no_annotation(model, spec, with_units=with_units)
    return spec


def _of_selection(
    model: SavedModel, frames: FrameSelection | None, steps: tuple[Component[Preprocessor], ...]
) -> Wanted:
    """Return what a 'frames' block asks for, and why films or stills do not have it."""
    if frames is None:
        no_film = (
            f"{model.folder}: was trained on samples as its data set gives them, without a 'frames' block, and a film "
            f"has no such samples; {_REMEDY}"
        )
        stills = dataset_plugin(model) in _DATASETS_OF_STILLS
        no_still = "" if stills else no_film.replace("a film", "a picture")
        return Wanted(1, steps, no_film=no_film, no_still=no_still)
    if frames.at is not None:
        no_film = (
            f"{model.folder}: was trained on annotated moments (frames: at: {list(frames.at)}), and a video has no "
            f"annotated {' and '.join(frames.at)}; {_REMEDY}, or let --estimate-apex look for them in each window"
        )
        if len(frames.at) == 1:
            no_film += f", or give still pictures of the {frames.at[0]}"
            return Wanted(1, steps, frames.at, no_film)
        return Wanted(len(frames.at), steps, frames.at, no_film, _motion(model, f"at: {list(frames.at)}"))
    if frames.unit == "clip" and frames.count != 1:
        return Wanted(frames.count, steps, no_still=_motion(model, f"count: {frames.count}"))
    return Wanted(None if frames.unit == "frame" else 1, steps)


def _motion(model: SavedModel, block: str) -> str:
    return (
        f"{model.folder}: was trained on motion (frames: {block}), and a still picture has none: give films, or give "
        "a model that was trained with frames {unit: frame, fps: 10} or {unit: clip, at: [apex]}"
    )


def _motion_step(spec: Wanted) -> str | None:
    """Return the step that takes several frames and refuses a single one; None where there is none."""
    frames = np.random.default_rng(0).integers(0, 256, (2, 240, 320, 3), dtype=np.uint8)
    one, several = Clip(frames=frames[:1]), Clip(frames=frames)
    for step in spec.steps:
        if step.instance.finds_faces:  # noise has no face
            continue
        try:
            several = step.instance(several)
        except BenchError:  # caused by the noise, or by an annotation that is not there
            return None
        try:
            one = step.instance(one)
        except BenchError:
            return step.plugin
    return None


def dataset_plugin(model: SavedModel) -> str | None:
    """Return the plugin of the data set that a model was trained on, as far as it is recorded."""
    identity = (model.about.get("dataset") or {}).get("identity")
    return identity.get("plugin") if isinstance(identity, dict) else None


def spotter_steps(model: SavedModel, catalogue: Catalogue) -> tuple[Component[Preprocessor], ...]:
    """Build the steps that the long videos of a spotter went through.

    Raises:
        SavedModelError: A step is not installed, is not what it was, or needs an annotation that a video does not have.
    """
    steps = tuple(_step(model, catalogue, block) for block in model.about["preprocess"])
    model.check_same_input({"frames": None, **Input(None, steps).identity()})
    _check_no_annotation(model, Wanted(None, steps), with_units=False)
    return steps


def check_same_config(model: SavedModel, config: RunConfig) -> None:
    """Check that a saved model and the model of a config have the same input.

    Raises:
        SavedModelError: They differ; the text lists how.
    """
    named = [component.name for component in config.models if component.name == model.about.get("name")]
    named += [component.name for component in config.models if component.plugin == model.about["plugin"]]
    model_input = config.inputs.get(named[0], config.input) if named else config.input
    model.check_same_input({"frames": None, **model_input.identity()})


def _step(model: SavedModel, catalogue: Catalogue, block: Mapping[str, Any]) -> Component[Preprocessor]:
    plugin = str(block.get("plugin"))
    try:
        entry = catalogue.get("preprocessor", plugin)
        cls = entry.load()
    except PluginError as error:
        raise SavedModelError(f"{model.folder}: its samples went through the step {plugin!r}: {error}") from None
    step, errors = build(cls, {key: value for key, value in block.items() if key != "plugin"})
    if step is None:
        text = "; ".join(f"{'.'.join(path)}: {text}" if path else text for path, text in errors)
        raise SavedModelError(
            f"{model.folder}: the step {plugin!r} has other parameters now than when the model was trained: {text}; "
            "install the version that saved it, or train and save it again"
        )
    return Component(plugin=plugin, name=plugin, distribution=entry.distribution, instance=cast("Preprocessor", step))


def _check_no_annotation(model: SavedModel, spec: Wanted, *, with_units: bool) -> None:
    """Send noise through the steps: one that needs an annotation fails before any video is decoded."""
    if not (error := _annotation_error(spec, measured=_ALL_UNITS if with_units else None)):
        return
    hint = "" if _annotation_error(spec, measured=_ALL_UNITS) else ", or name OpenFace's file of the film by --units"
    raise SavedModelError(
        f"{model.folder}: needs an annotation that a video does not have: {error}; {_REMEDY}, without this step{hint}"
    )


def _annotation_error(spec: Wanted, measured: MeasuredUnits | None) -> str:
    """Return which annotation the steps need; empty where they need none."""
    frames = np.random.default_rng(0).integers(0, 256, (spec.count or 2, 240, 320, 3), dtype=np.uint8)
    clip = clip_of_moments(frames, spec.at, fps=10.0)
    info = ClipInfo(clip_id="film", length=len(frames), frames=frames)
    for step in spec.steps:
        if step.instance.finds_faces:  # noise has no face
            continue
        try:
            clip = step.instance(replace(clip, measured=measured, clip_info=info))
        except NotAnnotated as error:
            return str(error)
        except BenchError:  # caused by the noise, perhaps; a real error appears at the first window
            return ""
    return ""


def clip_of_moments(frames: NDArray[Any], at: Sequence[str], fps: float | None = None) -> Clip:
    """Return the clip of frames (T, H, W, C) that are these moments; of frames without a name where there are none."""
    onset, apex, offset = (at.index(name) if name in at else None for name in ("onset", "apex", "offset"))
    return Clip(frames=frames, fps=fps, onset_index=onset, apex_index=apex, offset_index=offset)


#: A file that has every unit, for a look at whether one helps.
_ALL_UNITS = MeasuredUnits(intensity=dict.fromkeys(range(1, 100), 0.0), presence=dict.fromkeys(range(1, 100), 0.0))
