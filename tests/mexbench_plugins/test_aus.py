from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mexbench_plugins.aus import AU, AUCell, parse


@pytest.mark.parametrize(
    ("cell", "units"),
    [
        (4, [AU(4)]),
        (12.0, [AU(12)]),
        ("4+7", [AU(4), AU(7)]),
        ("4+7+6", [AU(4), AU(7), AU(6)]),
        ("L1+L2", [AU(1, "L"), AU(2, "L")]),
        ("4+R10", [AU(4), AU(10, "R")]),
        ("12A", [AU(12, None, "A")]),
        ("R14B", [AU(14, "R", "B")]),
        ("A12", [AU(12, "A")]),
        ("B28+T23C", [AU(28, "B"), AU(23, "T", "C")]),
        (" 4 + R 10 b  ", [AU(4), AU(10, "R", "B")]),
        ("l12", [AU(12, "L")]),
        ("(4+7)", [AU(4), AU(7)]),
    ],
)
def test_cells_that_are_certain(cell: object, units: list[AU]) -> None:
    parsed = parse(cell)
    assert list(parsed.units) == units
    assert parsed.complete
    assert parsed.numbers == {unit.number for unit in units}


@pytest.mark.parametrize(
    ("cell", "units", "names"),
    [
        ("L12 or L14", [AU(12, "L", None, False), AU(14, "L", None, False)], set()),
        (
            "R14A or 17A or 24A",
            [AU(14, "R", "A", False), AU(17, None, "A", False), AU(24, None, "A", False)],
            set(),
        ),
        ("(R6 or R12)+R15", [AU(6, "R", None, False), AU(12, "R", None, False), AU(15, "R")], {"AU15"}),
        ("4/7", [AU(4, None, None, False), AU(7, None, None, False)], set()),
        ("12A/B14", [AU(12, None, "A", False), AU(14, "B", None, False)], set()),
        ("10A/B", [AU(10, None, "A", False), AU(10, None, "B", False)], {"AU10"}),
        ("A/L12", [AU(12, "A", None, False), AU(12, "L", None, False)], {"AU12"}),
        ("1+A/L12B", [AU(1), AU(12, "A", "B", False), AU(12, "L", "B", False)], {"AU1", "AU12"}),
        ("(4+7) or 4", [AU(4, None, None, False), AU(7, None, None, False), AU(4, None, None, False)], {"AU4"}),
        ("4?+7", [AU(4, None, None, False), AU(7)], {"AU7"}),
    ],
)
def test_alternatives_are_uncertain_but_what_they_share_is_not(cell: str, units: list[AU], names: set[str]) -> None:
    parsed = parse(cell)
    assert list(parsed.units) == units
    assert parsed.complete
    assert parsed.names == names


@pytest.mark.parametrize(
    ("cell", "units", "names"),
    [
        ("?", [], set()),
        ("", [], set()),
        (None, [], set()),
        ("R14+17+soft focus", [AU(14, "R"), AU(17)], {"AU14", "AU17"}),
        ("ref(7B)+43", [AU(7, None, "B", False), AU(43)], {"AU43"}),
        (" ref (7B) + 43 ", [AU(7, None, "B", False), AU(43)], {"AU43"}),
        ("soft or 12", [AU(12, None, None, False)], set()),
        ("4+", [AU(4)], {"AU4"}),
        ("(4", [], set()),
        ("123", [], set()),
        ("4.5", [], set()),
        ("4+" * 200, [], set()),
    ],
)
def test_what_is_not_understood_is_kept_raw(cell: object, units: list[AU], names: set[str]) -> None:
    parsed = parse(cell)
    assert parsed.raw == ("" if cell is None else cell)
    assert list(parsed.units) == units
    assert parsed.names == names
    assert not parsed.complete


def test_au_zero_is_no_movement() -> None:
    assert parse(0) == AUCell("0", complete=True)
    assert parse(0).certain  # that nothing shows


@pytest.mark.parametrize(
    ("cell", "certain"),
    [
        ("4+R10", True), ("12A", True), ("10A/B", True), ("?", False), ("", False), (None, False), ("4?", False),
        ("L12 or L14", False), ("ref(7B)+43", False), ("R14+17+soft focus", False), ("(R6 or R12)+R15", False),
    ],
)  # fmt: skip
def test_only_a_cell_without_doubt_says_what_does_not_show(cell: object, certain: bool) -> None:
    assert parse(cell).certain is certain


@given(st.text(alphabet="LRABT0123456789 ()+/?orxe,", max_size=250) | st.text(max_size=60))
def test_any_cell_is_parsed_and_kept_raw(cell: str) -> None:
    parsed = parse(cell)
    assert parsed.raw == cell
    assert parsed.numbers <= {unit.number for unit in parsed.units}
    assert {unit.number for unit in parsed.units if unit.certain} <= parsed.numbers
    assert all(1 <= unit.number <= 99 for unit in parsed.units)


