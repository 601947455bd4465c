from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mexbench.studies.au_clusters.clustering import Group, Subdivision, format_units, subdivide


def sets(*texts: str) -> list[frozenset[str]]:
    """``6+12 x3`` is three clips that show units 6 and 12."""
    result = []
    for text in texts:
        units, _, times = text.partition(" x")
        result += [frozenset(units.split("+"))] * int(times or 1)
    return result


def only(*texts: str, cap: int = 10) -> Group:
    return subdivide({"joy": sets(*texts)}, cap=cap).groups["joy"]


def combinations(group: Group) -> dict[str, dict[str, int]]:
    return {c.name: {"+".join(sorted(units)): n for units, n in c.combinations} for c in group.clusters}


def test_two_groups_of_units_and_their_silhouette_match_values_computed_by_hand() -> None:
    # Clips at a distance of 1 inside a part, and of 2 or the root of 5 between the parts.
    result = subdivide({"joy": sets("1+2 x2", "1+2+5", "6+12 x4")}, cap=2).groups["joy"]
    assert combinations(result) == {"Joy_ME1": {"12+6": 4}, "Joy_ME2": {"1+2": 2, "1+2+5": 1}}
    near = np.sqrt(5)
    twins = 1 - 0.5 / 2  # each: 0 to its twin and 1 to the third clip, mean 0.5; 2 to the other part
    single = 1 - 1 / near
    far = 1 - 0 / ((2 + 2 + near) / 3)
    (tried,) = result.tried
    assert tried.silhouette == pytest.approx((2 * twins + single + 4 * far) / 7)
    assert (tried.k, tried.lowest, tried.highest) == (2, tried.silhouette, tried.silhouette)
    assert result.by_seed == (2,) * 10
    assert result.units == ("1", "2", "5", "6", "12")
    assert result.clusters[1].centre == pytest.approx((1, 1, 1 / 3, 0, 0))


def test_k_has_the_highest_silhouette_and_the_smaller_wins_among_equals() -> None:
    result = only("1 x5", "2 x5", "4 x5")
    # K = 2: five clips alone score 1; of the ten together each has four twins, and five as far as the next part is.
    assert [tried.silhouette for tried in result.tried] == pytest.approx([(5 * 1 + 10 * (1 - 5 / 9)) / 15, 1])
    assert len(result.clusters) == 3
    assert result.tried[-1].k == 3  # no more than there are different combinations


def test_silhouettes_equal_those_of_scikit_learn() -> None:
    from sklearn.metrics import silhouette_score

    group = only("1+2 x6", "1 x3", "2 x2", "4+7 x5", "4 x4", "12")
    place = {units: number for number, cluster in enumerate(group.clusters) for units, _ in cluster.combinations}
    vectors = [[unit in units for unit in group.units] for units in group.combinations]
    counts = list(group.combinations.values())
    x = np.repeat(np.array(vectors, float), counts, axis=0)
    labels = np.repeat([place[units] for units in group.combinations], counts)
    chosen = next(tried for tried in group.tried if tried.k == len(group.clusters))
    assert chosen.silhouette == pytest.approx(silhouette_score(x, labels))
    assert chosen.silhouette == max(tried.silhouette for tried in group.tried)


@pytest.mark.parametrize(
    ("texts", "why"),
    [
        (["12"], "one clip"),
        (["12 x4"], "all clips show the same units"),
        (["12", "4"], "two clips: a silhouette needs three"),
    ],
)
def test_too_few_clips_form_one_cluster_with_the_reason(texts: list[str], why: str) -> None:
    result = only(*texts)
    assert (len(result.clusters), result.tried, result.by_seed, result.why_one) == (1, (), (), why)
    assert result.clips == len(sets(*texts))


def test_fewer_different_sets_than_clusters_and_fewer_clips_than_the_cap() -> None:
    assert [tried.k for tried in only("1 x3", "2 x3").tried] == [2]
    assert [tried.k for tried in only("1", "2", "4", "5").tried] == [2, 3]  # a silhouette needs a cluster with two
    alike = only("1", "2", "4", "5")  # each is as far from every other
    assert [tried.silhouette for tried in alike.tried] == [0, 0]
    assert (len(alike.clusters), alike.why_one) == (1, "no K has a silhouette above 0")
    assert [tried.k for tried in only("1", "2", "4", "5", cap=2).tried] == [2]
    assert only("1", "2", "4", cap=1).why_one == "no more than one cluster is asked for"
    assert subdivide({"joy": [], "rage": sets("4")}).groups.keys() == {"rage"}


@settings(deadline=None, max_examples=20)
@given(st.lists(st.frozensets(st.sampled_from(["1", "2", "4", "6", "12"]), min_size=1), min_size=1, max_size=12))
def test_every_clip_is_clustered_whatever_the_order(found: list[frozenset[str]]) -> None:
    group = subdivide({"joy": found}, cap=4, seeds=(0, 1)).groups["joy"]
    assert Counter(group.combinations) == Counter(found)
    assert [cluster.clips for cluster in group.clusters] == sorted((c.clips for c in group.clusters), reverse=True)
    assert subdivide({"joy": found}, cap=4, seeds=(0, 1)).groups["joy"] == group


def division() -> Subdivision:
    return subdivide({"joy": sets("12 x3", "6+12 x2", "14 x2"), "rage": sets("4 x3")})


def test_a_new_vector_goes_to_the_nearest_centre() -> None:
    result = division()
    assert combinations(result.groups["joy"]) == {"Joy_ME1": {"12": 3}, "Joy_ME2": {"12+6": 2}, "Joy_ME3": {"14": 2}}
    assert result.assign("joy", {"12"}).name == "Joy_ME1"
    assert result.assign("joy", {"6", "12"}).distance == 0
    assert result.assign("joy", {"6"}).name == "Joy_ME2"
    assert result.assign("joy", {"14", "17", "1"}) == result.assign("joy", {"14"}).__class__("Joy_ME3", 0, ("1", "17"))
    assert result.assign("joy", set()).name == "Joy_ME1"  # as near to ME3: the larger wins
    with pytest.raises(KeyError):
        result.assign("boredom", {"12"})


def test_every_clip_is_nearest_to_its_own_cluster() -> None:
    result = division()
    for name, group in result.groups.items():
        for cluster in group.clusters:
            assert {result.assign(name, units).name for units, _ in cluster.combinations} == {cluster.name}


def test_units_are_written_as_the_paper_does() -> None:
    assert format_units({"12", "L6", "2"}) == "{AU2, AUL6, AU12}"
    assert format_units({"soft focus", "R14B"}) == "{AUR14B, soft focus}"
