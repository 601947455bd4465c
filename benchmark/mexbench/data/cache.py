"""Pre-processed clips on disk, keyed by what they were made from and by the steps that made them.

An entry is one file: a line of JSON, then the bytes of an array. Its key covers the bytes of the sample's files, the
loader, and every step with its parameters and code, so that a changed file or parameter is another entry. Entries are
written whole, so two processes may fill one cache; a damaged entry is removed and made again.
"""

from __future__ import annotations

import dataclasses
import json
import os
import tempfile
import zlib
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np

from mexbench.files import expand_home, replacing
from mexbench.interfaces import Clip

#: Action units and clip info are for steps alone, and after the last one nothing reads them.
_META = tuple(field.name for field in dataclasses.fields(Clip) if field.name not in ("frames", "aus", "clip_info"))
DEFAULT_LIMIT = 20 * 1024**3


def default_root() -> Path:
    """Return ``$MEXBENCH_CACHE``, or the user's cache folder."""
    import platformdirs

    if given := os.environ.get("MEXBENCH_CACHE"):
        return expand_home(Path(given))
    root = Path(platformdirs.user_cache_dir("mexbench", appauthor=False))
    # A process without a home folder, as some containers run: a cache of its own user, as long as the machine is up.
    return root if root.is_absolute() else Path(tempfile.gettempdir()) / f"mexbench-{_user()}" / "cache"


def _user() -> str:
    return str(os.getuid()) if hasattr(os, "getuid") else "user"


def programs_root() -> Path:
    """Return where plugins keep compiled programs: in the user's cache folder, apart from the entries."""
    return default_root() / "jax"


def programs() -> list[Path]:
    """Return the files of compiled programs, which are as good as their version of JAX and are made again at need."""
    return [path for path in programs_root().glob("*") if path.is_file()]


@dataclasses.dataclass(frozen=True)
class CacheEntry:
    """What the cache keeps of a sample.

    Args:
        clip: The clip after the last step.
        raw_digests: Digest of each frame's pixels before the first step, by which duplicates are found.
        raw_hashes: Perceptual hashes of frames before the first step, by which near-duplicates are found.
    """

    clip: Clip
    raw_digests: tuple[str, ...]
    raw_hashes: tuple[str, ...] = ()


class Cache:
    """A folder of entries, bounded in size: past ``limit`` bytes, those that were unused longest go first."""

    def __init__(self, root: Path, limit: int = DEFAULT_LIMIT) -> None:
        self.root = root
        self.limit = limit
        #: Why entries are not kept, where the folder cannot be written: the run goes on without.
        self.trouble: str | None = None
        self._size: int | None = None

    def get(self, key: str) -> CacheEntry | None:
        """Return the entry, or None where there is none or it is damaged."""
        path = self._path(key)
        try:
            header, _, body = path.read_bytes().partition(b"\n")
        except OSError:
            return None
        try:
            about = json.loads(header)
            if about["checksum"] != zlib.crc32(body):
                raise ValueError("checksum differs")
            frames = np.frombuffer(body, np.dtype(about["dtype"])).reshape(about["shape"])
            meta = {name: about["clip"][name] for name in _META}
            clip = Clip(frames=frames, **{**meta, "notes": tuple(meta["notes"])})
            entry = CacheEntry(clip, tuple(about["raw_digests"]), tuple(about["raw_hashes"]))
        except (ValueError, KeyError, TypeError, EOFError):
            with suppress(OSError):
                path.unlink()
            return None
        with suppress(OSError):
            os.utime(path)  # used just now
        return entry

    def put(self, key: str, entry: CacheEntry) -> None:
        """Keep an entry; a full or read-only disk is noted in ``trouble`` and stops nothing."""
        frames = np.ascontiguousarray(entry.clip.frames)
        if frames.dtype.hasobject:
            raise ValueError("an array of Python objects cannot be cached: its bytes are pointers")
        body = frames.tobytes()
        about = {
            "checksum": zlib.crc32(body),  # against damage, not against forgers: those could write the folder anyway
            "dtype": frames.dtype.str,
            "shape": frames.shape,
            "raw_digests": entry.raw_digests,
            "raw_hashes": entry.raw_hashes,
            "clip": {name: getattr(entry.clip, name) for name in _META},
        }
        path = self._path(key)
        try:
            with replacing(path) as stream:
                stream.write(json.dumps(about).encode() + b"\n" + body)
            self._make_room(path.stat().st_size, keep=path)
        except OSError as error:
            self.trouble = f"{self.root}: {error.strerror}: pre-processed samples are not kept for the next run"

    def size(self) -> int:
        """Return the bytes of all entries."""
        return total_size(self.entries())

    def clear(self) -> int:
        """Remove every entry, what killed processes left of one, and nothing else in the folder; return how many."""
        removed = 0
        for path in self.root.glob("??/.tmp-*"):
            with suppress(OSError):
                path.unlink()
        for path in self.entries():
            with suppress(OSError):
                path.unlink()
                removed += 1
        return removed

    def entries(self) -> Sequence[Path]:
        """Return the files of all entries."""
        return [path for path in self.root.glob("??/*.clip") if path.is_file()]

    def _path(self, key: str) -> Path:
        return self.root / key[:2] / f"{key}.clip"

    def _make_room(self, added: int, keep: Path) -> None:
        size = added + self._size if self._size is not None else total_size(self.entries())
        self._size = size if size <= self.limit else self._evict(keep)

    def _evict(self, keep: Path) -> int:
        """Remove what was unused longest until a tenth of the limit is free; return the size of the rest."""
        candidates = []
        for path in self.entries():
            with suppress(OSError):  # another process made room as well
                status = path.stat()
                candidates.append((status.st_mtime_ns, status.st_size, path))
        total = sum(size for _, size, _ in candidates)
        for _, size, path in sorted(candidates):
            if total <= self.limit * 0.9:
                break
            if path != keep:
                with suppress(OSError):
                    path.unlink()
                total -= size
        return total


def total_size(paths: Sequence[Path]) -> int:
    """Return the bytes of these files; one that has gone counts nothing."""
    total = 0
    for path in paths:
        with suppress(OSError):
            total += path.stat().st_size
    return total
