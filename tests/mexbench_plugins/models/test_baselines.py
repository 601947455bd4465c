from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression as Logistic
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

from mexbench.interfaces import Model
from mexbench_plugins.models import svm
from mexbench_plugins.models.ann import ANN
from mexbench_plugins.models.decision_tree import DecisionTree
from mexbench_plugins.models.gradient_boosting import GradientBoosting
from mexbench_plugins.models.knn import KNN
from mexbench_plugins.models.lda import LDA
from mexbench_plugins.models.logistic_regression import LogisticRegression
from mexbench_plugins.models.majority import Majority
from mexbench_plugins.models.svm import SVM

ANY_ANN = ANN(hidden_layer_sizes=(8,), max_iter=400, learning_rate_init=0.02)


ANY_MLP = MLPClassifier((8,), max_iter=400, learning_rate_init=0.02, random_state=0)


def blobs(labels: list[int], seed: int = 0, spread: float = 1.0) -> tuple[NDArray[Any], NDArray[Any]]:
    """Features (n, 1, 2, 3) whose scale differs by feature, so that scaling matters."""
    rng = np.random.default_rng(seed)
    y = np.array(labels)
    x = rng.normal(size=(len(y), 6)) * spread + np.eye(6)[y] * 2
    return (x * [1, 10, 100, 0.1, 1, 5]).reshape(-1, 1, 2, 3), y


def fit(model: Model, x: NDArray[Any], y: NDArray[Any], n_classes: int = 3, seed: int = 0) -> Any:  # noqa: ANN401
    return model.fit(x, y, n_classes=n_classes, groups=np.array(["g"] * len(y)), seed=seed)


X, Y = blobs([0, 1, 2] * 20)
TEST, _ = blobs([0, 1, 2] * 60, seed=1, spread=2.0)


