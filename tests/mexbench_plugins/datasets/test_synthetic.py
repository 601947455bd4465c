from __future__ import annotations

import numpy as np

from mexbench_plugins.datasets.synthetic import EMOTIONS, Synthetic


def stack(data: Synthetic) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    samples = data.samples()
    x = np.concatenate([data.load(s).frames for s in samples])
    return x, np.array([s.subject for s in samples]), np.array([EMOTIONS.index(str(s.emotion)) for s in samples])


def test_size_and_flag() -> None:
    data = Synthetic(subjects=4, clips=5, features=7)
    x, subjects, _ = stack(data)
    assert x.shape == (20, 7)
    assert x.dtype == np.float32
    assert sorted(set(subjects)) == [f"synthetic/s0{i}" for i in range(1, 5)]
    assert data.flags() == ("synthetic",)


def test_subjects_differ_more_than_emotions() -> None:
    x, subjects, emotions = stack(Synthetic(subjects=30, clips=40))

    def between(groups: np.ndarray) -> float:
        means = np.stack([x[groups == g].mean(axis=0) for g in np.unique(groups)])
        return float(means.var(axis=0, ddof=1).mean())

    assert between(subjects) > 4 * between(emotions) > 0.2
    distances = np.linalg.norm(x[:, None] - x[None], axis=2)
    np.fill_diagonal(distances, np.inf)
    assert (subjects[distances.argmin(axis=1)] == subjects).mean() > 0.99


def test_seed_determines_the_data_set() -> None:
    one, same, other = (stack(Synthetic(subjects=3, clips=4, seed=seed))[0] for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert not np.array_equal(one, other)


def test_a_clip_does_not_depend_on_how_many_there_are() -> None:
    few, many = Synthetic(subjects=2, clips=3), Synthetic(subjects=5, clips=3)
    for sample in few.samples():
        np.testing.assert_array_equal(few.load(sample).frames, many.load(sample).frames)
