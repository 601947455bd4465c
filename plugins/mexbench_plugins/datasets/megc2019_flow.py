"""The MEGC2019 composite as optical flow, one image per clip."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np

from mexbench.data.image import read_image
from mexbench.errors import DataError, check_name, counted, listed
from mexbench.interfaces import Clip, Dataset, DataSource, Sample
from mexbench_plugins.datasets.published import megc2019_counts

#: Name of a class folder -> class.
CLASSES = {"0": "negative", "1": "positive", "2": "surprise"}
#: The member dataset follows from how it names its subjects.
MEMBERS = {r"sub\d+": "casme2", r"s\d+": "smic", r"\d{3}": "samm"}
SHAPE = (28, 28, 3)
_LAYOUT = "<root>/<subject>/u_test/<0,1,2>/<clip>.png"
#: What operating systems leave in folders.
_LITTER = re.compile(r"\..*|__MACOSX|Thumbs\.db|desktop\.ini", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class Megc2019Flow(Dataset):
    """Optical flow (u, v, strain) from onset to apex of the 442 clips of the MEGC2019 composite, 28x28, 3 classes.

    Each channel of each image was stretched to 0-255 when the pack was made, so magnitudes are gone. ``u_train``
    folders, which full packs hold as well, are copies of other subjects' clips and are not read.

    Published with the code of STSTNet (GitHub, christy1206/STSTNet, folder norm_u_v_os). Checksum of the maps (pixels
    in RGB order and sample ids, SHA-256, 32 digits): 28a0e46544be956504b7afb2c6e2714f. The same clips as CausalNet's
    authors recomputed them are ``causalnet_maps``.

    Args:
        root: Folder with one folder per subject, often called norm_u_v_os.
        channels: rgb as stored, which is u, v, strain; bgr as OpenCV reads it, strain, v, u, which peers feed.
        expect: published refuses a copy whose clips per subject and class are not those published; any takes what is
            there.
    """

    source = (
        "See et al., MEGC 2019: the second facial micro-expressions grand challenge, FG 2019 (442 clips, 68 subjects)"
    )
    licence = "derived from SMIC, CASME II and SAMM: get each from its owners, for research alone"

    root: Path
    channels: Literal["rgb", "bgr"] = "rgb"
    expect: Literal["published", "any"] = "published"

    @classmethod
    def data_source(cls) -> DataSource:
        """Return who gives it."""
        return DataSource(
            owner="the authors of STSTNet",
            page="https://github.com/christy1206/STSTNet",
            request="the folder norm_u_v_os; it derives from SMIC, CASME II and SAMM: get them from their owners first",
            size="442 clips of 68 people; some MiB",
            variable="MEGC2019_FLOW_ROOT",
        )

    def published_counts(self) -> Mapping[str, int]:
        """Return those of the MEGC2019 composite."""
        emotions = {"emotion negative": 250, "emotion positive": 109, "emotion surprise": 83}
        return {"clips": 442, "subjects": 68, **emotions}

    def label_map(self) -> Mapping[str, str]:
        """Return the three classes of MEGC2019: negative, positive, surprise."""
        return {emotion: emotion for emotion in CLASSES.values()}

    def samples(self) -> Sequence[Sample]:
        """Return one sample per clip."""
        return [sample for sample, _ in self._index.values()]

    def load(self, sample: Sample) -> Clip:
        """Read one flow image: frames (1, 28, 28, 3), uint8."""
        path = self._index[sample.sample_id][1]
        image = read_image(path, most_bits=8)
        if image.shape != SHAPE:
            raise DataError(f"{path}: expected 28x28 pixels of three 8-bit channels, got {image.shape} {image.dtype}")
        frame = image if self.channels == "rgb" else np.ascontiguousarray(image[..., ::-1])
        return Clip(frames=frame[None])

    def files(self, sample: Sample, numbers: Sequence[int] | None = None) -> Sequence[Path]:
        """Return the one image."""
        del numbers
        return (self._index[sample.sample_id][1],)

    @cached_property
    def _index(self) -> dict[str, tuple[Sample, Path]]:
        index: dict[str, tuple[Sample, Path]] = {}
        for subject_folder in self._subject_folders():
            for sample, path in _clips(subject_folder):
                if sample.sample_id in index:
                    other = index[sample.sample_id][1]
                    raise DataError(
                        f"clip {sample.sample_id} is in two class folders: {other} and {path}; remove the wrong one"
                    )
                index[sample.sample_id] = sample, path
        if self.expect == "published":
            self._compare(sample for sample, _ in index.values())
        return index

    def _subject_folders(self) -> list[Path]:
        if not self.root.is_dir():
            what = "is a file" if self.root.exists() else "no such folder"
            raise DataError(f"{self.root}: {what}; 'root' must be the folder of {_LAYOUT}")
        folders = [path for path in _visible(self.root) if path.is_dir()]
        if not folders:
            raise DataError(f"{self.root}: is empty; expected {_LAYOUT}")
        unexpected = [path.name for path in folders if _member(path.name) is None]
        if unexpected:
            inner = [path for path in folders if any(_member(p.name) for p in _visible(path) if p.is_dir())]
            hint = f"; did you mean root: {inner[0]}?" if inner else ""
            raise DataError(
                f"{self.root}: {listed(unexpected, limit=5)}: not a subject of MEGC2019 (sub01, s01 or 006){hint}; "
                f"expected {_LAYOUT}"
            )
        return folders

    def _compare(self, samples: Iterator[Sample]) -> None:
        """Refuse a half-copied pack: say which subjects and classes lack clips or have too many."""
        counts = Counter((sample.sample_id.split("/")[1], str(sample.emotion)) for sample in samples)
        published = megc2019_counts()
        odd = [
            f"{subject} {emotion}: {counts[subject, emotion]} of {published.get((subject, emotion), 0)}"
            for subject, emotion in sorted(published.keys() | counts.keys())
            if counts[subject, emotion] != published.get((subject, emotion), 0)
        ]
        if odd:
            raise DataError(
                f"{self.root}: {counted(counts.total(), 'clip')}, {sum(published.values())} were published; clips "
                f"found by subject and class: {listed(odd, limit=8)}; copy the pack again, or set 'expect: any' to use "
                "it"
            )


def _clips(subject_folder: Path) -> Iterator[tuple[Sample, Path]]:
    subject, dataset = subject_folder.name, _member(subject_folder.name)
    test = subject_folder / "u_test"
    if not test.is_dir():
        raise DataError(f"{subject_folder}: has no folder u_test; expected {_LAYOUT}")
    for class_folder in _visible(test):
        if class_folder.name not in CLASSES or not class_folder.is_dir():
            raise DataError(f"{class_folder}: expected a class folder: {listed(CLASSES)}")
        for path in _visible(class_folder):
            if path.suffix.lower() != ".png" or not path.is_file():
                raise DataError(f"{path}: expected a PNG file")
            # Files are called "sub01_EP02_01f .png": the subject once more in front, a space behind.
            clip = f"{dataset}/{subject}/{path.stem.strip().removeprefix(f'{subject}_')}"
            yield (
                Sample(
                    sample_id=clip,
                    clip_id=clip,
                    subject=f"{dataset}/{subject}",
                    dataset=str(dataset),
                    emotion=CLASSES[class_folder.name],
                ),
                path,
            )


def _visible(folder: Path) -> list[Path]:
    paths = sorted(path for path in folder.iterdir() if not _LITTER.fullmatch(path.name))
    for path in paths:
        check_name(path)
    return paths


def _member(subject: str) -> str | None:
    return next((member for pattern, member in MEMBERS.items() if re.fullmatch(pattern, subject)), None)
