from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mexbench.errors import DataError
from mexbench_plugins.datasets.generated_flow import GeneratedFlow
from mexbench_plugins.models.generated_flow_svm import GeneratedFlowSVM
from mexbench_plugins.synth.motion import hand_made
from mexbench_plugins.synth.motion.fields import encode
from tests.mexbench_plugins.synth.flow import CLASSES, write_pack


def flow(seed: int, each: int = 15) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    pictures = [encode(hand_made.sample(label, each, rng)) for label in CLASSES]
    return np.concatenate(pictures)[:, None], np.repeat(np.arange(3), each)


@pytest.mark.parametrize(
    ("generator", "training"),
    [("hand_made", "generated"), ("hand_made", "both"), ("learned", "generated"), ("learned", "both")],
)  # fmt: skip
def test_generated_flow_teaches_what_real_flow_shows(generator: str, training: str) -> None:
    x, y = flow(0)
    tested, truth = flow(1, each=30)
    model = GeneratedFlowSVM(generator=generator, training=training, per_class=40, steps=300)  # type: ignore[arg-type]
    predictor = model.fit(x, y, n_classes=3, groups=np.repeat("a", len(y)), seed=0)
    assert (predictor(tested).argmax(1) == truth).mean() > 0.6


def test_the_learned_generator_sees_the_training_side_alone() -> None:
    """The same clips give the same predictor, and other clips of the same classes another one."""
    x, y = flow(0)
    groups = np.repeat("a", len(y))
    model = GeneratedFlowSVM(training="generated", per_class=10, steps=50)
    tested, _ = flow(1)
    one, same = (model.fit(x, y, n_classes=3, groups=groups, seed=0)(tested) for _ in range(2))
    other = model.fit(flow(2)[0], y, n_classes=3, groups=groups, seed=0)(tested)
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)


def test_hand_made_flow_alone_ignores_the_training_clips() -> None:
    x, y = flow(0)
    groups = np.repeat("a", len(y))
    model = GeneratedFlowSVM(generator="hand_made", training="generated", per_class=10)
    tested, _ = flow(1)
    assert np.array_equal(
        model.fit(x, y, n_classes=3, groups=groups, seed=0)(tested),
        model.fit(255 - x, y, n_classes=3, groups=groups, seed=0)(tested),
    )


def test_an_absent_class_is_not_generated() -> None:
    x, y = flow(0)
    keep = y != 1
    model = GeneratedFlowSVM(generator="hand_made", per_class=10)
    predictor = model.fit(x[keep], y[keep], n_classes=3, groups=np.repeat("a", keep.sum()), seed=0)
    assert 1 not in predictor(flow(1)[0]).argmax(1)


def test_other_samples_and_other_classes_are_refused() -> None:
    with pytest.raises(DataError, match=r"needs flow pictures \(1, 28, 28, 3\).*maps: \[onset_apex\]"):
        GeneratedFlowSVM().check((4, 28, 28, 3))
    x, y = flow(0)
    with pytest.raises(DataError, match="class_names: negative, positive, surprise: the run has 5 classes"):
        GeneratedFlowSVM(generator="hand_made").fit(x, y, n_classes=5, groups=np.repeat("a", len(y)), seed=0)


def test_the_data_set_is_the_same_each_time_and_free_or_learned(tmp_path: Path) -> None:
    data = GeneratedFlow(clips=4)
    samples = data.samples()
    assert [sample.sample_id for sample in samples[:5]] == [
        *(f"generated_hand_made/negative-000{index}" for index in range(4)), "generated_hand_made/positive-0000",
    ]  # fmt: skip
    one, again, other = (made.load(samples[5]).frames for made in (data, GeneratedFlow(clips=4), GeneratedFlow(seed=1)))
    assert (one.shape, one.dtype) == ((1, 28, 28, 3), np.uint8)
    assert np.array_equal(one, again)
    assert not np.array_equal(one, other)
    root = write_pack(tmp_path / "pack", subjects=3)
    learned = GeneratedFlow(generator="learned", root=root, expect="any", clips=2, members=("casme2",))
    assert {sample.dataset for sample in learned.samples()} == {"generated_learned"}
    assert learned.load(learned.samples()[0]).frames.shape == (1, 28, 28, 3)
    with pytest.raises(ValueError, match="learned needs 'root'"):
        GeneratedFlow(generator="learned")
    with pytest.raises(ValueError, match="hand_made learns from nothing"):
        GeneratedFlow(root=root)
