"""What every submission takes from a finished run, whatever its board asks for."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from mexbench.config.local_code import LOCAL_CODE
from mexbench.config.tuning import SEEN_TEST_FLAG, SELECTION_TEXT, Selection
from mexbench.errors import BenchError, BoardError, counted, listed, unknown
from mexbench.registry.catalogue import Catalogue
from mexbench.registry.parameters import default_values
from mexbench.reports.leaderboards.plugin_code import (
    CODE_UNAVAILABLE,
    is_available,
    is_third_party,
    read_plugin_code,
)
from mexbench.reports.leaderboards.stated import NOT_PARAMETERS
from mexbench.reports.leaderboards.submission import BoardEntry, CodeOrigin, Costs, ModelCard
from mexbench.reports.leaderboards.submission_checks import differences
from mexbench.runs.stored_run import StoredRun

E = TypeVar("E", bound=BoardEntry)
#: Of the flags of a run, those that every row on a board of the same data and protocol has.
_SHARED = ("synthetic", "unknown-subjects", "leak:")
#: Lines of an error that are shown; with the first one and the count of the others, ten at most.
_MOST_ERRORS = 8


def shared_flags(run: StoredRun, row: str) -> tuple[str, ...]:
    """Return the flags of a row that come from data and protocol: every row of a board has them."""
    return tuple(flag for flag in run.rows[row]["flags"] if flag.startswith(_SHARED))


def chosen_rows(run: StoredRun, protocol: Mapping[str, Any], rows: Sequence[str]) -> list[str]:
    """Return the rows to submit, in the order of the run.

    Args:
        run: A run.
        protocol: The board's.
        rows: Those that were asked for; if none, those under the board's protocol, all where none is.

    Raises:
        BoardError: A row is unknown, or not finished.
    """
    for row in rows:
        if row not in run.rows:
            raise BoardError(f"{run.path}: {unknown('row', row, run.rows)}")
    alike = [row for row in run.rows if run.row_config(row).protocol == protocol]
    chosen = [row for row in run.rows if row in (rows or alike or run.rows)]
    check_complete(run, chosen)
    return chosen


def check_complete(run: StoredRun, rows: Sequence[str]) -> None:
    """Check that rows may be submitted at all.

    Raises:
        BoardError: One is not finished, or of code that nobody else can run; or the run is a case study.
    """
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
        tasks = [
            f"{row['model']} ({row['tasks']['done']} of {counted(row['tasks']['total'], 'task')})" for row in open_rows
        ]
        raise BoardError(
            f"{run.path}: is incomplete: {listed(tasks)}; finish it with the same 'bench run', then submit again"
        )


def statements(
    run: StoredRun, board: str, row: str, *, classes: tuple[str, ...], n_parameters: int | None,
    selection: Selection | None,
) -> dict[str, Any]:  # fmt: skip
    """Return the fields of a submission that a run states: ``board``, ``model``, ``origin``, ``flags`` and ``costs``.

    Args:
        run: A finished run.
        board: Where to.
        row: Of the run.
        classes: Class names in order; () where there are none.
        n_parameters: Of the network; None for a model without layers.
        selection: How values that differ from the plugin's own were chosen, for a row whose config does not declare it.
    """
    reported, manifest, row_config = run.rows[row], run.manifest, run.row_config(row)
    config, flags = dict(row_config.config), list(reported["flags"])
    if selection is not None and "selection" not in row_config.model and not row_config.model.get("tune"):
        config["models"] = [{**config["models"][0], "selection": selection}]
        flags += [SEEN_TEST_FLAG] if selection == "seen-test" else []
    code = read_plugin_code(reported["distribution"])
    if is_third_party(reported["distribution"]) and not is_available(code):
        flags.append(CODE_UNAVAILABLE)
    model = ModelCard(
        name=row_config.model["name"], plugin=reported["plugin"], distribution=reported["distribution"],
        parameters=n_parameters, code=code,
    )  # fmt: skip
    origin = CodeOrigin(
        dataset=run.scores["dataset"],
        fingerprint=run.part(row)["dataset_fingerprint"],
        classes=classes,
        protocol=dict(row_config.protocol),
        config=config,
        epoch=manifest.get("epoch", 1),
        commit=manifest.get("git_commit"),
        versions=dict(manifest["versions"]),
        device=manifest.get("device", "unknown"),
        machine=manifest.get("machine", {}).get("machine", "unknown"),
        left_out=sum(len(ids) for ids in run.part(row).get("left_out", {}).values()),
        errata=len(manifest.get("errata", [])),
        started=manifest["started"],
        ended=manifest.get("ended") or manifest["started"],
    )
    costs = Costs(
        fit_s=reported["fit_s"],
        predict_ms_per_sample=reported["predict_ms_per_sample"],
        processor_s=reported.get("processor_s"),
    )
    return {"board": board, "model": model, "origin": origin, "flags": tuple(flags), "costs": costs}


def checked(
    run: StoredRun, board: str, rows: Sequence[str], catalogue: Catalogue, *,
    make: Callable[[str], E], verify: Callable[[E], list[str]], scores: Sequence[str],
) -> list[E]:  # fmt: skip
    """Make a submission of each row, and see that it verifies.

    Args:
        run: A finished run.
        board: Where to.
        rows: Of the run.
        catalogue: Whose plugins say which values are their own.
        make: Makes the submission of a row.
        verify: Returns what is wrong with one.
        scores: Keys of a row in ``scores.json`` that its figures must equal.

    Raises:
        BoardError: A row does not answer the board; the text says why.
    """
    submissions, errors = [], []
    for row in rows:
        submission = make(row)
        if problem := _undeclared(submission, catalogue):
            errors.append(f"{row}: {problem}")
            continue
        problems = verify(submission) or _unlike_the_report(run, row, submission, scores)
        errors += [f"{row}: {error}" for error in problems]
        submissions.append(submission)
    if errors:
        rest = len(errors) - _MOST_ERRORS
        raise BoardError(
            f"{run.path}: does not answer the leaderboard {board!r}, so nothing is submitted:"
            + "".join(f"\n  {error}" for error in errors[:_MOST_ERRORS])
            + (f"\n  and {rest} more" if rest > 0 else "")
        )
    return submissions


def _undeclared(submission: BoardEntry, catalogue: Catalogue) -> str | None:
    """Return what a row lacks whose values differ from its plugin's own: how they were chosen."""
    block = submission.origin.config["models"][0]
    if block.get("selection") or block.get("tune"):
        return None
    try:
        cls = catalogue.get("model", block["plugin"]).load()
    except BenchError:
        return None  # a plugin that is not installed here
    own = default_values(cls)
    given = {name: block[name] for name in own if name in block and name not in NOT_PARAMETERS}
    changed = [f"{name}: {json.dumps(value)}" for name, value in given.items() if value != own[name]]
    if not changed:
        return None
    return (
        f"{listed(changed, limit=5)} differ from the defaults of {block['plugin']}: say how they were chosen, by "
        f"'selection' in the model's block of the config or by --selection: {SELECTION_TEXT}"
    )


def _unlike_the_report(run: StoredRun, row: str, submission: BoardEntry, scores: Sequence[str]) -> list[str]:
    """See that ``predictions.csv`` gives the scores of ``scores.json``: else one of the two was altered."""
    reported, recomputed = ({key: values[key] for key in scores} for values in (run.rows[row], submission.figures))
    return [f"scores.json and predictions.csv disagree: {error}" for error in differences(reported, recomputed)]
