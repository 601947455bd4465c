"""Files that are written whole or not at all."""

from __future__ import annotations

import errno
import json
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray


@contextmanager
def replacing(path: Path, *, durable: bool = True) -> Iterator[IO[bytes]]:
    """Open a private temporary file beside ``path``; it takes the place of ``path`` when the block ends well.

    Its bytes are on the disk before it gets its name, so a crash leaves the old file or the new one.

    Args:
        path: The file.
        durable: False does not wait for the disk: after a crash of the machine the file may be damaged. For what is
            checked when it is read and can be made again: a disk that is busy takes .1 s and more for each wait.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(prefix=".tmp-", dir=path.parent)
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            yield stream
            if durable:
                stream.flush()
                os.fsync(stream.fileno())
        temporary.chmod(0o666 & ~_umask())  # mkstemp makes it private; a result is as public as its folder
        temporary.replace(path)
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise


@contextmanager
def replacing_folder(path: Path) -> Iterator[Path]:
    """Make a private empty folder beside ``path``; it takes the place of ``path`` when the block ends well.

    A crash leaves the old folder, the new one or none, never a mixture: a folder cannot be replaced in one step.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=".tmp-", dir=path.parent))
    try:
        yield temporary
        for file in temporary.rglob("*"):
            if file.is_file():
                with file.open("rb") as stream:
                    os.fsync(stream.fileno())
        temporary.chmod(0o777 & ~_umask())
        if path.exists():
            shutil.rmtree(path)
        temporary.replace(path)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


def expand_home(path: Path) -> Path:
    """Write out the home folder in a path that begins with ``~``; one of nobody's stays as it is.

    A shell does this too, but not behind an equals sign, and not for values of a config or of the environment.
    """
    try:
        return path.expanduser()
    except RuntimeError:  # no such user, or a home folder that nobody knows
        return path


def write_text(path: Path, text: str) -> None:
    """Write a whole text file in UTF-8."""
    with replacing(path) as stream:
        stream.write(text.encode())


def write_json(path: Path, value: object, *, indent: int | None = 2) -> None:
    """Write a whole JSON file.

    Raises:
        ValueError: A number is NaN or infinite, which JSON cannot express.
    """
    write_text(path, json.dumps(value, indent=indent, ensure_ascii=False, allow_nan=False) + "\n")


def read_plain(path: Path, *, most: int = 2**30, follow_links: bool = True) -> bytes:
    """Read a whole plain file: not a device, nor a pipe, which may never end.

    Args:
        path: The file.
        most: Its largest size in bytes.
        follow_links: Whether it may be a symbolic link.

    Raises:
        ValueError: It is not a plain file, or larger.
        OSError: It cannot be read.
    """
    no_link = 0 if follow_links else getattr(os, "O_NOFOLLOW", 0)
    flags = os.O_RDONLY | no_link | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    if not follow_links and path.is_symlink():
        raise ValueError("a symbolic link, which is not followed here")
    descriptor = os.open(path, flags)
    with os.fdopen(descriptor, "rb") as stream:
        status = os.fstat(descriptor)
        if stat.S_ISDIR(status.st_mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
        if not stat.S_ISREG(status.st_mode):
            raise ValueError("not a plain file")
        if status.st_size > most:
            raise ValueError(f"{status.st_size} bytes, more than the {most} that are read")
        return stream.read(status.st_size + 1)


def special_files(root: Path) -> Iterator[tuple[Path, str]]:
    """Yield all below a folder that is neither a plain file nor a folder, with what it is; no link is followed."""
    pending = [root]
    while pending:
        with os.scandir(pending.pop()) as entries:
            for entry in entries:
                if entry.is_symlink():
                    yield Path(entry.path), "a symbolic link"
                elif entry.is_dir(follow_symlinks=False):
                    pending.append(Path(entry.path))
                elif not entry.is_file(follow_symlinks=False):
                    yield Path(entry.path), "not a plain file"


def read_json(path: Path, *, most: int = 2**30, follow_links: bool = True) -> Any:  # noqa: ANN401 - any JSON value
    """Read a JSON file.

    Raises:
        ValueError: It is not JSON, or not text.
        OSError: It cannot be read.
    """
    try:
        content = read_plain(path, most=most, follow_links=follow_links)
        value = json.loads(content)
        if b"\\ud" in content.lower():  # half of a pair stands for no character, and no digest or file takes it
            json.dumps(value, ensure_ascii=False).encode()
    except RecursionError:
        raise ValueError("nested too deeply") from None
    return value


def write_arrays(path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write named arrays of numbers as a whole safetensors file; reading one never runs code.

    Raises:
        ValueError: An array holds no numbers, or a number that is NaN or infinite.
    """
    import numpy as np
    from safetensors.numpy import save

    contiguous = {name: np.asarray(array, order="C") for name, array in arrays.items()}
    _check_numbers(contiguous)
    content = save(contiguous)
    with replacing(path) as stream:
        stream.write(content)


def read_arrays(path: Path) -> dict[str, NDArray[Any]]:
    """Read what ``write_arrays`` wrote.

    Raises:
        ValueError: It is not a safetensors file, or a number is NaN or infinite.
        OSError: It cannot be read.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        arrays = load(read_plain(path, most=2**33))
    except (SafetensorError, KeyError) as error:  # KeyError: a type that numpy does not have
        raise ValueError(f"{path.name}: invalid safetensors file: {error}") from None
    _check_numbers(arrays)
    return arrays


def _check_numbers(arrays: Mapping[str, NDArray[Any]]) -> None:
    import numpy as np

    for name, array in arrays.items():
        if array.dtype.kind not in "biuf":
            raise ValueError(f"array {name!r} is {array.dtype}, expected numbers")
        if not np.isfinite(array).all():
            raise ValueError(f"array {name!r} holds numbers that are NaN or infinite")


def _umask() -> int:
    mask = os.umask(0)  # the only way to read it is to set it
    os.umask(mask)
    return mask
