"""What protocols promise."""

from __future__ import annotations

from collections.abc import Iterator

from mexbench.evaluation.split_checks import check_folds, find_leaks
from mexbench.interfaces import Protocol, Sample
from mexbench.testing.checks import check

CLASSES = ("negative", "positive", "surprise")


def examples() -> list[Sample]:
    """Return labelled samples of two datasets, four subjects each, with frames of one clip among them.

    The fourth subject of each is the test part of a published split.
    """
    samples = []
    for dataset in ("casme2", "smic"):
        for subject in range(4):
            for clip in range(6):
                name = f"{dataset}/s{subject}/c{clip}"
                label = (clip + subject) % len(CLASSES)
                samples += [
                    Sample(
                        sample_id=f"{name}#{frame}",
                        clip_id=name,
                        subject=f"{dataset}/s{subject}",
                        dataset=dataset,
                        emotion=CLASSES[label],
                        label=label,
                        part="test" if subject == 3 else "train",
                    )
                    for frame in (1, 2)
                ]
    return samples


@check("gives folds that can be scored honestly")
def folds(protocol: Protocol) -> Iterator[str]:
    """Let the engine's own inspection look at them."""
    samples = examples()
    folds = protocol.folds(samples)
    check_folds(folds, samples, CLASSES)
    if protocol.subject_independent:
        yield from (str(leak) for leak in find_leaks(folds, samples))


@check("gives the same folds every time")
def deterministic(protocol: Protocol) -> Iterator[str]:
    """Ask twice."""
    if list(protocol.folds(examples())) != list(protocol.folds(examples())):
        yield "the second time the folds are others"


CHECKS = (folds, deterministic)
