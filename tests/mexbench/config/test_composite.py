from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import jsonschema
import numpy as np
import pytest
import yaml

from mexbench.config.composite import CompositeDataset
from mexbench.config.run_config import RunConfig, dataset_title
from mexbench.config.schema import config_schema
from mexbench.data import samples as data
from mexbench.data.arrays import load_arrays
from mexbench.errors import ConfigError, DataError
from mexbench.evaluation import plan as planning
from mexbench.interfaces import Clip, Correction, DataIssue, Sample
from mexbench.registry.catalogue import Catalogue
from tests.helpers import Ran, Toy, config_of, entry, sample, with_plugins
from tests.mexbench.config.test_frame_selection import Ramp
from tests.pictures import texture


@dataclass(frozen=True, kw_only=True)
class Other(Toy):
    """Another study, which does not name its samples after itself and has a class of its own.

    Args:
        sad: The class of the emotion sad.
    """

    sad: str = "negative"

    def label_map(self) -> Mapping[str, str]:
        return {"sad": self.sad, "glad": "positive", "angry": "negative", "awed": "surprise"}

    def samples(self) -> Sequence[Sample]:
        return [
            replace(
                s, sample_id=f"{s.sample_id[4:]}", clip_id=f"{s.clip_id[4:]}", subject=s.sample_id[4:6], dataset="other"
            )
            for s in super().samples()
        ]

    def load(self, sample: Sample) -> Clip:
        assert not sample.sample_id.startswith("other/")
        clip = super().load(replace(sample, sample_id=f"toy/{sample.sample_id}"))
        return replace(clip, frames=clip.frames + 100)

    def flags(self) -> tuple[str, ...]:
        return ("other-flag",)

    def notice(self) -> str:
        return "mind the gap"

    def data_issues(self) -> Sequence[DataIssue]:
        return [DataIssue(what="odd", where="p0")]

    def applied_corrections(self) -> Sequence[Correction]:
        return [Correction(sample_id="p0/c0", field="apex", published="1", corrected="2", reason="r", source="s")]


@pytest.fixture
def catalogue(toys: Catalogue) -> Catalogue:
    return with_plugins(toys, entry("dataset", Other))


def config(catalogue: Catalogue, dataset: str = "[toy, other]", protocol: str = "loso") -> RunConfig:
    return config_of(f"dataset: {dataset}\nprotocol: {protocol}\nmodels: [majority]", catalogue)


def test_members_form_one_data_set(catalogue: Catalogue) -> None:
    cfg = config(catalogue)
    (plan,) = planning.plan(cfg).parts
    assert dataset_title(cfg) == "toy + other"
    assert plan.data.members == ["other", "toy"]
    assert plan.data.classes == ("negative", "positive", "surprise")
    assert [fold.name for fold in plan.folds] == ["other/p0", "other/p1", "other/p2", "toy/p0", "toy/p1", "toy/p2"]
    assert plan.flags == ("other-flag",)
    first = {s.sample_id: row for s, row in zip(plan.data.samples, plan.arrays.x[:, 0].tolist(), strict=True)}
    assert first["toy/p1/c2"] == [-1, 1, 2]
    assert first["other/p1/c2"] == [99, 101, 102]


def test_optional_methods_are_passed_to_the_members(catalogue: Catalogue) -> None:
    composite = config(catalogue).dataset.instance
    assert composite.notice() == "mind the gap"
    assert [finding.what for finding in composite.data_issues()] == ["odd"]
    assert len(composite.applied_corrections()) == 1
    one = composite.samples()[0]
    assert (composite.files(one), composite.frame_numbers(one)) == ((), ())
    with pytest.raises(DataError, match="is not a sequence of frames"):
        composite.load_frames(one, [1])


class Ramp2(Ramp):
    """The same ramp under another name, three steps higher."""

    def samples(self) -> Sequence[Sample]:
        return [replace(s, dataset="second") for s in super().samples()]

    def load_frames(self, sample: Sample, numbers: Sequence[int]) -> Clip:
        clip = super().load_frames(sample, numbers)
        return replace(clip, frames=clip.frames + np.uint8(3))


