"""No protocol gives an unflagged run in which a person, a clip or a picture stands on both sides."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from itertools import product
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from mexbench.errors import ProtocolError
from mexbench.evaluation import plan as planning
from mexbench.evaluation import run as engine
from mexbench.evaluation.executors.base import InProcess
from mexbench.interfaces import Clip, Model, Predictor, Preprocessor, Sample
from mexbench.registry.catalogue import Catalogue
from mexbench.reports import run_page as leaderboard
from mexbench.reports.run_report import collect
from mexbench.runs.run_folder import RunFolder
from tests.helpers import Ran, Toy, config_of, entry, with_plugins
from tests.mexbench.evaluation.test_run import MANIFEST
from tests.pictures import texture


class Nameless(Toy):
    """Nobody knows who it is."""

    def samples(self) -> Sequence[Sample]:
        return [replace(sample, subject=None) for sample in super().samples()]


class HalfNamed(Toy):
    """Some clips have a subject."""

    def samples(self) -> Sequence[Sample]:
        return [replace(s, subject=None) if s.sample_id.endswith("c3") else s for s in super().samples()]


class Twins(Toy):
    """Clip 0 of two people is one file."""

    def load(self, sample: Sample) -> Clip:
        return super().load(replace(sample, sample_id="toy/p0/c0") if sample.sample_id == "toy/p1/c0" else sample)


class Pictures(Toy):
    """A picture per clip; of two people, clip 0 is the same picture, saved twice."""

    def load(self, sample: Sample) -> Clip:
        subject, clip = (int(part[1:]) for part in sample.sample_id.split("/")[1:])
        if (subject, clip) == (1, 0):
            frame = np.clip(texture(40, 40).astype(int) + 3, 0, 255).astype(np.uint8)
        else:
            frame = texture(40, 40, seed=10 * subject + clip)
        return Clip(frames=frame[None, ..., None])


class Clean(Pictures):
    """The same without that."""

    def load(self, sample: Sample) -> Clip:
        return super().load(replace(sample, sample_id="toy/p9/c9") if sample.sample_id == "toy/p1/c0" else sample)


class Members(Toy):
    """Three data sets that share no one."""

    def samples(self) -> Sequence[Sample]:
        return [replace(s, dataset=f"member{s.sample_id[5]}") for s in super().samples()]


class Shared(Toy):
    """Four data sets with the same people in each."""

    def samples(self) -> Sequence[Sample]:
        return [replace(s, dataset=f"member{s.sample_id[-1]}") for s in super().samples()]


DATASETS = (Toy, Nameless, HalfNamed, Twins, Pictures, Clean, Members, Shared)
GROUPS = ("none", "clip", "subject")
PROTOCOLS = (
    "loso",
    "clipsplit",
    *(f"{{plugin: holdout, group: {group}, repeats: 2, stratified: false}}" for group in GROUPS),
    *(f"{{plugin: kfold, group: {group}, k: 3}}" for group in GROUPS),
    "cross_dataset",
    "{plugin: cross_dataset, mode: both_ways, train: [member0], test: [member1, member2]}",
)


@pytest.fixture
def catalogue(toys: Catalogue) -> Catalogue:
    return with_plugins(toys, *(entry("dataset", cls) for cls in DATASETS if cls is not Toy))


@pytest.mark.parametrize(("dataset", "protocol"), list(product(DATASETS, PROTOCOLS)))
def test_an_unflagged_run_keeps_people_apart(catalogue: Catalogue, dataset: type[Toy], protocol: str) -> None:
    text = f"dataset: {dataset.__name__.lower()}\nprotocol: {protocol}\nmodels: [majority]"
    try:
        (plan,) = planning.plan(config_of(text, catalogue)).parts
    except ProtocolError:
        return  # refused
    if plan.flags:
        return
    known = {sample.sample_id: sample for sample in plan.data.samples}
    pixels = dict(zip(known, plan.arrays.pixels.digests, strict=True))
    for fold in plan.folds:
        for trait in (lambda s: s.subject, lambda s: s.clip_id, lambda s: pixels[s.sample_id]):
            train, test = ({trait(known[name]) for name in side} for side in (fold.train, fold.test))
            assert train.isdisjoint(test)
            assert None not in train | test
        assert dataset is not Pictures or len({"toy/p0/c0", "toy/p1/c0"} & set(fold.test)) != 1


def flags(catalogue: Catalogue, dataset: str, protocol: str) -> tuple[str, ...]:
    config = config_of(f"dataset: {dataset}\nprotocol: {protocol}\nmodels: [majority]", catalogue)
    return planning.plan(config).parts[0].flags


@pytest.mark.parametrize(
    ("dataset", "protocol", "expected"),
    [
        ("toy", "loso", ()),
        ("clean", "loso", ()),
        ("pictures", "loso", ("leak:near-duplicate",)),
        ("toy", "{plugin: kfold, k: 3}", ()),
        ("toy", "{plugin: kfold, k: 3, group: clip}", ("leak:subject",)),
        ("toy", "{plugin: holdout, group: none}", ("leak:subject",)),
        ("nameless", "{plugin: holdout, group: clip}", ("unknown-subjects",)),
        ("halfnamed", "{plugin: kfold, k: 2, group: clip}", ("leak:subject", "unknown-subjects")),
        ("members", "cross_dataset", ()),
    ],
)
def test_flags(catalogue: Catalogue, dataset: str, protocol: str, expected: tuple[str, ...]) -> None:
    assert flags(catalogue, dataset, protocol) == expected


@pytest.mark.parametrize(
    ("dataset", "protocol", "message"),
    [
        ("shared", "cross_dataset", "4 folds break it by subject"),
        ("twins", "loso", "folds break it by duplicate"),
        ("twins", "{plugin: kfold, k: 3}", "folds break it by duplicate"),
        ("nameless", "{plugin: kfold, k: 3}", "samples have no subject"),
        ("toy", "cross_dataset", "needs at least two data sets"),
    ],
)
def test_what_is_refused(catalogue: Catalogue, dataset: str, protocol: str, message: str) -> None:
    with pytest.raises(ProtocolError, match=message):
        flags(catalogue, dataset, protocol)


def test_frames_of_a_clip_on_both_sides(toys: Catalogue) -> None:
    from tests.mexbench.config.test_frame_selection import Ramp

    class Ramps(Ramp):
        def label_map(self) -> dict[str, str]:
            return {"negative": "negative", "positive": "positive"}

        def samples(self) -> Sequence[Sample]:
            (one,) = super().samples()
            other = replace(one, sample_id="toy/p2/c1", clip_id="toy/p2/c1", subject="toy/p2", emotion="positive")
            return [one, other]

    catalogue = with_plugins(toys, entry("dataset", Ramps))
    text = "dataset: ramps\nframes: {{unit: frame, count: 8}}\nprotocol: {}\nmodels: [majority]"
    (plan,) = planning.plan(config_of(text.format("{plugin: holdout, group: none}"), catalogue)).parts
    assert plan.flags == ("leak:clip", "leak:duplicate", "leak:subject")  # the two clips show the same ramp
    assert (len(plan.folds[0].train), len(plan.folds[0].test)) == (12, 4)


@dataclass(frozen=True, kw_only=True)
class Nosy(Model):
    """Look for test labels in all that a model is ever given."""

    seen: ClassVar[list[dict[str, Any]]] = []

    def fit(self, x: Any, y: Any, *, n_classes: int, groups: Any, seed: int) -> Predictor:  # noqa: ANN401
        def predict(*arguments: Any) -> Any:  # noqa: ANN401
            self.seen.append({"x": x, "y": y, "groups": groups, "asked": arguments})
            return np.zeros((len(arguments[0]), n_classes))

        return predict


class NosyStep(Preprocessor):
    """Look for a label in a clip."""

    seen: ClassVar[list[Clip]] = []

    def __call__(self, clip: Clip) -> Clip:
        self.seen.append(clip)
        return clip


def test_models_and_steps_are_given_no_test_label(catalogue: Catalogue, tmp_path: Path) -> None:
    Nosy.seen.clear()
    NosyStep.seen.clear()
    nosy = with_plugins(catalogue, entry("model", Nosy), entry("preprocessor", NosyStep))
    plan = planning.plan(config_of("dataset: toy\npreprocess: [nosystep]\nprotocol: loso\nmodels: [nosy]", nosy))
    engine.run(plan, RunFolder(tmp_path), InProcess())
    assert len(Nosy.seen) == 3
    for fold, result in zip(plan.parts[0].folds, Nosy.seen, strict=True):
        assert len(result["x"]) == len(result["y"]) == len(result["groups"]) == len(fold.train) == 8
        assert fold.name not in set(result["groups"])
        (asked,) = result["asked"]  # the test side's features, and nothing else
        assert asked.shape == (4, 1, 3)
    assert {type(clip) for clip in NosyStep.seen} == {Clip}
    assert {field.name for field in fields(Clip)} == {
        "frames", "fps", "onset_index", "apex_index", "offset_index", "notes", "aus", "clip_info", "measured",
    }  # fmt: skip
    assert {clip.clip_info for clip in NosyStep.seen} == {None}  # its id may tell the label


def test_a_flag_names_its_first_example(catalogue: Catalogue) -> None:
    plan = planning.plan(config_of("dataset: pictures\nprotocol: loso\nmodels: [majority]", catalogue))
    assert [str(leak) for leak in plan.parts[0].leaks] == [
        "fold 'toy/p0': nearly the same frame on both sides: toy/p1/c0 trains, toy/p0/c0 tests"
    ]


def test_check_and_run_name_what_is_on_both_sides(tmp_path: Path, bench: Callable[..., Ran]) -> None:
    config = tmp_path / "c.yaml"
    config.write_text(
        "dataset: {plugin: synthetic, subjects: 4}\nprotocol: {plugin: holdout, group: clip}\nmodels: [majority]"
    )
    messages = "fold 'holdout': subject 'synthetic/s01' on both sides: synthetic/s01/c"
    assert messages in bench("check", config).out
    assert messages in bench("run", config, "--dry-run").err


def test_a_page_says_that_nobody_knows_who_is_who(catalogue: Catalogue, tmp_path: Path) -> None:
    plan = planning.plan(
        config_of("dataset: nameless\nprotocol: {plugin: kfold, group: clip}\nmodels: [majority]", catalogue)
    )
    scores = collect(plan, RunFolder(tmp_path)).scores()
    assert "> **Unknown subjects:**" in leaderboard.markdown(scores, MANIFEST)


def test_repeats_are_pooled_one_by_one(catalogue: Catalogue, tmp_path: Path) -> None:
    text = "dataset: {plugin: toy, subjects: 6}\nprotocol: {plugin: kfold, k: 2, repeats: 3}\nmodels: [svm, majority]"
    plan = planning.plan(config_of(text, catalogue))
    engine.run(plan, RunFolder(tmp_path), InProcess())
    scores = collect(plan, RunFolder(tmp_path)).scores()
    svm, majority = scores["rows"]
    assert (svm["uf1"], svm["repeats"], svm["n_samples"], svm["folds"]) == (1, 3, 24, 6)
    assert [np.sum(run["confusion"]) for run in svm["per_seed"]] == [24, 24, 24]
    assert majority["spread"]["accuracy"] is not None
    assert (svm["rank"], majority["rank"]) == ([1, 1], [2, 2])
    table = leaderboard.main_table(scores)
    assert "UF1 spread" in table.headers
    assert table.rows[0][table.headers.index("repeats")] == "3"
    assert scores["comparisons"][0]["models"] == ["svm", "majority"]
