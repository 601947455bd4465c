"""Magnification of motions that are known exactly: a pattern that moves as a sinusoid in time."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from mexbench.errors import DataError
from mexbench.interfaces import Clip
from mexbench_plugins.preprocessors.magnification import (
    Magnification,
    collapse,
    ideal_band,
    iir_band,
    laplacian_pyramid,
)

SIDE, WAVE, FPS, COUNT = 128, 32.0, 100.0, 50
HZ = 4.0


def moving(displacements: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Vertical stripes of a wavelength of 32 pixels, displaced to the right by so many pixels in each frame.

    Still horizontal stripes, whose mean over the measured rows is 0, let optical flow see both directions.
    """
    columns = np.arange(SIDE)
    stripes = [40 * np.sin(2 * np.pi * (columns - shift) / WAVE) for shift in displacements]
    still = 20 * np.sin(2 * np.pi * columns / 16)
    return np.rint(128 + np.stack(stripes)[:, None] + still[:, None])[..., None].astype(np.uint8)


def measured(frames: NDArray[Any]) -> NDArray[np.float64]:
    """The displacement of the stripes in the middle of each frame, from the phase of their wavelength, in pixels."""
    lines = frames[:, 32:96, 32:96, 0].astype(float).mean(axis=1)
    wave = np.exp(-2j * np.pi * np.arange(64) / WAVE)
    phases = np.unwrap(np.angle((lines - 128) @ wave))
    return -(phases - phases[0]) * WAVE / (2 * np.pi)


def sinusoid(amplitude: float) -> NDArray[np.float64]:
    return amplitude * np.sin(2 * np.pi * HZ * np.arange(COUNT) / FPS)


def amplitude(displacements: NDArray[np.float64]) -> float:
    """Amplitude at the frequency of the motion, which divides the clip into whole periods."""
    wave = np.exp(-2j * np.pi * HZ * np.arange(COUNT) / FPS)
    return float(2 * abs(displacements @ wave) / COUNT)


@pytest.mark.parametrize(
    ("options", "motion", "tolerance"),
    [
        # The finest and the coarsest level, which are not magnified, hold some of the pattern: up to 8 % are lost.
        ({"alpha": 5.0, "cutoff": 8.0, "temporal": "onset"}, 0.25, 0.10),
        ({"alpha": 5.0, "cutoff": 8.0, "temporal": "ideal", "low": 2.0, "high": 6.0}, 0.25, 0.10),
        ({"alpha": 3.0, "method": "warp"}, 0.8, 0.10),
    ],
)
def test_a_sinusoidal_motion_becomes_one_plus_alpha_times_as_large(
    options: dict[str, Any], motion: float, tolerance: float
) -> None:
    frames = moving(sinusoid(motion))
    assert amplitude(measured(frames)) == pytest.approx(motion, rel=0.01)
    result = Magnification(**options)(Clip(frames=frames, fps=FPS)).frames
    assert (result.dtype, result.shape) == (np.uint8, frames.shape)
    assert amplitude(measured(result)) == pytest.approx((1 + options["alpha"]) * motion, rel=tolerance)


def test_a_frequency_outside_the_band_is_left_alone() -> None:
    frames = moving(sinusoid(0.25))
    result = Magnification(alpha=20, temporal="ideal", low=10, high=20)(Clip(frames=frames, fps=FPS)).frames
    assert amplitude(measured(result)) == pytest.approx(0.25, rel=0.05)


def test_fine_detail_gets_less_than_alpha() -> None:
    """The bound of the paper: at (1 + alpha) d = wavelength / 8 for the cutoff, shorter waves get less, longer all."""
    factors = Magnification(alpha=9, cutoff=20)._factors((96, 72), 4)  # the diagonal is 120: wavelengths 5, 10, 20, 40
    assert factors == [0.0, pytest.approx(10 / (8 * 0.25) - 1), 9.0, 0.0]


