"""Fetches the films of a list through yt-dlp: resumed where it was stopped, compared with checksums, whole or not.

OUT/checksums.sha256   what every fetched film must be, as ``sha256sum -c`` reads it
OUT/.fetching-*/       private: what is not whole yet
"""

from __future__ import annotations

import contextlib
import hashlib
import ipaddress
import os
import re
import shutil
import socket
import urllib.request
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from mexbench.data.video.clip_list import ListedClip
from mexbench.data.video.reader import check_is_video
from mexbench.errors import BenchError, DataError, missing_extra
from mexbench.files import write_text

CHECKSUMS = "checksums.sha256"
REMINDER = (
    "Fetch only what you may: the licence of a film and the terms of the site that offers it say whether it may be "
    "copied and analysed. The people in it have to agree to the analysis of their faces: that a film is public is not "
    "consent. Keep films and results private, and delete them when they are no longer needed."
)
_LINE = re.compile(r"([0-9a-f]{64})  (.+)")


@dataclass(frozen=True)
class Fetched:
    """What became of a film.

    Args:
        path: Its name in the list.
        what: For the user.
        failed: Whether it is not there now.
    """

    path: str
    what: str
    failed: bool = False


def check_yt_dlp() -> None:
    """Look first whether films can be fetched.

    Raises:
        BenchError: yt-dlp is not installed.
    """
    import importlib.util

    if importlib.util.find_spec("yt_dlp") is None:
        raise BenchError(missing_extra("bench fetch-videos", "yt-dlp", "video"))


def sources(entries: Iterable[ListedClip], out: Path) -> dict[str, ListedClip]:
    """Return path -> the line that says where to fetch it.

    Raises:
        DataError: A line has a URL that is not fetched, or two lines have two URLs for one film, or none has any.
    """
    sources: dict[str, ListedClip] = {}
    for entry in entries:
        entry.film(out)
        if entry.source_url is None:
            continue
        if problem := url_problem(entry.source_url):
            raise DataError(f"{entry.line}: source_url {entry.source_url!r} {problem}")
        before = sources.setdefault(entry.path, entry)
        if before.source_url != entry.source_url:
            raise DataError(
                f"{entry.line}: another source_url for {entry.path} than in {before.line}: which one is it?"
            )
    if not sources:
        raise DataError("no line of the list has a source_url: there is nothing to fetch")
    return sources


def url_problem(url: str, *, loopback: bool = True) -> str | None:
    """Say why a URL is not fetched: it must be https, or on this machine, and without a user's name."""
    try:
        parts = urlsplit(url)
        host, name = parts.hostname or "", parts.username
    except ValueError:
        return "is not a URL"
    if not host or name is not None:
        return "must be https://HOST/..., without a user's name"
    if not (loopback and _is_loopback(host)) and _is_private(host):
        return "leads into a private network"
    if parts.scheme == "https" or (parts.scheme == "http" and loopback and _is_loopback(host)):
        return None
    return f"is {parts.scheme or 'not a URL'}: only https is fetched, and http from this machine alone (127.0.0.1)"


def fetch(wanted: Mapping[str, ListedClip], out: Path, *, most_bytes: int) -> Iterator[Fetched]:
    """Fetch films one after the other and yield what became of each.

    Args:
        wanted: See ``sources``.
        out: The folder that the list's paths are relative to.
        most_bytes: A larger film is not fetched.

    Raises:
        DataError: The file of checksums is damaged.
    """
    checksums = read_checksums(out)
    for path, entry in wanted.items():
        target = entry.film(out)
        expected = checksums.get(path)
        try:
            if target.exists():
                yield Fetched(path, _compared(target, expected))
                continue
            checksum = _fetch(entry, target, out, expected, most_bytes)
        except BenchError as error:
            yield Fetched(path, str(error), failed=True)
            continue
        checksums[path] = checksum
        lines = "".join(f"{value}  {name}\n" for name, value in sorted(checksums.items()))
        write_text(out / CHECKSUMS, lines)
        yield Fetched(path, f"fetched, {target.stat().st_size / 2**20:.1f} MiB")


