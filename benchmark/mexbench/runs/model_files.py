"""What may be among the files of a saved model: plain files of bounded size, and no pickle."""

from __future__ import annotations

import hashlib
import pickletools
import struct
import zipfile
from collections.abc import Iterator
from pathlib import Path

_PICKLES = frozenset({".pkl", ".pickle", ".joblib", ".dill", ".pt", ".pth"})
_PICKLE = "{} is or holds a pickle, which can run any code when it is read"
#: Bytes of a file; and of an archive: members, bytes of its directory, and unpacked bytes where it is compressed.
_MOST_BYTES = 2**33
_MOST_MEMBERS, _MOST_DIRECTORY, _MOST_UNPACKED = 4_096, 2**20, 2**28
#: The end of an archive: its signature, where its directory's size is, its own size, and the longest comment behind it.
_END, _SIZE_AT, _END_SIZE, _LONGEST_COMMENT = b"PK\x05\x06", 12, 22, 2**16
_LARGE_ARCHIVE, _LOCATOR_SIZE = b"PK\x06\x07", 20


def file_errors(folder: Path, reserved: str) -> Iterator[str]:
    """Yield what must not be among the files that a plugin wrote.

    Args:
        folder: Where it wrote them.
        reserved: Name of the engine's own file.
    """
    paths = sorted(folder.iterdir())
    if not paths:
        yield "no file was written"
    for path in paths:
        if path.is_symlink() or not path.is_file():
            yield f"{path.name} is not a plain file"
        elif path.name == reserved:
            yield f"{reserved} is the engine's name for a file of its own"
        else:
            yield from content_errors(path)


def content_errors(path: Path) -> Iterator[str]:
    """Yield why a plain file must not be read as what it claims to be; nothing is unpacked to find out."""
    if path.stat().st_size > _MOST_BYTES:
        yield f"{path.name} has {path.stat().st_size} bytes, at most {_MOST_BYTES} are read"
    elif path.suffix.lower() in _PICKLES:
        yield _PICKLE.format(path.name)
    elif zipfile.is_zipfile(path):
        yield from _archive_errors(path)
    elif _is_pickle(path):
        yield _PICKLE.format(path.name)


def _archive_errors(path: Path) -> Iterator[str]:
    if not _has_small_directory(path):  # before anything is made of it
        yield f"{path.name} is an archive of more than {_MOST_MEMBERS} members"
        return
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            unpacked = sum(member.file_size for member in members)
            if len(members) > _MOST_MEMBERS:
                yield f"{path.name} is an archive of {len(members)} members, at most {_MOST_MEMBERS} are read"
            elif unpacked > max(_MOST_UNPACKED, 2 * path.stat().st_size):
                yield (
                    f"{path.name} has {path.stat().st_size} bytes and unpacks to {unpacked}: that is not a model; at "
                    f"most {_MOST_UNPACKED} are unpacked, or twice what is packed"
                )
            elif any(
                Path(member.filename).suffix.lower() in _PICKLES or _is_pickle_inside(archive, member)
                for member in members
            ):
                yield _PICKLE.format(path.name)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, OSError, ValueError) as error:
        yield f"{path.name} is an archive that cannot be read: {error}"  # RuntimeError: it has a password


def _has_small_directory(path: Path) -> bool:
    """Whether an archive says that its directory is small, by the end that zipfile reads; not in the large format."""
    with path.open("rb") as stream:
        size = stream.seek(0, 2)
        stream.seek(max(0, size - _END_SIZE - _LONGEST_COMMENT - _LOCATOR_SIZE))
        tail = stream.read()
    last = tail[-_END_SIZE:]
    at = len(tail) - _END_SIZE if last.startswith(_END) and last.endswith(b"\0\0") else tail.rfind(_END)
    if at < 0 or len(tail) - at < _END_SIZE:
        return False
    if tail[max(0, at - _LOCATOR_SIZE) : at].startswith(_LARGE_ARCHIVE):
        return False
    return struct.unpack_from("<I", tail, at + _SIZE_AT)[0] <= _MOST_DIRECTORY


def _is_pickle_inside(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bool:
    with archive.open(member) as stream:
        head = stream.read(256)
        return _is_pickle_content(head, head + stream.read() if head.startswith(b"\x80") else head)


def _is_pickle(path: Path) -> bool:
    with path.open("rb") as stream:
        head = stream.read(256)
        return _is_pickle_content(head, head + stream.read() if head.startswith(b"\x80") else head)


def _is_pickle_content(head: bytes, content: bytes) -> bool:
    """Whether bytes are a pickle of protocol 2 or later, or a numpy file of objects, which is one inside."""
    if head.startswith(b"\x93NUMPY"):
        return b"'|O" in head
    if not head.startswith(b"\x80"):
        return False
    try:  # reads the instructions without following them
        return any(code.name == "STOP" for code, _, _ in pickletools.genops(content))
    except (ValueError, UnicodeDecodeError, EOFError, OverflowError):
        return False


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
