from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from benchmark.errors import DataError
from benchmark.interfaces import Sample
from benchmark.parameters import build
from plugins.datasets.casme2 import Casme2
from tests.plugins.datasets.layouts import CASME2_HEADER, encode, image, write_casme2, write_frames, write_xlsx

ROWS: list[Sequence[object]] = [
    ("01", "EP02_01f", 46, 50, 53, 12, "happiness"),
    (1, "EP03_02", 98, 101, 103, "4+R10", "others"),
    ("02", "EP03_02", 8, 10, 12, "?", " Disgust "),
    (26.0, "EP18_50", 3, "/", 6, "L12 or L14", "sadness"),
]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write_casme2(tmp_path / "casme2", ROWS)


def by_id(dataset: Casme2) -> dict[str, Sample]:
    return {sample.sample_id: sample for sample in dataset.samples()}


def found(dataset: Casme2) -> list[tuple[str, str, bool]]:
    return [(finding.what, finding.where, finding.dropped) for finding in dataset.findings()]


def test_what_the_sheet_says(root: Path) -> None:
    samples = by_id(Casme2(root=root))
    assert sorted(samples) == [
        "casme2/sub01/EP02_01f",
        "casme2/sub01/EP03_02",
        "casme2/sub02/EP03_02",
        "casme2/sub26/EP18_50",
    ]
    assert samples["casme2/sub01/EP03_02"] == Sample(
        sample_id="casme2/sub01/EP03_02",
        clip_id="casme2/sub01/EP03_02",
        subject="casme2/sub01",
        dataset="casme2",
        emotion="others",
        onset=98,
        apex=101,
        offset=103,
        aus=frozenset({"AU4", "AU10"}),
        fps=200.0,
    )
    assert samples["casme2/sub02/EP03_02"].emotion == "disgust"
    assert samples["casme2/sub26/EP18_50"].apex is None
    assert samples["casme2/sub26/EP18_50"].aus == frozenset()


@pytest.mark.parametrize("subject", [1, 1.0, "1", "01", "sub01", "sub1", " 01 "])
def test_subjects_however_they_are_written(tmp_path: Path, subject: object) -> None:
    write_casme2(tmp_path, ROWS[:1])
    write_xlsx(tmp_path / "CASME2-coding-20140508.xlsx", CASME2_HEADER, [(subject, *ROWS[0][1:])])
    assert [sample.subject for sample in Casme2(root=tmp_path).samples()] == ["casme2/sub01"]


def test_findings_of_sound_clips(root: Path) -> None:
    findings = Casme2(root=root).findings()
    assert [(finding.what, finding.where) for finding in findings] == [
        ("action units not fully read", "casme2/sub02/EP03_02"),
        ("apex missing", "casme2/sub26/EP18_50"),
    ]
    assert findings[0].detail == "'?': none taken"


def test_frames_come_by_number_not_by_name(root: Path) -> None:
    dataset = Casme2(root=root)
    sample = by_id(dataset)["casme2/sub01/EP03_02"]
    clip = dataset.load(sample)
    assert list(dataset.frame_numbers(sample)) == [98, 99, 100, 101, 102, 103]
    assert clip.frames.shape == (6, 12, 16, 3)
    assert clip.frames.dtype == np.uint8
    assert np.abs(clip.frames[:, 5, 5, 0].astype(int) - np.arange(98, 104)).max() <= 2
    assert (clip.onset_index, clip.apex_index, clip.offset_index, clip.fps) == (0, 3, 5, 200.0)


def test_only_onset_to_offset_is_loaded(root: Path) -> None:
    write_frames(root / "CASME2_RAW_selected/sub01/EP02_01f", [1, 2, 45, 54, 120])
    dataset = Casme2(root=root)
    sample = by_id(dataset)["casme2/sub01/EP02_01f"]
    assert list(dataset.frame_numbers(sample)) == list(range(46, 54))
    assert len(dataset.load(sample).frames) == 8
    assert np.abs(int(dataset.load_frames(sample, [120]).frames[0, 5, 5, 0]) - 120) <= 2


def test_chosen_frames(root: Path) -> None:
    dataset = Casme2(root=root)
    sample = by_id(dataset)["casme2/sub01/EP02_01f"]
    clip = dataset.load_frames(sample, [50, 46, 53, 46])
    assert np.abs(clip.frames[:, 5, 5, 0].astype(int) - (50, 46, 53, 46)).max() <= 2
    assert (clip.apex_index, clip.onset_index, clip.offset_index, clip.fps) == (0, 1, 2, None)
    halved = dataset.load_frames(sample, [47, 49, 51])
    assert (halved.fps, halved.onset_index, halved.apex_index) == (100.0, None, None)
    with pytest.raises(DataError, match="EP02_01f has no frame 54; its 8 frames lie between 46 and 53"):
        dataset.load_frames(sample, [46, 54])
    with pytest.raises(DataError, match="no frame was asked for"):
        dataset.load_frames(sample, [])


