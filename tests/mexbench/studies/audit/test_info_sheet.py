"""The info sheet: every derived value under its own question, and blanks exactly where no program can know."""

from __future__ import annotations

import re
from typing import Any

import pytest

from mexbench.studies.audit.info_sheet import BLANK, markdown

#: Every value differs from every other, so that none can be in another's place.
FACTS: dict[str, Any] = {
    "rows": {"svm": '{"plugin": "svm", "C": 0.5}', "tree": '{"plugin": "decision_tree"}'},
    "dataset": "toy faces",
    "samples": 137,
    "clips": 61,
    "subjects": 19,
    "sources": ["A. Author, 2001"],
    "licences": ["CC0"],
    "protocol": '{"plugin": "kfold", "k": 3}',
    "sizes": [(91, 46), (89, 48), (94, 43)],
    "steps": ["crop", "clahe"],
    "copies": 7,
    "flags": ["synthetic", "leak:duplicates", "leak:clip"],
    "shape": (11, 28, 29),
    "dtype": "float32",
    "input": "one clip, after crop, clahe",
    "annotated": ["onset", "apex"],
    "left_out": {"no face": ["a", "b", "c"], "too short": ["d"]},
}
SCORES: dict[str, Any] = {
    "support": {"sad": 53, "glad": 84},
    "members": ["toy-a", "toy-b"],
    "rows": [
        {"model": "svm", "uf1": 0.6123, "uar": 0.5987, "ci": {"uf1": [0.51, 0.7099], "uar": [0.4812, 0.69]}},
        {"model": "tree", "uf1": None, "uar": None, "ci": {}},
    ],
}
REPORT: dict[str, Any] = {
    "config": "toy",
    "command": "bench audit toy.yaml --info-sheet",
    "config_fingerprint": "c0ffee",
    "commit": "abc123",
    "rows": [
        {
            "model": "svm", "leak": "pca", "kind": "L1.2 pre-processing", "status": "measured",
            "touches": ["uf1", "uar"], "inflation": {"uf1": 0.0345, "uar": -0.0021},
        },
        {
            "model": "svm", "leak": "precision-as-recall", "kind": "misreporting", "status": "measured",
            "touches": ["uar"], "inflation": {"uf1": 0.5, "uar": 0.0177},
        },
        {"model": "tree", "leak": "pca", "kind": "L1.2 pre-processing", "status": "failed", "why": "no result"},
    ],
}  # fmt: skip


def answers(text: str) -> dict[str, str]:
    """Question -> answer of a sheet."""
    return {
        match[1]: match[2].strip()
        for match in re.finditer(
            r"^\*\*([^\n]+?)\*\* {2}\n(.*?)(?=^\*\*(?!\[)|^## |^Command: |\Z)", text, re.DOTALL | re.MULTILINE
        )
    }


def answer(text: str, start: str) -> str:
    (scored,) = [value for question, value in answers(text).items() if question.startswith(start)]
    return scored


def changed(**facts: object) -> str:
    return markdown(REPORT, [{**FACTS, **facts}], SCORES)


def test_every_derived_value_is_under_its_question() -> None:
    sheet = markdown(REPORT, [FACTS], SCORES)
    assert answer(sheet, "Which data") == (
        "toy faces: 137 samples of 61 clips and 19 subjects; sad 53, glad 84. Members: toy-a, toy-b. "
        "Source: A. Author, 2001. Licence or conditions: CC0."
    )
    assert answer(sheet, "Which models").splitlines() == [
        '- svm: `{"plugin": "svm", "C": 0.5}`', '- tree: `{"plugin": "decision_tree"}`',
    ]  # fmt: skip
    assert answer(sheet, "How is the data divided").startswith(
        '`{"plugin": "kfold", "k": 3}`: 3 folds, training sides of 89 to 94 samples, test sides of 43 to 48. '
    )
    learned = answer(sheet, "Which pre-processing learns")
    assert learned.startswith("Steps: crop, clahe. None learns")
    assert "adds 7 altered copies of each training sample" in learned
    assert answer(sheet, "Are there duplicates").endswith("found, and flagged leak:duplicates, leak:clip.")
    assert answer(sheet, "What does the model see") == (
        "svm, tree: for each sample an array (11, 28, 29) of float32: one clip, after crop, clahe."
    )
    assert answer(sheet, "Does it rest on an annotation").endswith("chosen by the annotated onset and apex.")
    assert answer(sheet, "How were the samples selected").startswith(
        "Excluded by the run: no face: 3 clips; too short: 1 clip. "
    )
    assert answer(sheet, "How good is it").splitlines()[2:] == [
        "- svm: UF1 61.23 [51.00, 70.99], UAR 59.87 [48.12, 69.00]"
    ]
    assert answer(sheet, "What would each leak have added").splitlines()[2:] == [
        "- svm, pca (L1.2 pre-processing): UF1 +3.45, UAR -0.21",
        "- svm, precision-as-recall (misreporting): UAR +1.77",
    ]
    assert "Command: `bench audit toy.yaml --info-sheet`. Config fingerprint: `c0ffee`. Commit: abc123." in sheet


def test_blanks_are_where_no_program_can_know() -> None:
    sheet = markdown(REPORT, [FACTS], SCORES)
    assert [question[:24] for question, value in answers(sheet).items() if BLANK in value] == [
        "What is claimed, and of ", "Was any choice (architec", "Which features were sele", "Why is each of these fea",
        "Does anything from the f", "Do test samples depend o", "How were the samples sel",
    ]  # fmt: skip
    unknown = changed(sources=[], licences=[])
    assert answer(unknown, "Which data").endswith(f"Source: {BLANK}. Licence or conditions: {BLANK}.")
    assert unknown.count(BLANK) == sheet.count(BLANK) + 2


@pytest.mark.parametrize(
    ("facts", "question", "text"),
    [
        ({"copies": 0}, "Which pre-processing", "Nothing is oversampled or augmented."),
        ({"steps": []}, "Which pre-processing", "No steps. Any step of a config sees one clip"),
        ({"flags": ["synthetic"]}, "Are there duplicates", "on both sides: none found."),
        ({"annotated": []}, "Does it rest", "No annotation chooses the frames."),
        ({"left_out": {}}, "How were the samples", "Excluded by the run: nothing."),
    ],
)
def test_absent_facts_are_stated(facts: dict[str, object], question: str, text: str) -> None:
    assert text in answer(changed(**facts), question)
    assert text not in answer(markdown(REPORT, [FACTS], SCORES), question)


def test_parts_of_a_run_are_answered_one_below_the_other_and_equal_answers_once() -> None:
    other = {**FACTS, "protocol": '{"plugin": "loso"}', "sizes": [(100, 37)]}
    sheet = markdown(REPORT, [FACTS, other], SCORES)
    divided = answer(sheet, "How is the data divided").split("  \n")
    assert [text.partition(":")[0] + text.partition("}`:")[2].partition(",")[0] for text in divided] == [
        '`{"plugin" 3 folds', '`{"plugin" 1 fold',
    ]  # fmt: skip
    assert answer(sheet, "Are there duplicates").count("found, and flagged") == 1


def test_without_a_measured_leak_the_sheet_states_it() -> None:
    sheet = markdown({**REPORT, "rows": REPORT["rows"][2:]}, [FACTS], SCORES)
    assert answer(sheet, "What would each leak") == "No leak was tried."
