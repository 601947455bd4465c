"""A finished run -> a board of its own, or submissions to one."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mexbench.config.local_code import LOCAL_CODE
from mexbench.config.tuning import SEEN_TEST_FLAG, SELECTION_TEXT, Selection
from mexbench.errors import BenchError, BoardError, listed, unknown
from mexbench.interfaces import Model
from mexbench.metrics.classification import SCORES
from mexbench.registry.catalogue import Catalogue
from mexbench.registry.parameters import build, default_values
from mexbench.reports.leaderboards import submission as files
from mexbench.reports.leaderboards.curves import read_curves
from mexbench.reports.leaderboards.definition import Definition, ExpectedSample, samples_digest, truth_digest
from mexbench.reports.leaderboards.plugin_code import (
    CODE_UNAVAILABLE,
    is_available,
    is_third_party,
    read_plugin_code,
)
from mexbench.reports.leaderboards.submission import (
    CodeOrigin,
    Costs,
    ModelCard,
    Submission,
    SubmittedPrediction,
    predictions_digest,
)
from mexbench.reports.leaderboards.verify import board_figures, differences, verify
from mexbench.runs.stored_run import StoredRun
from mexbench.tables import percent

#: Of the flags of a run, those that every row on a board of the same data and protocol has.
_SHARED = ("synthetic", "unknown-subjects", "leak:")
#: Lines of an error that are shown; with the first one and the count of the others, ten at most.
_MOST_ERRORS = 8
_INPUT = ("plugin", "name", "frames", "preprocess", "tune", "selection")


def define(run: StoredRun, name: str, *, headline: str, title: str, note: str = "") -> Definition:
    """Define the board that a run's rows would be submitted to.

    Raises:
        BoardError: The run is incomplete, or its rows were not all made on the same samples under one protocol.
    """
    _check_complete(run, list(run.rows))
    boards = []
    for row in run.rows:
        fingerprint = run.part(row)["dataset_fingerprint"]
        questions = _questions(run, row)
        flags = [flag for flag in run.rows[row]["flags"] if flag.startswith(_SHARED)]
        boards.append((fingerprint, run.row_config(row).protocol, sorted(questions, key=_order), flags))
    if any(board != boards[0] for board in boards):
        raise BoardError(f"{run.path}: its rows have different samples or protocols; define a board from a run of one")
    fingerprint, protocol, questions, flags = boards[0]
    return Definition(
        name=name,
        title=title,
        dataset=run.scores["dataset"],
        fingerprint=fingerprint,
        protocol=protocol,
        classes=run.classes,
        headline=headline,
        epochs=(run.manifest.get("epoch", 1),),
        flags=tuple(flags),
        samples=samples_digest(questions),
        note=note,
        questions=tuple(questions),
    )


def submissions(
    run: StoredRun, board: Definition, catalogue: Catalogue, rows: Sequence[str] = (), *,
    selection: Selection | None = None,
) -> list[Submission]:  # fmt: skip
    """Make a submission of each row, and see that it verifies.

    Args:
        run: A finished run.
        board: Where to.
        catalogue: Whose plugins count a network's values.
        rows: Which rows; by default those under the board's protocol, all where none is.
        selection: How values that differ from a plugin's own were chosen, for rows whose config does not declare it.

    Raises:
        BoardError: The run is incomplete, a row is unknown, or it does not answer the board; the text says why.
    """
    for row in rows:
        if row not in run.rows:
            raise BoardError(f"{run.path}: {unknown('row', row, run.rows)}")
    alike = [row for row in run.rows if run.row_config(row).protocol == board.protocol]
    chosen = [row for row in run.rows if row in (rows or alike or run.rows)]
    _check_complete(run, chosen)
    checked, errors = [], []
    for row in chosen:
        submission = _submission(run, board, row, catalogue, selection)
        if undeclared := _undeclared(submission, catalogue):
            errors.append(f"{row}: {undeclared}")
            continue
        problems = verify(board, submission, catalogue) or _unlike_the_report(run, row, submission)
        errors += [f"{row}: {error}" for error in problems]
        checked.append(submission)
    if errors:
        raise BoardError(
            f"{run.path}: does not answer the leaderboard {board.name!r}, so nothing is submitted:"
            + "".join(f"\n  {error}" for error in errors[:_MOST_ERRORS])
            + (f"\n  and {len(errors) - _MOST_ERRORS} more" if len(errors) > _MOST_ERRORS else "")
        )
    return checked


@dataclass(frozen=True)
class PlannedFile:
    """A submission and the file that it would be.

    Args:
        path: The file.
        submission: What would be in it.
        before: What is in it now; None where there is no file.
    """

    path: Path
    submission: Submission
    before: Submission | None

    @property
    def state(self) -> str:
        """``new``, ``same`` or ``replaced``."""
        return "new" if self.before is None else "same" if self.before == self.submission else "replaced"

    def change(self, headline: str) -> str:
        """Return on one line what a replacement changes."""
        before, now = (one for one in (self.before, self.submission) if one is not None)
        words = [f"{headline.upper()} {percent(before.figures[headline])} -> {percent(now.figures[headline])}"]
        words += [f"run of {before.origin.ended[:10]} -> {now.origin.ended[:10]}"]
        if before.flags != now.flags:
            words.append(f"flags {' '.join(before.flags) or 'none'} -> {' '.join(now.flags) or 'none'}")
        return f"{self.path}: {', '.join(words)}"


def plan(folder: Path, submissions: Sequence[Submission]) -> list[PlannedFile]:
    """Compare submissions with the files of a board's folder; nothing is written.

    Raises:
        BoardError: The folder has another model of the same name.
    """
    planned = []
    for submission in submissions:
        path = folder / files.file_name(submission.model.name)
        before = None
        if path.is_symlink():
            raise BoardError(f"{path}: is a symbolic link, which is not followed below a leaderboard; remove it")
        if path.exists():
            before = files.read(path)
            config, same = before.origin.config, submission.origin.config
            if (before.model.plugin, _made_of(config)) != (submission.model.plugin, _made_of(same)):
                raise BoardError(
                    f"{path}: holds another model of the name {submission.model.name!r}; give this one a name of its "
                    "own in the config ('name: ...'), or remove that file"
                )
        planned.append(PlannedFile(path, submission, before))
    return planned


def store(planned: Sequence[PlannedFile]) -> None:
    """Write the files."""
    for one in planned:
        files.write(one.path, one.submission)


def _submission(
    run: StoredRun, board: Definition, row: str, catalogue: Catalogue, selection: Selection | None
) -> Submission:
    reported, manifest, row_config = run.rows[row], run.manifest, run.row_config(row)
    config, flags = dict(row_config.config), list(reported["flags"])
    if selection is not None and "selection" not in row_config.model and not row_config.model.get("tune"):
        config["models"] = [{**config["models"][0], "selection": selection}]
        flags += [SEEN_TEST_FLAG] if selection == "seen-test" else []
    code = read_plugin_code(reported["distribution"])
    if is_third_party(reported["distribution"]) and not is_available(code):
        flags.append(CODE_UNAVAILABLE)
    answers = _answers(run, row)
    left_out = run.part(row).get("left_out", {})
    submission = Submission(
        schema=files.SCHEMA,
        board=board.name,
        model=ModelCard(
            name=row_config.model["name"],
            plugin=reported["plugin"],
            distribution=reported["distribution"],
            parameters=_parameters(row_config.model, catalogue, len(run.classes)),
            code=code,
        ),
        origin=CodeOrigin(
            dataset=run.scores["dataset"],
            fingerprint=run.part(row)["dataset_fingerprint"],
            classes=run.classes,
            protocol=dict(row_config.protocol),
            config=config,
            epoch=manifest.get("epoch", 1),
            commit=manifest.get("git_commit"),
            versions=dict(manifest["versions"]),
            device=manifest.get("device", "unknown"),
            machine=manifest.get("machine", {}).get("machine", "unknown"),
            left_out=sum(len(ids) for ids in left_out.values()),
            errata=len(manifest.get("errata", [])),
            started=manifest["started"],
            ended=manifest.get("ended") or manifest["started"],
        ),
        flags=tuple(flags),
        seeds=tuple(run.predictions[row].seeds),
        costs=Costs(
            fit_s=reported["fit_s"],
            predict_ms_per_sample=reported["predict_ms_per_sample"],
            processor_s=reported.get("processor_s"),
        ),
        curves=dict(read_curves(run.path, row)),
        figures={},
        predictions_digest=predictions_digest(answers),
        predictions=answers,
    )
    try:
        figures = board_figures(board, submission)
    except (KeyError, IndexError):  # the samples are not those of the board: verify says why
        figures = {}
    return Submission(**{**vars(submission), "figures": figures})


def _undeclared(submission: Submission, catalogue: Catalogue) -> str | None:
    """Return what a row lacks whose values differ from its plugin's own: how they were chosen."""
    block = submission.origin.config["models"][0]
    if block.get("selection") or block.get("tune"):
        return None
    try:
        cls = catalogue.get("model", block["plugin"]).load()
    except BenchError:
        return None  # a plugin that is not installed here
    own = default_values(cls)
    given = {name: block[name] for name in own if name in block}
    changed = [f"{name}: {json.dumps(value)}" for name, value in given.items() if value != own[name]]
    if not changed:
        return None
    return (
        f"{listed(changed, limit=5)} differ from the defaults of {block['plugin']}: say how they were chosen, by "
        f"'selection' in the model's block of the config or by --selection: {SELECTION_TEXT}"
    )


