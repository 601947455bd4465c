from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any, Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mexbench.errors import ProtocolError
from mexbench.evaluation.split_checks import check_folds, find_leaks
from mexbench.interfaces import Sample
from mexbench_plugins.protocols.holdout import Holdout
from mexbench_plugins.protocols.kfold import KFold
from tests.helpers import sample

Group = Literal["none", "clip", "subject"]
GROUPS: tuple[Group, ...] = ("none", "clip", "subject")


def people(rng: np.random.Generator, subjects: int, clips: int, frames: int = 1) -> list[Sample]:
    """Every class in every subject, so that no draw is hopeless; the rest by chance."""
    folds = []
    for subject in range(subjects):
        labels = [0, 1, *rng.integers(0, 2, size=rng.integers(0, clips))]
        for clip, label in enumerate(labels):
            name = f"toy/p{subject:02}/c{clip:02}"
            folds += [
                sample(f"{name}#{frame}", clip_id=name, subject=f"toy/p{subject:02}", label=int(label))
                for frame in range(frames)
            ]
    return folds


data = st.tuples(st.integers(0, 2**20), st.integers(4, 12), st.integers(1, 8), st.integers(1, 3))


@given(data, st.sampled_from(GROUPS), st.booleans(), st.integers(2, 4), st.integers(1, 3))
@settings(max_examples=120, deadline=None)
def test_kfold(drawn: tuple[int, ...], group: Group, stratified: bool, k: int, repeats: int) -> None:
    seed, subjects, clips, frames = drawn
    samples = people(np.random.default_rng(seed), subjects, clips, frames)
    protocol = KFold(k=k, repeats=repeats, stratified=stratified, group=group, seed=seed)
    folds = protocol.folds(samples)
    assert folds == protocol.folds(samples)
    assert len(folds) == k * repeats
    if stratified:
        check_folds(folds, samples, ("a", "b"))
    everyone = {s.sample_id for s in samples}
    for repeat in range(repeats):
        tested = [name for fold in folds if fold.repeat == repeat for name in fold.test]
        assert sorted(tested) == sorted(everyone)
    for fold in folds:
        assert set(fold.train) | set(fold.test) == everyone
    kinds = {leak.kind for leak in find_leaks(folds, samples)}
    assert kinds <= {"subject": set(), "clip": {"subject"}, "none": {"subject", "clip"}}[group]


@given(data, st.sampled_from(GROUPS), st.booleans(), st.floats(0.2, 0.5))
@settings(max_examples=120, deadline=None)
def test_holdout(drawn: tuple[int, ...], group: Group, stratified: bool, share: float) -> None:
    seed, subjects, clips, frames = drawn
    samples = people(np.random.default_rng(seed), subjects, clips, frames)
    protocol = Holdout(test_share=share, repeats=2, stratified=stratified, group=group, seed=seed)
    folds = protocol.folds(samples)
    assert folds == protocol.folds(samples)
    key = {"none": "sample_id", "clip": "clip_id", "subject": "subject"}[group]
    largest = max(Counter(getattr(s, key) for s in samples).values())
    for fold in folds:
        assert {*fold.train, *fold.test} == {s.sample_id for s in samples}
        sides = [{getattr(s, key) for s in samples if s.sample_id in side} for side in (fold.train, fold.test)]
        assert sides[0].isdisjoint(sides[1])
        if not stratified:  # a whole group more or less is as near as one can get
            assert abs(len(fold.test) - share * len(samples)) <= largest


@pytest.mark.parametrize("share", [0.3, 0.25, 0.2])
def test_frames_are_divided_as_the_papers_do(share: float) -> None:
    samples = [
        sample(f"toy/p{i % 7}/c{i % 20}#{i}", subject=f"toy/p{i % 7}", label=int(i % 5 == 0)) for i in range(1000)
    ]
    (fold,) = Holdout(test_share=share, group="none").folds(samples)
    labels = {s.sample_id: s.label for s in samples}
    assert len(fold.test) == pytest.approx(1000 * share, abs=1)
    assert sum(labels[name] for name in fold.test) == pytest.approx(200 * share, abs=1)  # type: ignore[misc]


def test_seeds_and_repeats_change_the_split() -> None:
    samples = people(np.random.default_rng(0), 20, 6)
    for cls in (Holdout, KFold):
        for group in GROUPS:
            tests = {fold.test for seed in range(3) for fold in cls(seed=seed, repeats=3, group=group).folds(samples)}
            assert len(tests) >= 0.8 * 9 * (1 if cls is Holdout else 5)  # whole subjects leave few ways


def test_subjects_are_dealt_so_that_classes_balance() -> None:
    """Twelve people, four of whom show one class alone: scikit-learn's splitter is the bar."""
    from sklearn.model_selection import StratifiedGroupKFold

    rng = np.random.default_rng(1)
    samples: list[Sample] = []
    for subject in range(24):
        odds = [1.0, 0, 0] if subject % 6 == 0 else list(rng.dirichlet([3, 1.5, 1]))
        labels = rng.choice(3, size=rng.integers(2, 14), p=odds)
        samples += [sample(f"toy/p{subject:02}/c{i}", label=int(label)) for i, label in enumerate(labels)]
    y = np.array([s.label for s in samples])
    groups = np.array([s.subject for s in samples])

    def unevenness(sides: list[Any]) -> float:
        counts = np.array([np.bincount(y[side], minlength=3) for side in sides])
        return float(((counts / counts.sum(axis=0) - 0.2) ** 2).sum())

    position = {s.sample_id: i for i, s in enumerate(samples)}
    for seed in range(5):
        ours = unevenness([[position[n] for n in fold.test] for fold in KFold(seed=seed).folds(samples)])
        peer = StratifiedGroupKFold(5, shuffle=True, random_state=seed)
        theirs = unevenness([test for _, test in peer.split(y, y, groups)])
        assert ours <= theirs


FEW = people(np.random.default_rng(0), 3, 2)
RARE = [replace(s, label=0, emotion="glad") if s.subject == "toy/p00" else replace(s, label=1) for s in FEW]


@pytest.mark.parametrize(
    ("protocol", "samples", "message"),
    [
        (KFold(k=4), FEW, "4 folds need at least 4 subjects, the data has 3"),
        (KFold(k=3), RARE, "the class of 'glad' occurs in 1 subject, too few for 3 folds that each hold it"),
        (Holdout(), RARE, "too few for a training and a test side that each hold it; choose 'stratified: false'"),
        (Holdout(test_share=0.01, stratified=False, group="subject"), FEW, "one side is empty"),
        (Holdout(test_share=1.5), FEW, "test_share must lie between 0 and 1, got 1.5"),
        (Holdout(group="subject"), [replace(s, subject=None) for s in FEW], "samples have no subject"),
        (KFold(k=2, group="clip"), FEW[:1], "2 folds need at least 2 clips, the data has 1"),
    ],
)
def test_impossible_splits_are_rejected(protocol: Holdout | KFold, samples: list[Sample], message: str) -> None:
    with pytest.raises(ProtocolError, match=message):
        protocol.folds(samples)


def test_only_subject_groups_are_subject_independent() -> None:
    assert [cls(group=group).subject_independent for cls in (Holdout, KFold) for group in GROUPS] == [
        False, False, True, False, False, True,
    ]  # fmt: skip
    assert [fold.name for fold in Holdout(repeats=2).folds(FEW)] == ["repeat 1", "repeat 2"]
    assert [fold.name for fold in KFold(k=2, repeats=2).folds(FEW)][2:] == ["repeat 2, fold 1", "repeat 2, fold 2"]
