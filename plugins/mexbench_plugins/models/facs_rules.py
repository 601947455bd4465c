"""The baseline that reads emotions off action units by a published table, and learns no weight."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from annotated_types import Ge, MinLen
from numpy.typing import NDArray

from mexbench.errors import DataError
from mexbench.files import read_json, write_json
from mexbench.interfaces import UNITS, Model, Predictor

#: Emotion -> combinations of action units by which it is recognised: prototypes and major variants. For anger a
#: prototype may lack one of 4, 5 and 7.
PROTOTYPES: Mapping[str, Sequence[str]] = {
    "happiness": ("6+12", "12"),
    "surprise": ("1+2+5+26", "1+2+5+27", "1+2+5", "1+2+26", "1+2+27", "5+26", "5+27"),
    "fear": ("1+2+4+5+20+25", "1+2+4+5+20+26", "1+2+4+5+25", "1+2+4+5+26", "1+2+4+5", "1+2+5+25", "5+20"),
    "sadness": ("1+4+11+15", "1+4+15", "6+15", "1+4+11", "1+4+15+17", "11+15", "11+17"),
    "disgust": ("9", "9+15+16", "9+17", "10", "10+16+25", "10+17"),
    "anger": (
        "4+5+7+10+22+23", "4+5+7+10+23", "4+5+7+23", "4+5+7+17+23", "4+5+7+17+24", "4+5+7+24", "4+5+23", "4+7+23",
        "5+7+23", "4+7+24",
    ),
    "contempt": ("12+14", "14"),
}  # fmt: skip
#: The criteria that labelled CASME II: single units already count, and AU4+7 is disgust.
CASME2: Mapping[str, Sequence[str]] = {
    "happiness": ("6", "12", "6+12"),
    "surprise": ("1+2", "2", "25", "1+2+25"),
    "fear": ("1+2+4", "20"),
    "sadness": ("1",),
    "disgust": ("9", "10", "9+10", "4+7", "4+7+9", "4+7+10"),
    "repression": ("15", "17", "15+17"),
}
_TABLES: Mapping[str, Mapping[str, Sequence[str]]] = {"prototypes": PROTOTYPES, "casme2": CASME2}
_FILE = "rules.json"
_MOST_CLASSES = 10_000


@dataclass(frozen=True, kw_only=True)
class FacsRules(Model):
    """Give each sample the emotion whose combination of action units it resembles most; no weight is learned.

    Samples are vectors of action units, as the step ``action_units`` with ``mode: only`` gives them. The likeness of a
    sample to a combination is Dice's, twice the shared values by the sum of both, so that AU12 alone is like 6+12 by
    2/3; units that the input lacks are dropped from the table. An emotion has the likeness of its best combination, and
    the sample is given the emotion that it resembles most, the first of the table among equals.

    A model is not told the names of the classes. With ``classes`` they are stated, and nothing is learned at all. Else
    the training side is counted: where the rules say disgust, a class has the share of the training samples for which
    the rules say disgust that are of this class. So classes such as negative, repression or others have a meaning
    too. Where no rule applies, as to a sample without a unit, the scores are the frequencies of the training side.

    Args:
        table: prototypes, with major variants, as the FACS Investigator's Guide and EMFACS have them; casme2, the
            criteria that labelled CASME II.
        classes: The emotion of each class of the run, in their order; a class without rules gets a blank text. None
            counts the training side.
        units: Numbers of the units, in the order of the step's ``units``.
    """

    source = (
        "Ekman, Friesen and Hager, FACS Investigator's Guide (2002), table 10-1, sides and intensities left out; "
        "contempt: EMFACS, Friesen and Ekman (1983); casme2: Yan et al., CASME II, PLoS ONE 9(1), 2014"
    )
    example_shape: ClassVar[tuple[int, ...]] = (1, len(UNITS))
    example_dtype: ClassVar[str] = "float32"

    table: Literal["prototypes", "casme2"] = "prototypes"
    classes: Annotated[tuple[str, ...], MinLen(2)] | None = None
    units: Annotated[tuple[Annotated[int, Ge(1)], ...], MinLen(1)] = UNITS

    def __post_init__(self) -> None:
        """Refuse names that have no rules."""
        unknown = [name for name in self.classes or () if name and name not in _TABLES[self.table]]
        if unknown:
            raise ValueError(
                f"classes: no rules for {', '.join(map(repr, unknown))} in table {self.table!r}; it has "
                f"{', '.join(_TABLES[self.table])}; a class without rules is written as a blank text"
            )

    def check(self, shape: tuple[int, ...]) -> None:
        """Refuse anything but vectors of action units."""
        if len(shape) != 2 or shape[1] != len(self.units):
            raise DataError(
                f"facs_rules needs (n, T, {len(self.units)} units), got (n, {', '.join(map(str, shape))}); make the "
                "last step {plugin: action_units, mode: only}, with the same 'units'"
            )

    def fit(
        self, x: NDArray[Any], y: NDArray[np.intp], *, n_classes: int, groups: NDArray[np.str_], seed: int
    ) -> Predictor:
        """Count which classes the emotions of the rules are on the training side; with ``classes`` frequencies alone.

        Raises:
            ValueError: ``classes`` does not name every class.
        """
        del groups, seed
        self.check(x.shape[1:])
        emotions = list(_TABLES[self.table])
        frequencies = np.bincount(y, minlength=n_classes) / len(y)
        if self.classes is not None:
            if len(self.classes) != n_classes:
                raise ValueError(f"classes names {len(self.classes)}, the run has {n_classes}")
            meaning = np.array([[float(name == emotion) for name in self.classes] for emotion in emotions])
            return RulePredictor(self, meaning, frequencies)
        rule, applies = self.rules(x)
        counts = np.zeros((len(emotions), n_classes))
        np.add.at(counts, (rule[applies], y[applies]), 1)
        # One more observation, of the side's own frequencies: an emotion that never occurred has these alone.
        return RulePredictor(self, (counts + frequencies) / (counts.sum(axis=1, keepdims=True) + 1), frequencies)

    def rules(self, x: NDArray[Any]) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
        """Return the position of the emotion that each sample resembles most (n,), and whether any rule applies (n,).

        Args:
            x: Values of the units (n, T, units); the greatest over time counts.
        """
        values = np.clip(np.asarray(x, dtype=np.float64).max(axis=1), 0, None)
        likeness = [self._likeness(values, combinations) for combinations in _TABLES[self.table].values()]
        best = np.round(np.stack(likeness, axis=1), 9)
        return best.argmax(axis=1), best.max(axis=1) > 0

    def _likeness(self, values: NDArray[np.float64], combinations: Sequence[str]) -> NDArray[np.float64]:
        """Return the likeness of samples (n, units) to the best of an emotion's combinations (n,)."""
        best = np.zeros(len(values))
        for text in combinations:
            numbers = {int(number) for number in text.split("+")}
            pattern = np.array([float(unit in numbers) for unit in self.units])
            if pattern.any():
                shared = np.minimum(values, pattern).sum(axis=1)
                best = np.maximum(best, 2 * shared / (values.sum(axis=1) + pattern.sum()))
        return best

    def save(self, predictor: Predictor, folder: Path) -> None:
        """Write what the emotions mean in classes."""
        if not isinstance(predictor, RulePredictor):
            raise TypeError(f"{type(predictor).__name__} is not a predictor of {type(self).__name__}")
        shares = {"meaning": predictor.meaning.tolist(), "frequencies": predictor.frequencies.tolist()}
        write_json(folder / _FILE, shares)

    def load(self, folder: Path) -> Predictor:
        """Read what ``save`` wrote.

        Raises:
            ValueError: It is not a table of shares of this model's size.
        """
        document = read_json(folder / _FILE)
        try:
            meaning = np.array(document["meaning"], dtype=np.float64)
            frequencies = np.array(document["frequencies"], dtype=np.float64)
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"{_FILE}: {type(error).__name__}: {error}") from None
        n_classes = frequencies.size
        expected = (len(_TABLES[self.table]), n_classes)
        if frequencies.ndim != 1 or not 1 <= n_classes <= _MOST_CLASSES or meaning.shape != expected:
            raise ValueError(f"{_FILE}: shares {meaning.shape} of {n_classes} classes, expected {expected}")
        shares = np.append(meaning, frequencies)
        if not (np.isfinite(shares).all() and shares.min() >= 0 and shares.max() <= 1):
            raise ValueError(f"{_FILE}: shares are not from 0 to 1")
        return RulePredictor(self, meaning, frequencies)


@dataclass(frozen=True, eq=False)
class RulePredictor:
    """The rules with what they mean in a run.

    Args:
        model: Whose rules.
        meaning: Emotion of the table -> share of each class (emotions, n_classes).
        frequencies: Of the classes on the training side (n_classes,), for samples without a rule.
    """

    model: FacsRules
    meaning: NDArray[np.float64]
    frequencies: NDArray[np.float64]

    def __call__(self, x: NDArray[Any], /) -> NDArray[np.float64]:
        """Return scores (n, n_classes) for x (n, T, units)."""
        rule, applies = self.model.rules(x)
        return np.where(applies[:, None], self.meaning[rule], self.frequencies)
