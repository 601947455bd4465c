"""Recounting a log: three rules, the places where a log contradicts itself, and figures that were printed."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from mexbench.errors import DataError
from mexbench.reports.spotting_log import PrintedLogFigure, recount
from mexbench.runs.spotting_files import LogBlock, read_annotation, read_spotting_log

#: One prediction finds two true intervals of video a; video b has an overlap marked too generously, and none to find.
LOG = """2
15_a  10   49   12   50   TP
15_a  11   50   12   50   TP
15_a  100  110  -    -    FN
15_b  200  240  239  280  TP
15_c  -    -    5    15   FP
"""


def block_of(tmp_path: Path, text: str = LOG) -> LogBlock:
    path = tmp_path / "log.txt"
    path.write_text(text)
    return read_spotting_log(path)[0]


def test_the_three_rules_by_hand(tmp_path: Path) -> None:
    rules = recount(block_of(tmp_path))["rules"]
    # One to one: one hit of macro among 2 predictions and 3 true intervals. Lines: 3 hits, 3 predicted macro lines.
    macro = {rule: (one["tp_macro"], one["predicted_macro"], one["true_macro"]) for rule, one in rules.items()}
    assert macro == {"one_to_one": (1, 2, 3), "lines": (3, 3, 3), "found": (3, 2, 3)}
    assert rules["one_to_one"]["f1_macro"] == pytest.approx(2 / 5)
    assert rules["one_to_one"]["f1"] == pytest.approx(2 / 7)
    assert rules["found"]["f1_macro"] == pytest.approx(6 / 5)  # the rule can exceed 1, which no F1 can
    assert rules["lines"]["f1_micro"] == 0


def test_disagreements_are_named_with_their_lines(tmp_path: Path) -> None:
    named = recount(block_of(tmp_path))["disagreements"]
    assert [(one["what"], one["lines"]) for one in named] == [
        ("a prediction on several lines", [2, 3]),
        ("marked TP below an overlap of 0.5", [5]),
        ("marked TP, not found one to one", [2]),
        ("marked TP, not found one to one", [5]),
    ]
    assert named[0]["detail"] == "15_a: 12-50 is TP of 10-49 and TP of 11-50"


def test_the_annotation_decides_types_and_is_compared(tmp_path: Path) -> None:
    path = tmp_path / "info.txt"
    path.write_text("s15 a micro-expression 10 20 49\ns15 a macro-expression 11 70 50\ns15 d micro-expression 1 2 3\n")
    result = recount(block_of(tmp_path), truth=read_annotation(path))
    assert Counter(one["what"] for one in result["disagreements"]) == {
        "a prediction on several lines": 1,
        "a true interval that is not annotated": 2,
        "an annotated interval that the log does not have": 1,
        "an annotated apex outside its interval, not used": 1,
        "marked TP below an overlap of 0.5": 1,
        "marked TP, not found one to one": 1,
    }
    assert result["other_type"] == 1  # the micro-expression 10-49, which a macro prediction overlaps enough
    assert result["figures"]["counts"]["micro"] == {"tp": 0, "fp": 1, "fn": 2}


def test_the_length_limit_is_in_whole_frames(tmp_path: Path) -> None:
    log = "2\n15_a - - 1 16 FP\n15_a - - 1 17 FP\n"
    rules = recount(block_of(tmp_path, log))["rules"]["lines"]
    assert (rules["predicted_micro"], rules["predicted_macro"]) == (1, 1)
    assert recount(block_of(tmp_path, log), micro_frames=17)["rules"]["lines"]["predicted_micro"] == 2


def test_printed_figures_agree_within_their_own_digits(tmp_path: Path) -> None:
    printed = [PrintedLogFigure("f1_macro", ".4"), PrintedLogFigure("f1_macro", "1.20"), PrintedLogFigure("f1", ".5")]
    result = recount(block_of(tmp_path), printed=printed)["printed"]
    assert [one["agrees"] for one in result] == [["one_to_one"], ["found"], []]
    assert PrintedLogFigure("f1", ".0376").agrees(0.03757)
    assert not PrintedLogFigure("f1", ".0376").agrees(0.03615)
    with pytest.raises(DataError, match="unknown figure 'f2'"):
        PrintedLogFigure("f2", ".1")


PRINTED = {"1": (".0364", ".0629", ".0445"), "2": (".0082", ".1196", ".0376")}


def test_the_megc2020_baseline_is_recounted_to_the_last_printed_digit(shared_data: Path) -> None:
    folder = shared_data / "megc2020_spotting"
    names = {"1": "samm_long_all_Info.txt", "2": "casme_squared_all_Info.txt"}
    rows = {}
    for block in read_spotting_log(folder / "MDMD_log.txt"):
        printed = [PrintedLogFigure(*one) for one in zip(("f1_micro", "f1_macro", "f1"), PRINTED[block.number],
                                                      strict=True)]  # fmt: skip
        rows[block.number] = recount(block, truth=read_annotation(folder / names[block.number]), printed=printed)
    assert all("found" in one["agrees"] for row in rows.values() for one in row["printed"])
    assert all(len(one["agrees"]) == 3 for one in rows["1"]["printed"])
    # On CAS(ME)^2 four predictions find nine true intervals: one to one the published macro F1 does not come out.
    assert [one["agrees"] for one in rows["2"]["printed"]][1:] == [["found"], ["lines", "found"]]
    assert rows["2"]["rules"]["one_to_one"]["f1_macro"] == pytest.approx(2 * 104 / (1523 + 300))
    assert rows["2"]["rules"]["one_to_one"]["f1"] == pytest.approx(2 * 125 / (6558 + 357))
    several = [one for one in rows["2"]["disagreements"] if one["what"] == "a prediction on several lines"]
    assert [one["lines"] for one in several] == [[3632, 3633], [6209, 6210], [8248, 8249], [8256, 8257, 8258]]
    assert rows["2"]["figures"]["n_videos_without_expression"] == 3
