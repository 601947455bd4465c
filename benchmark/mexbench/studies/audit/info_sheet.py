"""The model info sheet, filled in from a run: what can be derived is derived, the rest is a marked blank.

Source: Kapoor and Narayanan, Patterns 4(9), 2023, propose a sheet in which an author argues for each type of leakage
that it is absent. The questions are theirs in sense and ours in words.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mexbench.errors import counted
from mexbench.metrics import few_subjects
from mexbench.studies.audit.taxonomy import SOURCE, TAXONOMY
from mexbench.tables import with_interval

BLANK = "**[for the author to fill in]**"


def markdown(report: Mapping[str, Any], facts: Sequence[Mapping[str, Any]], scores: Mapping[str, Any]) -> str:
    """Write the sheet.

    Args:
        report: Of the audit.
        facts: From ``cases.facts``, for each part of the run.
        scores: ``scores.json`` of the honest run.
    """
    parts = [
        f"# Model info sheet: {report['config']}",
        f"After {SOURCE}. Everything but the marked blanks is derived from the run by the command below; a blank is "
        "what no program can know.",
        *_section("The claim", _claim(facts[0], scores)),
        *_section("L1: training and test data are separate throughout", *map(_separation, facts)),
        *_section("L2: every feature is legitimate", *map(_features, facts)),
        *_section("L3: the test set is drawn from the distribution of interest", _distribution(facts[0])),
        *_section("Results", _results(report, scores)),
        f"Command: `{report['command']}`. Config fingerprint: `{report['config_fingerprint']}`. "
        f"Commit: {report['commit']}.",
    ]
    return "\n\n".join(parts) + "\n"


def _section(title: str, *parts: Iterator[tuple[str, str]]) -> list[str]:
    """Write questions and answers; answers of several parts of a run are listed below one another, equal ones once."""
    answers: dict[str, list[str]] = {}
    for part in parts:
        for question, answer in part:
            texts = answers.setdefault(question, [])
            texts += [answer] if answer not in texts else []
    return [f"## {title}", *(f"**{question}**  \n" + "  \n".join(texts) for question, texts in answers.items())]


def _claim(facts: Mapping[str, Any], scores: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    yield "What is claimed, and of which people and situations is it to hold?", BLANK
    support = ", ".join(f"{name} {count}" for name, count in scores["support"].items())
    yield (
        "Which data is the claim based on?",
        f"{facts['dataset']}: {counted(facts['samples'], 'sample')} of {counted(facts['clips'], 'clip')} and "
        f"{counted(facts['subjects'], 'subject')}; "
        f"{support}. Members: {', '.join(scores['members'])}. Source: {'; '.join(facts['sources']) or BLANK}. "
        f"Licence or conditions: {'; '.join(facts['licences']) or BLANK}.",
    )


def _separation(facts: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    sizes = facts["sizes"]
    yield "Which models?", "\n" + "\n".join(f"- {name}: `{settings}`" for name, settings in facts["rows"].items())
    yield (
        f"How is the data divided? (L1.1 {TAXONOMY['L1.1']})",
        f"`{facts['protocol']}`: {counted(len(sizes), 'fold')}, training sides of {min(a for a, _ in sizes)} to "
        f"{max(a for a, _ in sizes)} samples, test sides of {min(b for _, b in sizes)} to {max(b for _, b in sizes)}. "
        "A model is fitted on the training side alone and asked about each test sample once; the engine hands it no "
        "test sample before, and no test label ever.",
    )
    yield (
        "Was any choice (architecture, settings, features, when to stop) made by scores on these test sides?",
        "In the run: none. Settings are those of the config, and a network ends at its last epoch or by early stopping "
        f"on subjects of the training side. Before the run, in earlier attempts on the same data: {BLANK}",
    )
    steps = (
        f"Steps: {', '.join(facts['steps'])}. None learns: each" if facts["steps"] else "No steps. Any step of a config"
    )
    yield (
        f"Which pre-processing learns from data, and from which part? (L1.2 {TAXONOMY['L1.2']})",
        f"{steps} sees one clip, no label and no other clip. Whatever is learned (scalers, validation parts, class "
        f"weights) is learned inside `fit`. {_augmentation(facts)}",
    )
    yield (
        f"Which features were selected, and from which part? (L1.3 {TAXONOMY['L1.3']})",
        "In the run: none is selected outside `fit`. Whether the steps themselves were chosen by scores on this data: "
        f"{BLANK}",
    )
    flags = ", ".join(flag for flag in facts["flags"] if flag.startswith("leak:"))
    yield (
        f"Are there duplicates across the two sides? (L1.4 {TAXONOMY['L1.4']})",
        "Every fold was searched for equal subjects, clips, pixels and perceptual hashes on both sides: "
        + (f"found, and flagged {flags}." if flags else "none found."),
    )


def _augmentation(facts: Mapping[str, Any]) -> str:
    if not facts["copies"]:
        return "Nothing is oversampled or augmented."
    return f"Augmentation adds {facts['copies']} altered copies of each training sample to its own training side alone."


def _features(facts: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    shape = ", ".join(map(str, facts["shape"]))
    rows = ", ".join(facts["rows"])
    yield (
        "What does the model see?",
        f"{rows}: for each sample an array ({shape}) of {facts['dtype']}: {facts['input']}.",
    )
    yield (
        "Does it rest on an annotation that would not be there for new data?",
        f"Yes: the frames are chosen by the annotated {' and '.join(facts['annotated'])}."
        if facts["annotated"]
        else "No annotation chooses the frames.",
    )
    yield "Why is each of these features legitimate, and not a proxy of the label?", BLANK


def _distribution(facts: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    yield (
        f"Does anything from the future predict the past? (L3.1 {TAXONOMY['L3.1']})",
        f"The folds are made of people, not of times, and the data has no order of recording. Does that matter for "
        f"the claim? {BLANK}",
    )
    yield (
        f"Do test samples depend on training samples? (L3.2 {TAXONOMY['L3.2']})",
        "No subject and no clip is on both sides of any fold; that was checked, not assumed. Other ties, such as "
        f"siblings or one recording session for several people: {BLANK}",
    )
    excluded = "; ".join(f"{reason}: {counted(len(ids), 'clip')}" for reason, ids in facts["left_out"].items())
    yield (
        f"How were the samples selected, and whom do they exclude? (L3.3 {TAXONOMY['L3.3']})",
        f"Excluded by the run: {excluded or 'nothing'}. Selection by those who recorded the data, and the people it "
        f"does not represent: {BLANK}",
    )


def _results(report: Mapping[str, Any], scores: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    rows = [
        f"- {row['model']}: UF1 {with_interval(row, 'uf1')}, UAR {with_interval(row, 'uar')}"
        for row in scores["rows"]
        if row["uf1"] is not None
    ]
    rows += few_subjects.note(scores, "no interval")
    yield (
        "How good is it, and how sure is that?",
        "Pooled over folds, 95 % intervals by bootstrap over subjects:\n\n" + "\n".join(rows),
    )
    yield "What would each leak have added?", _added(report["rows"])


def _added(rows: Sequence[Mapping[str, Any]]) -> str:
    lines = []
    for row in rows:
        if row["status"] == "measured":
            points = ", ".join(f"{name.upper()} {100 * row['inflation'][name]:+.2f}" for name in row["touches"])
            lines.append(f"- {row['model']}, {row['leak']} ({row['kind']}): {points}")
    return "In points; none of them is in the results above.\n\n" + "\n".join(lines) if lines else "No leak was tried."
