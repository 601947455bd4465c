from __future__ import annotations

import os
import platform
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from mexbench.errors import RunFolderError
from mexbench.runs.lock import only_one
from tests.helpers import ROOT


def test_the_second_waits_until_the_first_is_done_and_is_told_who_it_is(tmp_path: Path) -> None:
    order: list[str] = []
    held, leave = threading.Event(), threading.Event()

    def first() -> None:
        with only_one(tmp_path / "run", order.append):
            held.set()
            leave.wait(60)
            order.append("first leaves")

    def tell(text: str) -> None:
        order.append(text)
        leave.set()

    thread = threading.Thread(target=first)
    thread.start()
    held.wait(60)
    with only_one(tmp_path / "run", tell):
        order.append("second enters")
    thread.join()
    assert order[1:] == ["first leaves", "second enters"]
    assert order[0].startswith(
        f"waiting: {tmp_path / 'run'} is in use by process {os.getpid()} on {platform.node()} since 20"
    )
    assert [path.name for path in (tmp_path / "run").iterdir()] == [".lock"]


def test_the_lock_of_a_killed_process_holds_nobody_up(tmp_path: Path) -> None:
    program = (
        "import os, signal, sys; from pathlib import Path; from mexbench.runs.lock import only_one\n"
        f"with only_one(Path({str(tmp_path)!r}), print): os.kill(os.getpid(), signal.SIGKILL)"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=False)
    assert done.returncode < 0
    assert (tmp_path / ".holder").read_text().startswith("process ")
    with only_one(tmp_path, pytest.fail):
        assert f"process {os.getpid()} " in (tmp_path / ".holder").read_text()


def test_an_error_inside_gives_the_lock_back(tmp_path: Path) -> None:
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt), only_one(tmp_path, pytest.fail):
            raise KeyboardInterrupt


@pytest.mark.parametrize("name", [".lock", ".holder"])
def test_a_link_in_the_place_of_a_lock_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "precious").write_text("content")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / name).symlink_to(tmp_path / "precious")
    with (
        pytest.raises(RunFolderError, match="is a symbolic link, which is not followed here"),
        only_one(tmp_path / "run", pytest.fail),
    ):
        pass
    assert (tmp_path / "precious").read_text() == "content"
