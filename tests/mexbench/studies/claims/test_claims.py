"""The file of published figures: what it holds, and what it refuses."""

# ruff: noqa: E501 - a table of bad input reads best with one case a line

from __future__ import annotations

import re

import pytest

from mexbench.config import document
from mexbench.errors import BenchError
from mexbench.studies.au_clusters.published_table import read_lines
from mexbench.studies.claims.claims import Claim, Claims, from_document, load
from mexbench.studies.claims.judge import averages_of_f1, below_chance, judge_claim
from tests.helpers import ROOT

FILE = ROOT / "leaderboards" / "claims.yaml"
GOOD = """\
schema: 1
sources: {p: {title: A paper, note: null}}
claims:
  - id: a
    source: p
    where: table 1
    method: m
    dataset: d
    classes: 3
    supports: [5, 4, 3]
    samples: 12
    split: LOSO
    averaging: macro
    unit: percent
    figures: {accuracy: "75.00", f1: {printed: "0.75", unit: fraction}}
"""


def parse(text: str) -> Claims:
    return from_document(document.parse(text, "claims.yaml", {}))


@pytest.fixture(scope="module")
def claims() -> Claims:
    return load(FILE)


def claim(claims: Claims, name: str) -> Claim:
    (chosen,) = claims.chosen([name])
    return chosen


def test_the_file_holds_the_rows_of_all_sources(claims: Claims) -> None:
    ids = [c.id for c in claims.claims]
    assert {c.source for c in claims.claims} == claims.sources.keys() - {"paper3"}
    assert sum(name.startswith("megc2019-") for name in ids) == 37
    assert claim(claims, "megc2019-lbptop-smic").shown() == "f1 .2000 / recall .5280"
    assert claim(claims, "paper1-samm").figures["precision"].read_as == ("100", "100.00")
    assert claim(claims, "paper5-casme2").supports == (45, 190, 166, 180, 207)
    assert [r for name in ids if name.startswith("paper2-table5") for r in [claim(claims, name).figures["accuracy"].printed]] == [
        "0.7056", "0.7104", "0.7230", "0.8268", "0.8815", "0.9562",
    ]  # fmt: skip


def test_verdicts_and_readings_of_the_papers_rows(claims: Claims) -> None:
    expected = {
        "paper1-casme2": "possible", "paper1-samm": "possible", "paper2-casme2": "impossible",
        "paper2-samm": "impossible", "paper4": "possible", "paper5-samm": "impossible", "paper5-casme2": "impossible",
        "paper5-enhanced-casme2": "impossible", "paper5-agreement-fear": "undecided",
    }  # fmt: skip
    judged = {name: judge_claim(claim(claims, name)) for name in expected}
    assert {name: j.status for name, j in judged.items()} == expected
    reason = "(macro) impossible as printed unless every error falls into a class without test samples: "
    assert judged["paper5-samm"].reason.startswith(reason)
    cases = {name: verdict.status for name, verdict in judged["paper1-samm"].cases}
    assert list(cases.values()) == ["possible", "impossible", "undecided", "undecided"]
    assert list(cases) == [
        "macro, 100 read as 100", "macro, 100 read as 100.00", "weighted, 100 read as 100", "weighted, 100 read as 100.00",
    ]  # fmt: skip
    averages = dict(averages_of_f1(judged["paper2-casme2"]) or [])
    assert [text.partition(":")[0] for name, text in averages.items() if "mixed" not in name] == [
        "impossible", "impossible", "impossible", "impossible", "undecided",
    ]  # fmt: skip
    # A table that mixes averages without saying so is the way out.
    assert averages["mixed: precision macro, recall weighted, f1 macro"] == "possible"
    assert judged["paper2-casme2"].rescues == ["precision macro, recall weighted, f1 macro"]
    assert judged["paper2-samm"].rescues == []
    assert judged["paper4"].rescues == ()
    assert averages_of_f1(judged["paper4"]) is None
    mixtures = {reading.name for reading in judged["paper2-casme2"].misnomers}
    assert len(mixtures) == 6
    assert "precision macro, recall weighted, f1 macro" in mixtures
    assert len(judged["paper1-samm"].misnomers) == 12  # both readings of 100


