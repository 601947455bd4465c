"""All that the author of an observer reads: the records of a run, and the interface.

Three hooks of ``mexbench.interfaces.hookspecs`` report a run. A module that implements one and is an entry point of its
distribution is called in every run, for as long as it is installed; a class of ``Observer`` that ``bench_observers``
offers is called in the runs that name it, with ``bench run --observe NAME``.

An observer watches and no more. What it is given is a copy of its own; what it prints goes to stderr; one that raises
is named in a warning and not called again in that run, which goes on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mexbench.interfaces import Plugin


class Observer(Plugin):
    """Watches a run: its methods are hooks, marked with ``mexbench.hookimpl``; ``self`` comes before their argument.

    Each run makes an object of its own, so it may keep something between its hooks.
    """

    def prepare(self) -> None:
        """See, before anything of the run begins, that what is needed is installed.

        Raises:
            PluginError: It is not; the text says how to get it. Only this error ends a command.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStarted:
    """A run is about to train.

    Args:
        name: Of the config.
        folder: The run folder.
        config: The config with every default, as in ``manifest.json``.
        fingerprint: Of the config.
        dataset: The data set's name in every output.
        rows: Row of the leaderboard -> its model's block of the config, in order.
        flags: Words that every score is flagged with.
        tasks: How many tasks the run has: one per row, seed and fold.
        waiting: How many of them have no result yet.
        versions: Distribution -> version, of this project, of what computes and of other plugins.
    """

    name: str
    folder: Path
    config: Mapping[str, Any]
    fingerprint: str
    dataset: str
    rows: Mapping[str, Mapping[str, Any]]
    flags: tuple[str, ...]
    tasks: int
    waiting: int
    versions: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskDone:
    """A task has ended, and its result is stored.

    Args:
        row: Row of the leaderboard.
        seed: Of the model.
        fold: Its name; under LOSO the held-out subject.
        number: Position among the tasks of its row, from 0.
        samples: How many samples were tested; 0 where the task failed.
        accuracy: Share of those with a class that was predicted rightly; None where none has one, and where the
            target is action units.
        fit_s: Seconds of training; None where the task failed.
        predict_s: Seconds of prediction; None where the task failed.
        error: What it raised, on one line; None where it went well.
        warnings: Texts of the warnings that the model gave.
        history: Learning curves: one mapping of names to numbers per epoch; nothing where the model has none.
    """

    row: str
    seed: int
    fold: str
    number: int
    samples: int = 0
    accuracy: float | None = None
    fit_s: float | None = None
    predict_s: float | None = None
    error: str | None = None
    warnings: tuple[str, ...] = ()
    history: tuple[Mapping[str, float], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RunDone:
    """A run has ended, and its reports are written.

    Args:
        folder: The run folder.
        scores: What ``scores.json`` holds: ``rows`` with their figures, intervals and flags.
        complete: Whether every task has a result.
        interrupted: Whether it was stopped by Ctrl-C or SIGTERM.
        reports: Names of the reports in the folder; () where it cannot be written.
    """

    folder: Path
    scores: Mapping[str, Any]
    complete: bool
    interrupted: bool
    reports: tuple[str, ...]
