"""What ``bench run`` prints beside its results."""

from __future__ import annotations

from collections.abc import Collection, Container, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from mexbench.cli.output import progress, say, say_boxed
from mexbench.config.run_config import RunConfig, dataset_title
from mexbench.data.samples import LabelledSamples, excluded_lines
from mexbench.errors import counted, listed
from mexbench.evaluation.monitor import Monitor, Ticker
from mexbench.evaluation.plan import Plan
from mexbench.runs.model_writer import ModelWriter
from mexbench.runs.run_folder import RunFolder


class TerminalMonitor(Monitor):
    """Prints what an experiment does, on stderr."""

    def message(self, text: str) -> None:
        """Print a line."""
        say(text)

    def notice(self, text: str) -> None:
        """Print what must not be overlooked, in a box."""
        say_boxed(text)

    def progress(self, what: str, total: int) -> AbstractContextManager[Ticker]:
        """Show a bar on a terminal, lines elsewhere."""
        return progress(what, total)

    def data_read(self, config: RunConfig, data: Sequence[LabelledSamples]) -> None:
        """Print what was read."""
        lines = []
        for samples in data:
            support = ", ".join(f"{name} {count}" for name, count in samples.support().items())
            people = samples.subject_count()
            of_people = "unknown subjects" if people is None else counted(people, "subject")
            of_clips = (
                f" of {counted(len(samples.sources), 'clip')}" if len(samples.samples) > len(samples.sources) else ""
            )
            lines.append(f"{counted(len(samples.samples), 'sample')}{of_clips}, {of_people}; {support}")
        for line in dict.fromkeys(lines):
            say(f"{dataset_title(config)}: {line}")
        for text in config.dataset.instance.read_from():
            say(f"annotation: {text}")
        for member in config.members:
            if corrections := member.instance.applied_corrections():
                say(
                    f"annotation corrected in {counted(len(corrections), 'place')}: 'bench info {member.plugin}' lists "
                    "them"
                )

    def planned(self, plan: Plan, waiting: int, folder: RunFolder) -> None:
        """Print what will be done, and what should be known about it."""
        lines = []
        for part in plan.parts:
            counts = {"fold": len(part.folds), "model": len(part.part.models), "seed": len(part.part.seeds)}
            sizes = " x ".join(counted(count, what) for what, count in counts.items())
            lines.append(f"{part.part.protocol.name}: {sizes} = {counted(len(part.tasks), 'task')}")
        if len(lines) > 1:
            lines.append(f"together {counted(len(plan.tasks), 'task')}")
        say("\n".join(lines) + f", {waiting} to do; run folder {folder.path}")
        for line in dict.fromkeys(_remarks(plan)):
            say(line)

    def unusable_files(self, folder: RunFolder, reported: Collection[Path] = ()) -> None:
        """Name files of tasks that count as missing."""
        say_unusable(folder, reported)

    def models_planned(self, model_writer: ModelWriter, waiting: int) -> None:
        """Print which trainings saved models need beside those of the tasks that wait."""
        count = len(model_writer.waiting)
        if model_writer.scope == "all":
            say(f"models on all samples: {len(model_writer.tasks)}, {count} to train; they go to {model_writer.root}")
        elif count > waiting:
            more = counted(count - waiting, "task")
            say(f"{more} more to train again: a result is there, and no saved model")


def _remarks(plan: Plan) -> list[str]:
    """Return the notes on samples, the clips that are excluded, the flags and the leaks of a plan."""
    lines: list[str] = []
    for part in plan.parts:
        lines += [f"note, {counted(count, 'clip')}: {text}" for text, count in part.arrays.notes.items()]
        lines += excluded_lines(part.data)
    flag_sets = {part.flags for part in plan.parts}
    for flags in sorted(flag_sets - {()}):
        rows = [model.name for part in plan.parts if part.flags == flags for model in part.part.models]
        which_rows = "every row" if len(flag_sets) == 1 else listed(rows, limit=4)
        lines.append(f"flagged {' '.join(flags)}: {which_rows}")
    leaks = {(part.part.protocol.name, leak.kind): leak for part in reversed(plan.parts) for leak in part.leaks}
    return [*lines, *map(str, reversed(leaks.values()))]


def say_unusable(folder: RunFolder, reported: Container[Path] = ()) -> None:
    """Name the files of tasks that count as missing, but for those that were reported before."""
    kinds = {
        "damaged": "damaged",
        "foreign": "not of this run, but of another task, or of other data, code, parameters or versions",
    }
    for kind, text in kinds.items():
        paths = [path for path, reason in folder.unusable.items() if reason == kind and path not in reported]
        if paths:
            where = "left in place" if folder.keep else f"set aside as {paths[0].stem}.{kind} and so on"
            say(f"warning: {counted(len(paths), 'file')} {text}; {where}: {listed(map(str, paths), limit=5)}")
