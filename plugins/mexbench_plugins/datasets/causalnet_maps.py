"""Four flow maps per clip of the MEGC2019 composite, as CausalNet's authors recomputed and published them."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from annotated_types import MinLen
from numpy.typing import NDArray

from mexbench.data.image import read_image
from mexbench.errors import DataError, all_of, counted, listed
from mexbench.interfaces import Clip, DataArchive, Dataset, DataSource, Sample
from mexbench_plugins.datasets._io import flow_packs
from mexbench_plugins.datasets._io.folders import inside, require_folder

Map = Literal["onset_apex", "apex_offset", "onset_apex_direction", "apex_offset_direction"]
#: Map -> what its file name ends in, before the blank.
SUFFIXES: Mapping[Map, str] = {
    "onset_apex": "",
    "apex_offset": "_1",
    "onset_apex_direction": "_2",
    "apex_offset_direction": "_3",
}
#: The class of each number in the list of labels.
CLASSES = {"0": "negative", "1": "positive", "2": "surprise"}
#: Clips of each class in the published pack.
PUBLISHED = {"negative": 250, "positive": 109, "surprise": 83}
SHAPE = (28, 28, 3)
_LAYOUT = "<root>/<subject>_<clip> .png, ..._1 .png, ..._2 .png, ..._3 .png, and the list <root>/labels.csv"
_COLUMNS = ("dataset", "sub", "filename_o", "label")


@dataclass(frozen=True, kw_only=True)
class CausalNetMaps(Dataset):
    """Flow and direction maps of the 442 clips of the MEGC2019 composite, 28x28, 3 classes, a second recomputation.

    Published with the code of CausalNet (GitHub, tony19980810/CausalNet, MIT licence). Checksum of the onset-to-apex
    maps (pixels in RGB order and sample ids, SHA-256, 32 digits): 9bedfbd7f3fb5f28ff85164a3d829fe0. The clips are
    those of ``megc2019_flow`` and the pictures are not: no map of one pack is in the other, so figures of the two are
    not comparable to the last points. Sample ids are the same in both.

    Args:
        root: Folder of the maps.
        labels: The list of clips and classes (columns dataset, sub, filename_o, label); by default labels.csv in
            ``root``.
        maps: Which maps, in the order of the time axis that models see. CausalNet reads all four, in this order.
        channels: rgb as stored; bgr as OpenCV reads it, which the authors feed.
        expect: published refuses a pack whose clips or pixels are not those published; any takes what is there and
            flags every row ``unknown-pack``.
    """

    source = "Zhang et al., CausalNet, ICCV 2025, public code; clips: See et al., MEGC 2019, FG 2019"
    licence = "MIT for the maps; they derive from SMIC, CASME II and SAMM, which are for research alone"

    root: Path
    labels: Path | None = None
    maps: Annotated[Sequence[Map], MinLen(1)] = tuple(SUFFIXES)
    channels: Literal["rgb", "bgr"] = "rgb"
    expect: Literal["published", "any"] = "published"

    def __post_init__(self) -> None:
        """Refuse a map that is named twice.

        Raises:
            ValueError: One is.
        """
        if len(set(self.maps)) < len(self.maps):
            raise ValueError(f"maps: {listed(self.maps)}: a map is named twice; name each once")

    def flags(self) -> tuple[str, ...]:
        """Return ``unknown-pack`` where the pack may be any."""
        return () if self.expect == "published" else (flow_packs.UNKNOWN_PACK,)

    @classmethod
    def data_source(cls) -> DataSource:
        """Return who gives it."""
        return DataSource(
            owner="the authors of CausalNet",
            page="https://github.com/tony19980810/CausalNet",
            request=(
                "nothing: the maps are public (MIT); SMIC, CASME II and SAMM, from which they derive, are for research "
                "alone"
            ),
            size="442 clips of 68 people; some MiB",
            variable="CAUSALNET_MAPS_ROOT",
            archive=DataArchive(
                url="https://codeload.github.com/tony19980810/CausalNet/tar.gz/9d2596e63e63bb72158d9fe2667bb27c8301e7f8",
                folder="datasets/STSNet_whole_norm_u_v_os",
                licence="MIT; the maps derive from SMIC, CASME II and SAMM, which are for research alone",
                largest=512 * 2**20,
                missing=(
                    "labels.csv, the classes of the 442 clips with the columns dataset, sub, filename_o and label: put "
                    "it beside the maps; they belong to SMIC, CASME II and SAMM"
                ),
            ),
        )

    def published_counts(self) -> Mapping[str, int]:
        """Return those of the MEGC2019 composite."""
        emotions = {"emotion negative": 250, "emotion positive": 109, "emotion surprise": 83}
        return {"clips": 442, "subjects": 68, **emotions}

    def label_map(self) -> Mapping[str, str]:
        """Return the three classes of MEGC2019: negative, positive, surprise."""
        return {emotion: emotion for emotion in CLASSES.values()}

    def samples(self) -> Sequence[Sample]:
        """Return one sample per clip.

        Raises:
            DataError: The list or a map is missing, or the pack is another one than the published.
        """
        if self.expect == "published":
            self._check_published()
        return list(self._samples.values())

    def load(self, sample: Sample) -> Clip:
        """Read the maps of one clip: frames (maps, 28, 28, 3), uint8."""
        images = [self._read(path) for path in self.files(sample)]
        frames = np.stack(images)
        return Clip(frames=frames if self.channels == "rgb" else np.ascontiguousarray(frames[..., ::-1]))

    def files(self, sample: Sample, numbers: Sequence[int] | None = None) -> Sequence[Path]:
        """Return the files of the chosen maps."""
        del numbers
        return [self._path(sample, name) for name in self.maps]

    def provenance(self) -> Mapping[str, str]:
        """Return the checksum of the onset-to-apex maps: it says which pack this is."""
        return {"pack": self._checksum}

    @property
    def _list(self) -> Path:
        return self.labels if self.labels is not None else self.root / "labels.csv"

    def _path(self, sample: Sample, name: Map) -> Path:
        _, subject, clip = sample.sample_id.split("/")
        return self.root / f"{subject}_{clip}{SUFFIXES[name]} .png"

    def _read(self, path: Path) -> NDArray[Any]:
        image = read_image(path)
        if image.shape != SHAPE:
            raise DataError(f"{path}: expected 28x28 pixels of three 8-bit channels, got {image.shape}")
        return image

    @cached_property
    def _checksum(self) -> str:
        return flow_packs.checksum(
            (sample_id, self._read(self._path(sample, "onset_apex"))) for sample_id, sample in self._samples.items()
        )

    def _check_published(self) -> None:
        counts = {name: sum(s.emotion == name for s in self._samples.values()) for name in PUBLISHED}
        if counts != PUBLISHED:
            raise DataError(
                f"{self._list}: {counts}, and {PUBLISHED} were published; copy the list again, or set 'expect: any'"
            )
        pack = flow_packs.recognise(self._checksum)
        if pack is None or pack.plugin != "causalnet_maps":
            known = "not a published pack" if pack is None else f"{pack.name}, which the data set {pack.plugin} reads"
            raise DataError(
                f"{self.root}: this is {known} (checksum {self._checksum}); get the maps from "
                f"{flow_packs.PACKS[1].published}, or set 'expect: any' to use what is there"
            )

    @cached_property
    def _samples(self) -> dict[str, Sample]:
        require_folder(self.root, _LAYOUT)
        samples: dict[str, Sample] = {}
        duplicates: list[str] = []
        for number, row in self._rows():
            where = f"{self._list}, line {number}"
            dataset, subject, clip = (row[name].strip() for name in _COLUMNS[:3])
            if row["label"].strip() not in CLASSES:
                raise DataError(f"{where}: label {row['label']!r}; choose from: {listed(CLASSES)}")
            for part in (dataset, subject, clip):
                inside(self.root, part, where=where)
            clip_id = f"{dataset}/{subject}/{clip}"
            if clip_id in samples:
                duplicates.append(f"{where}: clip {clip_id} is listed twice")
            samples[clip_id] = Sample(
                sample_id=clip_id,
                clip_id=clip_id,
                subject=f"{dataset}/{subject}",
                dataset=dataset,
                emotion=CLASSES[row["label"].strip()],
            )
        if duplicates:
            raise DataError(f"{all_of(duplicates)}; remove one line of each")
        missing = [
            path.name
            for sample in samples.values()
            for name in dict.fromkeys(("onset_apex", *self.maps))
            if not (path := self._path(sample, name)).is_file()
        ]
        if missing:
            raise DataError(
                f"{self.root}: {counted(len(missing), 'map is', 'maps are')} missing: {listed(missing, limit=5)}; copy "
                "the pack again"
            )
        return dict(sorted(samples.items()))

    def _rows(self) -> list[tuple[int, dict[str, str]]]:
        try:
            text = self._list.read_text(encoding="utf-8-sig")
        except FileNotFoundError:
            raise DataError(
                f"{self._list}: file not found: the list of clips and classes; set 'labels' where it has another name"
            ) from None
        except (OSError, UnicodeDecodeError) as error:
            raise DataError(f"{self._list}: cannot be read as UTF-8 text ({error})") from None
        reader = csv.DictReader(text.splitlines())
        try:
            absent = [name for name in _COLUMNS if name not in (reader.fieldnames or ())]
        except csv.Error as error:
            raise DataError(f"{self._list}: expected a CSV: {error}") from None
        if absent:
            raise DataError(
                f"{self._list}: has no column {listed(absent)}; its columns are {listed(reader.fieldnames or ())}"
            )
        try:
            rows = [(reader.line_num, row) for row in reader]
        except csv.Error as error:
            raise DataError(f"{self._list}: expected a CSV: {error}") from None
        for number, row in rows:
            if any(row[name] is None for name in _COLUMNS):
                raise DataError(f"{self._list}, line {number}: has fewer cells than the header")
        return rows
