from __future__ import annotations

import errno
import io
import os
import sys
from typing import TextIO

import pytest

from mexbench.evaluation.streams import LastingStream, lasting_streams


def pipe_without_reader() -> TextIO:
    reading, writing = os.pipe()
    os.close(reading)
    return os.fdopen(writing, "w")


def test_a_reader_that_is_gone_is_not_an_error() -> None:
    stream = LastingStream(pipe_without_reader())
    for _ in range(3):
        assert stream.write("x" * 100_000) == 100_000
        stream.flush()
    assert stream.error is None
    stream.close()  # nothing is left in its buffer that would fail now


class Full(io.StringIO):
    def write(self, text: str) -> int:
        del text
        raise OSError(errno.ENOSPC, "No space left on device")


def test_a_full_disk_is_remembered_and_ends_nothing() -> None:
    stream = LastingStream(Full())
    stream.writelines(["a", "b"])
    assert stream.error is not None
    assert stream.error.errno == errno.ENOSPC


@pytest.mark.parametrize(
    ("encoding", "written"), [("ascii", rb"\u60b2\u3057"), ("latin-1", rb"\u60b2\u3057"), ("utf-8", "悲し".encode())]
)
def test_letters_that_a_terminal_lacks_are_escaped(encoding: str, written: bytes) -> None:
    buffer = io.BytesIO()
    stream = LastingStream(io.TextIOWrapper(buffer, encoding=encoding))
    stream.write("悲し")
    stream.flush()
    assert buffer.getvalue() == written


def test_the_streams_are_put_back(monkeypatch: pytest.MonkeyPatch) -> None:
    out, err = io.StringIO(), io.StringIO()
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(sys, "stderr", err)
    with lasting_streams() as streams:
        sys.stdout.write("a\n")
        sys.stderr.write("b\n")
        assert len(streams) == 2
        assert sys.stdout is not out
    assert (sys.stdout, sys.stderr) == (out, err)
    assert (out.getvalue(), err.getvalue()) == ("a\n", "b\n")


def test_a_closed_stream_takes_anything(monkeypatch: pytest.MonkeyPatch) -> None:
    out = io.StringIO()
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(sys, "stderr", None)
    with lasting_streams():
        print("an error", file=sys.stderr)  # noqa: T201 - what Python does with it is the question
        assert not sys.stderr.isatty()
    assert sys.stderr is None
    assert out.getvalue() == ""  # Python itself would print it there
