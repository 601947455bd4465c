"""One cell that cannot be read costs its clip, and two annotations are never mixed up in silence."""

from __future__ import annotations

from pathlib import Path

import pytest

from mexbench.data.samples import read_samples
from mexbench.errors import DataError
from mexbench.interfaces import DAMAGED_CELL
from mexbench.registry.catalogue import Catalogue
from mexbench_plugins.datasets.casme2 import Casme2
from mexbench_plugins.datasets.casme3 import Casme3
from mexbench_plugins.datasets.dfme import Dfme
from tests.helpers import config_of
from tests.mexbench_plugins.datasets.layouts import write_frames

HEADER = "Subject;Filename;OnsetFrame;ApexFrame;OffsetFrame;Emotion;EmotionId;Fps;AU\n"
ROWS = (
    "sub0001;sub0001_01;0;2;4;happiness;4;200;AU12+AD31\n"
    "sub0001;sub0001_02;0;\\;4;disgust;2;200;4\n"
    "sub0002;sub0002_01;0.0;2.0;4.0;fear;3;200.0;1\n"
    "sub0002;sub0002_02;0;2;x4;fear;3;200;1\n"
    "sub0003;sub0003_01;0;2;4;fear;3;quick;1\n"
    "sub0003;sub0003_02;0;2;4;disgust;2;200;9\n"
)


@pytest.fixture
def dfme(tmp_path: Path) -> Path:
    for subject in (1, 2, 3):
        for clip in (1, 2):
            write_frames(tmp_path / "frames" / f"sub{subject:04}_{clip:02}", range(5), "{:03}.jpg")
    (tmp_path / "training_full_with_AU.csv").write_text(HEADER + ROWS, encoding="utf-8")
    return tmp_path


def test_rows_with_a_bad_cell_are_excluded_by_name_and_all_are_listed(dfme: Path) -> None:
    dataset = Dfme(root=dfme, part="training")
    assert [sample.sample_id for sample in dataset.samples()] == [
        "dfme/sub0001/sub0001_01", "dfme/sub0002/sub0002_01", "dfme/sub0003/sub0003_02",
    ]  # fmt: skip
    assert dataset.samples()[1].apex == 2
    assert dataset.samples()[0].aus == {"AU12"}
    assert dataset.samples()[0].aus_complete
    damaged = {issue.where: issue.detail for issue in dataset.data_issues() if issue.what == DAMAGED_CELL}
    assert sorted(damaged) == ["sub0001/sub0001_02", "sub0002/sub0002_02", "sub0003/sub0003_01"]
    assert "row 3: ApexFrame is '\\\\', expected the number of a frame" in damaged["sub0001/sub0001_02"]
    assert "row 6: Fps is 'quick'" in damaged["sub0003/sub0003_01"]
    assert all(issue.excluded for issue in dataset.data_issues() if issue.what == DAMAGED_CELL)


def test_damaged_refuse_lists_the_bad_cells(dfme: Path, builtin: Catalogue) -> None:
    text = f"dataset: {{plugin: dfme, root: {dfme}, part: training}}\nprotocol: loso\nmodels: [majority]\n"
    part = config_of(text, builtin).parts[0]
    assert read_samples(part).excluded[DAMAGED_CELL] == (
        "sub0001/sub0001_02", "sub0002/sub0002_02", "sub0003/sub0003_01",
    )  # fmt: skip
    with pytest.raises(DataError, match=r"3 clips are damaged:\n.*sub0001_02.*\n.*sub0002_02.*\n.*sub0003_01"):
        read_samples(config_of(text + "damaged: refuse\n", builtin).parts[0])


def test_a_sheet_without_a_readable_row_is_an_error(dfme: Path) -> None:
    (dfme / "training_full_with_AU.csv").write_text(HEADER + ROWS.splitlines()[1] + "\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"ApexFrame is .* no row of the annotation can be read, 1 were tried"):
        Dfme(root=dfme, part="training").samples()


def test_the_file_that_was_read_is_named(dfme: Path, casme2_root: Path) -> None:
    assert list(Dfme(root=dfme, part="training").read_from()) == [str(dfme / "training_full_with_AU.csv")]
    (text,) = Casme2(root=casme2_root).read_from()
    assert text.endswith("CASME2-coding-20140508.xlsx, sheet 'Sheet1'")


def test_two_annotations_that_differ_are_refused_and_named(dfme: Path) -> None:
    (dfme / "training_old.csv").write_text(HEADER + ROWS.splitlines()[0] + "\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"more than one annotation: training_full_with_AU\.csv, training_old\.csv"):
        Dfme(root=dfme, part="training").samples()
    (dfme / "training_old.csv").write_text(HEADER + ROWS, encoding="utf-8")
    assert len(Dfme(root=dfme, part="training").samples()) == 3  # equal copies are one annotation


def test_two_annotations_in_different_folders_are_refused(casme2_root: Path) -> None:
    (sheet,) = casme2_root.rglob("CASME2-coding-20140508.xlsx")
    backup = casme2_root / "backup"
    backup.mkdir()
    (backup / "CASME2-coding-20140508.csv").write_text("Subject,Filename\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"more than one annotation: .*backup/CASME2-coding-20140508\.csv") as error:
        Casme2(root=casme2_root).samples()
    assert sheet.name in str(error.value)


def test_casme3_ids_of_bad_rows_do_not_need_the_onset(tmp_path: Path) -> None:
    write_frames(tmp_path / "CAS" / "spNO.1" / "b" / "color", range(3), "{}.jpg")
    (tmp_path / "cas(me)3_part_A_ME_label.csv").write_text(
        "Subject,Filename,Onset,Apex,Offset,AU,Objective class,emotion\n"
        "spNO.1,b,0,1,2,4,I,disgust\nspNO.1,b,?,1,2,4,I,disgust\n",
        encoding="utf-8",
    )
    dataset = Casme3(root=tmp_path)
    assert [sample.sample_id for sample in dataset.samples()] == ["casme3/spNO.1/b_0"]
    assert [issue.where for issue in dataset.data_issues() if issue.what == DAMAGED_CELL] == ["spNO.1/b"]
