from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mexbench.errors import ConfigError
from mexbench_plugins.synth import contact_sheet, measures
from mexbench_plugins.synth.action_units import parse
from mexbench_plugins.synth.clips import STILL, Camera, Take, Timing
from mexbench_plugins.synth.expression import express
from mexbench_plugins.synth.faces import SyntheticFace

SHORT = Timing(lead=2, rise=6, fall=7, tail=2)


def take(face: SyntheticFace, aus: str = "6+12", camera: Camera = STILL, seed: int = 0, timing: Timing = SHORT) -> Take:
    height, width = face.image.shape[:2]
    return Take(face, express(parse(aus), face.geometry, width, height), timing, camera, seed)


@given(lead=st.integers(0, 9), rise=st.integers(1, 60), fall=st.integers(1, 60), tail=st.integers(0, 9))
def test_the_curve_rises_to_the_apex_and_fades(lead: int, rise: int, fall: int, tail: int) -> None:
    timing = Timing(lead=lead, rise=rise, fall=fall, tail=tail)
    curve = timing.intensity()
    assert len(curve) == timing.frames == lead + rise + fall + 1 + tail
    assert curve[timing.apex] == 1 == curve.max()
    assert not curve[: timing.onset + 1].any()
    assert not curve[timing.offset :].any()
    assert (np.diff(curve[timing.onset : timing.apex + 1]) > 0).all()
    assert (np.diff(curve[timing.apex : timing.offset + 1]) < 0).all()


@pytest.mark.parametrize("wrong", [{"rise": 0}, {"fall": 0}, {"lead": -1}, {"tail": -1}])
def test_a_timing_without_a_rise_is_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ConfigError, match="lead and tail must be 0 or more, rise and fall 1 or more"):
        Timing(**wrong)


def test_a_negative_noise_is_refused() -> None:
    with pytest.raises(ConfigError, match="nothing can be negative"):
        Camera(noise=-1)


@pytest.mark.parametrize("aus", ["4+7", "L12", "1+2+5+25", "15+17"])
def test_nothing_moves_outside_the_action_units(small: SyntheticFace, aus: str) -> None:
    one = take(small, aus)
    outside = ~one.expression.mask(320, 240)
    assert 0.8 < outside.mean() < 1
    for frame in one.frames():
        assert np.array_equal(frame[outside], small.image[outside])


def test_neutral_before_the_onset_and_after_the_offset(small: SyntheticFace) -> None:
    frames = list(take(small).frames())
    assert len(frames) == SHORT.frames
    for index in (0, SHORT.onset, SHORT.offset, SHORT.frames - 1):
        assert np.array_equal(frames[index], small.image)
    assert not np.array_equal(frames[SHORT.apex], small.image)


@pytest.mark.parametrize("aus", ["4", "6+12", "1+2", "17", "R14"])
def test_the_change_rises_to_the_apex_and_falls_after_it(small: SyntheticFace, aus: str) -> None:
    result = measures.monotonicity(take(small, aus, Camera(), timing=Timing(rise=15, fall=15)))
    assert result.rising == result.falling == 1
    assert result.spearman_rise is not None
    assert result.spearman_fall is not None
    assert result.spearman_rise > 0.99
    assert result.spearman_fall < -0.99
    assert result.apex_change > 0.5


def test_monotonicity_detects_a_broken_clip(small: SyntheticFace, monkeypatch: pytest.MonkeyPatch) -> None:
    wobble = np.array([0, 0, 0, 0.8, 0.3, 0.9, 0.4, 0.7, 1.0, 0.2, 0.9, 0.1, 0.8, 0.3, 0.5, 0, 0, 0])
    monkeypatch.setattr(Timing, "intensity", lambda self: wobble)
    result = measures.monotonicity(take(small))
    assert result.rising == pytest.approx(4 / 6)
    assert result.falling == pytest.approx(4 / 7)
    assert result.spearman_rise is not None
    assert result.spearman_rise < 0.9


def test_the_person_stays_the_same(small: SyntheticFace) -> None:
    one = take(small, camera=Camera())
    frames = list(one.frames())
    preserved = measures.identity_preservation(one, frames[SHORT.onset], frames[SHORT.apex])
    assert preserved.changed_outside == 0
    assert preserved.ssim > 0.93
    assert preserved.correlation is not None
    assert preserved.correlation > 0.99
    assert preserved.nearer_to_self
    assert preserved.distance < 0.5 * preserved.nearest_other


def test_another_person_at_the_apex_is_noticed(small: SyntheticFace, face: SyntheticFace) -> None:
    import cv2

    other = np.asarray(cv2.resize(face.image, (320, 240), interpolation=cv2.INTER_AREA), np.uint8)
    preserved = measures.identity_preservation(take(small), small.image, other)
    assert preserved.ssim < 0.8
    assert preserved.distance > 0.5


def test_structural_similarity_is_the_published_one(small: SyntheticFace) -> None:
    metrics = pytest.importorskip("skimage.metrics")
    rng = np.random.default_rng(0)
    noisy = np.clip(small.image + rng.normal(0, 8, small.image.shape), 0, 255).astype(np.uint8)
    one, two = (measures._gray(frame) for frame in (small.image, noisy))
    _, reference = metrics.structural_similarity(
        one, two, data_range=255, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, full=True
    )
    inner = (slice(8, -8), slice(8, -8))
    assert np.abs(measures._ssim(one, two)[inner] - reference[inner]).max() < 2e-3


def test_the_same_seed_is_the_same_clip(small: SyntheticFace) -> None:
    one, same, other = (np.stack(list(take(small, camera=Camera(), seed=seed).frames())) for seed in (5, 5, 6))
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)


@pytest.mark.parametrize("name", ["noise", "drift", "flicker"])
def test_each_part_of_the_camera_can_be_switched_off(small: SyntheticFace, name: str) -> None:
    parts = {"noise": 0.0, "drift": 0.0, "flicker": 0.0, name: {"noise": 2.0, "drift": 0.5, "flicker": 0.02}[name]}
    frames = np.stack(list(take(small, camera=Camera(**parts)).frames())).astype(int)
    difference = frames[0] - small.image
    assert difference.any()
    corner = difference[:20, :20]  # the wall: it has grain and light, and no head to drift
    assert bool(corner.any()) == (name != "drift")
    if name == "noise":
        assert difference.std() == pytest.approx(2.0, rel=0.15)
        assert not np.array_equal(frames[0], frames[1])


def test_the_drift_stays_below_a_pixel(small: SyntheticFace) -> None:
    import cv2

    frames = [cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in take(small, camera=Camera()).frames()]
    window = cv2.createHanningWindow((100, 100), cv2.CV_32F)
    part = (slice(60, 160), slice(110, 210))
    for frame in (frames[0], frames[1], frames[-1]):
        moved, _ = cv2.phaseCorrelate(
            small.image[part].mean(2).astype(np.float32), frame[part].astype(np.float32), window
        )
        assert np.hypot(moved[0], moved[1]) < 1


def test_a_contact_sheet_shows_all_moments(small: SyntheticFace) -> None:
    one = take(small)
    frames = list(one.frames())
    names = contact_sheet.moments(one)
    assert [name for name, _ in names] == ["onset", "rising", "rising", "apex", "fading", "offset"]
    assert dict(names)["apex"] == SHORT.apex
    sheet = contact_sheet.draw(one, [frames[index] for _, index in names], "a title")
    assert sheet.shape[1] > 6 * 240
    below = sheet[sheet.shape[0] * 2 // 3 : -60, 100:200]  # the onset's difference: nothing has changed
    assert (below == 128).all()
