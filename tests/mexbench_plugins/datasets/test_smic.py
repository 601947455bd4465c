from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mexbench.errors import DataError
from mexbench.interfaces import Sample
from mexbench_plugins.datasets.smic import Smic
from tests.mexbench_plugins.datasets.layouts import by_id, write_frames, write_xlsx

HS = "SMIC_all_cropped/HS"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write_frames(tmp_path / HS / "s1/micro/positive/s1_po_01", range(8, 12), "reg_image{}.bmp")
    write_frames(tmp_path / HS / "s1/micro/negative/s1_ne_02", range(1, 4), "reg_image{}.bmp")
    write_frames(tmp_path / HS / "s20/micro/surprise/s20_sur_01", range(1, 4), "reg_image{}.bmp")
    write_frames(tmp_path / HS / "s1/non_micro/s1_non_01", range(1, 4), "reg_image{}.bmp")
    write_frames(tmp_path / "SMIC_all_cropped/NIR" / "s1/micro/positive/s1_po_01", [1], "reg_image{}.bmp")
    return tmp_path


@pytest.mark.parametrize("below", ["", "SMIC_all_cropped", HS])
def test_sample_ids_follow_the_megc_lists(root: Path, below: str) -> None:
    samples = by_id(Smic(root=root / below))
    assert sorted(samples) == ["smic/s01/s01_ne_02", "smic/s01/s01_po_01", "smic/s20/s20_sur_01"]
    assert samples["smic/s01/s01_po_01"] == Sample(
        sample_id="smic/s01/s01_po_01",
        clip_id="smic/s01/s01_po_01",
        subject="smic/s01",
        dataset="smic",
        emotion="positive",
        onset=8,
        offset=11,
        fps=100.0,
    )
    assert [samples[name].emotion for name in ("smic/s01/s01_ne_02", "smic/s20/s20_sur_01")] == ["negative", "surprise"]


def test_frames(root: Path) -> None:
    dataset = Smic(root=root)
    clip = dataset.load(by_id(dataset)["smic/s01/s01_po_01"])
    assert clip.frames[:, 0, 0, 0].tolist() == [8, 9, 10, 11]
    assert (clip.onset_index, clip.apex_index, clip.offset_index, clip.fps) == (0, None, 3, 100.0)
    assert clip.frames.dtype == np.uint8


def test_releases(root: Path) -> None:
    raw = root / "SMIC_all_raw/HS/s03/micro/positive/s03_po_07"
    write_frames(raw, [17581039, 17581040, 17581042], "image{}.jpg")
    dataset = Smic(root=root, release="raw")
    (sample,) = dataset.samples()
    assert (sample.sample_id, sample.onset, sample.offset) == ("smic/s03/s03_po_07", 17581039, 17581042)
    assert [(f.what, f.detail) for f in dataset.data_issues()] == [
        ("frames missing", "1 of 4 from onset 17581039 to offset 17581042")
    ]
    assert len(Smic(root=root).samples()) == 3
    assert len(Smic(root=root / "SMIC_all_raw").samples()) == 1
    with pytest.raises(DataError, match=r"no frames of release 'cropped': .*found: raw \("):
        Smic(root=root / "SMIC_all_raw", release="cropped").samples()


def test_a_clip_without_frames_is_named(root: Path) -> None:
    (root / HS / "s2/micro/positive/s2_po_01").mkdir(parents=True)
    dataset = Smic(root=root)
    assert len(dataset.samples()) == 3
    assert [(f.what, f.where, f.excluded) for f in dataset.data_issues()] == [
        ("clip has no frames", "smic/s02/s02_po_01", True)
    ]


def test_unknown_class_folder_is_rejected(root: Path) -> None:
    write_frames(root / HS / "s1/micro/happy/s1_ha_01", [1], "reg_image{}.bmp")
    with pytest.raises(DataError, match="happy: expected a class folder: negative, positive, surprise"):
        Smic(root=root).samples()


def test_clip_in_two_class_folders_is_rejected(root: Path) -> None:
    write_frames(root / HS / "s1/micro/surprise/s1_po_01", [1], "reg_image{}.bmp")
    with pytest.raises(DataError, match="clip smic/s01/s01_po_01 is in two class folders"):
        Smic(root=root).samples()


def test_wrong_root_is_reported(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such folder; 'root' must be the folder of SMIC_all_cropped/HS"):
        Smic(root=tmp_path / "x").samples()
    (tmp_path / "s1" / "other").mkdir(parents=True)
    with pytest.raises(DataError, match=r"no frames of release 'auto': .* found: none"):
        Smic(root=tmp_path).samples()


def test_apexes_come_from_a_sheet_and_count_from_its_onset(root: Path) -> None:
    header = ("data", "subject", "clip", "label", "onset_frame", "apex_frame", "offset_frame")
    clips = by_id(Smic(root=root))
    first, second, *_ = sorted(clips)
    onset, offset = clips[first].onset, clips[first].offset
    assert onset is not None
    assert offset is not None
    assert [clips[name].apex for name in (first, second)] == [None, None]
    rows = [
        ("HS", first.split("/")[1].replace("s0", "s"), first.rpartition("/")[2], "x", 1, 2, None),
        ("HS", second.split("/")[1], second.rpartition("/")[2].replace("s0", "s"), "x", 1, 900, 950),
    ]
    sheet = write_xlsx(root / "smic_apex.xlsx", header, rows)
    dataset = Smic(root=root, apexes=sheet)
    samples = by_id(dataset)
    assert (samples[first].apex, samples[first].apex_source) == (onset + 1, "smic_apex.xlsx")
    assert samples[second].apex is None
    details = {issue.where: issue.detail for issue in dataset.data_issues() if issue.what == "apex missing"}
    assert "apex 900 of onset 1 lies outside the clip, which has" in details[second]
    assert dataset.files(samples[first])[-1] == sheet
    middle = by_id(Smic(root=root, apexes="middle"))[first]
    assert (middle.apex, middle.apex_source) == ((onset + offset) // 2, "middle of onset and offset")
