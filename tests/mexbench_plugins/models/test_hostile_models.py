"""Saved models of scikit-learn and of networks whose files say what no fitted model has: one error."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mexbench.interfaces import Model
from mexbench.testing.models import ALL, N_CLASSES, examples
from mexbench_plugins.models._sklearn_state import check_tree
from mexbench_plugins.models._skops_file import StoredObject, read_skops
from mexbench_plugins.models.ann import ANN
from mexbench_plugins.models.cnn import CNN
from mexbench_plugins.models.decision_tree import DecisionTree
from mexbench_plugins.models.gradient_boosting import GradientBoosting
from mexbench_plugins.models.knn import KNN
from mexbench_plugins.models.lda import LDA
from mexbench_plugins.models.logistic_regression import LogisticRegression
from mexbench_plugins.models.random_convolutions import RandomConvolutions
from mexbench_plugins.models.svm import SVM

GROUPS = np.array([f"s{i % 3}" for i in range(len(ALL))])
SHAPED = ANN(max_iter=300, tol=1e-2, hidden_layer_sizes=(5, 4))
BOOSTED, CONVOLUTIONS = GradientBoosting(max_iter=2, min_samples_leaf=2), RandomConvolutions(kernels=5, alpha=1.0)
NETWORK = CNN(filters=(4,), hidden=8, epochs=1, early_stopping=None, batch_size=8)


def saved(model: Model, folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    model.save(model.fit(examples(model, ALL), ALL, n_classes=N_CLASSES, groups=GROUPS, seed=3), folder)
    return folder


def change(path: Path, attribute: str, edit: Callable[[Any], Any]) -> None:
    """Change an array, or a plain value, of a skops file by the name of its attribute."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    node = find(json.loads(members["schema.json"]), attribute)
    if node["__loader__"] == "NdArrayNode":
        array = np.load(io.BytesIO(members[node["file"]]))
        stream = io.BytesIO()
        np.save(stream, edit(array))
        members[node["file"]] = stream.getvalue()
    else:
        document = json.loads(members["schema.json"])
        node = find(document, attribute)
        node["content"] = json.dumps(edit(json.loads(node["content"])))
        members["schema.json"] = json.dumps(document).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)


def find(node: Any, attribute: str) -> Any:  # noqa: ANN401
    if isinstance(node, dict):
        if isinstance(node.get(attribute), dict):
            return node[attribute]
        node = list(node.values())
    for one in node if isinstance(node, list) else ():
        if (match := find(one, attribute)) is not None:
            return match
    return None


def with_field(name: str, at: int, value: float) -> Callable[[Any], Any]:
    def edit(nodes: Any) -> Any:  # noqa: ANN401
        nodes[name][at] = value
        return nodes

    return edit


@pytest.mark.parametrize(
    ("attribute", "edit", "text"),
    [
        ("nodes", with_field("left_child", 0, 10**9), "node 0 of the tree has the child 1000000000, expected one of 1"),
        ("nodes", with_field("right_child", 0, -7), "node 0 of the tree has the child -7"),
        ("nodes", with_field("left_child", 0, 0), "node 0 of the tree has the child 0"),
        ("nodes", with_field("right_child", 0, 1), "are not reached once each"),
        ("nodes", with_field("left_child", 0, -1), "node 0 of the tree has the child -1"),
        ("nodes", with_field("feature", 0, 108), "node 0 of the tree asks for feature 108 of 108"),
        ("nodes", with_field("feature", 0, -1), "node 0 of the tree asks for feature -1 of 108"),
        ("nodes", lambda nodes: nodes[:-1], r"node_count is \d+, expected an integer from 1"),
        ("nodes", lambda nodes: nodes["feature"], "the tree has no nodes"),
        ("node_count", lambda count: count + 1, "node_count is"),
        (
            "values",
            lambda values: values[:, :, :-1],
            r"values is float64 \(\d+, 1, 3\), expected",
        ),
        ("values", lambda values: values * np.nan, "NaN or infinite"),
        ("n_features_in_", lambda _: 2**40, "n_features_in_ is"),
    ],
)
def test_an_altered_tree_is_refused_by_name(attribute: str, edit: Any, text: str, tmp_path: Path) -> None:  # noqa: ANN401
    change(saved(DecisionTree(), tmp_path) / "pipeline.skops", attribute, edit)
    with pytest.raises(ValueError, match=text):
        DecisionTree().load(tmp_path)


