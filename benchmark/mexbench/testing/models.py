"""What models promise."""

from __future__ import annotations

import functools
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from mexbench.errors import counted
from mexbench.interfaces import ActionUnitModel, EpochsModel, FoldsModel, Model, Predictor, Rows
from mexbench.runs.model_files import file_errors
from mexbench.runs.saved_model import ABOUT, can_save
from mexbench.testing.checks import NotApplicable, check, same

N_CLASSES = 4
_EACH = 6
#: Float error that a different batch may cause: additions in another order, not another result.
_TOLERANCE = 1e-3


def examples(model: Model, labels: NDArray[np.intp], seed: int = 0) -> NDArray[Any]:
    """Draw samples (n, *example_shape), read-only, in which classes differ by brightness and place."""
    return _examples(tuple(model.example_shape), np.dtype(model.example_dtype), tuple(labels.tolist()), seed)


# The checks ask for the same ones again: drawing 24 pictures of 224x224 takes 65 ms, and was done 32 times for a model.
@functools.lru_cache(maxsize=4)
def _examples(shape: tuple[int, ...], dtype: np.dtype[Any], labels: tuple[int, ...], seed: int) -> NDArray[Any]:
    rng = np.random.default_rng(seed)
    x = rng.normal(128, 20, size=(len(labels), *shape))
    for row, label in zip(x, labels, strict=True):
        part = np.array_split(np.arange(row.size), N_CLASSES)[label]
        row.reshape(-1)[part] += 60
    x = np.clip(x, 0, 255).astype(dtype)
    x.flags.writeable = False
    return x[:]  # a view: not even a model that makes it writeable can change what the next check gets


def _labels(*classes: int) -> NDArray[np.intp]:
    return np.tile(np.array(classes, dtype=np.intp), _EACH)


def _fit(model: Model, x: NDArray[Any], y: NDArray[np.intp], seed: int = 0) -> Predictor:
    groups = np.array([f"subject {index % 3}" for index in range(len(y))])
    for array in (y, groups):
        array.flags.writeable = False
    return model.fit(x, y, n_classes=N_CLASSES, groups=groups, seed=seed)


ALL = _labels(0, 1, 2, 3)


@check("gives finite scores (n, n_classes) for read-only input")
def scores(model: Model) -> Iterator[str]:
    """Look at the scores of as many samples as trained, of one sample, and of more than trained."""
    predictor = _fit(model, examples(model, ALL), ALL)
    for count in (len(ALL), 1, 2 * len(ALL) + 1):
        scores = np.asarray(predictor(examples(model, np.resize(ALL, count), seed=1)))
        if scores.shape != (count, N_CLASSES) or scores.dtype.kind not in "biuf":
            yield (
                f"{counted(count, 'sample')} gave {scores.dtype} {scores.shape}, expected numbers {(count, N_CLASSES)}"
            )
        elif not np.isfinite(scores).all():
            yield f"{counted(count, 'sample')} gave scores that are not finite"


@check("gives the same scores for the same seed")
def deterministic(model: Model) -> Iterator[str]:
    """Train twice."""
    x, test = examples(model, ALL), examples(model, ALL, seed=1)
    one, other = (np.asarray(_fit(model, x, ALL, seed=7)(test)) for _ in range(2))
    if not same(one, other):
        yield f"scores differ by up to {np.abs(one - other).max():.3g}"


@check("keeps nothing between two calls of fit")
def stateless(model: Model) -> Iterator[str]:
    """Train on something else in between, and ask the first predictor again."""
    x, test = examples(model, ALL), examples(model, ALL, seed=1)
    first = _fit(model, x, ALL)
    before = np.array(first(test))
    other = _labels(3, 2, 1, 0)
    _fit(model, examples(model, other, seed=2), other)(test)
    if not same(before, np.asarray(first(test))):
        yield "an earlier predictor changed"
    if not same(before, np.asarray(_fit(model, x, ALL)(test))):
        yield "training again after another training gives another predictor"