def _made_of(config: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return a row's model block without the declaration of how it was chosen, which may come later."""
    return [{key: value for key, value in block.items() if key != "selection"} for block in config["models"]]


def _answers(run: StoredRun, row: str) -> tuple[SubmittedPrediction, ...]:
    """Bring together the scores of all seeds for each fold and sample, in the order of both."""
    fingerprint, table = run.part(row)["dataset_fingerprint"], run.predictions[row]
    scores: dict[tuple[str, str, str, str], list[tuple[float, ...]]] = {}
    lines = zip(table.fold, table.sample, table.subject, table.truth.tolist(), table.scores.tolist(), strict=True)
    for fold, sample, subject, truth, values in lines:  # seeds are in the order of the config
        digest = truth_digest(fingerprint, sample, run.classes[truth])
        scores.setdefault((fold, sample, subject, digest), []).append(tuple(values))
    return tuple(SubmittedPrediction(*key, tuple(values)) for key, values in sorted(scores.items()))


def _unlike_the_report(run: StoredRun, row: str, submission: Submission) -> list[str]:
    """See that ``predictions.csv`` gives the scores of ``scores.json``: else one of the two was altered."""
    keys = (*SCORES, "confusion")
    reported = {key: run.rows[row][key] for key in keys}
    return [
        f"scores.json and predictions.csv disagree: {error}"
        for error in differences(reported, {key: submission.figures[key] for key in keys})
    ]


def _parameters(model: Mapping[str, Any], catalogue: Catalogue, n_classes: int) -> int | None:
    """Count a network's values; None for what has no layers, and for a plugin that is not installed here."""
    values = {key: value for key, value in model.items() if key not in _INPUT}
    try:
        built, _ = build(catalogue.get("model", model["plugin"]).load(), values)
        rows = built.layers(n_classes) if isinstance(built, Model) else ()
    except BenchError:
        return None
    return sum(row.n_params for row in rows) or None


def _check_complete(run: StoredRun, rows: Sequence[str]) -> None:
    parts = [run.rows[row] for row in rows]
    if not parts:
        raise BoardError(f"{run.path}: has no rows")
    if local := [row["model"] for row in parts if LOCAL_CODE in row["flags"]]:
        raise BoardError(
            f"{run.path}: {listed(local)}: made with local code ('mexbench.evaluate'), which nobody else can run, and "
            "flagged local-code: no leaderboard takes such a row; make it a plugin ('bench new model NAME'), run that "
            "with 'bench run', then submit"
        )
    if "case_study" in run.scores:
        raise BoardError(f"{run.path}: is a case study, which describes and tests nothing: no leaderboard takes it")
    open_rows = [row for row in parts if row["tasks"]["done"] < row["tasks"]["total"] or "incomplete" in row["flags"]]
    if open_rows:
        tasks = [f"{row['model']} ({row['tasks']['done']} of {row['tasks']['total']} tasks)" for row in open_rows]
        raise BoardError(
            f"{run.path}: is incomplete: {listed(tasks)}; finish it with the same 'bench run', then submit again"
        )


def _questions(run: StoredRun, row: str) -> list[ExpectedSample]:
    """Return what a row was asked, from its predictions with its first seed."""
    fingerprint, table = run.part(row)["dataset_fingerprint"], run.predictions[row]
    first = table.select(table.seed == table.seed[0])
    return [
        ExpectedSample(
            fold=fold,
            sample_id=sample,
            clip_id=clip,
            subject=subject,
            dataset=dataset,
            truth=truth_digest(fingerprint, sample, run.classes[truth]),
        )
        for fold, sample, clip, subject, dataset, truth in zip(
            first.fold, first.sample, first.clip, first.subject, first.dataset, first.truth.tolist(), strict=True
        )
    ]


def _order(question: ExpectedSample) -> tuple[str, str]:
    return question.fold, question.sample_id
