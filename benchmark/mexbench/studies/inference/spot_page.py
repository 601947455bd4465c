"""Texts about spotted films: the honest score of the spotter, what was spotted, recall and false alarms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mexbench.errors import counted
from mexbench.runs.saved_model import SavedModel
from mexbench.studies.inference import page
from mexbench.studies.inference.answers import model_flags
from mexbench.studies.inference.spot_truth import TrueExpression, TypeCounts, compare
from mexbench.studies.inference.window_predictor import WindowPredictor
from mexbench.tables import counted_subjects, escape, percent

if TYPE_CHECKING:
    from mexbench.studies.inference.spotted_film import SpottedFilm

Truth = Mapping[str, Sequence[TrueExpression]]


def describe(model: SavedModel) -> str:
    """Return one line about a spotter."""
    about = model.about
    return (
        f"{about.get('name')} ({about['plugin']}, {about['distribution']}), trained on "
        f"{page.training_side(about, 'long videos')}"
    )


def honest_score(about: Mapping[str, Any]) -> str:
    """Return the score on people whom the spotter had not seen, if its folder has one."""
    score = about.get("score")
    if not isinstance(score, dict):
        return (
            "Honest score: unknown for this spotter: the run that saved it was not finished, so there is no estimate "
            "of how often it is right on people whom it has not seen."
        )
    alarms = score.get("false_alarms_per_minute")
    flags = [str(flag) for flag in score.get("flags") or ()]
    return (
        f"Honest score: F1 {percent(score.get('f1'))} (micro {percent(score.get('f1_micro'))}, macro "
        f"{percent(score.get('f1_macro'))}; x 100), {'?' if alarms is None else format(alarms, '.1f')} false alarms a "
        f"minute, under {score.get('protocol')} on {score.get('dataset')}, "
        f"{counted(score.get('n_videos', 0), 'video')} of "
        f"{counted_subjects({'n_subjects': None, **score})}{', flags: ' * bool(flags)}{', '.join(flags)}. On other "
        "films, people and cameras expect less."
    )


def short_score(about: Mapping[str, Any]) -> str:
    """Return the same in a few words, for a figure."""
    score = about.get("score")
    name = about.get("name")
    flags = f" ({', '.join(model_flags(about))})" if model_flags(about) else ""
    if not isinstance(score, dict):
        return f"{name}: no honest score known{flags}"
    return f"{name}: F1 {percent(score.get('f1'))} under {score.get('protocol')} on {score.get('dataset')}{flags}"


def statement(film: SpottedFilm, truth: Truth | None) -> list[str]:
    """Return what was spotted in a film, a line for each interval, then how it compares with the truth."""
    name = film.clip.clip_id
    numbers = {kind: sum(one.interval.kind == kind for one in film.expressions) for kind in ("micro", "macro")}
    lines = [
        f"{name}: {counted(numbers['micro'], 'micro-expression')} and {counted(numbers['macro'], 'macro-expression')} "
        f"spotted in {60 * film.minutes:.1f} s ({counted(len(film.times), 'frame')} at {film.fps:.3g} a second)"
    ]
    for one in film.expressions:
        text = (
            f"  {one.onset_s:7.2f} to {one.offset_s:7.2f} s  {one.interval.kind}  confidence {one.interval.score:.2f}"
        )
        if one.emotion and one.scores is not None:
            text += f"  {one.emotion} {one.scores.max():.2f}" + f" ({one.cluster})" * bool(one.cluster)
        lines.append(text + (f"  ({one.reason})" if one.reason else ""))
    lines += [f"  {text}" for text in details(film)]
    if truth is not None:
        spotted = [one.interval for one in film.expressions]
        counts = compare(truth.get(name, ()), spotted, film.times)
        lines += [f"  {comparison(one, film.minutes)}" for one in counts]
    return lines


def details(film: SpottedFilm) -> list[str]:
    """Return what else a reader has to know of a film."""
    lines = [*film.notes, *film.issues]
    if film.scale < 1:
        lines.append(f"its pictures were made smaller, to {film.scale:.0%} of each side")
    if film.parts > 1:
        lines.append(f"too long to be in memory at once: spotted in {film.parts} parts, each by itself")
    return lines


def comparison(counts: TypeCounts, minutes: float) -> str:
    """Say recall and false alarms of a type."""
    rate = f"{counts.false_alarms / minutes:.1f} a minute" if minutes else "-"
    if not counts.n_true:
        recalled = f"{counts.kind}: the film has none"
    else:
        recall = counts.hits / counts.n_true
        recalled = f"{counts.kind}: {counts.hits} of {counts.n_true} spotted, recall {recall:.2f}"
    return f"{recalled}; {counted(counts.false_alarms, 'false alarm')}, {rate}"


def readme(
    spotter: SavedModel, recogniser: WindowPredictor | None, results: Sequence[SpottedFilm],
    unreadable: Mapping[str, str], truth: Truth | None, *, flags: Sequence[str] = (),
) -> str:  # fmt: skip
    """Return the page beside the tables; ``flags`` are those of both models."""
    lines = ["# Spotted expressions", "", f"**{page.RESEARCH}**", "", escape(honest_score(spotter.about)), ""]
    lines[4:4] = [text for line in page.flag_lines(flags) for text in (f"**{escape(line)}**", "")]
    if recogniser is not None:
        lines += [f"Recogniser: {escape(page.honest_score(recogniser.model.about))}", ""]
    lines += [page.CONSENT, "", "## Models", "", f"- Spotter: {escape(describe(spotter))}."]
    lines += [f"  - Changed since it was saved: {escape(change)}." for change in spotter.changes]
    if recogniser is not None:
        lines.append(f"- Recogniser: {escape(page.describe(recogniser.model))}.")
        lines += [f"  - Changed since it was saved: {escape(change)}." for change in recogniser.model.changes]
    lines += [
        "",
        "intervals.csv has a row for each interval, confidence.csv the spotter's curves; frames are counted from 1 in "
        "those that were looked at. Confidence is the spotter's own score, not a probability: an interval is claimed "
        "where it reaches the threshold that the training side chose. With a truth, an interval is found where one of "
        "its type has an intersection over union of at least .5 with it, whole frames, each counted once."
        + (" Scores of emotions are the recogniser's own, and not probabilities either." if recogniser else ""),
        "", "## Films", "",
    ]  # fmt: skip
    for film in results:
        first, *rest = statement(film, truth)
        lines += [f"- {escape(first)}", *(f"  - {escape(text.strip())}" for text in rest)]
    lines += [f"- {escape(name)}: could not be read: {escape(text)}" for name, text in unreadable.items()]
    return "\n".join([*lines, ""])