def test_the_decision_tree_below_chance(claims: Claims) -> None:
    low = {c.id: below_chance(c) for c in claims.claims}
    assert {name for name, chance in low.items() if chance} == {
        "paper2-table4-casme2-decision-tree", "paper5-table3-casme2-decision-tree",
    }  # fmt: skip
    assert low["paper2-table4-casme2-decision-tree"] == pytest.approx(0.2)


def test_classes_and_contradictions_decide_rows(claims: Claims) -> None:
    judged = {c.id: judge_claim(c, claims.contradictions(c)) for c in claims.claims if c.source in ("paper2", "paper5")}
    bound = (
        "accuracy is the mean of the classes' recalls weighted by their supports, so it is at most the largest of "
        "them: 94 % (disgust), at most 94.50 % before rounding; accuracy {} % is printed"
    )
    counts = (
        "the classes' counts 80/82 + 83/85 + 88/92 + 77/80 + 82/84 + 84/87 + 81/83 add up to 575 correct of 593, an "
        "accuracy of 96.96 %; accuracy {} % is printed"
    )
    without = "the agreement of both models on {0} requires {0}: the CASME-II model lacks {0} ("
    expected = {
        "paper5-enhanced-casme2": bound.format("95.62"),
        "paper5-table3-casme2-enhanced-model": bound.format("96.72"),
        "paper5-enhanced-samm-by-class": counts.format("93.21"),
        "paper5-table3-samm-enhanced-model": counts.format("94.31"),
        "paper5-agreement-sadness": without.format("sadness"),
        "paper5-agreement-fear": without.format("fear"),
    }
    for name, reason in expected.items():
        assert (judged[name].status, judged[name].reason[: len(reason)]) == ("impossible", reason)
        assert judged[name].rescues == [], "no reading rescues an accuracy that the classes exclude"
    assert judged["paper5-agreement-surprise"].status == judged["paper5-agreement-disgust"].status == "undecided"
    assert {name for name, each in judged.items() if each.status == "contradicted"} == {
        "paper2-case-study", "paper2-table9-samm", "paper5-abstract-casme2", "paper5-abstract-samm",
        "paper5-table3-samm-decision-tree", "paper5-table3-casme2-decision-tree",
    }  # fmt: skip
    assert judged["paper2-table9-samm"].reason.startswith(
        "the accuracy of the proposed method on SAMM is printed as 93.21 (section 4.1.1, table 4) and as 93.56 (table 9)"
    )


def test_contradictions_that_concern_no_row(claims: Claims) -> None:
    reasons = {key: [c.reason for c in source.contradictions if not c.rows] for key, source in claims.sources.items()}
    assert [reason.partition(" (")[0] for reason in reasons["paper1"]] == [
        "the confusion matrix of one model in figure 5 requires repression, sadness: the CASME-II model"
    ]
    assert "the CASME-II model (figure 2) lacks sadness (" in reasons["paper1"][0]
    assert "the SAMM model (figure 3) lacks repression (" in reasons["paper1"][0]
    assert "table 10 lacks Disgust_ME8 (" in reasons["paper2"][0]
    assert reasons["paper4"][0].startswith(
        "the title requires neuromorphic deep learning, synaptic plasticity: the network as built lacks neuromorphic "
        "deep learning, synaptic plasticity (it has convolution, "
    )
    clusters = claims.sources["paper2"].contradictions[1].sets["table 10"]
    assert set(clusters) == {line.name for line in read_lines() if line.emotion == "disgust"}


