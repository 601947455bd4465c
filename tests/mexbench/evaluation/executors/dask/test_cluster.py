from __future__ import annotations

import builtins
import importlib.util
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mexbench.errors import ClusterError
from mexbench.evaluation.executors.dask import cluster as dask_cluster
from mexbench.evaluation.executors.dask.cluster import check_worker_versions, mismatched_text
from mexbench.evaluation.executors.dask.worker import Recipe, begin, describe, end, receive, run_group
from mexbench.evaluation.executors.shared_arrays import share
from mexbench.runs.task import Success, Task
from mexbench_plugins.models.majority import Majority
from mexbench_plugins.models.svm import SVM
from tests.clusters import free_port
from tests.helpers import Ran
from tests.mexbench.evaluation.test_task_runner import every, workload


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "c.yaml"
    path.write_text("dataset: {plugin: synthetic, subjects: 4}\nprotocol: loso\nmodels: [majority]")
    return path


@pytest.fixture
def run(bench: Callable[..., Ran], config: Path, tmp_path: Path) -> Callable[..., Ran]:
    def call(*arguments: str) -> Ran:
        result = bench("run", config, "--out", tmp_path / "run", *arguments)
        assert result.code == 2
        assert not (tmp_path / "run").exists()
        assert "Traceback" not in result.err
        return result

    return call


@pytest.mark.parametrize("address", ["localhost:8786", "http://h:1", "tcp://h", "tcp://:1", "tcp://h:x", "tcp://h:1/x"])
def test_invalid_addresses_are_refused(run: Callable[..., Ran], address: str) -> None:
    result = run("--executor", "dask", "--scheduler", address)
    assert result.err == f"error: --scheduler {address}: expected tcp://HOST:PORT or tls://HOST:PORT\n"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--scheduler", "tcp://h:1"], "--scheduler is for --executor dask alone"),
        (["--executor", "processes", "--scheduler", "tcp://h:1"], "--scheduler is for --executor dask alone"),
        (["--executor", "dask", "--scheduler", "tcp://h:1", "--jobs", "2"], "a cluster with --scheduler has its own"),
        (["--executor", "serial", "--jobs", "2"], "--executor serial does one task at a time, not 2"),
        (["--executor", "dusk"], "invalid choice: 'dusk' (choose from"),
        (["--in-process", "--jobs", "2"], "--in-process runs one task after the other in this process"),
        (["--in-process", "--executor", "dask"], "--in-process runs one task after the other in this process"),
        (["--in-process", "--task-timeout", "9"], "--task-timeout is for tasks in processes that are started here"),
        (["--executor", "dask", "--task-timeout", "9"], "--task-timeout is for tasks in processes that are started"),
        (["--task-timeout", "0"], "argument --task-timeout: expected a number of seconds above 0, got 0"),
        (["--task-timeout", "nan"], "argument --task-timeout: expected a number of seconds above 0, got nan"),
        (["--jobs", "0"], "argument --jobs: expected a whole number from 1, got '0'"),
    ],
)
def test_contradicting_arguments_are_refused(run: Callable[..., Ran], arguments: list[str], told: str) -> None:
    assert told in run(*arguments).err


@pytest.mark.parametrize("answer", ["nothing listens", "silence", "another language"])
def test_a_scheduler_that_cannot_be_reached(run: Callable[..., Ran], answer: str) -> None:
    """Within 10 seconds: the clock is asked, for a limit that is a promise and not a measure of speed."""
    start = time.monotonic()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1] if answer != "nothing listens" else free_port()
        if answer == "another language":
            threading.Thread(target=talk, args=(listener,), daemon=True).start()
        result = run("--executor", "dask", "--scheduler", f"tcp://127.0.0.1:{port}")
    assert time.monotonic() - start < 10
    assert result.err.startswith(f"error: --scheduler tcp://127.0.0.1:{port}: no Dask scheduler can be reached there (")
    assert result.err.count("\n") == 1


def talk(listener: socket.socket) -> None:
    """Answer as a web server does."""
    connection, _ = listener.accept()
    with connection:
        connection.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n" * 10)


