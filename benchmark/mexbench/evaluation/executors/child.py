"""What a worker process does: it takes task groups from the process that started it, and answers with outcomes.

It is a clean interpreter: whatever the program that uses mexbench is, a notebook or a script without a main guard,
nothing of it runs here again.
"""

from __future__ import annotations

import faulthandler
import gc
import os
import queue
import signal
import sys
import threading
from contextlib import suppress
from typing import IO

from mexbench.evaluation.executors.messages import dump_outcomes, load_object, read_message, write_message
from mexbench.evaluation.streams import lasting_streams

#: The answer to what a run shares, once all of it can be used here; or what was wrong with it.
READY, REFUSED = b"ready", b"refused: "
#: Asks to close the files of a run, before what the next run shares is sent; and the answer, once they are closed.
END_OF_RUN, RELEASED = b"end of run", b"released"


def main() -> None:
    """Work until the other side is gone."""
    commands, answers = _take_pipes()
    with lasting_streams():  # what a model prints may have no reader
        _work(commands, answers)


def _work(commands: IO[bytes], answers: IO[bytes]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C, which a terminal sends to all, is not for this process
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    incoming: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(commands, incoming), daemon=True).start()
    while _work_for_a_run(incoming, answers):
        gc.collect()  # files of the run stay open as long as an array that reads them
        write_message(answers, RELEASED)


def _work_for_a_run(incoming: queue.SimpleQueue[bytes], answers: IO[bytes]) -> bool:
    """Take what a run shares, and its task groups until it ends; return whether there may be another run."""
    try:
        worker = _Worker(incoming.get())
    except Exception as error:  # noqa: BLE001 - whatever the import of a plugin raises
        text = " ".join(f"{type(error).__name__}: {error}".split())
        write_message(answers, REFUSED + text.encode("utf-8", "backslashreplace"))
        return False
    write_message(answers, READY)
    while (content := incoming.get()) != END_OF_RUN:
        write_message(answers, worker.run(content))
    worker.close()
    return True


def _take_pipes() -> tuple[IO[bytes], IO[bytes]]:
    """Take the pipes for ourselves: what a plugin reads is empty, and what it prints goes to standard error."""
    commands, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    with open(os.devnull, "r+b") as nothing:  # noqa: PTH123 - a device, not a path of ours
        os.dup2(nothing.fileno(), 0)
        try:
            os.dup2(2, 1)
        except OSError:  # a daemon has no standard error
            os.dup2(nothing.fileno(), 1)
    return commands, answers


def _listen(commands: IO[bytes], incoming: queue.SimpleQueue[bytes]) -> None:
    """Hand on what is sent; end this process, and what it has started, when the one that started it is gone."""
    with suppress(OSError):
        while (content := read_message(commands, most=None)) is not None:
            incoming.put(content)
    if hasattr(os, "killpg") and os.getpgid(0) == os.getpid():
        os.killpg(0, signal.SIGKILL)
    os._exit(1)


class _Worker:
    def __init__(self, content: bytes) -> None:
        self.shared = load_object(content)
        self.trainers = {}
        self.crash_file = (self.shared.folder / crash_file_name(os.getpid())).open("wb")
        faulthandler.enable(self.crash_file)  # where it was when a library ended the process

    def close(self) -> None:
        """Close the file for crashes."""
        faulthandler.disable()
        self.crash_file.close()

    def run(self, content: bytes) -> bytes:
        """Run a group; whatever happens becomes the failures of its tasks."""
        from mexbench.evaluation.task_runner import failure

        data = load_object(content)
        try:
            model = data.tasks[0].model
            if model not in self.trainers:
                self.trainers[model] = self.shared.trainer(model)
            answer = dump_outcomes(self.trainers[model].run_group(data))
        except BaseException as error:  # noqa: BLE001 - KeyboardInterrupt too: here it comes from a model alone
            answer = dump_outcomes([failure(task, error) for task in data.tasks])
        with suppress(Exception):  # a plugin may have replaced it
            sys.stdout.flush()
        return answer


def crash_file_name(process: int) -> str:
    """Return the name of the file, in the shared folder, that says where a process was when it crashed."""
    return f"crash-{process}.txt"
