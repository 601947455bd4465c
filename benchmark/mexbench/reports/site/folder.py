"""Pages -> a folder: whole or not at all, and never in the place of something else."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from mexbench.errors import BoardError, listed
from mexbench.files import read_json, replacing_folder, write_json

#: Lists the files of a site: what it does not list is somebody else's.
MARK = "site.json"
_MADE_BY = "bench site"


def check_own_folder(out: Path) -> None:
    """See that a folder may be replaced: it is not there, empty, or holds what an earlier site wrote and nothing else.

    Raises:
        BoardError: It may not; the text names what is in the way.
    """
    if not out.exists():
        return
    if not out.is_dir():
        raise BoardError(f"--out {out}: is a file; name a folder")
    if ours := _ours(out):
        present = {
            path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_symlink() or not path.is_dir()
        }
    else:
        present = {path.name for path in out.iterdir()}
    if foreign := sorted(present - ours):
        shown = listed(foreign, limit=3)
        raise BoardError(
            f"--out {out}: holds what 'bench site' did not write: {shown}; name another folder, or empty this one"
        )


def write(out: Path, pages: Mapping[str, str]) -> None:
    """Write a site.

    Args:
        out: The folder; what an earlier site wrote there goes.
        pages: Path inside it -> text.

    Raises:
        BoardError: See ``check_own_folder``.
    """
    check_own_folder(out)
    with replacing_folder(out.resolve()) as folder:  # through a link: the link stays
        for name, text in pages.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8", newline="\n")
        write_json(folder / MARK, {"made_by": _MADE_BY, "files": sorted(pages)})


def _ours(out: Path) -> set[str]:
    try:
        mark = read_json(out / MARK)
        return {MARK, *mark["files"]} if mark["made_by"] == _MADE_BY else set()
    except (OSError, ValueError, KeyError, TypeError):
        return set()
