"""A worker process, seen from the process that starts it."""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, cast

from mexbench.devices import one_thread_in_children
from mexbench.evaluation.executors.child import crash_file_name
from mexbench.evaluation.executors.messages import read_message, write_message

#: A clean interpreter that finds what this one finds: its first argument is our search path.
_START = (
    "import json, sys; sys.path[:] = json.loads(sys.argv.pop()); "
    "from mexbench.evaluation.executors.child import main; main()"
)
_MOST_TRACE = 20_000
#: Seconds in which a process ends once its pipes are closed.
_ENDING_S = 10.0


class ChildProcess:
    """A worker process; what it sends comes to a queue that several may share, and None when it is gone.

    Args:
        shared: What it is sent first.
        folder: The shared folder.
        events: Where (this, message) goes.
    """

    def __init__(
        self, shared: bytes, folder: Path, events: queue.SimpleQueue[tuple[ChildProcess, bytes | None]]
    ) -> None:
        self._folder, self._events = folder, events
        self._search_path = list(sys.path)
        with one_thread_in_children(), ignore_sigint():
            self._process = subprocess.Popen(  # noqa: S603
                [sys.executable, "-c", _START, json.dumps(self._search_path)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                # Of its own: Ctrl-C of a terminal does not reach it, and what it has started ends with it.
                process_group=0 if os.name == "posix" else None,
            )
        self._stdin, self._stdout = cast("IO[bytes]", self._process.stdin), cast("IO[bytes]", self._process.stdout)
        self._thread = threading.Thread(target=self._listen, args=(shared,), daemon=True)
        self._thread.start()

    def _listen(self, shared: bytes) -> None:
        try:
            write_message(self._stdin, shared)
            while (content := read_message(self._stdout)) is not None:
                self._events.put((self, content))
        except (OSError, ValueError):  # gone, or what it sends is not a message
            pass
        self._events.put((self, None))
        with suppress(OSError):
            self._stdout.close()

    def start_run(
        self, shared: bytes, folder: Path, events: queue.SimpleQueue[tuple[ChildProcess, bytes | None]]
    ) -> bool:
        """Use it for another run, after it answered that the files of the last one are closed.

        Args:
            shared: What it is sent first.
            folder: The shared folder.
            events: Where (this, message) goes.

        Returns:
            Whether it can be used: it runs, and has the search path that this process has now.
        """
        if not (self.alive and self._thread.is_alive() and self._search_path == sys.path):
            return False
        self._folder, self._events = folder, events
        self.send(shared)
        return True

    @property
    def alive(self) -> bool:
        """Whether it runs; its pipes may be open without it, in a process that it has started."""
        return self._process.poll() is None

    def send(self, content: bytes) -> None:
        """Send it a message; one that is gone is noticed where its messages are read."""
        with suppress(OSError):
            write_message(self._stdin, content)

    def close(self, *, gone: bool) -> str:
        """End it, with all that it has started, and return how it had ended before: "died (SIGSEGV)".

        Args:
            gone: Whether its pipes are closed, which happens a moment before it ends.
        """
        code = None
        if gone:
            with suppress(subprocess.TimeoutExpired):
                code = self._process.wait(_ENDING_S)
        self.kill()
        if code is None:
            return "sent what is not an answer"
        if code >= 0:
            return f"ended with exit code {code}"
        names = {number.value: number.name for number in signal.Signals}
        return f"died ({names.get(-code, f'signal {-code}')})"

    def kill(self) -> None:
        """End it at once, with all that it has started: a training may take hours."""
        with suppress(OSError):
            if os.name == "posix":
                os.killpg(self._process.pid, signal.SIGKILL)
            else:
                self._process.kill()
        self._process.wait()
        with suppress(OSError):
            self._stdin.close()
        self._thread.join(_ENDING_S)  # longer only where a process that it has started holds its pipes

    def trace(self) -> str:
        """Return where it was when it crashed, where that is known."""
        try:
            with (self._folder / crash_file_name(self._process.pid)).open(encoding="utf-8", errors="replace") as file:
                return file.read(_MOST_TRACE)
        except OSError:
            return ""


@contextmanager
def ignore_sigint() -> Iterator[None]:
    """Start processes that Ctrl-C, which a terminal sends to all, never reaches: it is this process's to handle."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
