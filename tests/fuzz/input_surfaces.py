"""What a run reads: configs, sheets, images, films, the cache, lists of clips."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import cv2
import numpy as np

from mexbench.config import document
from mexbench.config.loader import from_document
from mexbench.data.cache import Cache, CacheEntry, _checksum
from mexbench.data.image import read_image
from mexbench.data.video import clip_list as manifest
from mexbench.data.video.download import url_problem
from mexbench.data.video.reader import Video
from mexbench.errors import BenchError
from mexbench.interfaces import Clip
from mexbench.registry.catalogue import load_catalogue
from mexbench_plugins.datasets._io.sheet_dataset import SheetDataset
from mexbench_plugins.datasets.casme2 import Casme2
from mexbench_plugins.datasets.dfme import Dfme
from mexbench_plugins.datasets.samm import Samm
from mexbench_plugins.preprocessors.clahe import Clahe
from mexbench_plugins.preprocessors.face import Face
from mexbench_plugins.preprocessors.grayscale import Grayscale
from mexbench_plugins.preprocessors.resize import Resize
from tests import films
from tests.fuzz import mutation
from tests.fuzz.mutation import Random
from tests.fuzz.surface import Surface, csv_bytes
from tests.helpers import ROOT
from tests.mexbench_plugins.datasets.layouts import CASME2_HEADER, CASME2_ROWS, SAMM_HEADER, samm_row, write_frames


class Configs(Surface):
    """A config, up to the moment when data would be read."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.seeds = [path.read_bytes() for path in sorted((ROOT / "configs").glob("*.yaml"))]
        self.catalogue = load_catalogue()
        self.environment: dict[str, str] = dict.fromkeys(
            ("CAUSALNET_MAPS_ROOT", "MEGC2019_FLOW_ROOT", "CASME2_ROOT", "SAMM_ROOT", "SMIC_ROOT"), "/data"
        )

    def read(self, content: bytes) -> None:
        from_document(
            document.read(self.file("c.yaml", content), environment=self.environment), self.catalogue, name="c"
        )


def read_sheet(*datasets: SheetDataset) -> None:
    """Read a sheet through loaders, of which one knows its columns. A loader keeps what it read: each case has its own.

    Raises:
        BenchError: None of them can read it.
    """
    errors: list[BenchError] = []
    for dataset in datasets:
        try:
            for sample in dataset.samples():
                dataset.frame_numbers(sample)
            dataset.data_issues()
        except BenchError as error:
            errors.append(error)
    if len(errors) == len(datasets):
        raise errors[0]


class Sheets(Surface):
    """Annotations, as CSV, through the loaders of CASME-II and SAMM."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        samm = [samm_row("011", "011_1_3", (3, 4, 6), "AU4+12L", "Happiness"), samm_row("7", "a", (3, 4, 6), 4, "Fear")]
        self.seeds = [
            csv_bytes([CASME2_HEADER, *CASME2_ROWS[:6]]),
            csv_bytes([["About SAMM"], SAMM_HEADER, *samm]),
        ]
        for subject, clip, onset, _, offset, *_ in CASME2_ROWS[:6]:
            if isinstance(onset, int) and isinstance(offset, int):
                inside = folder / "casme2" / "CASME2_RAW_selected" / f"sub{int(float(str(subject))):02}" / str(clip)
                write_frames(inside, range(onset, min(offset, onset + 3) + 1))
        for subject, clip in (("011", "011_1_3"), ("007", "a")):
            write_frames(folder / "samm" / "SAMM" / subject / clip, range(3, 7), f"{subject}_{{:05}}.jpg", gray=True)

    def mutate(self, rng: Random, content: bytes) -> bytes:
        if rng.random() < 0.3:
            return mutation.of_words(rng, content)
        return csv_bytes(mutation.of_cells(rng, list(csv.reader(io.StringIO(content.decode())))))

    def read(self, content: bytes) -> None:
        self.file("casme2/CASME2-coding-20140508.csv", content)
        self.file("samm/SAMM_Micro.csv", content)
        read_sheet(Casme2(root=self.folder / "casme2"), Samm(root=self.folder / "samm"))


class OtherSheets(Surface):
    """Annotations as other programs write them: pandas (an index, 26.0), spreadsheets (semicolons), and DFME's CSV."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        plain = [[float(cell) if isinstance(cell, int) else cell for cell in row] for row in CASME2_ROWS[:6]]
        indexed = [["", *CASME2_HEADER], *([index, *row] for index, row in enumerate(plain))]
        dfme = [
            ["Subject", "Filename", "OnsetFrame", "ApexFrame", "OffsetFrame", "Fps", "AU", "Emotion"],
            ["sub0001", "sub0001_01", 0, 1, 3, 500, "AU1+AU2", "Surprise"],
            ["sub0002", "sub0002_01", 0, 2, 3, 300, "AU4 + AU7R", "anger"],
            ["sub0002", "sub0002_02", 0, 2.0, 3, 200, "", "Happiness"],
        ]
        self.seeds = [
            csv_bytes(indexed),
            csv_bytes(indexed).replace(b",", b";"),
            csv_bytes(dfme),
            csv_bytes(dfme).replace(b",", b"\t"),
        ]
        for row in CASME2_ROWS[:6]:
            subject, clip, onset = row[0], row[1], row[2]
            if isinstance(onset, int):
                inside = folder / "casme2" / "CASME2_RAW_selected" / f"sub{int(float(str(subject))):02}" / str(clip)
                write_frames(inside, range(onset, onset + 4))
        for _, clip, *_ in dfme[1:]:
            write_frames(folder / "dfme" / "training" / str(clip), range(4), "{:03}.jpg")

    def mutate(self, rng: Random, content: bytes) -> bytes:
        if rng.random() < 0.3:
            return mutation.of_words(rng, content)
        separator = next(mark for mark in ";\t," if mark in content.decode())
        rows = list(csv.reader(io.StringIO(content.decode()), delimiter=separator))
        stream = io.StringIO()
        csv.writer(stream, delimiter=separator).writerows(mutation.of_cells(rng, rows))
        return stream.getvalue().encode(errors="replace")

    def read(self, content: bytes) -> None:
        self.file("casme2/CASME2-coding-20140508.csv", content)
        self.file("dfme/training.csv", content)
        read_sheet(Casme2(root=self.folder / "casme2"), Dfme(root=self.folder / "dfme", part="training"))


