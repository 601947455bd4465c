"""An experiment by itself: without a command line, with reports of any kind."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from mexbench.errors import RunFolderError, SavedModelError
from mexbench.evaluation.executors.choice import WorkerSettings
from mexbench.evaluation.experiment import ExperimentSettings, run_experiment
from mexbench.evaluation.monitor import Monitor
from mexbench.evaluation.plan import Plan
from mexbench.registry.catalogue import Catalogue
from mexbench.runs.run_folder import RunFolder, StoredResult
from tests.helpers import config_of

CONFIG = "dataset: toy\nprotocol: loso\nmodels: [majority, svm]\nseeds: [0]\n"


@dataclass(frozen=True)
class CountReport:
    """Counts results, and scores nothing."""

    plan: Plan
    done: tuple[StoredResult, ...]

    @property
    def complete(self) -> bool:
        return len(self.done) == len(self.plan.tasks)

    def scores(self) -> dict[str, Any]:
        return {"rows": [], "n": len(self.done)}


class CountReports:
    def __init__(self, error: Exception | None = None) -> None:
        self.error = error

    def check(self, config: object) -> None:
        del config

    def collect(self, plan: Plan, folder: RunFolder) -> CountReport:
        results = (folder.read_result(task) for task in plan.tasks)
        return CountReport(plan, tuple(result for result in results if result is not None))

    def write(
        self, report: CountReport, scores: Mapping[str, Any], manifest: Mapping[str, Any], folder: Path
    ) -> list[str]:
        del report, manifest
        if self.error is not None:
            raise self.error
        (folder / "count.txt").write_text(str(scores["n"]))
        return ["count.txt"]


class Log(Monitor):
    def __init__(self) -> None:
        self.events: list[str] = []

    def data_read(self, config: object, data: Any) -> None:  # noqa: ANN401
        self.events.append(f"read {sum(len(samples.samples) for samples in data)}")

    def planned(self, plan: Plan, waiting: int, folder: RunFolder) -> None:
        self.events.append(f"plan {waiting} of {len(plan.tasks)} in {folder.path.name}")


def carry_out(catalogue: Catalogue, folder: Path, reports: Any = None, **settings: Any) -> tuple[Any, list[str]]:  # noqa: ANN401
    log = Log()
    chosen = ExperimentSettings(out=folder, workers=WorkerSettings(in_process=True), **settings)
    result = run_experiment(
        config_of(CONFIG, catalogue), catalogue, chosen, reports=reports or CountReports(), monitor=log
    )
    return result, log.events


def test_it_reports_what_it_does_and_prints_nothing(
    toys: Catalogue, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    result, events = carry_out(toys, tmp_path / "run", command="by hand")
    assert events == ["read 12", "plan 6 of 6 in run"]
    assert (result.succeeded, result.missing, result.written) == (True, 0, ("count.txt",))
    assert (tmp_path / "run" / "count.txt").read_text() == "6"
    assert RunFolder(tmp_path / "run").read_manifest()["command"] == "by hand"
    assert capfd.readouterr() == ("", "")
    result, events = carry_out(toys, tmp_path / "run")
    assert events == ["read 12", "plan 0 of 6 in run"]


def test_a_dry_run_writes_nothing(toys: Catalogue, tmp_path: Path) -> None:
    result, events = carry_out(toys, tmp_path / "run", dry_run=True)
    assert (result, events) == (None, ["read 12", "plan 6 of 6 in run"])
    assert not (tmp_path / "run").exists()


def test_nothing_is_trained_where_results_are_only_collected(toys: Catalogue, tmp_path: Path) -> None:
    result, _ = carry_out(toys, tmp_path / "run", recompute="never")
    assert (result.succeeded, result.missing) == (False, 6)
    with pytest.raises(SavedModelError, match="nothing is trained, so nothing can be saved"):
        carry_out(toys, tmp_path / "run", recompute="never", save_models="all")


def test_a_full_disk_says_what_is_kept(toys: Catalogue, tmp_path: Path) -> None:
    full = CountReports(OSError(28, "No space left on device", "count.txt"))
    with pytest.raises(RunFolderError) as error:
        carry_out(toys, tmp_path / "run", full)
    assert "count.txt: No space left on device\n  6 of 6 tasks are done and kept in" in str(error.value)


def test_no_broken_pipe_passes_for_a_reader_that_has_gone(toys: Catalogue, tmp_path: Path) -> None:
    with pytest.raises(RunFolderError, match="Broken pipe\n  6 of 6 tasks are done and kept in"):
        carry_out(toys, tmp_path / "run", CountReports(BrokenPipeError(32, "Broken pipe")))
