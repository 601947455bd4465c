"""A flow pack of made-up fields in the layout of MEGC 2019: hand-made motion, so that there is something to learn."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from mexbench_plugins.synth.motion import hand_made
from mexbench_plugins.synth.motion.fields import encode

CLASSES = ("negative", "positive", "surprise")


def write_pack(root: Path, *, subjects: int = 10, each: int = 2, seed: int = 0) -> Path:
    """Write so many subjects with ``each`` clips of each class."""
    rng = np.random.default_rng(seed)
    for subject in range(subjects):
        for number, label in enumerate(CLASSES):
            folder = root / f"sub{subject + 1:02}" / "u_test" / str(number)
            folder.mkdir(parents=True)
            for clip, picture in enumerate(encode(hand_made.sample(label, each, rng))):
                cv2.imwrite(str(folder / f"sub{subject + 1:02}_c{number}{clip} .png"), picture[..., ::-1])
    return root
