"""What planning costs: ``bench check`` on many subjects, planted leaks, near-duplicates, fingerprints of sides.

    python -m tests.speed.planning

Processor time of this process; memory is its largest resident size so far.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from mexbench import cli
from mexbench.data.duplicates import Pixels
from mexbench.evaluation.sides import SampleIndex, side_digests
from mexbench.evaluation.split_checks import check_folds, find_leaks
from mexbench.interfaces import Fold, Sample
from mexbench_plugins.protocols.kfold import KFold
from mexbench_plugins.protocols.loso import LOSO

CLASSES = ("negative", "positive", "surprise")
#: Clips and subjects of DFME, the largest data set of the field.
DFME = 7_381, 656


@contextmanager
def measured(what: str) -> Iterator[None]:
    """Print the processor time of a block."""
    start = time.process_time()
    yield
    spent = time.process_time() - start
    largest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{what:<72}{spent:8.2f} s {largest:7.0f} MB")


def people(n_clips: int, n_subjects: int) -> list[Sample]:
    """Return clips of people, one after the other."""
    return [
        Sample(
            sample_id=f"big/s{i % n_subjects:05}/c{i:06}", clip_id=f"big/s{i % n_subjects:05}/c{i:06}",
            subject=f"big/s{i % n_subjects:05}", dataset="big", emotion=CLASSES[i % 3], label=i % 3,
        )
        for i in range(n_clips)
    ]  # fmt: skip


def random_pixels(n_clips: int) -> Pixels:
    """Return different digests, and four hashes a clip, which differ in about three bits from each other."""
    rng = np.random.default_rng(0)
    hashes = []
    for clip in rng.integers(0, 256, (n_clips, 32), np.uint8):
        frames = np.tile(clip, (4, 1))
        for frame in frames:
            frame[rng.integers(32)] ^= np.uint8(1 << rng.integers(8))
        hashes.append(tuple(frame.tobytes().hex() for frame in frames))
    return Pixels(tuple(f"digest {i}" for i in range(n_clips)), tuple(hashes))


def plant(samples: list[Sample], pixels: Pixels, folds: list[Fold]) -> None:
    """Plant a leak of each kind between two subjects and print which are found."""
    i, j = 0, len(samples) // 2 + 1
    near = bytearray.fromhex(pixels.hashes[i][0])
    near[3] ^= 0xFF  # eight bits
    planted = {
        "clip": ([replace(one, clip_id="same") if at in (i, j) else one for at, one in enumerate(samples)], pixels),
        "duplicate": (samples, Pixels(_put(pixels.digests, j, pixels.digests[i]), pixels.hashes)),
        "near-duplicate": (samples, Pixels(pixels.digests, _put(pixels.hashes, j, (near.hex(),)))),
    }
    for kind, (changed, seen) in planted.items():
        with measured(f"  planted {kind}, looked for in {len(folds)} folds"):
            leaks = find_leaks(folds, changed, seen)
        pair = {samples[i].sample_id, samples[j].sample_id}
        assert leaks, kind
        assert {leak.kind for leak in leaks} == {kind}, leaks[:3]
        assert {name for leak in leaks for name in (leak.train, leak.test)} >= pair, kind
    leaks = find_leaks(list(KFold(group="none", stratified=False).folds(samples)), samples)
    assert {leak.kind for leak in leaks} == {"subject"}


def _put(values: tuple[Any, ...], position: int, value: object) -> tuple[Any, ...]:
    return (*values[:position], value, *values[position + 1 :])


def check_config(subjects: int, clips: int) -> None:
    """Run ``bench check``."""
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "big.yaml"
        dataset = f"{{plugin: synthetic, subjects: {subjects}, clips: {clips}}}"
        config.write_text(f"dataset: {dataset}\nprotocol: loso\nmodels: [majority]\n")
        with measured(f"bench check, {subjects} subjects x {clips} clips"):
            cli.main(["check", str(config)])


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--subjects", type=int, default=2000)
    parser.add_argument("--clips", type=int, default=10)
    options = parser.parse_args()
    check_config(options.subjects, options.clips)
    for n_clips, n_subjects in (DFME, (options.subjects * options.clips, options.subjects)):
        print(f"{n_clips} clips of {n_subjects} subjects")
        samples, pixels = people(n_clips, n_subjects), random_pixels(n_clips)
        with measured("  folds of loso"):
            folds = list(LOSO().folds(samples))
        with measured("  check_folds"):
            check_folds(folds, samples, CLASSES)
        with measured("  subjects and clips on both sides"):
            assert not find_leaks(folds, samples)
        with measured("  ... and pixels, with four hashes a clip"):
            assert not find_leaks(folds, samples, pixels)
        plant(samples, pixels, folds)
        with measured("  fingerprints of the sides"):
            side_digests(folds, SampleIndex([one.sample_id for one in samples]))


if __name__ == "__main__":
    main()
