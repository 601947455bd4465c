"""How fast faces are prepared: ``python -m tests.speed.preprocess``, from the repository's root.

Prints clips per minute and ratios, all from one run: processor time on one thread, the contenders taking turns, the
median of several rounds. Each clip is 30 frames of 640 x 480, with a procedural face.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from mexbench.data.cache import Cache, CacheEntry
from mexbench.data.read_ahead import cores
from mexbench.fingerprint import digest, digest_array, digest_files
from mexbench.interfaces import Clip
from mexbench_plugins.preprocessors.clahe import Clahe
from mexbench_plugins.preprocessors.face import Face
from mexbench_plugins.preprocessors.grayscale import Grayscale
from mexbench_plugins.preprocessors.lbp import Lbp
from mexbench_plugins.preprocessors.lbp_top import LbpTop
from mexbench_plugins.preprocessors.resize import Resize
from mexbench_plugins.synth import faces
from mexbench_plugins.synth.action_units import parse
from mexbench_plugins.synth.clips import Camera, Take, Timing
from mexbench_plugins.synth.expression import express

FRAMES = 30
ROUNDS = 7


def make_frames(seed: int) -> NDArray[np.uint8]:
    """Return the frames of a clip (30, 480, 640, 3), RGB, of a procedural face that smiles."""
    face = faces.builtin(seed, width=640, height=480)
    shown = express(parse("6+12"), face.geometry, 640, 480)
    return np.stack(list(Take(face, shown, Timing(lead=0, rise=14, fall=FRAMES - 15, tail=0), Camera(), seed).frames()))


def medians(contenders: Mapping[str, Callable[[], object]], rounds: int = ROUNDS) -> dict[str, float]:
    """Time contenders in turns, after a first round that does not count; return seconds of processor time."""
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for turn in range(rounds + 1):
        for name, action in contenders.items():
            start = time.process_time()
            action()
            if turn:
                times[name].append(time.process_time() - start)
    return {name: statistics.median(result) for name, result in times.items()}


def repeated(action: Callable[[], object], count: int) -> Callable[[], None]:
    """Make a short action long enough for the clock."""

    def run() -> None:
        for _ in range(count):
            action()

    return run


def prepared(clip: Clip, face: Face) -> Clip:
    """Paper 1's steps up to the network: face, CLAHE, 224 x 224."""
    for step in (face, Clahe(), Resize(size=224)):
        clip = step(clip)
    return clip


def steps_and_cache(folder: Path) -> None:
    """Cold against detecting on every frame, and against the cache."""
    frames = make_frames(0)
    files = [folder / f"img{index}.jpg" for index in range(FRAMES)]
    for path, frame in zip(files, frames, strict=True):
        cv2.imwrite(str(path), frame[..., ::-1])
    clip = Clip(frames=frames)
    cache = Cache(folder / "cache")

    def read() -> Clip:
        images = (cv2.imread(str(path)) for path in files)
        return Clip(frames=np.stack([cv2.cvtColor(image, cv2.COLOR_BGR2RGB) for image in images if image is not None]))

    def key() -> str:
        return digest({"source": digest_files(files)})

    def cold() -> None:
        name, raw = key(), read()
        cache.put(name, CacheEntry(prepared(raw, Face()), tuple(digest_array(frame) for frame in raw.frames)))

    def cached() -> None:
        if cache.get(key()) is None:
            raise RuntimeError("the cache has lost its entry")

    result = medians(
        {
            "onset": lambda: prepared(clip, Face()),
            "every": lambda: prepared(clip, Face(detect="every")),
            "detect onset": lambda: Face()(clip),
            "detect every": lambda: Face(detect="every")(clip),
            "cold": cold,
            "cached": cached,
        }
    )
    print("face + CLAHE + resize, 30 frames of 640 x 480, one thread")
    print(f"  clips a minute, frames in memory            {60 / result['onset']:8.0f}")
    print(f"  clips a minute, from JPEG files, cold       {60 / result['cold']:8.0f}")
    print(f"  against detecting on every frame            {result['every'] / result['onset']:8.1f} x")
    print(f"  the face step alone, likewise               {result['detect every'] / result['detect onset']:8.1f} x")
    print(f"  from the cache against cold                 {result['cold'] / result['cached']:8.1f} x")


