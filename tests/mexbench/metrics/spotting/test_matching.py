"""Intersection over union of whole frames and one-to-one matching, against cases worked out by hand."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mexbench.interfaces.spotting import ScoredInterval
from mexbench.metrics.spotting.matching import iou, match


def span(onset: int, offset: int) -> ScoredInterval:
    return ScoredInterval(onset=onset, offset=offset, kind="micro")


def test_iou_counts_whole_frames_with_both_ends() -> None:
    truth = [span(10, 19)]
    predicted = [span(10, 19), span(15, 24), span(19, 28), span(20, 29), span(0, 100)]
    assert iou(truth, predicted)[0].tolist() == pytest.approx([1, 5 / 15, 1 / 19, 0, 10 / 101])


def test_half_an_overlap_counts_and_a_frame_less_does_not() -> None:
    assert match([span(1, 10)], [span(6, 10)]) == [(0, 0)]
    assert match([span(1, 10)], [span(7, 10)]) == []
    assert match([span(1, 10)], [span(8, 10)], threshold=0.3) == [(0, 0)]


def test_optimal_matching_finds_a_pair_that_the_greedy_order_misses() -> None:
    # The first prediction overlaps both true intervals, the second only the first: the greedy order wastes it.
    truth = [span(0, 9), span(2, 13)]
    predicted = [span(1, 10), span(0, 7)]
    assert match(truth, predicted, matching="greedy") == [(0, 0)]
    assert match(truth, predicted) == [(0, 1), (1, 0)]


def test_among_pairings_of_equal_number_the_greater_overlap_wins() -> None:
    assert match([span(0, 9)], [span(0, 5), span(0, 8)]) == [(0, 1)]
    assert match([span(0, 9)], [span(0, 5), span(0, 8)], matching="greedy") == [(0, 0)]


def test_nothing_matches_nothing() -> None:
    assert match([], [span(0, 1)]) == match([span(0, 1)], []) == []


SPANS = st.lists(st.builds(lambda onset, length: span(onset, onset + length), st.integers(0, 30), st.integers(0, 12)),
                 max_size=5)  # fmt: skip


@given(SPANS, SPANS, st.sampled_from([0.3, 0.5, 0.7]))
def test_optimal_matching_is_the_best_of_all_pairings(
    truth: list[ScoredInterval], predicted: list[ScoredInterval], threshold: float
) -> None:
    overlap = iou(truth, predicted)
    best = (0, 0.0)
    short, long = sorted([len(truth), len(predicted)])
    for places in itertools.permutations(range(long), short):
        cells = [(i, j) if len(truth) == short else (j, i) for i, j in enumerate(places)]
        hits = [overlap[cell] for cell in cells if overlap[cell] >= threshold]
        best = max(best, (len(hits), round(sum(hits), 9)))
    pairs = match(truth, predicted, threshold=threshold)
    assert (len(pairs), pytest.approx(sum(overlap[pair] for pair in pairs))) == best
    assert len({i for i, _ in pairs}) == len({j for _, j in pairs}) == len(pairs)
    assert len(pairs) >= len(match(truth, predicted, threshold=threshold, matching="greedy"))