def read_checksums(out: Path) -> dict[str, str]:
    """Return path -> SHA-256 of what was fetched before, or of what the author of the list fetched.

    Raises:
        DataError: A line is not in the format of ``sha256sum``.
    """
    path = out / CHECKSUMS
    checksums = {}
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot be read ({error}); fix or remove it") from None
    for number, line in enumerate(lines, start=1):
        match = _LINE.fullmatch(line)
        if match is None:
            raise DataError(f"{path}, line {number}: expected a SHA-256, two blanks and a path; fix or remove it")
        checksums[match[2]] = match[1]
    return checksums


def _compared(target: Path, expected: str | None) -> str:
    if expected is None:
        return "there already, not fetched by this command: left alone"
    if (checksum := _sha256(target)) != expected:
        raise DataError(
            f"{target}: its SHA-256 is {checksum[:16]}..., {CHECKSUMS} has {expected[:16]}...: it was changed or "
            "damaged; remove it to fetch it again"
        )
    return "there already, its checksum holds"


def _fetch(entry: ListedClip, target: Path, out: Path, expected: str | None, most_bytes: int) -> str:
    """Fetch one film into a private folder; it gets its name once it is whole and what it should be."""
    url = str(entry.source_url)
    work = out / f".fetching-{hashlib.sha256(f'{entry.path} {url}'.encode()).hexdigest()[:16]}"
    work.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        _download(url, work, most_bytes)
    finally:
        with contextlib.suppress(OSError):  # not empty: there is something to go on from
            work.rmdir()
    files = [path for path in sorted(work.glob("*")) if path.is_file() and path.suffix not in {".part", ".ytdl"}]
    try:
        if len(files) != 1:
            raise DataError(f"{url}: yt-dlp gave {len(files)} files, expected one film")
        film = files[0]
        if film.suffix.lower() != target.suffix.lower():
            raise DataError(
                f"{url}: is {film.suffix or 'of no known kind'}, the list has {entry.path}: rename it there"
            )
        if film.stat().st_size > most_bytes:
            raise _too_large(url, most_bytes)
        check_is_video(film)
        checksum = _sha256(film)
        if expected is not None and checksum != expected:
            raise DataError(
                f"{url}: its SHA-256 is {checksum[:16]}..., {CHECKSUMS} has {expected[:16]}...: it is another film "
                "than before and is discarded. If the change is intended, remove the line there"
            )
        with film.open("rb") as stream:
            os.fsync(stream.fileno())
        target.parent.mkdir(parents=True, exist_ok=True)
        film.chmod(0o600)  # people are in it
        film.replace(target)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return checksum


def _other_protocols(info: Mapping[str, Any]) -> str:
    """Return how a film is offered, where it is not offered as one file over https or http."""
    formats: Sequence[Any] = info.get("formats") or [info]
    protocols = {str(one.get("protocol") or urlsplit(str(one.get("url"))).scheme) for one in formats}
    return "" if protocols & {"http", "https"} else ", ".join(sorted(protocols))


def _guarded(*, loopback: bool) -> Any:  # noqa: ANN401 - a class of yt-dlp's
    """Return the downloader that fetches one file over https alone."""
    from yt_dlp import YoutubeDL
    from yt_dlp.utils import DownloadError

    class Guarded(YoutubeDL):
        """Requests https alone, whatever a page or a redirection says."""

        def process_video_result(self, info_dict: Any, download: bool = True) -> Any:  # noqa: ANN401, FBT001, FBT002
            if offered := _other_protocols(info_dict):
                raise DownloadError(f"its format is {offered}: only a file over https is fetched, no play list")
            return super().process_video_result(info_dict, download=download)

        def process_info(self, info_dict: Any) -> None:  # noqa: ANN401 - yt-dlp's description of a film
            protocol = info_dict.get("protocol") or urlsplit(str(info_dict.get("url"))).scheme
            if protocol not in ("http", "https") or info_dict.get("requested_formats"):
                raise DownloadError(f"its format is {protocol}: only a file over https is fetched, no play list")
            _refuse(str(info_dict.get("url")), loopback=loopback)
            super().process_info(info_dict)

        def urlopen(self, req: Any) -> Any:  # noqa: ANN401 - yt-dlp's request and response
            _refuse(req if isinstance(req, str) else req.url, loopback=loopback)
            response = super().urlopen(req)
            _refuse(response.url, loopback=loopback)
            return response

    return Guarded


