from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from mexbench_plugins.synth import output


def test_temporary_films_of_a_killed_process_are_removed(tmp_path: Path) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    prefix = output._own_prefix()
    killed, running = tmp_path / f"{prefix}{ended.pid}-a", tmp_path / f"{prefix}{os.getpid()}-b"
    elsewhere, other = tmp_path / f".tmp-synth-othermachine-{ended.pid}-c", tmp_path / f"{prefix}x-d"
    for folder in (killed, running, elsewhere, other):
        folder.mkdir()
        (folder / "clip.mp4").write_bytes(b"film")
    link = tmp_path / f"{prefix}{ended.pid}-link"
    link.symlink_to(running)
    output._remove_abandoned(tmp_path)
    assert not killed.exists()
    assert all((folder / "clip.mp4").is_file() for folder in (running, elsewhere, other))
    assert link.is_symlink()
