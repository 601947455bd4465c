"""Videos for the tests of spotting, and how hypothesis draws them."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import strategies as st

from mexbench.interfaces.spotting import ScoredInterval
from mexbench.interfaces.video import Interval, IntervalKind
from mexbench.metrics.spotting.scores import KINDS, SpottedVideo


def true(onset: int, offset: int, kind: IntervalKind = "micro", apex: int | None = None, emotion: str = "") -> Interval:
    return Interval(onset=onset, apex=apex, offset=offset, kind=kind, emotion=emotion or None)


def claim(
    onset: int, offset: int, kind: IntervalKind = "micro", score: float = 1.0, apex: int | None = None
) -> ScoredInterval:
    return ScoredInterval(onset=onset, offset=offset, kind=kind, score=score, apex=apex)


def video(
    name: str,
    truth: list[Interval] | tuple[Interval, ...] = (),
    predicted: list[ScoredInterval] | tuple[ScoredInterval, ...] = (),
    *,
    group: str = "s1",
    fps: float | None = 100,
    n_frames: int | None = 6_000,
    member: str = "d",
) -> SpottedVideo:
    return SpottedVideo(
        video_id=name, group=group, member=member, fps=fps, n_frames=n_frames, truth=tuple(truth),
        predicted=tuple(predicted),
    )  # fmt: skip


def shifted(one: SpottedVideo, by: int) -> SpottedVideo:
    return replace(
        one,
        truth=tuple(replace(i, onset=i.onset + by, offset=i.offset + by, apex=i.apex and i.apex + by)
                    for i in one.truth),
        predicted=tuple(replace(i, onset=i.onset + by, offset=i.offset + by) for i in one.predicted),
    )  # fmt: skip


_SPAN = st.tuples(st.integers(1, 60), st.integers(0, 15), st.sampled_from(KINDS))
_TRUTH = _SPAN.map(lambda s: true(s[0], s[0] + s[1], s[2], apex=s[0] + s[1] // 2))
_CLAIM = st.tuples(_SPAN, st.sampled_from([0.1, 0.5, 0.9])).map(
    lambda s: claim(s[0][0], s[0][0] + s[0][1], s[0][2], s[1])
)
VIDEOS = st.lists(
    st.tuples(st.lists(_TRUTH, max_size=4), st.lists(_CLAIM, max_size=5), st.sampled_from(["s1", "s2", "s3"])),
    min_size=1,
    max_size=6,
).map(lambda rows: [video(f"v{i}", t, p, group=g) for i, (t, p, g) in enumerate(rows)])
