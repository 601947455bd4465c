from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mexbench.errors import DataError
from mexbench.interfaces import Sample
from mexbench.registry.parameters import build
from mexbench_plugins.datasets.casme2 import Casme2
from tests.mexbench_plugins.datasets.layouts import (
    CASME2_HEADER,
    CASME2_ROWS,
    by_id,
    write_casme2,
    write_frames,
    write_xlsx,
)


def test_samples_follow_the_sheet(casme2_root: Path) -> None:
    samples = by_id(Casme2(root=casme2_root))
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
        aus_complete=True,
        fps=200.0,
    )
    assert [samples[f"casme2/{name}"].aus_complete for name in ("sub02/EP03_02", "sub26/EP18_50")] == [False, False]
    assert samples["casme2/sub02/EP03_02"].emotion == "disgust"
    assert samples["casme2/sub26/EP18_50"].apex is None
    assert samples["casme2/sub26/EP18_50"].aus == frozenset()


@pytest.mark.parametrize("subject", [1, 1.0, "1", "01", "sub01", "sub1", " 01 "])
def test_subject_spellings_are_normalised(tmp_path: Path, subject: object) -> None:
    write_casme2(tmp_path, CASME2_ROWS[:1])
    write_xlsx(tmp_path / "CASME2-coding-20140508.xlsx", CASME2_HEADER, [(subject, *CASME2_ROWS[0][1:])])
    assert [sample.subject for sample in Casme2(root=tmp_path).samples()] == ["casme2/sub01"]


def test_data_issues_of_usable_clips(casme2_root: Path) -> None:
    data_issues = Casme2(root=casme2_root).data_issues()
    assert [(issue.what, issue.where) for issue in data_issues] == [
        ("action units not fully read", "casme2/sub02/EP03_02"),
        ("apex missing", "casme2/sub26/EP18_50"),
    ]
    assert data_issues[0].detail == "'?': none taken"


def test_frames_are_sorted_by_number(casme2_root: Path) -> None:
    dataset = Casme2(root=casme2_root)
    sample = by_id(dataset)["casme2/sub01/EP03_02"]
    clip = dataset.load(sample)
    assert list(dataset.frame_numbers(sample)) == [98, 99, 100, 101, 102, 103]
    assert clip.frames.shape == (6, 12, 16, 3)
    assert clip.frames.dtype == np.uint8
    assert np.abs(clip.frames[:, 5, 5, 0].astype(int) - np.arange(98, 104)).max() <= 2
    assert (clip.onset_index, clip.apex_index, clip.offset_index, clip.fps) == (0, 3, 5, 200.0)


def test_only_onset_to_offset_is_loaded(casme2_root: Path) -> None:
    write_frames(casme2_root / "CASME2_RAW_selected/sub01/EP02_01f", [1, 2, 45, 54, 120])
    dataset = Casme2(root=casme2_root)
    sample = by_id(dataset)["casme2/sub01/EP02_01f"]
    assert list(dataset.frame_numbers(sample)) == list(range(46, 54))
    assert len(dataset.load(sample).frames) == 8
    assert np.abs(int(dataset.load_frames(sample, [120]).frames[0, 5, 5, 0]) - 120) <= 2


def test_chosen_frames(casme2_root: Path) -> None:
    dataset = Casme2(root=casme2_root)
    sample = by_id(dataset)["casme2/sub01/EP02_01f"]
    clip = dataset.load_frames(sample, [50, 46, 53, 46])
    assert np.abs(clip.frames[:, 5, 5, 0].astype(int) - (50, 46, 53, 46)).max() <= 2
    assert (clip.apex_index, clip.onset_index, clip.offset_index, clip.fps) == (0, 1, 2, None)
    halved = dataset.load_frames(sample, [47, 49, 51])
    assert (halved.fps, halved.onset_index, halved.apex_index) == (100.0, None, None)
    with pytest.raises(DataError, match="EP02_01f has no frame 54; it has 8 frames, from 46 to 53"):
        dataset.load_frames(sample, [46, 54])
    with pytest.raises(DataError, match="no frame was asked for"):
        dataset.load_frames(sample, [])


def test_files_include_annotation_and_corrections(casme2_root: Path) -> None:
    dataset = Casme2(root=casme2_root)
    sample = by_id(dataset)["casme2/sub02/EP03_02"]
    names = [path.name for path in dataset.files(sample)]
    assert names == [*(f"img{n}.jpg" for n in range(8, 13)), "CASME2-coding-20140508.xlsx", "casme2.yaml"]
    assert [path.name for path in dataset.files(sample, [12, 9])][:2] == ["img12.jpg", "img9.jpg"]
    assert "casme2.yaml" not in {path.name for path in Casme2(root=casme2_root, errata="off").files(sample)}


