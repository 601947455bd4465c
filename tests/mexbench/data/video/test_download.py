"""``bench fetch-videos`` against a server on this machine."""

from __future__ import annotations

import hashlib
import http.server
import os
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from mexbench.data.video import download as fetch
from mexbench.data.video.download import CHECKSUMS, url_problem
from tests import films
from tests.helpers import SEARCH_PATH, Ran

pytest.importorskip("yt_dlp")

Bench = Callable[..., Ran]


@dataclass
class Site:
    """What the server has, and what it was asked for.

    Args:
        files: Path -> content.
        asked: Method, path and range of each request.
        stop_after: Path -> bytes after which it lets go: once, and what it calls then.
        moved: Path -> where to go instead.
    """

    files: dict[str, bytes] = field(default_factory=dict)
    asked: list[tuple[str, str, str | None]] = field(default_factory=list)
    stop_after: dict[str, tuple[int, Callable[[], None]]] = field(default_factory=dict)
    moved: dict[str, str] = field(default_factory=dict)
    url: str = ""

    def ranges(self, path: str) -> list[str | None]:
        return [result for method, asked, result in self.asked if method == "GET" and asked == path]


class Handler(http.server.BaseHTTPRequestHandler):
    site: Site

    def do_HEAD(self) -> None:
        self.respond()

    def do_GET(self) -> None:
        content, start, then = self.respond()
        self.wfile.write(content[start:])
        then()

    def respond(self) -> tuple[bytes, int, Callable[[], None]]:
        """Send the head; return what is to be sent of which content, and what happens then."""
        path, wanted = urlsplit(self.path).path, self.headers.get("Range")
        self.site.asked.append((self.command, path, wanted))
        content = self.site.files.get(path, b"")
        start = int(wanted.removeprefix("bytes=").partition("-")[0]) if wanted else 0
        limit, then = self.site.stop_after.get(path, (len(content), lambda: None))
        if path in self.site.moved:
            self.head(302, Location=self.site.moved[path], Content_Length=0)
        elif path not in self.site.files:
            self.head(404, Content_Length=0)
        elif wanted:
            place = f"bytes {start}-{len(content) - 1}/{len(content)}"
            self.head(206, Content_Length=len(content) - start, Content_Type="video/mp4", Content_Range=place)
        else:
            self.head(200, Content_Length=len(content), Content_Type="video/mp4", Accept_Ranges="bytes")
        return content[:limit], start, then

    def head(self, status: int, **fields: object) -> None:
        self.send_response(status)
        for name, value in fields.items():
            self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


@pytest.fixture
def site() -> Iterator[Site]:
    result = Site()
    handler = type("SiteHandler", (Handler,), {"site": result})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    result.url = f"http://127.0.0.1:{server.server_address[1]}"
    yield result
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def film(tmp_path: Path) -> bytes:
    return films.person(tmp_path / "origin" / "a.mp4", 3).read_bytes()


def listed(folder: Path, *lines: str) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / "clips.csv"
    path.write_text("\n".join(["clip_id,path,source_url", *lines]) + "\n")
    return path


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} - {".lock"}


def test_a_fetched_film_is_not_fetched_again(site: Site, film: bytes, bench: Bench, tmp_path: Path) -> None:
    site.files = {"/x/a.mp4": film}
    path = listed(tmp_path / "in", f"a,films/a.mp4,{site.url}/x/a.mp4", f"b,films/a.mp4,{site.url}/x/a.mp4", "c,c.mp4,")
    ran = bench("fetch-videos", path)
    assert ran.code == 0
    assert "films/a.mp4: fetched, 0." in ran.out
    assert "1 of 1 film is there" in ran.out
    assert "c.mp4: the list has no source_url for it" in ran.err
    reminder = " ".join(ran.err.replace("|", " ").split())
    assert "the licence of a film" in reminder
    assert "agree to the analysis of their faces" in reminder
    created = path.parent / "films" / "a.mp4"
    assert created.read_bytes() == film
    assert stat.S_IMODE(created.stat().st_mode) == 0o600
    assert (path.parent / CHECKSUMS).read_text() == f"{hashlib.sha256(film).hexdigest()}  films/a.mp4\n"
    assert names(path.parent) == {"clips.csv", "films", CHECKSUMS}
    before = len(site.asked)
    ran = bench("fetch-videos", path)
    assert (ran.code, "films/a.mp4: there already, its checksum holds" in ran.out) == (0, True)
    assert len(site.asked) == before


