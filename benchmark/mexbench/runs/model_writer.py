"""Writes the trained models that a run keeps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from mexbench.errors import SavedModelError
from mexbench.files import replacing_folder
from mexbench.interfaces import Model, Predictor
from mexbench.registry.parameters import to_dict
from mexbench.runs import saved_model as saved
from mexbench.runs.run_folder import folder_name
from mexbench.runs.task import Task

Scope = Literal["task", "all"]


#: The fold of a training on every sample.
EVERYTHING = "all samples"


@dataclass(frozen=True)
class ModelWriter:
    """Writes the predictors of a run, in the process that trained them.

    Args:
        root: ``RUN/models``.
        scope: Of what: each task, or everything.
        tasks: All tasks whose predictors are to be saved.
        wanted: Those of them that are trained now: what has no result or is not saved yet.
        about: Row -> what ``model.json`` says about every predictor of that row.
        trained_on: Row -> fold -> what it says about the samples that trained.
    """

    root: Path
    scope: Scope
    tasks: tuple[Task, ...]
    wanted: frozenset[Task]
    about: Mapping[str, Mapping[str, Any]]
    trained_on: Mapping[str, Mapping[str, Mapping[str, Any]]]

    def folder(self, task: Task) -> Path:
        """Return where a task's predictor lies."""
        if self.scope == "all":
            return self.root / task.model / "all" / str(task.seed)
        return self.root / task.model / str(task.seed) / folder_name(task.fold)

    def has(self, task: Task) -> bool:
        """Whether the predictor of this very task is stored, undamaged."""
        try:
            return saved.read_about(self.folder(task))["fingerprint"] == task.fingerprint
        except SavedModelError:
            return False

    def save(self, task: Task, model: Model, predictor: Predictor) -> str | None:
        """Write a predictor if it is wanted; return why it could not be written."""
        if task not in self.wanted:
            return None
        about = {
            **self.about[task.model],
            "parameters": to_dict(model),  # those that were chosen, where the model is tuned
            "seed": task.seed,
            "trained_on": self.trained_on[task.model][task.fold],
            "fingerprint": task.fingerprint,
        }
        try:
            with replacing_folder(self.folder(task)) as folder:
                saved.write(folder, model, predictor, about)
        except Exception as error:  # noqa: BLE001 - whatever a plugin raises; the task's scores are good all the same
            return f"{type(error).__name__}: {' '.join(str(error).split())}"
        return None

    @property
    def waiting(self) -> tuple[Task, ...]:
        """What is trained now, in the order of the tasks."""
        return tuple(task for task in self.tasks if task in self.wanted)

    def error_path(self, task: Task) -> Path:
        """Return where the traceback of a failed training on everything lies."""
        return self.folder(task).with_suffix(".error.txt")
