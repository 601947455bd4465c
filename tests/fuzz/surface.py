"""One kind of file that is read. A case is the bytes of a file; only a ``BenchError`` may come out."""

from __future__ import annotations

import csv
import io
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path

from tests.fuzz import mutation
from tests.fuzz.mutation import Random


class Surface(ABC):
    """One kind of file.

    Args:
        folder: An empty folder to work in.
    """

    seeds: Sequence[bytes]

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def mutate(self, rng: Random, content: bytes) -> bytes:
        return mutation.of_words(rng, content)

    @abstractmethod
    def read(self, content: bytes) -> None:
        """Read what may be a file of this kind.

        Raises:
            BenchError: It is none.
        """

    def file(self, name: str, content: bytes) -> Path:
        path = self.folder / name
        path.write_bytes(content)
        return path


@contextmanager
def suppress_output() -> Iterator[None]:
    with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        yield


def csv_bytes(rows: Sequence[Sequence[object]]) -> bytes:
    stream = io.StringIO()
    csv.writer(stream).writerows(["" if cell is None else cell for cell in row] for row in rows)
    return stream.getvalue().encode(errors="replace")