def test_unknown_sample_is_rejected(casme2_root: Path) -> None:
    sample = Sample(sample_id="x", clip_id="x", subject=None, dataset="casme2", emotion=None)
    with pytest.raises(DataError, match="no clip 'x' in this copy"):
        Casme2(root=casme2_root).load(sample)


def test_one_frame_of_a_clip_is_found_by_its_clip(casme2_root: Path) -> None:
    frame = Sample(
        sample_id="casme2/sub02/EP03_02#9", clip_id="casme2/sub02/EP03_02", subject=None, dataset="casme2", emotion=None
    )
    assert Casme2(root=casme2_root).load_frames(frame, [9]).frames.shape == (1, 12, 16, 3)


@pytest.mark.parametrize(
    ("classes", "expected"),
    [
        (5, ["happiness", "disgust", "repression", "surprise", "others"]),
        (7, ["happiness", "disgust", "repression", "surprise", "others", "sadness", "fear"]),
        (3, ["negative", "positive", "surprise"]),
    ],
)
def test_classes(casme2_root: Path, classes: int, expected: list[str]) -> None:
    plugin, errors = build(Casme2, {"root": str(casme2_root), "classes": classes})
    assert isinstance(plugin, Casme2)
    assert errors == []
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
    root = write_casme2(tmp_path, CASME2_ROWS, frames=folder, name=name)
    plugin, _ = build(Casme2, {"root": str(root), "release": "auto" if chosen == "auto" else release})
    assert isinstance(plugin, Casme2)
    sample = by_id(plugin)["casme2/sub01/EP02_01f"]
    assert plugin.files(sample)[0] == root / folder / "sub01" / "EP02_01f" / name.format(46)


def test_auto_takes_the_selected_raw_frames_first(tmp_path: Path) -> None:
    for folder in ("Cropped", "CASME2-RAW", "CASME2_RAW_selected"):
        write_casme2(tmp_path, CASME2_ROWS, frames=folder)
    dataset = Casme2(root=tmp_path)
    assert "CASME2_RAW_selected" in str(dataset.files(dataset.samples()[0])[0])


def test_missing_release_is_reported(casme2_root: Path) -> None:
    with pytest.raises(DataError, match=r"no frames of release 'cropped': looked for Cropped .*found: raw_selected \("):
        Casme2(root=casme2_root, release="cropped").samples()


@pytest.mark.parametrize("place", ["CASME2_RAW_selected", "CASME2_RAW_selected/..", "annotation/coding"])
def test_the_annotation_may_lie_beside_above_or_below(tmp_path: Path, casme2_root: Path, place: str) -> None:
    sheet = casme2_root / "CASME2-coding-20140508.xlsx"
    target = casme2_root / place
    target.mkdir(parents=True, exist_ok=True)
    sheet.rename(target / sheet.name)
    assert len(Casme2(root=casme2_root).samples()) == 4


def test_the_root_may_be_the_folder_of_the_frames(casme2_root: Path) -> None:
    assert len(Casme2(root=casme2_root / "CASME2_RAW_selected").samples()) == 4
    (casme2_root / "CASME2_RAW_selected").rename(casme2_root / "frames")
    assert len(Casme2(root=casme2_root / "frames").samples()) == 4


def test_a_csv_annotation(tmp_path: Path) -> None:
    write_frames(tmp_path / "CASME2-RAW/sub01/EP02_01f", range(46, 54))
    lines = [",".join(CASME2_HEADER), "1,EP02_01f,46,50,53,L1+L2,happiness"]
    (tmp_path / "CASME2-coding-20190701.csv").write_text("\n".join(lines), encoding="utf-8")
    (sample,) = Casme2(root=tmp_path).samples()
    assert (sample.sample_id, sample.apex, sample.aus) == ("casme2/sub01/EP02_01f", 50, {"AU1", "AU2"})


def test_the_newest_annotation_with_its_blank_and_extra_columns(casme2_root: Path) -> None:
    header = ("Subject", "Filename", None, "OnsetFrame", "ApexFrame", "OffsetFrame", None, "Action Units")
    write_xlsx(
        casme2_root / "CASME2-coding-20190701.xlsx",
        (*header, "Objective Classes", "Estimated Emotion"),
        [(1, "EP02_01f", None, 46, 51, 53, None, "6+12", 1, "surprise")],
    )
    (new,) = Casme2(root=casme2_root).samples()
    assert (new.emotion, new.apex, new.aus) == ("surprise", 51, {"AU6", "AU12"})
    old = by_id(Casme2(root=casme2_root, annotation="20140508"))["casme2/sub01/EP02_01f"]
    assert (old.emotion, old.apex) == ("happiness", 50)
