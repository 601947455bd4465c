"""Long videos from the rows of a sheet: what spotting reads."""

from __future__ import annotations

from mexbench.interfaces import Interval, LongVideo
from mexbench_plugins.datasets._io.annotated_clips import ClipLayout
from mexbench_plugins.datasets._io.clip_rows import ClipRow
from mexbench_plugins.datasets._io.folders import list_frames, resolve


def read_videos(layout: ClipLayout) -> list[LongVideo]:
    """Return the videos that rows belong to, each with its corrected intervals by rising onset.

    A row whose onset is unknown, or lies behind its offset after the corrections, gives no interval; ``data_issues``
    names it. An unknown offset is the apex where ``missing_offset`` says so.
    """
    rows: dict[str, list[ClipRow]] = {}
    for row in layout.rows:
        if row.video is not None:
            rows.setdefault(row.video, []).append(row)
    return [_video(layout, name, members) for name, members in sorted(rows.items())]


def _video(layout: ClipLayout, name: str, rows: list[ClipRow]) -> LongVideo:
    intervals = []
    for row in rows:
        corrected = layout.corrected(row)
        offset = corrected.offset
        if offset is None and layout.missing_offset == "apex":
            offset = corrected.apex
        if corrected.onset is not None and offset is not None and corrected.onset <= offset:
            intervals.append(
                Interval(onset=corrected.onset, apex=corrected.apex, offset=offset, kind=row.kind, emotion=row.emotion)
            )
    first = rows[0]
    return LongVideo(
        video_id=f"{layout.dataset}/{name}",
        subject=f"{layout.dataset}/{first.subject}",
        dataset=layout.dataset,
        fps=first.fps,
        frames=first.video_frames or _frames_on_disk(layout, first),
        intervals=tuple(sorted(intervals, key=lambda interval: (interval.onset, interval.offset))),
    )


def _frames_on_disk(layout: ClipLayout, row: ClipRow) -> tuple[int, int] | None:
    folder = resolve(layout.frames, row.folder)
    numbers = list_frames(folder) if folder.is_dir() else {}
    return (min(numbers), max(numbers)) if numbers else None
