"""A good clip passes every measure, and each clip that is bad on purpose fails its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mexbench.errors import ConfigError, DataError
from mexbench_plugins.synth import faces
from mexbench_plugins.synth.action_units import parse
from mexbench_plugins.synth.clips import Camera, Take, Timing
from mexbench_plugins.synth.expression import express
from mexbench_plugins.synth.faces import SyntheticFace
from mexbench_plugins.synth.quality import motion, photo, realism, report
from mexbench_plugins.synth.quality.kinds import NOTICED_BY
from mexbench_plugins.synth.quality.recording import Measured, Recording, record
from mexbench_plugins.synth.quality.spoil import spoil
from mexbench_plugins.synth.quality.tracking import Tracking
from tests.mexbench_plugins.synth.flow import write_pack
from tests.mexbench_plugins.synth.quality.onnx import recogniser

TIMING = Timing(lead=4, rise=9, fall=26, tail=4)


@pytest.fixture(scope="module")
def take() -> Take:
    face = faces.builtin(9, width=320, height=240)
    return Take(face, express(parse("4"), face.geometry, 320, 240), TIMING, Camera(), 0)


def failed(recording: Recording) -> set[str]:
    measures = report.measure(recording, seed=9)
    return {one.name.partition(" (")[0] for one in measures if one.passes is False}


def test_a_good_clip_passes(take: Take) -> None:
    measures = report.measure(record(take), seed=9)
    assert [one.passes for one in measures] == [True] * 6 + [None]
    assert measures[-1].note == "needs a pack of real flow: give --flow-root"


@pytest.mark.parametrize("kind", [kind for kind in NOTICED_BY if kind not in ("glitch", "unreal-motion")])
def test_a_spoiled_clip_fails_its_own_measure_alone(take: Take, kind: str) -> None:
    assert failed(spoil(take, kind)) == {NOTICED_BY[kind]}


@pytest.mark.parametrize(("seed", "aus"), [(500, "17"), (503, "L12"), (503, "9"), (500, "6+12")])
def test_a_small_face_with_a_faint_motion_passes(seed: int, aus: str) -> None:
    """Each of these failed while flow was computed at the size of the picture."""
    face = faces.builtin(seed, width=320, height=240)
    timing = Timing(lead=8, rise=20, fall=36, tail=8)
    assert failed(record(Take(face, express(parse(aus), face.geometry, 320, 240), timing, Camera(), seed))) == set()


def test_flow_sees_the_same_of_a_motion_whatever_the_size_of_the_picture() -> None:
    seen = []
    for width, height in ((320, 240), (640, 480)):
        face = faces.builtin(9, width=width, height=height)
        tracking = Tracking(record(Take(face, express(parse("4"), face.geometry, width, height), TIMING)))
        factor = (tracking.visible * tracking.expected)[tracking.region].sum() / (tracking.expected**2).sum()
        seen.append(float(factor))
    assert seen[0] == pytest.approx(seen[1], rel=0.2)
    assert 0.5 < min(seen) < max(seen) < 1.1


@pytest.mark.parametrize(("step", "greatest"), [(1, 2.0), (3, 2.0)])
def test_third_difference_of_a_leap(step: int, greatest: float) -> None:
    leap = np.repeat([[0.0], [1.0]], 12, axis=0)
    assert motion.third_difference(leap, step) == pytest.approx(greatest)
    line = np.linspace(0, 1, 24)[:, None]
    assert motion.third_difference(line**2, step) == pytest.approx(0, abs=1e-9)  # a parabola has no jerk
    assert motion.third_difference(line[:3], step) == 0


def test_jerk_averages_many_frames_and_few_not_at_all() -> None:
    assert [motion.jerk_step(Timing(rise=rise, fall=40)) for rise in (4, 9, 20, 60)] == [1, 1, 4, 8]


def test_a_glitch_is_found_by_the_warp_error(take: Take) -> None:
    assert NOTICED_BY["glitch"] in failed(spoil(take, "glitch"))


def test_a_jump_of_the_head_is_found_by_the_jerk(take: Take) -> None:
    good = record(take)
    jumped = [frame if index < 30 else np.roll(frame, 3, axis=1) for index, frame in enumerate(good.frames)]
    assert "smoothness: jerk" in failed(replace(good, frames=jumped))


def test_other_action_units_with_a_learned_label_are_measured_too(small: SyntheticFace) -> None:
    shown = replace(express(parse("6+12"), small.geometry, 320, 240), aus=(), label="positive")
    assert failed(record(Take(small, shown, TIMING))) == set()


def test_a_symmetric_clip_is_the_same_backwards(take: Take) -> None:
    with pytest.raises(ConfigError, match="the same backwards; give --rise 20 --fall 40"):
        spoil(replace(take, timing=Timing(rise=10, fall=10)), "reversed-time")


def test_motion_too_small_to_see_is_not_measured(take: Take) -> None:
    face = take.face
    tiny = replace(take, expression=express(parse("4"), face.geometry, 320, 240, intensity=0.1))
    measures = report.measure(record(tiny), seed=9)
    assert [one.passes for one in measures] == [True, True, *[None] * 5]
    assert "too small for optical flow" in measures[-1].note


def test_realism_knows_motion_that_no_real_field_has(take: Take, tmp_path: Path) -> None:
    root = write_pack(tmp_path / "pack", subjects=20, each=3)
    bad = realism.realism(Tracking(spoil(take, "unreal-motion")), root, published=False)
    assert bad.passes is False
    assert "unexplained 0.0%" in bad.note
    assert "180 real fields" in bad.definition


def test_realism_on_the_real_pack(take: Take, real_flow: Path) -> None:
    assert realism.realism(Tracking(record(take)), real_flow).passes
    assert realism.realism(Tracking(spoil(take, "unreal-motion")), real_flow).passes is False


def test_shape_statistics_of_known_fields() -> None:
    even = np.zeros((1, 2, 28, 28), np.float32)
    even[:, 0] = 1
    checkered = even.copy()
    checkered[:, 0] *= np.where(np.indices((28, 28)).sum(0) % 2, 1, -1)
    point = np.zeros_like(even)
    point[:, 0, 5, 5] = 28
    basis = (even.reshape(1, -1) / 28).astype(np.float32)
    shapes = [realism.statistics(field, basis) for field in (even, checkered, point)]
    assert [float(shape["unexplained"][0]) for shape in shapes] == pytest.approx([0, 1, 1 - 1 / 784], abs=1e-6)
    edge = 27 / 28  # the last row and column have one neighbour less
    assert [float(shape["neighbours"][0]) for shape in shapes] == pytest.approx([edge, -edge, 0], abs=1e-6)
    assert [float(shape["spread"][0]) for shape in shapes] == pytest.approx([0.5, 0.5, 1 / 784])


def test_a_clip_of_a_real_face_embedding(take: Take, tmp_path: Path) -> None:
    model = tmp_path / "mean_colours.onnx"
    model.write_bytes(recogniser())
    one, other = (
        report.measure(clip, seed=9, embedding=model)[0] for clip in (record(take), spoil(take, "other-identity"))
    )
    assert one.name == "identity (face embedding)"
    assert (one.limit, one.at_least) == (0.363, True)
    assert one.value is not None
    assert other.value is not None
    assert one.value > 0.99 > other.value


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "file not found; give an ONNX face recogniser"),
        (b"not a network", "OpenCV cannot use it as a face recogniser"),
        (b"", "OpenCV cannot use it as a face recogniser"),
    ],
)
def test_bad_recognisers_are_named(take: Take, tmp_path: Path, content: bytes | None, message: str) -> None:
    model = tmp_path / "sface.onnx"
    if content is not None:
        model.write_bytes(content)
    with pytest.raises(DataError, match=message):
        report.measure(record(take), seed=9, embedding=model)


def shown(face: SyntheticFace, aus: str) -> SyntheticFace:
    height, width = face.image.shape[:2]
    moved = express(parse(aus), face.geometry, width, height, intensity=4)
    return replace(face, image=Take(face, moved).performed(1.0))


def test_photos_that_are_not_neutral_or_not_frontal_are_warned_of(face: SyntheticFace) -> None:
    import cv2

    assert photo.warnings(face) == []
    assert "corners of its mouth lie" in photo.warnings(shown(face, "6+12"))[0]
    assert "above its middle" in photo.warnings(shown(face, "6+12"))[0]
    assert "below its middle" in photo.warnings(shown(face, "15"))[0]
    columns, rows = np.meshgrid(np.arange(640, dtype=np.float32), np.arange(480, dtype=np.float32))
    u, v = (columns - face.geometry.x) / face.geometry.unit, (rows - face.geometry.y) / face.geometry.unit
    depth = np.sqrt(np.clip(1.15 - u**2 - ((v - 0.3) / 1.6) ** 2, 0, None))
    turned = columns + np.float32(0.5 * face.geometry.unit) * depth.astype(np.float32)
    profile = replace(face, image=np.asarray(cv2.remap(face.image, turned, rows, cv2.INTER_CUBIC), np.uint8))
    assert any("does not look frontal" in text for text in photo.warnings(profile))
    tilted = faces.posed(face, shift=(0, 0), scale=1, turn=20)
    assert any("the head is tilted by" in text for text in photo.warnings(tilted))


def test_several_faces_are_warned_of(small: SyntheticFace) -> None:
    both = replace(small, image=np.hstack([small.image, faces.builtin(3, width=320, height=240).image]))
    assert any("shows 2 faces: the largest is used" in text for text in photo.warnings(both))


def test_the_page_shows_values_bounds_and_what_they_are() -> None:
    measures = [
        Measured(name="a", value=0.25, limit=0.5, at_least=False, definition="how much a"),
        Measured(name="b", value=0.25, limit=0.5, at_least=True, definition="how much b", note="x|<y>\n"),
        Measured(name="c", value=None, limit=0.5, at_least=True, definition="how much c", note="no pack"),
    ]
    text = report.page("clip <1>", measures, ["not neutral"], "jump")
    assert text.startswith("# clip &lt;1>\n\n> This clip was spoiled on purpose: **jump**.\n\n> not neutral\n")
    assert "| a | 0.250 | at most 0.5 | pass |  |" in text
    assert "| b | 0.250 | at least 0.5 | FAIL | x\\|&lt;y>? |" in text
    assert "| c | - | - | not measured | no pack |" in text
    assert "- **a**: how much a." in text
    row: Mapping[str, object] = measures[1].to_dict()
    assert (row["passes"], row["value"], row["limit"]) == (False, 0.25, 0.5)


def test_every_way_to_spoil_names_a_measure(take: Take) -> None:
    names = [one.name for one in report.measure(record(take), seed=9)]
    for beginning in NOTICED_BY.values():
        assert sum(name.startswith(beginning) for name in names) == 1


def test_frames_must_be_as_many_as_announced(take: Take) -> None:
    good = record(take)
    with pytest.raises(ValueError, match="43 frames, 44 were announced"):
        Recording(list(good.frames)[:-1], good.still, good.geometry, good.expression, good.timing)
