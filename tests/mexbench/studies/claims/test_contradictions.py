"""Contradictions of a document with itself: found by the program, or stated."""

from __future__ import annotations

import re

import pytest
from pydantic import TypeAdapter

from mexbench.config import document
from mexbench.errors import ClaimError
from mexbench.studies.claims.claims import from_document
from mexbench.studies.claims.contradictions import Contradiction

SETS = {"one model": ("joy", "fear"), "the other": ("joy", "anger")}


def test_a_name_must_be_in_one_set_or_in_every_one() -> None:
    lacking = Contradiction(what="figure 5", uses=("fear", "anger"), sets=SETS)
    assert lacking.reason == (
        "figure 5 requires fear, anger: one model lacks anger (it has joy, fear); the other lacks fear (it has joy, "
        "anger)"
    )
    every = Contradiction(what="agreement", uses=("fear",), sets=SETS, needed="every", rows=("a",))
    assert every.reason == "agreement requires fear: the other lacks fear (it has joy, anger)"
    assert (every.status, every.computed) == ("impossible", True)


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"table 1": "93.21", "table 2": "93.21", "text": "93.56"},
         "the accuracy is printed as 93.21 (table 1, table 2) and as 93.56 (text)"),
        ({"table 1": "99.07", "text": "99.08"}, "the accuracy is printed as 99.07 (table 1) and as 99.08 (text)"),
        ({"table 1": "99.07", "text": "99.1"}, None),  # the same, printed with fewer decimals
        ({"table 1": "99", "text": "99.49"}, None),
        ({"table 1": "99", "text": "99.51"}, "the accuracy is printed as 99 (table 1) and as 99.51 (text)"),
    ],
)  # fmt: skip
def test_values_that_differ_as_printed_contradict_each_other(values: dict[str, str], reason: str | None) -> None:
    if reason is None:
        with pytest.raises(ValueError, match="these values do not contradict each other"):
            checked({"what": "the accuracy", "values": values})
    else:
        assert Contradiction(what="the accuracy", values=values).reason == reason


def checked(content: dict[str, object]) -> Contradiction:
    """Read a contradiction as the file of claims does."""

    return TypeAdapter(Contradiction).validate_python(content, strict=False)


def test_statements_are_marked_as_not_computed() -> None:
    stated = Contradiction(what="labels", statements={"section 3": "given", "conclusions": "future work"})
    assert (stated.reason, stated.computed) == ("labels (section 3: given; conclusions: future work)", False)
    assert stated.status == "contradicted"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{what: w}", "expected exactly one of uses, values, statements, got none"),
        ("{what: w, uses: [a], sets: {s: [a]}}", "these uses do not contradict each other"),
        ("{what: w, uses: [a]}", "expected 'uses' and 'sets' together"),
        ('{what: w, values: {t: "1"}}', "expected at least two values, by their place in the document"),
        ('{what: w, values: {t: "1", u: "101"}}', "contradictions[0].values.u: a figure above 100 %: 101"),
        ('{what: w, valued: {t: "1"}}', "contradictions[0].valued: unknown key (did you mean 'values'?); choose"),
        ('{what: w, values: {t: "1", u: "2"}, rows: [x]}', "contradictions[0].rows: unknown claim 'x'; choose from: "),
    ],
)  # fmt: skip
def test_invalid_contradictions_are_rejected_with_the_place(content: str, message: str) -> None:
    text = f"schema: 1\nsources: {{p: {{title: T, note: null, contradictions: [{content}]}}}}\nclaims: []\n"
    with pytest.raises(ClaimError, match=re.escape(message)) as caught:
        from_document(document.parse(text, "claims.yaml", {}))
    assert "in claims.yaml, line 2" in str(caught.value)