def test_files_are_those_that_decide(root: Path) -> None:
    dataset = Casme2(root=root)
    sample = by_id(dataset)["casme2/sub02/EP03_02"]
    names = [path.name for path in dataset.files(sample)]
    assert names == [*(f"img{n}.jpg" for n in range(8, 13)), "CASME2-coding-20140508.xlsx", "casme2.yaml"]
    assert [path.name for path in dataset.files(sample, [12, 9])][:2] == ["img12.jpg", "img9.jpg"]
    assert "casme2.yaml" not in {path.name for path in Casme2(root=root, errata="off").files(sample)}


def test_a_sample_that_is_none_of_these(root: Path) -> None:
    stranger = Sample(sample_id="x", clip_id="x", subject=None, dataset="casme2", emotion=None)
    with pytest.raises(DataError, match="no clip 'x' in this copy"):
        Casme2(root=root).load(stranger)


def test_one_frame_of_a_clip_is_found_by_its_clip(root: Path) -> None:
    frame = Sample(
        sample_id="casme2/sub02/EP03_02#9", clip_id="casme2/sub02/EP03_02", subject=None, dataset="casme2", emotion=None
    )
    assert Casme2(root=root).load_frames(frame, [9]).frames.shape == (1, 12, 16, 3)


@pytest.mark.parametrize(
    ("classes", "expected"),
    [
        (5, ["happiness", "disgust", "repression", "surprise", "others"]),
        (7, ["happiness", "disgust", "repression", "surprise", "others", "sadness", "fear"]),
        (3, ["negative", "positive", "surprise"]),
    ],
)
def test_classes(root: Path, classes: int, expected: list[str]) -> None:
    plugin, faults = build(Casme2, {"root": str(root), "classes": classes})
    assert isinstance(plugin, Casme2)
    assert faults == []
    label_map = plugin.label_map()
    assert list(dict.fromkeys(label_map.values())) == expected
    assert ("others" in label_map) == (classes != 3)
    assert {label_map.get("repression"), label_map.get("disgust")} == (
        {"negative"} if classes == 3 else {"repression", "disgust"}
    )


@pytest.mark.parametrize(
    ("folder", "name", "release"),
    [
        ("CASME2_RAW_selected", "img{}.jpg", "raw_selected"),
        ("CASME2-RAW", "img{}.jpg", "raw"),
        ("CASME2-RAW/CASME2-RAW", "img{}.jpg", "raw"),
        ("Cropped", "reg_img{}.jpg", "cropped"),
        ("Cropped-updated/Cropped", "reg_img{}.jpg", "cropped"),
    ],
)
@pytest.mark.parametrize("chosen", ["auto", "the one"])
def test_releases(tmp_path: Path, folder: str, name: str, release: str, chosen: str) -> None:
    root = write_casme2(tmp_path, ROWS, frames=folder, name=name)
    plugin, _ = build(Casme2, {"root": str(root), "release": "auto" if chosen == "auto" else release})
    assert isinstance(plugin, Casme2)
    sample = by_id(plugin)["casme2/sub01/EP02_01f"]
    assert plugin.files(sample)[0] == root / folder / "sub01" / "EP02_01f" / name.format(46)


def test_auto_takes_the_selected_raw_frames_first(tmp_path: Path) -> None:
    for folder in ("Cropped", "CASME2-RAW", "CASME2_RAW_selected"):
        write_casme2(tmp_path, ROWS, frames=folder)
    dataset = Casme2(root=tmp_path)
    assert "CASME2_RAW_selected" in str(dataset.files(dataset.samples()[0])[0])


def test_a_release_that_is_not_there(root: Path) -> None:
    with pytest.raises(DataError, match=r"no frames of release 'cropped': looked for Cropped .*found: raw_selected \("):
        Casme2(root=root, release="cropped").samples()


@pytest.mark.parametrize("place", ["CASME2_RAW_selected", "CASME2_RAW_selected/..", "annotation/coding"])
def test_the_annotation_may_lie_beside_above_or_below(tmp_path: Path, root: Path, place: str) -> None:
    sheet = root / "CASME2-coding-20140508.xlsx"
    target = root / place
    target.mkdir(parents=True, exist_ok=True)
    sheet.rename(target / sheet.name)
    assert len(Casme2(root=root).samples()) == 4


