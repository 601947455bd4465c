from __future__ import annotations

from mexbench.studies.au_clusters.published_table import (
    ABSENT,
    LITERALLY,
    NUMBERED,
    OPENED,
    SIDED,
    PublishedLine,
    compare,
    read_lines,
)


def units(text: str) -> frozenset[str]:
    return frozenset(text.split("+"))


def test_the_table_has_the_lines_of_the_paper() -> None:
    lines = read_lines()
    assert len(lines) == 43
    counts = {emotion: sum(line.emotion == emotion for line in lines) for emotion in {line.emotion for line in lines}}
    assert counts == {
        "happiness": 8, "surprise": 6, "anger": 9, "sadness": 4, "disgust": 6, "fear": 4, "contempt": 6,
    }  # fmt: skip
    by_name = {line.name: line.units for line in lines}
    assert by_name["Happiness_ME8"] == {"L12A", "25"}
    assert by_name["Surprise_ME6"] == {"1A", "2B", "14C"}
    assert by_name["Anger_ME5"] == {"4", "6", "7", "43"}
    assert by_name["Contempt_ME6"] == {"R12", "R14"}


def test_a_line_is_matched_at_the_closest_level() -> None:
    line = PublishedLine("Joy_ME1", "joy", units("L12A+25"))
    assert (line.sided, line.numbers) == ({"L12", "25"}, {"12", "25"})
    levels = [{"joy": {units("L12A+25"): 2}}, {"joy": {units("L12+25"): 3}}, {"joy": {units("12+25"): 5}}]
    other = {"joy": {units("4"): 1}, "rage": {units("12+25"): 1}}
    assert [(m.how, m.clips) for m in compare([line], *levels)] == [(LITERALLY, 2)]
    assert [(m.how, m.clips) for m in compare([line], other, levels[1], levels[2])] == [(SIDED, 3)]
    assert [(m.how, m.clips) for m in compare([line], other, other, levels[2])] == [(NUMBERED, 5)]
    (absent,) = compare([line], other, other, other)
    assert (absent.how, absent.clips, absent.elsewhere, absent.note) == (ABSENT, 0, ("rage",), "")
    nobody = {"rage": {units("12+25"): 1}}
    (silent,) = compare([line], nobody, nobody, nobody)
    assert (silent.how, silent.note) == (ABSENT, "no clip here has this emotion")


def test_alternatives_are_looked_up_opened_and_before_anything_is_dropped() -> None:
    line = PublishedLine("Contempt_ME4", "contempt", units("L12+L14"))
    raw = {"contempt": {frozenset({"L12 or L14"}): 2}}
    opened = {"contempt": {units("L12+L14"): 2}}
    (match,) = compare([line], raw, {}, {}, opened=opened)
    assert (match.how, match.clips, match.note) == (OPENED, 2, "")
    assert compare([line], raw, {}, {})[0].how == ABSENT
    (literal,) = compare([line], {"contempt": {units("L12+L14"): 1}}, {}, {}, opened=opened)
    assert (literal.how, literal.clips) == (LITERALLY, 1)


def test_an_emotion_that_the_classes_exclude_is_looked_up_and_named() -> None:
    line = PublishedLine("Fear_ME1", "fear", units("20"))
    excluded = "the chosen classes exclude this emotion from the clusters: 7 clips"
    (match,) = compare([line], {"fear": {units("20"): 3}}, {}, {}, excluded={"fear": 7})
    assert (match.how, match.clips, match.note) == (LITERALLY, 3, excluded)
    (unnamed,) = compare([line], {"anger": {units("4"): 1}}, {}, {}, excluded={"fear": 7})
    assert (unnamed.how, unnamed.note) == (ABSENT, f"no unit is named; {excluded}")
