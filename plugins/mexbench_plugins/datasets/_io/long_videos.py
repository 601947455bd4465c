"""Long videos from the rows of a sheet and their folders of frames: what spotting reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mexbench.data.image import read_image
from mexbench.errors import DataError, SampleRejected
from mexbench.interfaces import Clip, Interval, LongVideo
from mexbench_plugins.datasets._io.annotated_clips import ClipLayout
from mexbench_plugins.datasets._io.clip_rows import ClipRow
from mexbench_plugins.datasets._io.folders import list_frames, resolve


@dataclass(frozen=True)
class VideoFolder:
    """A long video and where its frames are.

    Args:
        video: What is known of it.
        folder: Of its frames; it need not exist.
    """

    video: LongVideo
    folder: Path

    def files(self) -> Sequence[Path]:
        """Return the file of each frame, from the first to the last.

        Raises:
            SampleRejected: A number in between has no file: every later frame would be taken for an earlier one.
            DataError: The folder cannot be read.
        """
        first, last = self.video.frames or (0, -1)
        numbered = list_frames(self.folder)
        if any(number not in numbered for number in range(first, last + 1)):
            raise SampleRejected("frames are missing between the first and the last one of the long video")
        return [numbered[number] for number in range(first, last + 1)]

    def load(self, side: int) -> Clip:
        """Read every frame: (T, H, W, 3) RGB or (T, H, W, 1) gray, uint8.

        Args:
            side: Most pixels along the longer side of a frame; larger frames are reduced as they are read.

        Raises:
            SampleRejected: Frames are missing.
            DataError: A frame cannot be read, or has another size than the first one.
        """
        paths = self.files()
        original = read_image(paths[0])
        first = _reduced(original, side)
        frames = np.empty((len(paths), *first.shape), np.uint8)
        frames[0] = first
        for index, path in enumerate(paths[1:], start=1):
            image = read_image(path)
            if image.shape != original.shape:
                raise DataError(
                    f"{path}: is {image.shape[1]}x{image.shape[0]} with {image.shape[2]} channels, {paths[0].name} "
                    f"{original.shape[1]}x{original.shape[0]} with {original.shape[2]}; copy the video again from one "
                    "release"
                )
            frames[index] = _reduced(image, side)
        return Clip(frames=frames, fps=self.video.fps)


def read_video_folders(layout: ClipLayout) -> Mapping[str, VideoFolder]:
    """Return the videos of a layout by id, each with its corrected intervals by rising onset.

    A row whose onset is unknown, or lies behind its offset after the corrections, gives no interval; ``data_issues``
    names it. An unknown offset is the apex where ``missing_offset`` says so. A video on disk that no row names has no
    interval.
    """
    rows: dict[str, list[ClipRow]] = {}
    for row in (*layout.rows, *layout.unlisted_videos):
        if row.video is not None:
            rows.setdefault(row.video, []).append(row)
    videos = (_video_folder(layout, name, members) for name, members in sorted(rows.items()))
    return {one.video.video_id: one for one in videos}


def _video_folder(layout: ClipLayout, name: str, rows: list[ClipRow]) -> VideoFolder:
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
    folder = resolve(layout.frames, first.folder)
    video = LongVideo(
        video_id=f"{layout.dataset}/{name}",
        subject=f"{layout.dataset}/{first.subject}",
        dataset=layout.dataset,
        fps=first.fps,
        frames=first.video_frames or _frames_on_disk(folder),
        intervals=tuple(sorted(intervals, key=lambda interval: (interval.onset, interval.offset))),
    )
    return VideoFolder(video, folder)


def _frames_on_disk(folder: Path) -> tuple[int, int] | None:
    numbers = list_frames(folder) if folder.is_dir() else {}
    return (min(numbers), max(numbers)) if numbers else None


def _reduced(image: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """Reduce an image (H, W, C) to at most ``side`` pixels along its longer side, by the mean over areas."""
    import cv2

    height, width, channels = image.shape
    share = side / max(height, width)
    if share >= 1:
        return image
    size = max(1, round(width * share)), max(1, round(height * share))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8).reshape(*size[::-1], channels)