@given(
    st.lists(
        st.tuples(st.sampled_from(["", "L", "R", "A", "B", "T"]), st.integers(1, 99), st.sampled_from(["", *"ABCDE"])),
        min_size=1,
        max_size=6,
    )
)
def test_grammar_round_trip(units: list[tuple[str, int, str]]) -> None:
    parsed = parse(" + ".join(f"{side}{number}{intensity}" for side, number, intensity in units))
    assert parsed.complete
    assert [(unit.side or "", unit.number, unit.intensity or "") for unit in parsed.units] == units


@pytest.mark.parametrize(
    ("cell", "tokens", "sided"),
    [
        (4, {"4"}, {"4"}),
        ("4+7+6", {"4", "6", "7"}, {"4", "6", "7"}),
        ("L1+L2", {"L1", "L2"}, {"L1", "L2"}),
        ("12A", {"12A"}, {"12"}),
        (" 4 + R10 b ", {"4", "R10 b"}, {"4", "R10"}),
        ("R12+L12", {"L12", "R12"}, {"L12", "R12"}),
        ("10A/B", {"10A/B"}, {"10"}),  # certainly 10, at one of two intensities
        ("A/L12", {"A/L12"}, {"12"}),  # certainly 12, on a side that nobody knows
        ("(R6 or R12)+R15", {"(R6 or R12)", "R15"}, {"R15"}),
        ("L12 or L14", {"L12 or L14"}, set()),
        ("ref(7B)+43", {"ref(7B)", "43"}, {"43"}),
        ("R14+17+soft focus ", {"R14", "17", "soft focus"}, {"R14", "17"}),
        ("?", set(), set()),
        ("", set(), set()),
        (None, set(), set()),
        ("4+", {"4"}, {"4"}),
    ],
)
def test_tokens_as_written_and_units_with_their_side(cell: object, tokens: set[str], sided: set[str]) -> None:
    parsed = parse(cell)
    assert parsed.tokens == tokens
    assert parsed.sided == sided
    assert {int(unit.lstrip("LRABT")) for unit in parsed.sided} == parsed.numbers


@pytest.mark.parametrize(
    ("cell", "plain"),
    [
        ("AU4+AU12", "4+12"), ("AU 4 + au12A", "4+12A"), ("AUL12", "L12"),
        ("LAU12+R AU14", "L12+R14"), ("AU10A/B", "10A/B"), ("(AUR6 or AUR12)+AUR15", "(R6 or R12)+R15"),
        ("ref(AU7B)+AU43E", "ref(7B)+43E"), ("AU4,AU_7;AU-12", "4,7;12"), ("A/LAU12", "A/L12"),
    ],
)  # fmt: skip
def test_prefixes_of_the_facs_manual_are_read(cell: str, plain: str) -> None:
    parsed, expected = parse(cell), parse(plain)
    assert parsed.raw == cell
    assert (parsed.units, parsed.complete, parsed.numbers) == (expected.units, expected.complete, expected.numbers)
    assert (parsed.sided, parsed.opened) == (expected.sided, expected.opened)


@pytest.mark.parametrize(
    ("cell", "in_doubt", "side_in_doubt", "opened"),
    [
        ("(R6 or R12)+R15", True, True, "R6 R12 R15"),
        ("L12 or L14", True, True, "L12 L14"),
        ("ref(7B)+43E", True, True, "7B 43E"),
        ("4?+7", True, True, "4 7"),
        ("(4+7) or 4", True, True, "4 7"),
        ("A/L12", False, True, "A12 L12"),
        ("10A/B", False, False, "10A 10B"),
        ("R14+17+soft focus", False, False, "R14 17"),
        ("4+R10B", False, False, "4 R10B"),
        ("L1+R1", False, False, "L1 R1"),
        ("?", False, False, ""),
    ],
)
def test_a_unit_in_doubt_is_known_to_be_and_is_among_the_opened(
    cell: str, in_doubt: bool, side_in_doubt: bool, opened: str
) -> None:
    parsed = parse(cell)
    assert (parsed.in_doubt, parsed.side_in_doubt) == (in_doubt, side_in_doubt)
    assert parsed.opened == set(opened.split())


@pytest.mark.parametrize(
    ("cell", "names"),
    [("4+AD31", {"AU4"}), ("M57+AU1+M58", {"AU1"}), ("AD38", set()), ("AU6+ad_19A", {"AU6"})],
)
def test_descriptors_and_head_codes_are_read_and_are_not_units(cell: str, names: set[str]) -> None:
    parsed = parse(cell)
    assert parsed.names == names
    assert parsed.complete
    assert parsed.certain
