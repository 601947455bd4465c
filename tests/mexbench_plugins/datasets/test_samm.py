from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from mexbench.errors import DataError
from mexbench.interfaces import CodedActionUnits, Sample
from mexbench_plugins.datasets.samm import Samm
from tests.mexbench_plugins.datasets.layouts import SAMM_HEADER, by_id, samm_row, write_frames, write_samm, write_xlsx

ROWS: list[Sequence[object]] = [
    samm_row("006", "006_1_2", (5562, 5565, 5568), "4+7", "Anger"),
    samm_row(7, "007_3_1", (98, 100, 103), "ref(7B)+43", "Other"),
    samm_row("007", "007_3_2", (10, 11, 12), "R14+17+soft focus ", "Happiness "),
]


@pytest.mark.parametrize(("preamble", "name"), [(0, "SAMM_Micro.xlsx"), (13, "SAMM_Micro_FACS_Codes_v2.xlsx")])
def test_both_shapes_of_the_sheet(tmp_path: Path, preamble: int, name: str) -> None:
    samples = by_id(Samm(root=write_samm(tmp_path, ROWS, preamble=preamble, name=name)))
    assert sorted(samples) == ["samm/006/006_1_2", "samm/007/007_3_1", "samm/007/007_3_2"]
    assert samples["samm/007/007_3_1"] == Sample(
        sample_id="samm/007/007_3_1",
        clip_id="samm/007/007_3_1",
        subject="samm/007",
        dataset="samm",
        emotion="other",
        onset=98,
        apex=100,
        offset=103,
        aus=frozenset({"AU43"}),
        fps=200.0,
    )
    assert samples["samm/007/007_3_2"].emotion == "happiness"
    assert samples["samm/007/007_3_2"].aus == {"AU14", "AU17"}


def test_frames_are_gray(tmp_path: Path) -> None:
    dataset = Samm(root=write_samm(tmp_path, ROWS))
    clip = dataset.load(by_id(dataset)["samm/007/007_3_1"])
    assert clip.frames.shape == (6, 10, 20, 1)
    assert np.abs(clip.frames[:, 5, 5, 0].astype(int) - np.arange(98, 104)).max() <= 1
    assert (clip.onset_index, clip.apex_index, clip.offset_index, clip.fps) == (0, 2, 5, 200.0)


def test_cells_that_were_not_fully_read_are_named(tmp_path: Path) -> None:
    data_issues = Samm(root=write_samm(tmp_path, ROWS)).data_issues()
    assert [(issue.where, issue.detail) for issue in data_issues] == [
        ("samm/007/007_3_1", "'ref(7B)+43': AU43 taken"),
        ("samm/007/007_3_2", "'R14+17+soft focus ': AU14, AU17 taken"),
    ]


def test_classes() -> None:
    maps = {classes: Samm(root=Path("x"), classes=classes).label_map() for classes in (3, 7, 8)}
    assert [len(set(label_map.values())) for label_map in maps.values()] == [3, 7, 8]
    assert list(dict.fromkeys(maps[3].values())) == ["negative", "positive", "surprise"]
    assert {emotion for emotion, label in maps[3].items() if label == "negative"} == {
        "anger",
        "contempt",
        "disgust",
        "fear",
        "sadness",
    }
    assert set(maps[8]) - set(maps[7]) == {"other"}
    assert "other" not in maps[3]


ERRATA: list[Sequence[object]] = [
    samm_row("028", "028_4_1", (1071, 1143, 1134), 4, "Anger"),
    samm_row("032", "032_3_1", (4896, 1930, 4970), 4, "Anger"),
]


def test_errata_of_the_sheet_with_a_preamble(tmp_path: Path) -> None:
    root = write_samm(tmp_path, ERRATA, preamble=13)
    dataset = Samm(root=root)
    samples = by_id(dataset)
    assert (samples["samm/028/028_4_1"].apex, samples["samm/032/032_3_1"].apex) == (1124, 4930)
    assert [(e.published, e.corrected) for e in dataset.applied_corrections()] == [("1143", "1124"), ("1930", "4930")]
    assert dataset.data_issues() == ()
    assert dataset.load(samples["samm/028/028_4_1"]).apex_index == 1124 - 1071

    off = Samm(root=root, errata="off")
    assert by_id(off)["samm/028/028_4_1"].apex == 1143
    assert [issue.what for issue in off.data_issues()] == ["apex outside onset-offset"] * 2
    assert off.load(by_id(off)["samm/028/028_4_1"]).apex_index is None


def test_sheet_without_the_errors_is_not_corrected(tmp_path: Path) -> None:
    dataset = Samm(root=write_samm(tmp_path, [samm_row("028", "028_4_1", (1071, 1124, 1134), 4, "Anger")]))
    assert dataset.applied_corrections() == ()
    assert dataset.data_issues() == ()
    assert dataset.samples()[0].apex_source is None


def test_known_errata() -> None:
    assert [(e.sample_id, e.published, e.corrected) for e in Samm.known_corrections()] == [
        ("samm/028/028_4_1", "1143", "1124"),
        ("samm/032/032_3_1", "1930", "4930"),
    ]


def test_the_annotation_of_the_long_videos_is_another_one(tmp_path: Path) -> None:
    root = write_samm(tmp_path, ROWS)
    write_xlsx(root / "SAMM_LongVideos_V3.xlsx", ("x",), [])
    assert len(Samm(root=root).samples()) == 3
    assert len(Samm(root=root / "SAMM").samples()) == 3


def test_two_annotations_require_a_choice(tmp_path: Path) -> None:
    root = write_samm(tmp_path, ROWS)
    write_xlsx(root / "SAMM_v2.xlsx", SAMM_HEADER, ROWS[:1])
    with pytest.raises(DataError, match=r"more than one annotation: SAMM_Micro\.xlsx, SAMM_v2\.xlsx; they differ"):
        Samm(root=root).samples()
    assert len(Samm(root=root, annotation="samm_v2.xlsx").samples()) == 1
    with pytest.raises(DataError, match=r"no annotation: looked for other\.xlsx"):
        Samm(root=root, annotation="other.xlsx").samples()


def test_wrong_root_is_reported(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no such folder; 'root' must be the folder of SAMM \(006/006_1_2"):
        Samm(root=tmp_path / "x").samples()
    write_frames(tmp_path / "a" / "b" / "SAMM" / "006" / "006_1_2", [1])
    with pytest.raises(DataError, match=r"no annotation: looked for SAMM\*\.xlsx or SAMM\*\.csv"):
        Samm(root=tmp_path / "a" / "b").samples()
    (tmp_path / "c" / "s01").mkdir(parents=True)
    with pytest.raises(DataError, match=r"no frames: looked for folders of subjects, three levels deep"):
        Samm(root=tmp_path / "c").samples()


def test_the_units_need_the_sheet_alone(tmp_path: Path) -> None:
    write_xlsx(tmp_path / "SAMM_Micro.xlsx", SAMM_HEADER, ROWS, preamble=[["Remark"]] * 13, title="MICRO_ONLY")
    coded = {one.clip_id: one for one in Samm(root=tmp_path).coded_action_units()}
    assert list(coded) == ["samm/006/006_1_2", "samm/007/007_3_1", "samm/007/007_3_2"]
    assert coded["samm/007/007_3_2"] == CodedActionUnits(
        clip_id="samm/007/007_3_2",
        emotion="happiness",
        cell="R14+17+soft focus ",
        raw=frozenset({"R14", "17", "soft focus"}),
        sided=frozenset({"R14", "17"}),
        numbers=frozenset({"14", "17"}),
        opened=frozenset({"R14", "17"}),
    )
