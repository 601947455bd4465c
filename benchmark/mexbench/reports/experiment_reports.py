"""The reports of an experiment: which ones a config needs, and their files in the run folder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mexbench.config.run_config import RunConfig
from mexbench.errors import counted
from mexbench.evaluation.plan import Plan
from mexbench.files import write_json, write_text
from mexbench.reports.confusion_svg import run_matrices
from mexbench.reports.forest_svg import run_forest
from mexbench.reports.run_page import FOREST, MATRICES
from mexbench.reports.run_report import RunReport, collect
from mexbench.runs.learning_curves import histories_csv
from mexbench.runs.run_folder import RunFolder
from mexbench.runs.tuning_csv import tuning_csv
from mexbench.studies.case_study.from_run import check_honest


@dataclass(frozen=True)
class RunReports:
    """Makes the reports of a run folder; see ``mexbench.evaluation.experiment.Reports``.

    The drawings that the page of a run shows are always written.

    Args:
        figures: Whether learning curves and more are drawn as PNG and SVG, which needs matplotlib.
    """

    figures: bool = False

    def check(self, config: RunConfig) -> None:
        """Check that every honest score that a case study asks for can be read.

        Raises:
            RunFolderError: One cannot.
        """
        check_honest(config)

    def collect(self, plan: Plan, folder: RunFolder) -> RunReport:
        """Read every valid result of a plan."""
        return collect(plan, folder)

    def write(
        self, report: RunReport, scores: Mapping[str, Any], manifest: Mapping[str, Any], folder: Path
    ) -> list[str]:
        """Write scores, predictions, page and learning curves, and return what was written."""
        write_text(folder / "predictions.csv", report.predictions())
        write_json(folder / "scores.json", scores)
        write_text(folder / report.page_name, report.page(scores, manifest))
        _draw(scores, folder)
        written = [report.page_name, "scores.json", "predictions.csv", "manifest.json"]
        if curves := histories_csv(report.done):
            write_text(folder / "histories.csv", curves)
            written.append("histories.csv")
        if chosen := tuning_csv(report.done):
            write_text(folder / "tuning.csv", chosen)
            written.append("tuning.csv")
        if self.figures:
            from mexbench.reports.plots import draw

            files = draw(scores, report.done, folder / "figures")
            if files:
                written.append(f"{counted(len(files), 'file')} in figures")
            elif "case_study" in scores:
                written.append("no figure (bench analyse case-study RUN --figures draws those of a case study)")
        return written


def _draw(scores: Mapping[str, Any], folder: Path) -> None:
    """Write the drawings of a run of classes, which its page shows: in some milliseconds, by no library."""
    if scores.get("target", "emotion") != "emotion":
        return
    for name, text in ((FOREST, run_forest(scores)), (MATRICES, run_matrices(scores))):
        path = folder / name
        if text is not None:
            path.parent.mkdir(exist_ok=True)
            write_text(path, text)
