"""Runs on a Dask cluster: the same results as in one process, whoever dies meanwhile."""

from __future__ import annotations

import json
import os
import shutil
import signal
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.clusters import ClusterProcesses, dask_cluster
from tests.survival import CONFIG, TASKS, Server
from tests.test_survival import notes, said, stored, wait_for_end

pytestmark = pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="watches processes as Linux does")


@pytest.fixture(scope="module")
def server() -> Server:
    return Server()


@pytest.fixture(scope="module")
def undisturbed(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("undisturbed")
    (folder / "c.yaml").write_text(CONFIG)
    assert server.run(folder, "--out", "run") == 0
    return folder


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Where the run and the workers of a cluster run."""
    folder = tmp_path / "place"
    folder.mkdir()
    (folder / "c.yaml").write_text(CONFIG)
    return folder


def results(folder: Path) -> dict[str, Any]:
    """Return the files of tasks, but for what took how long."""
    result = {}
    for path in folder.glob("run/tasks/*/*/*.json"):
        content = json.loads(path.read_bytes())
        timeless = {
            key: value for key, value in content.items() if key not in ("fit_s", "predict_s", "processor_s", "checksum")
        }
        result[path.relative_to(folder).as_posix()] = json.dumps(timeless)
    return result


def assert_same(folder: Path, undisturbed: Path) -> None:
    assert results(folder) == results(undisturbed)
    assert len(results(folder)) == TASKS
    assert (folder / "run" / "predictions.csv").read_bytes() == (undisturbed / "run" / "predictions.csv").read_bytes()
    assert {path.name for path in (folder / "run").rglob(".*")} == {".lock"}


def start(server: Server, place: Path, cluster: ClusterProcesses) -> Any:  # noqa: ANN401
    return server.start(place, "--out", "run", "--executor", "dask", "--scheduler", cluster.address)


def test_a_scheduler_and_two_workers(server: Server, undisturbed: Path, place: Path) -> None:
    with dask_cluster(place) as cluster:
        process = start(server, place, cluster)
        process.join()
    assert process.exitcode == 0, said(place)
    assert_same(place, undisturbed)
    trained = notes(place)
    assert {task[:3] for task in trained} == stored(undisturbed)
    assert len(trained) == TASKS
    assert len({task[3] for task in trained}) == 2  # processes
    assert process.pid not in {int(task[3]) for task in trained}


def test_a_worker_killed_in_the_middle(server: Server, undisturbed: Path, place: Path) -> None:
    os.mkfifo(place / "a1-p2")
    with dask_cluster(place) as cluster:
        process = start(server, place, cluster)
        worker = int((place / "a1-p2").read_text())
        (place / "a1-p2").unlink()
        os.kill(worker, signal.SIGKILL)
        process.join()
    assert process.exitcode == 0, said(place)
    assert_same(place, undisturbed)
    trained = Counter(task[:3] for task in notes(place))
    again = {task for task, times in trained.items() if times > 1}
    assert ("a", "1", "toy/p2") in again
    assert max(trained.values()) == 2
    assert len(again) <= 17  # what the worker had: results on their way are lost with it


def test_the_scheduler_killed_in_the_middle(server: Server, undisturbed: Path, place: Path) -> None:
    os.mkfifo(place / "a1-p2")
    with dask_cluster(place) as cluster:
        process = start(server, place, cluster)
        (place / "a1-p2").read_text()
        cluster.scheduler.kill()
        process.join()
    assert process.exitcode == 2
    done = stored(place)
    assert 0 < len(done) < TASKS
    assert f"error: the Dask scheduler at {cluster.address} is gone" in said(place)
    messages = (
        f"{len(done)} of {TASKS} tasks are done and kept in run; the same command goes on from here, with or without"
    )
    assert messages in said(place)
    assert "Traceback" not in said(place)
    (place / "a1-p2").unlink()
    before = len(notes(place))
    assert server.run(place, "--out", "run") == 0
    assert {task[:3] for task in notes(place)[before:]} == stored(place) - done
    assert_same(place, undisturbed)


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM])
def test_a_cluster_of_its_own_is_stopped(server: Server, undisturbed: Path, place: Path, sign: signal.Signals) -> None:
    os.mkfifo(place / "a1-p2")
    process = server.start(place, "--out", "run", "--executor", "dask", "--jobs", "2")
    worker = int((place / "a1-p2").read_text())
    if sign == signal.SIGINT:  # a terminal sends it to all
        os.kill(worker, sign)
    os.kill(process.pid, sign)
    process.join()
    assert process.exitcode == 130, said(place)
    wait_for_end({int(task[3]) for task in notes(place)})
    done = stored(place)
    assert f"stopped: {len(done)} of {TASKS} tasks are done and kept" in said(place)
    assert {path.name for path in (place / "run").rglob(".*")} == {".lock"}
    (place / "a1-p2").unlink()
    assert server.run(place, "--out", "run", "--executor", "dask", "--jobs", "2") == 0, said(place)
    assert_same(place, undisturbed)


@pytest.mark.parametrize("wrong", ["version", "code"])
def test_workers_of_other_versions_are_named_and_refused(server: Server, place: Path, wrong: str) -> None:
    """One worker says that it has numpy 1.0; or has a plugin that reads otherwise."""
    other = place / "other"
    other.mkdir()
    if wrong == "version":
        (other / "sitecustomize.py").write_text(
            "import importlib.metadata as m\nold = m.version\n"
            "m.version = lambda name: '1.0' if name == 'numpy' else old(name)\n"
        )
    else:
        shutil.copytree(Path(__file__).parent, other / "tests")
        (other / "tests" / "survival.py").write_text((Path(__file__).parent / "survival.py").read_text() + "\n# edited")
    with dask_cluster(place, workers=1) as cluster:
        cluster.worker(PYTHONPATH=str(other))
        process = start(server, place, cluster)
        process.join()
    assert process.exitcode == 2
    lines = said(place).splitlines()
    assert lines[0].startswith(f"error: --scheduler {cluster.address}: workers would compute with something else than")
    assert lines[1].startswith("  tcp://127.0.0.1:")
    messages = "numpy is 1.0, here " if wrong == "version" else "code of a differs; code of b differs"
    assert lines[1].partition(": ")[2].startswith(messages)
    assert len(lines) == 3
    assert not (place / "run").exists()
    assert notes(place) == []
