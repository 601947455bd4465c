from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from mexbench.errors import DataError
from mexbench.studies.flow_agreement.agreement import FlowFields, compare_all, compare_fields
from mexbench.studies.flow_agreement.page import markdown
from tests.helpers import Ran

IDS = tuple(f"toy/p{person}/c" for person in range(6))


def fields(seed: int = 0, channels: int = 3) -> NDArray[np.float32]:
    import cv2

    rng = np.random.default_rng(seed)
    noise = rng.normal(size=(len(IDS), 28, 28, channels)).astype(np.float32)
    return np.stack([cv2.GaussianBlur(field, (0, 0), 2) for field in noise])


def test_a_stretch_and_a_sign_are_seen_through() -> None:
    """Gain and offset change no correlation; a negative gain turns its sign; the fit leaves nothing."""
    a = fields()
    stretched = a * np.array([3, -0.5, 20], np.float32) + np.array([7, 1, -4], np.float32)
    result = compare_fields(FlowFields("a", IDS, a), FlowFields("b", IDS, stretched))
    np.testing.assert_allclose(result.correlations, [[1, -1, 1]] * 6, atol=1e-5)
    np.testing.assert_allclose(result.endpoint, 0, atol=1e-3)
    assert (result.identical, result.samples, result.channels) == (0, 6, ("u", "v", "strain"))
    assert np.abs(np.median(result.unrelated, axis=0)).max() < 0.5


def test_endpoint_differences_in_pixels_are_those_of_vectors() -> None:
    a = np.zeros((2, 20, 20, 2), np.float32)
    b = np.broadcast_to(np.array([3, 4], np.float32), a.shape)
    result = compare_fields(FlowFields("a", IDS[:2], a), FlowFields("b", IDS[:2], b))
    assert result.pixels is not None
    assert result.magnitude is not None
    assert (result.pixels.tolist(), result.magnitude.tolist()) == ([5, 5], [5, 5])
    assert np.isnan(result.correlations).all(), "a constant field correlates with nothing"


def test_half_of_the_deviation_is_left_at_a_known_correlation() -> None:
    """b = a + n, n uncorrelated with a and of 3 times its power: correlation 1/2, and sqrt(3/4) is left."""
    a = np.zeros((2, 28, 28, 2))
    n = np.zeros_like(a)
    a[..., :] = np.sin(2 * np.pi * np.arange(28) / 28)[None, :, None, None]
    n[..., :] = np.sqrt(3) * np.sin(2 * np.pi * np.arange(28) / 14)[None, :, None, None]
    result = compare_fields(FlowFields("a", IDS[:2], a), FlowFields("b", IDS[:2], a + n))
    np.testing.assert_allclose(result.correlations, 0.5, atol=1e-9)
    np.testing.assert_allclose(result.endpoint, np.sqrt(0.75), atol=1e-9)


@pytest.mark.parametrize("shift", [(0, 0), (2, -1), (-3, 4)])
def test_a_displaced_crop_is_found(shift: tuple[int, int]) -> None:
    right, down = shift
    a = fields()
    moved = np.roll(a, (down, right), axis=(1, 2))
    result = compare_fields(FlowFields("a", IDS, a), FlowFields("b", IDS, moved))
    assert set(map(tuple, result.shifts.tolist())) == {shift}
    np.testing.assert_allclose(result.aligned, 1, atol=1e-5)


def test_samples_are_joined_by_id() -> None:
    a = fields()
    result = compare_fields(
        FlowFields("a", IDS, a), FlowFields("b", ("toy/other", *IDS[:0:-1]), np.concatenate([a[:1], a[:0:-1]]))
    )
    assert (result.samples, result.identical) == (5, 5)
    page = markdown([result])
    assert "1.00 [1.00, 1.00]" in page


@pytest.mark.parametrize(
    ("second", "message"),
    [
        (FlowFields("b", ("toy/x", "toy/y"), fields()[:2]), "share 0 samples, at least 2 are needed"),
        (FlowFields("b", IDS, fields()[:, :20]), r"b \(20, 28, 3\): expected one size"),
        (FlowFields("b", IDS, fields(channels=4)), "the channels u, v or u, v, strain"),
    ],
)
def test_what_cannot_be_compared_is_refused(second: FlowFields, message: str) -> None:
    with pytest.raises(DataError, match=message):
        compare_all([FlowFields("a", IDS, fields()), second])


def test_a_single_recipe_is_refused(bench: Callable[..., Ran], flow_pack: Path, tmp_path: Path) -> None:
    config = tmp_path / "one.yaml"
    config.write_text(
        f"dataset: {{plugin: megc2019_flow, root: {flow_pack}, expect: any}}\nprotocol: loso\nmodels: [majority]\n"
    )
    ran = bench("analyse", "flow-agreement", config)
    assert (ran.code, "only one recipe (one): give a second config" in ran.err) == (2, True)
    other = tmp_path / "two.yaml"
    other.write_text(config.read_text() + "preprocess: [{plugin: normalise, mode: stretch}]\n")
    ran = bench("analyse", "flow-agreement", config, other)
    assert ran.code == 0, ran.err
    assert "1.00 [1.00, 1.00]" in ran.out


def test_two_public_packs_of_the_same_clips_lie_far_apart(shared_data: Path) -> None:
    """The published packs: 442 clips in common, no identical picture; the medians that the project's notes give."""
    from mexbench_plugins.datasets.causalnet_maps import CausalNetMaps
    from mexbench_plugins.datasets.megc2019_flow import Megc2019Flow

    pack = Megc2019Flow(root=shared_data / "megc2019_flow" / "norm_u_v_os")
    maps = CausalNetMaps(root=shared_data / "causalnet_maps", maps=("onset_apex",))
    recipes = []
    for name, dataset in (("pack", pack), ("maps", maps)):
        samples = dataset.samples()
        arrays = np.stack([dataset.load(sample).frames[0] for sample in samples])
        recipes.append(FlowFields(name, tuple(sample.sample_id for sample in samples), arrays))
    (result,) = compare_all(recipes)
    assert (result.samples, result.identical) == (442, 0)
    np.testing.assert_allclose(np.median(result.correlations, axis=0), [0.50, 0.29, 0.15], atol=0.005)
    assert np.median(result.unrelated, axis=0).max() < 0.15
    assert 0.8 < np.median(result.endpoint) < 0.95
