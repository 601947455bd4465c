"""``bench check`` refuses what ``bench run`` could not carry out, and names the line of the config."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from mexbench.config import document
from mexbench.config.loader import from_document
from mexbench.data.samples import read_samples
from mexbench.errors import DataError, NoFace
from mexbench.evaluation import chain_checks
from mexbench.evaluation import plan as planning
from mexbench.interfaces import Clip, Dataset, Preprocessor, Sample
from mexbench.registry.catalogue import Catalogue
from tests.helpers import Ran, entry, sample, with_plugins

Bench = Callable[..., Ran]

STAND_IN = (
    "dataset: {plugin: casme2, root: stand-in, classes: 5, "
    "stand_in: {subjects: 3, clips: 4, width: 160, height: 128, frames: 6}}\n"
)
#: Title -> config, exit code, and what the text has, with the line of the config.
CONFIGS = {
    "all is well": ("dataset: synthetic\nprotocol: loso\nmodels: [majority]\n", 0, ["c.yaml: all is well"]),
    "a model that does not take the shape": (
        "dataset: synthetic\nprotocol: loso\nmodels:\n  - majority\n  - ststnet\n",
        2,
        ["model 'ststnet': ststnet needs (n, T=1, 28, 28, 3), got (n, T=1, 24)", "c.yaml, line 5"],
    ),
    "one model of two protocols": (
        "dataset: synthetic\nprotocol: [loso, {plugin: kfold, k: 3}]\nmodels: [majority, cnn]\n",
        2,
        ["model 'cnn under loso': cnn needs", "model 'cnn under kfold': cnn needs", "c.yaml, line 3"],
    ),
    "a cell of a sweep": (
        "dataset: synthetic\nprotocol: loso\nmodels: [cnn]\nsweep: {models.cnn.epochs: [1, 2]}\n",
        2,
        ["model 'cnn epochs=1': cnn needs", "model 'cnn epochs=2': cnn needs"],
    ),
    "a step that does not take the frames": (
        "dataset: synthetic\npreprocess:\n  - grayscale\nprotocol: loso\nmodels: [majority]\n",
        2,
        ["sample synthetic/", "grayscale needs", "c.yaml, line 3"],
    ),
    "a step of one model": (
        "dataset: synthetic\nprotocol: loso\nmodels:\n  - majority\n  - plugin: svm\n    preprocess:\n      - face\n",
        2,
        ["sample synthetic/", "face needs", "c.yaml, line 7"],
    ),
    "no face in anything": (
        STAND_IN + "frames: {unit: clip, at: [apex]}\npreprocess:\n  - {plugin: face, min_size: 1.0}\n"
        "protocol: loso\nmodels: [majority]\n",
        2,
        ["no clip comes out of the steps: 12 of 12 were tried and excluded: no face found in the onset frame",
         "c.yaml, line 4"],
    ),
    "missing weights": (
        STAND_IN + "frames: {unit: clip, at: [apex]}\npreprocess:\n  - {plugin: vgg16, weights: lost.safetensors}\n"
        "protocol: loso\nmodels: [majority]\n",
        2,
        ["lost.safetensors", "c.yaml, line 4"],
    ),
    "folds that cannot be formed": (
        "dataset: {plugin: synthetic, subjects: 4}\nprotocol:\n  - {plugin: kfold, k: 5}\nmodels: [majority]\n",
        2,
        ["protocol 'kfold': 5 folds need at least 5 subjects, the data has 4", "c.yaml, line 3"],
    ),
    "a spotter that does not take the frames": (
        "dataset: {plugin: synthetic_long, subjects: 3}\ntarget: spotting\nprotocol: loso\n"
        "models:\n  - frame_difference\n  - softnet\n",
        2,
        ["model 'softnet': softnet needs fields", "c.yaml, line 6"],
    ),
    "action units": (
        STAND_IN + "target: action_units\nframes: {unit: clip, at: [apex]}\nprotocol: loso\n"
        "models:\n  - majority\n  - au_cnn\n",
        2,
        ["model 'au_cnn': au_cnn needs (n, T=1, 128, 128, 3)", "c.yaml, line 7"],
    ),
    "clips that are lost": (
        "dataset: {plugin: casme2, root: stand-in, classes: 3, "
        "stand_in: {subjects: 6, clips: 6, width: 160, height: 128, frames: 6}}\n"
        "frames: {unit: clip, at: [apex]}\npreprocess: [grayscale]\nprotocol: loso\nmodels: [majority]\n",
        0,
        ["c.yaml: can be run; ", "clips are excluded, for the reasons above"],
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("work")


@pytest.mark.parametrize("title", CONFIGS)
def test_what_a_run_would_refuse(title: str, work: Path, bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    text, code, parts = CONFIGS[title]
    monkeypatch.chdir(work)
    monkeypatch.setenv("MEXBENCH_CACHE", str(work / "cache"))
    Path("c.yaml").write_text(text)
    for arguments in ([], ["--all"]):
        ran = bench("check", "c.yaml", *arguments)
        assert (ran.code, ran.err.count("Traceback")) == (code, 0), ran.err
        missing = [part for part in parts if part not in ran.err]
        assert not missing, ran.err
        assert ("all is well" in ran.err) == (title == "all is well")


def _open_face(folder: Path, samples: Sequence[Sample], frames: Mapping[str, int], unit: str = "AU04") -> None:
    for one in samples:
        path = folder / f"{one.clip_id}.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        lines = [f"{frame},1,1,0.5" for frame in range(1, frames[one.sample_id] + 1)]
        path.write_text("\n".join([f"frame,confidence,success,{unit}_r", *lines]) + "\n")


AUS = (
    "dataset: {{plugin: casme2, root: stand-in, classes: 5, "
    "stand_in: {{subjects: 3, clips: 4, width: 160, height: 128, frames: 6}}}}\n"
    "frames: {{unit: clip, at: [apex]}}\npreprocess:\n"
    "  - {{plugin: action_units, mode: only, units: [{unit}], origin: openface, folder: {folder}}}\n"
    "protocol: loso\nmodels: [majority]\n"
)


def test_every_openface_file_is_looked_at(
    work: Path, builtin: Catalogue, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(work)
    folder = work / "csv"
    config = from_document(document.parse(AUS.format(unit=4, folder=folder), "c.yaml", {}), builtin, name="c")
    samples = read_samples(config.parts[0]).samples
    frames = {one.sample_id: len(config.dataset.instance.frame_numbers(one)) for one in samples}

    def check(unit: int = 4) -> Ran:
        Path("c.yaml").write_text(AUS.format(unit=unit, folder=folder))
        return bench("check", "c.yaml")

    _open_face(folder, samples, frames)
    ran = check()
    assert (ran.code, "c.yaml: all is well" in ran.err) == (0, True), ran.err
    last = samples[-1]  # of a kind of which another one goes through the steps
    _open_face(folder, [last], {last.sample_id: frames[last.sample_id] + 2})
    ran = check()
    assert (ran.code, f"sample {last.sample_id}: " in ran.err) == (2, True)
    assert f"has {frames[last.sample_id] + 2} frames, the clip has {frames[last.sample_id]}" in ran.err
    assert "in c.yaml, line 4" in ran.err
    _open_face(folder, [last], frames, unit="x")
    ran = check()
    assert (ran.code, "lacks the columns AU04_r; it has 0 columns of action units" in ran.err) == (2, True)
    (folder / f"{last.clip_id}.csv").unlink()
    ran = check()
    assert (ran.code, "can be run; at least 1 clip is excluded" in ran.err) == (0, True), ran.err
    assert f"excluded, has no OpenFace CSV (action_units): 1 clip ({last.sample_id})" in ran.out
    _open_face(folder, samples, frames)
    ran = check(unit=12)
    assert (ran.code, "lacks the columns AU12_r" in ran.err, "11 more clips in the same way" in ran.err) == (
        2, True, True,
    )  # fmt: skip
    shutil.rmtree(folder)
    ran = check()
    assert (ran.code, "no such folder" in ran.err, "in c.yaml, line 4" in ran.err) == (2, True, True)


@dataclass(frozen=True, kw_only=True)
class Sizes(Dataset):
    """Forty clips of two sizes; the last one cannot be read where ``broken``."""

    broken: bool = False

    def label_map(self) -> Mapping[str, str]:
        return {"negative": "negative", "positive": "positive"}

    def samples(self) -> Sequence[Sample]:
        return [sample(f"toy/p{i // 4}/c{i:02}", emotion=("negative", "positive")[i % 2]) for i in range(40)]

    def load(self, sample: Sample) -> Clip:
        number = int(sample.sample_id[-2:])
        if self.broken and number >= 38:
            raise RuntimeError("the disk is on fire")
        return Clip(frames=np.full((1, 8 + number % 2, 8, 1), number, dtype=np.uint8))


@dataclass(frozen=True, kw_only=True)
class Counting(Preprocessor):
    """Counts its clips; refuses those below ``least`` as having no face; makes them all of one size."""

    least: int = 0

    def __call__(self, clip: Clip) -> Clip:
        seen.append(number := int(clip.frames.flat[0]))
        if number < self.least:
            raise NoFace("no face found (counting)")
        return Clip(frames=np.full((1, 4), number, dtype=np.float32))


seen: list[int] = []


def checked(builtin: Catalogue, text: str, *, every: bool = False) -> chain_checks.ChainCheck:
    catalogue = with_plugins(builtin, entry("dataset", Sizes), entry("preprocessor", Counting))
    config = from_document(document.parse(text, "c.yaml", {}), catalogue, name="c")
    seen.clear()
    (data,) = planning.read(config)
    return chain_checks.check_chain(config.parts[0], data, every=every)


TEXT = "dataset: sizes\npreprocess: [{{plugin: counting, least: {least}}}]\nprotocol: loso\nmodels: [majority]"


def test_one_of_each_kind_goes_through_the_steps(builtin: Catalogue) -> None:
    result = checked(builtin, TEXT.format(least=0))
    assert (seen, result.tried, len(result.read)) == ([0, 1], 2, 40)
    assert result.shapes == {((1, 4), "float32"): ["toy/p0/c00", "toy/p0/c01"]}
    result = checked(builtin, TEXT.format(least=0), every=True)
    assert (seen, result.tried) == (list(range(40)), 40)


def test_clips_of_different_shape_are_named(builtin: Catalogue) -> None:
    (error,) = checked(builtin, "dataset: sizes\nprotocol: loso\nmodels: [majority]").errors
    assert error == (
        "samples differ in shape or type after the last step: (1, 8, 8, 1) uint8 of toy/p0/c00; (1, 9, 8, 1) uint8 of "
        "toy/p0/c01; a step or the 'frames' block must bring all to one shape\n  in c.yaml, line 1"
    )


@dataclass(frozen=True, kw_only=True)
class Lengths(Dataset):
    """Clips of one size and of 5, 7, 3, 9, 6 and 5 frames."""

    counts: tuple[int, ...] = (5, 7, 3, 9, 6, 5)

    def label_map(self) -> Mapping[str, str]:
        return {"negative": "negative", "positive": "positive"}

    def samples(self) -> Sequence[Sample]:
        return [sample(f"toy/p{i // 2}/c{i}", emotion=("negative", "positive")[i % 2]) for i in range(6)]

    def load(self, sample: Sample) -> Clip:
        number = int(sample.sample_id[-1:])
        return Clip(frames=np.full((self.counts[number], 2, 2, 1), number, dtype=np.uint8))


@dataclass(frozen=True, kw_only=True)
class AtLeast(Preprocessor):
    """Needs so many frames; gives as many as came, or one."""

    least: int = 0
    one: bool = False

    def __call__(self, clip: Clip) -> Clip:
        seen.append(len(clip.frames))
        if len(clip.frames) < self.least:
            raise DataError(f"needs {self.least} frames, got {len(clip.frames)}")
        return Clip(frames=clip.frames[:1] if self.one else clip.frames)


@pytest.mark.parametrize(
    ("step", "lengths", "error"),
    [
        ("{plugin: atleast, one: true}", [5, 3, 9], ""),
        ("atleast", [5, 3, 9], "samples differ in shape or type after the last step: (5, 2, 2, 1) uint8 of toy/p0/c0"),
        ("{plugin: atleast, one: true, least: 4}", [5, 3, 9], "sample toy/p1/c2: needs 4 frames, got 3\n  in c.yaml"),
        ("{plugin: atleast, one: true, least: 6}", [5], "sample toy/p0/c0: needs 6 frames, got 5\n  in c.yaml"),
    ],
)
def test_the_shortest_and_the_longest_clip_go_through_the_steps(
    step: str, lengths: list[int], error: str, builtin: Catalogue
) -> None:
    """A run would refuse the 2nd to 4th of these configs."""
    text = f"dataset: lengths\npreprocess: [{step}]\nprotocol: loso\nmodels: [majority]"
    catalogue = with_plugins(builtin, entry("dataset", Lengths), entry("preprocessor", AtLeast))
    config = from_document(document.parse(text, "c.yaml", {}), catalogue, name="c")
    (data,) = planning.read(config)
    seen.clear()
    errors = chain_checks.check_chain(config.parts[0], data).errors
    assert (seen, bool(errors)) == (lengths, bool(error))
    assert all(one.startswith(error) for one in errors)


def test_others_of_a_kind_are_tried_where_one_is_excluded(builtin: Catalogue) -> None:
    result = checked(builtin, TEXT.format(least=5))
    assert seen == [0, 1, 2, 3, 4, 5, 6]
    assert set(result.rejected) == {f"toy/p{i // 4}/c0{i}" for i in range(5)}
    result = checked(builtin, TEXT.format(least=99))
    assert (seen, result.shapes) == (list(range(24)), {})  # twelve of each kind, and no more


def test_what_a_plugin_raises_names_the_sample_and_the_line(builtin: Catalogue) -> None:
    text = TEXT.format(least=0).replace("sizes", "{plugin: sizes, broken: true}")
    (error,) = checked(builtin, text).errors
    assert error.startswith("sample toy/p9/c38: 'load' of the data set raised RuntimeError: the disk is on fire (")
    assert f"{Path(__file__).name}, line " in error
    assert "\n  in c.yaml, line 1\n  and 1 more clip in the same way" in error
    catalogue = with_plugins(builtin, entry("dataset", Sizes), entry("preprocessor", Counting))
    config = from_document(document.parse(text, "c.yaml", {}), catalogue, name="c")
    with pytest.raises(DataError, match="sample toy/p9/c38: 'load' of the data set raised RuntimeError"):
        planning.plan(config)
