from __future__ import annotations

import zipfile
from pathlib import Path

import openpyxl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mexbench.errors import DataError
from mexbench_plugins.datasets._io import spreadsheets as _sheets
from mexbench_plugins.datasets._io.spreadsheets import SheetRow, read_rows
from tests.mexbench_plugins.datasets.layouts import write_xlsx

WANTED = ("Subject", "Onset Frame", "Action Units")


def values(rows: list[SheetRow]) -> list[tuple[object, ...]]:
    return [tuple(row.cells[column] for column in WANTED) for row in rows]


@pytest.mark.parametrize(
    "header",
    [
        ("Subject", "Onset Frame", "Action Units"),
        ("subject", "OnsetFrame", "action_units"),
        (" SUBJECT ", "onset  frame", "ActionUnits"),
    ],
)
def test_columns_go_by_name_whatever_their_spelling(tmp_path: Path, header: tuple[str, ...]) -> None:
    path = write_xlsx(tmp_path / "a.xlsx", header, [("01", 46, "4+7"), ("02", 3, 12)])
    assert values(read_rows(path, WANTED)) == [("01", 46, "4+7"), ("02", 3, 12)]


def test_order_blank_headers_preamble_and_empty_sheets_do_not_matter(tmp_path: Path) -> None:
    preamble = [[f"Prose {index}", "the Subject of the study"] for index in range(12)] + [[]]
    path = write_xlsx(
        tmp_path / "a.xlsx",
        ("Action Units", None, "Extra", "Onset Frame", "", "Subject"),
        [
            ("4", "x", 1, 46, None, "01"),
            (None, None, None, None, None, None),
            (None, "only a remark"),
            ("?", None, 2, 7),
        ],
        preamble=preamble,
        empty_first=True,
    )
    rows = read_rows(path, WANTED)
    assert values(rows) == [("01", 46, "4"), (None, 7, "?")]
    assert rows[0].where.endswith("sheet 'Sheet1', row 15")
    assert rows[1].where.endswith("row 18")


def test_the_named_sheet_comes_first(tmp_path: Path) -> None:
    path = write_xlsx(tmp_path / "a.xlsx", WANTED, [("wrong", 1, 1)], title="MACRO", empty_sheets=("micro_only",))
    book = openpyxl.load_workbook(path)
    for row in (WANTED, ("right", 2, 2)):
        book["micro_only"].append(list(row))
    book.save(path)
    assert values(read_rows(path, WANTED, sheet="MICRO_ONLY")) == [("right", 2, 2)]
    with pytest.raises(DataError, match=r"2 sheets have the columns of the annotation, 'MACRO', 'micro_only'"):
        read_rows(path, WANTED)


def test_a_hidden_sheet_is_not_taken_in_silence(tmp_path: Path) -> None:
    path = write_xlsx(tmp_path / "a.xlsx", WANTED, [("old", 1, 1)], title="old", empty_sheets=("label",))
    book = openpyxl.load_workbook(path)
    for row in (WANTED, ("right", 2, 2)):
        book["label"].append(list(row))
    book["old"].sheet_state = "hidden"
    book.active = 1
    book.save(path)
    with pytest.raises(DataError, match=r"2 sheets have the columns of the annotation, 'old' \(hidden\), 'label'"):
        read_rows(path, WANTED)
    with pytest.raises(DataError, match=r"'old' \(hidden\), 'label'"):
        read_rows(path, WANTED, sheet="old")
    (row,) = read_rows(path, WANTED, sheet="label")
    assert row.cells["Subject"] == "right"
    assert row.where == f"{path}, sheet 'label', row 2"
    del book["label"]
    book.create_sheet("empty")
    book.save(path)
    (row,) = read_rows(path, WANTED)
    assert row.where == f"{path}, sheet 'old' (hidden), row 2"


