"""A case study -> its part of a page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mexbench.errors import counted, listed
from mexbench.metrics.classification import HEADLINE, REPLICATES
from mexbench.metrics.few_subjects import MIN_SUBJECTS
from mexbench.studies.au_clusters.clustering import format_units
from mexbench.studies.case_study import caveats as caution
from mexbench.studies.case_study import sections
from mexbench.tables import DASH, Table, escape, subjects_text, with_interval

Study = Mapping[str, Any]


def joined(page: str, scores: Mapping[str, Any]) -> str:
    """Return the page of a run with its case studies: the cautions at the top, the results at the end."""
    studies = scores.get("case_study")
    if not studies:
        return page
    title, _, rest = page.partition("\n\n")
    return (
        "\n\n".join([title, *_cautions(studies), rest.rstrip("\n"), "## Case study", *_bodies(studies, "###")]) + "\n"
    )


def terminal_text(scores: Mapping[str, Any]) -> str:
    """Return the case studies of a run for a terminal; empty where the run has none."""
    parts = []
    for name, study in (scores.get("case_study") or {}).items():
        parts += [f"{name}: predictions for {counted(study['n_clips'], 'clip')}", share_table(study).text()]
    return "\n\n".join([*parts, plain(caution.NO_DIAGNOSIS)]) if parts else ""


def plain(text: str) -> str:
    """Return a paragraph of markdown as a terminal shows it."""
    return text.replace("**", "")


def markdown(studies: Mapping[str, Study], figures: Sequence[tuple[str, str]] = ()) -> str:
    """Write a page of case studies: model -> what ``study.study`` returns.

    Args:
        studies: The case studies.
        figures: File name and caption of each figure beside the page.
    """
    drawn = [f"![{escape(caption)}](<{name}>)\n\n*{escape(caption)}*" for name, caption in figures]
    parts = ["# Case study", *_cautions(studies), *_bodies(studies, "##"), *(["## Figures"] if drawn else []), *drawn]
    return "\n\n".join(parts) + "\n"


def _cautions(studies: Mapping[str, Study]) -> list[str]:
    flags = {name: study["flags"] for name, study in studies.items()}
    return caution.lines({name: study["honest"] for name, study in studies.items()}, flags)


def _bodies(studies: Mapping[str, Study], mark: str) -> list[str]:
    parts: list[str] = []
    before: Study = {}
    for name, study in studies.items():
        clusters = ["The sub-division is the one above."] if study["clusters"] and study["clusters"] == before else None
        parts += [f"{mark} {escape(name)}", *_of_model(study, clusters or _clusters(study))]
        before = study["clusters"]
    return parts


def share_table(study: Study) -> Table:
    """Shares of the predicted classes, of all clips and by condition."""
    rows = [["all clips", *sections.share_cells(study["all"])]]
    rows += [[row["condition"] or "(none given)", *sections.share_cells(row)] for row in study["conditions"]]
    unit = f"{study['unit']}s" if study["unit"] == "subject" else "without subject"
    return Table(["condition", "clips", unit, *study["classes"]], rows)


def subject_table(study: Study) -> Table:
    """Shares of the predicted classes by subject."""
    rows = [
        [row["subject"], ", ".join(row["conditions"]) or DASH, str(row["clips"]), *sections.cells(row)]
        for row in study["subjects"]
    ]
    return Table(["subject", "condition", "clips", *study["classes"]], rows)


def clip_table(study: Study) -> Table:
    """Every clip."""
    clustered = study["clusters"] is not None or any(clip["cluster"] for clip in study["clips"])
    headers = ["clip", "subject", "condition", "labelled", "predicted"]
    rows = []
    for clip in study["clips"]:
        known = [clip[key] or DASH for key in ("subject", "condition", "emotion")]
        units = [format_units(clip["aus"]) if clip["aus"] else DASH, clip["cluster"] or DASH] if clustered else []
        rows.append([clip["clip_id"], *known, clip["predicted"], *units])
    return Table([*headers, *(["units", "cluster"] if clustered else [])], rows)


def _of_model(study: Study, clusters: Sequence[str]) -> list[str]:
    of_units = study.get("of_units", False)
    applied = (
        f"Applied to **{escape(study['dataset'])}**, trained on {', '.join(map(escape, study['trained_on']))}. "
        if "dataset" in study
        else ""
    )
    unit = study["unit"]
    people = counted(study["n_subjects"], "subject") if study["n_subjects"] else "unknown subjects"
    parts = [
        f"{applied}{counted(study['n_clips'], 'clip')} of {people}. "
        + (
            "A clip shows a unit where its greatest score over windows reaches the threshold: several, or none."
            if of_units
            else "A clip's prediction is the class with the highest mean score, over its frames or windows and over "
            "seeds."
        ),
        *([f"Without a prediction, and not counted: {_names(study['unpredicted'])}."] if study["unpredicted"] else []),
        "**What is predicted, by condition**",
        share_table(study).markdown(),
        f"Share of clips x 100. In brackets: {study['level']:.0%} interval by bootstrap over {unit}s ({REPLICATES} "
        f"replicates), none where there are fewer than {MIN_SUBJECTS} {unit}s, and none where all {unit}s have "
        f"the same share, as at 0 and 100. It shows how far other {unit}s may differ, not how often the model is "
        "wrong.",
        *sections.differences(study),
        *sections.groups(study),
    ]
    if study["subjects"]:
        parts += [
            "**What is predicted, by subject**",
            subject_table(study).markdown(),
            f"In brackets: {study['level']:.0%} interval after Wilson over the clips of one person. It assumes that "
            "clips are independent, which those of one recording are not, so it is too narrow.",
        ]
    return [*parts, *_scored(study), *clusters, "**Clips**", clip_table(study).markdown()]


def _scored(study: Study) -> list[str]:
    n_other = study["n_other_emotion"]
    unlabelled = study["n_clips"] - study["n_scored"] - n_other
    unscored = [f"{counted(unlabelled, 'clip')} without a label"] if unlabelled else []
    unscored += [f"{counted(n_other, 'clip')} whose emotion is not a class of the model"] if n_other else []
    beside = f" Predicted and not scored: {', '.join(unscored)}." if unscored else ""
    if study.get("of_units"):
        return []
    if study["scores"] is None:
        return [f"No clip has a label that the model could be scored by.{beside}"]
    scores = study["scores"]
    cells = [with_interval(scores, key) for key in HEADLINE]
    sizes = [str(scores["n_samples"]), subjects_text(scores)]
    matrix = [[name, *map(str, row)] for name, row in zip(study["classes"], scores["confusion"], strict=True)]
    return [
        "**Against the labels, where there are any**",
        Table(["UF1", "UAR", "accuracy", "clips", f"{study['unit']}s"], [[*cells, *sizes]]).markdown(),
        f"Of the prediction of each clip.{beside}",
        Table(["truth \\ predicted", *study["classes"]], matrix).markdown(),
    ]


def _clusters(study: Study) -> list[str]:
    clusters = study["clusters"]
    if clusters is None and any(clip["cluster"] for clip in study["clips"]):
        return [
            "**Clips by combination of action units**",
            sections.cluster_counts(study).markdown(),
            sections.ASSIGNED,
        ]
    if clusters is None:
        return ["No sub-division by action units: it needs them coded for training clips and for clips here."]
    rows = [
        [name, ", ".join(f"{format_units(units)} x {count}" for units, count in combinations)]
        for group in clusters["groups"].values()
        for name, combinations in group["clusters"].items()
    ]
    return [
        "**Sub-division of the training clips by action units**",
        Table(["cluster", "combinations x clips"], rows).markdown(),
        f"K-means on the coded units of each class, by number alone; K from 2 to {clusters['cap']} by the mean "
        f"silhouette, seeds {', '.join(map(str, clusters['seeds']))}. Below, a clip's cluster is the one of its "
        "predicted class whose centre is nearest: it follows from the prediction and is not evidence for it.",
    ]


def _names(clips: Sequence[str]) -> str:
    return f"{counted(len(clips), 'clip')} ({escape(listed(clips, limit=10))})"
