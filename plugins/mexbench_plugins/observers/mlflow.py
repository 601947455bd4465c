"""Runs in MLflow's tracking server."""

from __future__ import annotations

import importlib
import json
import os
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from mexbench import hookimpl
from mexbench.cli.output import say
from mexbench.errors import PluginError
from mexbench.interfaces.observer import Observer, RunDone, RunStarted, TaskDone
from mexbench_plugins.observers._extras import check_installed

#: How many parameters and metrics MLflow takes in one request, and how long a parameter may be.
_PARAMS, _METRICS, _LONGEST = 100, 1000, 6000
#: A request per task would make short tasks wait for the server.
_SECONDS_BETWEEN_REQUESTS = 5
#: No picture, and no prediction: what a reader of figures needs.
_ARTIFACTS = ("leaderboard.md", "action_units.md", "scores.json", "histories.csv")


class MLflow(Observer):
    """Log to MLflow: a run with config, flags and reports, and inside it one per row with parameters and scores.

    The server is ``MLFLOW_TRACKING_URI``, the experiment ``MLFLOW_EXPERIMENT_NAME`` (mexbench where that is not set).
    A row's ``fold_accuracy`` comes task by task; its step is the number of the task. Scores with 95 % intervals
    (``uf1``, ``uf1_low``, ``uf1_high``) and means over folds (``per_fold_uf1``) come at the end. MLflow's usage
    statistics are off unless ``MLFLOW_DISABLE_TELEMETRY`` says otherwise.
    """

    source = "MLflow, https://mlflow.org, Apache-2.0"

    def __init__(self) -> None:
        self._client: Any = None
        self._run = ""
        self._rows: Mapping[str, str] = {}
        self._waiting: dict[str, list[Any]] = {}
        self._sent = time.monotonic()

    def prepare(self) -> None:
        """See that MLflow is installed, and that there is an address: else it writes where the command is run.

        Raises:
            PluginError: One of the two is missing.
        """
        check_installed("mlflow", extra="mlflow")
        if not os.environ.get("MLFLOW_TRACKING_URI", "").strip():
            raise PluginError(
                "observer 'mlflow': MLFLOW_TRACKING_URI is not set, and without an address MLflow would write into the "
                "working folder; set it to that of a server, such as http://127.0.0.1:5000 ('mlflow server'), or to "
                "sqlite:////FOLDER/mlflow.db"
            )

    @hookimpl
    def bench_run_started(self, run: RunStarted) -> None:
        """Make the runs, with everything that is known before the first task."""
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
        os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
        # Else a server that is not there holds the run up for minutes.
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
        self._client = importlib.import_module("mlflow.tracking").MlflowClient()
        experiment = self._experiment(os.environ.get("MLFLOW_EXPERIMENT_NAME") or "mexbench")
        common = {"mexbench.config": run.name, "mexbench.fingerprint": run.fingerprint, "mexbench.dataset": run.dataset}
        common |= {f"mexbench.version.{name}": version for name, version in run.versions.items()}
        self._run = self._create(experiment, run.name, {**common, "mexbench.flags": " ".join(run.flags)}, run.config)
        self._rows = {
            row: self._create(
                experiment, row, {**common, "mlflow.parentRunId": self._run}, {**model, "seeds": run.config["seeds"]}
            )
            for row, model in run.rows.items()
        }
        say(f"mlflow: run {self._run} in experiment {experiment} at {self._client.tracking_uri}")

    @hookimpl
    def bench_task_done(self, task: TaskDone) -> None:
        """Log how a task went."""
        if task.error is not None:
            self._client.set_tag(self._rows[task.row], f"mexbench.failed.{task.number}", task.error[:_LONGEST])
        elif task.accuracy is not None:
            self._keep(task.row, "fold_accuracy", task.accuracy, step=task.number)
        if time.monotonic() - self._sent > _SECONDS_BETWEEN_REQUESTS:
            self._send()

    @hookimpl
    def bench_run_done(self, run: RunDone) -> None:
        """Log the scores and the reports."""
        status = "KILLED" if run.interrupted else "FINISHED" if run.complete else "FAILED"
        for row in run.scores["rows"]:
            name = self._rows[row["model"]]
            self._client.set_tag(name, "mexbench.flags", " ".join(row["flags"]))
            self._client.set_tag(name, "mexbench.protocol", row["protocol"])
            for key, value in _figures(row):
                self._keep(row["model"], key, value)
            self._send()
            self._client.set_terminated(name, "FINISHED" if "incomplete" not in row["flags"] else status)
        for report in _ARTIFACTS:
            if report in run.reports:
                self._client.log_artifact(self._run, str(run.folder / report))
        self._client.set_terminated(self._run, status)

    def _keep(self, row: str, key: str, value: float, *, step: int = 0) -> None:
        metric = importlib.import_module("mlflow.entities").Metric
        self._waiting.setdefault(self._rows[row], []).append(metric(key, value, time.time_ns() // 10**6, step))

    def _send(self) -> None:
        for name, metrics in self._waiting.items():
            for start in range(0, len(metrics), _METRICS):
                self._client.log_batch(name, metrics=metrics[start : start + _METRICS])
        self._waiting, self._sent = {}, time.monotonic()

    def _experiment(self, name: str) -> str:
        existing = self._client.get_experiment_by_name(name)
        return existing.experiment_id if existing else self._client.create_experiment(name)

    def _create(self, experiment: str, name: str, tags: Mapping[str, str], config: Mapping[str, Any]) -> str:
        run_id = self._client.create_run(experiment, run_name=name, tags=dict(tags)).info.run_id
        param = importlib.import_module("mlflow.entities").Param
        params = (param(_key(path), _text(value)) for path, value in _flat(config))
        while batch := list(islice(params, _PARAMS)):
            self._client.log_batch(run_id, params=batch)
        return run_id


def _figures(row: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    """Yield the scores of a row, x 1; none where nothing is done."""
    for name, interval in row["ci"].items():
        if row[name] is None:
            continue
        yield name, row[name]
        for end, value in zip(("low", "high"), interval or (), strict=False):
            yield f"{name}_{end}", value
    for name, value in (row.get("per_fold") or {}).items():
        if value is not None:
            yield f"per_fold_{name}", value
    yield "tasks_done", row["tasks"]["done"]
    yield "tasks_total", row["tasks"]["total"]


def _flat(value: object, path: str = "") -> Iterator[tuple[str, object]]:
    """Yield the leaves of a config by path: ``dataset.root``, ``preprocess.0.plugin``; a list of values is a leaf."""
    nested = isinstance(value, Sequence) and not isinstance(value, str) and any(isinstance(v, Mapping) for v in value)
    if isinstance(value, Mapping) and value:
        inside = value.items()
    elif nested:
        inside = enumerate(value)  # type: ignore[arg-type]
    else:
        yield path, value
        return
    for key, one in inside:
        yield from _flat(one, f"{path}.{key}" if path else str(key))


def _key(path: str) -> str:
    return re.sub(r"[^A-Za-z0-9_\-. /:]", "_", path)[:250]


def _text(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."