@check("gives a fold the same scores whichever folds ran before it")
def fold_order(model: Model) -> Iterator[str]:
    """Run two folds, then the same two in the other order.

    A model that remembers labels of earlier folds knows those of a test side the second time. The samples are drawn
    anew each time, so that none was seen before, and their labels say nothing, so that only memory can tell them.
    """
    rng = np.random.default_rng()
    x, y = examples(model, ALL, seed=int(rng.integers(2**32))), rng.permutation(ALL)
    numbers = np.arange(len(y)) % 4  # two subjects on each side: early stopping needs two to cut a validation part
    groups = np.array([f"subject {number}" for number in numbers])
    sides = [(np.flatnonzero(numbers >= 2), np.flatnonzero(numbers < 2))]
    sides.append((sides[0][1], sides[0][0]))

    def scores_of(fold: int) -> NDArray[Any]:
        train, test = sides[fold]
        return np.array(model.fit(x[train], y[train], n_classes=N_CLASSES, groups=groups[train], seed=0)(x[test]))

    first = [scores_of(fold) for fold in (0, 1)]
    second = [scores_of(fold) for fold in (1, 0)][::-1]
    for number, (one, other) in enumerate(zip(first, second, strict=True), 1):
        if not same(one, other):
            yield f"fold {number} scores otherwise after another fold: something is remembered between folds"


@check("takes each test sample by itself")
def one_by_one(model: Model) -> Iterator[str]:
    """Predict together and one by one: a predictor that looks at the other test samples learns from them."""
    predictor = _fit(model, examples(model, ALL), ALL)
    test = examples(model, ALL, seed=1)
    together = np.asarray(predictor(test), dtype=np.float64)
    alone = np.concatenate([np.asarray(predictor(test[i : i + 1]), dtype=np.float64) for i in range(len(test))])
    if not np.allclose(together, alone, rtol=_TOLERANCE, atol=_TOLERANCE):
        yield f"scores differ by up to {np.abs(together - alone).max():.3g} from those of the whole test side"


@check("accepts a class without training samples")
def unseen_class(model: Model) -> Iterator[str]:
    """Train on classes 0 and 2 alone."""
    labels = _labels(0, 2)
    scores = np.asarray(_fit(model, examples(model, labels), labels)(examples(model, ALL, seed=1)))
    if scores.shape != (len(ALL), N_CLASSES):
        yield f"scores have shape {scores.shape}, expected {(len(ALL), N_CLASSES)}"
    elif not np.isfinite(scores).all():
        yield "scores are not finite"


@check("accepts a single class in training")
def single_class(model: Model) -> Iterator[str]:
    """Train on class 1 alone: there is only one answer."""
    labels = _labels(1)
    scores = np.asarray(_fit(model, examples(model, labels), labels)(examples(model, ALL, seed=1)))
    if scores.shape != (len(ALL), N_CLASSES):
        yield f"scores have shape {scores.shape}, expected {(len(ALL), N_CLASSES)}"
    elif set(scores.argmax(axis=1).tolist()) != {1}:
        yield "another class than the only one is predicted"