def test_the_root_may_be_the_folder_of_the_frames(root: Path) -> None:
    assert len(Casme2(root=root / "CASME2_RAW_selected").samples()) == 4
    (root / "CASME2_RAW_selected").rename(root / "frames")
    assert len(Casme2(root=root / "frames").samples()) == 4


def test_a_csv_annotation(tmp_path: Path) -> None:
    write_frames(tmp_path / "CASME2-RAW/sub01/EP02_01f", range(46, 54))
    lines = [",".join(CASME2_HEADER), "1,EP02_01f,46,50,53,L1+L2,happiness"]
    (tmp_path / "CASME2-coding-20190701.csv").write_text("\n".join(lines), encoding="utf-8")
    (sample,) = Casme2(root=tmp_path).samples()
    assert (sample.sample_id, sample.apex, sample.aus) == ("casme2/sub01/EP02_01f", 50, {"AU1", "AU2"})


def test_the_newest_annotation_with_its_blank_and_extra_columns(root: Path) -> None:
    header = ("Subject", "Filename", None, "OnsetFrame", "ApexFrame", "OffsetFrame", None, "Action Units")
    write_xlsx(
        root / "CASME2-coding-20190701.xlsx",
        (*header, "Objective Classes", "Estimated Emotion"),
        [(1, "EP02_01f", None, 46, 51, 53, None, "6+12", 1, "surprise")],
    )
    (new,) = Casme2(root=root).samples()
    assert (new.emotion, new.apex, new.aus) == ("surprise", 51, {"AU6", "AU12"})
    old = by_id(Casme2(root=root, annotation="20140508"))["casme2/sub01/EP02_01f"]
    assert (old.emotion, old.apex) == ("happiness", 50)


def errata_rows(apex: object = "/") -> list[Sequence[object]]:
    return [
        ("07", "EP06_01", 15, 49, 68, 4, "disgust"),
        ("04", "EP12_01f", 261, apex, 321, 4, "others"),
        ("12", "EP09_02", 16, 59, 101, 4, "others"),
        ("05", "EP03_01", 41, 68, 101, 4, "disgust"),
        ("05", "EP09_05f", 69, 69, 123, "R2+15", "disgust"),
    ]


def test_errata_of_the_annotation_they_are_for(tmp_path: Path) -> None:
    root = write_casme2(tmp_path, errata_rows(), version="20190701")
    write_frames(root / "CASME2_RAW_selected/sub07/EP06_01", range(69, 92))
    dataset = Casme2(root=root)
    samples = by_id(dataset)
    # The apex, 78, lies behind the published offset: the offset is corrected first.
    assert (samples["casme2/sub07/EP06_01"].apex, samples["casme2/sub07/EP06_01"].offset) == (78, 91)
    assert samples["casme2/sub04/EP12_01f"].apex == 279
    assert samples["casme2/sub04/EP12_01f"].apex_source == "erratum"
    applied = {(e.sample_id, e.field): (e.published, e.corrected) for e in dataset.applied_errata()}
    assert applied == {
        ("casme2/sub07/EP06_01", "offset"): ("68", "91"),
        ("casme2/sub07/EP06_01", "apex"): ("49", "78"),
        ("casme2/sub04/EP12_01f", "apex"): ("/", "279"),
        ("casme2/sub05/EP09_05f", "apex"): ("69", "81"),
    }
    assert all(erratum.reason and erratum.source for erratum in dataset.applied_errata())
    # A correction that lies outside the clip is for other frames than these; one that is made already needs no word.
    assert samples["casme2/sub12/EP09_02"].apex == 59
    assert [(f.what, f.where, f.detail) for f in dataset.findings()] == [
        ("erratum not applied", "casme2/sub12/EP09_02", "apex: 187 lies outside onset-offset, 16-101; kept 59")
    ]
    assert samples["casme2/sub05/EP03_01"].apex_source is None
    assert dataset.load(samples["casme2/sub07/EP06_01"]).apex_index == 78 - 15


def test_errata_where_the_sheet_holds_another_value(tmp_path: Path) -> None:
    dataset = Casme2(root=write_casme2(tmp_path, errata_rows(apex=300), version="20190701"))
    assert by_id(dataset)["casme2/sub04/EP12_01f"].apex == 300
    details = {finding.where: finding.detail for finding in dataset.findings()}
    assert details["casme2/sub04/EP12_01f"] == "apex: the sheet has 300, not the / that it corrects"