def one_frame_at_a_time(clip: Clip) -> Clip:
    """Do what ``prepared`` does with OpenCV's calls in a loop over frames, in one thread: the peer of our own steps."""
    clip = Face()(clip)
    results = []
    equaliser = cv2.createCLAHE(clipLimit=2.0, tileGridSize=(8, 8))
    for frame in clip.frames:
        lab = cv2.cvtColor(frame, cv2.COLOR_RGB2LAB)
        lab[..., 0] = equaliser.apply(lab[..., 0])
        rgb = cv2.cvtColor(lab, cv2.COLOR_LAB2RGB)
        results.append(cv2.resize(rgb, (224, 224), interpolation=cv2.INTER_AREA))
    return Clip(frames=np.stack(results))


def against_a_loop(threads: int, rounds: int = 15) -> dict[str, tuple[float, float]]:
    """Return seconds of processor and of wall time, the least of all rounds, of the ``loop`` and of our ``steps``.

    Args:
        threads: That OpenCV, and so our steps, may use.
        rounds: In which the two take turns.
    """
    clip = Clip(frames=make_frames(0))
    if not np.array_equal(prepared(clip, Face()).frames, one_frame_at_a_time(clip).frames):
        raise RuntimeError("our steps and the loop differ")
    before = cv2.getNumThreads()
    cv2.setNumThreads(threads)
    times: dict[str, list[tuple[float, float]]] = {"loop": [], "steps": []}
    for _ in range(rounds):
        for name, action in (("loop", one_frame_at_a_time), ("steps", lambda clip: prepared(clip, Face()))):
            start, processor = time.perf_counter(), time.process_time()
            action(clip)
            times[name].append((time.process_time() - processor, time.perf_counter() - start))
    cv2.setNumThreads(before)
    return {name: (min(used for used, _ in turns), min(wall for _, wall in turns)) for name, turns in times.items()}


def print_against_a_loop() -> None:
    """Print both times with OpenCV on one thread and on all cores."""
    print("face + CLAHE + resize against OpenCV's calls frame by frame")
    for threads in (1, cores()):
        result = against_a_loop(threads)
        for what, loop, steps in zip(("processor time", "wall time"), result["loop"], result["steps"], strict=True):
            about = f"{threads} threads, {what}"
            print(f"  {about:<41} {steps / loop:8.2f} x  {1e3 * steps:.1f} ms for {1e3 * loop:.1f}")


def codes() -> None:
    """LBP codes against scikit-image's."""
    from skimage.feature import local_binary_pattern

    image = Grayscale()(Clip(frames=make_frames(1)[:1]))
    print("LBP codes of one frame against scikit-image's")
    for size in (48, 224):
        clip = Resize(size=size)(image)
        plain = clip.frames[0, ..., 0]
        same, paper = Lbp(comparison="at_least", neighbours="circle"), Lbp()
        if not np.array_equal(same(clip).frames[0, ..., 0], local_binary_pattern(plain, 8, 1)):
            raise RuntimeError("the code maps differ")
        count = 20_000 // size
        result = medians(
            {
                "scikit": repeated(lambda plain=plain: local_binary_pattern(plain, 8, 1), count),
                "same": repeated(lambda clip=clip, same=same: same(clip), count),
                "paper": repeated(lambda clip=clip, paper=paper: paper(clip), count),
            }
        )
        print(f"  {size:3} x {size:<3} the same code map                  {result['scikit'] / result['same']:8.1f} x")
        print(f"  {size:3} x {size:<3} 3 x 3 square, strict               {result['scikit'] / result['paper']:8.1f} x")


def planes() -> None:
    """LBP-TOP against detecting the face, to see which one a run waits for."""
    clip = Clip(frames=make_frames(2))
    small = Grayscale()(Resize(size=128)(Face()(clip)))
    result = medians({"lbp_top": lambda: LbpTop()(small), "steps": lambda: prepared(clip, Face())})
    print("LBP-TOP of 30 frames of 128 x 128")
    print(f"  in units of face + CLAHE + resize           {result['lbp_top'] / result['steps']:8.2f} x")


if __name__ == "__main__":
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory() as scratch:
        steps_and_cache(Path(scratch))
    print_against_a_loop()
    codes()
    planes()
