"""Leaks of choice: the epoch as a method's own public code chooses it, and settings chosen by their test scores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from mexbench.config.shipped import find_leaderboards
from mexbench.config.tuning import Tuning, with_values
from mexbench.errors import BenchError, counted
from mexbench.metrics.classification import scores
from mexbench.studies.audit.cases import Case, Job, Predicted
from mexbench.studies.audit.epoch_selection import EpochLeak, EpochRun, n_epochs, random_choice
from mexbench.studies.audit.leak import AuditLeak, JobResults, Null, Pair, confusions, draw, recipe
from mexbench.studies.claims.methods import MethodCode, load_methods

#: Simulations of a rule that looks at all folds together.
_SIMULATIONS = 200


def known_methods() -> tuple[MethodCode, ...]:
    """Return the shipped list of public codes; nothing where there is none."""
    try:
        root, _ = find_leaderboards(None)
        return load_methods(root / "methods.yaml")
    except BenchError:
        return ()


@dataclass(frozen=True)
class AuthorsRule(EpochLeak):
    """The epoch is chosen as the method's own public code does it, which ``methods.yaml`` describes.

    Args:
        methods: The public codes; a model is found by the name of its plugin.
    """

    name: ClassVar[str] = "authors-rule"
    what: ClassVar[str] = "the epoch chosen on the test side as the method's own public code chooses it"

    methods: tuple[MethodCode, ...] = field(default_factory=known_methods)

    def method(self, case: Case) -> MethodCode | None:
        """Return the public code of a case's model."""
        return next((method for method in self.methods if case.plugin in method.plugins), None)

    def inapplicable_reason(self, case: Case) -> str | None:
        """Exclude models without a public code, and those whose code uses no test side."""
        method = self.method(case)
        if method is None:
            return f"no public code of {case.model} is listed in methods.yaml"
        if method.selection not in ("test-subject", "test-mean"):
            return f"its public code ({method.version()}) chooses no epoch on a test side: {method.selection}"
        return super().inapplicable_reason(case)

    def null_key(self, case: Case) -> tuple[object, ...]:
        """Return what of the rule decides the random predictor's score."""
        method = self._method(case)
        return method.selection, method.ties, method.every

    def choose(self, case: Case, run: EpochRun) -> Sequence[int]:
        """Apply the rule."""
        method = self._method(case)
        hits = [values.argmax(2) == case.y[test][:, None] for test, values in zip(run.tested, run.scores, strict=True)]
        watched = watched_epochs(hits[0].shape[1], method.every)
        if method.selection == "test-subject":
            return [int(watched[best_index(fold[:, watched].sum(axis=0), method.ties)]) for fold in hits]
        mean = np.mean([_uar(fold[:, watched], case.y[test]) for fold, test in zip(hits, run.tested, strict=True)], 0)
        return [int(watched[best_index(mean, method.ties)])] * len(run.tested)

    def null(self, case: Case, honest: Predicted, rng: np.random.Generator) -> Null:
        """Let each epoch of each fold answer at random, and choose by the rule."""
        method = self._method(case)
        watched = len(watched_epochs(n_epochs(case), method.every))
        if method.selection == "test-subject":

            def choose(hits: NDArray[np.bool_]) -> NDArray[np.intp]:
                return best_index(hits.sum(axis=2, dtype=np.int32), method.ties)

            return random_choice(case, choose, rng, epochs=watched)
        return _random_mean(case, np.flatnonzero(honest[0] >= 0), watched, rng)

    def note(self, case: Case) -> str:
        """Return the rule, and where it was read."""
        method = self._method(case)
        ties = "the later" if method.ties == "last" else "the first"
        how = {"test-subject": "best accuracy on each test subject", "test-mean": "best mean recall over test subjects"}
        every = f", every {method.every}th epoch" if method.every > 1 else ""
        return (
            f"{counted(n_epochs(case), 'epoch')}; {how[method.selection]}{every}, among equals {ties} "
            f"({method.version()})"
        )

    def _method(self, case: Case) -> MethodCode:
        method = self.method(case)
        assert method is not None  # noqa: S101 - inapplicable_reason excludes it
        return method