@pytest.mark.parametrize(
    "text",
    [
        "Subject;OnsetFrame;Action Units\n01;94;4+7\n02;;12\n",
        "\ufeffSubject;OnsetFrame;Action Units\r\n01;94,0;4+7\r\n02;;12\r\n",
        "sep=;\nSubject;OnsetFrame;Action Units\n01;94;4+7\n02;;12\n",
        "Prose, with, many, commas, in, it\nSubject;OnsetFrame;Action Units\n01;94;4+7\n02;;12\n",
        ",Subject,OnsetFrame,Action Units\n0,01,94.0,4+7\n1,02,nan,12\n",
        "Subject\tOnsetFrame\tAction Units\n01\t94\t4+7\n02\t\t12\n",
        "Subject|OnsetFrame|Action Units\n01|94|4+7\n02|-|12\n",
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_csv_as_spreadsheets_and_pandas_write_it(tmp_path: Path, text: str, encoding: str) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(text.encode(encoding))
    rows = read_rows(path, WANTED)
    assert [(row.text("Subject"), row.frame("Onset Frame"), row.text("Action Units")) for row in rows] == [
        ("01", 94, "4+7"),
        ("02", None, "12"),
    ]


def test_pandas_own_csv_is_read(tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"Subject": ["01", "02"], "OnsetFrame": [94, None], "Action Units": ["4+7", None]})
    path = tmp_path / "a.csv"
    for options in ({}, {"sep": ";", "decimal": ","}, {"index": False}, {"na_rep": "NaN"}):
        frame.to_csv(path, **options)
        assert [row.frame("Onset Frame") for row in read_rows(path, WANTED)] == [94, None]


def test_csv_of_the_same_columns(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(
        "\ufeffSomething else\nSubject,OnsetFrame,,Action Units\n01,46,,4+7\n,,x,\n2,,,\n", encoding="utf-8"
    )
    rows = read_rows(path, WANTED)
    assert values(rows) == [("01", "46", "4+7"), ("2", None, None)]
    assert rows[0].where == f"{path}, row 3"


def test_a_missing_column_names_the_file_the_column_and_the_headers(tmp_path: Path) -> None:
    path = write_xlsx(tmp_path / "a.xlsx", ("Subject", "Onset", None, "Action Units"), [("01", 46, None, 4)])
    with pytest.raises(DataError) as error:
        read_rows(path, WANTED)
    assert str(error.value) == (
        f"{path}, sheet 'Sheet1', row 1: missing column Onset Frame; headers found: Subject, Onset, Action Units"
    )


def test_no_header_at_all(tmp_path: Path) -> None:
    path = write_xlsx(tmp_path / "a.xlsx", ("01", 46), [("02", 47)])
    with pytest.raises(
        DataError, match=r"no header row .*Sheet1, Sheet2, Sheet3.*columns Subject, Onset Frame, Action"
    ):
        read_rows(path, WANTED)


def test_duplicate_columns_are_rejected(tmp_path: Path) -> None:
    path = write_xlsx(tmp_path / "a.xlsx", (*WANTED, "onset_frame"), [("02", 47, 4, 48)])
    with pytest.raises(DataError, match="row 1: column Onset Frame appears twice"):
        read_rows(path, WANTED)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.xlsx", b"", "is not an .xlsx workbook"),
        ("a.xlsx", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(512), "is not an .xlsx workbook"),
        ("a.xls", b"\xd0\xcf\x11\xe0", "a .xls file cannot be read as a sheet; save it as .xlsx or .csv"),
        ("a.csv", b"Subject,\xff\xfe\n", "is not UTF-8 text"),
        ("a.csv", b"", "no header row"),
    ],
)
def test_other_files_are_rejected(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(DataError, match=message) as error:
        read_rows(path, WANTED)
    assert str(path) in str(error.value)


def test_truncated_workbook_is_rejected(tmp_path: Path) -> None:
    path = write_xlsx(tmp_path / "a.xlsx", WANTED, [("01", 46, 4)])
    path.write_bytes(path.read_bytes()[:-600])
    with pytest.raises(DataError, match=r"save it as \.xlsx"):
        read_rows(path, WANTED)


@pytest.mark.parametrize("member", ["xl/workbook.xml", "xl/worksheets/sheet1.xml"])
def test_workbook_with_a_broken_part_is_rejected(tmp_path: Path, member: str) -> None:
    complete = write_xlsx(tmp_path / "a.xlsx", WANTED, [("01", 46, 4)])
    broken = tmp_path / "b.xlsx"
    with zipfile.ZipFile(complete) as source, zipfile.ZipFile(broken, "w") as target:
        for name in source.namelist():
            target.writestr(name, b"<worksheet><row" if name == member else source.read(name))
    with pytest.raises(DataError, match=r"save it as \.xlsx"):
        read_rows(broken, WANTED)


def test_wrong_sheet_dimensions_are_ignored(tmp_path: Path) -> None:
    complete = write_xlsx(tmp_path / "a.xlsx", WANTED, [("01", 46, 4), ("02", 47, 5)], empty_sheets=())
    resized = tmp_path / "b.xlsx"
    with zipfile.ZipFile(complete) as source, zipfile.ZipFile(resized, "w") as target:
        for name in source.namelist():
            content = source.read(name)
            assert name != "xl/worksheets/sheet1.xml" or b'"A1:C3"' in content
            target.writestr(name, content.replace(b'"A1:C3"', b'"A1:A1"'))
    assert values(read_rows(resized, WANTED)) == [("01", 46, 4), ("02", 47, 5)]


def test_other_archives_are_rejected(tmp_path: Path) -> None:
    path = tmp_path / "a.xlsx"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", "hello")
    with pytest.raises(DataError, match=r"save it as \.xlsx"):
        read_rows(path, WANTED)


def test_a_zip_bomb_is_not_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "a.xlsx"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/workbook.xml", bytes(65_000_000))
    with pytest.raises(DataError, match="unpacks to 65000000 bytes"):
        read_rows(path, WANTED)


def test_too_many_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_sheets, "_LONGEST", 3)
    path = write_xlsx(tmp_path / "a.xlsx", WANTED, [("01", 46, 4)] * 3)
    with pytest.raises(DataError, match="more than 3 rows"):
        read_rows(path, WANTED)


@pytest.mark.parametrize(("cell", "text"), [(1, "1"), (1.0, "1"), (1.5, "1.5"), (" 01 ", "01"), (None, "")])
def test_cells_as_text(cell: object, text: str) -> None:
    assert SheetRow("row 2", {"Subject": cell}).text("Subject") == text


@pytest.mark.parametrize(
    ("cell", "number"),
    [
        (46, 46),
        (46.0, 46),
        ("94.0", 94),
        ("94,0", 94),
        ("NaN", None),
        (" 46 ", 46),
        ("/", None),
        ("-", None),
        (None, None),
        (0, 0),
    ],
)
def test_frame_numbers(cell: object, number: int | None) -> None:
    assert SheetRow("row 2", {"Apex": cell}).frame("Apex") == number


@pytest.mark.parametrize("cell", ["46a", -3, 46.5, "46.5", "\\\\", True, "1e3", "\u0664", "9" * 10])
def test_invalid_frame_numbers_are_rejected(cell: object) -> None:
    with pytest.raises(DataError, match=r"row 2: Apex is .*, expected the number of a frame, or / for none"):
        SheetRow("row 2", {"Apex": cell}).frame("Apex")


@settings(deadline=None)  # it writes files: a busy disk is not a failure
@given(st.binary(max_size=300))
def test_any_csv_content_raises_data_error(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "any.csv"
    path.write_bytes(content)
    with pytest.raises(DataError):
        read_rows(path, WANTED)