def test_errata_of_the_older_annotation_are_those_known_for_it(tmp_path: Path) -> None:
    dataset = Casme2(root=write_casme2(tmp_path, errata_rows(apex=300)))
    assert {(e.sample_id, e.field, e.published) for e in dataset.applied_errata()} == {
        ("casme2/sub07/EP06_01", "offset", "68"),
        ("casme2/sub05/EP09_05f", "apex", "69"),
    }
    assert by_id(dataset)["casme2/sub04/EP12_01f"].apex == 300


def test_errata_can_be_switched_off(tmp_path: Path) -> None:
    dataset = Casme2(root=write_casme2(tmp_path, errata_rows(), version="20190701"), errata="off")
    assert by_id(dataset)["casme2/sub07/EP06_01"].offset == 68
    assert by_id(dataset)["casme2/sub04/EP12_01f"].apex is None
    assert dataset.applied_errata() == ()
    assert found(dataset) == [("apex missing", "casme2/sub04/EP12_01f", False)]


def test_every_known_erratum_says_why() -> None:
    known = Casme2.known_errata()
    assert len(known) == 22
    assert Counter(erratum.field for erratum in known) == {"apex": 21, "offset": 1}
    offset = next(erratum for erratum in known if erratum.field == "offset")
    assert (offset.sample_id, offset.corrected) == ("casme2/sub07/EP06_01", "91")
    assert offset.published == "68 in 20190701, 68 in 20140508"
    assert all(erratum.reason and erratum.source and erratum.corrected.isdigit() for erratum in known)


def test_clips_that_cannot_be_used_are_named(tmp_path: Path) -> None:
    rows: list[Sequence[object]] = [
        *ROWS,
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
    findings = [finding for finding in dataset.findings() if finding.dropped or "not in" in finding.what]
    assert [(f.what, f.where.rpartition("/")[2], f.dropped) for f in findings] == [
        ("row names no clip", "CASME2-coding-20140508.xlsx, sheet 'Sheet1', row 11", True),
        ("clip folder missing", "missing", True),
        ("clip has no frames", "empty", True),
        ("onset after offset", "backwards", True),
        ("no frame between onset and offset", "elsewhere", True),
        ("onset or offset missing", "endless", True),
        ("clip folder not in the sheet", "unlisted", False),
    ]
    assert findings[3].detail == "onset 9, offset 5"
    assert findings[4].detail == "frames 7-8 on disk, onset 1, offset 3"


def test_oddities_that_keep_the_sample(tmp_path: Path) -> None:
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
    details = {(f.where.rpartition("/")[2], f.what): f.detail for f in dataset.findings()}
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


def test_a_row_that_stands_there_twice(tmp_path: Path) -> None:
    root = write_casme2(tmp_path, [*ROWS, ("1", "EP02_01f", 46, 50, 53, 12, "disgust")])
    with pytest.raises(DataError, match=r"row 6: sub01/EP02_01f stands there twice, first in .* row 2; remove one"):
        Casme2(root=root).samples()


@pytest.mark.parametrize(
    ("subject", "clip"), [("../../etc", "x"), ("01", "../../../etc"), ("01", "a\\b"), ("01", "..")]
)
def test_a_sheet_cannot_lead_out_of_the_folder(root: Path, subject: str, clip: str) -> None:
    write_xlsx(root / "CASME2-coding-20140508.xlsx", CASME2_HEADER, [(subject, clip, 1, 2, 3, 4, "disgust")])
    with pytest.raises(DataError, match=r"row 2: Subject, Filename: .* cannot be the name of a folder"):
        Casme2(root=root).samples()


def test_a_broken_cell_is_named(tmp_path: Path) -> None:
    root = write_casme2(tmp_path, [("01", "EP02_01f", 46, "about 50", 53, 12, "happiness")])
    with pytest.raises(DataError, match=r"row 2: Apex Frame is 'about 50', expected the number of a frame"):
        Casme2(root=root).samples()


def test_a_missing_column(tmp_path: Path) -> None:
    root = write_casme2(tmp_path, ROWS, header=[*CASME2_HEADER[:3], "Peak", *CASME2_HEADER[4:]])
    with pytest.raises(
        DataError, match="missing column Apex Frame; headers found: Subject, Filename, OnsetFrame, Peak"
    ):
        Casme2(root=root).samples()


def test_an_annotation_without_rows(root: Path) -> None:
    write_xlsx(root / "CASME2-coding-20140508.xlsx", CASME2_HEADER, [])
    with pytest.raises(DataError, match="has a header row and no clip below it"):
        Casme2(root=root).samples()


def test_not_one_clip_on_disk(root: Path) -> None:
    write_xlsx(root / "CASME2-coding-20140508.xlsx", CASME2_HEADER, [("01", "x", 1, 2, 3, 4, "disgust")])
    with pytest.raises(DataError, match=r"not one of the 1 clips .* the first: casme2/sub01/x: clip folder missing"):
        Casme2(root=root).samples()


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
        ("cut", r"img48\.jpg: is cut off"),
        ("text", r"img48\.jpg: is no readable image"),
        ("small", r"frames differ in size: img46\.jpg is 16x12 colour, img48\.jpg is 10x12 colour"),
        ("gray", r"img46\.jpg is 16x12 colour, img48\.jpg is 16x12 gray"),
    ],
)
def test_a_broken_frame_is_named_when_it_is_read(root: Path, how: str, message: str) -> None:
    break_frame(root / "CASME2_RAW_selected/sub01/EP02_01f/img48.jpg", how)
    dataset = Casme2(root=root)
    sample = by_id(dataset)["casme2/sub01/EP02_01f"]
    with pytest.raises(DataError, match=message):
        dataset.load(sample)
    if how not in {"small", "gray"}:
        with pytest.raises(DataError, match=message):
            dataset.load_frames(sample, [46, 48])


