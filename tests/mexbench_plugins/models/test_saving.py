"""Every built-in model: what is loaded predicts what was saved, to the last bit, and nothing odd is loaded."""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mexbench.files import read_arrays, write_arrays
from mexbench.interfaces import Model
from mexbench.registry.catalogue import Catalogue
from mexbench.runs.saved_model import can_save
from mexbench.testing.models import ALL, N_CLASSES, examples
from mexbench_plugins.models._nn.trainer import NetworkPredictor
from mexbench_plugins.models._sklearn import SklearnPredictor
from mexbench_plugins.models.ann import ANN
from mexbench_plugins.models.cnn import CNN
from mexbench_plugins.models.decision_tree import DecisionTree
from mexbench_plugins.models.gradient_boosting import GradientBoosting
from mexbench_plugins.models.knn import KNN
from mexbench_plugins.models.lda import LDA
from mexbench_plugins.models.logistic_regression import LogisticRegression
from mexbench_plugins.models.majority import Majority
from mexbench_plugins.models.random_convolutions import RandomConvolutions
from mexbench_plugins.models.ststnet import STSTNet
from mexbench_plugins.models.svm import SVM

GROUPS = np.array([f"s{i % 3}" for i in range(len(ALL))])
NETWORK = CNN(filters=(4,), hidden=8, epochs=2, early_stopping=1, batch_size=8)


def fitted(model: Model) -> Any:  # noqa: ANN401
    return model.fit(examples(model, ALL), ALL, n_classes=N_CLASSES, groups=GROUPS, seed=3)


