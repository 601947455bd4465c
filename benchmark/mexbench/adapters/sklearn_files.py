"""How fitted estimators of scikit-learn are saved: through skops, with our own figures as JSON beside them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mexbench.files import read_json, write_json

_ABOUT = "predictors.json"
#: Estimators, one for each action unit, and classes that a saved model may have.
_MOST_ESTIMATORS, _MOST_CLASSES = 1_000, 10_000


@dataclass(frozen=True)
class StoredEstimator:
    """A fitted estimator.

    Args:
        estimator: None where a single class trained.
        trained: The classes that trained, rising.
        n_classes: Of the run.
        health: How it answers its training side.
    """

    estimator: Any
    trained: Sequence[int]
    n_classes: int
    health: Mapping[str, float] = field(default_factory=dict)


def write(fitted: Sequence[StoredEstimator], folder: Path, *, units: bool, trusted: Sequence[str]) -> None:
    """Write estimators into an empty folder.

    Raises:
        ValueError: An estimator cannot be written, or could not be read again.
    """
    import skops.io

    for index, one in enumerate(fitted):
        if one.estimator is None:
            continue
        chosen = getattr(one.estimator, "best_estimator_", one.estimator)
        path = folder / _file(index)
        try:
            skops.io.dump(chosen, path)
        except Exception as error:  # noqa: BLE001 - whatever an estimator of somebody else raises
            raise ValueError(f"{type(chosen).__name__} cannot be saved by skops: {error}") from None
        _check_types(path, trusted)
    document = [
        {
            "fitted": one.estimator is not None,
            "trained": list(one.trained),
            "n_classes": one.n_classes,
            "health": dict(one.health),
        }
        for one in fitted
    ]
    write_json(folder / _ABOUT, {"units": units, "estimators": document})


def read(folder: Path, *, trusted: Sequence[str]) -> tuple[list[StoredEstimator], bool]:
    """Read what ``write`` wrote.

    Returns:
        The estimators, and whether each is for an action unit.

    Raises:
        ValueError: A file is not what ``write`` writes, or holds a type that is not trusted.
    """
    import skops.io

    document = read_json(folder / _ABOUT)
    rows, units = document["estimators"], bool(document["units"])
    if not isinstance(rows, list) or not 1 <= len(rows) <= _MOST_ESTIMATORS or (len(rows) > 1 and not units):
        raise ValueError(f"{_ABOUT}: expected 1 to {_MOST_ESTIMATORS} estimators, more than one for action units alone")
    fitted = []
    for index, row in enumerate(rows):
        trained, n_classes = row["trained"], row["n_classes"]
        if not _are_classes(trained, n_classes) or bool(row["fitted"]) != (len(trained) > 1):
            raise ValueError(f"{_ABOUT}: estimator {index} has invalid classes {trained!r} of {n_classes!r}")
        estimator = None
        if row["fitted"]:
            path = folder / _file(index)
            _check_types(path, trusted)
            try:
                estimator = skops.io.load(path, trusted=list(trusted))
            except Exception as error:  # noqa: BLE001 - a file that anybody may have made
                raise ValueError(f"{path.name} cannot be read: {type(error).__name__}: {error}") from None
            if not hasattr(estimator, "predict"):
                raise ValueError(f"{path.name} holds a {type(estimator).__name__}, which cannot predict")
        fitted.append(StoredEstimator(estimator, trained, n_classes, dict(row["health"])))
    return fitted, units


def _file(index: int) -> str:
    return f"{index:03}.skops"


def _check_types(path: Path, trusted: Sequence[str]) -> None:
    import skops.io

    try:
        types = skops.io.get_untrusted_types(file=path)
    except Exception as error:  # noqa: BLE001 - a file that anybody may have made
        raise ValueError(f"{path.name} is not a skops file: {type(error).__name__}: {error}") from None
    if unknown := sorted(set(types) - set(trusted)):
        raise ValueError(
            f"{path.name} holds types that are not trusted: {', '.join(unknown)}; a plugin names its own in "
            "'trusted_types'"
        )


def _are_classes(trained: object, n_classes: object) -> bool:
    if not isinstance(n_classes, int) or not 1 <= n_classes <= _MOST_CLASSES or not isinstance(trained, list):
        return False
    indices = all(isinstance(one, int) and 0 <= one < n_classes for one in trained)
    return bool(trained) and indices and trained == sorted(set(trained))
