"""CASME-II: copies that are incomplete, broken or hostile."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from mexbench.errors import DataError
from mexbench_plugins.datasets.casme2 import Casme2
from tests.mexbench_plugins.datasets.layouts import (
    CASME2_HEADER,
    CASME2_ROWS,
    by_id,
    encode,
    image,
    write_casme2,
    write_frames,
    write_xlsx,
)


def test_unusable_clips_are_reported(tmp_path: Path) -> None:
    rows: list[Sequence[object]] = [
        *CASME2_ROWS,
        ("03", "missing", 1, 2, 3, 4, "disgust"),
        ("03", "empty", 1, 2, 3, 4, "disgust"),
        ("03", "backwards", 9, 8, 5, 4, "disgust"),
        ("03", "elsewhere", 1, 2, 3, 4, "disgust"),
        ("03", "endless", 1, 2, None, 4, "disgust"),
        ("Remark: made up", None, None, None, None, None, None),
    ]
    root = write_casme2(tmp_path, rows)
    frames = root / "CASME2_RAW_selected" / "sub03"
    for path in [*frames.glob("missing/*"), *frames.glob("empty/*"), *frames.glob("elsewhere/*")]:
        path.unlink()
    (frames / "missing").rmdir()
    write_frames(frames / "elsewhere", [7, 8])
    write_frames(frames / "backwards", range(5, 10))
    write_frames(frames / "endless", [1])
    write_frames(frames / "unlisted", [1])
    dataset = Casme2(root=root)
    assert len(dataset.samples()) == 4
    data_issues = [issue for issue in dataset.data_issues() if issue.excluded or "not in" in issue.what]
    assert [(f.what, f.where.rpartition("/")[2], f.excluded) for f in data_issues] == [
        ("row names no clip", "CASME2-coding-20140508.xlsx, sheet 'Sheet1', row 11", True),
        ("clip folder missing", "missing", True),
        ("clip has no frames", "empty", True),
        ("onset after offset", "backwards", True),
        ("no frame between onset and offset", "elsewhere", True),
        ("onset or offset missing", "endless", True),
        ("clip folder not in the sheet", "unlisted", False),
    ]
    assert data_issues[3].detail == "onset 9, offset 5"
    assert data_issues[4].detail == "frames 7-8 on disk, onset 1, offset 3"


def test_irregular_clips_are_kept_and_reported(tmp_path: Path) -> None:
    rows: list[Sequence[object]] = [
        ("01", "gaps", 5, 20, 14, 4, "disgust"),
        ("01", "bliss", 1, 2, 3, 4, "Sheer  Bliss"),
        ("01", "silent", 1, 2, 3, 4, None),
    ]
    root = write_casme2(tmp_path, rows)
    for number in (6, 8, 9, 14):
        (root / f"CASME2_RAW_selected/sub01/gaps/img{number}.jpg").unlink()
    dataset = Casme2(root=root)
    samples = by_id(dataset)
    assert [samples[f"casme2/sub01/{clip}"].emotion for clip in ("gaps", "bliss", "silent")] == [
        "disgust",
        "sheer bliss",
        None,
    ]
    assert "sheer bliss" not in dataset.label_map()
    details = {(f.where.rpartition("/")[2], f.what): f.detail for f in dataset.data_issues()}
    assert set(details) == {
        ("gaps", "frames missing"),
        ("gaps", "apex outside onset-offset"),
        ("bliss", "unknown emotion"),
        ("silent", "emotion missing"),
    }
    assert details["gaps", "frames missing"] == "4 of 10 from onset to offset: 6, 8-9, 14"
    assert details["gaps", "apex outside onset-offset"] == "apex 20, onset 5, offset 14"
    assert "'sheer bliss' in" in details["bliss", "unknown emotion"]
    clip = dataset.load(samples["casme2/sub01/gaps"])
    assert (len(clip.frames), clip.onset_index, clip.apex_index, clip.offset_index) == (6, 0, None, None)


def test_duplicate_rows_are_rejected(tmp_path: Path) -> None:
    root = write_casme2(tmp_path, [*CASME2_ROWS, ("1", "EP02_01f", 46, 50, 53, 12, "disgust")])
    with pytest.raises(DataError, match=r"row 6: sub01/EP02_01f is listed twice, first in .* row 2; remove one"):
        Casme2(root=root).samples()


def test_all_duplicate_rows_are_listed(tmp_path: Path) -> None:
    root = write_casme2(tmp_path, [*CASME2_ROWS, *CASME2_ROWS[:2]])
    with pytest.raises(DataError) as caught:
        Casme2(root=root).samples()
    assert str(caught.value).count("is listed twice, first in") == 2


@pytest.mark.parametrize(
    ("subject", "clip"), [("../../etc", "x"), ("01", "../../../etc"), ("01", "a\\b"), ("01", "..")]
)
def test_a_sheet_cannot_lead_out_of_the_folder(casme2_root: Path, subject: str, clip: str) -> None:
    write_xlsx(casme2_root / "CASME2-coding-20140508.xlsx", CASME2_HEADER, [(subject, clip, 1, 2, 3, 4, "disgust")])
    with pytest.raises(DataError, match=r"row 2: (folder|id) of the clip: .* cannot be the name of a folder"):
        Casme2(root=casme2_root).samples()


def test_invalid_frame_cell_is_reported(tmp_path: Path) -> None:
    root = write_casme2(tmp_path, [("01", "EP02_01f", 46, "about 50", 53, 12, "happiness")])
    with pytest.raises(DataError, match=r"row 2: Apex Frame is 'about 50', expected the number of a frame"):
        Casme2(root=root).samples()


def test_a_missing_column(tmp_path: Path) -> None:
    root = write_casme2(tmp_path, CASME2_ROWS, header=[*CASME2_HEADER[:3], "Peak", *CASME2_HEADER[4:]])
    with pytest.raises(
        DataError, match="missing column Apex Frame; headers found: Subject, Filename, OnsetFrame, Peak"
    ):
        Casme2(root=root).samples()


def test_an_annotation_without_rows(casme2_root: Path) -> None:
    write_xlsx(casme2_root / "CASME2-coding-20140508.xlsx", CASME2_HEADER, [])
    with pytest.raises(DataError, match="has a header row and no clip below it"):
        Casme2(root=casme2_root).samples()


def test_sheet_without_any_clip_on_disk_is_rejected(casme2_root: Path) -> None:
    write_xlsx(casme2_root / "CASME2-coding-20140508.xlsx", CASME2_HEADER, [("01", "x", 1, 2, 3, 4, "disgust")])
    with pytest.raises(DataError, match=r"none of the 1 clip .* the first: casme2/sub01/x: clip folder missing"):
        Casme2(root=casme2_root).samples()


def break_frame(path: Path, how: str) -> None:
    content = path.read_bytes()
    path.unlink()
    if how == "folder":
        path.mkdir()
    elif how == "empty":
        path.touch()
    elif how == "cut":
        path.write_bytes(content[:-40])
    elif how == "text":
        path.write_text("no image", encoding="utf-8")
    elif how == "small":
        path.write_bytes(encode(image(9, size=(12, 10)), ".jpg"))
    elif how == "gray":
        path.write_bytes(encode(image(9, gray=True), ".jpg"))


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("folder", r"img48\.jpg: is a folder, expected an image file"),
        ("empty", r"img48\.jpg: is empty \(0 bytes\); copy it again"),
        ("cut", r"img48\.jpg: is truncated"),
        ("text", r"img48\.jpg: is not a readable image"),
        ("small", r"frames differ in size: img46\.jpg is 16x12 colour, img48\.jpg is 10x12 colour"),
        ("gray", r"img46\.jpg is 16x12 colour, img48\.jpg is 16x12 gray"),
    ],
)
def test_a_broken_frame_is_named_when_it_is_read(casme2_root: Path, how: str, message: str) -> None:
    break_frame(casme2_root / "CASME2_RAW_selected/sub01/EP02_01f/img48.jpg", how)
    dataset = Casme2(root=casme2_root)
    sample = by_id(dataset)["casme2/sub01/EP02_01f"]
    with pytest.raises(DataError, match=message):
        dataset.load(sample)
    if how not in {"small", "gray"}:
        with pytest.raises(DataError, match=message):
            dataset.load_frames(sample, [46, 48])


def test_png_frames_of_any_depth(tmp_path: Path) -> None:
    root = write_casme2(tmp_path, CASME2_ROWS[:1])
    folder = root / "CASME2_RAW_selected/sub01/EP02_01f"
    for index, number in enumerate(range(46, 54)):
        (folder / f"img{number}.jpg").unlink()
        pixels = image(number).astype(np.uint16) * 257 if index % 2 else np.dstack([image(number), image(7, gray=True)])
        content = encode(pixels if index % 2 else pixels[..., [2, 1, 0, 3]], ".png")
        (folder / f"img{number}.png").write_bytes(content)
    dataset = Casme2(root=root)
    frames = dataset.load(dataset.samples()[0]).frames
    assert frames.shape == (8, 12, 16, 3)
    assert frames[:, 0, 0].tolist() == [[number, number // 2, 0] for number in range(46, 54)]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: None, r"no such folder; 'root' must be the folder of CASME2_RAW_selected, CASME2-RAW or Cropped"),
        (lambda path: path.touch(), "is a file; 'root' must be"),
        (lambda path: path.mkdir(), "is empty; 'root' must be"),
        (lambda path: (path / "x").mkdir(parents=True), "no frames of release 'auto': .* found: none"),
        (
            lambda path: (path / "CASME2-RAW/sub01").mkdir(parents=True),
            "no annotation: looked for .*20190701.xlsx, CAS",
        ),
    ],
)
def test_wrong_root_is_reported(tmp_path: Path, make: object, message: str) -> None:
    root = tmp_path / "a" / "b" / "root"
    root.parent.mkdir(parents=True)
    make(root)  # type: ignore[operator]
    with pytest.raises(DataError, match=message) as error:
        Casme2(root=root).samples()
    assert str(error.value).startswith(str(root))
