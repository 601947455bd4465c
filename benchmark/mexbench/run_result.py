"""A run as an object: its scores, predictions and learning curves as data frames, its tables and its figures."""

from __future__ import annotations

import html
import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mexbench.errors import ConfigError, RunFolderError, unknown
from mexbench.files import expand_home
from mexbench.metrics import few_subjects
from mexbench.reports import run_page, target_tables
from mexbench.reports.latex import latex_table
from mexbench.reports.run_report import terminal_text
from mexbench.runs.stored_run import damage_is_an_error, read_reports

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

#: Columns of ``predictions.csv`` that are whole numbers, those of intervals where there is one; every other one is
#: text, but for the scores.
_WHOLE = ("seed",)
_FRAMES = frozenset({"onset", "apex", "offset", "true_onset", "true_offset"})
#: Target -> what a row has beside its main scores: further scores, then sizes.
_FURTHER = {
    "emotion": (("macro_precision", "weighted_precision", "weighted_recall", "weighted_f1"), "n_samples"),
    "action_units": ((), "n_samples"),
    "spotting": (
        ("precision", "recall", "average_precision", "false_alarms_per_minute", "apex_error_ms"),
        "n_videos",
    ),
}
#: Target -> why a row has no confusion matrix.
_NO_CONFUSION = {
    "emotion": "it has no predictions",
    "action_units": "action units have no confusion matrix",
    "spotting": "spotted intervals have no confusion matrix",
}


def _is_score(column: object) -> bool:
    return str(column) == "score" or str(column).startswith("score_")


@dataclass(frozen=True, repr=False, eq=False)
class Run:
    """A run that has written its reports, complete or not: what ``mexbench.run`` and ``load_run`` return.

    Args:
        folder: The run folder.
        manifest: ``manifest.json``: config, versions, when.
        report: ``scores.json``, all of it.
        messages: What the run reported while it went; () of a run that was loaded.
        failures: Tasks that failed, each with its error; () of a run that was loaded.
    """

    folder: Path
    manifest: Mapping[str, Any]
    report: Mapping[str, Any]
    messages: tuple[str, ...] = ()
    failures: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Name of the config."""
        return str(self.report["config"])

    @property
    def complete(self) -> bool:
        """Whether every task has a result; if not, the scores are not final."""
        return bool(self.report["complete"])

    @property
    def flags(self) -> tuple[str, ...]:
        """Words that must stand beside every score of the run, such as ``synthetic``."""
        return tuple(self.report["flags"])

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names, or names of action units, in the order of the scores of a prediction."""
        return tuple(self.report["classes"])

    @property
    def models(self) -> tuple[str, ...]:
        """Names of the rows, in the order of the config."""
        return tuple(row["model"] for row in self.report["rows"])

    @property
    def scores(self) -> pd.DataFrame:
        """One row per model, in the order of the table.

        Scores are from 0 to 1, pooled over folds, with the bounds of their interval (``uf1_low``, ``uf1_high``); NaN
        where a model has no result. Those of classes are uf1, uar and accuracy, of action units f1 and macro_f1, of
        spotters f1, f1_micro and f1_macro.
        """
        import pandas as pd

        with damage_is_an_error(self.folder):
            headline = target_tables.metrics_of(self.report)
            others, size = _FURTHER[target_tables.target_of(self.report)]
            rows = []
            for _, row in target_tables.ordered(self.report):
                bounds = row["ci"] or {}
                cells: dict[str, Any] = {"model": row["model"]}
                for name in headline:
                    low, high = bounds.get(name) or (None, None)
                    cells |= {name: row[name], f"{name}_low": low, f"{name}_high": high}
                cells |= {name: row[name] for name in (*others, size, "n_subjects", "folds")}
                cells |= {"seeds": len(row["seeds"]), "tasks_done": row["tasks"]["done"]}
                cells |= {"tasks_total": row["tasks"]["total"], "protocol": row["protocol"], "plugin": row["plugin"]}
                cells |= {"fit_s": row["fit_s"], "predict_ms_per_sample": row["predict_ms_per_sample"]}
                rows.append({**cells, "flags": " ".join(row["flags"])})
            frame = pd.DataFrame(rows)
            numbers = [name for name in frame if frame[name].dtype == object and name not in ("model", "flags")]
            texts = ("protocol", "plugin")
            return frame.astype({name: float for name in numbers if name not in texts})

    @property
    def predictions(self) -> pd.DataFrame:
        """One row per prediction: ``predictions.csv``, which ``to_csv(index=False)`` gives again byte for byte."""
        import pandas as pd

        path = self.folder / "predictions.csv"
        try:
            frame = pd.read_csv(path, dtype=str, keep_default_na=False)
            numbers = {name: int if name in _WHOLE else float for name in frame if name in _WHOLE or _is_score(name)}
            # Python's own float reads what repr wrote; the parsers of some versions of pandas are a digit off.
            columns: dict[str, Any] = {str(n): [read(text) for text in frame[n]] for n, read in numbers.items()}
            for name in _FRAMES & set(frame):  # an apex may be unknown, and an interval may match no true one
                columns[name] = pd.array([int(text) if text else None for text in frame[name]], dtype="Int64")
            return frame.assign(**columns)
        except ValueError as error:
            raise RunFolderError(f"{path}: is damaged: {error}") from None

    @property
    def histories(self) -> pd.DataFrame:
        """One row per model, seed, fold and epoch of models that have learning curves; no rows where none has."""
        import pandas as pd

        path = self.folder / "histories.csv"
        if not path.is_file():
            return pd.DataFrame(columns=["model", "seed", "fold", "epoch"])
        with damage_is_an_error(self.folder):
            frame = pd.read_csv(path, dtype=str, keep_default_na=False)
            texts = ("model", "fold")
            numbers = {name: int if name in ("seed", "epoch") else float for name in frame if name not in texts}
            values = {name: [read(text or "nan") for text in frame[name]] for name, read in numbers.items()}
            return frame.assign(**{str(name): column for name, column in values.items()})

    def table(self) -> str:
        """Return what ``bench run`` prints."""
        with damage_is_an_error(self.folder):
            return terminal_text(self.report)

    def to_latex(self, *, caption: str | None = None, label: str | None = None) -> str:
        r"""Return the main table in LaTeX, for ``\usepackage{booktabs}``: scores x 100, intervals, flags as notes.

        Args:
            caption: Makes it a ``table`` with this caption.
            label: Makes it a ``table`` with this label.
        """
        with damage_is_an_error(self.folder):
            return latex_table(self.report, caption=caption, label=label)

    @property
    def plot(self) -> RunPlots:
        """The figures of the run."""
        return RunPlots(self)

    def row(self, model: str) -> Mapping[str, Any]:
        """Return all that ``scores.json`` has of a model.

        Raises:
            ConfigError: The run has no such row.
        """
        rows = {row["model"]: row for row in self.report["rows"]}
        if model not in rows:
            raise ConfigError(f"{self.folder}: {unknown('row', model, rows)}")
        return rows[model]

    def __repr__(self) -> str:
        """Return name and table."""
        state = "" if self.complete else ", incomplete"
        return f"<mexbench.Run {self.name!r}{state}>\n{self.table()}"

    def _repr_html_(self) -> str:
        """Return the main table for a notebook, with what a reader must know above it."""
        with damage_is_an_error(self.folder):
            return self._html()

    def _html(self) -> str:
        table = target_tables.main_table(self.report)
        head = "".join(f"<th>{html.escape(header)}</th>" for header in table.headers)
        body = "".join(
            f"<tr>{''.join(f'<td>{html.escape(str(cell))}</td>' for cell in row)}</tr>" for row in table.rows
        )
        interval = self.report["intervals"]
        notes = [f"{self.report['dataset']}. Scores x 100, {interval['level']:.0%} intervals over {interval['unit']}s."]
        notes += few_subjects.note(self.report, target_tables.no_interval_text(self.report))
        notes += [line.removeprefix("> ").replace("**", "") for line in run_page.banners(self.report)]
        paragraphs = "".join(f"<p>{html.escape(note)}</p>" for note in notes)
        return f"<div>{paragraphs}<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"


