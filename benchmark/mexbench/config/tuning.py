"""The ``tune`` block of a model: which of its parameters are chosen inside each training side, and how.

    - plugin: svm
      tune:
        values: {C: [0.001, 0.01, 0.1, 1], class_weight: [null, balanced]}
        metric: uf1
        inner: 5

The candidates are a part of the config: they are the same in every fold and for every seed.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from itertools import product
from typing import Annotated, Any, Literal

import numpy as np
from annotated_types import Ge

from mexbench.errors import counted, unknown
from mexbench.interfaces import EpochsModel, Model
from mexbench.registry.parameters import build, parameters, to_dict

#: How the values of a model's block were chosen, as the config declares: by data that hold no test sample, taken from a
#: paper, set before any score was seen, or with scores of test samples in view.
Selection = Literal["inner", "paper", "beforehand", "seen-test"]
SELECTION_TEXT = (
    "inner (by data without a test sample), paper (taken from one), beforehand (set before any score was seen) or "
    "seen-test (with scores of test samples in view: the row is flagged)"
)
SEEN_TEST_FLAG = "selection:seen-test"

Metric = Literal["uf1", "uar", "accuracy", "f1", "macro_f1"]
#: What may be maximised for each target; the first one is the default.
METRICS: Mapping[str, tuple[Metric, ...]] = {
    "emotion": ("uf1", "uar", "accuracy"),
    "action_units": ("macro_f1", "f1"),
}
#: A parameter's value in each candidate.
Values = Mapping[str, Any]
#: Most candidates of a grid, and most that are drawn.
_MOST_CANDIDATES = 10_000
#: Keys below the block, and what is wrong there.
_Error = tuple[tuple[str, ...], str]
_RANGE = ("low", "high", "scale")


@dataclass(frozen=True, kw_only=True)
class Tuning:
    """How the parameters of a model, and the number of its epochs, are chosen inside each training side.

    Each candidate is trained on the training side without one inner fold, and predicts that fold, for each of them; a
    subject is in one inner fold alone. The best score over all these predictions together wins, the first candidate
    among equals. Then the model is trained on the whole training side with the chosen values. No test sample is read.

    Args:
        values: Parameter -> the list of its values, or for a random search a range {low, high, scale}, both ends
            included; scale is linear or log. Whole ends give whole numbers.
        search: grid tries every combination; random draws as many as the budget allows, without repetition.
        budget: Trainings on inner folds, per training side, that are allowed at most; null allows a whole grid.
        metric: What is maximised over the inner folds together: uf1 (default), uar or accuracy; for action units
            macro_f1 (default) or f1.
        inner: Number of inner folds, which share no subject.
        epochs: curve takes the epoch at which the score over the inner folds is highest, the first among equals, the
            model's own number being the most; fixed trains as many as the model says. null is curve for a model
            that can show each epoch, where emotions are the target, and fixed for any other.
        every: Each how manyth epoch is scored for the curve; the last one always is.
        seed: Of the draws of a random search.
    """

    values: dict[str, list[Any] | dict[str, Any]] | None = None
    search: Literal["grid", "random"] = "grid"
    budget: Annotated[int, Ge(2)] | None = None
    metric: Metric | None = None
    inner: Annotated[int, Ge(2)] = 5
    epochs: Literal["curve", "fixed"] | None = None
    every: Annotated[int, Ge(1)] = 1
    seed: Annotated[int, Ge(0)] = 0

    def __post_init__(self) -> None:
        """Refuse what cannot be searched.

        Raises:
            ValueError: An empty list, an invalid range, or a search that the budget does not allow.
        """
        for name, given in (self.values or {}).items():
            _check_values(name, given, self.search)
        if self.search == "random" and self.budget is None:
            raise ValueError("search: random needs a budget: the number of trainings on inner folds")
        if self.budget is not None and self.budget < self.inner:
            raise ValueError(
                f"budget: {counted(self.budget, 'training is', 'trainings are')} less than one candidate takes on "
                f"{self.inner} folds"
            )
        if self.search == "grid":
            n = math.prod(len(given) for given in (self.values or {}).values())
            if n > _MOST_CANDIDATES:
                raise ValueError(f"values: {n} combinations, at most {_MOST_CANDIDATES}; choose search: random")
            if self.budget is not None and n * self.inner > self.budget:
                raise ValueError(
                    f"budget: {n} combinations on {self.inner} inner folds are {n * self.inner} trainings, and "
                    f"the budget is {self.budget}; raise it, give fewer values, or choose search: random"
                )

    @cached_property
    def candidates(self) -> tuple[Values, ...]:
        """The values to try, in their order: that of the grid, the last parameter changing first, or of the draws."""
        given = self.values or {}
        if self.search == "grid":
            return tuple(dict(zip(given, row, strict=True)) for row in product(*given.values()))
        return _draw(given, min(int(self.budget or 0) // self.inner, _MOST_CANDIDATES), self.seed)

    def resolved(self) -> dict[str, Any]:
        """Return the block as a config would spell it out, defaults included."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