@pytest.mark.parametrize(
    ("model", "peer"),
    [
        (SVM(), make_pipeline(StandardScaler(), SVC(kernel="linear"))),
        (SVM(kernel="rbf", C=3, gamma=0.2, scaler="minmax"), make_pipeline(MinMaxScaler(), SVC(C=3, gamma=0.2))),  # pyright: ignore[reportArgumentType]
        (SVM(class_weight="balanced", scaler="none"), SVC(kernel="linear", class_weight="balanced")),
        (DecisionTree(max_depth=3), DecisionTreeClassifier(max_depth=3, random_state=0)),
        (ANY_ANN, make_pipeline(StandardScaler(), ANY_MLP)),
        (LogisticRegression(C=0.1), make_pipeline(StandardScaler(), Logistic(C=0.1))),
        (KNN(n_neighbors=7), make_pipeline(StandardScaler(), KNeighborsClassifier(7))),
        (
            KNN(metric="cosine", weights="distance", scaler="none"),
            KNeighborsClassifier(metric="cosine", weights="distance"),
        ),
        (LDA(components=4), make_pipeline(PCA(4), LinearDiscriminantAnalysis())),
        (LDA(shrinkage="auto", priors="uniform", scaler="standard"), make_pipeline(StandardScaler(), PCA(6), LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto", priors=np.full(3, 1 / 3)))),  # noqa: E501
        (GradientBoosting(max_iter=5, min_samples_leaf=2), HistGradientBoostingClassifier(max_iter=5, min_samples_leaf=2, early_stopping=False)),  # noqa: E501 # pyright: ignore[reportArgumentType]
    ],
    ids=["svm", "svm-rbf", "svm-raw", "tree", "ann", "logistic", "knn", "knn-cosine", "lda", "lda-shrunk", "boosting"],
)  # fmt: skip
def test_predictions_are_those_of_scikit_learn(model: Model, peer: Any) -> None:  # noqa: ANN401
    scores = fit(model, X, Y)(TEST)
    assert scores.shape == (180, 3)
    expected = peer.fit(X.reshape(60, -1), Y).predict(TEST.reshape(180, -1))
    np.testing.assert_array_equal(scores.argmax(axis=1), expected)
    assert len(set(expected)) == 3


def test_a_tied_vote_goes_where_svc_gives_it() -> None:
    """One against one, three classes can have a vote each: there the decision function alone would differ."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(40, 1, 4)), rng.integers(0, 3, 40)
    test = rng.normal(size=(3000, 1, 4)) * 2
    peer = SVC(kernel="rbf", C=100).fit(x.reshape(40, -1), y)
    expected = peer.predict(test.reshape(3000, -1))
    naive = peer.decision_function(test.reshape(3000, -1)).argmax(axis=1)
    assert (naive != expected).any(), "the case that this test is about does not occur"
    scores = fit(SVM(kernel="rbf", C=100, scaler="none"), x, y)(test)
    np.testing.assert_array_equal(scores.argmax(axis=1), expected)


@pytest.mark.parametrize("kernel", ["linear", "poly", "rbf", "sigmoid"])
@pytest.mark.parametrize("n_classes", [2, 3, 5])
def test_an_svm_scores_by_the_decision_function_and_knows_its_answers_in_training(kernel: Any, n_classes: int) -> None:  # noqa: ANN401
    rng = np.random.default_rng(n_classes)
    x, y = rng.normal(size=(80, 1, 6)), np.arange(80) % n_classes + 3
    test = rng.normal(size=(400, 1, 6))
    model = SVM(kernel=kernel, C=2.0, coef0=0.5)
    peer: Any = make_pipeline(StandardScaler(), SVC(kernel=kernel, C=2.0, coef0=0.5)).fit(x.reshape(80, -1), y)
    predictor = fit(model, x, y, n_classes=n_classes + 3)
    decided, predicted = peer.decision_function(test.reshape(400, -1)), peer.predict(test.reshape(400, -1))
    if n_classes == 2:
        decided = np.stack([-decided, decided], axis=1)
    untied = decided.argmax(1) + 3 == predicted
    assert untied.mean() > 0.8
    np.testing.assert_allclose(predictor(test)[untied, 3:], decided[untied], atol=1e-9)
    np.testing.assert_array_equal(predictor(test).argmax(1), predicted)
    np.testing.assert_allclose(np.sort(predictor(test)[:, 3:]), np.sort(decided), atol=1e-9)
    assert predictor.health["tested_accuracy"] == np.mean(peer.predict(x.reshape(80, -1)) == y)
    assert 0 < predictor.health["tested_accuracy"] < 1


@pytest.mark.parametrize(
    "options", [{"kernel": "linear", "C": 0.001}, {"kernel": "rbf"}, {"kernel": "poly", "gamma": "auto"}]
)
@pytest.mark.parametrize("most", [100, 10])
def test_an_svm_has_the_support_vectors_of_scikit_learn_whoever_evaluates_the_kernel(
    options: dict[str, Any], most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bytes of many features, some rows twice, once under another class; one feature is constant."""
    monkeypatch.setattr(svm, "MAX_KERNEL_ROWS", most)
    rng = np.random.default_rng(1)
    x = rng.integers(0, 256, size=(60, 5, 100), dtype=np.uint8)
    x[:, 0, 0], x[10:15], y = 7, x[:5], np.repeat([0, 1, 2], [30, 20, 10])
    peer: Any = make_pipeline(StandardScaler(), SVC(**options, class_weight="balanced")).fit(x.reshape(60, -1), y)
    ours, theirs = fit(SVM(**options, class_weight="balanced"), x, y).pipeline[-1], peer[-1]
    np.testing.assert_array_equal(ours.support_, theirs.support_)
    np.testing.assert_allclose(ours.support_vectors_, theirs.support_vectors_)
    np.testing.assert_allclose(ours.dual_coef_, theirs.dual_coef_, atol=1e-3 * abs(theirs.dual_coef_).max())
    assert sorted(vars(ours)) == sorted(vars(theirs))
    assert ours._gamma == pytest.approx(theirs._gamma)
    assert ours.shape_fit_ == theirs.shape_fit_ == (60, 500)
    assert ours.get_params() == theirs.get_params()


EVERY = [
    SVM(), DecisionTree(), ANY_ANN, Majority(), LogisticRegression(), KNN(), LDA(),
    GradientBoosting(max_iter=3, min_samples_leaf=2),
]  # fmt: skip


@pytest.mark.parametrize("model", EVERY, ids=lambda m: type(m).__name__)
class TestEveryBaseline:
    def test_a_class_that_never_trained_is_never_predicted(self, model: Model) -> None:
        x, y = blobs([0, 3] * 20)
        scores = fit(model, x, y, n_classes=5)(TEST)
        assert scores.shape == (180, 5)
        assert np.isfinite(scores).all()
        assert set(scores.argmax(axis=1)) <= {0, 3}
        assert (scores[:, [1, 2, 4]].max(axis=1) <= scores[:, [0, 3]].min(axis=1)).all()

    def test_a_single_class_is_the_only_answer(self, model: Model) -> None:
        x, y = blobs([2] * 10)
        assert set(fit(model, x, y)(TEST).argmax(axis=1)) == {2}

    def test_the_same_seed_gives_the_same_scores(self, model: Model) -> None:
        np.testing.assert_array_equal(fit(model, X, Y, seed=4)(TEST), fit(model, X, Y, seed=4)(TEST))

    def test_inputs_stay_as_they_are(self, model: Model) -> None:
        x, y = X.copy(), Y.copy()
        x.flags.writeable = y.flags.writeable = False
        predictor = fit(model, x, y)
        test = TEST.copy()
        test.flags.writeable = False
        predictor(test)

    def test_one_fit_leaves_nothing_for_the_next(self, model: Model) -> None:
        first = fit(model, X, Y)
        before = first(TEST)
        fit(model, X[::-1] * 2, (Y + 1) % 3)
        np.testing.assert_array_equal(first(TEST), before)

    def test_images_of_whole_numbers_are_fine(self, model: Model) -> None:
        x = np.random.default_rng(0).integers(0, 256, size=(30, 1, 4, 4, 3), dtype=np.uint8)
        assert fit(model, x, np.array([0, 1, 2] * 10))(x).shape == (30, 3)


def test_ann_computes_in_float32_with_the_answers_of_float64() -> None:
    x = np.random.default_rng(0).integers(0, 256, size=(60, 1, 4, 4, 3), dtype=np.uint8)
    y = (x[:, 0, 0, 0, 0] // 86).astype(np.intp)
    scores = fit(ANN(), x, y)(x)
    peer = make_pipeline(StandardScaler(), MLPClassifier(random_state=0)).fit(x.reshape(60, -1).astype(float), y)
    assert scores.dtype == np.float64
    np.testing.assert_allclose(scores, peer.predict_proba(x.reshape(60, -1)), atol=1e-4)
    np.testing.assert_array_equal(scores, fit(ANN(), x.astype(np.float32), y)(x.astype(np.float32)))


def test_the_scaler_learns_from_the_training_side_alone() -> None:
    shifted = TEST + 1000  # would be brought back by a scaler that saw it
    scores = fit(SVM(), X, Y)(shifted)
    peer = make_pipeline(StandardScaler(), SVC(kernel="linear")).fit(X.reshape(60, -1), Y)
    np.testing.assert_array_equal(scores.argmax(axis=1), peer.predict(shifted.reshape(180, -1)))


def test_seeds_matter_where_there_is_chance() -> None:
    assert not np.array_equal(fit(ANY_ANN, X, Y, seed=1)(TEST), fit(ANY_ANN, X, Y, seed=2)(TEST))


def test_majority_by_hand() -> None:
    x, y = blobs([1, 1, 2, 0])
    np.testing.assert_array_equal(fit(Majority(), x, y)(x[:2]), [[0.25, 0.5, 0.25]] * 2)
    x, y = blobs([2, 1])
    assert fit(Majority(), x, y)(x).argmax(axis=1).tolist() == [1, 1]  # the first among equals


def test_fisherfaces_keep_as_many_components_as_samples_less_classes() -> None:
    """As in Belhumeur et al.: 40 features, 12 samples of 3 classes, so 9 components and 2 discriminants."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(12, 1, 40)).astype(np.float32)
    predictor = fit(LDA(), x, np.arange(12) % 3)
    pca, discriminant = predictor.pipeline
    assert pca.n_components_ == 9
    assert discriminant.scalings_.shape == (9, 2)
    asked_for_more = fit(LDA(components=100), x, np.arange(12) % 3)
    assert asked_for_more.pipeline[0].n_components_ == 9


def test_fewer_training_samples_than_neighbours_all_vote() -> None:
    x, y = blobs([0, 1, 1, 2])
    np.testing.assert_array_equal(fit(KNN(n_neighbors=9), x, y)(x[:2]), [[0.25, 0.5, 0.25]] * 2)
