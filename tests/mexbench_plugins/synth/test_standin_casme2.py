"""The stand-in in the layout of CASME-II, read back from disk.

What it must show: identity shouts, expression whispers, and only an honest split tells them apart.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import openpyxl
import pytest
from numpy.typing import NDArray
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from mexbench_plugins.synth import standin
from mexbench_plugins.synth.action_units import parse
from mexbench_plugins.synth.detection import detect

FIVE = ("others", "disgust", "happiness", "repression", "surprise")
#: Large enough for figures with intervals, small enough for a test.
OPTIONS = standin.StandIn(subjects=14, clips=7, frames=8, seed=3)


@dataclass(frozen=True)
class Row:
    """One row of the sheet and the folder it speaks of."""

    subject: str
    folder: Path
    onset: int
    apex: int
    offset: int
    aus: str
    emotion: str

    def frame(self, number: int) -> Path:
        return self.folder / f"img{number}.jpg"


@dataclass(frozen=True)
class Built:
    root: Path
    header: tuple[object, ...]
    rows: tuple[Row, ...]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Built]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MEXBENCH_CACHE", str(tmp_path_factory.mktemp("cache")))
        root = standin.stand_in_root("casme2", OPTIONS)
        book = openpyxl.load_workbook(root / "CASME2-coding-20140508.xlsx")
        header, *lines = book.worksheets[0].iter_rows(values_only=True)
        rows = []
        for subject, name, onset, apex, offset, aus, emotion in lines:
            folder = root / "CASME2_RAW_selected" / f"sub{subject}" / str(name)
            first, top, last = (int(str(value)) for value in (onset, apex, offset))
            rows.append(Row(str(subject), folder, first, top, last, str(aus), str(emotion)))
        yield Built(root, header, tuple(rows))


def test_casme2_has_the_original_layout(built: Built) -> None:
    assert built.header == (
        "Subject", "Filename", "OnsetFrame", "ApexFrame", "OffsetFrame", "Action Units", "Estimated Emotion",
    )  # fmt: skip
    assert len(built.rows) == OPTIONS.subjects * OPTIONS.clips
    folders = {path for path in built.root.glob("CASME2_RAW_selected/sub*/EP*_*") if path.is_dir()}
    assert folders == {row.folder for row in built.rows}
    for row in built.rows:
        assert row.onset < row.apex < row.offset
        names = {path.name for path in row.folder.iterdir()}
        assert names == {f"img{number}.jpg" for number in range(row.onset, row.offset + 1)}
        parse(row.aus)
    image = cv2.imread(str(built.rows[0].frame(built.rows[0].apex)), cv2.IMREAD_UNCHANGED)
    assert image is not None
    assert image.shape == (240, 320, 3)


def test_emotions_and_subjects_are_unevenly_distributed(built: Built) -> None:
    emotions = Counter(row.emotion for row in built.rows)
    assert emotions.most_common(2)[0][0] == "others"
    assert {"others", "disgust", "happiness", "repression", "surprise"} <= set(emotions)
    people = Counter(row.subject for row in built.rows)
    assert len(people) == OPTIONS.subjects
    assert min(people.values()) >= 2
    assert max(people.values()) > 1.5 * OPTIONS.clips


def test_lone_action_units_are_numbers_and_there_are_empty_sheets(built: Built) -> None:
    book = openpyxl.load_workbook(built.root / "CASME2-coding-20140508.xlsx")
    assert len(book.worksheets) == 3
    assert all(sheet.max_row == 1 and sheet["A1"].value is None for sheet in book.worksheets[1:])
    cells = [row[5] for row in book.worksheets[0].iter_rows(min_row=2, values_only=True)]
    assert {type(cell) for cell in cells} == {int, str}
    assert all(row[0] == f"{int(str(row[0])):02}" for row in book.worksheets[0].iter_rows(min_row=2, values_only=True))


@dataclass(frozen=True)
class Seen:
    """What a benchmark sees of the stand-in: a row per frame, and a row per clip."""

    pixels: NDArray[np.float32]
    frame_label: NDArray[np.intp]
    frame_subject: NDArray[np.intp]
    flow: NDArray[np.float32]
    label: NDArray[np.intp]
    subject: NDArray[np.intp]
    clips: int
    missed: int


@pytest.fixture(scope="module")
def seen(built: Built) -> Seen:
    pixels, flows, missed = [], [], 0
    for row in built.rows:
        frames = {n: cv2.imread(str(row.frame(n)), cv2.IMREAD_GRAYSCALE) for n in range(row.onset, row.offset + 1)}
        boxes = detect(np.asarray(frames[row.onset], np.uint8))
        if boxes is None:
            missed += 1
            continue
        if row.emotion not in FIVE:
            continue
        left, top, size = (round(value) for value in boxes)
        crop = {
            n: cv2.resize(np.asarray(frame)[top : top + size, left : left + size], (96, 96))
            for n, frame in frames.items()
        }
        flow = np.zeros((96, 96, 2), np.float32)
        cv2.calcOpticalFlowFarneback(crop[row.onset], crop[row.apex], flow, 0.5, 3, 13, 3, 5, 1.1, 0)
        flow -= np.median(flow, axis=(0, 1))
        label, subject = FIVE.index(row.emotion), int(row.subject)
        flows.append((label, subject, cv2.resize(flow, (16, 16), interpolation=cv2.INTER_AREA).ravel()))
        for frame in crop.values():
            small = cv2.resize(frame, (24, 24), interpolation=cv2.INTER_AREA).ravel().astype(np.float32)
            pixels.append((label, subject, small))
    frame_label, frame_subject, values = zip(*pixels, strict=True)
    label, subject, flow = zip(*flows, strict=True)
    return Seen(
        np.stack(values), np.array(frame_label), np.array(frame_subject),
        np.stack(flow), np.array(label), np.array(subject), len(built.rows), missed,
    )  # fmt: skip


def nearest(seen: Seen, train: NDArray[np.bool_]) -> float:
    """Return the accuracy of the nearest neighbour on raw pixels."""
    one, two = seen.pixels[train], seen.pixels[~train]
    far = (one**2).sum(1)[None] - 2 * two @ one.T
    return float((seen.frame_label[train][far.argmin(1)] == seen.frame_label[~train]).mean())


def test_haar_finds_the_face_in_nearly_every_clip(seen: Seen) -> None:
    assert seen.missed <= 0.01 * seen.clips


def test_raw_faces_look_perfect_under_a_random_frame_split(seen: Seen) -> None:
    train = np.random.default_rng(0).random(len(seen.pixels)) < 0.7
    assert nearest(seen, train) > 0.95


def test_raw_faces_fail_on_people_never_seen(seen: Seen) -> None:
    right = sum(
        nearest(seen, seen.frame_subject != person) * (seen.frame_subject == person).sum()
        for person in np.unique(seen.frame_subject)
    )
    assert right / len(seen.pixels) < 0.45


def test_the_motion_can_be_learned_and_not_perfectly(seen: Seen) -> None:
    people = np.unique(seen.subject)
    by_flow, by_majority = (np.zeros(len(seen.label), bool) for _ in range(2))
    for person in people:
        test = seen.subject == person
        model = make_pipeline(StandardScaler(), SVC(kernel="linear", C=0.01))
        model.fit(seen.flow[~test], seen.label[~test])
        by_flow[test] = model.predict(seen.flow[test]) == seen.label[test]
        by_majority[test] = np.bincount(seen.label[~test]).argmax() == seen.label[test]
    rng = np.random.default_rng(0)
    margins = []
    for _ in range(1000):  # people are drawn, not clips: clips of one person are not independent
        drawn = np.concatenate([np.flatnonzero(seen.subject == person) for person in rng.choice(people, len(people))])
        margins.append(by_flow[drawn].mean() - by_majority[drawn].mean())
    assert np.percentile(margins, 2.5) > 0.05
    assert 0.5 < by_flow.mean() < 0.9
