"""One process at a time writes into a run folder; the next one waits."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from mexbench.errors import RunFolderError
from mexbench.runs.provenance import now


@contextmanager
def only_one(folder: Path, notify_user: Callable[[str], None]) -> Iterator[None]:
    """Hold a folder's lock; wait while another process holds it.

    The operating system keeps the lock and drops it when its process ends, however it ends, so none is ever stale.
    ``.lock`` stays in the folder; ``.holder`` says, for people, who holds it.

    Args:
        folder: It is made where it is missing.
        notify_user: Called once, with what is waited for, if there is need to wait.

    Raises:
        OSError: The folder cannot be written.
        RunFolderError: A link is in the place of one of the two files.
    """
    from filelock import FileLock, Timeout  # loads much, and "bench --help" has no use for it

    folder.mkdir(parents=True, exist_ok=True)
    holder = folder / ".holder"
    for path in (folder / ".lock", holder):
        if path.is_symlink():  # both are emptied when they are opened
            raise RunFolderError(f"{path}: is a symbolic link, which is not followed here; remove it")
    lock = FileLock(folder / ".lock")
    try:
        lock.acquire(blocking=False)
    except Timeout:
        notify_user(f"waiting: {folder} is in use by {_who(holder)}; Ctrl-C gives up")
        lock.acquire()
    try:
        holder.write_text(f"process {os.getpid()} on {platform.node()} since {now()}\n", encoding="utf-8")
        yield
    finally:
        with suppress(OSError):
            holder.unlink()
        lock.release()


def _who(holder: Path) -> str:
    try:
        return holder.read_text(encoding="utf-8").strip() or "another process"
    except (OSError, UnicodeDecodeError):
        return "another process"
