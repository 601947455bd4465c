"""What ``bench run`` says beside its results."""

from __future__ import annotations

from collections.abc import Container, Sequence
from pathlib import Path

from mexbench.cli.output import excluded_lines, say
from mexbench.config.run_config import RunConfig, dataset_title
from mexbench.data.samples import LabelledSamples
from mexbench.errors import listed
from mexbench.evaluation.plan import Plan
from mexbench.runs.model_writer import ModelWriter
from mexbench.runs.run_folder import RunFolder


def say_data(config: RunConfig, data: Sequence[LabelledSamples]) -> None:
    """Say what was read."""
    lines = []
    for found in data:
        support = ", ".join(f"{name} {count}" for name, count in found.support().items())
        clips = f" of {len(found.sources)} clips" if len(found.samples) > len(found.sources) else ""
        lines.append(f"{len(found.samples)} samples{clips}, {len(found.subjects)} subjects; {support}")
    for line in dict.fromkeys(lines):
        say(f"{dataset_title(config)}: {line}")
    for member in config.members:
        if errata := member.instance.applied_corrections():
            say(f"annotation corrected in {len(errata)} places: 'bench info {member.plugin}' lists them")


def say_plan(plan: Plan, waiting: int, folder: RunFolder) -> None:
    """Say what is to be done, and what should be known about it."""
    lines = []
    for part in plan.parts:
        counts = {"fold": len(part.folds), "model": len(part.part.models), "seed": len(part.part.seeds)}
        sizes = " x ".join(f"{count} {what}{'s' * (count > 1)}" for what, count in counts.items())
        lines.append(f"{part.part.protocol.name}: {sizes} = {len(part.tasks)} tasks")
    if len(lines) > 1:
        lines.append(f"together {len(plan.tasks)} tasks")
    say("\n".join(lines) + f", {waiting} to do; run folder {folder.path}")
    said: list[str] = []
    for part in plan.parts:
        said += [f"note, {count} clips: {text}" for text, count in part.arrays.notes.items()]
        said += excluded_lines(part.data)
    flags = {part.flags for part in plan.parts}
    for found in sorted(flags - {()}):
        rows = [model.name for part in plan.parts if part.flags == found for model in part.part.models]
        whose = "every row" if len(flags) == 1 else listed(rows, limit=4)
        said.append(f"flagged {' '.join(found)}: {whose}")
    leaks = {(part.part.protocol.name, leak.kind): leak for part in reversed(plan.parts) for leak in part.leaks}
    said += map(str, reversed(leaks.values()))
    for line in dict.fromkeys(said):
        say(line)


def say_unusable(folder: RunFolder, named: Container[Path] = ()) -> None:
    """Name the files of tasks that count as missing, but for those that were named before."""
    kinds = {
        "damaged": "are damaged",
        "foreign": "are not of this run: they are of another task, or of other data, code, parameters or versions",
    }
    for kind, text in kinds.items():
        paths = [path for path, why in folder.unusable.items() if why == kind and path not in named]
        if paths:
            where = "they stay where they are" if folder.keep else f"set aside as {paths[0].stem}.{kind} and so on"
            say(f"warning: {len(paths)} files {text}; {where}: {listed(map(str, paths), limit=5)}")


def say_keeper(model_writer: ModelWriter, waiting: int) -> None:
    """Say which trainings saved models need beside those of the tasks that wait."""
    count = len(model_writer.waiting)
    if model_writer.scope == "all":
        say(f"models on all samples: {len(model_writer.tasks)}, {count} to train; they go to {model_writer.root}")
    elif count > waiting:
        say(f"{count - waiting} tasks more: they have a result and no saved model, so they are trained again")
