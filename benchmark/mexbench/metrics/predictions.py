"""The predictions of one model as a table of columns, from which every score is computed.

A line is one sample that was tested in one run of a model. A run is a seed and a repeat of the split; its folds are
pooled. The truth of a line is a class, or, with the target ``action_units``, the units that are present; the two differ
in the shape of ``truth`` and in nothing else.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from typing import TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mexbench.interfaces import Sample
from mexbench.metrics.action_units import THRESHOLD

#: A column of strings. Python's own: an array of fixed width would cut a trailing NUL, and cost four bytes a character.
Strings = NDArray[np.object_]
Label = TypeVar("Label", bound=Hashable)
#: Seed and repeat.
Run = tuple[int, int]
#: The class of a sample whose class is not known.
UNKNOWN = -1
#: The largest seed that a column holds.
MAX_SEED = 2**63 - 1


@dataclass(frozen=True, eq=False)
class Predictions:
    """What one model predicted, and the truth.

    Args:
        seed: Of the model (n,).
        repeat: Of the split, from 0 (n,).
        fold: The fold that tested the sample (n,); empty where it is not known.
        sample: Sample ids (n,). A sample occurs once in a run.
        clip: The clip that the sample is (part of) (n,).
        subject: Subject (n,); empty where it is not known.
        dataset: Data set, or member of a composite (n,).
        truth: Class indices (n,), ``UNKNOWN`` for a sample without a class; or which units are present (n, units),
            bool.
        scores: Of each class (n, K), or of each unit (n, units). A class that is known to be predicted, with scores
            that are not, has the score 1.

    Raises:
        ValueError: The columns differ in length, or the truth does not fit the scores.
    """

    seed: NDArray[np.int64]
    repeat: NDArray[np.int64]
    fold: Strings
    sample: Strings
    clip: Strings
    subject: Strings
    dataset: Strings
    truth: NDArray[np.int64] | NDArray[np.bool_]
    scores: NDArray[np.float64]

    def __post_init__(self) -> None:
        lengths = {field.name: len(getattr(self, field.name)) for field in fields(self)}
        if len(set(lengths.values())) > 1 or self.scores.ndim != 2:
            raise ValueError(f"expected columns of one length, got {lengths}, scores {self.scores.shape}")
        if self.multilabel and self.truth.shape != self.scores.shape:
            raise ValueError(f"expected a truth for each score, got {self.truth.shape} and {self.scores.shape}")
        if not self.multilabel and len(self) and not UNKNOWN <= self.truth.min() <= self.truth.max() < self.n_classes:
            raise ValueError(f"class index outside 0..{self.n_classes - 1}: {self.truth.min()}..{self.truth.max()}")

    @classmethod
    def from_columns(
        cls,
        *,
        sample: Sequence[str],
        truth: ArrayLike,
        scores: ArrayLike | None = None,
        predicted: ArrayLike = (),
        n_classes: int = 0,
        seed: int | Sequence[int] = 0,
        repeat: int | Sequence[int] = 0,
        fold: str | Sequence[str] = "",
        clip: Sequence[str] | None = None,
        subject: str | Sequence[str] = "",
        dataset: str | Sequence[str] = "",
    ) -> Predictions:
        """Make a table of columns; a single value stands for a column of it.

        Args:
            sample: Sample ids (n,).
            truth: See ``Predictions``.
            scores: See ``Predictions``; None where only the predicted classes are known.
            predicted: Class indices (n,), in place of ``scores``.
            n_classes: Number of classes, where it does not follow from ``scores``.
            seed: See ``Predictions``.
            repeat: See ``Predictions``.
            fold: See ``Predictions``.
            clip: See ``Predictions``; without it every sample is a clip of its own.
            subject: See ``Predictions``.
            dataset: See ``Predictions``.
        """
        n = len(sample)
        if scores is None:
            scores = np.eye(n_classes)[np.asarray(predicted, dtype=np.intp)]
        scores = np.asarray(scores, dtype=np.float64)
        units = np.ndim(truth) == 2
        return cls(
            seed=np.broadcast_to(np.asarray(seed, dtype=np.int64), n),
            repeat=np.broadcast_to(np.asarray(repeat, dtype=np.int64), n),
            fold=_strings(fold, n),
            sample=_strings(sample, n),
            clip=_strings(sample if clip is None else clip, n),
            subject=_strings(subject, n),
            dataset=_strings(dataset, n),
            truth=np.asarray(truth, dtype=np.bool_) if units else np.asarray(truth, dtype=np.int64),
            scores=scores if scores.size else scores.reshape(n, n_classes or scores.shape[-1]),
        )

    @classmethod
    def join(
        cls,
        samples: Sequence[Sample],
        truth: ArrayLike,
        results: Iterable[tuple[int, int, str, Mapping[str, Sequence[float]]]],
        n_scores: int,
    ) -> Predictions:
        """Join the results of folds with what is known of the samples, by sample id.

        Args:
            samples: The samples of the run.
            truth: Of each sample; see ``Predictions``.
            results: Of each tested fold: seed, repeat, name of the fold, and sample id -> scores.
            n_scores: Number of scores of a sample.

        Returns:
            Lines by seed in the order of the results, then by repeat, then in the order of the samples.

        Raises:
            KeyError: A result has a sample that is not among the samples.
        """
        position = {sample.sample_id: index for index, sample in enumerate(samples)}
        runs: dict[Run, dict[int, tuple[str, Sequence[float]]]] = {}
        for seed, repeat, fold, scored in results:
            tested = runs.setdefault((seed, repeat), {})
            tested |= {position[sample_id]: (fold, scores) for sample_id, scores in scored.items()}
        lines = [(run, index) for run in _ordered(runs) for index in sorted(runs[run])]
        tested_samples = [samples[index] for _, index in lines]
        cells = [runs[run][index] for run, index in lines]
        scores = np.array([scores for _, scores in cells], dtype=np.float64).reshape(len(lines), n_scores)
        return cls.from_columns(
            seed=[run[0] for run, _ in lines],
            repeat=[run[1] for run, _ in lines],
            fold=[fold for fold, _ in cells],
            sample=[sample.sample_id for sample in tested_samples],
            clip=[sample.clip_id for sample in tested_samples],
            subject=[sample.subject or "" for sample in tested_samples],
            dataset=[sample.dataset for sample in tested_samples],
            truth=np.asarray(truth)[[index for _, index in lines]],
            scores=scores,
            n_classes=n_scores,
        )

    def __len__(self) -> int:
        """Return the number of lines."""
        return len(self.sample)

    @property
    def multilabel(self) -> bool:
        """Whether the truth is which units are present, not a class."""
        return self.truth.ndim == 2

    @property
    def n_classes(self) -> int:
        """Number of classes, or of units."""
        return self.scores.shape[1]

    @cached_property
    def group(self) -> Strings:
        """The unit of every interval and test (n,): the subject, or the clip where none is known."""
        return np.where(self.subject == "", self.clip, self.subject)

    @cached_property
    def predicted(self) -> NDArray[np.int64] | NDArray[np.bool_]:
        """Class with the highest score (n,), the first of equals; or which units have at least ``THRESHOLD``."""
        return self.scores >= THRESHOLD if self.multilabel else self.scores.argmax(axis=1)

    @cached_property
    def runs(self) -> tuple[Run, ...]:
        """Seeds and repeats: seeds in the order of the lines, repeats rising."""
        return _ordered(zip(self.seed.tolist(), self.repeat.tolist(), strict=True))

    @property
    def seeds(self) -> list[int]:
        """Seeds, in the order of the lines."""
        return list(dict.fromkeys(self.seed.tolist()))

    def select(self, chosen: ArrayLike) -> Predictions:
        """Return some of the lines, chosen by a mask (n,) or by their positions."""
        index = np.asarray(chosen)
        index = index if index.dtype == np.bool_ else index.astype(np.intp)
        return Predictions(**{field.name: getattr(self, field.name)[index] for field in fields(self)})

    def labelled(self) -> Predictions:
        """Return the lines whose truth is known."""
        return self if self.multilabel else self.select(self.truth != UNKNOWN)

    def pools(self) -> dict[Run, Predictions]:
        """Return the lines of each run, all its folds together."""
        return {run: self.select((self.seed == run[0]) & (self.repeat == run[1])) for run in self.runs}

    def per_clip(self) -> Predictions:
        """Return the predictions of clips, where samples are their frames: a clip's scores are the mean of its frames'.

        Truth and subject are those of the clip's last frame, as they are the same in all; the fold is not kept.
        """
        lines: dict[tuple[Run, str], list[int]] = {}
        for index, key in enumerate(zip(self.seed.tolist(), self.repeat.tolist(), self.clip, strict=True)):
            lines.setdefault((key[:2], key[2]), []).append(index)
        ordered = [lines[run, clip] for run in self.runs for clip in sorted(clip for of, clip in lines if of == run)]
        last = self.select([indices[-1] for indices in ordered])
        return Predictions.from_columns(
            seed=last.seed.tolist(),
            repeat=last.repeat.tolist(),
            sample=list(last.clip),
            subject=list(last.subject),
            dataset=list(last.dataset),
            truth=last.truth,
            scores=np.array([self.scores[indices].mean(axis=0) for indices in ordered]),
            n_classes=self.n_classes,
        )

    def counts(self, groups: Sequence[str] | None = None, runs: Sequence[Run] | None = None) -> NDArray[np.int64]:
        """Count truths and predictions by run and group.

        Args:
            groups: Names of ``group``, all that occur; by default those, sorted.
            runs: By default those that occur, in their order.

        Returns:
            Confusion matrices (runs, groups, K, K), truth in rows; of units (runs, groups, units, 2, 2), absent first.

        Raises:
            ValueError: A line has no class.
        """
        runs = self.runs if runs is None else runs
        groups = sorted(set(self.group)) if groups is None else groups
        of_run = {run: index for index, run in enumerate(runs)}
        of_group = {name: index for index, name in enumerate(groups)}
        lines = zip(self.seed.tolist(), self.repeat.tolist(), self.group, strict=True)
        position = [of_run[seed, repeat] * len(groups) + of_group[name] for seed, repeat, name in lines]
        counts = self._counts_at(position, len(runs) * len(groups))
        return counts.reshape(len(runs), len(groups), *counts.shape[1:])

    def counts_by(self, labels: Iterable[Label]) -> tuple[list[Label], NDArray[np.int64]]:
        """Count by a label of each line: the different labels in order, and a confusion matrix for each of them."""
        names = list(labels)
        position = {name: index for index, name in enumerate(dict.fromkeys(names))}
        return list(position), self._counts_at([position[name] for name in names], len(position))

    def _counts_at(self, position: Sequence[int], n: int) -> NDArray[np.int64]:
        """Count (n, K, K) or (n, units, 2, 2) by a position of each line."""
        at = np.asarray(position, dtype=np.intp)
        if self.multilabel:
            shape = (n, self.n_classes, 2, 2)
            cells = (at[:, None] * self.n_classes + np.arange(self.n_classes)) * 4 + 2 * self.truth + self.predicted
        else:
            if (self.truth == UNKNOWN).any():
                raise ValueError("samples without a class cannot be counted; take those of labelled()")
            shape = (n, self.n_classes, self.n_classes)
            cells = (at * self.n_classes + self.truth) * self.n_classes + self.predicted
        return np.bincount(cells.ravel(), minlength=int(np.prod(shape))).reshape(shape).astype(np.int64)

    def predicted_by_run(self, samples: Sequence[str]) -> NDArray[np.int64]:
        """Return the predicted classes (runs, samples), -1 where a run does not test a sample."""
        of_run = {run: index for index, run in enumerate(self.runs)}
        position = {name: index for index, name in enumerate(samples)}
        classes = np.full((len(self.runs), len(samples)), -1, dtype=np.int64)
        lines = zip(self.seed.tolist(), self.repeat.tolist(), strict=True)
        classes[[of_run[line] for line in lines], [position[name] for name in self.sample]] = self.predicted
        return classes

    @property
    def keys(self) -> list[tuple[int, int, str]]:
        """Return seed, repeat and sample of each line: they occur once."""
        return list(zip(self.seed.tolist(), self.repeat.tolist(), self.sample, strict=True))


def shared_lines(first: Predictions, second: Predictions) -> tuple[Predictions, Predictions]:
    """Return the lines of samples that both models predict in the same run, of each model in the same order.

    The order is that of the first model's runs, then that of sample ids.
    """
    ours = {key: index for index, key in enumerate(first.keys)}
    theirs = {key: index for index, key in enumerate(second.keys)}
    order = {run: index for index, run in enumerate(first.runs)}
    both = sorted(ours.keys() & theirs.keys(), key=lambda key: (order[key[:2]], key[2]))
    return first.select([ours[key] for key in both]), second.select([theirs[key] for key in both])


def _ordered(runs: Iterable[Run]) -> tuple[Run, ...]:
    different = list(dict.fromkeys(runs))
    seeds = list(dict.fromkeys(seed for seed, _ in different))
    return tuple(sorted(different, key=lambda run: (seeds.index(run[0]), run[1])))


def _strings(values: str | Sequence[str], n: int) -> Strings:
    column = np.empty(n, dtype=np.object_)
    column[:] = values
    return column
