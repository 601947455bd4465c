"""Leaks that fit a step on all samples instead of the training side: scaler, PCA, selection, oversampling."""

from __future__ import annotations

import dataclasses
import warnings
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from mexbench.interfaces import Model, Predictor
from mexbench.studies.audit.cases import Case, Job, Predicted
from mexbench.studies.audit.leak import AuditLeak, JobResults, Pair, recipe

#: From samples (n, ...) to as many of the same shape.
Change = Callable[[NDArray[Any]], NDArray[np.float32]]
#: Principal components that are kept, and features that are selected, where there are more.
COMPONENTS, FEATURES = 50, 100


@dataclass(frozen=True)
class Prepared(Model):
    """A model behind a step that learns from data.

    Args:
        model: The model.
        fit_step: Learns the step from samples and labels.
        known: The step as fitted on all samples; None fits it on the training side.
    """

    model: Model
    fit_step: Callable[[NDArray[Any], NDArray[np.intp]], Change]
    known: Change | None = None

    def fit(
        self, x: NDArray[Any], y: NDArray[np.intp], *, n_classes: int, groups: NDArray[np.str_], seed: int
    ) -> Predictor:
        """Learn the step, then the model on what the step gives."""
        change = self.known or self.fit_step(x, y)
        predictor = self.model.fit(change(x), y, n_classes=n_classes, groups=groups, seed=seed)
        return Changed(predictor, change)


@dataclass(frozen=True)
class Changed:
    """A predictor behind a step."""

    predictor: Predictor
    change: Change

    def __call__(self, x: NDArray[Any], /) -> NDArray[Any]:
        """Return the predictor's scores for what the step gives."""
        return self.predictor(self.change(x))


@dataclass(frozen=True)
class Fitted:
    """A fitted step of scikit-learn, applied so that samples keep their shape, which networks need.

    Args:
        apply: From features (n, d) to features (n, d).
    """

    apply: Callable[[NDArray[Any]], NDArray[Any]]

    def __call__(self, x: NDArray[Any], /) -> NDArray[np.float32]:
        """Return the changed samples, of the same shape."""
        return self.apply(_flat(x)).reshape(x.shape).astype(np.float32)


@dataclass(frozen=True)
class PcaReconstruction:
    """Project on principal components and back, so that a sample keeps its shape, which networks need."""

    pca: Any

    def __call__(self, features: NDArray[Any], /) -> NDArray[Any]:
        """Return what the components hold of each sample (n, d)."""
        return self.pca.inverse_transform(self.pca.transform(features))


@dataclass(frozen=True)
class Masked:
    """Set every feature to 0 that was not selected: no model can learn from a constant."""

    selected: NDArray[np.bool_]

    def __call__(self, features: NDArray[Any], /) -> NDArray[Any]:
        """Return features (n, d)."""
        return features * self.selected


@dataclass(frozen=True)
class FittedOnEverything(AuditLeak):
    """A step is fitted on all samples; its honest twin is the same step, fitted inside each fold."""

    number: ClassVar[str | None] = "L1.2"
    twin: ClassVar[str] = "the same step, fitted on the training side of each fold"
    #: How many features or components the step keeps; None where it discards none.
    most: ClassVar[int | None] = None

    def inapplicable_reason(self, case: Case) -> str | None:
        """Exclude samples with so few features that the step would discard none."""
        features = int(np.prod(case.x.shape[1:]))
        if self.most is not None and features <= self.most:
            return f"a sample has {features} features, and the step keeps up to {self.most}"
        return None

    @staticmethod
    @abstractmethod
    def fit_step(x: NDArray[Any], y: NDArray[np.intp]) -> Change:
        """Learn the step."""

    def jobs(self, case: Case) -> Sequence[Job]:
        """Train behind the step, fitted either way; one fold at a time, since honest folds see different numbers."""
        honest = Prepared(case.instance, self.fit_step)
        leaky = dataclasses.replace(honest, known=self.fit_step(case.x, case.y))
        settings = recipe(self, components=COMPONENTS, features=FEATURES)
        return [
            case.job(f"{self.name}/honest", recipe=settings, model=honest),
            case.job(f"{self.name}/leaky", recipe=settings, model=leaky),
        ]

    def compare(self, case: Case, honest: Predicted, results: JobResults) -> Pair:
        """Compare the two fits."""
        del honest
        honest_fit, leaky_fit = (
            case.predicted(results[f"{self.name}/{side}"], case.repeats) for side in ("honest", "leaky")
        )
        return Pair(honest_fit, leaky_fit)


