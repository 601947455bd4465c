"""Fetching a public archive from a server on this machine: whole, resumed, checked, bounded, and never outside."""

from __future__ import annotations

import hashlib
import http.server
import io
import tarfile
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from mexbench.data.archive_download import fetch_archive
from mexbench.errors import DataError
from mexbench.interfaces import DataArchive


@dataclass
class Served:
    """What the server has, how much of it it gives at a time, and the ranges that it was asked for."""

    content: bytes = b""
    stop_after: int | None = None
    redirect: str | None = None
    ranges: list[str | None] = field(default_factory=list)
    url: str = ""


@pytest.fixture
def served() -> Iterator[Served]:
    result = Served()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked = self.headers.get("Range")
            result.ranges.append(asked)
            if result.redirect is not None:
                self.send_response(302)
                self.send_header("Location", result.redirect)
                self.end_headers()
                return
            start = int(asked.removeprefix("bytes=").rstrip("-")) if asked else 0
            if asked and start >= len(result.content):
                self.send_error(416)
                return
            body = result.content[start:]
            self.send_response(206 if asked else 200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body[: result.stop_after])

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    result.url = f"http://127.0.0.1:{server.server_address[1]}/maps.tar.gz"
    yield result
    server.shutdown()
    thread.join()
    server.server_close()


def tar(files: dict[str, bytes], *, link: str | None = None) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
        if link is not None:
            info = tarfile.TarInfo("repo-1/maps/link")
            info.type, info.linkname = tarfile.SYMTYPE, link
            archive.addfile(info)
    return stream.getvalue()


FILES = {"repo-1/README.md": b"read me", "repo-1/maps/a.png": b"a" * 5000, "repo-1/maps/deep/b.png": b"b"}


def archive_of(served: Served, **options: object) -> DataArchive:
    return replace(DataArchive(url=served.url, folder="maps", licence="MIT", largest=2**20), **options)


def content_of(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_one_folder_is_unpacked_and_nothing_else_is_left(served: Served, tmp_path: Path) -> None:
    served.content = tar(FILES)
    checksum = hashlib.sha256(served.content).hexdigest()
    arrived: list[int] = []
    archive = archive_of(served, sha256=checksum)
    assert fetch_archive(archive, tmp_path / "out", progress=arrived.append) == 2
    assert content_of(tmp_path / "out") == {"a.png": b"a" * 5000, "deep/b.png": b"b"}
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert arrived[-1] == len(served.content)
    with pytest.raises(DataError, match="exists already"):
        fetch_archive(archive, tmp_path / "out")


def test_a_zip_archive(served: Served, tmp_path: Path) -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, content in FILES.items():
            archive.writestr(name, content)
    served.content = stream.getvalue()
    assert fetch_archive(archive_of(served), tmp_path / "out") == 2


def test_an_interrupted_download_goes_on_where_it_stopped(served: Served, tmp_path: Path) -> None:
    served.content = tar({"repo-1/maps/a.bin": bytes(range(256)) * 40})
    served.stop_after = 60
    archive = archive_of(served)
    with pytest.raises(DataError, match=r"they are kept, the same command goes on|what has arrived is kept"):
        fetch_archive(archive, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    served.stop_after = None
    fetch_archive(archive, tmp_path / "out")
    assert served.ranges == [None, "bytes=60-"]
    assert content_of(tmp_path / "out") == {"a.bin": bytes(range(256)) * 40}


def test_another_checksum_is_discarded(served: Served, tmp_path: Path) -> None:
    served.content = tar(FILES)
    with pytest.raises(DataError, match=r"its SHA-256 is .* and is discarded"):
        fetch_archive(archive_of(served, sha256="0" * 64), tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("content", "options", "message"),
    [
        (tar({"repo-1/maps/../../x": b"x"}), {}, "leads out of it; not unpacked"),
        (tar({"/maps/x": b"x"}), {}, "leads out of it; not unpacked"),
        (tar(FILES, link="/etc"), {}, "is a link or a device; not unpacked"),
        (tar({"repo-1/maps/zeros": bytes(2**21)}), {}, "unpacks to more than 1 MiB"),
        (bytes(2**21), {}, "is larger than 1 MiB"),
        (b"no archive", {}, "is damaged"),
        (tar(FILES)[:-40], {}, "is damaged"),
        (tar(FILES), {"folder": "elsewhere"}, "has no file in the folder 'elsewhere'"),
        (b"", {"url": "http://example.org/x"}, "only https is fetched"),
        (b"", {"url": "file:///etc/passwd"}, "must be https"),
    ],
    # An archive holds the time at which it was made, so its bytes cannot name a test that two processes agree on.
    ids=[
        "parent", "absolute", "link", "unpacked-size", "size", "text", "truncated", "folder", "http", "file",
    ],
)  # fmt: skip
def test_unsafe_or_damaged_content_is_refused(
    served: Served, tmp_path: Path, content: bytes, options: dict[str, str], message: str
) -> None:
    served.content = content
    (tmp_path / "inner").mkdir()
    with pytest.raises(DataError, match=message):
        fetch_archive(archive_of(served, **options), tmp_path / "inner" / "out")
    assert not (tmp_path / "inner" / "out").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["inner"]


def test_a_redirection_elsewhere_is_refused(served: Served, tmp_path: Path) -> None:
    served.redirect = "http://example.org/other"
    with pytest.raises(DataError, match=r"leads to 'http://example\.org/other', which"):
        fetch_archive(archive_of(served), tmp_path / "out")
