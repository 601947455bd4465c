from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, GroupKFold
from sklearn.svm import SVC

from mexbench.adapters import as_model, default_name
from mexbench.adapters.sklearn import EstimatorModel, seeded

X = np.array([[[0.0]], [[1.0]], [[2.0]], [[3.0]], [[4.0]], [[5.0]]])
Y = np.array([0, 0, 2, 2, 3, 3])
GROUPS = np.array(["a", "b", "a", "b", "a", "b"])


def fit(model: EstimatorModel, y: np.ndarray = Y, n_classes: int = 4, seed: int = 0):  # noqa: ANN201
    return model.fit(X, y, n_classes=n_classes, groups=GROUPS, seed=seed)


def test_columns_are_aligned_by_the_classes_that_trained() -> None:
    model = EstimatorModel(LogisticRegression(C=100))
    scores = fit(model)(X)
    own = LogisticRegression(C=100).fit(X[:, 0], Y).predict_proba(X[:, 0])
    np.testing.assert_allclose(scores[:, [0, 2, 3]], own)
    assert (scores[:, 1] < 0).all()
    assert list(scores.argmax(axis=1)) == list(Y)


def test_a_single_class_needs_no_estimator() -> None:
    scores = fit(EstimatorModel(LogisticRegression()), np.full(6, 2))(X)
    assert list(scores.argmax(axis=1)) == [2] * 6


class Threshold(LogisticRegression):
    """Says 3 whenever its probability is above a tenth: not the highest probability."""

    def predict(self, X: np.ndarray) -> np.ndarray:
        return np.where(self.predict_proba(X)[:, 2] > 0.1, 3, super().predict(X))


def test_the_highest_score_is_what_predict_says() -> None:
    estimator = Threshold()
    predictor = fit(EstimatorModel(estimator))
    expected = Threshold().fit(X[:, 0], Y).predict(X[:, 0])
    assert list(predictor(X).argmax(axis=1)) == list(expected)
    assert list(expected) != list(LogisticRegression().fit(X[:, 0], Y).predict(X[:, 0]))


def test_a_tie_goes_to_what_predict_says() -> None:
    class Second(LogisticRegression):
        def predict_proba(self, X: np.ndarray) -> np.ndarray:
            return np.full((len(X), 3), 1 / 3)

        def predict(self, X: np.ndarray) -> np.ndarray:
            return np.full(len(X), 2)

    scores = fit(EstimatorModel(Second()))(X)
    assert (scores.argmax(axis=1) == 2).all()
    np.testing.assert_allclose(scores[:, [0, 2, 3]], 1 / 3)


def test_two_classes_by_decision_function() -> None:
    y = np.array([0, 0, 0, 1, 1, 1])
    scores = fit(EstimatorModel(SVC(kernel="linear")), y, n_classes=2)(X)
    margin = SVC(kernel="linear").fit(X[:, 0], y).decision_function(X[:, 0])
    np.testing.assert_allclose(scores, np.stack([-margin, margin], axis=1))


def test_action_units_are_told_by_one_estimator_each() -> None:
    units = np.array([[False, True, i >= 3] for i in range(6)])
    for estimator in (LogisticRegression(C=100), SVC(kernel="linear")):
        scores = EstimatorModel(estimator).fit_action_units(X, units, groups=GROUPS, seed=0)(X)
        assert ((scores >= 0) & (scores <= 1)).all()
        assert ((scores >= 0.5) == units).all()


def test_a_search_gets_the_subjects() -> None:
    search = GridSearchCV(LogisticRegression(), {"C": [0.1, 100]}, cv=GroupKFold(2), refit=True)
    predictor = fit(EstimatorModel(search), np.array([0, 0, 2, 2, 0, 2]))
    assert {len(predictor.estimator.cv_results_[f"split{i}_test_score"]) for i in range(2)} == {2}


def test_the_original_is_not_fitted_and_samples_are_not_changed() -> None:
    original = LogisticRegression()
    x = X.copy()
    x.flags.writeable = False
    EstimatorModel(original).fit(x, Y, n_classes=4, groups=GROUPS, seed=0)(x)
    assert not hasattr(original, "classes_")


