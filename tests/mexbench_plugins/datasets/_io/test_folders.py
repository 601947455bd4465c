from __future__ import annotations

from pathlib import Path

import pytest

from mexbench.errors import DataError
from mexbench_plugins.datasets._io.folders import inside, list_frames


def test_frames_are_sorted_by_number_and_other_files_ignored(tmp_path: Path) -> None:
    for name in ("img10.jpg", "img9.jpg", "img100.JPG", "._img11.jpg", "Thumbs.db", "cover.jpg", "notes12.txt"):
        (tmp_path / name).touch()
    (tmp_path / "img12.jpg").mkdir()
    frames = list_frames(tmp_path)
    assert list(frames) == [9, 10, 12, 100]
    assert [path.name for path in frames.values()] == ["img9.jpg", "img10.jpg", "img12.jpg", "img100.JPG"]


def test_last_number_in_the_name_is_the_frame_number(tmp_path: Path) -> None:
    (tmp_path / "006_05562.jpg").touch()
    assert list(list_frames(tmp_path)) == [5562]


def test_duplicate_frame_numbers_are_rejected(tmp_path: Path) -> None:
    for name in ("img7.jpg", "reg_img07.jpg"):
        (tmp_path / name).touch()
    with pytest.raises(DataError, match=r"img7\.jpg and reg_img07\.jpg are both frame 7; remove one"):
        list_frames(tmp_path)


@pytest.mark.parametrize("part", ["", ".", "..", " .. ", "a/b", "/etc", "..\\x", "C:", "a\0b"])
def test_names_cannot_lead_out_of_the_folder(tmp_path: Path, part: str) -> None:
    with pytest.raises(DataError, match=r"row 3: .* cannot be the name of a folder"):
        inside(tmp_path, "sub01", part, where="row 3")


def test_ordinary_names_may_hold_dots(tmp_path: Path) -> None:
    assert inside(tmp_path, "sub01", "a..b.c", where="row 3") == tmp_path / "sub01" / "a..b.c"


def test_a_name_that_no_file_system_takes_is_refused(tmp_path: Path) -> None:
    assert inside(tmp_path, "9" * 255, where="row 3").name == "9" * 255
    for name, length in (("9" * 256, 256), ("é" * 128, 256)):
        with pytest.raises(DataError, match=rf"^row 3: a name of {length} bytes, which begins '{name[:20]}'"):
            inside(tmp_path, "sub01", name, where="row 3")