@dataclass(frozen=True)
class SettingsOnTest(AuditLeak):
    """Of the settings of a ``tune`` block, those with the best score on the test sides are chosen, for all folds."""

    name: ClassVar[str] = "settings-on-test"
    number: ClassVar[str | None] = "L1.1"
    what: ClassVar[str] = "of all candidates, the one whose score pooled over the test folds is highest"
    twin: ClassVar[str] = "the honest run, which chose inside each training side"

    def inapplicable_reason(self, case: Case) -> str | None:
        """Exclude models that are not tuned."""
        tuning = case.workload.tunings.get(case.model)
        if tuning is None:
            return f"{case.model} has no 'tune' block: there is nothing to choose"
        return None if tuning.metric in ("uf1", "uar", "accuracy") else f"{tuning.metric} is not a score of classes"

    def jobs(self, case: Case) -> Sequence[Job]:
        """Train every candidate on every fold."""
        return [
            case.job(
                f"{self.name}/{index}",
                recipe=[*recipe(self), dict(values)],
                model=with_values(case.instance, values),
            )
            for index, values in enumerate(self._tuning(case).candidates)
        ]

    def compare(self, case: Case, honest: Predicted, results: JobResults) -> Pair:
        """Take the answers of the candidate with the best score."""
        candidates = [
            case.predicted(results[f"{self.name}/{index}"], case.repeats)
            for index in range(len(self._tuning(case).candidates))
        ]
        metric = str(self._tuning(case).metric)
        scored = [float(scores(case.counts(one).sum(axis=1))[metric].mean()) for one in candidates]
        return Pair(honest, candidates[int(np.argmax(scored))])

    def null_key(self, case: Case) -> tuple[object, ...]:
        """Return the number of candidates."""
        return (len(self._tuning(case).candidates),)

    def null(self, case: Case, honest: Predicted, rng: np.random.Generator) -> Null:
        """Take the best of as many random predictors."""
        tested, n = np.flatnonzero(honest[0] >= 0), len(self._tuning(case).candidates)
        drawn = [scores(confusions(case, draw(case, (n, len(tested)), rng), tested)) for _ in range(_SIMULATIONS)]
        best = [int(one["uf1"].argmax()) for one in drawn]
        pairs = list(zip(drawn, best, strict=True))
        return {name: np.array([one[name][index] for one, index in pairs]) for name in ("uf1", "uar")}

    def note(self, case: Case) -> str:
        """Return how many candidates there were."""
        return counted(len(self._tuning(case).candidates), "candidate")

    @staticmethod
    def _tuning(case: Case) -> Tuning:
        return case.workload.tunings[case.model]


def watched_epochs(epochs: int, every: int) -> NDArray[np.intp]:
    """Return the positions of the epochs that a rule looks at: each so manyth, and the last one where none is."""
    watched = np.arange(every - 1, epochs, every)
    return watched if len(watched) else np.array([epochs - 1])


def best_index(values: NDArray[np.number], ties: Literal["first", "last"]) -> NDArray[np.intp]:
    """Return where the highest value of the last axis is, the first or the last of several."""
    if ties == "first":
        return values.argmax(axis=-1)
    return values.shape[-1] - 1 - values[..., ::-1].argmax(axis=-1)


def _uar(hits: NDArray[np.bool_], truth: NDArray[np.intp]) -> NDArray[np.float64]:
    """Return the mean recall over the classes that occur, per epoch, of hits (tested, epochs)."""
    return np.mean([hits[truth == label].mean(axis=0) for label in np.unique(truth)], axis=0)


def _random_mean(case: Case, tested: NDArray[np.intp], epochs: int, rng: np.random.Generator) -> Null:
    """Let random predictors answer in every epoch, and take the epoch of the best mean recall over test sides."""
    first = {fold.name for fold in case.folds if fold.repeat == 0}
    tests = [test for name, (_, test) in case.sides().items() if name in first]
    position = {sample: index for index, sample in enumerate(tested.tolist())}
    best: dict[str, list[float]] = {"uf1": [], "uar": []}
    for _ in range(_SIMULATIONS):
        answers = draw(case, (epochs, len(tested)), rng)
        means = np.mean([
            _uar((answers[:, [position[i] for i in test.tolist()]] == case.y[test]).T, case.y[test]) for test in tests
        ], axis=0)  # fmt: skip
        scored = scores(confusions(case, answers[[int(means.argmax())]], tested))
        for name, values in best.items():
            values.append(float(scored[name][0]))
    return {name: np.array(values) for name, values in best.items()}
