"""The rules of FACS against combinations whose emotion a table prints."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from mexbench.errors import DataError
from mexbench.interfaces import UNITS
from mexbench_plugins.models.facs_rules import FacsRules

NAMES = ("happiness", "surprise", "fear", "sadness", "disgust", "anger", "contempt")


def samples(*texts: str, units: tuple[int, ...] = UNITS) -> NDArray[np.float32]:
    """Samples (n, T=1, units) that show these units, such as ``6+12``."""
    shown = [[str(unit) in text.split("+") for unit in units] for text in texts]
    return np.array(shown, dtype=np.float32)[:, None]


def fitted(model: FacsRules, x: NDArray[np.float32], y: list[int], n_classes: int):  # noqa: ANN201
    return model.fit(x, np.array(y), n_classes=n_classes, groups=np.array(["p"] * len(y)), seed=0)


@pytest.mark.parametrize(
    ("text", "emotion"),
    [
        ("6+12", "happiness"), ("12", "happiness"), ("1+2+5", "surprise"), ("1+2+4+5", "fear"), ("1+4+15", "sadness"),
        ("9", "disgust"), ("9+17", "disgust"), ("4+5+7", "anger"), ("14", "contempt"), ("12+14", "contempt"),
    ],
)  # fmt: skip
def test_prototypes_have_their_emotion(text: str, emotion: str) -> None:
    model = FacsRules(classes=NAMES)
    predictor = fitted(model, samples("6+12", "9"), [0, 4], len(NAMES))
    assert NAMES[int(predictor(samples(text)).argmax())] == emotion


def test_the_criteria_of_casme2_differ() -> None:
    names = ("happiness", "disgust", "repression", "surprise", "")
    predictor = fitted(FacsRules(classes=names, table="casme2"), samples("6", "9"), [0, 1], 5)
    answers = [names[k] for k in predictor(samples("4+7", "15", "17", "2", "6")).argmax(axis=1)]
    assert answers == ["disgust", "repression", "repression", "surprise", "happiness"]


def test_without_names_the_training_side_says_what_an_emotion_is_called() -> None:
    # Of four samples whose rule says happiness three are of class 1; one more observation of the frequencies joins.
    x = samples("12", "6+12", "12", "12", "9", "9")
    predictor = fitted(FacsRules(), x, [1, 1, 1, 0, 2, 2], 3)
    frequencies = np.array([1, 3, 2]) / 6
    np.testing.assert_allclose(predictor(samples("6+12")), [(np.array([1, 3, 0]) + frequencies) / 5])
    np.testing.assert_allclose(predictor(samples("9")), [(np.array([0, 0, 2]) + frequencies) / 3])
    np.testing.assert_allclose(predictor(samples("")), [frequencies])  # no unit shows: no rule applies
    np.testing.assert_allclose(predictor(samples("14")), [frequencies])  # nobody trained showed contempt


def test_likeness_is_dices_and_intensities_count() -> None:
    model = FacsRules()
    weak = samples("12").astype(np.float64) * 0.5
    # 12 alone: 2 * .5 / (.5 + 1) against happiness; 12+14 of contempt has 2 * .5 / (.5 + 2).
    assert model._likeness(np.asarray(weak[:, 0], dtype=np.float64), ["12"]) == pytest.approx(1 / 1.5)
    assert model._likeness(np.asarray(weak[:, 0], dtype=np.float64), ["12+14"]) == pytest.approx(1 / 2.5)
    rule, applies = model.rules(weak)
    assert (NAMES[rule[0]], bool(applies[0])) == ("happiness", True)


def test_other_units_in_another_order() -> None:
    units = (12, 6, 26, 9)
    predictor = fitted(FacsRules(classes=NAMES, units=units), samples("9", "12", units=units), [4, 0], 7)
    assert NAMES[int(predictor(samples("6+12", units=units)).argmax())] == "happiness"
    assert NAMES[int(predictor(samples("26", units=units)).argmax())] == "surprise"


def test_saved_and_loaded_it_scores_the_same(tmp_path: Path) -> None:
    model = FacsRules()
    predictor = fitted(model, samples("12", "9", "4"), [0, 1, 2], 3)
    model.save(predictor, tmp_path)
    test = samples("12", "6+12", "", "9+17", "1+4")
    np.testing.assert_array_equal(model.load(tmp_path)(test), predictor(test))
    (tmp_path / "rules.json").write_text('{"meaning": [[0.5]], "frequencies": [1.0]}')
    with pytest.raises(ValueError, match=r"rules.json: shares \(1, 1\) of 1 classes, expected \(7, 1\)"):
        model.load(tmp_path)
    (tmp_path / "rules.json").write_text('{"meaning": 3}')
    with pytest.raises(ValueError, match=r"rules.json: KeyError"):
        model.load(tmp_path)


def test_pictures_and_unknown_names_are_refused() -> None:
    with pytest.raises(DataError, match=r"make the last step \{plugin: action_units, mode: only\}"):
        FacsRules().check((1, 28, 28, 3))
    with pytest.raises(ValueError, match="no rules for 'joy' in table 'prototypes'; it has happiness, surprise"):
        FacsRules(classes=("joy", "anger"))
    with pytest.raises(ValueError, match="classes names 7, the run has 3"):
        fitted(FacsRules(classes=NAMES), samples("12", "9", "4"), [0, 1, 2], 3)
