"""Errors that a user can cause and fix. ``bench`` prints them without a traceback and exits with 2."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


class BenchError(Exception):
    """What was wrong, the value, the choices, where in the config, and what to do next."""


class ConfigError(BenchError):
    """A config file, or a ``--set`` on top of it, cannot be used."""


class PluginError(BenchError):
    """A plugin is unknown, or broken; the text names its distribution."""


class DataError(BenchError):
    """The data on disk is missing, incomplete, unreadable or contradicts itself."""


class SampleRejected(BenchError):  # noqa: N818 - not a failure of the program: one sample is excluded and named
    """One sample cannot be used, such as a clip without a face; the run goes on without it, counts it and names it."""


class NoFace(SampleRejected):
    """A step that crops to the face found none in this clip."""


class NotAnnotated(SampleRejected):
    """A step needs an annotation that the data lacks, such as an apex."""


class ProtocolError(BenchError):
    """The protocol cannot be carried out on this data."""


class RunFolderError(BenchError):
    """A run folder cannot be written, or holds another run."""


class DeviceError(BenchError):
    """The device to compute on is not available."""


class MemoryLimitError(BenchError):
    """What is asked for needs more memory than ``--memory`` allows."""


class ClusterError(BenchError):
    """A cluster cannot be reached, is gone, or has workers that cannot be used."""


class SavedModelError(BenchError):
    """A model cannot be saved, or a saved one cannot be used."""


class BoardError(BenchError):
    """A leaderboard, or a submission to it, cannot be read or used."""


class ClaimError(BenchError):
    """A published figure, or the file that holds such figures, cannot be used."""


def raised(what: str, error: BaseException) -> str:
    """Compose the text for an error that third-party code raised: what it was doing, the error, and where it arose."""
    import traceback

    try:
        text = " ".join(str(error).split())[:500]
    except Exception as again:  # noqa: BLE001 - an error whose text cannot be had is an error all the same
        text = f"<its text raises {type(again).__name__}>"
    frames = traceback.extract_tb(error.__traceback__)
    place = f" ({frames[-1].filename}, line {frames[-1].lineno})" if frames else ""
    return f"{what} raised {type(error).__name__}{f': {text}' if text else ''}{place}"


#: What other programs call a thing -> what it may be called here.
_SYNONYMS = {
    "lr": ("learning_rate", "recipe"),
    "learningrate": ("learning_rate",),
    "bs": ("batch_size",),
    "wd": ("weight_decay",),
    "num_epochs": ("epochs",),
    "n_epochs": ("epochs",),
    "max_epochs": ("epochs",),
    "optim": ("optimizer", "optimiser"),
    "optimizer": ("optimiser",),
    "optimiser": ("optimizer",),
    "class_weights": ("class_weight",),
    "patience": ("early_stopping",),
    "data": ("dataset",),
    "datasets": ("dataset",),
    "model": ("models",),
    "seed": ("seeds",),
    "random_state": ("seeds",),
    "preprocessing": ("preprocess",),
    "preprocessors": ("preprocess",),
    "transforms": ("preprocess",),
    "split": ("protocol",),
    "cv": ("protocol",),
    "protocols": ("protocol",),
    "type": ("plugin",),
    "path": ("root",),
    "data_root": ("root",),
    "evaluate": ("run",),
    "train": ("run",),
    "test": ("run", "test-plugin"),
    "show": ("info",),
    "ls": ("list",),
    "create": ("new",),
    "init": ("new",),
    "validate": ("check",),
    "doctor": ("sys-info",),
    "rbf_svm": ("svm",),
    "svc": ("svm",),
    "mlp": ("ann",),
    "dummy": ("majority",),
    "tree": ("decision_tree",),
}


def suggest(word: str, choices: Iterable[str]) -> str:
    """Return " (did you mean 'x'?)", or nothing where no choice comes close."""
    import difflib  # bench --help has no use for it, and it takes 4 ms

    names = list(choices)
    same = [name for name in names if name.casefold() == word.casefold()]
    meant = [name for name in _SYNONYMS.get(word.casefold().replace("-", "_"), ()) if name in names]
    close = same or meant or difflib.get_close_matches(word, names, n=1, cutoff=0.6)
    return f" (did you mean {close[0]!r}?)" if close else ""


def listed(choices: Iterable[str], *, limit: int = 20) -> str:
    """Join choices for an error text; past ``limit`` only their number is given."""
    names = list(choices)
    if not names:
        return "none"
    rest = f" and {len(names) - limit} more" if len(names) > limit else ""
    return ", ".join(names[:limit]) + rest


def counted(number: int, noun: str, plural: str | None = None) -> str:
    """Write a number with its noun, such as "1 fold" and "2 folds".

    Args:
        number: How many.
        noun: What stands behind 1, with a verb where one follows: ``clip is``.
        plural: What stands behind any other number, such as ``clips are``; None where an s makes it.
    """
    return f"{number} {noun if number == 1 else plural or f'{noun}s'}"


def all_of(messages: Iterable[str], *, limit: int = 20) -> str:
    """Join messages about a file, a line each, so that all of it can be fixed at once; past ``limit`` the number."""
    lines = list(messages)
    rest = [f"and {len(lines) - limit} more"] if len(lines) > limit else []
    return "\n  ".join([*lines[:limit], *rest])


def missing_extra(what: str, package: str, extra: str) -> str:
    """Compose the text for an optional package that is not installed; ``extra`` of this project installs it."""
    return f"{what} needs {package}, which is not installed; in a clone of mexbench: pip install '.[{extra}]'"


def unknown(what: str, word: object, choices: Iterable[str]) -> str:
    """Compose the text for a name that is not among its choices."""
    names = sorted(choices)
    return f"unknown {what} {word!r}{suggest(str(word), names)}; choose from: {listed(names)}"


def check_name(path: Path | str) -> None:
    """Refuse a path that is not UTF-8: neither OpenCV nor JSON nor a digest takes one.

    Raises:
        DataError: It is not; the text shows its bytes.
    """
    try:
        str(path).encode()
    except UnicodeEncodeError:
        raise DataError(f"{shown_bytes(path)}: its name is not UTF-8 and cannot be read: rename it") from None


def shown_bytes(path: Path | str) -> str:
    r"""Return a path as text, bytes that are not UTF-8 by their numbers: ``a\xff.mp4``."""
    try:
        return os.fsencode(path).decode("utf-8", "backslashreplace")
    except UnicodeEncodeError:  # half of a pair that no file system gave
        return str(path).encode("utf-8", "backslashreplace").decode()
