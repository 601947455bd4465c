"""The list of clips: every line is right, or the error names it."""

from __future__ import annotations

from pathlib import Path

import pytest

from mexbench.data.video.clip_list import ListedClip, read, require_films
from mexbench.errors import DataError

HEADER = "clip_id,path,subject,condition,start_s,end_s,emotion,source_url"


def written(folder: Path, *lines: str, header: str = HEADER) -> Path:
    path = folder / "clips.csv"
    path.write_text("\n".join([header, *lines]) + "\n", encoding="utf-8")
    return path


def test_all_columns_are_read(tmp_path: Path) -> None:
    path = written(
        tmp_path, 'a 1,films/a.mp4,anna,"before, first",1.5,2e1,happy,https://example.org/a.mp4', "", "b,b.avi,,,,,,"
    )
    assert read(path) == (
        ListedClip(
            line=f"{path}, line 2", clip_id="a 1", path="films/a.mp4", subject="anna", condition="before, first",
            start_s=1.5, end_s=20.0, emotion="happy", source_url="https://example.org/a.mp4",
        ),
        ListedClip(line=f"{path}, line 4", clip_id="b", path="b.avi"),
    )  # fmt: skip


def test_two_columns_in_any_order_and_a_byte_order_mark(tmp_path: Path) -> None:
    path = written(tmp_path, " x.mp4 , é ", header="\ufeffpath, clip_id")
    assert [(entry.clip_id, entry.path, entry.end_s) for entry in read(path)] == [("é", "x.mp4", None)]


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("a,a.mp4,,,5,2,,", r"line 2: end_s 2 must come after start_s 5"),
        ("a,a.mp4,,,5,5,,", r"line 2: end_s 5 must come after start_s 5"),
        ("a,a.mp4,,,,0,,", r"line 2: end_s 0 must come after start_s 0"),
        ("a,a.mp4,,,soon,,,", r"line 2: start_s 'soon': expected seconds from 0, such as 12\.5, or nothing"),
        ("a,a.mp4,,,-1,,,", r"line 2: start_s '-1': expected seconds"),
        ("a,a.mp4,,,,nan,,", r"line 2: end_s 'nan': expected seconds"),
        ("a,a.mp4,,,,1e999,,", r"line 2: end_s '1e999': expected seconds"),
        ("a,../a.mp4,,,,,,", r"line 2: path '\.\./a\.mp4': expected the name of a film beside the list"),
        ("a,x/../../a.mp4,,,,,,", r"line 2: path 'x/\.\./\.\./a\.mp4'"),
        ("a,/etc/passwd,,,,,,", r"line 2: path '/etc/passwd'"),
        ("a,https://example.org/a.mp4,,,,,,", r"line 2: path 'https:"),
        ("a,,,,,,,", r"line 2: path ''"),
        (",a.mp4,,,,,,", r"line 2: clip_id '': expected letters"),
        ("../a,a.mp4,,,,,,", r"line 2: clip_id '\.\./a': expected letters, digits, spaces or any of _ \. \+ = -"),
        ("a,a.mp4,x/y,,,,,", r"line 2: subject 'x/y': expected letters"),
        ("a,a.mp4,,\x1b[31m,,,,", r"line 2: condition .* holds characters that cannot be shown"),
        ("a,a.mp4", r"line 2: has 2 cells, the header 8"),
        ('a,"a.mp4,,,,,,', r"line \d+: invalid CSV: unexpected end of data"),
        ("", r"clips\.csv: lists no clip"),
    ],
)
def test_invalid_lines_are_rejected(line: str, text: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=text):
        read(written(tmp_path, line))


@pytest.mark.parametrize(
    ("header", "text"),
    [
        ("clip_id,file", r"line 1: lacks the column path; columns: clip_id, path"),
        ("clip_id,subject", r"line 1: lacks the column path; columns: clip_id, path"),
        ("clip_id,path,path", r"line 1: duplicate column 'path'"),
        ("", r"line 1: lacks the column clip_id, path"),
    ],
)
def test_invalid_headers_are_rejected(header: str, text: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=text):
        read(written(tmp_path, header=header))


def test_duplicate_ids_are_rejected(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"line 4: duplicate clip_id 'A', as in .*line 2; give each"):
        read(written(tmp_path, "a,a.mp4,,,,,,", "b,a.mp4,,,,,,", "A,a.mp4,,,,,,"))


def test_all_duplicate_ids_are_listed(tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        read(written(tmp_path, *(f"{name},a.mp4,,,,,," for name in "abcab")))
    assert [text.strip() for text in str(caught.value).splitlines()] == [
        f"{tmp_path / 'clips.csv'}, line 5: duplicate clip_id 'a', as in {tmp_path / 'clips.csv'}, line 2",
        f"{tmp_path / 'clips.csv'}, line 6: duplicate clip_id 'b', as in {tmp_path / 'clips.csv'}, line 3; "
        "give each clip an id of its own",
    ]
    with pytest.raises(DataError, match="and 10 more; give each"):
        read(written(tmp_path, *["a,a.mp4,,,,,,"] * 31))


def test_files_that_are_not_text_are_rejected(tmp_path: Path) -> None:
    path = tmp_path / "clips.csv"
    path.write_bytes(b"clip_id,path\n\xff,a.mp4\n")
    with pytest.raises(DataError, match="is not text in UTF-8"):
        read(path)
    with pytest.raises(DataError, match=r"cannot be read \(No such file or directory\)"):
        read(tmp_path / "none.csv")


def test_missing_films_are_named(tmp_path: Path) -> None:
    entries = read(written(tmp_path, "a,a.mp4,,,,,,", "b,b.mp4,,,,,,", "c,c.mp4,,,,,,"))
    (tmp_path / "a.mp4").touch()
    with pytest.raises(
        DataError,
        match=r"line 3: file not found: .*b\.mp4; 2 films are missing: b, c; put what is missing there",
    ):
        require_films(entries, tmp_path)


def test_a_link_out_of_the_folder_is_rejected(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "a.mp4").touch()
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "link").symlink_to(outside)
    entries = read(written(tmp_path / "in", "a,link/a.mp4,,,,,,"))
    with pytest.raises(DataError, match=r"line 2: path 'link/a\.mp4' leads out of .*in"):
        require_films(entries, tmp_path / "in")


@pytest.mark.parametrize("mark", [",", ";", "\t"])
def test_another_column_is_ignored_with_a_notice(tmp_path: Path, mark: str) -> None:
    path = tmp_path / "clips.csv"
    path.write_text("clip_id,remark,path\na,?,a.mp4\n".replace(",", mark), encoding="utf-8")
    notices: list[str] = []
    (entry,) = read(path, notices.append)
    assert (entry.clip_id, entry.path) == ("a", "a.mp4")
    assert len(notices) == 1
    assert "ignored: 'remark'; the columns that are read: clip_id, path" in notices[0]
