"""A saved model: a folder with the files that a plugin wrote and ``model.json``, which says what it is.

    model.json   format, plugin, distribution, parameters, classes, shape and type of a sample, frames and steps that
                 samples went through, data, training samples, seed, versions, honest score, SHA-256 of each file
    ...          what ``Model.save`` wrote: weights.safetensors, pipeline.skops, ...

No file is believed before its checksum is compared, and none is a pickle. A checksum shows damage, not intent: whoever
can change a file can change its checksum too. What keeps a folder harmless is that its formats hold values, not code.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Annotated, Any, cast

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from mexbench.config.run_config import Target
from mexbench.errors import BenchError, PluginError, SavedModelError, listed
from mexbench.files import read_json, write_json
from mexbench.fingerprint import digest, digest_code, environment
from mexbench.interfaces import Model, Predictor
from mexbench.interfaces.spotting import ConfidencePredictor, ScoredInterval, VideoFrames, checked_intervals
from mexbench.registry.catalogue import Catalogue
from mexbench.registry.parameters import build, to_dict
from mexbench.runs.model_files import content_errors, file_errors, sha256

FORMAT = 1
ABOUT = "model.json"
#: What model.json must have to be used.
_KEYS: Mapping[str, type] = {
    "plugin": str, "distribution": str, "parameters": dict, "code": str, "classes": list, "sample": dict,
    "input": dict, "preprocess": list, "fingerprint": str, "versions": dict, "files": dict,
}  # fmt: skip
#: Values of the largest sample, and bytes of the largest ``model.json``, that are read.
_MOST_SAMPLE_VALUES, _MOST_ABOUT = 2**26, 2**26
#: Frames of the video of zeros that a loaded spotter is asked about.
_TRIED_FRAMES = 30


class _SampleAbout(BaseModel):
    """Shape and type of a sample."""

    model_config = ConfigDict(strict=True)

    shape: Annotated[list[Annotated[int, Field(ge=1, lt=2**31)]], Field(min_length=1, max_length=8)]
    dtype: Annotated[str, Field(pattern=r"^(bool|u?int(8|16|32|64)|float(16|32|64))$")]


class _InputAbout(BaseModel):
    """What samples went through."""

    model_config = ConfigDict(strict=True)

    frames: dict[str, Any] | None
    preprocess: list[dict[str, Any]]


class _About(BaseModel):
    """``model.json``, as far as it is used."""

    model_config = ConfigDict(strict=True)

    name: str = ""
    classes: Annotated[list[str], Field(min_length=1, max_length=10_000)]
    sample: _SampleAbout
    input: _InputAbout
    frames: dict[str, Any] | None = None
    preprocess: list[dict[str, Any]]
    versions: dict[str, str]
    files: dict[str, str]
    dataset: dict[str, Any] | None = None
    trained_on: dict[str, Any] | None = None
    flags: list[str] | None = None
    score: dict[str, Any] | None = None


@dataclass(frozen=True, eq=False)
class SavedModel:
    """A predictor and where it comes from.

    Args:
        folder: Where it lies.
        about: ``model.json``.
        predictor: The predictor.
        changes: What is not as it was when the model was saved, such as a version: its scores may differ in the last
            digits. Nothing of it is known to be wrong.
        reads_annotation: Whether it reads what a step took from the annotation; see ``Model.reads_annotation``.
    """

    folder: Path
    about: Mapping[str, Any]
    predictor: Predictor
    changes: tuple[str, ...]
    reads_annotation: bool = True

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes, in the order of the scores."""
        return tuple(self.about["classes"])

    @property
    def target(self) -> str:
        """What it predicts: emotion, action_units or spotting."""
        return str(self.about.get("target", "emotion"))

    def __call__(self, x: NDArray[Any], /) -> NDArray[Any]:
        """Return scores (n, n_classes) for samples x (n, T, ...) that went through the model's frames and steps.

        Raises:
            SavedModelError: The samples have another shape or type than those that it was trained on, or the predictor
                raises an error or gives scores that are not finite.
        """
        expected = self.about["sample"]
        if [*x.shape[1:]] != expected["shape"] or x.dtype.name != expected["dtype"]:
            raise SavedModelError(
                f"{self.folder}: trained on samples {tuple(expected['shape'])} {expected['dtype']}, "
                f"asked about samples {x.shape[1:]} {x.dtype.name}"
            )
        with self._its_errors():
            scores = self.predictor(x)
            finite = np.isfinite(np.asarray(scores, dtype=np.float64)).all()
        if not finite:
            raise SavedModelError(f"{self.folder}: gives scores that are not finite: its weights are damaged")
        return scores

    def spot(self, video: VideoFrames, /) -> tuple[tuple[ScoredInterval, ...], dict[str, NDArray[np.float64]]]:
        """Return the intervals that a saved spotter gives for a video, and its curve (T,) of each type, if it has any.

        Raises:
            SavedModelError: It raises an error, or gives intervals outside the video, or curves of another length or
                with values that are not finite.
        """
        with self._its_errors():
            return spotted(self.predictor, video)

    @contextmanager
    def _its_errors(self) -> Iterator[None]:
        """Name the folder in whatever comes out of the code of a plugin that reads files of others."""
        try:
            yield
        except Exception as error:
            text = str(error) if isinstance(error, (ValueError, BenchError)) else f"{type(error).__name__}: {error}"
            raise SavedModelError(f"{self.folder}: cannot predict: {text}; train and save it again") from error

    def check_same_input(self, wanted: Mapping[str, Any]) -> None:
        """Refuse samples that were made another way than those that the model was trained on.

        Args:
            wanted: The blocks ``frames``, None where there is none, and ``preprocess`` of ``Input.identity()``.

        Raises:
            SavedModelError: Names every difference.
        """
        before = self.about["input"]
        lines = []
        if before["frames"] != wanted["frames"]:
            lines.append(f"frames: trained with {before['frames']}, now {wanted['frames']}")
        steps = zip_longest(before["preprocess"], wanted["preprocess"], fillvalue="no step")
        lines += [f"step {i}: trained with {old}, now {new}" for i, (old, new) in enumerate(steps, 1) if old != new]
        if lines:
            raise SavedModelError(
                f"{self.folder}: was trained on samples that were made another way:"
                + "".join(f"\n  {line}" for line in lines)
            )


