"""``bench predict --camera``, with a camera that is made up."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mexbench.studies.inference import camera
from tests.helpers import Ran
from tests.pictures import face_frame

Bench = Callable[..., Ran]


class FakeCamera:
    """Gives a drawn face, a frame every 50 ms of a clock of its own."""

    def __init__(self, count: int) -> None:
        self.left, self.now, self.released = count, 100.0, False

    def read(self) -> tuple[bool, np.ndarray | None]:
        if not self.left:
            return False, None
        self.left, self.now = self.left - 1, self.now + 0.05
        return True, face_frame(size=(240, 320), faces=((160, 120, 110),), seed=self.left)[..., ::-1]

    def release(self) -> None:
        self.released = True


def test_a_camera(by_frame: Path, bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = FakeCamera(60)
    monkeypatch.setattr(camera, "open_camera", lambda number: fake)
    monkeypatch.setattr(camera.time, "monotonic", lambda: fake.now)
    monkeypatch.chdir(tmp_path)
    ran = bench("predict", "--camera", 0, "--model", by_frame, "--seconds", 2.6)
    lines = [line for line in ran.out.splitlines() if "frames a second)" in line]
    assert ran.code == 0
    # 20 frames a second come, 10 are looked at: 2.6 s are two windows and what is left.
    assert len(lines) == 3
    assert all("(10." in line or "(9." in line for line in lines)
    assert "| decode" in ran.out
    assert fake.released
    assert list(tmp_path.iterdir()) == []


def test_a_camera_until_it_is_stopped(by_frame: Path, bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = FakeCamera(30)
    read = fake.read

    def stop() -> tuple[bool, np.ndarray | None]:
        if not fake.left:
            raise KeyboardInterrupt
        return read()

    fake.read = stop
    monkeypatch.setattr(camera, "open_camera", lambda number: fake)
    monkeypatch.setattr(camera.time, "monotonic", lambda: fake.now)
    ran = bench("predict", "--camera", 0, "--model", by_frame)
    assert (ran.code, fake.released) == (0, True)
    assert ran.out.count("frames a second)") == 1
    # Those at 0.05 s, 0.1, 0.2, ... 1.1, which ended the window, and 1.2, before which no scene cut is known.
    assert "13 frames sampled" in ran.out


def test_missing_or_silent_cameras_are_rejected(by_frame: Path, bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    ran = bench("predict", "--camera", 93, "--model", by_frame)
    assert (ran.code, "no such camera" in ran.err) == (2, True)
    fake = FakeCamera(0)
    monkeypatch.setattr(camera, "open_camera", lambda number: fake)
    ran = bench("predict", "--camera", 0, "--model", by_frame)
    assert (ran.code, "gives no frame" in ran.err, fake.released) == (2, True, True)
