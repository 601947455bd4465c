"""A site takes the place of an earlier site, and of nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from mexbench.errors import BoardError
from mexbench.reports.site.folder import MARK, write

PAGES = {"index.html": "one\n", "rows/toy/a.html": "two\n"}


def content(out: Path) -> dict[str, str]:
    return {path.relative_to(out).as_posix(): path.read_text() for path in out.rglob("*") if path.is_file()}


def test_a_site_is_written_and_replaced_completely(tmp_path: Path) -> None:
    out = tmp_path / "site"
    write(out, PAGES)
    first = content(out)
    assert first.keys() == {*PAGES, MARK}
    write(out, {"index.html": "three\n"})
    assert content(out).keys() == {"index.html", MARK}
    write(out, PAGES)
    assert content(out) == first
    assert [path.name for path in tmp_path.iterdir()] == ["site"]


def test_an_empty_folder_and_a_link_to_one_are_accepted(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "there")
    write(tmp_path / "link", PAGES)
    assert (tmp_path / "link").is_symlink()
    assert content(tmp_path / "there").keys() == {*PAGES, MARK}


@pytest.mark.parametrize(
    ("foreign", "named"),
    [("notes.txt", "notes.txt"), ("rows/toy/b.html", "rows/toy/b.html"), ("empty/", "empty")],
)
def test_files_of_others_are_not_replaced(tmp_path: Path, foreign: str, named: str) -> None:
    out = tmp_path / "site"
    if foreign.endswith("/"):
        (out / foreign).mkdir(parents=True)
    else:
        write(out, PAGES)
        (out / foreign).write_text("mine")
    before = content(out)
    with pytest.raises(BoardError, match=f"holds what 'bench site' did not write: {named}; name another folder"):
        write(out, PAGES)
    assert content(out) == before


@pytest.mark.parametrize(
    "mark", ["", "{", "[]", '{"made_by": "other", "files": ["index.html"]}', '{"made_by": "bench site"}']
)
def test_an_invalid_mark_owns_no_files(tmp_path: Path, mark: str) -> None:
    out = tmp_path / "site"
    write(out, PAGES)
    (out / MARK).write_text(mark)
    with pytest.raises(BoardError, match=r"did not write: index\.html, rows, site\.json;"):
        write(out, PAGES)


def test_a_file_and_a_link_inside_are_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(BoardError, match=r"file: is a file; name a folder"):
        write(tmp_path / "file", PAGES)
    out = tmp_path / "site"
    write(out, PAGES)
    (tmp_path / "mine").mkdir()
    (out / "shared").symlink_to(tmp_path / "mine")
    with pytest.raises(BoardError, match="did not write: shared"):
        write(out, PAGES)


def test_an_interrupt_leaves_the_earlier_site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "site"
    write(out, PAGES)
    before = content(out)

    def stopped(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("mexbench.reports.site.folder.write_json", stopped)
    with pytest.raises(KeyboardInterrupt):
        write(out, {"index.html": "other"})
    assert content(out) == before
    assert [path.name for path in tmp_path.iterdir()] == ["site"]