def can_save(model: Model) -> bool:
    """Whether a model's class says how its predictors are saved and loaded."""
    cls = type(model)
    return cls.save is not Model.save and cls.load is not Model.load


def write(folder: Path, model: Model, predictor: Predictor, about: Mapping[str, Any]) -> None:
    """Write a predictor into an empty folder.

    Args:
        folder: The folder.
        model: What trained it.
        predictor: What was trained.
        about: What ``model.json`` says beside what is known here.

    Raises:
        ValueError: The plugin wrote what no saved model may hold.
    """
    model.save(predictor, folder)
    if errors := list(file_errors(folder, ABOUT)):
        raise ValueError("; ".join(errors))
    files = {path.name: sha256(path) for path in sorted(folder.iterdir())}
    write_about(folder, {"format": FORMAT, **about, "versions": environment(), "score": None, "files": files})


def write_about(folder: Path, about: Mapping[str, Any]) -> None:
    """Write ``model.json`` with its own checksum."""
    content = {key: value for key, value in about.items() if key != "checksum"}
    write_json(folder / ABOUT, {**content, "checksum": digest(content)})


def read_about(folder: Path) -> dict[str, Any]:
    """Read ``model.json`` and compare every checksum; no other file is opened as what it claims to be.

    Raises:
        SavedModelError: It is not a saved model, of a newer format, incomplete or damaged; the text names the file.
    """
    try:
        about = read_json(folder / ABOUT, most=_MOST_ABOUT, follow_links=False)
    except (FileNotFoundError, NotADirectoryError):
        raise SavedModelError(
            f"{folder}: is not a saved model: it has no {ABOUT}; give a folder such as RUN/models/MODEL/SEED/FOLD, "
            "written by 'bench run --save-models'"
        ) from None
    except ValueError as error:
        raise _damaged(folder, f"{ABOUT} cannot be read ({error})") from None
    version = about.get("format") if isinstance(about, dict) else None
    if not isinstance(version, int) or version < 1:
        raise _damaged(folder, f"{ABOUT} states no format")
    if version > FORMAT:
        raise SavedModelError(
            f"{folder}: has format {version}, and this program reads formats up to {FORMAT}: it was saved by a newer "
            f"version ({about.get('distribution')}); install that one"
        )
    if about.get("checksum") != digest({key: value for key, value in about.items() if key != "checksum"}):
        raise _damaged(folder, f"the checksum of {ABOUT} differs")
    if lacking := [key for key, kind in _KEYS.items() if not isinstance(about.get(key), kind)]:
        raise _damaged(folder, f"{ABOUT} lacks {listed(lacking)}")
    try:
        _About.model_validate(about)
    except ValidationError as error:
        first = error.errors()[0]
        raise _damaged(folder, f"{ABOUT}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from None
    if math.prod(shape := about["sample"]["shape"]) > _MOST_SAMPLE_VALUES:
        values = f"{math.prod(shape)} values, at most {_MOST_SAMPLE_VALUES} are read"
        raise _damaged(folder, f"{ABOUT}: sample.shape: a sample of shape {tuple(shape)} has {values}")
    _check_files(folder, about["files"])
    return about


def _check_files(folder: Path, files: Mapping[str, str]) -> None:
    for name, expected in files.items():
        path = folder / name
        if name != Path(name).name or name in {".", "..", ABOUT}:
            raise _damaged(folder, f"{ABOUT} names {name!r}, which is not a file of this folder")
        if path.is_symlink() or not path.is_file():
            raise _damaged(folder, f"{name} is missing, or not a plain file")
        if sha256(path) != expected:
            raise _damaged(folder, f"the checksum of {name} differs")
    unknown = sorted(path.name for path in folder.iterdir() if path.name not in {*files, ABOUT})
    if unknown:
        raise _damaged(folder, f"has files that {ABOUT} does not name: {listed(unknown, limit=5)}")


def load(folder: Path, catalogue: Catalogue, *, target: Target | Collection[Target] = "emotion") -> SavedModel:
    """Read a saved model.

    Args:
        folder: What ``bench run --save-models`` wrote: ``RUN/models/MODEL/SEED/FOLD`` or ``RUN/models/MODEL/all/SEED``.
        catalogue: Where its plugin is looked up; nothing that is not installed is ever imported.
        target: What it must predict: an emotion, which action units show, or where in a long video expressions are; or
            any of several.

    Raises:
        SavedModelError: The folder is not a saved model, predicts something else, is damaged, of a newer format, of a
            plugin that is not installed or now has other parameters, or holds what the plugin refuses.
    """
    about = read_about(folder)
    targets = (target,) if isinstance(target, str) else target
    if (saved_target := about.get("target", "emotion")) not in targets:
        asked = " or ".join(targets)
        raise SavedModelError(f"{folder}: predicts {saved_target}, and {asked} is asked for; give another model")
    model = _model(folder, about, catalogue)
    try:
        if errors := [error for name in about["files"] for error in content_errors(folder / name)]:
            raise ValueError("; ".join(errors))
        model.check(tuple(about["sample"]["shape"]))  # before memory is asked for that its parameters need
        predictor = model.load(folder)
        (_try_out_spotter if saved_target == "spotting" else _try_out)(predictor, about)
    except Exception as error:  # noqa: BLE001 - third-party code reads a file that anybody may have made
        text = str(error) if isinstance(error, (ValueError, BenchError)) else f"{type(error).__name__}: {error}"
        raise SavedModelError(f"{folder}: cannot be loaded: {text}; train and save it again") from None
    installed = catalogue.get("model", about["plugin"]).distribution
    changes = tuple(_changes(about, model, installed))
    return SavedModel(folder, about, predictor, changes, model.reads_annotation())


def _model(folder: Path, about: Mapping[str, Any], catalogue: Catalogue) -> Model:
    plugin, origin = about["plugin"], about["distribution"]
    try:
        cls = catalogue.get("model", plugin).load()
    except PluginError as error:
        raise SavedModelError(f"{folder}: was trained by {plugin!r} of {origin}: {error}") from None
    model, errors = build(cls, about["parameters"])
    changed = [f"{'.'.join(path)}: {text}" if path else text for path, text in errors]
    if model is not None:
        before, now = about["parameters"], to_dict(model)
        changed = [
            f"{key}: saved {before.get(key, 'nothing')!r}, now {now.get(key, 'nothing')!r}"
            for key in {**before, **now}
            if before.get(key) != now.get(key)
        ]
    if changed:
        raise SavedModelError(
            f"{folder}: model {plugin!r} has other parameters than in {origin}, which saved it:"
            + "".join(f"\n  {text}" for text in changed)
            + "\n  install that version, or train and save the model again"
        )
    model = cast("Model", model)
    if not can_save(model):
        raise SavedModelError(f"{folder}: model {plugin!r} as it is installed cannot load; it was saved by {origin}")
    return model


def _try_out(predictor: Predictor, about: Mapping[str, Any]) -> None:
    """Ask about one sample of zeros: an answer of another shape than ``model.json`` promises is found here.

    Raises:
        ValueError: With both shapes.
    """
    sample = np.zeros((1, *about["sample"]["shape"]), about["sample"]["dtype"])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # zeros may be far from anything that it knows
        scores = np.asarray(predictor(sample))
    expected = (1, len(about["classes"]))
    if scores.shape != expected or scores.dtype.kind not in "biuf":
        raise ValueError(f"the predictor gives {scores.dtype} {scores.shape}, expected numbers {expected}")
    if not np.isfinite(scores).all():
        raise ValueError("the predictor gives scores that are not finite")


def _try_out_spotter(predictor: Any, about: Mapping[str, Any]) -> None:  # noqa: ANN401 - a SpottingPredictor
    """Ask about one video of zeros.

    Raises:
        TypeError: The answer is something else than intervals.
        ValueError: What it gives does not fit the video.
    """
    frames = np.zeros((_TRIED_FRAMES, *about["sample"]["shape"]), about["sample"]["dtype"])
    frames.flags.writeable = False
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # zeros may be far from anything that it knows
        spotted(predictor, VideoFrames(frames=frames, first=1, fps=25.0))


def spotted(
    predictor: Any,  # noqa: ANN401 - a SpottingPredictor
    video: VideoFrames,
) -> tuple[tuple[ScoredInterval, ...], dict[str, NDArray[np.float64]]]:
    """Return the intervals of a video, and the curve (T,) of each type where the spotter has curves.

    Raises:
        TypeError: The answer is something else than intervals.
        ValueError: The intervals lie outside the video; a curve has another length or is not finite.
    """
    (intervals,) = checked_intervals(predictor([video]), [video])
    curves: dict[str, NDArray[np.float64]] = {}
    if isinstance(predictor, ConfidencePredictor):
        curves = {kind: np.asarray(curve, dtype=np.float64) for kind, curve in predictor.confidence(video).items()}
    for kind, curve in curves.items():
        if curve.shape != (len(video),):
            raise ValueError(f"the curve of {kind}-expressions has shape {curve.shape}, expected {(len(video),)}")
        if not np.isfinite(curve).all():
            raise ValueError(f"the curve of {kind}-expressions is not finite")
    return intervals, curves


def _changes(about: Mapping[str, Any], model: Model, installed: str) -> Iterator[str]:
    if installed != about["distribution"]:
        yield f"plugin {about['plugin']!r}: saved by {about['distribution']}, now {installed}"
    before, now = about["versions"], environment()
    for name in sorted({*before, *now}):
        if before.get(name) != now.get(name):
            yield f"{name}: saved with {before.get(name, 'none')}, now {now.get(name, 'none')}"
    if about["code"] != digest_code(type(model)):
        yield f"the code of model {about['plugin']!r} has changed since {about['distribution']} saved it"


def _damaged(folder: Path, what: str) -> SavedModelError:
    return SavedModelError(f"{folder}: is damaged: {what}; copy it again, or train and save it again")