def test_a_composite_of_frames_reads_frames(catalogue: Catalogue) -> None:
    ramps = with_plugins(catalogue, entry("dataset", Ramp), entry("dataset", Ramp2))
    text = "dataset: [ramp, ramp2]\nframes: {unit: frame, count: 3}\nprotocol: loso\nmodels: [majority]"
    cfg = config_of(text, ramps).parts[0]
    result, arrays = load_arrays(cfg, data.read_samples(cfg))
    assert [s.sample_id for s in result.samples][2:4] == ["second/toy/p1/c1#30", "toy/p1/c1#10"]
    assert arrays.x.ravel().tolist() == [23, 43, 63, 20, 40, 60]


def test_an_emotion_has_one_class(catalogue: Catalogue) -> None:
    cfg = config(catalogue, "[toy, {plugin: other, sad: surprise}]")
    with pytest.raises(DataError) as caught:
        data.read_samples(cfg.parts[0])
    assert "about the emotion 'sad': its class is 'negative' in toy; 'surprise' in other" in str(caught.value)
    settled = config(
        catalogue,
        "[toy, {plugin: other, sad: surprise}]",
        "{plugin: cross_dataset, classes: {sad: blue, glad: rosy}}",
    )
    assert data.read_samples(settled.parts[0]).support() == {"blue": 6, "rosy": 12}


def test_a_sample_may_not_count_twice(catalogue: Catalogue) -> None:
    with pytest.raises(DataError, match="sample toy/p0/c0 is in dataset 'toy' and in 'toy': it may not count twice"):
        data.read_samples(config(catalogue, "[toy, {plugin: toy, clips: 2}]").parts[0])
    twice = type("Twice", (Toy,), {"samples": lambda self: [sample("toy/p1/c1")] * 2})
    with pytest.raises(DataError, match="dataset 'twice' gives a sample id more than once: toy/p1/c1"):
        CompositeDataset((("twice", twice()), ("toy", Toy()))).samples()


def test_resolved_lists_the_members(catalogue: Catalogue) -> None:
    cfg = config(catalogue)
    resolved = cfg.resolved()
    assert [block["plugin"] for block in resolved["dataset"]] == ["toy", "other"]
    again = config_of(yaml.safe_dump(resolved), catalogue)
    assert again.fingerprint == cfg.fingerprint
    assert config(catalogue, "[other, toy]").fingerprint != cfg.fingerprint
    assert config(catalogue, "[toy]").fingerprint == config(catalogue, "toy").fingerprint
    jsonschema.validate(resolved, config_schema(catalogue))


@pytest.mark.parametrize(
    ("dataset", "message"),
    [
        ("[]", "expected at least one dataset"),
        ("[toy, tyo]", "unknown dataset 'tyo' (did you mean 'toy'?)"),
        ("[toy, {plugin: other, sad: 3}]", "expected str, got 3"),
        ("[toy, 7]", "expected the name of a dataset or a mapping with 'plugin', got 7"),
    ],
)
def test_invalid_lists_are_rejected(catalogue: Catalogue, dataset: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        config(catalogue, dataset)
    assert message in str(caught.value)


def test_a_run_shows_each_member(tmp_path: Path, bench: Callable[..., Ran]) -> None:
    root = tmp_path / "pictures"
    for index in range(6):
        folder = root / ("glad", "sad")[index % 2]
        folder.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(folder / f"{index}.png"), texture(16, 16, seed=index))
    folders = [f"{{plugin: image_folder, root: {root}, title: {title}}}" for title in ("one", "two")]
    text = f"dataset: [{', '.join(folders)}]\nprotocol: cross_dataset\nmodels: [majority]\n"
    (tmp_path / "c.yaml").write_text(text)
    ran = bench("run", tmp_path / "c.yaml", "--out", tmp_path / "out")
    assert ran.code == 2  # the same pictures on both sides
    assert "the same pixels on both sides: two/" in ran.err
    ran = bench(
        "run", tmp_path / "c.yaml", "--out", tmp_path / "out", "--set", "protocol={plugin: holdout, group: none}"
    )
    assert ran.code == 0, ran.err
    scores = json.loads((tmp_path / "out" / "scores.json").read_text())
    assert scores["dataset"] == "image_folder + image_folder"
    assert scores["members"] == ["one", "two"]
    assert scores["flags"] == ["leak:duplicate", "unknown-subjects"]
    assert scores["rows"][0]["by_dataset"].keys() <= {"one", "two"}
