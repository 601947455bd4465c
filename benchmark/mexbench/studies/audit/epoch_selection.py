"""Leaks that choose the epoch by its score on the test side: per fold, once for all folds, or by early stopping."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from mexbench.errors import counted
from mexbench.interfaces import EpochsModel, FoldsModel, Predictor, select_rows
from mexbench.metrics.classification import scores, uf1
from mexbench.runs.run_folder import StoredResult
from mexbench.studies.audit.cases import Case, Job, Predicted
from mexbench.studies.audit.leak import SIMULATIONS, AuditLeak, JobResults, Null, Pair, confusions, draw, recipe

PLACE = "epochs"
#: Epochs without improvement on the test fold after which a training is stopped.
PATIENCE = 10
#: Hits (simulations, epochs, tested) -> the chosen epoch (simulations,).
Choice = Callable[[NDArray[np.bool_]], NDArray[np.intp]]
#: Most random numbers that are drawn at once.
_AT_ONCE = 1 << 24
#: Most weights, of all folds and epochs, that are stored: a gigabyte.
_MOST_STORED = 1 << 28


@dataclass(frozen=True)
class AllEpochs(FoldsModel):
    """A model whose predictor gives the scores of every epoch, side by side.

    Args:
        model: The model.
        n_classes: Scores of one epoch.
        at_once: How many folds are trained together.
    """

    model: EpochsModel
    n_classes: int
    at_once: int

    def folds_at_once(self) -> int:
        """Return what an honest run does."""
        return self.at_once

    def fit(
        self, x: NDArray[Any], y: NDArray[np.intp], *, n_classes: int, groups: NDArray[np.str_], seed: int
    ) -> Predictor:
        """Train when the predictor is called, once, so that the weights of the epochs need not be stored."""
        del n_classes
        mask = np.ones((1, len(y)), dtype=bool)
        each = self.model.fit_epochs(x, y, mask, n_classes=self.n_classes, groups=groups, seed=seed)
        return _EveryEpoch(predictors[0] for predictors in each)

    def fit_folds(
        self, x: NDArray[Any], y: NDArray[np.intp], train_masks: NDArray[np.bool_], *,
        n_classes: int, groups: NDArray[np.str_], seed: int,
    ) -> Sequence[Predictor]:  # fmt: skip
        """Train the folds together and keep what they were after each epoch, or one by one where that is too much."""
        n_params = sum(row.n_params for row in self.model.layers(self.n_classes))
        if len(train_masks) * self.model.epochs * n_params > _MOST_STORED:
            return [
                self.fit(select_rows(x, mask), y[mask], n_classes=n_classes, groups=groups[mask], seed=seed)
                for mask in train_masks
            ]
        each = self.model.fit_epochs(x, y, train_masks, n_classes=self.n_classes, groups=groups, seed=seed)
        folds = list(zip(*each, strict=True))
        return [_EveryEpoch(fold) for fold in folds]


class _EveryEpoch:
    """Gives the scores of each epoch's predictor side by side; then it has what the last one reports of its training.

    Args:
        predictors: One after the other, each used once.
    """

    def __init__(self, predictors: Iterable[Predictor]) -> None:
        self._predictors = predictors
        self.history: object = None
        self.health: object = {}

    def __call__(self, x: NDArray[Any], /) -> NDArray[np.float64]:
        scores = []
        for predictor in self._predictors:
            scores.append(np.asarray(predictor(x)))
            self.history, self.health = getattr(predictor, "history", None), getattr(predictor, "health", {})
        return np.hstack(scores)


@dataclass(frozen=True)
class EpochRun:
    """One seed and repeat: the scores of every epoch on the samples that it tests.

    Args:
        tested: Positions of each fold's test samples.
        scores: For each fold (tested, epochs, K).
    """

    tested: Sequence[NDArray[np.intp]]
    scores: Sequence[NDArray[np.float64]]


@dataclass(frozen=True)
class EpochLeak(AuditLeak):
    """Base of the three leaks: one training of every fold, which stores the answers of all epochs.

    Every epoch is trained, on the whole training side: a recipe's own early stopping would cut a validation part and
    end before the best epoch is found.
    """

    number: ClassVar[str | None] = "L1.1"

    def inapplicable_reason(self, case: Case) -> str | None:
        """Exclude models without epochs."""
        return None if isinstance(case.instance, EpochsModel) else f"{case.model} has no epochs"

    def jobs(self, case: Case) -> Sequence[Job]:
        """Train each fold for all epochs."""
        assert isinstance(case.instance, EpochsModel)  # noqa: S101 - inapplicable_reason excludes other models
        k = len(case.classes)
        model = AllEpochs(case.instance, k, case.folds_per_group)
        width = k * case.instance.epochs
        return [
            case.job(
                PLACE, recipe=recipe(EpochPerSubject()), folds_per_group=case.folds_per_group, model=model, width=width
            )
        ]

    def compare(self, case: Case, honest: Predicted, results: JobResults) -> Pair:
        """Compare the chosen epoch's answers with those of the run."""
        leaky = np.full((len(honest), len(case.y)), -1)
        for row, run in zip(leaky, runs(case, results[PLACE]), strict=True):
            for test, values, epoch in zip(run.tested, run.scores, self.choose(case, run), strict=True):
                row[test] = values[:, epoch].argmax(axis=1)
        return Pair(honest, leaky)

    def choose(self, case: Case, run: EpochRun) -> Sequence[int]:
        """Return the epoch that each fold is judged by, from 0."""
        raise NotImplementedError

    def note(self, case: Case) -> str:
        """Return how many epochs there were to choose from."""
        return counted(n_epochs(case), "epoch")


