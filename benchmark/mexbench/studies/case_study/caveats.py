"""The cautions of every page of a case study: not a diagnosis, the honest score, consent and privacy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mexbench.errors import RunFolderError, counted, listed
from mexbench.runs.stored_run import damage_is_an_error, read_reports, read_run
from mexbench.tables import competes, counted_subjects, escape, with_interval

NO_DIAGNOSIS = (
    "**Research use, not a diagnosis.** A predicted emotion is the class that a model scores highest. It is not what "
    "somebody felt, and nothing on this page supports a statement about the health or the character of a person."
)
#: Figures of a row -> what they are called: of classes, and of action units.
_FIGURES = {"uf1": "UF1", "uar": "UAR", "accuracy": "accuracy"}
_UNIT_FIGURES = {"f1": "F1 of a unit's presence", "macro_f1": "macro F1"}
PRIVACY = (
    "**Consent and privacy.** A face is personal data, and what is concluded from it may be data about health. Use "
    "recordings whose people agreed to this use, or whose licence covers it, and keep this page as private as they are."
)


def honest_score(folder: Path, model: str, classes: Sequence[str] = ()) -> dict[str, Any]:
    """Return the score of a model in a run that tested it honestly, as JSON values.

    Args:
        folder: The run folder.
        model: The row; where the run has several protocols, its first row of that model.
        classes: Those of the model whose predictions are described; the page states where they differ.

    Raises:
        RunFolderError: It is not a finished run, has no such row, or that row is not an honest score.
    """
    manifest, scores = read_reports(folder)
    del manifest
    of_units = scores.get("target") == "action_units"
    if not of_units:
        scores = read_run(folder).scores
    with damage_is_an_error(folder):
        rows = {row["model"]: row for row in scores["rows"]}
        named = [row for name, row in rows.items() if name == model or name.startswith(f"{model} under ")]
        if not named:
            raise RunFolderError(
                f"{folder}: has no row {model!r} whose score could be quoted; its rows: {listed(rows)}"
            )
        row = next((row for row in named if (_is_honest(row) if of_units else competes(row))), None)
        if row is None or "case_study" in scores:
            why = "is a case study" if "case_study" in scores else f"is flagged {' '.join(named[0]['flags'])}"
            raise RunFolderError(
                f"{folder}: its row {named[0]['model']!r} {why}: that is not an honest score; run the model under loso"
            )
        keys = ("model", "protocol", *(_UNIT_FIGURES if of_units else _FIGURES))
        keys += ("ci", "n_samples", "n_subjects", "flags", "folds", "seeds", "repeats")
        return {
            **{key: row[key] for key in keys},
            "dataset": scores["dataset"],
            "run": folder.resolve().name,
            "other_classes": [] if set(classes) in (set(), set(scores["classes"])) else list(scores["classes"]),
        }


def _is_honest(row: Mapping[str, Any]) -> bool:
    """Whether a row of action units is complete and no test sample took part in its training."""
    return row["f1"] is not None and not any(flag.startswith(("leak:", "incomplete")) for flag in row["flags"])


def lines(honest: Mapping[str, Mapping[str, Any] | None], flags: Mapping[str, Sequence[str]]) -> list[str]:
    """Return the statements as paragraphs of markdown.

    Args:
        honest: Model -> its honest score, None where it was not given.
        flags: Model -> the flags of its predictions.
    """
    made_up = [name for name, given in flags.items() if "synthetic" in given]
    flag_texts = []
    if made_up:
        flag_texts.append(
            "**Synthetic data:** made by a program, in the training of the model or in the clips: "
            f"{escape(listed(made_up))}. Nothing here says anything about real faces."
        )
    flag_texts += [f"**Flags** of {escape(name)}: {escape(' '.join(given))}." for name, given in flags.items() if given]
    unknown = [name for name, score in honest.items() if score is None]
    score_texts = [_honest_score_text(name, score) for name, score in honest.items() if score is not None]
    paragraphs = [NO_DIAGNOSIS, *score_texts, *([_unknown_score(unknown)] if unknown else []), PRIVACY]
    return [f"> {line}" for line in [*flag_texts, *paragraphs]]


def _unknown_score(names: Sequence[str]) -> str:
    return (
        f"**Honest score: unknown.** No honest score of {escape(listed(names))} was given (of a run "
        "under leave-one-subject-out: 'reference_run' of the protocol, or --honest), so nothing here shows how "
        "often it is right, not even on people like those that it was trained on."
    )


def _honest_score_text(name: str, score: Mapping[str, Any]) -> str:
    figures = ", ".join(
        f"{label} {with_interval(score, key)}" for key, label in (_UNIT_FIGURES if "f1" in score else _FIGURES).items()
    )
    flags = f" (flags: {escape(' '.join(score['flags']))})" if score["flags"] else ""
    classes_note = (
        f" **It is not exactly the same model:** its classes were {escape(listed(score['other_classes']))} there."
        if score["other_classes"]
        else ""
    )
    whose = f"{counted(score['n_samples'], 'sample')} of {counted_subjects(score)} of {escape(score['dataset'])}{flags}"
    return (
        f"**Honest score.** {escape(name)} reached {figures} (x 100) under {escape(score['protocol'])} on "
        f"{whose}; on other people, cameras and occasions expect less.{classes_note}"
    )