def test_png_frames_of_any_depth(tmp_path: Path) -> None:
    root = write_casme2(tmp_path, ROWS[:1])
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
def test_a_wrong_root(tmp_path: Path, make: object, message: str) -> None:
    root = tmp_path / "a" / "b" / "root"
    root.parent.mkdir(parents=True)
    make(root)  # type: ignore[operator]
    with pytest.raises(DataError, match=message) as error:
        Casme2(root=root).samples()
    assert str(error.value).startswith(str(root))


def test_the_stand_in_is_refused_until_there_is_one() -> None:
    plugin, faults = build(Casme2, {"root": "stand-in"})
    assert isinstance(plugin, Casme2)
    assert faults == []
    assert plugin.flags() == ("synthetic",)
    with pytest.raises(DataError, match="root: stand-in: this installation has no generator"):
        plugin.samples()


def test_the_real_annotation(casme2_sheet: Path, tmp_path: Path) -> None:
    import openpyxl

    from plugins.aus import parse

    (tmp_path / casme2_sheet.name).symlink_to(casme2_sheet)
    book = openpyxl.load_workbook(casme2_sheet, read_only=True)
    rows = list(book.worksheets[0].iter_rows(min_row=2, values_only=True))
    book.close()
    frame = encode(image(100, size=(4, 4)), ".jpg")
    for subject, clip, onset, apex, offset, *_ in rows:
        folder = tmp_path / "CASME2_RAW_selected" / f"sub{subject}" / str(clip)
        folder.mkdir(parents=True)
        for number in {int(str(number)) for number in (onset, apex, offset)}:
            (folder / f"img{number}.jpg").write_bytes(frame)

    dataset = Casme2(root=tmp_path)
    samples = dataset.samples()
    assert len(samples) == 255
    assert len({sample.subject for sample in samples}) == 26
    assert Counter(sample.emotion for sample in samples) == {
        "others": 99,
        "disgust": 63,
        "happiness": 32,
        "repression": 27,
        "surprise": 25,
        "sadness": 7,
        "fear": 2,
    }
    assert sum(sample.emotion in dataset.label_map() for sample in samples) == 246
    assert sum(sample.emotion in Casme2(root=tmp_path, classes=7).label_map() for sample in samples) == 255
    files = Counter(sample.sample_id.rpartition("/")[2] for sample in samples)
    assert sum(count > 1 for count in files.values()) == 53

    cells = [parse(row[5]) for row in rows]
    assert [cell.raw for cell in cells] == [str(row[5]) for row in rows]
    assert Counter(cell.raw for cell in cells if not cell.complete) == {"?": 5}
    assert sum(bool(sample.aus) for sample in samples) == 250
    assert {f.what for f in dataset.findings()} == {
        "frames missing",
        "action units not fully read",
        "erratum not applied",
    }
    assert not any(finding.dropped for finding in dataset.findings())

    by_name = {sample.sample_id: sample for sample in Casme2(root=tmp_path, errata="off").samples()}
    same_as = {
        "onset": ["casme2/sub05/EP09_05f"],
        "offset": [f"casme2/sub{n}" for n in ("05/EP16_04f", "12/EP09_06", "20/EP16_01", "25/EP18_04f")],
    }
    for field, ids in same_as.items():
        assert sorted(ids) == sorted(n for n, sample in by_name.items() if sample.apex == getattr(sample, field))
    clip = dataset.load(samples[0])
    assert clip.frames.shape == (3, 4, 4, 3)
    assert (clip.onset_index, clip.apex_index, clip.offset_index) == (0, 1, 2)
