"""A stored sub-division: what is written is read, and the nearest combination is that of hand and of the clusters."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mexbench.errors import ConfigError, DataError
from mexbench.files import write_json
from mexbench.interfaces import CodedActionUnits
from mexbench.studies.au_clusters import stored
from mexbench.studies.au_clusters.analysis import analyse
from mexbench.studies.au_clusters.stored import StoredCluster, StoredSubdivision

COMBINATIONS = {"happiness": ["12"] * 3 + ["6+12"] * 2, "disgust": ["4+7"] * 2 + ["4"] * 3 + ["9"]}


def analysed() -> Any:  # noqa: ANN401
    clips = [
        CodedActionUnits(clip_id=f"{emotion}{index}", emotion=emotion, cell=text, **dict.fromkeys(
            ("raw", "sided", "numbers", "opened"), frozenset(text.split("+"))
        ))
        for emotion, texts in COMBINATIONS.items() for index, text in enumerate(texts)
    ]  # fmt: skip
    return analyse("toy", clips, list(COMBINATIONS))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    analysis = analysed()
    level = next(level for level in analysis.levels if level.name == "numbers")
    write_json(tmp_path / stored.FILE, stored.as_json("toy", level))
    return tmp_path


def test_what_is_written_is_read(folder: Path) -> None:
    division = stored.read(folder)
    assert division.title == "toy (subdivision.json)"
    by_name = {cluster.name: dict(cluster.combinations) for cluster in division.clusters}
    assert by_name["Happiness_ME1"] == {frozenset({"12"}): 3}
    assert by_name["Disgust_ME1"] == {frozenset({"4"}): 3}
    assert stored.read(folder / stored.FILE).clusters == division.clusters


def test_flags_of_the_data_are_written_and_read(folder: Path) -> None:
    assert stored.read(folder).flags == ()
    level = next(level for level in analysed().levels if level.name == "numbers")
    write_json(folder / stored.FILE, stored.as_json("toy", level, ("synthetic",)))
    division = stored.read(folder)
    assert division.flags == division.restricted("disgust").flags == ("synthetic",)


def test_inside_an_emotion_it_is_the_cluster_that_the_clustering_assigns(folder: Path) -> None:
    division, fitted = stored.read(folder), analysed().levels[0].division
    for units in (["4"], ["4", "7"], ["9"], ["7"], ["4", "9"], ["6", "12"], ["12", "4"]):
        for emotion in COMBINATIONS:
            assert division.nearest(units, emotion) == fitted.assign(emotion, units).name


def test_among_all_emotions_distances_are_over_all_units(folder: Path) -> None:
    division = stored.read(folder)
    assert division.nearest(["12"]) == "Happiness_ME1"
    assert division.nearest(["6", "12", "15"]) == "Happiness_ME2"  # 15 is in no combination: as far from each
    assert division.nearest(["4", "7"]) == "Disgust_ME2"
    assert division.nearest([]) == ""
    assert division.nearest(["4"], "surprise") == ""  # an emotion without clusters
    only = division.restricted("Happiness")
    assert only.nearest(["4", "7"]) in {"Happiness_ME1", "Happiness_ME2"}
    assert only.nearest(["4", "7"], "disgust") == ""


def test_the_larger_of_two_equally_near_ones_is_taken() -> None:
    one, other = (
        StoredCluster(name, "happiness", ((frozenset({unit}), count),))
        for name, unit, count in (("a", "1", 2), ("b", "2", 5))
    )
    assert StoredSubdivision("toy", (one, other)).nearest(["1", "2"]) == "b"


PAPER = stored.published()


@settings(deadline=None, max_examples=30)
@given(st.sets(st.sampled_from(["1", "2", "4", "6", "7", "9", "12", "15"]), min_size=1))
def test_a_combination_of_the_paper_is_its_own_nearest(units: set[str]) -> None:
    name = PAPER.nearest(units)
    (cluster,) = [one for one in PAPER.clusters if one.name == name]
    least = min(len(units ^ combination) for one in PAPER.clusters for combination, _ in one.combinations)
    assert len(units ^ cluster.combinations[0][0]) == least


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"schema": 2}, "its schema is 2, expected 1"),
        ({"level": "sided"}, "its level is 'sided', and detectors know numbers alone"),
        ({"emotions": {}}, "it has 0 clusters"),
        ({"flags": "synthetic"}, "its flags are 'synthetic', expected a list of strings"),
        ({"emotions": {"x": {"clusters": {"X_ME1": [[["4"], 0]]}}}}, "cluster 'X_ME1' has no clips"),
        ({"emotions": {"x": {"clusters": {"X_ME1": 3}}}}, "not a sub-division"),
    ],
)
def test_other_files_are_refused(change: dict[str, Any], text: str, folder: Path) -> None:
    document = json.loads((folder / stored.FILE).read_text())
    write_json(folder / stored.FILE, {**document, **change})
    with pytest.raises(DataError, match=text):
        stored.read(folder)


def test_missing_files_and_unknown_emotions_are_named(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no subdivision.json; give the folder that 'bench analyse au-subdivision'"):
        stored.read(tmp_path / "nowhere")
    with pytest.raises(ConfigError, match="--units-of: unknown emotion 'joy'"):
        stored.read(folder).restricted("joy")
