from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mexbench_plugins.protocols.loso import LOSO
from tests.helpers import sample


@given(st.lists(st.sampled_from("abcde"), min_size=2, max_size=30).filter(lambda subjects: len(set(subjects)) > 1))
def test_every_sample_is_tested_once_by_models_of_other_subjects(subjects: list[str]) -> None:
    samples = [sample(f"toy/{subject}/{index}") for index, subject in enumerate(subjects)]
    folds = LOSO().folds(samples)
    assert [fold.name for fold in folds] == sorted({f"toy/{subject}" for subject in subjects})
    assert sorted(name for fold in folds for name in fold.test) == sorted(s.sample_id for s in samples)
    for fold in folds:
        assert {name.rpartition("/")[0] for name in fold.test} == {fold.name}
        assert fold.name not in {name.rpartition("/")[0] for name in fold.train}
        assert len(fold.train) + len(fold.test) == len(samples)