@check("trains folds together, each unaffected by what it holds out")
def folds_together(model: Model) -> Iterator[str]:
    """Train two folds at once, then again with other pixels and labels where the first one holds out."""
    if not isinstance(model, FoldsModel) or model.folds_at_once() == 1:
        raise NotApplicable
    x, test = examples(model, ALL), examples(model, ALL, seed=1)
    masks = np.ones((2, len(ALL)), dtype=bool)
    masks[0, : len(ALL) // 3] = masks[1, -(len(ALL) // 3) :] = False
    groups = np.array([f"subject {index % 3}" for index in range(len(ALL))])
    held_out = np.flatnonzero(~masks[0])
    other_x, other_y = x.copy(), ALL.copy()
    other_x[held_out] = examples(model, ALL, seed=2)[held_out]
    other_y[held_out] = (other_y[held_out] + 1) % N_CLASSES
    one, other = (
        np.asarray(model.fit_folds(a, b, masks, n_classes=N_CLASSES, groups=groups, seed=0)[0](test))
        for a, b in ((x, ALL), (other_x, other_y))
    )
    if not same(one, other):
        yield f"scores differ by up to {np.abs(one - other).max():.3g} when held-out samples change"


@check("scores the same after saving and loading, with no pickle among the files")
def saving(model: Model) -> Iterator[str]:
    """Save three predictors, one of them trained on a single class, load each and ask both."""
    if not can_save(model):
        raise NotApplicable
    test = examples(model, ALL, seed=1)
    for labels in (ALL, _labels(0, 2), _labels(1)):
        predictor = _fit(model, examples(model, labels), labels)
        with tempfile.TemporaryDirectory(prefix="mexbench-") as name:
            folder = Path(name)
            model.save(predictor, folder)
            yield from file_errors(folder, ABOUT)
            loaded = model.load(folder)
            before, after = np.asarray(predictor(test)), np.asarray(loaded(test))
        if not same(before, after):
            yield f"trained on classes {sorted(set(labels.tolist()))}, scores differ after loading"


@check("shows its epochs: gives probabilities for each, unaffected by what a fold holds out")
def epochs(model: Model) -> Iterator[str]:
    """Train a fold epoch by epoch, then again with other pixels and labels where it holds out."""
    if not isinstance(model, EpochsModel):
        raise NotApplicable
    x, test = examples(model, ALL), examples(model, ALL, seed=1)
    mask = np.arange(len(ALL))[None] >= len(ALL) // 3
    groups = np.array([f"subject {index % 3}" for index in range(len(ALL))])
    other_x, other_y = np.where(mask.reshape(-1, *[1] * (x.ndim - 1)), x, examples(model, ALL, seed=2)), ALL.copy()
    other_y[~mask[0]] = (other_y[~mask[0]] + 1) % N_CLASSES
    one, other = (
        [
            [np.asarray(predictor(test)) for predictor in predictors]
            for predictors in model.fit_epochs(a, b, mask, n_classes=N_CLASSES, groups=groups, seed=0)
        ]
        for a, b in ((x, ALL), (other_x, other_y))
    )
    if [len(scores) for scores in one] != [1] * model.epochs:
        yield f"gave {[len(scores) for scores in one]} predictors, expected one fold's in each of {model.epochs} epochs"
        return
    for number, ((scores,), (again,)) in enumerate(zip(one, other, strict=True), 1):
        if scores.shape != (len(ALL), N_CLASSES) or scores.min() < 0 or scores.sum(axis=1).max() > 1 + _TOLERANCE:
            yield f"epoch {number}: scores {scores.shape} are not probabilities"
        if not same(scores, again):
            most = np.abs(scores - again).max()
            yield f"epoch {number}: scores differ by up to {most:.3g} when held-out samples change"


@check("detects action units: gives scores from 0 to 1, each sample by itself, saved ones too")
def units(model: Model) -> Iterator[str]:
    """Train on four units, of which the third always shows and the last never does."""
    if not isinstance(model, ActionUnitModel) or model.fit_action_units is None:
        raise NotApplicable
    shows = np.stack([ALL == 0, ALL > 1, ALL >= 0, ALL < 0], axis=1)
    shows.flags.writeable = False
    groups = np.array([f"subject {index % 3}" for index in range(len(ALL))])
    test = examples(model, ALL, seed=1)
    one, other = (model.fit_action_units(examples(model, ALL), shows, groups=groups, seed=7) for _ in range(2))
    scores = np.asarray(one(test), dtype=np.float64)
    if scores.shape != shows.shape:
        yield f"scores have shape {scores.shape}, expected {shows.shape}"
        return
    if not (np.isfinite(scores).all() and scores.min() >= 0 and scores.max() <= 1):
        yield f"scores range from {scores.min():.3g} to {scores.max():.3g}, expected 0 to 1"
    if not same(scores, np.asarray(other(test), dtype=np.float64)):
        yield "training twice with one seed gives other scores"
    alone = np.concatenate([np.asarray(one(test[i : i + 1]), dtype=np.float64) for i in range(len(test))])
    if not np.allclose(scores, alone, rtol=_TOLERANCE, atol=_TOLERANCE):
        yield f"scores differ by up to {np.abs(scores - alone).max():.3g} from those of the whole test side"
    if can_save(model):
        with tempfile.TemporaryDirectory(prefix="mexbench-") as name:
            model.save(one, Path(name))
            yield from file_errors(Path(name), ABOUT)
            loaded = np.asarray(model.load(Path(name))(test), dtype=np.float64)
        if not same(scores, loaded):
            yield "scores of units differ after loading"


@check("learns from rows that are read when they are needed what it learns from an array")
def rows(model: Model) -> Iterator[str]:
    """Train on an array and on rows, and ask each predictor about the other kind."""
    if not model.reads_rows:
        raise NotApplicable
    x, test = examples(model, ALL), examples(model, ALL, seed=1)
    everything = np.arange(len(ALL))
    view: Any = Rows(x[::-1], everything[::-1])
    one, other = _fit(model, x, ALL), _fit(model, view, ALL)
    before, after = np.asarray(one(cast("Any", Rows(test, everything)))), np.asarray(other(test))
    if not same(before, after):
        yield f"scores differ by up to {np.abs(before - after).max():.3g}"


CHECKS = (
    scores, deterministic, stateless, fold_order, one_by_one, unseen_class, single_class, folds_together, saving,
    epochs, units, rows,
)  # fmt: skip
