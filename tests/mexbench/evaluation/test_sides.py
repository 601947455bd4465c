from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mexbench.data.duplicates import Pixels
from mexbench.data.perceptual_hash import NEAR_BITS, near_groups
from mexbench.errors import ProtocolError
from mexbench.evaluation.sides import SampleIndex, Sharers, side_digests
from mexbench.evaluation.split_checks import check_folds, find_leaks
from mexbench.fingerprint import digest
from mexbench.interfaces import AllExcept, Fold, Sample
from tests.helpers import sample

CLASSES = ("negative", "positive")
N_BITS = 255


def hash_of(bits: set[int]) -> str:
    return f"{sum(1 << bit for bit in bits):064x}"


def n_different(first: str, second: str) -> int:
    return (int(first, 16) ^ int(second, 16)).bit_count()


def plain_leaks(folds: list[Fold], samples: list[Sample], pixels: Pixels) -> list[tuple[str, str, str, str]]:
    """Compare every training sample with every test sample, as the kinds of leaks are defined."""
    leaks = []
    number = {one.sample_id: position for position, one in enumerate(samples)}
    subject = {one.sample_id: one.subject for one in samples}
    clip = {one.sample_id: one.clip_id for one in samples}
    raw = {one.sample_id: pixels.digests[number[one.sample_id]] for one in samples}
    for fold in folds:
        for kind, trait in (("subject", subject), ("clip", clip), ("duplicate", raw)):
            pairs = [
                (train, test)
                for test in fold.test
                for train in fold.train
                if trait[test] is not None and trait[train] == trait[test]
            ]
            leaks += [(kind, fold.name, *pair) for pair in pairs[:1]]
        near = [
            (train, test)
            for test in sorted(fold.test, key=number.__getitem__)
            for right in pixels.hashes[number[test]]
            for train in sorted(fold.train, key=number.__getitem__)
            for left in pixels.hashes[number[train]]
            if left and right and n_different(left, right) <= NEAR_BITS and raw[train] != raw[test]
        ]
        leaks += [("near-duplicate", fold.name, *pair) for pair in near[:1]]
    return leaks


@st.composite
def runs(draw: st.DrawFn) -> tuple[list[Fold], list[Sample], Pixels]:
    count = draw(st.integers(2, 9))
    few = st.sampled_from("abc")
    centres = draw(st.lists(st.sets(st.integers(0, N_BITS), max_size=40), min_size=1, max_size=3))

    def look() -> str:
        centre, flipped = draw(st.sampled_from(centres)), draw(st.sets(st.integers(0, N_BITS), max_size=NEAR_BITS))
        return hash_of(centre ^ flipped) if draw(st.booleans()) else ""

    samples = [
        sample(f"toy/{i}", clip_id=draw(few) if draw(st.booleans()) else f"c{i}", subject=draw(st.none() | few))
        for i in range(count)
    ]
    digests = tuple(draw(few) if draw(st.booleans()) else f"d{i}" for i in range(count))
    hashes = tuple(tuple(look() for _ in range(draw(st.integers(0, 2)))) for _ in range(count))
    ids = tuple(one.sample_id for one in samples)
    folds = []
    for number in range(draw(st.integers(1, 3))):
        side = [draw(st.sampled_from(["train", "test", "neither"])) for _ in ids]
        order = draw(st.permutations(range(count)))
        test = tuple(ids[i] for i in order if side[i] == "test")
        held_out = frozenset(i for i in range(count) if side[i] != "train")
        train = tuple(ids[i] for i in order if side[i] == "train")
        folds.append(
            Fold(name=str(number), train=AllExcept(ids, held_out) if draw(st.booleans()) else train, test=test)
        )
    return folds, samples, Pixels(digests, hashes)


@given(runs())
def test_leaks_equal_those_of_comparing_every_pair(run: tuple[list[Fold], list[Sample], Pixels]) -> None:
    folds, samples, pixels = run
    leaks = [(leak.kind, leak.fold, leak.train, leak.test) for leak in find_leaks(folds, samples, pixels)]
    assert leaks == plain_leaks(folds, samples, pixels)