def _download(url: str, work: Path, most_bytes: int) -> None:
    """Let yt-dlp fetch a URL; what it has when it is stopped stays, and it goes on from there.

    Raises:
        DataError: It cannot be fetched; the text has yt-dlp's reason.
    """
    os.environ["YTDLP_NO_PLUGINS"] = "1"  # no code but what was installed
    from yt_dlp.utils import DownloadError, YoutubeDLError

    loopback = _is_loopback(urlsplit(url).hostname or "")
    too_large = False

    def watch(status: Mapping[str, Any]) -> None:
        nonlocal too_large
        if max(status.get("total_bytes") or 0, status.get("downloaded_bytes") or 0) > most_bytes:
            too_large = True
            raise DownloadError("too large")

    options: Any = {
        # One file over https or http alone: play lists would be handed to ffmpeg, which asks nobody.
        "format": "best[protocol=https]/best[protocol=http]",
        "external_downloader": "native",
        "hls_prefer_native": True,
        "ffmpeg_location": str(work / "no-ffmpeg"),
        "outtmpl": {"default": "film.%(ext)s"},
        "paths": {"home": str(work)},
        "continuedl": True,
        "noplaylist": True,
        "playlist_items": "1",
        "enable_file_urls": False,
        "quiet": True,
        "no_warnings": True,
        "noprogress": True,
        "color": "never",
        "logger": _Silent(),
        "cachedir": False,
        "retries": 3,
        "socket_timeout": 30,
        "updatetime": False,
        "fixup": "never",
        "progress_hooks": [watch],
        **({"proxy": ""} if loopback else {}),
    }
    try:
        with _public_addresses_only(loopback=loopback), _guarded(loopback=loopback)(options) as downloader:
            downloader.extract_info(url, download=True)
    except YoutubeDLError as error:
        if too_large:
            shutil.rmtree(work, ignore_errors=True)
            raise _too_large(url, most_bytes) from None
        text = re.sub(r"\x1b\[[0-9;]*m", "", str(error)).removeprefix("ERROR: ")
        raise DataError(f"{url}: cannot be fetched: {' '.join(text.split())}") from None
    except OSError as error:
        raise DataError(f"{url}: cannot be fetched: {error.strerror or error}") from None


def _refuse(url: str, *, loopback: bool) -> None:
    from yt_dlp.utils import DownloadError

    if problem := url_problem(url, loopback=loopback):
        raise DownloadError(f"it leads to {url!r}, which {problem}")


def _too_large(url: str, most_bytes: int) -> DataError:
    return DataError(f"{url}: is larger than {most_bytes >> 20} MiB: give a larger --max-mib, if you want it")


class _Silent:
    """What yt-dlp has to say is in its errors."""

    def debug(self, message: str) -> None:
        """Say nothing."""

    def warning(self, message: str) -> None:
        """Say nothing."""

    def error(self, message: str) -> None:
        """Say nothing."""


def _is_loopback(host: str) -> bool:
    with contextlib.suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return host == "localhost"


def _is_private(host: str) -> bool:
    """Whether a host is an address that is not public, or has the name of a private one."""
    with contextlib.suppress(ValueError):
        return not ipaddress.ip_address(host.partition("%")[0]).is_global
    return host == "localhost" or host.endswith((".localhost", ".local", ".internal"))


@contextlib.contextmanager
def _public_addresses_only(*, loopback: bool) -> Iterator[None]:
    """Let no connection of this process reach a private network, whatever a redirection or a name server says.

    A proxy that the user has set may be in one.
    """
    proxies = {urlsplit(proxy).hostname for proxy in urllib.request.getproxies().values()}
    resolve = socket.getaddrinfo

    def guarded(host: Any, *arguments: Any, **options: Any) -> Any:  # noqa: ANN401 - as socket has it
        addresses = resolve(host, *arguments, **options)
        for entry in addresses:
            address = ipaddress.ip_address(str(entry[4][0]).partition("%")[0])
            if not (address.is_global or host in proxies or (loopback and address.is_loopback)):
                raise OSError(f"{host} is {address}, in a private network: nothing is fetched from there")
        return addresses

    socket.getaddrinfo = guarded
    try:
        yield
    finally:
        socket.getaddrinfo = resolve


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
