"""Texts of every output: the honest score, the result for each video, the time of each stage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tabulate import tabulate

from mexbench.errors import counted, listed
from mexbench.metrics.action_units import THRESHOLD
from mexbench.runs.saved_model import SavedModel
from mexbench.studies.inference.answers import NO_UNIT, model_flags
from mexbench.studies.inference.request import PredictionRequest
from mexbench.studies.inference.tables import Summary
from mexbench.studies.inference.window_predictor import STAGES, WindowPredictor
from mexbench.tables import counted_subjects, escape, percent

RESEARCH = (
    "Research use, not a diagnosis: no figure here supports a statement about what a person feels, intends or suffers "
    "from, and none may decide anything about anybody."
)
CONSENT = (
    "Consent and privacy: analyse only people who have agreed to it. The tables derive from their faces and are "
    "personal data: keep them private, delete them when they are no longer needed, and do not publish a person's."
)
SYNTHETIC = (
    "Synthetic data: what answers here learned from data made by a program. Its answers say nothing about real faces."
)


def honest_score(about: Mapping[str, Any]) -> str:
    """Return the score on people whom the model had not seen, if its folder has one."""
    score = about.get("score")
    if not isinstance(score, dict) and "origin" in about:
        return (
            "Honest score: unknown for this model: its weights were imported; 'bench evaluate-saved' scores them on "
            "the people that their publisher held out."
        )
    if not isinstance(score, dict):
        return (
            "Honest score: unknown for this model: the run that saved it was not finished, so there is no estimate of "
            "how often it is right on people whom it has not seen."
        )
    flags = [str(flag) for flag in score.get("flags") or ()]
    leaks = [flag for flag in flags if flag.startswith("leak")]
    figures = (("uf1", "UF1"), ("uar", "UAR"), ("accuracy", "accuracy"))
    if about.get("target") == "action_units":
        figures = (("f1", "F1 of a unit's presence"), ("macro_f1", "macro F1"))
    scored = ", ".join(f"{label} {percent(score.get(key))}" for key, label in figures)
    text = (
        f"Honest score: {scored} (x 100), under {score.get('protocol')} on {score.get('dataset')}, "
        f"{counted(score.get('n_samples', 0), 'sample')} of {counted_subjects({'n_subjects': None, **score})}"
        f"{', flags: ' * bool(flags)}{', '.join(flags)}. "
    )
    if leaks:
        return f"{text}It is not honest: {', '.join(leaks)}."
    return f"{text}On other films, people and cameras expect less."


def flag_lines(flags: Sequence[str]) -> list[str]:
    """Return what flags of models say about everything that is derived from their scores; nothing without flags."""
    if not flags:
        return []
    return [*([SYNTHETIC] * ("synthetic" in flags)), f"Flags: {', '.join(flags)}."]


def short_score(about: Mapping[str, Any]) -> str:
    """Return the same in a few words, for a figure."""
    score = about.get("score")
    flags = f" ({', '.join(model_flags(about))})" if model_flags(about) else ""
    if not isinstance(score, dict):
        return f"no honest score known{flags}"
    key, label = ("f1", "F1") if about.get("target") == "action_units" else ("uf1", "UF1")
    return f"{label} {percent(score.get(key))} under {score.get('protocol')} on {score.get('dataset')}{flags}"


def training_side(about: Mapping[str, Any], what: str) -> str:
    """Say how many samples of which data sets trained a model.

    Args:
        about: ``model.json``. A model that was saved before it recorded them names every data set of its run.
        what: What its samples are called.
    """
    data, trained = about.get("dataset") or {}, about.get("trained_on") or {}
    return f"{trained.get('samples', '?')} {what} of {trained.get('title') or data.get('title', '?')}"


def describe(model: SavedModel) -> str:
    """Return one line about a model."""
    about = model.about
    return (
        f"{about.get('name')} ({about['plugin']}, {about['distribution']}), trained on "
        f"{training_side(about, 'samples')}; {'action units' if model.target == 'action_units' else 'classes'}: "
        f"{', '.join(model.classes)}"
    )


def method_text(predictor: WindowPredictor, request: PredictionRequest) -> str:
    """Return how windows become samples of this model."""
    answers = request.answers
    parts = [_sampling(predictor) if request.every_s is None else _snapshots(request)]
    if predictor.wanted.finds_faces:
        parts.append(
            "A face is searched for in every frame; a frame without one enters neither a mean nor a sample. As in "
            "training, the others are cropped to the face of the first of them, unless a step is set otherwise."
        )
    if not predictor.model.reads_annotation:
        parts.append("The action units that this model reads are those of its own detector.")
    if request.units is not None:
        parts.append(
            f"--units {request.units.name}: OpenFace's values, the greatest of each unit over the rows of a window "
            "with a sure face; the column 'units' has those that are present."
        )
    if answers.of_units:
        parts.append(
            f"A unit shows where its score is at least {THRESHOLD:g}. clips.csv has the greatest score of each unit "
            "over a clip's windows: a unit that shows for a moment shows in the clip."
        )
    else:
        parts.append("clips.csv has the mean over a clip's windows that have a prediction.")
    if answers.division is not None:
        whose = f"of {answers.division.emotion} " * (answers.division.emotion is not None)
        parts.append(
            f"The column 'cluster' names the combination {whose}in {answers.division.title} whose centre is nearest to "
            "the units that show"
            + ("" if answers.of_units else ", among those of the predicted class: it follows from the prediction")
            + "; blank where no unit shows. There is always a nearest one, however far."
        )
    parts.append("Scores are the model's: not all models give probabilities.")
    return " ".join(parts)


def _snapshots(request: PredictionRequest) -> str:
    return (
        f"Of each film a snapshot every {request.every_s:g} s was read, each a still picture to the model. moments.csv "
        "lists those whose scores are farthest from the film's usual ones (the median over its snapshots, each score "
        "divided by its median absolute deviation): unusual for this film, which need not be an expression."
    )


def _sampling(predictor: WindowPredictor) -> str:
    spec, count = predictor.spec, predictor.wanted.count
    text = (
        f"Films are sampled at {spec.fps:g} frames a second, by the time of each frame, and cut into windows of "
        f"{spec.length_s:g} s, one every {spec.hop_s:g} s. No window spans a scene cut: windows begin anew at each. "
    )
    if predictor.wanted.at:
        return text + _moments_text(predictor.wanted.at)
    if count is None:
        text += (
            "To this model a frame is a sample: windows.csv has the mean over a window's frames, and frames.csv each "
            "frame."
        )
    else:
        text += (
            f"To this model a clip of {counted(count, 'frame')} is a sample: they are spread evenly over a window, "
            "those between two interpolated, and frames.csv has the mean over the windows that hold a frame."
        )
    return text


def _moments_text(at: Sequence[str]) -> str:
    estimated = (
        " The apex is estimated: the frame that differs most from the first one, by the mean absolute difference of "
        "small gray pictures. It may as well be a blink or a nod." * ("apex" in at)
    )
    return (
        f"This model was trained on annotated moments ({', '.join(at)}). In a window the first frame takes the "
        f"place of the onset and the last one that of the offset.{estimated} frames.csv has the mean over the windows "
        "that hold a frame."
    )


def statement(summary: Summary) -> str:
    """Return the result for a clip in one line, with the windows without a face."""
    name, answers = summary.clip.clip_id, summary.answers
    if summary.windows and summary.faces["none"] == summary.windows and not summary.predicted:
        return f"{name}: no face was found in {_any_window(summary)}: nothing is predicted"
    if not summary.predicted:
        return f"{name}: nothing is predicted for {_any_window(summary)}: {_counted(summary.reasons)}"
    order = [*answers.names, NO_UNIT] if answers.of_units else answers.names
    ranked = sorted(order, key=lambda name: (-summary.winners[name], order.index(name)))
    won = ", ".join(f"{name} {summary.winners[name]}" for name in ranked if summary.winners[name])
    text = f"{name}: {summary.predicted} of {counted(summary.windows, 'window')} predicted: {won}"
    if cluster := summary.cluster:
        text += f"; cluster {cluster}"
    return f"{text}; no face in {summary.faces['none']}" if summary.faces["none"] else text


def _any_window(summary: Summary) -> str:
    return "its one window" if summary.windows == 1 else f"any of its {summary.windows} windows"


def details(summary: Summary) -> list[str]:
    """Return the reasons and notes of a clip with their counts, so that nothing is dropped silently."""
    lines, windows = [], counted(summary.windows, "window")
    if without := summary.frame_faces["none"]:
        lines.append(f"{without} of {counted(summary.frame_faces.total(), 'frame')}: no face found: in no mean")
    if summary.cuts_s:
        times = listed([f"{time_s:.1f} s" for time_s in summary.cuts_s], limit=10)
        lines.append(f"{counted(len(summary.cuts_s), 'scene cut')} (at {times}): no window spans one")
    lines += [f"{count} of {windows}: {text}" for text, count in sorted(summary.reasons.items())]
    lines += [f"{count} of {windows}: {text}" for text, count in sorted(summary.notes.items())]
    lines += [
        f"{text} ({summary.missing_s:.1f} s are missing)" if summary.missing_s and "promises" in text else text
        for text in summary.issues
    ]
    return lines


def latency(predictor: WindowPredictor, frames: int, length_s: float) -> str:
    """Return a table of the time that each stage took, in all and for a frame that was looked at.

    Args:
        predictor: Has the times.
        frames: Sampled frames.
        length_s: Of the films together, in seconds.
    """
    seconds = predictor.stopwatch.seconds
    total = sum(seconds.values())
    rows = [[stage, *_times(seconds[stage], total, frames)] for stage in STAGES]
    rows.append(["all", *_times(total, total, frames)])
    table = tabulate(
        rows, headers=["stage", "seconds", "share", "ms a frame"], tablefmt="github", disable_numparse=True,
        colalign=("left", "right", "right", "right"),
    )  # fmt: skip
    speed = f"{frames / total:.1f} frames a second" if total else "no time at all"
    against = f", {length_s / total:.1f} x real time" if total and length_s else ""
    return f"{table}\n\n{counted(frames, 'frame')} sampled, {speed}{against}, on one thread, without loading the model."


def readme(
    predictor: WindowPredictor, summaries: Sequence[Summary], unreadable: Mapping[str, str], request: PredictionRequest
) -> str:
    """Return the page beside the tables."""
    model = predictor.model
    lines = ["# Predictions", "", f"**{RESEARCH}**", "", escape(honest_score(model.about)), "", CONSENT, ""]
    lines[4:4] = [text for line in flag_lines(request.answers.flags) for text in (f"**{escape(line)}**", "")]
    lines += ["## Model", "", escape(describe(model)) + ".", ""]
    lines += [f"Changed since it was saved: {escape(change)}." for change in model.changes]
    lines += ["", method_text(predictor, request), "", "## Clips", ""]
    for summary in summaries:
        lines.append(f"- {escape(statement(summary))}.")
        lines += [f"  - {escape(text)}" for text in details(summary)]
    lines += [f"- {escape(name)}: not read to its end: {escape(text)}" for name, text in unreadable.items()]
    frames, length = sum(summary.frames for summary in summaries), sum(summary.length_s for summary in summaries)
    lines += ["", "## Time", "", latency(predictor, frames, length), ""]
    return "\n".join(lines)


def _times(seconds: float, total: float, frames: int) -> list[str]:
    share = f"{100 * seconds / total:.0f} %" if total else "-"
    return [f"{seconds:.3f}", share, f"{1000 * seconds / frames:.2f}" if frames else "-"]


def _counted(counts: Mapping[str, int]) -> str:
    return "; ".join(f"{text} ({count})" for text, count in sorted(counts.items())) or "no frame was sampled"
