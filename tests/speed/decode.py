"""Whether PyAV decodes films faster than today's reader: ``python -m tests.speed.decode``; needs ``pip install av``.

PyAV is not a dependency; without it nothing is measured. Films of 640 x 480, three seconds of a drawn face, are read
to RGB pixels by ``Video``, which is OpenCV's FFmpeg, and by PyAV's: every frame, and every third, where a decoder may
leave the others unconverted. Processor time on one thread, both in turn, the median of the rounds; above 1, PyAV is
faster.
H.264 is written by PyAV, which has an encoder where OpenCV's wheel has none. ``--rounds N`` takes more turns.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.metadata
import importlib.util
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from mexbench import devices

devices.use_one_thread()

import cv2  # noqa: E402
import numpy as np  # noqa: E402
from numpy.typing import NDArray  # noqa: E402

from mexbench.data.video.reader import Sampler, Video  # noqa: E402
from tests import films  # noqa: E402

SECONDS, FPS = 3, 30


def pyav() -> Any:  # noqa: ANN401 - no dependency: type checkers must do without it
    """Return PyAV."""
    return importlib.import_module("av")


def ours(path: Path, fps: float) -> Iterator[NDArray[np.uint8]]:
    """Yield frames (H, W, 3), RGB, as commands read them."""
    with Video(path) as film:
        for frame in film.frames(fps=fps):
            yield frame.image


def theirs(path: Path, fps: float) -> Iterator[NDArray[np.uint8]]:
    """Yield the same frames by PyAV, chosen by their times in the same way."""
    wanted = Sampler(fps)
    with pyav().open(str(path)) as container:
        stream = container.streams.video[0]
        stream.thread_type, stream.codec_context.thread_count = "NONE", 1
        for frame in container.decode(stream):
            if wanted(frame.time):
                yield frame.to_ndarray(format="rgb24")


READERS: dict[str, Callable[[Path, float], Iterator[NDArray[np.uint8]]]] = {"ours": ours, "pyav": theirs}


def write_films(folder: Path) -> dict[str, Path]:
    """Write a film of each codec that both readers know."""
    mpeg4 = films.person(folder / "film.mp4", SECONDS, fps=FPS, size=(480, 640))
    frames = list(ours(mpeg4, FPS))
    written = {
        "MPEG-4 in .mp4": mpeg4,
        "motion JPEG in .avi": films.write(folder / "film.avi", frames, fps=FPS),
        "VP8 in .webm": films.write(folder / "film.webm", frames, fps=FPS),
    }
    if "libx264" in pyav().codecs_available:
        written["H.264 in .mp4"] = write_h264(folder / "h264.mp4", frames)
    return written


def write_h264(path: Path, frames: list[NDArray[np.uint8]]) -> Path:
    """Write a film as most cameras and sites do."""
    av = pyav()
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=FPS)
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt, stream.codec_context.thread_count = "yuv420p", 1
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())
    return path


def compare(path: Path, fps: float, rounds: int) -> dict[str, float]:
    """Return milliseconds of processor time for each frame that comes out, after a round that does not count."""
    times: dict[str, list[float]] = {name: [] for name in READERS}
    for turn in range(rounds + 1):
        for name, read in READERS.items():
            start = time.process_time()
            count = sum(1 for _ in read(path, fps))
            if turn:
                times[name].append((time.process_time() - start) / count * 1e3)
    return {name: statistics.median(result) for name, result in times.items()}


def largest_difference(path: Path) -> int:
    """Return the largest difference between two pixels, of 255; the readers must yield as many frames.

    Raises:
        ValueError: One yields more than the other.
    """
    pairs = zip(ours(path, FPS), theirs(path, FPS), strict=True)
    return max(int(np.abs(one.astype(np.int16) - other).max()) for one, other in pairs)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    if importlib.util.find_spec("av") is None:
        print("skipped: PyAV is not installed (pip install av)")
        return
    cv2.setNumThreads(1)
    print(
        f"PyAV {importlib.metadata.version('av')}, OpenCV {cv2.__version__}; a film of 640 x 480 at {FPS} frames a "
        "second, milliseconds a frame that comes out"
    )
    with tempfile.TemporaryDirectory() as folder:
        for title, path in write_films(Path(folder)).items():
            for fps, chosen in ((FPS, "every frame"), (FPS / 3, "every third")):
                times = compare(path, fps, options.rounds)
                ratio = times["ours"] / times["pyav"]
                print(
                    f"  {title:<20} {chosen}: ours {times['ours']:6.2f}, PyAV {times['pyav']:6.2f}, "
                    f"PyAV {ratio:4.2f} times as fast"
                )
            print(f"  {title:<20} pixels differ by {largest_difference(path)} of 255 at most")


if __name__ == "__main__":
    main()
