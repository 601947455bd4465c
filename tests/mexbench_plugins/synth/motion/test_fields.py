from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mexbench.errors import ConfigError, DataError
from mexbench_plugins.datasets.megc2019_flow import Megc2019Flow
from mexbench_plugins.synth.motion import fields, hand_made


def cosines(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    a, b = one.reshape(len(one), -1), other.reshape(len(other), -1)
    return (a * b).sum(1) / np.sqrt((a**2).sum(1) * (b**2).sum(1))


def test_zero_and_gain_that_a_picture_has_lost_are_recovered() -> None:
    drawn = hand_made.sample("positive", 20, np.random.default_rng(0))
    pictures = fields.encode(drawn)
    assert pictures.min(axis=(1, 2)).max() == 0
    assert pictures.max(axis=(1, 2)).min() == 255
    recovered = fields.decode(pictures)
    assert np.median(cosines(recovered, drawn)) > 0.97
    # Without the strain, u and v would be as large as each other: the stretch makes them so.
    v, u = (np.sqrt((recovered[:, part] ** 2).mean((1, 2))) for part in (1, 0))
    true_v, true_u = (np.sqrt((drawn[:, part] ** 2).mean((1, 2))) for part in (1, 0))
    assert np.median(np.abs(np.log((v / u) / (true_v / true_u)))) < 0.1


def test_strain_of_a_linear_field_is_known() -> None:
    y, x = np.mgrid[:28, :28].astype(float)
    field = np.stack([2 * x + 1 * y, 3 * x - 4 * y])[None]  # u_x 2, u_y 1, v_x 3, v_y -4
    assert fields.strain(field) == pytest.approx(np.sqrt(4 + 16 + 0.5 * (1 + 3) ** 2))


def test_pictures_with_strain_first_are_refused() -> None:
    pictures = fields.encode(hand_made.sample("positive", 4, np.random.default_rng(0)))
    with pytest.raises(DataError, match=r"the first looks like strain.*channels: rgb"):
        fields.decode(pictures[..., ::-1])
    with pytest.raises(DataError, match="28x28"):
        fields.decode(np.zeros((2, 14, 14, 3)))


def test_a_picture_without_motion_is_a_field_without_motion() -> None:
    assert not fields.decode(np.full((2, 28, 28, 3), 7, np.uint8)).any()
    assert not fields.encode(np.zeros((1, 2, 28, 28))).any()


def test_hand_made_directions_by_class() -> None:
    rng = np.random.default_rng(1)
    mean = {label: hand_made.sample(label, 60, rng).mean(0) for label in hand_made.CLASSES}
    brows = (slice(2, 8), slice(3, 25))
    assert mean["surprise"][1][brows].mean() < 0 < mean["negative"][1][brows].mean()  # rows grow downwards
    corners = mean["positive"][0][16:23]
    assert corners[:, :12].mean() < 0 < corners[:, 16:].mean()  # apart
    with pytest.raises(ConfigError, match="choose from: negative, positive, surprise"):
        hand_made.sample("joy", 1, rng)


def test_the_real_pack_moves_as_its_classes_should(real_flow: Path) -> None:
    data = Megc2019Flow(root=real_flow)
    samples = data.samples()
    decoded = fields.decode(np.stack([data.load(sample).frames[0] for sample in samples]))
    labels = np.array([sample.emotion for sample in samples])
    brows = (slice(None), 1, slice(2, 8), slice(3, 25))
    assert decoded[labels == "surprise"][brows].mean() < 0 < decoded[labels == "negative"][brows].mean()
    corners = decoded[labels == "positive"][:, 0, 13:20]
    assert corners[..., :12].mean() < 0 < corners[..., 16:].mean()
