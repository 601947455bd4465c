"""Long videos of procedural faces: what is annotated is what happens in the pixels, and is known without painting."""

from __future__ import annotations

import numpy as np
import pytest

from mexbench_plugins.datasets.synthetic_long import SyntheticLong
from mexbench_plugins.synth import faces
from mexbench_plugins.synth.long_videos import GAP_SECONDS, LongVideoSpec, direct

SMALL = SyntheticLong(subjects=2, videos_each=3, seconds=12, micro=2, macro=1, size=32)


def test_every_third_video_has_no_expression(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(faces, "builtin", lambda *_, **__: pytest.fail("a face was painted for the annotation"))
    videos = SyntheticLong(subjects=2, seconds=12, micro=2, macro=1).videos()
    assert [len(video.intervals) for video in videos] == [3, 3, 0] * 2
    assert {video.subject for video in videos} == {"synthetic_long/s01", "synthetic_long/s02"}
    assert all(video.frames == (1, 360) and video.fps == 30 for video in videos)


def test_lengths_and_gaps_are_those_of_the_types() -> None:
    for video in SMALL.videos():
        last = 1
        for one in video.intervals:
            frames = one.offset - one.onset + 1
            assert (frames <= 15) == (one.kind == "micro")
            assert one.apex is not None
            assert one.onset < one.apex < one.offset
            assert one.onset - last >= round(GAP_SECONDS * 30)
            last = one.offset


def test_the_face_changes_most_at_the_apex_and_not_between_expressions() -> None:
    spec = LongVideoSpec(seconds=8, micro=1, macro=1, noise=0.0, drift=0.0, nods=0.0, blinks=0.0)
    script = direct(spec, person=7, seed=3)
    frames = np.stack(list(script.take().face_frames(48))).astype(np.float32)
    steady = frames / frames.mean(axis=(1, 2), keepdims=True)  # the light flickers
    change = np.abs(steady - steady[0]).mean(axis=(1, 2))
    outside = np.ones(len(change), bool)
    for one in script.intervals(first=0):
        outside[one.onset : one.offset + 1] = False
    still = float(change[outside].max())  # rounding under a light that flickers
    assert still < 0.005
    for one in script.intervals(first=0):
        assert one.apex is not None
        inside = change[one.onset : one.offset + 1]
        assert abs(int(inside.argmax()) + one.onset - one.apex) <= 2
        assert change[one.apex] > (3 * still if one.kind == "macro" else still)


def test_the_same_video_has_the_same_pixels_and_another_seed_others() -> None:
    video = SMALL.videos()[0]
    one, two = SMALL.load_video(video).frames, SMALL.load_video(video).frames
    assert one.shape == (360, 32, 32, 1)
    assert np.array_equal(one, two)
    assert SyntheticLong(seed=1).videos()[0] != SyntheticLong().videos()[0]


def test_clips_are_the_expressions() -> None:
    sample = SMALL.samples()[0]
    clip = SMALL.load(sample)
    assert sample.onset is not None
    assert sample.offset is not None
    assert len(clip.frames) == sample.offset - sample.onset + 1
    video = SMALL.load_video(SMALL.videos()[0]).frames
    assert np.array_equal(clip.frames, video[sample.onset - 1 : sample.offset])


def test_too_many_expressions_do_not_fit() -> None:
    with pytest.raises(ValueError, match="20 expressions do not fit into 6 s"):
        direct(LongVideoSpec(seconds=6, micro=10, macro=10), person=1, seed=0)
