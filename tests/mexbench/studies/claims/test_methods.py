"""The public codes of published methods: what chooses their epoch, and the file that lists them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from mexbench.config import document
from mexbench.errors import ClaimError
from mexbench.studies.claims.claims import load
from mexbench.studies.claims.methods import SELECTIONS, MethodCode, load_methods, methods_from_document
from tests.helpers import ROOT

FILE = ROOT / "leaderboards" / "methods.yaml"
GOOD = """\
schema: 1
methods:
  - id: net
    title: Net (2020)
    repository: owner/net
    commit: null
    date: 2020-12
    selection: fixed
    places: [{file: train.py, lines: "12, 20-24", what: the last epoch is tested}]
    note: null
"""


def parse(text: str) -> tuple[MethodCode, ...]:
    return methods_from_document(document.parse(text, "methods.yaml", {}))


def test_the_selections_of_the_public_codes() -> None:
    methods = {method.id: method for method in load_methods(FILE)}
    assert {name: method.selection for name, method in methods.items()} == {
        "ststnet": "fixed", "rcn": "fixed", "dual-inception": "inner", "htnet": "test-subject",
        "causalnet": "test-subject", "off-tanet": "test-mean", "micro-attention": "test-mean",
        "off-apexnet": "unknown", "featref": "unknown",
    }  # fmt: skip
    assert {name for name, method in methods.items() if method.clean} == {"ststnet", "rcn", "dual-inception"}
    assert [place.lines for place in methods["rcn"].places] == ["186-195"]
    assert [(place.file, place.lines) for place in methods["causalnet"].places][:2] == [
        ("main_train.py", "347"), ("main_train.py", "356"),
    ]  # fmt: skip
    assert methods["htnet"].version() == "wangzhifengharrison/HTNet, 2024-09"
    assert methods["ststnet"].version() == "christy1206/STSTNet, 220f3de2dd"
    assert methods["featref"].version() == "not public"


def test_claims_name_codes_that_are_listed() -> None:
    listed = {method.id for method in load_methods(FILE)}
    codes = {claim.id: claim.code for claim in load(FILE.with_name("claims.yaml")).claims if claim.code}
    assert set(codes.values()) == listed - {"off-apexnet"}  # nobody read a code of its authors
    assert {code for name, code in codes.items() if name.startswith("megc2019-dualinception")} == {"dual-inception"}
    # Off-TANet's authors implemented what they compare with; their code for one of them is chosen otherwise.
    of_off_tanet = {name: code for name, code in codes.items() if name.startswith("offtanet-")}
    assert {name for name, code in of_off_tanet.items() if code != "off-tanet"} == {"offtanet-microattention"}
    assert len(codes) == 27


def test_every_selection_has_a_text_that_states_whether_test_data_takes_part() -> None:
    assert {name for name, text in SELECTIONS.items() if "no test data in the choice" in text} == {"fixed", "inner"}
    assert {name for name, text in SELECTIONS.items() if "(test data in the choice" in text} == {
        "test-subject", "test-mean",
    }  # fmt: skip


def test_a_folder_without_the_file_has_no_methods(tmp_path: Path) -> None:
    assert load_methods(tmp_path / "methods.yaml") == ()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("selection: fixed", "selection: fixd", "methods[0].selection: unknown selection 'fixd' (did you mean"),
        ("2020-12", "December", "methods[0].date: expected a string that matches ^\\d{4}-\\d{2}$, got 'December'"),
        ("owner/net", "net", "methods[0].repository: expected a string that matches"),
        ("date: 2020-12", "date: null", "methods[0].selection: selection 'fixed' needs evidence: 'repository',"),
        ('"12, 20-24"', "12", "methods[0].places[0].lines: expected a string, got 12"),
        ('"12, 20-24"', '"12-"', "methods[0].places[0].lines: expected a string that matches"),
        ("commit: null", "commit: 220f3de", "methods[0].commit: expected a string that matches ^[0-9a-f]{40}$"),
        ("what:", "wat:", "methods[0].places[0].wat: unknown key (did you mean 'what'?); choose from: file"),
        ("title: Net (2020)", "title: ' '", "methods[0].title: expected a string that is not blank, got ' '"),
        ("    note: null\n", "", "methods[0]: 'note' is missing"),
        ("schema: 1", "schema: 2", "schema: expected 1, got 2"),
    ],
)  # fmt: skip
def test_invalid_files_are_rejected_with_the_place(old: str, new: str, message: str) -> None:
    assert old in GOOD
    with pytest.raises(ClaimError, match=re.escape(message)) as caught:
        parse(GOOD.replace(old, new, 1))
    assert re.search(r"\n  in methods\.yaml, line \d+", str(caught.value))


def test_all_errors_of_a_file_are_listed() -> None:
    with pytest.raises(ClaimError) as caught:
        parse(GOOD.replace("fixed", "x").replace("owner/net", "net"))
    assert str(caught.value).count("in methods.yaml, line") == 2


def test_duplicate_ids_are_rejected() -> None:
    with pytest.raises(ClaimError, match=r"methods\[1\]\.id: duplicate id 'net'"):
        parse(GOOD + GOOD[GOOD.index("  - id") :])
