"""Runs that are killed, stopped or started twice: nothing is lost, nothing done is done again, nothing is left."""

from __future__ import annotations

import json
import os
import select
import signal
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from tests.survival import CONFIG, TASKS, Server

MOMENTS = 12

pytestmark = pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="watches processes as Linux does")


@pytest.fixture(scope="module")
def server() -> Server:
    return Server()


def workplace(folder: Path) -> Path:
    folder.mkdir()
    (folder / "c.yaml").write_text(CONFIG)
    return folder


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return workplace(tmp_path / "place")


@pytest.fixture(scope="module")
def undisturbed(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = workplace(tmp_path_factory.mktemp("undisturbed") / "place")
    assert server.run(folder, "--out", "run") == 0
    return folder


def notes(folder: Path) -> list[tuple[str, ...]]:
    """Return what was trained, in order: model, seed, held-out subject, process, process of the run."""
    path = folder / "notes.txt"
    return [tuple(line.split()) for line in path.read_text().splitlines()] if path.exists() else []


def stored(folder: Path) -> set[tuple[str, ...]]:
    result = [json.loads(path.read_bytes()) for path in folder.glob("run/tasks/*/*/*.json")]
    return {(task["model"], str(task["seed"]), task["fold"]) for task in result}


def said(folder: Path) -> str:
    return (folder / "said.txt").read_text()


def wait_for_end(processes: set[int]) -> None:
    for process in processes:
        try:
            handle = os.pidfd_open(process)
        except ProcessLookupError:
            continue
        ended, _, _ = select.select([handle], [], [], 60)
        os.close(handle)
        assert ended, f"process {process} lives on"


def assert_whole(folder: Path, undisturbed: Path) -> None:
    for name in ("predictions.csv",):
        assert (folder / "run" / name).read_bytes() == (undisturbed / "run" / name).read_bytes()
    assert len(stored(folder)) == TASKS
    left = {path.name for path in folder.rglob("*") if path.name.startswith(".")}
    assert left == {".lock"}


def test_the_undisturbed_run(undisturbed: Path) -> None:
    trained = [task[:3] for task in notes(undisturbed)]
    assert len(trained) == len(set(trained)) == TASKS
    assert set(trained) == stored(undisturbed)
    assert_whole(undisturbed, undisturbed)


@pytest.mark.parametrize("jobs", [1, 2])
def test_killed_at_random_moments_and_resumed(server: Server, undisturbed: Path, tmp_path: Path, jobs: int) -> None:
    """The moments are spread over all that happens to files of the run folder, and over the trainings."""
    chance = np.random.default_rng(8)
    events = int((undisturbed / "events.txt").read_text())
    assert events > 4 * TASKS
    kills, places = 0, 0
    while kills < MOMENTS:
        places += 1
        place = workplace(tmp_path / str(places))
        while True:  # the same run, killed once or several times until it is let through
            done = stored(place)
            disturb = kills < MOMENTS and (not done or chance.random() < 0.3)
            kill_at = int(chance.integers(1, events)) if disturb else None
            process = server.start(place, "--out", "run", "--jobs", str(jobs), kill_at=kill_at)
            process.join()
            code = process.exitcode
            kills += code == -signal.SIGKILL
            # Not what a worker of the run before still began in the moment in which that was killed.
            new = [task for task in notes(place) if task[4] == str(process.pid)]
            wait_for_end({int(task[3]) for task in new})
            assert done.isdisjoint(task[:3] for task in new)
            assert max(Counter(task[:3] for task in new).values(), default=1) == 1
            in_flight = {task[:3] for task in new} - stored(place)
            assert len(in_flight) <= jobs
            if code != -signal.SIGKILL:
                assert code == 0, said(place)
                break
        assert_whole(place, undisturbed)
    assert places > MOMENTS / 4


@pytest.mark.parametrize("jobs", [1, 2])
@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM])
def test_stopped_while_training(
    server: Server, undisturbed: Path, place: Path, jobs: int, sign: signal.Signals
) -> None:
    os.mkfifo(place / "a1-p2")
    process = server.start(place, "--out", "run", "--jobs", str(jobs))
    worker = int((place / "a1-p2").read_text())
    assert worker != process.pid
    if sign == signal.SIGTERM:  # a batch system warns every process of a job
        os.kill(worker, sign)
    os.kill(process.pid, sign)
    process.join()
    assert process.exitcode == 130
    wait_for_end({int(task[3]) for task in notes(place)})
    done = stored(place)
    assert f"stopped: {len(done)} of {TASKS} tasks are done and kept; the same command goes on from here" in said(place)
    assert json.loads((place / "run" / "scores.json").read_text())["tasks"] == {"done": len(done), "total": TASKS}
    assert {path.name for path in (place / "run").rglob(".*")} == {".lock"}
    if jobs == 1:
        assert len(done) == 6
    (place / "a1-p2").unlink()
    before = len(notes(place))
    assert server.run(place, "--out", "run") == 0
    assert {task[:3] for task in notes(place)[before:]} == stored(place) - done
    assert_whole(place, undisturbed)


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM])
def test_stopped_while_loading(server: Server, place: Path, sign: signal.Signals) -> None:
    os.mkfifo(place / "load")
    process = server.start(place, "--out", "run")
    (place / "load").read_text()
    os.kill(process.pid, sign)
    process.join()
    assert process.exitcode == 130
    assert said(place).endswith("stopped: what is done is kept; the same command goes on from here\n")
    assert not (place / "run").exists()


def test_two_processes_on_one_folder_share_the_work(server: Server, undisturbed: Path, place: Path) -> None:
    os.mkfifo(place / "a1-p2")
    first = server.start(place, "--out", "run")
    (place / "a1-p2").read_text()
    (place / "said.txt").unlink()
    os.mkfifo(place / "said.txt")
    second = server.start(place, "--out", "run")
    heard = []
    with (place / "said.txt").open() as lines:
        heard.append(next(line for line in lines if line.startswith("waiting: ")))
        os.kill(first.pid, signal.SIGTERM)
        (place / "a1-p2").read_text()  # the second goes on with what the first had to drop
        (place / "a1-p2").write_text("")
        heard += lines
    first.join()
    second.join()
    assert heard[0].startswith(f"waiting: run is in use by process {first.pid} on ")
    assert "10 to do" in "".join(heard[1:])
    assert (first.exitcode, second.exitcode) == (130, 0)
    trained = Counter(task[:3] for task in notes(place))
    assert trained.pop(("a", "1", "toy/p2")) == 2
    assert set(trained.values()) == {1}
    assert_whole(place, undisturbed)


def test_what_is_there_can_be_collected_while_another_process_trains(server: Server, place: Path) -> None:
    os.mkfifo(place / "a1-p2")
    first = server.start(place, "--out", "run")
    (place / "a1-p2").read_text()
    assert server.run(place, "--out", "run", "--recompute", "never") == 1
    assert json.loads((place / "run" / "scores.json").read_text())["tasks"] == {"done": 6, "total": TASKS}
    (place / "a1-p2").write_text("")
    first.join()
    assert first.exitcode == 0
    assert json.loads((place / "run" / "scores.json").read_text())["complete"] is True
