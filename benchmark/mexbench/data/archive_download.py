"""Fetches a public archive and unpacks one folder of it: resumed where it was stopped, checked, and bounded.

DIR/.fetching-<digest>.part   what has arrived so far
"""

from __future__ import annotations

import hashlib
import http.client
import os
import shutil
import tarfile
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, Any
from urllib.parse import urlsplit

from mexbench.data.video.download import url_problem
from mexbench.errors import DataError
from mexbench.files import replacing_folder
from mexbench.interfaces import DataArchive

_CHUNK = 2**20
_TIMEOUT_S = 60
#: Files that an archive may hold.
_MOST_FILES = 200_000


def fetch_archive(archive: DataArchive, target: Path, *, progress: Callable[[int], None] = lambda _: None) -> int:
    """Fetch an archive and put its folder at ``target``, whole or not at all.

    What has arrived of an interrupted download stays beside ``target``, and the next call goes on from there.

    Args:
        archive: What to fetch.
        target: The folder to write, which must not exist.
        progress: Called with the number of bytes that have arrived.

    Returns:
        The number of files.

    Raises:
        DataError: It cannot be fetched, is larger than it may be, has another checksum, or its content is unsafe.
    """
    if target.exists():
        raise DataError(f"{target}: exists already; give another --out, or remove it")
    if problem := url_problem(archive.url):
        raise DataError(f"{archive.url}: {problem}")
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.parent / f".fetching-{hashlib.sha256(archive.url.encode()).hexdigest()[:16]}.part"
    _download(archive, part, progress)
    if archive.sha256 is not None:
        with part.open("rb") as stream:
            checksum = hashlib.file_digest(stream, "sha256").hexdigest()
        if checksum != archive.sha256:
            part.unlink()
            raise DataError(
                f"{archive.url}: its SHA-256 is {checksum[:16]}..., expected {archive.sha256[:16]}...: it is damaged "
                "or another file than was published, and is discarded"
            )
    try:
        with replacing_folder(target) as folder:
            count = _unpack(archive, part, folder)
    except (tarfile.TarError, zipfile.BadZipFile, EOFError, OSError) as error:
        part.unlink(missing_ok=True)
        raise DataError(f"{archive.url}: is damaged ({error}) and is discarded; fetch it again") from None
    part.unlink()
    return count


def _download(archive: DataArchive, part: Path, progress: Callable[[int], None]) -> None:
    arrived = part.stat().st_size if part.exists() else 0
    headers = {"User-Agent": "mexbench"} | ({"Range": f"bytes={arrived}-"} if arrived else {})
    request = urllib.request.Request(archive.url, headers=headers)  # noqa: S310 - the scheme was checked
    try:
        with _opener(archive.url).open(request, timeout=_TIMEOUT_S) as response:
            resumed = response.status == http.client.PARTIAL_CONTENT
            arrived = arrived if resumed else 0
            length = response.headers.get("Content-Length")
            expected = arrived + int(length) if length is not None and length.isdigit() else None
            if expected is not None and expected > archive.largest:
                raise _too_large(archive)
            with part.open("ab" if resumed else "wb") as stream:
                while block := response.read(_CHUNK):
                    arrived += len(block)
                    if arrived > archive.largest:
                        raise _too_large(archive)
                    stream.write(block)
                    progress(arrived)
                stream.flush()
                os.fsync(stream.fileno())
    except urllib.error.HTTPError as error:
        if error.code == http.client.REQUESTED_RANGE_NOT_SATISFIABLE and arrived:
            return  # everything had arrived before; the checks that follow say whether it is whole
        raise DataError(f"{archive.url}: cannot be fetched: HTTP {error.code} {error.reason}") from None
    except (urllib.error.URLError, http.client.HTTPException, TimeoutError, OSError) as error:
        reason = getattr(error, "reason", None) or error
        raise DataError(
            f"{archive.url}: cannot be fetched: {reason}; what has arrived is kept, the same command goes on"
        ) from None
    if expected is not None and arrived < expected:
        raise DataError(
            f"{archive.url}: {arrived} of {expected} bytes arrived; they are kept, the same command goes on from there"
        )


def _too_large(archive: DataArchive) -> DataError:
    return DataError(f"{archive.url}: is larger than {archive.largest >> 20} MiB, more than it should have")


class _Guarded(urllib.request.HTTPRedirectHandler):
    """Follows a redirection to https alone, whatever the server says."""

    def __init__(self, *, loopback: bool) -> None:
        self.loopback = loopback

    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Any:  # noqa: ANN401, PLR0917
        if problem := url_problem(newurl, loopback=self.loopback):
            raise DataError(f"{req.full_url}: leads to {newurl!r}, which {problem}")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _opener(url: str) -> urllib.request.OpenerDirector:
    loopback = urlsplit(url).scheme == "http"
    handlers: list[Any] = [_Guarded(loopback=loopback)]
    if loopback:
        handlers.append(urllib.request.ProxyHandler({}))
    return urllib.request.build_opener(*handlers)


def _unpack(archive: DataArchive, part: Path, folder: Path) -> int:
    """Write the files of the archive's folder; links, devices and names that lead out are refused."""
    count, total = 0, 0
    for name, size, opened in _members(part):
        relative = _below(archive, name)
        if relative is None:
            continue
        count, total = count + 1, total + size
        if count > _MOST_FILES or total > archive.largest:
            raise DataError(
                f"{archive.url}: unpacks to more than {archive.largest >> 20} MiB or {_MOST_FILES} files; not unpacked"
            )
        path = folder / relative
        path.parent.mkdir(parents=True, exist_ok=True)
        with opened() as source, path.open("xb") as stream:
            shutil.copyfileobj(source, stream, _CHUNK)
    if count == 0:
        raise DataError(f"{archive.url}: has no file in the folder {archive.folder!r}")
    return count


def _below(archive: DataArchive, name: str) -> PurePosixPath | None:
    """Return a member's path below the folder that is wanted; None for one outside it."""
    pure = PurePosixPath(name)
    if pure.is_absolute() or ".." in pure.parts or "\\" in name or ":" in name or "\0" in name:
        raise DataError(f"{archive.url}: has a file called {name!r}, which leads out of it; not unpacked")
    # Archives of repositories have one folder at the top, whose name changes.
    inner = PurePosixPath(*pure.parts[1:])
    if not archive.folder:
        return inner if inner.parts else None
    wanted = PurePosixPath(archive.folder)
    return inner.relative_to(wanted) if inner.is_relative_to(wanted) and inner != wanted else None


def _members(path: Path) -> Iterator[tuple[str, int, Callable[[], Any]]]:
    """Yield name, size and a function that opens it of each plain file."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            for info in archive.infolist():
                if not info.is_dir():
                    yield info.filename, info.file_size, lambda archive=archive, info=info: archive.open(info)
        return
    with tarfile.open(path, "r:*") as archive:
        for member in archive:
            if member.isfile():
                yield member.name, member.size, lambda archive=archive, member=member: _opened(archive, member)
            elif not member.isdir():
                raise DataError(f"{member.name!r} in the archive is a link or a device; not unpacked")


@contextmanager
def _opened(archive: tarfile.TarFile, member: tarfile.TarInfo) -> Iterator[IO[bytes]]:
    stream = archive.extractfile(member)
    if stream is None:
        raise tarfile.TarError(f"{member.name}: cannot be read")
    with stream:
        yield stream