@dataclass(frozen=True)
class EpochPerSubject(EpochLeak):
    """Each fold is judged by the epoch with the highest accuracy on its test side, the first of several.

    A published script of the field keeps a test subject's best accuracy in this way, over 800 epochs. For random
    predictors on the MEGC2019 composite that gives a UF1 of .64 in 20 epochs and .83 in 800; ties broken by UF1 instead
    give .65 in 20.
    """

    name: ClassVar[str] = "epoch-per-subject"
    what: ClassVar[str] = "for each test fold, the epoch with the highest accuracy on that fold"

    def choose(self, case: Case, run: EpochRun) -> Sequence[int]:
        """Take the first epoch of the highest accuracy."""
        hits = [values.argmax(2) == case.y[test][:, None] for test, values in zip(run.tested, run.scores, strict=True)]
        return [int(fold_hits.sum(axis=0).argmax()) for fold_hits in hits]

    def null(self, case: Case, honest: Predicted, rng: np.random.Generator) -> Null:
        """Let each epoch of each fold answer at random, independently."""
        del honest

        def best(hits: NDArray[np.bool_]) -> NDArray[np.intp]:
            return hits.sum(axis=2, dtype=np.int32).argmax(axis=1)

        return random_choice(case, best, rng)


@dataclass(frozen=True)
class EarlyStopping(EpochLeak):
    """The test fold is handed to early stopping as its validation part, and its best epoch is kept."""

    name: ClassVar[str] = "early-stopping"
    what: ClassVar[str] = (
        f"the test fold watched by early stopping with patience {PATIENCE}; the epoch with its lowest loss is kept"
    )

    def choose(self, case: Case, run: EpochRun) -> Sequence[int]:
        """Stop by log-loss."""
        losses = []
        for test, values in zip(run.tested, run.scores, strict=True):
            truth = np.take_along_axis(values, case.y[test][:, None, None], axis=2)[..., 0]
            losses.append(-np.log(np.maximum(truth, 1e-12)).mean(axis=0))
        return [int(stopped(loss[None])[0]) for loss in losses]

    def null(self, case: Case, honest: Predicted, rng: np.random.Generator) -> Null:
        """Stop a random predictor by its errors: it has no probabilities to take a log-loss of."""
        del honest
        return random_choice(case, lambda hits: stopped(-hits.sum(axis=2, dtype=np.int32)), rng)