def _check_values(name: str, given: Sequence[Any] | Mapping[str, Any], search: str) -> None:
    if isinstance(given, Sequence):
        if not given:
            raise ValueError(f"values.{name}: expected at least one value")
        texts = [json.dumps(value, sort_keys=True) for value in given]
        if twice := [text for text in texts if texts.count(text) > 1]:
            raise ValueError(f"values.{name}: duplicate value {twice[0]}")
        return
    if search == "grid":
        raise ValueError(f"values.{name}: expected a list of values; a range needs search: random")
    for key in given:
        if key not in _RANGE:
            raise ValueError(f"values.{name}: {unknown('key', key, _RANGE)}")
    low, high, scale = given.get("low"), given.get("high"), given.get("scale", "linear")
    if any(isinstance(end, bool) or not isinstance(end, int | float) for end in (low, high)):
        raise ValueError(f"values.{name}: expected a range such as {{low: 0.001, high: 10, scale: log}}, got {given}")
    assert isinstance(low, int | float) and isinstance(high, int | float)  # noqa: S101, PT018 - checked above
    if scale not in ("linear", "log"):
        raise ValueError(f"values.{name}: {unknown('scale', scale, ('linear', 'log'))}")
    if not (math.isfinite(low) and math.isfinite(high) and low < high and (scale == "linear" or low > 0)):
        raise ValueError(f"values.{name}: low must be below high, and above 0 on a log scale; got {low} and {high}")


def _draw(given: Mapping[str, Any], n: int, seed: int) -> tuple[Values, ...]:
    """Draw different candidates; fewer than ``n`` where there are not so many."""
    rng = np.random.default_rng(seed)
    if all(isinstance(values, list) for values in given.values()):  # a grid: drawn without repetition
        sizes = [len(values) for values in given.values()]
        total = math.prod(sizes)
        cells = rng.permutation(total)[:n] if total <= 10**6 else rng.integers(total, size=n)
        rows = [np.unravel_index(int(cell), sizes) if sizes else () for cell in dict.fromkeys(cells.tolist())]
        return tuple(
            {name: values[int(i)] for (name, values), i in zip(given.items(), row, strict=True)} for row in rows
        )
    drawn: dict[str, Values] = {}
    for _ in range(20 * n):  # a range of few whole numbers may have fewer candidates than are asked for
        candidate = {name: _draw_one(values, rng) for name, values in given.items()}
        drawn.setdefault(json.dumps(candidate, sort_keys=True), candidate)
        if len(drawn) == n:
            break
    return tuple(drawn.values())


def _draw_one(given: list[Any] | dict[str, Any], rng: np.random.Generator) -> object:
    if isinstance(given, list):
        return given[int(rng.integers(len(given)))]
    low, high = given["low"], given["high"]
    is_integer = isinstance(low, int) and isinstance(high, int)
    if given.get("scale") == "log":
        drawn = math.exp(rng.uniform(math.log(low), math.log(high)))
        return min(max(round(drawn), low), high) if is_integer else min(max(drawn, low), high)
    return int(rng.integers(low, high + 1)) if is_integer else float(rng.uniform(low, high))


