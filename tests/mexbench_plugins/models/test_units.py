"""Models that detect action units: the sigmoid head of the training engine, one classifier per unit, constants."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
from numpy.typing import NDArray

from mexbench.interfaces import ActionUnitModel, Predictor
from mexbench_plugins.models._nn import train_program, trainer
from mexbench_plugins.models._nn.losses import HEADS, Sigmoid
from mexbench_plugins.models.always_present import AlwaysPresent
from mexbench_plugins.models.ann import ANN
from mexbench_plugins.models.au_cnn import AUCNN
from mexbench_plugins.models.decision_tree import DecisionTree
from mexbench_plugins.models.majority import Majority
from mexbench_plugins.models.svm import SVM
from tests.mexbench_plugins.models._nn.test_trainer import ToyModel

UNITS = 4


@dataclass(frozen=True, kw_only=True)
class ToyDetector(ToyModel, ActionUnitModel):
    source = "no paper"

    def fit_action_units(
        self, x: NDArray[Any], y: NDArray[np.bool_], *, groups: NDArray[np.str_], seed: int
    ) -> trainer.NetworkPredictor:
        build = self.builder(x.shape[1:], y.shape[1])
        return trainer.train(self, build, x, y, n_classes=y.shape[1], groups=groups, seed=seed, head="sigmoid")


def faces(n: int, seed: int = 0) -> tuple[NDArray[Any], NDArray[np.bool_], NDArray[np.str_]]:
    """Four features, one per unit; the third unit always shows, the last one never."""
    rng = np.random.default_rng(seed)
    y = rng.random((n, UNITS)) < [0.5, 0.2, 2, -1]
    x = (rng.normal(size=(n, 1, 4)) * 0.5 + 2 * y[:, None]).astype(np.float32)
    return x, y, np.array([f"s{i % 5}" for i in range(n)])


def told(model: ActionUnitModel, n: int = 80, seed: int = 0) -> tuple[Predictor, NDArray[Any], NDArray[np.bool_]]:
    x, y, groups = faces(n, seed)
    test, truth, _ = faces(60, seed=99)
    return model.fit_action_units(x, y, groups=groups, seed=seed), test, truth


def test_the_loss_by_hand() -> None:
    """Mean over units of -log p where one shows and -log (1 - p) where it does not; the second sample is padding."""
    logits, y = np.array([[0.0, np.log(3)], [5, 5]], np.float32), np.array([[1, 0], [1, 1]], np.int32)
    head = HEADS["sigmoid"]
    loss = head.loss(*map(jax.numpy.asarray, (logits, y, np.array([[1, 2], [0, 0]], np.float32))))
    assert float(loss) == pytest.approx((np.log(2) + 2 * np.log(4)) / 2)
    assert float(head.n_correct(*map(jax.numpy.asarray, (logits, y, np.array([1, 0], np.float32))))) == pytest.approx(
        0.5
    )
    np.testing.assert_allclose(np.exp(head.log_probs(jax.numpy.asarray(logits[0]))), [0.5, 0.75], rtol=1e-6)


def test_the_loss_is_that_of_pytorch_and_so_is_its_gradient() -> None:
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    logits, y = rng.normal(0, 4, (6, UNITS)).astype(np.float32), rng.integers(0, 2, (6, UNITS)).astype(np.int32)
    weights = rng.random((6, UNITS)).astype(np.float32)
    head, given = HEADS["sigmoid"], (jax.numpy.asarray(y), jax.numpy.asarray(weights))
    loss, gradient = jax.value_and_grad(lambda z: head.loss(z, *given))(jax.numpy.asarray(logits))
    twin = torch.tensor(logits, dtype=torch.float64, requires_grad=True)
    expected = torch.nn.functional.binary_cross_entropy_with_logits(
        twin, torch.tensor(y, dtype=torch.float64), torch.tensor(weights), reduction="none"
    ).mean(1).sum()  # fmt: skip
    expected.backward()
    assert float(loss) == pytest.approx(expected.item(), rel=1e-6)
    np.testing.assert_allclose(gradient, twin.grad.numpy(), rtol=1e-4, atol=1e-6)


def test_weights_by_hand() -> None:
    y = np.array([[1, 1, 0], [0, 1, 0], [0, 1, 0], [0, 1, 0]], bool)
    head = Sigmoid()
    np.testing.assert_allclose(head.weights(y, 3, None), np.ones((2, 3)))
    result = head.weights(y, 3, "balanced")  # of the first unit, 3 absent and 1 shown; the others have one answer alone
    np.testing.assert_allclose(result, [[4 / 6, 1, 1], [4 / 2, 1, 1]])
    np.testing.assert_allclose(head.row_weights(result, y[:2]), [[2, 1, 1], [4 / 6, 1, 1]])


def test_what_is_watched_by_hand() -> None:
    logs = np.log(np.array([[0.5, 0.2], [0.9, 0.4]]))
    loss, right = Sigmoid().val_metrics(logs, np.array([[True, False], [False, False]]))
    assert loss == pytest.approx(-np.mean(np.log([0.5, 0.8, 0.1, 0.6])))
    assert right == 3 / 4  # 0.5 is taken for showing
    assert np.isfinite(Sigmoid().val_metrics(np.zeros((1, 1)), np.zeros((1, 1), bool))[0])  # sure, and wrong


@pytest.mark.parametrize("kind", [None, "balanced"])
def test_padding_changes_neither_a_gradient_nor_a_statistic(kind: Any) -> None:  # noqa: ANN401
    x, y, _ = faces(11)
    states = []
    for size in (11, 32):
        model = ToyDetector(batch_size=size, class_weight=kind, optimiser="sgd", momentum=0.9)
        weights = HEADS["sigmoid"].weights(y, UNITS, kind)
        program = train_program.train_program(model, model.builder(x.shape[1:], UNITS), "sigmoid")
        rows = next(train_program.batches(model, x, y, np.arange(11), weights, head="sigmoid"))
        state, *sums = program.train_step(program.init(np.random.default_rng(0)), rows, jax.random.key(0), 0)
        states.append([*map(np.asarray, jax.tree.leaves(state)), *map(np.asarray, sums)])
    for a, b in zip(*states, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


MODELS = [
    ToyDetector(epochs=60, learning_rate=0.02), SVM(), SVM(kernel="rbf", class_weight="balanced"),
    DecisionTree(max_depth=2), ANN(max_iter=500),
]  # fmt: skip


@pytest.mark.parametrize("model", MODELS, ids=lambda model: type(model).__name__)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_it_learns_and_knows_units_that_always_and_never_show(model: ActionUnitModel) -> None:
    predictor, test, truth = told(model)
    result = np.asarray(predictor(test))
    assert ((result >= 0.5) == truth).mean(axis=0).min() >= 0.9
    np.testing.assert_array_equal(result[:, 2:] >= 0.5, truth[:, 2:])


@pytest.mark.parametrize("model", [SVM(kernel="rbf"), DecisionTree(max_depth=3)], ids=["svm", "tree"])
def test_one_classifier_per_unit_is_what_scikit_learn_does(model: ActionUnitModel) -> None:
    from sklearn.multiclass import OneVsRestClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import SVC
    from sklearn.tree import DecisionTreeClassifier

    x, y, groups = faces(80)
    test, _, _ = faces(60, seed=99)
    base = (
        make_pipeline(StandardScaler(), SVC(kernel="rbf"))
        if isinstance(model, SVM)
        else DecisionTreeClassifier(max_depth=3, random_state=0)
    )
    both = y[:, :2]  # scikit-learn's warns about units that have one answer alone
    expected = OneVsRestClassifier(base).fit(x.reshape(80, -1), both).predict(test.reshape(60, -1))
    result = np.asarray(model.fit_action_units(x, both, groups=groups, seed=0)(test))
    np.testing.assert_array_equal(result >= 0.5, expected)


def test_an_svm_keeps_the_sign_of_its_decision() -> None:
    result = SVM().presence(np.array([[0.0, 0.0], [-1, 1], [2, -2]]))
    np.testing.assert_allclose(result, [0.5, 0.731059, 0.119203], rtol=1e-5)


def test_early_stopping_watches_units() -> None:
    predictor, *_ = told(ToyDetector(epochs=30, early_stopping=3, keep="best", learning_rate=0.05))
    assert isinstance(predictor, trainer.NetworkPredictor)
    assert {"val_loss", "val_accuracy"} <= predictor.history[0].keys()
    assert predictor.history[-1]["val_accuracy"] > predictor.history[0]["val_accuracy"]


def test_constants() -> None:
    x, y, groups = faces(10)
    test = np.zeros((3, 1, 4))
    result = Majority().fit_action_units(x, y, groups=groups, seed=0)(test)
    np.testing.assert_allclose(result, np.tile(y.mean(0), (3, 1)))
    np.testing.assert_array_equal(
        AlwaysPresent().fit_action_units(x, y, groups=groups, seed=0)(test), np.ones((3, UNITS))
    )


def test_the_au_cnn_has_a_sigmoid_for_each_unit_and_is_saved_whole(tmp_path: Path) -> None:
    model = AUCNN(epochs=1, batch_size=4, convolutions=1)
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 256, (6, 1, 128, 128, 3), dtype=np.uint8), rng.random((6, 12)) < 0.5
    predictor = model.fit_action_units(x, y, groups=np.array(list("aabbcc")), seed=0)
    result = np.asarray(predictor(x))
    assert result.shape == (6, 12)
    assert not np.allclose(result.sum(1), 1)
    model.save(predictor, tmp_path)
    np.testing.assert_array_equal(model.load(tmp_path)(x), result)


def test_a_network_that_was_saved_with_an_unknown_head_is_refused(tmp_path: Path) -> None:
    model = ToyModel(epochs=1)
    x, y, groups = faces(8)
    model.save(model.fit(x, y[:, 0].astype(np.intp), n_classes=2, groups=groups, seed=0), tmp_path)
    path = tmp_path / "network.json"
    text = path.read_text()
    path.write_text(text.replace('"softmax"', '"tanh"'))
    with pytest.raises(ValueError, match="names the last layer 'tanh'; known: softmax, sigmoid"):
        model.load(tmp_path)
    before = replace(model).load(_with(path, text.replace('"head": "softmax"', '"older": 1')))
    np.testing.assert_allclose(np.asarray(before(x)).sum(1), 1, rtol=1e-5)


def _with(path: Path, text: str) -> Path:
    """Change a file, and return its folder: files of earlier versions name no head."""
    path.write_text(text)
    return path.parent
