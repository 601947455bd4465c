"""A real MLflow server, with a database, receives the events of a run."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.helpers import Ran

tracking = pytest.importorskip("mlflow.tracking", reason="needs mlflow: pip install '.[mlflow]'")

CONFIG = """
dataset: {plugin: synthetic, subjects: 3, clips: 6}
protocol: loso
models: [majority, {plugin: ann, name: "a net, size=4", hidden_layer_sizes: [4], max_iter: 400}]
seeds: [0, 1]
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Its address, on this machine alone."""
    home = tmp_path_factory.mktemp("server")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1",
        "--backend-store-uri", f"sqlite:///{home / 'mlflow.db'}", "--artifacts-destination", str(home / "artifacts"),
    ]  # fmt: skip
    quiet = {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    process = subprocess.Popen(
        command, cwd=home, env={**os.environ, **quiet}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        start_new_session=True,  # it has children
    )  # fmt: skip
    try:
        assert process.stdout is not None
        lines = []
        for line in process.stdout:
            lines.append(line)
            if "Application startup complete" in line:
                break
        else:
            pytest.fail("the server did not start:\n" + "".join(lines))
        yield f"http://127.0.0.1:{port}"
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.communicate()


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in [name for name in os.environ if name.startswith("MLFLOW_")]:
        monkeypatch.delenv(name)
    for name in ("DISABLE_TELEMETRY", "HTTP_REQUEST_MAX_RETRIES", "SUPPRESS_PRINTING_URL_TO_STDOUT"):
        monkeypatch.setenv(f"MLFLOW_{name}", "1")
    path = tmp_path / "watched.yaml"
    path.write_text(CONFIG)
    return path


@pytest.mark.usefixtures("few_subjects_suffice")
def test_observer_receives_a_run(
    server: str, config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bench: Callable[..., Ran]
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server)
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "micro-expressions")
    ran = bench("run", config, "--out", tmp_path / "run", "--observe", "mlflow")
    assert (ran.code, "warning: observer" in ran.err) == (0, False), ran.err
    assert "mlflow: run " in ran.err
    assert "mlflow" not in ran.out
    scores = json.loads((tmp_path / "run" / "scores.json").read_text())
    manifest = json.loads((tmp_path / "run" / "manifest.json").read_text())

    client = tracking.MlflowClient(server)
    experiment = client.get_experiment_by_name("micro-expressions")
    runs = {run.info.run_name: run for run in client.search_runs([experiment.experiment_id])}
    assert set(runs) == {"watched", "majority", "a net, size=4"}
    parent = runs["watched"]
    assert parent.info.status == "FINISHED"
    assert parent.data.tags["mexbench.flags"] == "synthetic"
    assert parent.data.tags["mexbench.fingerprint"] == manifest["config_fingerprint"]
    assert parent.data.tags["mexbench.version.numpy"] == manifest["versions"]["numpy"]
    expected = {"dataset.plugin": "synthetic", "dataset.subjects": "3", "protocol.plugin": "loso", "seeds": "[0, 1]"}
    assert {key: parent.data.params[key] for key in expected} == expected
    assert (parent.data.params["models.0.name"], parent.data.params["models.1.max_iter"]) == ("majority", "400")

    for row in scores["rows"]:
        child = runs[row["model"]]
        assert child.info.status == "FINISHED"
        assert child.data.tags["mlflow.parentRunId"] == parent.info.run_id
        assert child.data.tags["mexbench.protocol"] == "loso"
        assert child.data.tags["mexbench.flags"] == " ".join(row["flags"]) == "synthetic"
        for name in ("uf1", "uar", "accuracy"):
            assert child.data.metrics[name] == row[name]
            assert [child.data.metrics[f"{name}_{end}"] for end in ("low", "high")] == row["ci"][name]
            if row["per_fold"][name] is not None:
                assert child.data.metrics[f"per_fold_{name}"] == row["per_fold"][name]
        history = client.get_metric_history(child.info.run_id, "fold_accuracy")
        assert [metric.step for metric in history] == list(range(6))
        assert sum(metric.value for metric in history) / 6 == pytest.approx(row["accuracy"])
    net = runs["a net, size=4"].data.params
    assert (net["plugin"], net["hidden_layer_sizes"], net["max_iter"]) == ("ann", "[4]", "400")

    files = {file.path for file in client.list_artifacts(parent.info.run_id)}
    assert files == {"leaderboard.md", "scores.json", "histories.csv"}  # no picture, and no prediction
    (tmp_path / "back").mkdir()
    for name in files:
        got = client.download_artifacts(parent.info.run_id, name, str(tmp_path / "back"))
        assert Path(got).read_bytes() == (tmp_path / "run" / name).read_bytes()


def test_incomplete_run_is_marked_failed(
    server: str, config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bench: Callable[..., Ran]
) -> None:
    from mexbench_plugins.models.majority import Majority

    def failing(*_: object, **__: object) -> None:
        raise ValueError("no way")

    monkeypatch.setattr(Majority, "fit", failing)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server)
    options = ("--in-process", "--observe", "mlflow", "--set", "seeds=[0]")
    assert bench("run", config, "--out", tmp_path / "run", *options).code == 1
    client = tracking.MlflowClient(server)
    experiment = client.get_experiment_by_name("mexbench")
    runs = {run.info.run_name: run for run in client.search_runs([experiment.experiment_id])}
    assert {name: run.info.status for name, run in runs.items()} == {
        "watched": "FAILED", "majority": "FAILED", "a net, size=4": "FINISHED",
    }  # fmt: skip
    assert runs["majority"].data.tags["mexbench.flags"] == "synthetic incomplete"
    assert runs["majority"].data.tags["mexbench.failed.2"] == "ValueError: no way"
    assert "uf1" not in runs["majority"].data.metrics


def test_unreachable_server_does_not_stop_the_run(
    config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bench: Callable[..., Ran]
) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # nobody listens
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{closed.getsockname()[1]}")
        ran = bench("run", config, "--out", tmp_path / "run", "--observe", "mlflow", "--set", "models=[majority]")
    (warning,) = [line for line in ran.err.splitlines() if line.startswith("warning: observer")]
    assert warning.startswith(
        "warning: observer 'mlflow' failed in bench_run_started and is told nothing more of this run"
    )
    assert ran.code == 0
    assert "majority" in ran.out
