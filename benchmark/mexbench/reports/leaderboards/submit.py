"""A finished run -> a board of its own, or submissions to one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mexbench.config.tuning import Selection
from mexbench.errors import BenchError, BoardError
from mexbench.interfaces import Model
from mexbench.metrics.classification import SCORES
from mexbench.registry.catalogue import Catalogue
from mexbench.registry.parameters import build
from mexbench.reports.leaderboards import submission as files
from mexbench.reports.leaderboards.curves import read_curves
from mexbench.reports.leaderboards.definition import Definition, ExpectedSample, samples_digest, truth_digest
from mexbench.reports.leaderboards.from_run import check_complete, checked, chosen_rows, shared_flags, statements
from mexbench.reports.leaderboards.submission import Submission, SubmittedPrediction, predictions_digest
from mexbench.reports.leaderboards.tuned import read_tuning
from mexbench.reports.leaderboards.verify import board_figures, verify
from mexbench.runs.stored_run import StoredRun

_INPUT = ("plugin", "name", "frames", "preprocess", "tune", "selection")


def define(run: StoredRun, name: str, *, headline: str, title: str, note: str = "") -> Definition:
    """Define the board that a run's rows would be submitted to.

    Raises:
        BoardError: The run is incomplete, or its rows were not all made on the same samples under one protocol.
    """
    check_complete(run, list(run.rows))
    boards = []
    for row in run.rows:
        fingerprint = run.part(row)["dataset_fingerprint"]
        questions = _questions(run, row)
        boards.append(
            (fingerprint, run.row_config(row).protocol, sorted(questions, key=_order), shared_flags(run, row))
        )
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
        flags=flags,
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
    return checked(
        run, board.name, chosen_rows(run, board.protocol, rows), catalogue,
        make=lambda row: _submission(run, board, row, catalogue, selection),
        verify=lambda submission: verify(board, submission, catalogue),
        scores=(*SCORES, "confusion"),
    )  # fmt: skip


def _submission(
    run: StoredRun, board: Definition, row: str, catalogue: Catalogue, selection: Selection | None
) -> Submission:
    answers = _answers(run, row)
    n_parameters = _parameters(run.row_config(row).model, catalogue, len(run.classes))
    submission = Submission(
        schema=files.SCHEMA,
        **statements(run, board.name, row, classes=run.classes, n_parameters=n_parameters, selection=selection),
        seeds=tuple(run.predictions[row].seeds),
        curves=dict(read_curves(run.path, row)),
        tuning=read_tuning(run.path, row, run.fold_names.get(row, {})),
        figures={},
        predictions_digest=predictions_digest(answers),
        predictions=answers,
    )
    try:
        figures = board_figures(board, submission)
    except (KeyError, IndexError):  # the samples are not those of the board: verify says why
        figures = {}
    return Submission(**{**vars(submission), "figures": figures})


def _answers(run: StoredRun, row: str) -> tuple[SubmittedPrediction, ...]:
    """Bring together the scores of all seeds for each fold and sample, in the order of both."""
    fingerprint, table = run.part(row)["dataset_fingerprint"], run.predictions[row]
    scores: dict[tuple[str, str, str, str], list[tuple[float, ...]]] = {}
    lines = zip(table.fold, table.sample, table.subject, table.truth.tolist(), table.scores.tolist(), strict=True)
    for fold, sample, subject, truth, values in lines:  # seeds are in the order of the config
        digest = truth_digest(fingerprint, sample, run.classes[truth])
        scores.setdefault((fold, sample, subject, digest), []).append(tuple(values))
    return tuple(SubmittedPrediction(*key, tuple(values)) for key, values in sorted(scores.items()))


def _parameters(model: Mapping[str, Any], catalogue: Catalogue, n_classes: int) -> int | None:
    """Count a network's values; None for what has no layers, and for a plugin that is not installed here."""
    values = {key: value for key, value in model.items() if key not in _INPUT}
    try:
        built, _ = build(catalogue.get("model", model["plugin"]).load(), values)
        rows = built.layers(n_classes) if isinstance(built, Model) else ()
    except BenchError:
        return None
    return sum(row.n_params for row in rows) or None


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