@pytest.mark.parametrize(
    ("model", "attribute", "edit", "text"),
    [
        (SVM(), "_n_support", lambda n: n + np.array([9, -9, 0, 1000], np.int32), r"_n_support counts .* there are"),
        (SVM(), "_n_support", lambda n: n * 0 + np.array([-5, 5, 0, 16], np.int32), "_n_support counts"),
        (SVM(), "support_vectors_", lambda v: v[:, :-1], r"expected float64 \(None, 108\)"),
        (SVM(), "_dual_coef_", lambda d: d[:1], r"dual_coef_ is float64 \(1, \d+\), expected"),
        (SVM(), "_intercept_", lambda i: i[:2], r"_intercept_ is float64 \(2,\), expected float64 \(6,\)"),
        (SVM(), "support_", lambda s: s.astype(np.int64), "support_ is int64"),
        (SVM(), "classes_", lambda c: c + 1, "has the classes"),
        (SHAPED, "mean_", lambda m: m[:1], r"mean_ is float64 \(1,\)"),
        (SHAPED, "out_activation_", lambda _: "relu", "the last layer is 'relu', expected 'softmax'"),
        (
            LogisticRegression(),
            "coef_",
            lambda c: c[:, :-1],
            r"coef_ is float\d+ \(4, 107\), expected floats \(4, 108\)",
        ),
        (LogisticRegression(), "intercept_", lambda i: i[:1], r"intercept_ is float\d+ \(1,\), expected floats \(4,\)"),
        (KNN(), "_fit_X", lambda x: x[:, :-1], r"_fit_X is float\d+ \(\d+, 107\), expected numbers \(None, 108\)"),
        (KNN(), "_y", lambda y: y + 1, "_y has not the positions of 4 classes"),
        (KNN(), "_y", lambda y: y[:-1], r"_y is int64 \(\d+,\), expected"),
        (LDA(), "components_", lambda c: c[:-1], r"components_ is float\d+ \(\d+, 108\), expected floats"),
        (LDA(), "n_components_", lambda _: 109, "n_components_ is 109, expected an integer from 1 to 108"),
        (LDA(), "priors_", lambda p: p[:-1], r"priors_ is float\d+ \(3,\), expected floats \(4,\)"),
        (BOOSTED, "_baseline_prediction", lambda b: b[:, :-1], r"_baseline_prediction is float64 \(1, 3\)"),
        (BOOSTED, "nodes", with_field("left", 0, 10**6), "node 0 of a boosted tree has the child 1000000"),
        (BOOSTED, "nodes", lambda nodes: nodes["left"], "a boosted tree has no nodes"),
        (CONVOLUTIONS, "coef_", lambda c: c[:-1], r"coef_ is float\d+ \(3, 10\), expected floats \(4, 10\)"),
    ],
)
def test_an_altered_classifier_is_refused_by_name(
    model: Any,  # noqa: ANN401
    attribute: str,
    edit: Any,  # noqa: ANN401
    text: str,
    tmp_path: Path,
) -> None:
    change(saved(model, tmp_path) / "pipeline.skops", attribute, edit)
    with pytest.raises(ValueError, match=text):
        model.load(tmp_path)


def test_a_perceptron_of_other_layers_is_refused(tmp_path: Path) -> None:
    saved(SHAPED, tmp_path)
    with pytest.raises(ValueError, match=r"coefs_ is float\d+ \(108, 5\), expected floats \(108, 6\)"):
        ANN(hidden_layer_sizes=(6, 4)).load(tmp_path)
    with pytest.raises(ValueError, match=r"holds the steps .*SVC, expected"):
        SVM().load(saved(SVM(scaler="none"), tmp_path / "svc"))


def test_a_boosting_of_other_rounds_is_refused(tmp_path: Path) -> None:
    saved(BOOSTED, tmp_path)
    with pytest.raises(ValueError, match="_predictors is not 3 rounds of 4 trees"):
        GradientBoosting(max_iter=3, min_samples_leaf=2).load(tmp_path)