@dataclass(frozen=True)
class RunPlots:
    """Figures of a run, each a ``matplotlib.figure.Figure`` that a notebook shows and ``savefig`` writes.

    Args:
        run: Which run.
    """

    run: Run

    def confusion(self, model: str) -> Figure:
        """Draw a model's confusion matrix, as shares of the true class and as counts.

        Raises:
            ConfigError: The run has no such row, or it has no confusion matrix.
            BenchError: matplotlib is not installed.
        """
        from mexbench.reports.plots import check_matplotlib, confusion_figure
        from mexbench.runs.plot_style import house_style

        check_matplotlib("Run.plot")
        row = self.run.row(model)
        if not row.get("confusion"):
            reason = _NO_CONFUSION[target_tables.target_of(self.run.report)]
            raise ConfigError(f"{model!r}: nothing to draw: {reason}")
        with damage_is_an_error(self.run.folder), house_style():
            return _shown(confusion_figure(row, self.run.report))

    def scores(self, metric: str | None = None) -> Figure:
        """Draw every row's score with its interval, and of classes and action units what a constant answer reaches.

        Args:
            metric: uf1 (default), uar or accuracy; f1 (default) or macro_f1 of action units; f1 (default), f1_micro or
                f1_macro of spotters.

        Raises:
            ConfigError: The metric is unknown.
            BenchError: matplotlib is not installed.
        """
        from mexbench.reports.forest_plot import forest_figure
        from mexbench.reports.plots import check_matplotlib
        from mexbench.runs.plot_style import house_style

        check_matplotlib("Run.plot")
        with damage_is_an_error(self.run.folder), house_style():
            return _shown(forest_figure(self.run.report, metric))


def _shown(figure: Figure) -> Figure:
    """Let a notebook show a figure, whether or not pyplot is in use there."""

    def png() -> bytes:
        stream = io.BytesIO()
        figure.savefig(stream, format="png", dpi=72)
        return stream.getvalue()

    figure.__dict__["_repr_png_"] = png
    return figure


def load_run(folder: str | Path) -> Run:
    """Read a run folder that ``bench run`` or ``mexbench.run`` wrote, complete or not.

    Raises:
        RunFolderError: It is not a run folder, its run has written no reports yet, or one of them is damaged.
    """
    path = expand_home(Path(folder))
    manifest, report = read_reports(path)
    run = Run(path, manifest, report)
    with damage_is_an_error(path):
        _ = run.table(), run.name, run.flags, run.complete
    return run
