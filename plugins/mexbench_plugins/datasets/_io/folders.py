"""Where the parts of a data set lie."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from mexbench.data.image import IMAGES
from mexbench.errors import DataError, check_name, listed

#: Bytes of a name that the usual file systems take.
LONGEST_NAME = 255


def list_frames(folder: Path) -> dict[int, Path]:
    """Return a clip's frames by the last number in their names, rising: ``img9.jpg`` before ``img10.jpg``.

    A folder that is called like a frame is listed, so that reading it fails by name rather than leaving a gap.

    Raises:
        DataError: Two files have one number.
    """
    frames: dict[int, Path] = {}
    for path in visible(folder):
        digits = re.findall(r"\d+", path.stem, re.ASCII) if path.suffix.lower() in IMAGES else []
        if not digits:
            continue
        number = int(digits[-1])
        if number in frames:
            raise DataError(
                f"{folder}: {frames[number].name} and {path.name} are both frame {number}; remove one of them"
            )
        frames[number] = path
    return dict(sorted(frames.items()))


def inside(root: Path, *parts: str, where: str) -> Path:
    """Join names that stand in a sheet or a manifest to a folder; none of them can lead out of it.

    Raises:
        DataError: A name is empty, ``..``, too long for a file system or holds a separator; the text names ``where`` it
            stands.
    """
    for part in parts:
        if not part or part.strip(". ") == "" or any(character in part for character in "/\\:\0"):
            raise DataError(f"{where}: {part!r} cannot be the name of a folder: expected a name without / \\ : or ..")
        if (length := len(part.encode(errors="replace"))) > LONGEST_NAME:  # asking for it would be an OSError
            raise DataError(
                f"{where}: a name of {length} bytes, which begins {part[:20]!r}; file systems take {LONGEST_NAME}"
            )
    return root.joinpath(*parts)


def visible(folder: Path) -> list[Path]:
    """Return what lies in a folder, sorted by name, without hidden files and what archivers leave behind.

    Raises:
        DataError: The folder cannot be listed, or a name in it is not UTF-8: ids and digests are made of names.
    """
    try:
        paths = sorted(path for path in folder.iterdir() if not path.name.startswith((".", "__MACOSX")))
    except OSError as error:
        raise DataError(f"{folder}: cannot be listed ({error.strerror})") from None
    for path in paths:
        check_name(path)
    return paths


def folders(folder: Path) -> list[Path]:
    """Return the folders in a folder, sorted by name."""
    return [path for path in visible(folder) if path.is_dir()]


def require_folder(root: Path, layout: str) -> None:
    """Check that a root is a folder with something in it.

    Raises:
        DataError: The text says which ``layout`` was expected.
    """
    if not root.is_dir():
        what = "is a file" if root.exists() else "no such folder"
        raise DataError(f"{root}: {what}; 'root' must be the folder of {layout}")
    if not visible(root):
        raise DataError(f"{root}: is empty; 'root' must be the folder of {layout}")


def walk(root: Path, *, skip: re.Pattern[str], depth: int = 3) -> Iterator[Path]:
    """Yield a folder and those below it, the nearest first, without entering those whose name matches ``skip``.

    The many thousands of clip folders lie below the skipped ones.
    """
    level = [root]
    for _ in range(depth + 1):
        yield from level
        level = [inner for folder in level for inner in folders(folder) if not skip.fullmatch(inner.name)]


def holding_subjects(root: Path, subject: re.Pattern[str]) -> list[Path]:
    """Return the folders, nearest first, in which folders of subjects lie."""
    return [
        folder for folder in walk(root, skip=subject) if any(subject.fullmatch(inner.name) for inner in folders(folder))
    ]


def find_files(root: Path, name: re.Pattern[str], *, skip: re.Pattern[str], above: int = 2) -> list[Path]:
    """Return files by name: in ``root`` and below it, the nearest first, then in the folders right above it."""
    places = [*walk(root, skip=skip), *root.absolute().parents[:above]]
    paths: list[Path] = []
    for place in places:
        try:
            inner = visible(place)
        except DataError:  # a folder above that is not ours to read
            continue
        paths += [path for path in inner if name.fullmatch(path.name) and path.is_file()]
    return paths


def only_one(root: Path, files: Sequence[Path]) -> Path:
    """Return the one annotation among files that ``find_files`` gave, or one of several equal copies.

    Those above ``root`` count only where none is in or below it.

    Raises:
        DataError: They differ: one of them must not be taken in silence.
    """
    below = [path for path in files if path.absolute().is_relative_to(root.absolute())]
    nearest = below or [path for path in files if path.parent == files[0].parent]
    others = [path for path in nearest[1:] if not _same_bytes(path, nearest[0])]
    if others:
        names = listed([str(path.relative_to(root)) if below else path.name for path in (nearest[0], *others)])
        raise DataError(
            f"{root}: more than one annotation: {names}; they differ: keep the right one, or choose one of another "
            f"name, such as 'annotation: {nearest[0].name}'"
        )
    return nearest[0]


def _same_bytes(one: Path, other: Path) -> bool:
    return one.stat().st_size == other.stat().st_size and one.read_bytes() == other.read_bytes()


def resolve(root: Path, parts: Sequence[str]) -> Path:
    """Return the folder of these names below ``root``; one that exists in other capitals alone is taken.

    Sheets and folders do not agree about capitals: ``J`` and ``j`` are one video of CAS(ME)3.
    """
    folder = root
    for part in parts:
        exact = folder / part
        if not exact.exists() and folder.is_dir():
            same = [path for path in folders(folder) if path.name.casefold() == part.casefold()]
            exact = same[0] if len(same) == 1 else exact
        folder = exact
    return folder