@given(st.lists(st.sampled_from(["a", "b", "c", None]), min_size=1, max_size=12), st.data())
def test_sharers_equal_those_of_comparing_every_pair(traits: list[str | None], data: st.DataObject) -> None:
    others = np.array(data.draw(st.lists(st.booleans(), min_size=len(traits), max_size=len(traits))))
    items = data.draw(st.permutations(np.flatnonzero(~others).tolist()))
    expected = [i for i in items if any(others[j] and traits[i] == traits[j] is not None for j in range(len(traits)))]
    assert Sharers.of(traits).shared(np.array(items, np.intp), others).tolist() == expected


@given(st.lists(st.sets(st.integers(0, N_BITS), max_size=12), min_size=1, max_size=12))
def test_groups_of_near_duplicates_are_those_of_all_pairs(hashes: list[set[int]]) -> None:
    words = np.frombuffer(bytes.fromhex("".join(map(hash_of, hashes))), np.uint64).reshape(-1, 4)
    groups = list(range(len(hashes)))
    for i, one in enumerate(hashes):
        for j, other in enumerate(hashes):
            if len(one ^ other) <= NEAR_BITS:
                groups = [groups[i] if group == groups[j] else group for group in groups]
    ours = near_groups(words).tolist()
    pairs = [(i, j) for i in range(len(hashes)) for j in range(len(hashes))]
    assert [ours[i] == ours[j] for i, j in pairs] == [groups[i] == groups[j] for i, j in pairs]


def test_eight_bits_in_eight_bands_are_near_and_nine_in_nine_are_not() -> None:
    words = np.zeros((3, 4), np.uint64)
    words.view(np.uint8).reshape(3, 32)[1, 0] = 0xFF
    words.view(np.uint8).reshape(3, 32)[2, :2] = 0xFF, 0x80  # the nine differ in one bit of each band
    groups = near_groups(words[[0, 1]]), near_groups(words[[0, 2]]), near_groups(words)
    assert [one.tolist() for one in groups] == [[0, 0], [0, 1], [0, 0, 0]]


@given(runs())
def test_fingerprints_of_sides_are_the_digests_of_their_sorted_ids(
    run: tuple[list[Fold], list[Sample], Pixels],
) -> None:
    folds, samples, _ = run
    samples = [replace(one, sample_id=f'{one.sample_id} "é\n') for one in samples]
    folds = [
        Fold(name=fold.name, train=tuple(f'{i} "é\n' for i in fold.train), test=tuple(f'{i} "é\n' for i in fold.test))
        for fold in folds
    ]
    expected = {fold.name: digest([sorted(fold.train), sorted(fold.test)]) for fold in folds}
    assert side_digests(folds, SampleIndex([one.sample_id for one in samples])) == expected


@given(st.lists(st.text(max_size=3), unique=True, max_size=8), st.data())
def test_all_except_equals_a_filtered_tuple(ids: list[str], data: st.DataObject) -> None:
    excluded = data.draw(st.frozensets(st.sampled_from(range(len(ids)))) if ids else st.just(frozenset()))
    rest = tuple(name for position, name in enumerate(ids) if position not in excluded)
    side = AllExcept(tuple(ids), excluded)
    assert (tuple(side), len(side), side[1:]) == (rest, len(rest), rest[1:])
    index = SampleIndex(sorted(ids))
    assert [index.ids[position] for position in index.positions(side)] == list(rest)


@pytest.mark.parametrize(
    ("train", "message"),
    [
        (AllExcept(("toy/p1/c1", "toy/p1/c2", "toy/p2/c1"), frozenset({0, 1, 2})), "training side is empty"),
        (AllExcept(("toy/p1/c1", "toy/p1/c2", "toy/p2/c1"), frozenset({2})), "toy/p1/c1 stands on both sides"),
        (AllExcept(("toy/p1/c2", "toy/p9/c1"), frozenset()), "names a sample that is not in the run: toy/p9/c1"),
    ],
)
def test_sides_that_leave_some_out_are_checked_like_lists(train: AllExcept, message: str) -> None:
    samples = [sample("toy/p1/c1", label=0), sample("toy/p1/c2", label=1), sample("toy/p2/c1", label=0)]
    with pytest.raises(ProtocolError, match=message):
        check_folds([Fold(name="f", train=train, test=("toy/p1/c1",))], samples, CLASSES)