def read_tuning(
    block: object, model: Model, *, given: Sequence[str], target: str
) -> tuple[Tuning | None, list[_Error]]:
    """Read the ``tune`` block of a model and check it against the model.

    Args:
        block: The block.
        model: The model.
        given: Parameters that the config sets beside the block.
        target: What models predict.

    Returns:
        The tuning with all defaults filled in, or None, and what was wrong: pairs of a path of keys and a text.
    """
    if not isinstance(block, Mapping):
        return None, [((), f"expected a mapping such as {{values: {{C: [0.1, 1]}}}}, got {json.dumps(block)}")]
    if target not in METRICS:
        return None, [((), f"models of 'target: {target}' are not tuned; targets that are: {', '.join(METRICS)}")]
    tuning, errors = build(Tuning, block)
    if tuning is None:
        return None, errors
    errors = _epoch_errors(tuning, model, target)
    metric = tuning.metric or METRICS[target][0]
    if metric not in METRICS[target]:
        errors.append((("metric",), unknown("metric", metric, METRICS[target])))
    epochs = tuning.epochs or ("curve" if _shows_epochs(model, target) else "fixed")
    errors += _name_errors(tuning, model, given=given, epochs=epochs)
    if not tuning.values and epochs == "fixed":
        errors.append(((), "nothing to choose: give 'values', a mapping of parameters to lists of values"))
    if not errors:
        tuning = Tuning(**{**tuning.resolved(), "values": tuning.values or {}, "metric": metric, "epochs": epochs})
        errors += _candidate_errors(tuning, model)
    return (None, errors) if errors else (tuning, [])


def _shows_epochs(model: Model, target: str) -> bool:
    return isinstance(model, EpochsModel) and target == "emotion"


def _epoch_errors(tuning: Tuning, model: Model, target: str) -> list[_Error]:
    shows = _shows_epochs(model, target)
    if tuning.epochs == "curve" and not shows:
        return [(("epochs",), "curve needs a model that can show each epoch, and classes as its target")]
    if shows and tuning.epochs != "fixed" and getattr(model, "early_stopping", None) is not None:
        text = (
            "the learning curve chooses the epoch, and so does the model's early_stopping: give 'epochs: fixed' in "
            "'tune', or 'early_stopping: null' beside it"
        )
        return [(("epochs",), text)]
    return []


def _name_errors(tuning: Tuning, model: Model, *, given: Sequence[str], epochs: str) -> list[_Error]:
    known = {parameter.name: parameter for parameter in parameters(type(model))}
    by_curve = (
        "the learning curve chooses the epochs: set the most of them as the model's 'epochs' beside 'tune', or give "
        "'epochs: fixed' in 'tune'"
    )
    errors: list[_Error] = []
    for name in tuning.values or {}:
        if name not in known or known[name].is_path:
            errors.append((("values", name), unknown("parameter", name, known)))
        elif name in given:
            errors.append((("values", name), f"{name} is set beside 'tune' as well: give it in one place"))
        elif name == "epochs" and epochs == "curve":
            errors.append((("values", name), by_curve))
    return errors


def _candidate_errors(tuning: Tuning, model: Model) -> list[_Error]:
    """Build every candidate, so that an invalid one is known before anything is trained."""
    for values in tuning.candidates:
        built, errors = build(type(model), {**to_dict(model), **values})
        if built is None:
            key, text = errors[0]
            return [(("values", *key), f"{json.dumps(dict(values))}: {text}")]
    return []


def with_values(model: Model, values: Values) -> Model:
    """Return the model with other values of some parameters.

    Raises:
        ValueError: They are not values of this model.
    """
    built, errors = build(type(model), {**to_dict(model), **values})
    if built is None:
        raise ValueError("; ".join(text for _, text in errors))
    return built