def test_an_interrupted_download_is_resumed(site: Site, film: bytes, bench: Bench, tmp_path: Path) -> None:
    path = listed(tmp_path / "in", f"a,a.mp4,{site.url}/a.mp4")
    work = path.parent

    def parts() -> list[Path]:
        return [part for part in work.glob(".fetching-*/*.part") if part.stat().st_size]

    def stop() -> None:
        if not site.ranges("/a.mp4")[1:]:  # the first request only looks at what it is
            return
        until = time.monotonic() + 10
        while not parts() and time.monotonic() < until:
            threading.Event().wait(0.01)
        process.send_signal(signal.SIGINT)
        process.wait()  # before the connection ends, which yt-dlp would answer with another request

    big = film + bytes(3 * 2**20)  # what follows the last box is not looked at
    site.files = {"/a.mp4": big}
    site.stop_after = {"/a.mp4": (2 * 2**20, stop)}
    process = subprocess.Popen(
        [sys.executable, "-m", "mexbench", "fetch-videos", str(path)],
        env={**os.environ, "PYTHONPATH": SEARCH_PATH}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    _, said = process.communicate()
    assert process.returncode == 130, said
    assert "stopped: what is fetched is kept; the same command goes on from here" in said
    assert not (work / "a.mp4").exists()
    (part,) = parts()
    remaining = part.stat().st_size
    assert 0 < remaining <= 2 * 2**20
    assert stat.S_IMODE(part.parent.stat().st_mode) == 0o700
    site.stop_after, site.asked = {}, []
    assert bench("fetch-videos", path).code == 0
    assert site.ranges("/a.mp4")[-1] == f"bytes={remaining}-"
    assert (work / "a.mp4").read_bytes() == big
    assert names(work) == {"clips.csv", "a.mp4", CHECKSUMS}


def test_a_changed_film_is_discarded(site: Site, film: bytes, bench: Bench, tmp_path: Path) -> None:
    site.files = {"/a.mp4": film}
    path = listed(tmp_path / "in", f"a,a.mp4,{site.url}/a.mp4")
    assert bench("fetch-videos", path).code == 0
    created, before = path.parent / "a.mp4", (path.parent / CHECKSUMS).read_text()
    created.write_bytes(film[:-1])
    ran = bench("fetch-videos", path)
    assert ran.code == 1
    assert f"{CHECKSUMS} has {before[:16]}...: it was changed or damaged; remove it to fetch it again" in ran.err
    created.unlink()
    site.files = {"/a.mp4": film + b"!"}
    ran = bench("fetch-videos", path)
    assert ran.code == 1
    assert "it is another film than before and is discarded" in ran.err
    assert names(path.parent) == {"clips.csv", CHECKSUMS}
    assert (path.parent / CHECKSUMS).read_text() == before


def test_one_failure_does_not_stop_the_others(site: Site, film: bytes, bench: Bench, tmp_path: Path) -> None:
    site.files = {"/b.mp4": film, "/page.mp4": b"<html><title>no film</title></html>"}
    lines = [f"a,a.mp4,{site.url}/a.mp4", f"b,b.mp4,{site.url}/b.mp4", f"c,c.mp4,{site.url}/page.mp4"]
    path = listed(tmp_path / "in", *lines, f"d,d.avi,{site.url}/b.mp4")
    ran = bench("fetch-videos", path, "--out", tmp_path / "out")
    assert ran.code == 1
    assert "error: a.mp4:" in ran.err
    assert "HTTP Error 404" in ran.err
    assert "is not a film: it begins with b'<html><title" in ran.err
    assert "is .mp4, the list has d.avi: rename it there" in ran.err
    assert "1 of 4 films are there" in ran.out
    assert names(tmp_path / "out") == {"b.mp4", CHECKSUMS}
    assert "Traceback" not in ran.err


def test_a_film_over_the_limit_is_not_fetched(site: Site, film: bytes, bench: Bench, tmp_path: Path) -> None:
    site.files = {"/a.mp4": film + bytes(2**20)}
    path = listed(tmp_path / "in", f"a,a.mp4,{site.url}/a.mp4")
    ran = bench("fetch-videos", path, "--max-mib", 1)
    assert ran.code == 1
    assert "is larger than 1 MiB: give a larger --max-mib, if you want it" in ran.err
    assert names(path.parent) == {"clips.csv"}


def test_a_redirection_to_a_refused_url_is_not_followed(site: Site, film: bytes, bench: Bench, tmp_path: Path) -> None:
    """0.0.0.0 is this machine to a socket, and somebody else's to the rule."""
    site.files = {"/b.mp4": film}
    site.moved = {"/a.mp4": f"{site.url.replace('127.0.0.1', '0.0.0.0')}/b.mp4"}  # noqa: S104
    ran = bench("fetch-videos", listed(tmp_path / "in", f"a,a.mp4,{site.url}/a.mp4"))
    assert ran.code == 1
    assert "0.0.0.0 is 0.0.0.0, in a private network" in ran.err
    assert names(tmp_path / "in") == {"clips.csv"}


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("https://example.org/a.mp4", None),
        ("http://127.0.0.1:8000/a.mp4", None),
        ("http://[::1]/a.mp4", None),
        ("http://localhost/a.mp4", None),
        ("http://example.org/a.mp4", "is http: only https is fetched, and http from this machine alone"),
        ("http://127.0.0.1.example.org/a.mp4", "is http: only"),
        ("ftp://example.org/a.mp4", "is ftp: only https"),
        ("file:///etc/passwd", "must be https://HOST"),
        ("a.mp4", "must be https://HOST"),
        ("https://me:secret@example.org/a.mp4", "without a user's name"),
        ("http://[::1/a.mp4", "is not a URL"),
    ],
)
def test_urls_are_https_or_loopback(url: str, problem: str | None) -> None:
    text = url_problem(url)
    assert text is None if problem is None else problem in (text or "")
    if url.startswith("http://"):
        assert url_problem(url, loopback=False)


