from __future__ import annotations

from pathlib import Path

import pytest

from mexbench.errors import DataError
from mexbench.interfaces import CodedActionUnits
from mexbench.studies.au_clusters.analysis import Analysis, analyse
from mexbench.studies.au_clusters.page import assigned, markdown


def clip(
    name: str, emotion: str | None, raw: str, sided: str | None = None, numbers: str | None = None
) -> CodedActionUnits:
    def tokens(text: str) -> frozenset[str]:
        return frozenset(text.split("+")) if text else frozenset()

    sided = raw if sided is None else sided
    return CodedActionUnits(
        clip_id=name, emotion=emotion, cell=raw or "?", raw=tokens(raw), sided=tokens(sided),
        numbers=tokens(sided if numbers is None else numbers), opened=tokens(raw.replace(" or ", "+")),
    )  # fmt: skip


CLIPS = [
    *(clip(f"a{i}", "happiness", "12") for i in range(3)),
    *(clip(f"b{i}", "happiness", "L12A", "L12", "12") for i in range(2)),
    clip("c", "happiness", "L12 or L14", "", ""),
    clip("d", "happiness", ""),
    *(clip(f"e{i}", "anger", "4+7") for i in range(2)),
    clip("f", "boredom", "4"),
    clip("g", None, ""),
]


def found() -> Analysis:
    return analyse("toy", CLIPS, ["happiness", "anger", "fear"])


def test_unusable_cells_are_counted_and_named() -> None:
    analysis = found()
    assert analysis.cells == 11
    assert [one.clip_id for one in analysis.unknown] == ["d", "g"]
    assert analysis.other == {"boredom": 1, "": 1}
    raw, sided, numbers, opened = analysis.levels
    assert opened.counts()["happiness"][frozenset({"L12", "L14"})] == 1
    assert [len(level.coded["happiness"]) for level in analysis.levels] == [6, 5, 5, 6]
    assert [[one.clip_id for one in level.uncertain] for level in analysis.levels] == [[], ["c"], ["c"], []]
    assert raw.counts()["happiness"] == {frozenset({"12"}): 3, frozenset({"L12A"}): 2, frozenset({"L12 or L14"}): 1}
    assert numbers.counts()["happiness"] == {frozenset({"12"}): 5}
    assert analysis.same_as(sided) is None
    page = markdown(analysis)
    for text in (
        "- 11 cells read",
        "no unit is named, excluded: 2 cells: d ('?'), g ('?')",
        "- of another emotion, excluded: (blank) 1, boredom 1",
        "With a unit in doubt, excluded here: 1 cell: c ('L12 or L14').",
        "| Happiness_ME1 | 3       | {AU12} x 3",
        "all clips show the same units",
        "| fear      | 0       | 0 ",
        "| Happiness_ME2       | {AU12}                | literally ",
        "| Anger_ME2           | {AU4, AU7}            | literally ",
        "| Fear_ME1            | {AU20}                | absent ",
        "K from 2 to 10 by the mean silhouette over clips, the smaller K among equals; seeds 0, 1, 2, 3, 4, 5, 6, 7",
    ):
        assert text in page, text


def test_equal_levels_are_written_once() -> None:
    analysis = analyse("toy", [one for one in CLIPS if one.clip_id[0] in "ae"], ["happiness", "anger"])
    assert [analysis.same_as(level) for level in analysis.levels] == [None, *[analysis.levels[0]] * 3]
    assert markdown(analysis).count("Every clip has the same units as under *raw token*") == 3


def test_emotions_without_coded_clips_are_rejected() -> None:
    with pytest.raises(DataError, match="none of its 11 clips has a coded action unit and one of the emotions"):
        analyse("toy", CLIPS, ["proud"])


def test_new_vectors_are_assigned_to_the_nearest_cluster(tmp_path: Path) -> None:
    raw, _, numbers, _ = found().levels
    path = tmp_path / "new.csv"
    path.write_text("clip_id,emotion,AU04_c,AU12_c,AU45_c,note\nx,Happiness,0,1,1,\ny,anger,1.0,0,0,\nz,anger,0,0,0,\n")
    assert assigned(path, numbers).splitlines() == [
        "clip_id,emotion,units,cluster,distance,unseen",
        'x,happiness,"{AU12, AU45}",Happiness_ME1,0.0000,45',
        "y,anger,{AU4},Anger_ME1,1.0000,",
        "z,anger,{},,,",
    ]
    path.write_text("clip_id,emotion,AUL12A,AU12\nx,happiness,1,0\ny,happiness,0,1\n")
    assert [line.split(",")[3] for line in assigned(path, raw).splitlines()[1:]] == ["Happiness_ME2", "Happiness_ME1"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("clip_id,AU4\nx,1\n", "lacks the columns emotion; it has clip_id, AU4"),
        ("clip_id,emotion\nx,anger\n", r"lacks the columns AU\.\.\."),
        ("clip_id,emotion,AU4\nx,fear,1\n", "line 2: unknown emotion 'fear'; choose from: anger, happiness"),
        ("clip_id,emotion,AU4\nx,anger,0.5\n", "line 2: AU4 is '0.5', expected 0 or 1"),
        ("clip_id,emotion,AU4\nx,anger,yes\n", "line 2: AU4 is 'yes', expected 0 or 1"),
        ("clip_id,emotion,AU4\nx,anger\n", "line 2: has another number of cells"),
    ],
)
def test_invalid_vectors_are_rejected_with_the_line(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "new.csv"
    path.write_text(text)
    with pytest.raises(DataError, match=message):
        assigned(path, found().levels[2])