@dataclass(frozen=True)
class Scaler(FittedOnEverything):
    """Mean and variance of the test side are in the scale."""

    name: ClassVar[str] = "scaler"
    what: ClassVar[str] = "mean and variance of each feature taken from training and test side"

    @staticmethod
    def fit_step(x: NDArray[Any], y: NDArray[np.intp]) -> Change:
        """Take mean and variance."""
        from sklearn.preprocessing import StandardScaler

        del y
        return Fitted(StandardScaler().fit(_flat(x)).transform)  # pyright: ignore[reportArgumentType] - no sparse here

    def note(self, case: Case) -> str:
        """Return why the row may be exactly 0."""
        del case
        return "a model that scales its own input again undoes it"


@dataclass(frozen=True)
class Pca(FittedOnEverything):
    """Directions of the test side are among the components."""

    name: ClassVar[str] = "pca"
    most: ClassVar[int | None] = COMPONENTS
    what: ClassVar[str] = f"{COMPONENTS} principal components taken from training and test side"

    @staticmethod
    def fit_step(x: NDArray[Any], y: NDArray[np.intp]) -> Change:
        """Take the components."""
        from sklearn.decomposition import PCA

        del y
        features = _flat(x)
        pca = PCA(n_components=min(COMPONENTS, *features.shape), random_state=0)
        return Fitted(PcaReconstruction(pca.fit(features)))


@dataclass(frozen=True)
class Selection(FittedOnEverything):
    """Labels of the test side choose the features."""

    name: ClassVar[str] = "selection"
    most: ClassVar[int | None] = FEATURES
    number: ClassVar[str | None] = "L1.3"
    what: ClassVar[str] = f"the {FEATURES} features with the highest F value chosen on training and test side"

    @staticmethod
    def fit_step(x: NDArray[Any], y: NDArray[np.intp]) -> Change:
        """Choose by analysis of variance; a feature that is constant is never chosen before another."""
        from sklearn.feature_selection import f_classif

        features = _flat(x)
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")  # constant features have no F value
            value = np.nan_to_num(f_classif(features, y)[0], nan=-1.0, posinf=np.finfo(np.float64).max)
        selected = np.zeros(features.shape[1], dtype=bool)
        selected[np.argsort(-value, kind="stable")[:FEATURES]] = True
        return Fitted(Masked(selected))


@dataclass(frozen=True)
class Oversampling(AuditLeak):
    """Copies of rare classes are made of everything, and copies of a held-out sample train."""

    name: ClassVar[str] = "oversampling"
    number: ClassVar[str | None] = "L1.2"
    what: ClassVar[str] = (
        "rare classes filled up with copies before the split; a copy loses its subject, so copies of test samples train"
    )
    twin: ClassVar[str] = "as many copies as balance the training side, of the training side alone"

    def jobs(self, case: Case) -> Sequence[Job]:
        """Train with copies of everything, and with copies of the training side."""
        everything = np.arange(len(case.y))
        copies = extra(case.y, everything, seed=0)
        sides = case.sides()
        leaky = {name: (np.sort([*train, *copies]), test) for name, (train, test) in sides.items()}
        honest = {
            name: (np.sort([*train, *extra(case.y, train, seed=0)]), test) for name, (train, test) in sides.items()
        }
        return [
            case.job(f"{self.name}/honest", recipe=recipe(self), folds=honest),
            case.job(f"{self.name}/leaky", recipe=recipe(self), folds=leaky),
        ]

    def compare(self, case: Case, honest: Predicted, results: JobResults) -> Pair:
        """Compare the two ways to copy."""
        del honest
        honest_copies, leaky_copies = (
            case.predicted(results[f"{self.name}/{side}"], case.repeats) for side in ("honest", "leaky")
        )
        return Pair(honest_copies, leaky_copies)


def extra(y: NDArray[np.intp], pool: NDArray[np.intp], *, seed: int) -> NDArray[np.intp]:
    """Draw copies until every class of the pool has as many samples as its largest.

    Args:
        y: Class indices (n,).
        pool: Positions that copies are made of.
        seed: Of the draw.

    Returns:
        Positions, as often as they are copied.
    """
    rng = np.random.default_rng(seed)
    counts: Mapping[int, int] = {int(k): int((y[pool] == k).sum()) for k in np.unique(y[pool])}
    most = max(counts.values())
    drawn = [rng.choice(pool[y[pool] == k], size=most - count) for k, count in counts.items()]
    return np.concatenate(drawn)


def _flat(x: NDArray[Any]) -> NDArray[np.float32]:
    return x.reshape(len(x), -1).astype(np.float32)
