"""Action units as planes, and their way from the data set to the step."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from mexbench.data import samples as data
from mexbench.data.arrays import load_arrays
from mexbench.data.cache import Cache
from mexbench.errors import DataError, NotAnnotated, SampleRejected
from mexbench.evaluation.plan import plan as make_plan
from mexbench.interfaces import Clip, Dataset, MeasuredUnits, Preprocessor, Sample
from mexbench.registry.catalogue import Catalogue
from mexbench.registry.parameters import build
from mexbench_plugins.preprocessors.action_units import ActionUnits
from tests.helpers import config_of, entry, sample, with_plugins


def clip_of(*shape: int, aus: frozenset[str] | None = frozenset({"AU4", "AU12", "AU45"})) -> Clip:
    return Clip(frames=np.random.default_rng(0).normal(size=shape).astype(np.float32), aus=aus, notes=("kept",))


def test_each_unit_is_a_plane_behind_the_features() -> None:
    clip = clip_of(2, 7, 7, 5)
    result = ActionUnits()(clip)
    assert (result.frames.shape, result.frames.dtype, result.notes) == ((2, 7, 7, 17), np.float32, ("kept",))
    np.testing.assert_array_equal(result.frames[..., :5], clip.frames)
    expected = [0, 0, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0]  # 1 2 4 5 6 7 9 10 12 14 15 17
    assert (result.frames[..., 5:] == expected).all()


def test_features_without_height_and_width_get_values() -> None:
    result = ActionUnits(units=(12, 1))(clip_of(3, 6))
    np.testing.assert_array_equal(result.frames[:, 6:], [[1, 0]] * 3)


@pytest.mark.parametrize("frames", [np.zeros((2, 8, 8, 3), np.uint8), np.zeros((2, 5), np.float32)])
def test_the_units_may_be_the_entire_input(frames: np.ndarray) -> None:
    clip = Clip(frames=frames, aus=frozenset({"AU12"}), notes=("kept",))
    alone = ActionUnits(mode="only", units=(4, 12))(clip)
    np.testing.assert_array_equal(alone.frames, [[0, 1], [0, 1]])
    assert (alone.frames.dtype, alone.notes) == (np.float32, ("kept",))


@pytest.mark.parametrize("aus", [None, frozenset()])
def test_a_clip_without_coded_units_is_left_out_and_not_given_zeros(aus: frozenset[str] | None) -> None:
    with pytest.raises(SampleRejected, match="has no action units coded"):
        ActionUnits()(clip_of(1, 7, 7, 5, aus=aus))


def test_uint8_features_are_rejected() -> None:
    clip = Clip(frames=np.zeros((1, 8, 8, 3), np.uint8), aus=frozenset({"AU4"}))
    with pytest.raises(DataError, match=r"needs floats, features or frames, got \(1, 8, 8, 3\) uint8; put it last"):
        ActionUnits()(clip)


def test_a_unit_named_twice_is_refused() -> None:
    assert build(ActionUnits, {"units": [4, 4]})[1] == [((), "units names one twice: [4, 4]")]


CODED: dict[str, frozenset[str]] = {}


@dataclass(frozen=True, kw_only=True)
class Coded(Dataset):
    """Four clips of one file, whose action units a test sets."""

    root: Path = Path()

    def label_map(self) -> Mapping[str, str]:
        return {"sad": "negative", "glad": "positive"}

    def samples(self) -> Sequence[Sample]:
        return [
            sample(f"coded/s{i}/clip", emotion=("sad", "glad")[i % 2], aus=CODED.get(f"s{i}", frozenset()))
            for i in range(4)
        ]

    def load(self, sample: Sample) -> Clip:
        return Clip(frames=np.full((3, 40, 40, 3), ord(sample.sample_id[7]), np.uint8), fps=200.0)

    def files(self, sample: Sample, numbers: Sequence[int] | None = None) -> Sequence[Path]:
        return [Path(__file__)]


@dataclass(frozen=True, kw_only=True)
class Forgetful(Preprocessor):
    """Builds its clip anew, as a third-party step may."""

    source = "none"

    def __call__(self, clip: Clip) -> Clip:
        assert clip.aus is None or clip.aus == CODED[f"s{int(clip.frames[0, 0, 0, 0]) - ord('0')}"]
        return Clip(frames=clip.frames[:1] / np.float32(255))


def planes(toys: Catalogue, cache: Cache | None = None) -> tuple[data.LabelledSamples, np.ndarray]:
    catalogue = with_plugins(toys, entry("dataset", Coded), entry("preprocessor", Forgetful))
    text = "dataset: coded\npreprocess: [forgetful, {plugin: action_units, units: [4, 12]}]\nprotocol: loso\n"
    config = config_of(text + "models: [majority]", catalogue).parts[0]
    result = load_arrays(config, data.read_samples(config), cache)
    arrays = result[1]
    return result[0], arrays.x[:, 0, 0, 0, 3:]


@pytest.mark.parametrize(
    ("steps", "flags"), [("[]", ()), ("[forgetful, {plugin: action_units, units: [4, 12]}]", ("coded-aus",))]
)
def test_every_row_of_a_run_with_coded_units_is_flagged(
    toys: Catalogue, monkeypatch: pytest.MonkeyPatch, steps: str, flags: tuple[str, ...]
) -> None:
    """The models are given what a person saw in the test clips: no score of theirs may stand without that word."""
    for subject in ("s0", "s1", "s2", "s3"):
        monkeypatch.setitem(CODED, subject, frozenset({"AU4"}))
    catalogue = with_plugins(toys, entry("dataset", Coded), entry("preprocessor", Forgetful))
    text = f"dataset: coded\npreprocess: {steps}\nprotocol: loso\nmodels: [majority, svm]"
    plan = make_plan(config_of(text, catalogue))
    assert [row.model_flags(model) for row, model in plan.by_row.values()] == [flags, flags]


def test_the_engine_hands_every_step_the_units_of_its_sample(toys: Catalogue, tmp_path: Path) -> None:
    """Also out of the cache, where another coding of the same file is another entry."""
    CODED.update(s0=frozenset({"AU4"}), s1=frozenset({"AU12", "AU1"}), s2=frozenset({"AU4", "AU12"}))
    cache = Cache(tmp_path)
    for _ in range(2):
        samples, result = planes(toys, cache)
        np.testing.assert_array_equal(result, [[1, 0], [0, 1], [1, 1]])
        assert list(samples.excluded.values()) == [("coded/s3/clip",)]
    CODED["s0"] = frozenset({"AU12"})
    np.testing.assert_array_equal(planes(toys, cache)[1], [[0, 1], [0, 1], [1, 1]])


def test_a_data_set_without_any_coding_is_one_error(toys: Catalogue) -> None:
    CODED.clear()
    with pytest.raises(DataError, match=r"no sample of .*; excluded: .*has no action units coded"):
        planes(toys)


def test_other_fields_of_a_clip_stay() -> None:
    clip = dataclasses.replace(clip_of(2, 4, 4, 1), onset_index=0, apex_index=1, fps=100.0)
    result = ActionUnits()(clip)
    assert (result.onset_index, result.apex_index, result.fps, result.aus) == (0, 1, 100.0, clip.aus)


def test_for_a_model_with_a_detector_uncoded_clips_get_zeros_and_coded_ones_their_units() -> None:
    step = ActionUnits(units=(4, 12))
    features = np.ones((1, 2, 2, 3), np.float32)
    with pytest.raises(NotAnnotated, match="detect_units: true"):
        step(Clip(frames=features))
    blank = step.unannotated()(Clip(frames=features))
    assert blank.frames.shape == (1, 2, 2, 5)
    assert blank.frames[..., 3:].max() == 0
    assert blank.notes == ("has no action units coded: the model's own detector gives them (action_units)",)
    coded = step.unannotated()(Clip(frames=features, aus=frozenset({"AU12"})))
    assert coded.frames[0, 0, 0, 3:].tolist() == [0, 1]
    openface = ActionUnits(units=(4,), origin="openface", folder=Path("csv"))
    assert openface.unannotated() is openface


def test_a_file_of_units_takes_the_place_of_the_annotation_and_of_the_folder() -> None:
    features = np.ones((1, 2, 2, 3), np.float32)
    measured = MeasuredUnits(intensity={4: 0.4, 12: 0.0}, presence={4: 1.0, 12: 0.0})
    of_annotation = ActionUnits(units=(4, 12))(Clip(frames=features, measured=measured))
    assert of_annotation.frames[0, 0, 0, 3:].tolist() == [1, 0]
    step = ActionUnits(units=(4, 12), origin="openface", folder=Path("csv"))
    assert step(Clip(frames=features, measured=measured)).frames[0, 0, 0, 3:].tolist() == pytest.approx([0.4, 0])
    with pytest.raises(DataError, match="the file of units lacks the columns AU07_c"):
        ActionUnits(units=(4, 7))(Clip(frames=features, measured=measured))