def test_a_valid_file_is_read() -> None:
    (example,) = parse(GOOD).claims
    assert example.averagings == ("macro",)
    ((name, figures),) = example.rows("macro")
    assert (name, [str(figure) for figure in figures]) == ("", ["accuracy 75.00 %", "macro F1 (UF1) 0.75"])


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"75.00"', '"175.00"', "claims[0].figures.accuracy: a figure above 100 %: 175.00"),
        ('"75.00"', "75.00", "claims[0].figures.accuracy: expected a string, got 75.0; put it in quotes"),
        ('"75.00"', '"0.7500"', "0.7500 looks like a fraction in a row of percentages; where the document mixes them"),
        ("unit: percent", "unit: fraction", "75.00 looks like a percent in a row of fractions"),
        ('"75.00"', '"75,0"', "expected digits with at most one point, such as 97.52 or .5280, got '75,0'"),
        ("samples: 12", "samples: 13", "claims[0].supports: they add up to 12, and 'samples' is 13"),
        ("[5, 4, 3]", "[5, 4]", "claims[0].supports: expected 3 counts, one for each class, got [5, 4]"),
        ("[5, 4, 3]", "[5, 4, 0]", "claims[0].supports[2]: expected an integer of at least 1, got 0"),
        ("figures:", "hits: {a: 3/4, b: 4/4, c: 2/3}\n    figures:", "claims[0].hits: they are out of 4, 4, 3, and 'supports' is 5, 4, 3"),
        ("figures:", "hits: {a: 6/5}\n    figures:", "claims[0].hits.a: expected correct of tested samples, such as 80/82, got '6/5'"),
        ("figures:", 'recalls: {a: "92"}\n    figures:', "claims[0].recalls: expected one for each of 3 classes, got 1: a"),
        ("figures:", "recalls: {a: 92}\n    figures:", "claims[0].recalls.a: expected a string, got 92"),
        ("[5, 4, 3]", "null", "claims[0].supports: null needs a reason: give it in 'why'"),
        ("averaging: macro", "averaging: marco", "unknown averaging 'marco' (did you mean 'macro'?); choose from: macro, "),
        ("unit: percent", "unit: permille", "claims[0].unit: unknown unit 'permille'"),
        ("accuracy:", "acuracy:", "figures.acuracy: unknown key 'acuracy' (did you mean 'accuracy'?); choose from: accuracy, agreement"),
        ("source: p", "source: q", "claims[0].source: unknown source 'q'; choose from: p"),
        ("    where: table 1\n", "", "claims[0]: 'where' is missing"),
        ("where:", "whre: x\n    where:", "claims[0].whre: unknown key (did you mean 'where'?)"),
        ("classes: 3", "classes: 1", "claims[0].classes: expected an integer of at least 2, got 1"),
        ("schema: 1", "schema: 2", "schema: expected 1, got 2"),
        ("method: m", "method: 3", "claims[0].method: expected a string, got 3"),
        ("split: LOSO", "split: LOSO\n    measured: {loso: board}", "expected NAME/MODEL or NAME/MODEL/MEMBER, got 'board'"),
        ("printed: ", "read_as: 1, printed: ", "claims[0].figures.f1.read_as: expected a list, got 1"),
        ('unit: fraction}', 'unit: permille}', "claims[0].figures.f1.unit: unknown unit 'permille'"),
        ('{accuracy: "75.00", f1: {printed: "0.75", unit: fraction}}', "{}", "claims[0].figures: expected figures by name"),
    ],
)  # fmt: skip
def test_invalid_files_are_rejected_with_the_place(old: str, new: str, message: str) -> None:
    assert old in GOOD
    with pytest.raises(BenchError, match=re.escape(message)) as caught:
        parse(GOOD.replace(old, new, 1))
    assert re.search(r"\n  in claims\.yaml, line \d+$", str(caught.value))


def test_duplicate_ids_are_rejected() -> None:
    second = GOOD[GOOD.index("  - id") :]
    with pytest.raises(BenchError, match=r"claims\[1\]\.id: duplicate id 'a'"):
        parse(GOOD + second)


def test_unknown_ids_are_rejected_with_the_choices() -> None:
    with pytest.raises(BenchError, match="unknown claim 'b'; choose from: a"):
        parse(GOOD).chosen(["b"])