def tree_of(left: list[int], right: list[int], feature: list[int]) -> StoredObject:
    from sklearn.tree._tree import NODE_DTYPE

    nodes: Any = np.zeros(len(left), NODE_DTYPE)  # of a structured type, which pyright does not know
    nodes["left_child"], nodes["right_child"], nodes["feature"] = left, right, feature
    values = {"nodes": nodes, "values": np.ones((len(left), 1, 2)), "node_count": len(left), "max_depth": 1}
    return StoredObject("sklearn.tree._tree.Tree", values, (3, np.array([2]), 1))


@settings(max_examples=400, deadline=None)
@given(st.data())
def test_a_tree_that_is_accepted_ends_on_every_path(data: st.DataObject) -> None:
    """Indices that look right: in range, or nearly, with cycles and with nodes that are shared."""
    count = data.draw(st.integers(1, 7))
    index = st.integers(-2, count)
    left, right = (data.draw(st.lists(index, min_size=count, max_size=count)) for _ in range(2))
    feature = data.draw(st.lists(st.integers(-2, 3), min_size=count, max_size=count))
    try:
        check_tree(tree_of(left, right, feature), 3, 2)
    except ValueError:
        return
    pending, seen = [0], set()
    while pending:
        node = pending.pop()
        assert node not in seen
        seen.add(node)
        if left[node] != -1:
            assert 0 <= feature[node] < 3
            pending += [left[node], right[node]]
        else:
            assert right[node] == -1
    assert seen == set(range(count))


def test_a_tree_as_it_is_grown_is_accepted() -> None:
    check_tree(tree_of([1, -1, 3, -1, -1], [2, -1, 4, -1, -1], [0, -2, 2, -2, -2]), 3, 2)


def test_an_array_is_not_allocated_by_the_shape_that_it_states(tmp_path: Path) -> None:
    path = saved(SVM(), tmp_path) / "pipeline.skops"
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    name = next(name for name in members if name.endswith(".npy"))
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f8", "fortran_order": False, "shape": (2**40,)})
    members[name] = header.getvalue()
    with zipfile.ZipFile(path, "w") as archive:
        for member, content in members.items():
            archive.writestr(member, content)
    with pytest.raises(ValueError, match=r"is not an array of float64 \(1099511627776,\), as it says"):
        read_skops(path)


def test_a_compressed_archive_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "pipeline.skops"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("schema.json", "0" * 10**6)
    with pytest.raises(ValueError, match="is compressed, as no saved model is"):
        read_skops(path)


@pytest.mark.parametrize(
    ("key", "value", "text"),
    [
        ("n_classes", 10**9, "are too many values"),
        ("n_classes", -1, "expected sizes from 1"),
        ("shape", [1, 60_000, 60_000, 1], "are too many values"),
        ("shape", [1, 8_000, 8_000, 1], "has fewer values than the network of network.json"),
        ("shape", "1", "expected sizes from 1"),
        ("trained", [True], "lists 1 classes"),
        ("head", "relu", "names the last layer 'relu'"),
    ],
)
def test_a_network_is_not_built_by_the_shape_that_its_file_states(
    key: str,
    value: Any,  # noqa: ANN401
    text: str,
    tmp_path: Path,
) -> None:
    saved(NETWORK, tmp_path)
    document = json.loads((tmp_path / "network.json").read_text())
    (tmp_path / "network.json").write_text(json.dumps({**document, key: value}))
    with pytest.raises(ValueError, match=text):
        NETWORK.load(tmp_path)


@pytest.mark.parametrize(
    ("key", "value"), [("n_classes", 10**9), ("trained", [0, 99]), ("trained", [1, 0]), ("trained", []), ("trained", 3)]
)
def test_class_indices_of_a_saved_classifier_are_bounded(key: str, value: Any, tmp_path: Path) -> None:  # noqa: ANN401
    saved(SVM(), tmp_path)
    rest = json.loads((tmp_path / "predictor.json").read_text())
    (tmp_path / "predictor.json").write_text(json.dumps({**rest, key: value}))
    with pytest.raises(ValueError, match=f"{key} is"):
        SVM().load(tmp_path)
