from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mexbench.data.duplicates import Pixels
from mexbench.data.perceptual_hash import perceptual_hash
from mexbench.errors import ProtocolError
from mexbench.evaluation.split_checks import check_folds, find_leaks
from mexbench.interfaces import Fold
from tests.helpers import sample
from tests.pictures import texture

SAMPLES = [
    sample("toy/p1/c1", label=0),
    sample("toy/p1/c2", label=1),
    sample("toy/p2/c1", label=0),
    sample("toy/p2/c2", label=1),
]
P1, P2 = ("toy/p1/c1", "toy/p1/c2"), ("toy/p2/c1", "toy/p2/c2")
CLASSES = ("negative", "positive")


def pixels(*digests: str, hashes: tuple[tuple[str, ...], ...] = ((), (), (), ())) -> Pixels:
    return Pixels(digests, hashes)


def test_disjoint_subjects_leak_nothing() -> None:
    folds = [Fold(name="1", train=P2, test=P1), Fold(name="2", train=P1, test=P2)]
    check_folds(folds, SAMPLES, CLASSES)
    assert find_leaks(folds, SAMPLES, pixels("a", "b", "c", "d")) == []


def test_a_subject_on_both_sides() -> None:
    (leak,) = find_leaks([Fold(name="f", train=(P1[0], *P2), test=(P1[1],))], SAMPLES)
    assert (leak.kind, leak.flag, leak.train, leak.test) == ("subject", "leak:subject", P1[0], P1[1])
    assert str(leak) == "fold 'f': subject 'toy/p1' on both sides: toy/p1/c1 trains, toy/p1/c2 tests"


def test_a_clip_on_both_sides() -> None:
    frames = [sample(f"toy/p1/c1#{i}", clip_id="toy/p1/c1", subject="toy/p1") for i in (1, 2)]
    result = find_leaks([Fold(name="f", train=("toy/p1/c1#1",), test=("toy/p1/c1#2",))], frames)
    assert {leak.flag for leak in result} == {"leak:subject", "leak:clip"}


def test_the_same_pixels_on_both_sides() -> None:
    (leak,) = find_leaks([Fold(name="f", train=P2, test=P1)], SAMPLES, pixels("a", "b", "b", "d"))
    assert (leak.kind, leak.train, leak.test) == ("duplicate", "toy/p2/c1", "toy/p1/c2")
    assert "the same pixels on both sides" in str(leak)


def test_the_same_pixels_on_one_side_leak_nothing() -> None:
    assert find_leaks([Fold(name="f", train=P2, test=P1)], SAMPLES, pixels("a", "a", "c", "c")) == []


def test_nearly_the_same_frame_on_both_sides() -> None:
    picture, other = texture(64, 80), texture(64, 80, seed=1)
    near, far = perceptual_hash(picture + np.uint8(picture < 250)), perceptual_hash(other)
    fold = Fold(name="f", train=P2, test=P1)
    hashes = (("", far), (perceptual_hash(picture),), (near, far[::-1]), ("",))
    (leak,) = find_leaks([fold], SAMPLES, pixels("a", "b", "c", "d", hashes=hashes))
    assert (leak.flag, leak.train, leak.test) == ("leak:near-duplicate", "toy/p2/c1", "toy/p1/c2")
    assert "nearly the same frame on both sides" in str(leak)
    # Equal pixels are told once, as what they are.
    (leak,) = find_leaks([fold], SAMPLES, pixels("a", "b", "b", "d", hashes=hashes))
    assert leak.kind == "duplicate"
    assert find_leaks([fold], SAMPLES, pixels("a", "b", "c", "d", hashes=(("",), (near,), (far,), ()))) == []


def test_a_sample_may_be_tested_once_in_each_repeat() -> None:
    folds = [Fold(name="repeat 1", train=P1, test=P2), Fold(name="repeat 2", train=P1, test=P2, repeat=1)]
    check_folds(folds, SAMPLES, CLASSES)
    with pytest.raises(ProtocolError, match="is tested in fold 'repeat 1' already"):
        check_folds([folds[0], replace(folds[1], repeat=0)], SAMPLES, CLASSES)
    with pytest.raises(ProtocolError, match=r"fold 'repeat 2' of repeat 19 must be called 'repeat 20\.\.\.'"):
        check_folds([folds[0], replace(folds[1], repeat=19)], SAMPLES, CLASSES)


def test_a_class_that_no_training_side_holds() -> None:
    samples = [*SAMPLES, sample("toy/p3/c1", label=2)]
    fold = Fold(name="f", train=P1, test=(*P2, "toy/p3/c1"))
    with pytest.raises(ProtocolError, match="no fold's training side holds the class 'rare'"):
        check_folds([fold], samples, (*CLASSES, "rare"))
    other = Fold(name="repeat 2", train=(*P1, "toy/p3/c1"), test=P2, repeat=1)
    check_folds([fold, other], samples, (*CLASSES, "rare"))


def test_a_sample_without_a_label_may_test_and_not_train() -> None:
    samples = [*SAMPLES, replace(SAMPLES[0], sample_id="new", label=None)]
    fold = Fold(name="f", train=tuple(sample.sample_id for sample in SAMPLES), test=("new",))
    check_folds([fold], samples, CLASSES)
    with pytest.raises(ProtocolError, match="fold 'f': new trains and has no label"):
        check_folds([replace(fold, train=(*fold.train[1:], "new"), test=fold.train[:1])], samples, CLASSES)


def test_without_subjects_clips_are_compared() -> None:
    free = [replace(result, subject=None) for result in SAMPLES]
    assert find_leaks([Fold(name="f", train=P1, test=P2)], free) == []


@pytest.mark.parametrize(
    ("folds", "message"),
    [
        ([], "gives no folds"),
        ([Fold(name="f", train=(), test=P1)], "fold 'f': its training side is empty"),
        ([Fold(name="f", train=P1, test=())], "fold 'f': its test side is empty"),
        ([Fold(name="f", train=P1, test=("toy/p9/c1",))], "names a sample that is not in the run: toy/p9/c1"),
        ([Fold(name="f", train=P1, test=(P1[0],))], "toy/p1/c1 stands on both sides"),
        ([Fold(name="f", train=(*P1, P1[0]), test=P2)], "a sample stands twice on one side"),
        ([Fold(name="f", train=P1, test=P2)] * 2, "two folds are called 'f'"),
        (
            [Fold(name="f", train=P1, test=P2), Fold(name="g", train=P1, test=P2)],
            "fold 'g': toy/p2/c1 is tested in fold 'f' already",
        ),
        (
            [Fold(name="f", train=("toy/p1/c1", "toy/p2/c1"), test=("toy/p1/c2",))],
            "its training side has one class, 'negative' (2 samples): nothing can be learned",
        ),
    ],
)
def test_folds_that_no_honest_score_can_come_from(folds: list[Fold], message: str) -> None:
    with pytest.raises(ProtocolError) as caught:
        check_folds(folds, SAMPLES, CLASSES)
    assert message in str(caught.value)