def test_dask_is_optional(run: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "distributed" else find(name))
    assert run("--executor", "dask").err == (
        "error: --executor dask needs Dask, which is not installed; in a clone of mexbench: pip install '.[dask]'\n"
    )


class Fake:
    """A link to workers that say what a test has them say."""

    address = "tcp://h:1"

    def __init__(self, **answers: Any) -> None:  # noqa: ANN401
        self.answers = answers

    def workers(self) -> list[str]:
        return list(self.answers)

    def ask(self, *_: object, **__: object) -> dict[str, Any]:
        return self.answers


def test_mismatched_workers_are_named_with_what_differs() -> None:
    recipes = {"svm": Recipe.of(SVM())}
    here = describe(recipes, None)
    assert {"python", "numpy", "scikit-learn", "mexbench", "code of mexbench", "code of svm", "distributed"} <= set(
        here
    )
    jax = here["jax"]
    answers = {
        "same": here,
        "old": {**here, "jax": "0.1", "code of svm": "x"},
        "older": {**here, "jax": "0.1", "code of svm": "x"},
        "bare": {key: value for key, value in here.items() if key != "jax"},
        "gpu": {**here, "backend": "gpu"},
        "without": ModuleNotFoundError("No module named 'mexbench'"),
        "gone": builtins.OSError("Stream is closed"),
    }
    with pytest.raises(ClusterError) as caught:
        check_worker_versions(Fake(**answers), recipes, None)  # type: ignore[arg-type]
    assert str(caught.value).splitlines() == [
        "--scheduler tcp://h:1: workers would compute with something else than this process:",
        f"  old, older: jax is 0.1, here {jax}; code of svm differs",
        f"  bare: jax is missing, here {jax}",
        "  gpu: backend is gpu, here missing",
        "  without: ModuleNotFoundError: No module named 'mexbench'",
        "  install the same versions there as here, restart these workers, and run again",
    ]
    check_worker_versions(Fake(same=here, gone=OSError("gone")), recipes, None)  # type: ignore[arg-type]
    assert mismatched_text({}) == ""


def test_a_recipe_rebuilds_a_model_from_plain_values() -> None:
    recipe = Recipe.of(SVM(C=0.5, kernel="rbf", gamma=0.1))
    assert (recipe.location, recipe.parameters["C"]) == ("mexbench_plugins.models.svm:SVM", 0.5)
    assert recipe.build() == SVM(C=0.5, kernel="rbf", gamma=0.1)
    assert Recipe.of(Majority()).build() == Majority()


@pytest.mark.parametrize(
    ("recipe", "error", "message"),
    [
        (Recipe("not_there:SVM", {}), ImportError, "No module named 'not_there'"),
        (
            Recipe("mexbench_plugins.models.svm:Other", {}),
            ImportError,
            "mexbench_plugins.models.svm:Other is not a model here",
        ),
        (Recipe("os:system", {}), ImportError, "os:system is not a model here"),
        (Recipe("mexbench_plugins.models.svm:SVM", {"C": 1.0, "D": 2}), ValueError, "unknown parameter 'D'"),
    ],
)
def test_a_recipe_of_an_unknown_model_is_refused(recipe: Recipe, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        recipe.build()


def test_pieces_of_arrays_stay_in_their_folder(tmp_path: Path) -> None:
    load = workload()
    data = load.group_data((Task("spy", 7, "1", "x"),))
    with share(every(load), tmp_path) as shared:
        begin("run", shared, {"spy": Recipe.of(load.models["spy"])}, copy=True)
        try:
            for name in ("../x.npy", "/etc/x.npy", "0/../../x.npy"):
                with pytest.raises(ValueError, match="is not a file of the run"):
                    receive("run", name, b"")
            for name in shared.arrays():
                for byte in (shared.folder / name).read_bytes():
                    receive("run", str(name), bytes([byte]))
            (outcome,) = run_group("run", data)
            assert isinstance(outcome, Success)
            assert outcome.scores.tolist() == [[4, sum(range(4, 12)), 2, 2, 7]] * 2
        finally:
            end("run")
    with pytest.raises(dask_cluster.dask_worker.NotBegun):
        run_group("run", data)
