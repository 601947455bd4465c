"""A small folder in the layout of CausalNet's maps."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from mexbench_plugins.datasets.causalnet_maps import SUFFIXES

HEADER = "dataset,sub,filename_o,label,apex,imagename,sub_filename"
#: The files of two of them can be mistaken: map 2 of 014_5 is called as a clip 014_5_2 would be.
CLIPS = ("casme2,sub01,EP02_01f,1", "samm,014,014_5,0", "smic,s01,s01_ne_01,2")


def write_maps(root: Path) -> Path:
    """Write the list of labels and four maps per clip; the red channel says which clip and which map."""
    root.mkdir()
    (root / "labels.csv").write_text("\n".join([HEADER, *(f"{clip},,," for clip in CLIPS)]) + "\n")
    for number, line in enumerate(CLIPS):
        _, subject, clip, _ = line.split(",")
        for index, suffix in enumerate(SUFFIXES.values()):
            image = np.full((28, 28, 3), (10 * number + index, 100, 200), np.uint8)  # R, G, B
            cv2.imwrite(str(root / f"{subject}_{clip}{suffix} .png"), image[..., ::-1])
    return root