def saved(model: Model, folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    model.save(fitted(model), folder)
    return folder


def test_every_built_in_model_can_be_saved(builtin: Catalogue) -> None:
    """That its scores stay the same is a check of the conformance kit, which every one of them goes through."""
    models = [builtin.get("model", name).load()() for name in builtin.names("model")]
    assert len(models) >= 17
    assert [type(model) for model in models if not can_save(model)] == []  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize(
    "model", [Majority(), NETWORK, ANN(max_iter=300, tol=1e-2)], ids=lambda model: type(model).__name__
)
def test_scores_and_curves_stay_the_same(model: Model, tmp_path: Path) -> None:
    predictor, test = fitted(model), examples(model, ALL, seed=1)
    model.save(predictor, tmp_path)
    loaded = model.load(tmp_path)
    assert predictor(test).dtype == loaded(test).dtype
    np.testing.assert_array_equal(predictor(test), loaded(test))
    assert getattr(predictor, "history", ()) == getattr(loaded, "history", ())


@pytest.mark.parametrize(
    "model",
    [
        SVM(kernel="rbf", gamma=0.1, scaler="minmax"),
        SVM(class_weight="balanced", scaler="none"),
        DecisionTree(max_features=0.5, ccp_alpha=0.01),
        ANN(solver="sgd", max_iter=300, tol=1e-2),
        ANN(solver="lbfgs"),
        LogisticRegression(scaler="minmax"),
        KNN(weights="distance", metric="manhattan", n_neighbors=99),
        KNN(metric="cosine", scaler="none"),
        LDA(shrinkage="auto", priors="uniform", components=0.9),
        LDA(scaler="standard"),
        GradientBoosting(max_iter=3, min_samples_leaf=2, max_features=0.5),
        RandomConvolutions(kernels=20),
    ],
    ids=str,
)
def test_options_of_scikit_learn_models(model: Model, tmp_path: Path) -> None:
    test = examples(model, ALL, seed=1)
    saved(model, tmp_path)
    np.testing.assert_array_equal(model.load(tmp_path)(test), fitted(model)(test))


@pytest.mark.parametrize(
    "model",
    [
        LogisticRegression(), KNN(), LDA(), GradientBoosting(max_iter=3, min_samples_leaf=2),
        RandomConvolutions(kernels=20),
    ],
    ids=lambda model: type(model).__name__,
)  # fmt: skip
def test_classifiers_of_two_classes_stay_the_same(model: Model, tmp_path: Path) -> None:
    test, two = examples(model, ALL, seed=1), np.asarray(ALL) % 2 * 2
    predictor = model.fit(examples(model, ALL), two, n_classes=N_CLASSES, groups=GROUPS, seed=3)
    model.save(predictor, tmp_path)
    np.testing.assert_array_equal(model.load(tmp_path)(test), predictor(test))


def test_folds_trained_together_are_saved_one_by_one(tmp_path: Path) -> None:
    model = STSTNet(epochs=1, batch_size=8)
    x, masks = examples(model, ALL), np.ones((2, len(ALL)), bool)
    masks[0, :4] = masks[1, 4:8] = False
    for index, predictor in enumerate(model.fit_folds(x, ALL, masks, n_classes=4, groups=GROUPS, seed=0)):
        (tmp_path / str(index)).mkdir()
        model.save(predictor, tmp_path / str(index))
        np.testing.assert_array_equal(model.load(tmp_path / str(index))(x), predictor(x))


def test_what_a_network_is_saved_as(tmp_path: Path) -> None:
    saved(NETWORK, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["network.json", "weights.safetensors"]
    arrays = read_arrays(tmp_path / "weights.safetensors")
    assert {name: array.shape for name, array in arrays.items()} == {
        "convolutions/0/kernel": (3, 3, 3, 4), "convolutions/0/bias": (4,),
        "dense1/kernel": (64 * 64 * 4, 8), "dense1/bias": (8,), "dense2/kernel": (8, 4), "dense2/bias": (4,),
    }  # fmt: skip
    assert {array.dtype for array in arrays.values()} == {np.dtype("float32")}
    loaded = NETWORK.load(tmp_path)
    assert isinstance(loaded, NetworkPredictor)
    assert list(loaded.history[0]) == ["epoch", "loss", "accuracy", "val_loss", "val_accuracy"]


def changed(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    arrays = read_arrays(folder / "weights.safetensors")
    change(arrays)
    (folder / "weights.safetensors").unlink()
    from safetensors.numpy import save_file

    save_file(arrays, folder / "weights.safetensors")


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda a: a.pop("dense2/bias"), r"1 arrays differ; dense2/bias should be float32 \(4,\), is absent"),
        (lambda a: a.update({"x/y": np.zeros(1)}), r"x/y should be absent, is float64 \(1,\)"),
        (lambda a: a.update({"dense2/bias": np.zeros(5, np.float32)}), r"dense2/bias should be .*\(4,\), is .*\(5,\)"),
        (lambda a: a.update({"dense2/bias": np.zeros(4)}), "should be float32 .*, is float64"),
        (lambda a: a.update({"dense2/bias": np.full(4, np.nan, np.float32)}), "'dense2/bias' holds numbers that are"),
    ],
)
def test_weights_of_another_network_are_refused(change: Any, text: str, tmp_path: Path) -> None:  # noqa: ANN401
    changed(saved(NETWORK, tmp_path), change)
    with pytest.raises(ValueError, match=text):
        NETWORK.load(tmp_path)


def test_a_network_with_other_options_does_not_take_the_weights(tmp_path: Path) -> None:
    saved(NETWORK, tmp_path)
    with pytest.raises(ValueError, match="3 arrays differ; convolutions/0/bias"):
        replace(NETWORK, filters=(8,)).load(tmp_path)


def test_a_network_that_blew_up_is_not_saved(tmp_path: Path) -> None:
    import jax

    predictor = fitted(NETWORK)
    broken = replace(predictor, params=jax.tree.map(lambda leaf: leaf * np.inf, predictor.params))
    with pytest.raises(ValueError, match="NaN or infinite"):
        NETWORK.save(broken, tmp_path)