@dataclass(frozen=True)
class EpochGlobal(EpochLeak):
    """All folds are judged by the one epoch whose pooled UF1 is highest."""

    name: ClassVar[str] = "epoch-global"
    what: ClassVar[str] = "the one epoch whose pooled UF1 over all test folds is highest"

    def choose(self, case: Case, run: EpochRun) -> Sequence[int]:
        """Score every epoch."""
        tested = np.concatenate(run.tested)
        answers = np.concatenate([values.argmax(2) for values in run.scores]).T.astype(np.int8)
        return [int(uf1(confusions(case, answers, tested)).argmax())] * len(run.tested)

    def null(self, case: Case, honest: Predicted, rng: np.random.Generator) -> Null:
        """Take the best of as many random predictors as there are epochs."""
        tested, epochs = np.flatnonzero(honest[0] >= 0), n_epochs(case)
        best_scores: dict[str, list[NDArray[np.float64]]] = {"uf1": [], "uar": []}
        for count in _pieces(epochs * len(tested)):
            answers = draw(case, (count * epochs, len(tested)), rng)
            scored = scores(confusions(case, answers, tested))
            best = scored["uf1"].reshape(count, epochs).argmax(axis=1)
            for name, values in best_scores.items():
                values.append(scored[name].reshape(count, epochs)[np.arange(count), best])
        return {name: np.concatenate(values) for name, values in best_scores.items()}


def n_epochs(case: Case) -> int:
    """Return how many epochs the case's model has."""
    return case.instance.epochs if isinstance(case.instance, EpochsModel) else 0


def runs(case: Case, results: Sequence[StoredResult]) -> Iterator[EpochRun]:
    """Sort the stored scores of all epochs by seed, repeat and fold."""
    by_run: dict[tuple[int, int], list[tuple[NDArray[np.intp], NDArray[np.float64]]]] = {}
    for result in results:
        key = case.seeds.index(result.task.seed), case.repeats[result.task.fold]
        tested = np.array([case.position[name] for name in result.scores], dtype=np.intp)
        values = np.array(list(result.scores.values())).reshape(len(tested), -1, len(case.classes))
        by_run.setdefault(key, []).append((tested, values))
    for key in sorted(by_run):
        tested, values = zip(*by_run[key], strict=True)
        yield EpochRun(tested, values)


def stopped(losses: NDArray[Any]) -> NDArray[np.intp]:
    """Return the epoch that early stopping keeps.

    Args:
        losses: On the validation part (m, epochs).

    Returns:
        For each row the epoch of the lowest loss before ``PATIENCE`` epochs passed without a lower one (m,).
    """
    best, lowest = np.zeros(len(losses), dtype=np.intp), losses[:, 0].copy()
    running = np.ones(len(losses), dtype=bool)
    for epoch in range(1, losses.shape[1]):
        better = running & (losses[:, epoch] < lowest)
        best[better], lowest[better] = epoch, losses[better, epoch]
        running &= epoch - best < PATIENCE
    return best


def random_choice(case: Case, choose: Choice, rng: np.random.Generator, *, epochs: int | None = None) -> Null:
    """Let a random predictor answer in every epoch, choose one epoch per fold, and pool the answers.

    Args:
        case: The case.
        choose: The rule that chooses an epoch.
        rng: Source of the answers.
        epochs: From how many the choice is made; by default all that the model has.
    """
    epochs = n_epochs(case) if epochs is None else epochs
    first = {fold.name for fold in case.folds if fold.repeat == 0}
    total = np.zeros((SIMULATIONS, len(case.classes), len(case.classes)), dtype=np.int64)
    for name, (_, test) in case.sides().items():
        if name not in first:
            continue
        start = 0
        for count in _pieces(epochs * len(test)):
            answers = draw(case, (count, epochs, len(test)), rng)
            selected = answers[np.arange(count), choose(answers == case.y[test])]
            total[start : start + count] += confusions(case, selected, test)
            start += count
    scored = scores(total)
    return {name: scored[name] for name in ("uf1", "uar")}


def _pieces(each: int) -> list[int]:
    """Divide the simulations into pieces that fit into memory."""
    size = max(1, _AT_ONCE // each)
    return [min(size, SIMULATIONS - start) for start in range(0, SIMULATIONS, size)]
