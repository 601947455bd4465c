"""Pre-processed clips on disk, keyed by what they were made from and by the steps that made them.

An entry is one file: a line with a checksum, a line of JSON, then the bytes of an array. The checksum covers the key
and all that follows, so neither a flipped bit nor a file under another's name is taken for the entry. The key has the
bytes of the sample's files, the loader, and every step with its parameters and code, so a changed file or parameter is
another entry. Entries are written whole, so two processes may fill one cache; a damaged entry is removed and made
again.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np

from mexbench.files import expand_home, read_plain, replacing
from mexbench.interfaces import Clip

#: Action units and clip info are for steps alone, and after the last one nothing reads them.
_META = tuple(field.name for field in dataclasses.fields(Clip) if field.name not in ("frames", "aus", "clip_info"))
DEFAULT_LIMIT = 20 * 1024**3
#: Bytes of the largest entry that is read.
_LARGEST = 2**36
#: 32 hexadecimal digits and the end of the line.
_CHECKSUM_LENGTH = 33


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
    root = programs_root()
    if root.is_symlink():  # what it leads to was not written by this program
        return []
    return [path for path in root.glob("*") if path.is_file() and not path.is_symlink()]


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
        if path.parent.is_symlink():
            return None
        try:
            content = read_plain(path, most=_LARGEST, follow_links=False)
        except (OSError, ValueError):  # not there, or not a plain file: such a thing was not written by this class
            return None
        entry = _parsed(key, content)
        if entry is None:
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
        about = {
            "dtype": frames.dtype.str,
            "shape": frames.shape,
            "raw_digests": entry.raw_digests,
            "raw_hashes": entry.raw_hashes,
            "clip": {name: getattr(entry.clip, name) for name in _META},
        }
        content = json.dumps(about).encode() + b"\n" + frames.tobytes()
        path = self._path(key)
        if path.parent.is_symlink():
            self.trouble = f"{path.parent}: is a symbolic link, which is not followed: its samples are not kept"
            return
        try:
            with replacing(path, durable=False) as stream:  # a damaged entry is noticed, and made again
                stream.write(_checksum(key, content) + b"\n")
                stream.write(content)
            self._make_room(path.stat().st_size, keep=path)
        except OSError as error:
            self.trouble = f"{self.root}: {error.strerror}: pre-processed samples are not kept for the next run"

    def size(self) -> int:
        """Return the bytes of all entries."""
        return total_size(self.entries())

    def clear(self) -> int:
        """Remove every entry, what killed processes left of one, and nothing else in the folder; return how many."""
        removed = 0
        for path in self._below(".tmp-*"):
            with suppress(OSError):
                path.unlink()
        for path in self.entries():
            with suppress(OSError):
                path.unlink()
                removed += 1
        return removed

    def entries(self) -> Sequence[Path]:
        """Return the files of all entries."""
        return [path for path in self._below("*.clip") if path.is_file()]

    def _below(self, pattern: str) -> list[Path]:
        """Return what matches in the folders of the cache; neither a linked folder nor a link is followed."""
        folders = [path for path in self.root.glob("??") if path.is_dir() and not path.is_symlink()]
        return [path for folder in folders for path in folder.glob(pattern) if not path.is_symlink()]

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


def _checksum(key: str, content: bytes | memoryview) -> bytes:
    """Digest a key and the content under it: against damage, not against forgers, who could write the folder anyway."""
    state = hashlib.blake2b(f"{key}\0".encode(), digest_size=16)
    state.update(content)
    return state.hexdigest().encode()


def _parsed(key: str, content: bytes) -> CacheEntry | None:
    """Return the entry that a file holds; None for any other content."""
    checksum, _, _ = content[:_CHECKSUM_LENGTH].partition(b"\n")
    inside = memoryview(content)[len(checksum) + 1 :]
    if len(checksum) != _CHECKSUM_LENGTH - 1 or checksum != _checksum(key, inside):
        return None
    try:
        header, _, body = content[_CHECKSUM_LENGTH:].partition(b"\n")
        about = json.loads(header)
        dtype = np.dtype(about["dtype"])
        if dtype.kind not in "biuf":
            return None
        frames = np.frombuffer(body, dtype).reshape(about["shape"])
        meta = {name: about["clip"][name] for name in _META}
        clip = Clip(frames=frames, **{**meta, "notes": tuple(meta["notes"])})
        return CacheEntry(clip, tuple(about["raw_digests"]), tuple(about["raw_hashes"]))
    except Exception:  # noqa: BLE001 - whatever does not parse is a damaged entry
        return None


def total_size(paths: Sequence[Path]) -> int:
    """Return the bytes of these files; one that has gone counts nothing."""
    total = 0
    for path in paths:
        with suppress(OSError):
            total += path.stat().st_size
    return total
