"""What a fitted scikit-learn pipeline has learned, compared with what it must be before scikit-learn sees it.

scikit-learn's compiled code follows the indices and sizes in its own arrays without looking: a child index that leads
out of a tree ends the process, one that leads back never ends. So every index and every shape is checked here, and
constructor parameters are those of the recipe, not of the file.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mexbench_plugins.models._skops_file import StoredObject

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

Values = Mapping[str, Any]
#: Features that a sample may have: as many values as a sample that is tried out.
_MOST_FEATURES = 2**27
_LEAF = -1


def restore(pipeline: Pipeline, stored: object, trained: NDArray[np.intp]) -> Pipeline:
    """Give an unfitted pipeline what a file says that it has learned.

    Args:
        pipeline: The pipeline of the recipe, which is changed.
        stored: What ``read_skops`` returned.
        trained: The classes that trained, rising; at least two.

    Raises:
        ValueError: The file holds another pipeline, or values that no fitted one has.
    """
    if not isinstance(stored, StoredObject) or _class_name(stored.kind) != "Pipeline":
        kind = _class_name(stored.kind) if isinstance(stored, StoredObject) else type(stored).__name__
        raise ValueError(f"holds a {kind}, expected a Pipeline")
    steps = [one[1] for one in _list(stored.values, "steps") if isinstance(one, tuple) and len(one) == 2]
    expected = [type(step) for _, step in pipeline.steps]
    kinds = [step.kind if isinstance(step, StoredObject) else repr(type(step)) for step in steps]
    if kinds != [f"{cls.__module__}.{cls.__qualname__}" for cls in expected]:
        raise ValueError(f"holds the steps {', '.join(kinds)}, expected {', '.join(cls.__name__ for cls in expected)}")
    _classes(steps[-1].values, trained)
    features = _integer(steps[0].values, "n_features_in_", 1, _MOST_FEATURES)
    for (_, step), saved in zip(pipeline.steps, steps, strict=True):
        if _integer(saved.values, "n_features_in_", 1, _MOST_FEATURES) != features:
            raise ValueError(f"the steps take {features} and {saved.values['n_features_in_']} features")
        fitted = _FITTED[type(step).__name__](saved.values, features, trained, step.get_params(deep=False))
        vars(step).update(fitted)
        step.n_features_in_ = features
        features = fitted.get("n_components_", features)  # of principal components, what the next step takes
    return pipeline


def _standard_scaler(values: Values, features: int, _: NDArray[np.intp], __: Values) -> Values:
    vectors = {name: _array(values, name, (features,), "f") for name in ("mean_", "var_", "scale_")}
    return {**vectors, "n_samples_seen_": values.get("n_samples_seen_")}


def _min_max_scaler(values: Values, features: int, _: NDArray[np.intp], __: Values) -> Values:
    names = ("scale_", "min_", "data_min_", "data_max_", "data_range_")
    vectors = {name: _array(values, name, (features,), "f") for name in names}
    return {**vectors, "n_samples_seen_": values.get("n_samples_seen_")}


def _svc(values: Values, features: int, trained: NDArray[np.intp], _: Values) -> Values:
    classes = len(trained)
    pairs = classes * (classes - 1) // 2
    vectors = _array(values, "support_vectors_", (None, features), "f", np.float64)
    count = len(vectors)
    per_class = _array(values, "_n_support", (classes,), "i", np.int32)
    if per_class.min() < 0 or int(per_class.sum(dtype=np.int64)) != count:
        raise ValueError(f"_n_support counts {per_class.tolist()} support vectors, there are {count}")
    support = _array(values, "support_", (count,), "i", np.int32)
    if count and support.min() < 0:
        raise ValueError(f"support_ has the index {support.min()}")
    gamma = values.get("_gamma")
    if not isinstance(gamma, (float, np.floating)) or not np.isfinite(gamma):
        raise ValueError(f"_gamma is {gamma!r}, expected a number")
    weights = {name: _array(values, name, (classes - 1, count), "f", np.float64) for name in _DUAL}
    offsets = {name: _array(values, name, (pairs,), "f", np.float64) for name in _INTERCEPT}
    return {
        "support_vectors_": vectors, "_n_support": per_class, "support_": support, "_gamma": gamma,
        "_probA": np.empty(0), "_probB": np.empty(0), "_sparse": False, "_effective_probability": False,
        "class_weight_": _array(values, "class_weight_", (classes,), "f", np.float64),
        "classes_": _classes(values, trained), "shape_fit_": (max(count, 1), features), "fit_status_": 0,
        **weights, **offsets,
    }  # fmt: skip


_DUAL, _INTERCEPT = ("dual_coef_", "_dual_coef_"), ("intercept_", "_intercept_")


def _decision_tree(values: Values, features: int, trained: NDArray[np.intp], _: Values) -> Values:
    from sklearn.tree._tree import Tree

    classes = len(trained)
    saved = values.get("tree_")
    if not isinstance(saved, StoredObject) or _class_name(saved.kind) != "Tree":
        raise ValueError("tree_ is not a Tree")
    check_tree(saved, features, classes)
    tree = Tree(features, np.array([classes], dtype=np.intp), 1)
    state = {name: saved.values[name] for name in ("max_depth", "node_count", "nodes", "values")}
    tree.__setstate__(state)
    return {
        "tree_": tree, "n_outputs_": 1, "n_classes_": np.int64(classes), "classes_": _classes(values, trained),
        "max_features_": _integer(values, "max_features_", 1, features),
    }  # fmt: skip


def check_tree(saved: StoredObject, features: int, classes: int) -> None:
    """Check that a decision tree is one: its nodes are reached once each, from the first, and every path ends.

    Raises:
        ValueError: The text names the node.
    """
    from sklearn.tree._tree import NODE_DTYPE

    sizes = saved.arguments
    if not (len(sizes) == 3 and sizes[0] == features and np.array_equal(sizes[1], [classes]) and sizes[2] == 1):
        raise ValueError(f"the tree was made for {sizes!r}, expected {features} features, {classes} classes, 1 output")
    nodes = saved.values.get("nodes")
    if not isinstance(nodes, np.ndarray) or nodes.dtype != NODE_DTYPE or nodes.ndim != 1 or not len(nodes):
        raise ValueError("the tree has no nodes")
    count = len(nodes)
    if _integer(saved.values, "node_count", 1, count) != count:
        raise ValueError(f"the tree has {count} nodes, and says {saved.values['node_count']}")
    _integer(saved.values, "max_depth", 0, count)
    _array(saved.values, "values", (count, 1, classes), "f", np.float64)
    left, right, feature = (nodes[name].astype(np.int64) for name in ("left_child", "right_child", "feature"))
    leaf = (left == _LEAF) & (right == _LEAF)
    own = np.arange(count)
    # A node is stored behind its parent: so no path leads back.
    for children in (left, right):
        bad = ~leaf & ((children <= own) | (children >= count))
        if bad.any():
            node = int(bad.argmax())
            raise ValueError(
                f"node {node} of the tree has the child {children[node]}, expected one of {node + 1} to {count - 1}"
            )
    reached = np.bincount(np.concatenate([left[~leaf], right[~leaf]]), minlength=count)
    if reached[0] or (reached[1:] != 1).any():
        raise ValueError("the nodes of the tree are not reached once each")
    if (bad := ~leaf & ((feature < 0) | (feature >= features))).any():
        node = int(bad.argmax())
        raise ValueError(f"node {node} of the tree asks for feature {feature[node]} of {features}")


def _perceptron(values: Values, features: int, trained: NDArray[np.intp], params: Values) -> Values:
    from sklearn.preprocessing import LabelBinarizer

    classes = _classes(values, trained)
    outputs = 1 if len(trained) == 2 else len(trained)
    sizes = [features, *params["hidden_layer_sizes"], outputs]
    kernels, biases = _list(values, "coefs_"), _list(values, "intercepts_")
    if [len(kernels), len(biases)] != [len(sizes) - 1] * 2:
        raise ValueError(f"{len(kernels)} and {len(biases)} arrays of weights, expected {len(sizes) - 1}")
    for index, (inputs, units) in enumerate(pairwise(sizes)):
        _array({"coefs_": kernels[index]}, "coefs_", (inputs, units), "f")
        _array({"intercepts_": biases[index]}, "intercepts_", (units,), "f")
    activation = "logistic" if outputs == 1 else "softmax"
    if values.get("out_activation_") != activation:
        raise ValueError(f"the last layer is {values.get('out_activation_')!r}, expected {activation!r}")
    return {
        "coefs_": kernels, "intercepts_": biases, "n_layers_": len(sizes), "n_outputs_": outputs, "classes_": classes,
        "out_activation_": activation, "_label_binarizer": LabelBinarizer().fit(classes),
    }  # fmt: skip


def _linear(values: Values, features: int, trained: NDArray[np.intp], _: Values) -> Values:
    """Of two classes there is one row of coefficients."""
    rows = 1 if len(trained) == 2 else len(trained)
    coefficients = _array(values, "coef_", (rows, features), "f")
    return {
        "coef_": coefficients, "intercept_": _array(values, "intercept_", (rows,), "f"),
        "classes_": _classes(values, trained),
    }  # fmt: skip


def _ridge(values: Values, features: int, trained: NDArray[np.intp], params: Values) -> Values:
    from sklearn.preprocessing import LabelBinarizer

    coefficients = values.get("coef_")
    if len(trained) == 2 and isinstance(coefficients, np.ndarray) and coefficients.ndim == 1:
        # One row without its axis, as newer versions of scikit-learn have it; the same axes give the same last digits.
        row = _array(values, "coef_", (features,), "f")
        linear = {**_linear({**values, "coef_": row[None]}, features, trained, params), "coef_": row}
    else:
        linear = _linear(values, features, trained, params)
    return {**linear, "_label_binarizer": LabelBinarizer(pos_label=1, neg_label=-1).fit(linear["classes_"])}


def _discriminants(values: Values, features: int, trained: NDArray[np.intp], params: Values) -> Values:
    priors = _array(values, "priors_", (len(trained),), "f")
    return {**_linear(values, features, trained, params), "priors_": priors}


def _principal_components(values: Values, features: int, _: NDArray[np.intp], __: Values) -> Values:
    count = _integer(values, "n_components_", 1, features)
    return {
        "n_components_": count, "components_": _array(values, "components_", (count, features), "f"),
        "mean_": _array(values, "mean_", (features,), "f"),
        "explained_variance_": _array(values, "explained_variance_", (count,), "f"),
    }  # fmt: skip


def _neighbours(values: Values, features: int, trained: NDArray[np.intp], params: Values) -> Values:
    samples = _array(values, "_fit_X", (None, features), "fiu")
    count = len(samples)
    classes = _array(values, "_y", (count,), "i", np.intp)
    if not count or classes.min() < 0 or classes.max() >= len(trained):
        raise ValueError(f"_y has not the positions of {len(trained)} classes for {count} samples")
    return {
        "_fit_X": np.ascontiguousarray(samples), "_y": classes, "n_samples_fit_": count, "_tree": None,
        "_fit_method": "brute", "outputs_2d_": False, "effective_metric_": params["metric"],
        "effective_metric_params_": {}, "n_neighbors": min(params["n_neighbors"], count),
        "classes_": _classes(values, trained),
    }  # fmt: skip


def _boosting(values: Values, features: int, trained: NDArray[np.intp], params: Values) -> Values:
    from sklearn._loss.loss import HalfBinomialLoss, HalfMultinomialLoss
    from sklearn.ensemble._hist_gradient_boosting.binning import _BinMapper
    from sklearn.ensemble._hist_gradient_boosting.predictor import TreePredictor

    outputs = 1 if len(trained) == 2 else len(trained)
    rounds = _list(values, "_predictors")
    if len(rounds) != params["max_iter"] or any(not isinstance(one, list) or len(one) != outputs for one in rounds):
        raise ValueError(f"_predictors is not {params['max_iter']} rounds of {outputs} trees")
    trees = [[TreePredictor(boosted_nodes(tree, features), *_no_categories()) for tree in one] for one in rounds]
    mapper = _BinMapper()  # of prediction it is asked for the categories of features alone, and none has any
    mapper.is_categorical_, mapper.bin_thresholds_ = np.zeros(features, np.uint8), []
    return {
        "_predictors": trees, "n_trees_per_iteration_": outputs, "_bin_mapper": mapper, "_n_features": features,
        "_baseline_prediction": _array(values, "_baseline_prediction", (1, outputs), "f", np.float64),
        "_loss": HalfBinomialLoss() if outputs == 1 else HalfMultinomialLoss(n_classes=outputs),
        "is_categorical_": None, "_preprocessor": None, "_is_categorical_remapped": None,
        "classes_": _classes(values, trained),
    }  # fmt: skip


def _no_categories() -> tuple[NDArray[np.uint32], NDArray[np.uint32]]:
    return np.zeros((0, 8), np.uint32), np.zeros((0, 8), np.uint32)


def boosted_nodes(saved: object, features: int) -> NDArray[Any]:
    """Return the nodes of a boosted tree, in which every path ends.

    Raises:
        ValueError: The text names the node.
    """
    from sklearn.ensemble._hist_gradient_boosting.common import PREDICTOR_RECORD_DTYPE

    nodes = saved.values.get("nodes") if isinstance(saved, StoredObject) else None
    if not isinstance(nodes, np.ndarray) or nodes.dtype != PREDICTOR_RECORD_DTYPE or nodes.ndim != 1 or not len(nodes):
        raise ValueError("a boosted tree has no nodes")
    count, inner = len(nodes), nodes["is_leaf"] == 0
    # A child is stored behind its parent: so no path leads back.
    for side in ("left", "right"):
        children = nodes[side].astype(np.int64)
        if (bad := inner & ((children <= np.arange(count)) | (children >= count))).any():
            node = int(bad.argmax())
            raise ValueError(
                f"node {node} of a boosted tree has the child {children[node]}, expected {node + 1} to {count - 1}"
            )
    asked = nodes["feature_idx"]
    if (bad := inner & ((asked < 0) | (asked >= features))).any():
        node = int(bad.argmax())
        raise ValueError(f"node {node} of a boosted tree asks for feature {asked[node]} of {features}")
    if (bad := inner & (nodes["is_categorical"] != 0)).any():
        raise ValueError(f"node {int(bad.argmax())} of a boosted tree asks for a category")
    return nodes


_FITTED: Mapping[str, Callable[[Values, int, NDArray[np.intp], Values], Values]] = {
    "StandardScaler": _standard_scaler,
    "MinMaxScaler": _min_max_scaler,
    "SVC": _svc,
    "DecisionTreeClassifier": _decision_tree,
    "MLPClassifier": _perceptron,
    "LogisticRegression": _linear,
    "RidgeClassifier": _ridge,
    "KNeighborsClassifier": _neighbours,
    "PCA": _principal_components,
    "LinearDiscriminantAnalysis": _discriminants,
    "HistGradientBoostingClassifier": _boosting,
}


def _classes(values: Values, trained: NDArray[np.intp]) -> NDArray[Any]:
    binarizer = values.get("_label_binarizer")
    if "classes_" not in values and isinstance(binarizer, StoredObject):  # RidgeClassifier of earlier scikit-learn
        values = binarizer.values
    classes = _array(values, "classes_", None, "i")
    if not np.array_equal(classes, trained):
        raise ValueError(f"has the classes {classes}, expected {trained}")
    return classes


def _integer(values: Values, name: str, low: int, high: int) -> int:
    value = values.get(name)
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or not low <= value <= high:
        raise ValueError(f"{name} is {value!r}, expected an integer from {low} to {high}")
    return int(value)


def _array(
    values: Values, name: str, shape: Sequence[int | None] | None, kind: str, dtype: type[np.generic] | None = None
) -> NDArray[Any]:
    """Return an array of kinds of numbers (numpy's letters) and a shape, in which None stands for any length."""
    array = values.get(name)
    if (
        not isinstance(array, np.ndarray)
        or array.dtype.kind not in kind
        or (dtype is not None and array.dtype != dtype)
        or (shape is not None and not _fits(array.shape, shape))
    ):
        shown = f"{array.dtype} {array.shape}" if isinstance(array, np.ndarray) else type(array).__name__
        wanted = dtype.__name__ if dtype is not None else {"f": "floats", "i": "integers"}.get(kind, "numbers")
        raise ValueError(f"{name} is {shown}, expected {wanted} {'' if shape is None else tuple(shape)}".rstrip())
    return array


def _fits(shape: tuple[int, ...], expected: Sequence[int | None]) -> bool:
    return len(shape) == len(expected) and all(b is None or a == b for a, b in zip(shape, expected, strict=True))


def _list(values: Values, name: str) -> list[Any]:
    value = values.get(name)
    if not isinstance(value, list):
        raise ValueError(f"{name} is a {type(value).__name__}, expected a list")  # noqa: TRY004 - the file is wrong
    return value


def _class_name(kind: str) -> str:
    return kind.rpartition(".")[2]
