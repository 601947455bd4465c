from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mexbench.errors import ConfigError
from mexbench_plugins.synth import emotions
from mexbench_plugins.synth.action_units import ACTIONS, ActionUnit, parse, written
from mexbench_plugins.synth.expression import express
from mexbench_plugins.synth.faces import SyntheticFace
from mexbench_plugins.synth.geometry import Geometry

PLACE = Geometry(x=320, y=228, unit=105)
SIZE = (640, 480)
REQUIRED = (1, 2, 4, 5, 6, 7, 9, 10, 12, 14, 15, 17, 20, 23, 24, 25)


def test_every_action_unit_that_the_real_sheets_use_is_drawn() -> None:
    assert set(REQUIRED) <= set(ACTIONS)


@pytest.mark.parametrize("text", ["6+12", "L12", "4+R10", "L1+R2+25"])
def test_what_is_parsed_is_written_the_same(text: str) -> None:
    assert written(parse(text)) == text


def test_other_ways_of_writing() -> None:
    assert parse(" AU6 + au12 ") == (ActionUnit(6), ActionUnit(12))
    assert parse("l12+R12") == (ActionUnit(12, "L"), ActionUnit(12, "R"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("6+99", "unknown action unit '99'"),
        ("6+", "unknown action unit ''"),
        ("smile", "choose from: 1, 10, 12"),
        ("12+L12", "L12 is named twice"),
        ("?", r"action units '\?'"),
    ],
)
def test_a_bad_action_unit_is_named_with_the_choices(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse(text)


@pytest.mark.parametrize("number", ACTIONS)
def test_a_micro_expression_moves_a_few_pixels(number: int) -> None:
    shown = express([ActionUnit(number)], PLACE, *SIZE)
    assert 1.0 < shown.peak() < 4.0
    assert express([ActionUnit(number)], PLACE, *SIZE, intensity=2).peak() == pytest.approx(2 * shown.peak(), rel=1e-4)


@pytest.mark.parametrize("number", ACTIONS)
def test_the_planes_fade_to_zero_at_the_border_of_their_box(number: int) -> None:
    shown = express([ActionUnit(number)], PLACE, *SIZE)
    for plane in (shown.dx, shown.dy, shown.shade):
        edge = np.concatenate([plane[0], plane[-1], plane[:, 0], plane[:, -1]])
        assert not edge.any()


def test_directions_are_those_of_facs() -> None:
    def at(text: str, landmark: str) -> tuple[float, float]:
        shown = express(parse(text), PLACE, *SIZE)
        column, row = PLACE.landmarks()[landmark]
        where = round(row) - shown.box[1], round(column) - shown.box[0]
        return float(shown.dx[where]), float(shown.dy[where])

    assert at("1", "brow_inner_L")[1] < -1
    assert at("2", "brow_outer_R")[1] < -1
    assert at("4", "brow_inner_L")[1] > 1
    assert at("4", "brow_inner_L")[0] < 0 < at("4", "brow_inner_R")[0]  # towards each other
    assert at("12", "lip_corner_L")[0] > 1
    assert at("12", "lip_corner_R")[0] < -1
    assert at("12", "lip_corner_L")[1] < -1
    assert at("15", "lip_corner_L")[1] > 1
    assert at("17", "chin")[1] < -1


def test_one_side_moves_alone() -> None:
    left = express(parse("L12"), PLACE, *SIZE).mask(*SIZE)
    right = express(parse("R12"), PLACE, *SIZE).mask(*SIZE)
    both = express(parse("12"), PLACE, *SIZE).mask(*SIZE)
    assert left[:, 330:].any()
    assert not left[:, :310].any()
    assert not right[:, 330:].any()
    assert np.array_equal(left | right, both)


@settings(max_examples=30, deadline=None)
@given(
    numbers=st.lists(st.sampled_from(sorted(ACTIONS)), min_size=1, max_size=4, unique=True),
    sides=st.lists(st.sampled_from(["", "L", "R"]), min_size=4, max_size=4),
    tilt=st.floats(-15, 15),
    unit=st.floats(30, 200),
)
def test_no_expression_folds_the_face_over_itself(
    numbers: list[int], sides: list[str], tilt: float, unit: float
) -> None:
    place = Geometry(x=320, y=228, unit=unit, tilt=tilt)
    aus = parse("+".join(f"{side}{number}" for side, number in zip(sides, numbers, strict=False)))
    shown = express(aus, place, *SIZE)
    if min(shown.dx.shape) < 3:
        return
    (ddx_dy, ddx_dx), (ddy_dy, ddy_dx) = (np.gradient(plane) for plane in (shown.dx, shown.dy))
    assert ((1 - ddx_dx) * (1 - ddy_dy) - ddx_dy * ddy_dx).min() > 0.2


def test_every_combination_of_every_emotion_can_be_drawn(small: SyntheticFace) -> None:
    height, width = small.image.shape[:2]
    for combinations in emotions.COMBINATIONS.values():
        for text in combinations:
            assert express(parse(text), small.geometry, width, height).peak() > 0.5


def test_emotions_share_action_units_as_in_the_real_sheets() -> None:
    shares = {
        emotion: {text: weight / sum(table.values()) for text, weight in table.items()}
        for emotion, table in emotions.COMBINATIONS.items()
    }
    assert shares["others"]["4"] > 0.5
    assert shares["disgust"]["4"] > 0.1  # the commonest sign of others
    assert set(shares["repression"]) & set(shares["others"]) & set(shares["happiness"]) == {"14", "15"}


def test_an_emotion_is_drawn_by_its_frequencies() -> None:
    rng = np.random.default_rng(0)
    drawn = [written(emotions.draw("surprise", rng)) for _ in range(300)]
    assert set(drawn) <= set(emotions.COMBINATIONS["surprise"])
    assert 0.15 < drawn.count("1+2") / 300 < 0.35
    assert written(emotions.draw("Other", rng)) in emotions.COMBINATIONS["others"]


def test_an_unknown_emotion_is_named_with_the_choices() -> None:
    with pytest.raises(ConfigError, match=r"'hapiness' \(did you mean 'happiness'\?\); choose from: anger"):
        emotions.draw("hapiness", np.random.default_rng(0))


@given(total=st.integers(1, 600))
def test_clips_are_shared_in_proportion(total: int) -> None:
    words = emotions.allocate(emotions.CASME2, total)
    assert len(words) == total
    if total >= 30:
        assert {"others", "disgust", "happiness", "repression", "surprise"} <= set(words)
    for emotion, count in emotions.CASME2.items():
        assert abs(words.count(emotion) - total * count / 255) <= 1.5


def test_the_real_size_gives_the_real_counts() -> None:
    words = emotions.allocate(emotions.CASME2, 255)
    assert {word: words.count(word) for word in set(words)} == emotions.CASME2