@pytest.mark.parametrize(
    ("lines", "text"),
    [
        (["a,a.mp4,http://example.org/a.mp4"], "line 2: source_url 'http://example.org/a.mp4' is http"),
        (["a,a.mp4,"], "no line of the list has a source_url: there is nothing to fetch"),
        (
            ["a,a.mp4,https://example.org/a.mp4", "b,a.mp4,https://example.org/b.mp4"],
            "line 3: another source_url for a.mp4 than in",
        ),
        (["a,../a.mp4,https://example.org/a.mp4"], "line 2: path '../a.mp4'"),
    ],
)
def test_contradictory_lists_are_rejected(lines: list[str], text: str, bench: Bench, tmp_path: Path) -> None:
    ran = bench("fetch-videos", listed(tmp_path / "in", *lines))
    assert ran.code == 2
    assert text in ran.err
    assert names(tmp_path / "in") == {"clips.csv"}


def test_invalid_checksum_files_are_rejected(bench: Bench, tmp_path: Path) -> None:
    path = listed(tmp_path / "in", "a,a.mp4,https://example.org/a.mp4")
    (path.parent / CHECKSUMS).write_text("hello\n")
    ran = bench("fetch-videos", path)
    assert ran.code == 2
    assert "line 1: expected a SHA-256, two blanks and a path; fix or remove it" in ran.err


def test_a_missing_yt_dlp_is_reported_first(bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    ran = bench("fetch-videos", tmp_path / "clips.csv")
    assert ran.code == 2
    assert "needs yt-dlp, which is not installed; in a clone of mexbench: pip install '.[video]'" in ran.err


def test_the_reminder_is_plain() -> None:
    assert "consent" in fetch.REMINDER


@pytest.mark.parametrize(
    "url", ["https://10.0.0.1/a.mp4", "https://192.168.1.1/a.mp4", "https://169.254.169.254/", "https://[fd00::1]/a",
            "https://nas.local/a.mp4"]
)  # fmt: skip
def test_urls_in_private_networks_are_refused(url: str) -> None:
    assert url_problem(url) == "leads into a private network"


@pytest.mark.parametrize(("loopback", "address"), [(False, "127.0.0.1"), (True, "10.0.0.1"), (False, "fd00::1")])
def test_no_connection_reaches_a_private_address(loopback: bool, address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever its name: a redirection, or a name server that answers so."""
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [(2, 1, 6, "", (address, 443))])
    before = socket.getaddrinfo
    with fetch._public_addresses_only(loopback=loopback), pytest.raises(OSError, match=f"{address}, in a private"):
        socket.create_connection(("example.org", 443))
    assert socket.getaddrinfo is before


@pytest.mark.parametrize(
    ("part", "message"),
    [
        ("http://10.0.0.1/secret.ts", "it leads to 'http://10.0.0.1/secret.ts', which leads into a private network"),
        ("part.ts", "its format is m3u8_native: only a file over https is fetched, no play list"),
    ],
)
def test_a_play_list_is_refused_by_name(  # noqa: PLR0917
    part: str, message: str, site: Site, bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even with an ffmpeg on PATH, which would follow it anywhere."""
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin" / "ffmpeg"
    program.write_text(f"#!/bin/sh\ntouch '{tmp_path}/called'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    site.files["/a.m3u8"] = f"#EXTM3U\n#EXT-X-VERSION:3\n#EXTINF:1,\n{part}\n#EXT-X-ENDLIST\n".encode()
    (tmp_path / "clips.csv").write_text(f"clip_id,path,source_url\na,a.mp4,{site.url}/a.m3u8\n")
    ran = bench("fetch-videos", tmp_path / "clips.csv")
    assert (ran.code, "Traceback" in ran.err) == (1, False)
    assert message in ran.err
    assert not (tmp_path / "called").exists()
    assert not (tmp_path / "a.mp4").exists()
