"""Standard output and error that never end the work: their reader may go, and a terminal may not have every letter."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, TextIO, cast

#: What a write to a pipe or a terminal says whose other side is gone. Nobody reads the rest, so nothing is missing.
_READER_GONE = frozenset({errno.EPIPE, errno.EIO, errno.ESHUTDOWN, errno.ECONNRESET})


class LastingStream:
    """A text stream on which no write fails; after the first failed one, all that follows goes nowhere.

    Args:
        stream: What is written to.

    Attributes:
        error: Why a write failed, such as a full disk; None where none did, or where only the reader is gone.
        reader_gone: Whether a write failed because nobody reads any more.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.error: OSError | None = None
        self.reader_gone = False

    def write(self, text: str) -> int:
        """Write a text, or nothing."""
        try:
            return self._stream.write(text)
        except UnicodeEncodeError:  # a terminal of few letters: the others are escaped, as Python does in errors
            encoding = getattr(self._stream, "encoding", None) or "ascii"
            return self.write(text.encode(encoding, "backslashreplace").decode(encoding))
        except OSError as error:
            self._failed(error)
            return len(text)

    def writelines(self, lines: Any) -> None:  # noqa: ANN401 - as in TextIO
        """Write texts."""
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """Flush what was written."""
        try:
            self._stream.flush()
        except OSError as error:
            self._failed(error)

    def _failed(self, error: OSError) -> None:
        if error.errno in _READER_GONE:
            self.reader_gone = True
        else:
            self.error = self.error or error
        with suppress(OSError, ValueError):  # what is buffered would fail again, at the latest when the process ends
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self._stream.fileno())
            os.close(nowhere)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the stream has
        return getattr(self._stream, name)


def open_missing_descriptors() -> None:
    """Open the null device in the place of a standard stream that was closed (``bench run ... >&-``).

    Else the next file that is opened, such as a result, would get its number and what a library prints.
    """
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free, which is this one


@contextmanager
def lasting_streams() -> Iterator[tuple[LastingStream, ...]]:
    """Let no write to standard output or error end what is done within the block; one that is closed takes anything."""
    before = sys.stdout, sys.stderr
    with open(os.devnull, "w") as nowhere:  # noqa: PTH123 - importing pathlib would slow 'bench --help'
        streams = tuple(LastingStream(nowhere if stream is None else stream) for stream in before)
        sys.stdout, sys.stderr = cast("tuple[TextIO, TextIO]", streams)
        try:
            yield streams
        finally:
            for stream in streams:
                stream.flush()
            sys.stdout, sys.stderr = before
