"""Sections of the page of a case study: differences between conditions, groups of people, combinations of units."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mexbench.metrics.few_subjects import MIN_SUBJECTS, enough
from mexbench.studies.case_study.differences import MOST_CONDITIONS
from mexbench.tables import Table, escape, percent, probability

Study = Mapping[str, Any]


def difference_table(study: Study) -> Table:
    """How often each answer is given in two conditions, with the test of the difference."""
    rows = []
    for one in study["differences"]:
        first, second = one["conditions"]
        ci = "" if one["ci"] is None else f" [{100 * one['ci'][0]:+.1f}, {100 * one['ci'][1]:+.1f}]"
        gap = 100 * (one["means"][0] - one["means"][1])
        sizes = "{} and {}".format(*one["subjects"][:2]) + f", {one['subjects'][2]} in both" * bool(one["subjects"][2])
        rows.append(
            [one["answer"], f"{first} - {second}", *(percent(mean) for mean in one["means"]), f"{gap:+.1f}{ci}",
             probability(one["p"]), probability(one["p_holm"]), f"{one['effect']:+.2f}", sizes]
        )  # fmt: skip
    unit = study["unit"]
    return Table(
        ["answer", "conditions", "first", "second", "difference", "p", "p (Holm)", "Cliff's delta", f"{unit}s"], rows
    )


def answers_that_differ(study: Study) -> str:
    """Return the answers that conditions differ in after the correction, each with the conditions; empty for none."""
    clear = [one for one in study.get("differences") or [] if one["p_holm"] <= 1 - study["level"]]
    return ", ".join(f"{one['answer']} ({' and '.join(one['conditions'])})" for one in clear)


def differences(study: Study) -> list[str]:
    """Return the table of the conditions' differences, with how to read it; nothing for fewer than two conditions."""
    unit, compared = study["unit"], study.get("differences") or []
    named = [row["condition"] for row in study["conditions"] if row["condition"] is not None]
    if len(named) < 2:
        return []
    heading = "**Differences between conditions**"
    if len(named) > MOST_CONDITIONS:
        return [
            heading,
            f"Not tested: {len(named)} conditions are more than {MOST_CONDITIONS}; compare fewer at a time.",
        ]
    if not compared:
        return [heading, f"Nothing to test: every {unit} has the same shares."]
    least = max(one["least_p"] for one in compared)
    texts = [
        f"Mean over {unit}s of the share of their clips x 100; each {unit} counts once in a condition. In brackets: "
        f"{study['level']:.0%} interval by bootstrap over {unit}s. p: permutation test over {unit}s, two-sided; Holm: "
        f"corrected for the {len(compared)} tests of this table. Cliff's delta: how much more often a {unit} of the "
        "first condition has the greater share than one of the second; -1 to 1.",
        f"At {1 - study['level']:.0%}, after correction: {escape(answers_that_differ(study)) or 'no difference'}. "
        "That a model answers differently in two conditions may be due to light, cameras or tasks as well as to "
        "people, and says nothing about any one of them.",
    ]
    if any(not all(enough(size) for size in one["subjects"][:2]) for one in compared):
        texts.append(
            f"No interval where a condition has fewer than {MIN_SUBJECTS} {unit}s. The least p that so few can give is "
            f"{probability(least)}, before correction."
        )
    return [heading, difference_table(study).markdown(), *texts]


def groups(study: Study) -> list[str]:
    """Break the predictions down by what is said of the people."""
    parts: list[str] = []
    unit = f"{study['unit']}s"
    for key, rows in (study.get("groups") or {}).items():
        lines = [[row["group"] or "(not given)", *share_cells(row)] for row in rows]
        parts += [
            f"**By {escape(key.replace('_', ' '))}**",
            Table([key, "clips", unit, *study["classes"]], lines).markdown(),
        ]
    if not parts:
        return []
    sizes = [row["groups"] for rows in study["groups"].values() for row in rows]
    return [
        *parts,
        f"**Small groups say nothing.** The smallest group here has {min(sizes)} {unit}; shares of a few people "
        "describe these people alone. They are no evidence about an age, a sex or an ethnicity, nothing is tested "
        "here, and a model that was trained on one group may err more often on another.",
    ]


def cluster_counts(study: Study) -> Table:
    """Clips by combination and condition."""
    conditions = [row["condition"] for row in study["conditions"]] or [None]
    names = sorted({clip["cluster"] for clip in study["clips"] if clip["cluster"]})
    rows = []
    for name in [*names, None]:
        inside = [clip for clip in study["clips"] if clip["cluster"] == name]
        if not inside:
            continue
        counts = [str(sum(clip["condition"] == condition for clip in inside)) for condition in conditions]
        rows.append([name or "(no unit shows)", str(len(inside)), *(counts if conditions != [None] else [])])
    headers = [condition or "(none given)" for condition in conditions] if conditions != [None] else []
    return Table(["combination", "clips", *headers], rows)


ASSIGNED = (
    "Each clip is assigned to the nearest combination, as 'bench predict --clusters' wrote it. There is always a "
    "nearest one, however far: a name such as Disgust_ME1 is that of a combination of units, not of what somebody felt."
)


def share_cells(row: Mapping[str, Any]) -> list[str]:
    """Return clips, subjects and shares of a row."""
    return [str(row["clips"]), str(row["groups"]), *cells(row)]


def cells(row: Mapping[str, Sequence[Mapping[str, Any]]]) -> list[str]:
    """Return the shares of a row, with their intervals."""
    return [
        percent(share["share"]) + (f" [{percent(share['ci'][0])}, {percent(share['ci'][1])}]" if share["ci"] else "")
        for share in row["shares"]
    ]