def test_nested_random_states_are_seeded() -> None:
    search = GridSearchCV(RandomForestClassifier(), {"max_depth": [1]})
    assert seeded(search, 5).estimator.random_state == 5
    assert seeded(RandomForestClassifier(random_state=3), 5).random_state == 3


def test_samples_can_come_as_they_are() -> None:
    seen = []

    class Shape:
        def fit(self, x: np.ndarray, y: np.ndarray) -> None:
            seen.append((x.shape, y.shape))

        def predict(self, x: np.ndarray) -> np.ndarray:
            return np.zeros(len(x), dtype=int)

    model = as_model(Shape(), flatten=False)
    assert isinstance(model, EstimatorModel)
    fit(model)(X)
    assert seen == [((6, 1, 1), (6,))]


def test_a_prediction_that_is_no_class_is_an_error() -> None:
    class Text:
        def fit(self, x: np.ndarray, y: np.ndarray) -> None: ...

        def predict(self, x: np.ndarray) -> np.ndarray:
            return np.array(["sad"] * len(x))

    with pytest.raises(ValueError, match=r"predict gave .*sad.*, expected class indices \(6,\).*one of \[0, 2, 3\]"):
        fit(EstimatorModel(Text()))(X)


def test_default_names() -> None:
    from sklearn.pipeline import make_pipeline

    assert default_name(make_pipeline(SVC(), LogisticRegression())) == "LogisticRegression"
    assert default_name(SVC()) == "SVC"
    assert default_name(lambda: None) == "module"
    assert default_name(test_default_names) == "test_default_names"


@pytest.mark.parametrize(
    "estimator",
    [LogisticRegression(), GridSearchCV(SVC(), {"C": [1, 10]}, cv=GroupKFold(2))],
)
def test_saved_estimators_give_the_same_scores(estimator: object, tmp_path: Path) -> None:
    model = EstimatorModel(estimator)
    predictor = fit(model, np.array([0, 0, 2, 2, 0, 2]))
    model.save(predictor, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["000.skops", "predictors.json"]
    np.testing.assert_array_equal(model.load(tmp_path)(X), predictor(X))


def test_saved_units_and_single_classes_give_the_same_scores(tmp_path: Path) -> None:
    model = EstimatorModel(SVC(kernel="linear"))
    units = np.array([[False, True, i >= 3] for i in range(6)])
    predictor = model.fit_action_units(X, units, groups=GROUPS, seed=0)
    model.save(predictor, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["002.skops", "predictors.json"]
    np.testing.assert_array_equal(model.load(tmp_path)(X), predictor(X))


def test_a_type_that_is_not_trusted_is_neither_saved_nor_loaded(tmp_path: Path) -> None:
    class Own(EstimatorModel):
        trusted_types = (f"{Threshold.__module__}.Threshold",)

    with pytest.raises(ValueError, match=r"000\.skops holds types that are not trusted: .*Threshold; a plugin names"):
        EstimatorModel(Threshold()).save(fit(EstimatorModel(Threshold())), tmp_path)
    predictor = fit(Own(Threshold()))
    Own(Threshold()).save(predictor, tmp_path)
    np.testing.assert_array_equal(Own(Threshold()).load(tmp_path)(X), predictor(X))
    with pytest.raises(ValueError, match="not trusted"):
        EstimatorModel(Threshold()).load(tmp_path)


def test_a_plugin_may_trust_the_arrays_of_trees(tmp_path: Path) -> None:
    class Forest(EstimatorModel):
        trusted_types = ("sklearn.tree._tree.Tree",)

    with pytest.raises(ValueError, match=r"not trusted: sklearn\.tree\._tree\.Tree; a plugin names"):
        EstimatorModel(RandomForestClassifier(5)).save(fit(EstimatorModel(RandomForestClassifier(5))), tmp_path)
    model = Forest(RandomForestClassifier(5))
    predictor = fit(model)
    model.save(predictor, tmp_path)
    np.testing.assert_array_equal(model.load(tmp_path)(X), predictor(X))


def test_health_reports_the_training_side() -> None:
    health = fit(EstimatorModel(LogisticRegression(C=100))).health
    assert health == {"tested_accuracy": 1.0, "predicted_classes": 3.0, "train_classes": 3.0}