class Images(Surface):
    """Image files, through decoding and preprocessing."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        pixels = np.random.default_rng(0).integers(0, 256, (24, 20, 3), dtype=np.uint8)
        result = [
            (".png", pixels),
            (".png", pixels[..., 0].astype(np.uint16) * 257),
            (".jpg", pixels),
            (".bmp", pixels),
        ]
        self.seeds = [cv2.imencode(suffix, array)[1].tobytes() for suffix, array in result]

    def mutate(self, rng: Random, content: bytes) -> bytes:
        return mutation.of_bytes(rng, content)

    def read(self, content: bytes) -> None:
        clip = Clip(frames=read_image(self.file("frame", content))[None])
        Resize(size=28)(Clahe(on="gray")(Grayscale()(clip)))


class JpegBodies(Surface):
    """JPEG files whose header is whole and whose entropy-coded data is not."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        pixels = np.random.default_rng(0).integers(0, 256, (48, 40, 3), dtype=np.uint8)
        ways = [], [cv2.IMWRITE_JPEG_PROGRESSIVE, 1], [cv2.IMWRITE_JPEG_RST_INTERVAL, 2]
        self.seeds = [cv2.imencode(".jpg", pixels, way)[1].tobytes() for way in ways]

    def mutate(self, rng: Random, content: bytes) -> bytes:
        start = content.index(b"\xff\xda") + 14
        return content[:start] + mutation.of_bytes(rng, content[start:-2]) + content[-2:]

    def read(self, content: bytes) -> None:
        assert read_image(self.file("frame.jpg", content)).shape == (48, 40, 3)


class CacheEntries(Surface):
    """An entry of the cache: it is the one that was written, or it is made again."""

    key = "ab12"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.cache = Cache(folder / "cache")
        self.clip = Clip(frames=np.arange(24, dtype=np.float32).reshape(2, 3, 4), fps=200.0, notes=("a",))
        self.cache.put(self.key, CacheEntry(self.clip, ("0" * 32,), ("f" * 16,)))
        (self.path,) = self.cache.entries()
        self.seeds = [self.path.read_bytes()]

    def mutate(self, rng: Random, content: bytes) -> bytes:
        changed = mutation.of_bytes(rng, content)
        if rng.random() < 0.5:  # a checksum that holds, over a header that was changed
            header, _, body = content[33:].partition(b"\n")
            inside = mutation.of_values(rng, header) + b"\n" + body
            return _checksum(self.key, inside) + b"\n" + inside
        return changed

    def read(self, content: bytes) -> None:
        self.path.write_bytes(content)
        entry = self.cache.get(self.key)
        if entry is not None and content[:32] == self.seeds[0][:32]:
            np.testing.assert_array_equal(entry.clip.frames, self.clip.frames)


class Videos(Surface):
    """Films, through decoding, the search for a face, and resizing."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        created = [
            films.write(folder / f"seed{suffix}", films.plain(6, (48, 64))) for suffix in (".mp4", ".avi", ".webm")
        ]
        films.index_first(films.write(folder / "index.mp4", films.plain(6, (48, 64))))
        self.seeds = [path.read_bytes() for path in (*created, folder / "index.mp4")]
        self.face = Face(none="whole", detect="every")

    def mutate(self, rng: Random, content: bytes) -> bytes:
        if rng.random() < 0.3:
            return mutation.of_bytes(rng, content)
        start = max(content.find(b"moov"), 0)  # where the sizes and times are
        end = start + 1000
        return content[:start] + mutation.of_bytes(rng, content[start:end]) + content[end:]

    def read(self, content: bytes) -> None:
        with Video(self.file("film", content)) as film:
            for index, frame in enumerate(film.frames(fps=10)):
                Resize(size=28)(self.face(Clip(frames=frame.image[None])))
                if index > 20:
                    break
            film.issues()


class Manifests(Surface):
    """Lists of clips."""

    seeds = (
        b"clip_id,path,subject,condition,start_s,end_s,emotion,source_url\n"
        b"a,films/a.mp4,anna,before,1.5,20,happy,https://example.org/a.mp4\n"
        b"b,b.avi,,,,,,\n",
        b"clip_id,path\nc 1,c.webm\n",
    )

    def read(self, content: bytes) -> None:
        for entry in manifest.read(self.file("clips.csv", content)):
            assert entry.film(self.folder).resolve().is_relative_to(self.folder.resolve())
            assert entry.end_s is None or entry.end_s > entry.start_s >= 0
            if entry.source_url:
                url_problem(entry.source_url)