def test_a_skops_file_with_a_stranger_inside_is_refused(tmp_path: Path) -> None:
    """A pipeline whose last step is of a type that nobody vouches for: skops would call its constructor."""
    import skops.io
    from sklearn.pipeline import make_pipeline

    saved(SVM(), tmp_path)
    skops.io.dump(make_pipeline(Stranger()), tmp_path / "pipeline.skops")
    with pytest.raises(ValueError, match=r"holds types that are not trusted: .*test_saving\.Stranger"):
        SVM().load(tmp_path)
    skops.io.dump(fitted(SVM()).pipeline[-1], tmp_path / "pipeline.skops")
    with pytest.raises(ValueError, match="holds a SVC, expected a Pipeline"):
        SVM().load(tmp_path)
    shutil.copy(__file__, tmp_path / "pipeline.skops")
    with pytest.raises(ValueError, match="is not a skops file"):
        SVM().load(tmp_path)


class Stranger:
    def fit(self, x: Any, y: Any) -> None: ...  # noqa: ANN401


def test_odd_numbers_in_a_skops_file_are_refused(tmp_path: Path) -> None:
    model = DecisionTree()
    predictor = fitted(model)
    assert isinstance(predictor, SklearnPredictor)
    assert predictor.pipeline is not None
    predictor.pipeline[-1].tree_.value[0] = np.nan  # pyright: ignore[reportAttributeAccessIssue]
    with pytest.raises(ValueError, match="NaN or infinite"):
        model.save(predictor, tmp_path)
    with pytest.raises(ValueError, match="NaN or infinite"):
        model.load(tmp_path)


def test_a_boosted_tree_that_leads_outside_its_nodes_is_refused(tmp_path: Path) -> None:
    """Compiled code follows the nodes without looking: a child of the wrong number would read any memory."""
    model = GradientBoosting(max_iter=2, min_samples_leaf=2)
    for name, value, text in (
        ("left", 10_000, "node 0 of a boosted tree has the child 10000"),
        ("right", 0, "node 0 of a boosted tree has the child 0"),
        ("feature_idx", 9_999, "node 0 of a boosted tree asks for feature 9999 of 108"),
        ("feature_idx", -1, "node 0 of a boosted tree asks for feature -1 of 108"),
        ("is_categorical", 1, "node 0 of a boosted tree asks for a category"),
    ):
        predictor = fitted(model)
        predictor.pipeline[-1]._predictors[0][0].nodes[name][0] = value
        model.save(predictor, tmp_path)
        with pytest.raises(ValueError, match=text):
            model.load(tmp_path)


def test_only_trees_need_to_be_vouched_for_and_training_leaves_nothing_behind(tmp_path: Path) -> None:
    saved(ANN(max_iter=300, tol=1e-2), tmp_path)
    with zipfile.ZipFile(tmp_path / "pipeline.skops") as archive:
        schema = archive.read("schema.json").decode()
    assert "Optimizer" not in schema
    assert "RandomState" not in schema
    assert len(json.loads((tmp_path / "predictor.json").read_text())["history"]) > 10


def test_classes_that_do_not_fit_together_are_refused(tmp_path: Path) -> None:
    saved(SVM(), tmp_path)
    rest = json.loads((tmp_path / "predictor.json").read_text())
    (tmp_path / "predictor.json").write_text(json.dumps({**rest, "trained": [0, 1]}))
    with pytest.raises(ValueError, match="has the classes"):
        SVM().load(tmp_path)


def test_a_predictor_of_another_model_is_not_saved(tmp_path: Path) -> None:
    foreign = fitted(Majority())
    for model in (SVM(), NETWORK):
        with pytest.raises(TypeError, match="Constant is not a predictor of"):
            model.save(foreign, tmp_path)


def test_majority_refuses_odd_numbers(tmp_path: Path) -> None:
    saved(Majority(), tmp_path)
    with pytest.raises(ValueError, match="NaN"):
        write_arrays(tmp_path / "x", {"frequencies": np.array([np.nan])})
    (tmp_path / "frequencies.safetensors").write_bytes(b"no")
    with pytest.raises(ValueError, match="invalid safetensors file"):
        Majority().load(tmp_path)