@pytest.mark.parametrize("options", [{}, {"method": "warp"}, {"temporal": "ideal"}, {"temporal": "iir"}])
def test_alpha_zero_and_a_static_clip_change_nothing(options: dict[str, Any]) -> None:
    still = np.repeat(moving(np.zeros(1)), 40, axis=0)  # 2.5 Hz apart
    result = Magnification(**options)(Clip(frames=still, fps=FPS)).frames
    if "method" in options:  # Farneback's flow between equal images is zero but for the border
        assert np.abs(measured(result)).max() < 0.1
    else:
        np.testing.assert_array_equal(result, still)
    frames = moving(sinusoid(1.0))
    if "method" not in options:
        result = Magnification(alpha=0, **options)(Clip(frames=frames, fps=FPS)).frames
        np.testing.assert_array_equal(result, frames)


def test_colour_changes_in_luminance_alone() -> None:
    frames = np.repeat(moving(sinusoid(0.2)), 3, axis=-1)
    frames[..., 1] //= 2
    result = Magnification(alpha=4)(Clip(frames=frames, fps=None)).frames.astype(int)
    inside = (result > 0).all(axis=-1) & (result < 255).all(axis=-1)
    difference = result - frames
    assert (difference[inside][:, 0] == difference[inside][:, 1]).all()
    assert np.abs(difference).max() > 4


def test_a_pyramid_gives_its_image_again() -> None:
    image = np.random.default_rng(0).random((75, 101)).astype(np.float32)
    levels = laplacian_pyramid(image)
    assert [level.shape for level in levels] == [(75, 101), (38, 51), (19, 26), (10, 13)]
    np.testing.assert_allclose(collapse(levels), image, atol=1e-6)


def test_filters_over_time() -> None:
    times = np.arange(100) / FPS
    slow, fast = np.sin(2 * np.pi * 2 * times), np.sin(2 * np.pi * 20 * times)
    video = (slow + fast + 3)[:, None].astype(np.float32)
    np.testing.assert_allclose(ideal_band(video, FPS, 1, 5)[:, 0], slow, atol=1e-5)
    step = np.concatenate([np.zeros(1), np.ones(3)])[:, None].astype(np.float32)
    rate = [1 - np.exp(-2 * np.pi * f / FPS) for f in (1.0, 10.0)]
    expected = [(1 - (1 - rate[1]) ** n) - (1 - (1 - rate[0]) ** n) for n in range(4)]
    np.testing.assert_allclose(iir_band(step, FPS, 1.0, 10.0)[:, 0], expected, atol=1e-6)


def test_an_unknown_rate_is_refused() -> None:
    clip = Clip(frames=moving(sinusoid(1.0)))
    with pytest.raises(DataError, match="the frame rate is unknown, which 'temporal: iir' needs"):
        Magnification(temporal="iir")(clip)
    with pytest.raises(ValueError, match="must lie below high"):
        Magnification(low=3, high=1)


@pytest.mark.parametrize("method", ["eulerian", "warp"])
def test_one_frame_has_no_motion_to_magnify(method: Any) -> None:  # noqa: ANN401
    with pytest.raises(DataError, match="the clip has one frame, and it is motion that is magnified"):
        Magnification(method=method)(Clip(frames=moving(np.zeros(1)), fps=FPS))


@pytest.mark.parametrize(
    ("low", "high", "count", "message"),
    [
        (0.4, 3.0, 33, "3.0303 Hz apart, up to 50 Hz, and none lies between 0.4 and 3 Hz"),
        (60.0, 70.0, 50, "2 Hz apart, up to 50 Hz, and none lies between 60 and 70 Hz"),
        (0.4, 3.0, 34, ""),  # 2.94 Hz apart
        (49.0, 900.0, 50, ""),
    ],
)
def test_a_band_without_a_frequency_of_the_clip_is_refused(low: float, high: float, count: int, message: str) -> None:
    """It would leave the clip as it is, and say nothing."""
    step = Magnification(temporal="ideal", low=low, high=high)
    clip = Clip(frames=moving(sinusoid(1.0))[:count], fps=FPS)
    if message:
        with pytest.raises(DataError, match=message):
            step(clip)
    else:
        assert len(step(clip).frames) == count
