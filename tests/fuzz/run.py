"""Mutated files for everything that reads files of others: ``python -m tests.fuzz.run --cases 10000``, from the root.

A case fails if anything but a ``BenchError`` comes out, if it takes more than 5 seconds of processor time, or if it
needs more than 1 GB of memory beyond what the process had. What fails is kept in ``tests/fuzz/corpus/SURFACE``, which
the tests read again.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import os
import resource
import signal
import sys
import tempfile
import traceback
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from mexbench import devices

devices.use_one_thread()

from mexbench.errors import BenchError  # noqa: E402
from tests.fuzz.surface import Surface  # noqa: E402
from tests.fuzz.surfaces import SURFACES  # noqa: E402

CORPUS = Path(__file__).parent / "corpus"
SECONDS, BYTES = 5, 10**9


class Hang(BaseException):
    """A case took too long: not to be caught by what catches every error."""


@contextlib.contextmanager
def no_hang(seconds: float) -> Iterator[None]:
    """Raise ``Hang`` in what takes more processor time."""

    def stop(*_: object) -> None:
        raise Hang

    before = signal.signal(signal.SIGVTALRM, stop)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def failure(surface: Surface, content: bytes) -> str | None:
    """Return the traceback of a case that fails."""
    try:
        with no_hang(SECONDS):
            surface.read(content)
    except BenchError:
        return None
    except BaseException:  # noqa: BLE001 - that is what is looked for
        return traceback.format_exc()
    return None


def cases(surface: Surface, count: int, seed: int) -> Iterator[bytes]:
    """Yield mutated files; each is told by the seed and its number alone."""
    for index in range(count):
        rng = np.random.default_rng([seed, index])
        yield surface.mutate(rng, surface.seeds[int(rng.integers(len(surface.seeds)))])


@contextlib.contextmanager
def limited_memory() -> Iterator[None]:
    """Let this process have so much more memory than it has, and no more."""
    if not Path("/proc/self/statm").exists():  # not Linux
        yield
        return
    now = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGESIZE")
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (now + BYTES, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


@contextlib.contextmanager
def silent_decoders() -> Iterator[None]:
    """Keep what C libraries say about broken images off the terminal."""
    sys.stderr.flush()
    remaining = os.dup(2)
    with Path(os.devnull).open("w") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(remaining, 2)
        os.close(remaining)


def fuzz(name: str, count: int, seed: int = 0) -> list[tuple[bytes, str]]:
    """Return the cases of a surface that fail, each with its traceback."""
    with tempfile.TemporaryDirectory() as folder, silent_decoders():
        surface = SURFACES[name](Path(folder))
        with limited_memory():
            messages = ((content, failure(surface, content)) for content in cases(surface, count, seed))
            return [(content, text) for content, text in messages if text is not None]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=300, help="of each surface")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--surface", choices=SURFACES, action="append")
    options = parser.parse_args()
    failed = 0
    for name in options.surface or SURFACES:
        result = fuzz(name, options.cases, options.seed)
        failed += len(result)
        print(f"{name}: {options.cases} cases, {len(result)} failed", flush=True)
        kinds: dict[str, bytes] = {}
        for content, text in result:
            kinds.setdefault("".join(text.splitlines(keepends=True)[-4:]), content)
        for text, content in kinds.items():
            path = CORPUS / name / hashlib.sha256(content).hexdigest()[:16]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
            print(f"{path}:\n{text}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
