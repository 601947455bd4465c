"""What a run and others write: predictions, run folders, submissions, audits, boards of spotters."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import numpy as np

from mexbench import cli
from mexbench.cli import compare as compare_command
from mexbench.errors import BenchError, BoardError
from mexbench.fingerprint import digest
from mexbench.registry.catalogue import load_catalogue
from mexbench.reports import compare as comparison
from mexbench.reports import score_file
from mexbench.reports.leaderboards import submission
from mexbench.reports.leaderboards.definition import Definition, ExpectedSample, samples_digest, save, truth_digest
from mexbench.reports.leaderboards.page import markdown
from mexbench.reports.leaderboards.rows import board_rows
from mexbench.reports.leaderboards.submission import Submission
from mexbench.reports.leaderboards.submit import define, submissions
from mexbench.reports.leaderboards.verify import VerifiedBoard, board_figures, verify_board, verify_file
from mexbench.reports.site import audits, pages
from mexbench.reports.spotting_boards import definition as spotting_definition
from mexbench.reports.spotting_boards import page as spotting_page
from mexbench.reports.spotting_boards import submission as spotting_submission
from mexbench.run_result import load_run
from mexbench.runs import predictions_csv as predictions_file
from mexbench.runs.run_folder import RunFolder
from mexbench.runs.stored_run import damage_is_an_error, read_run
from mexbench.runs.task import Success, Task
from tests.fuzz import mutation
from tests.fuzz.mutation import Random
from tests.fuzz.surface import Surface, csv_bytes, suppress_output


class Predictions(Surface):
    """Predictions of others: our own table, a plain one, a log of the challenge."""

    seeds = (
        b"model,seed,fold,sample_id,clip_id,subject,dataset,y_true,y_pred,score_negative,score_positive\n"
        b"a,0,s1,d/s1/c1,d/s1/c1,d/s1,d,negative,negative,0.6,0.4\n"
        b"a,0,s1,d/s1/c2,d/s1/c2,d/s1,d,positive,negative,0.7,0.3\n"
        b"a,0,s2,d/s2/c1,d/s2/c1,d/s2,d,positive,positive,0.2,0.8\n",
        b"sample,label,prediction,subject\nx1,0,1,a\nx2,1,1,a\nx3,2,2,b\n",
        b"casme2 sub01\nEP02_01f 0 2\nEP03_02 1 1\nsmic s01\ns1_ne_01 0 0\nsamm 006\n006_1_2 2 2\n",
    )

    def read(self, content: bytes) -> None:
        score_file.score(predictions_file.read(self.file("p.csv", content)))


class RunFolders(Surface):
    """The manifest of a run folder, and the file of a task with a checksum that holds."""

    task = Task("m", 0, "f", "print")
    identity: ClassVar = {"dataset": {"plugin": "toy"}, "models": {"m": {"C": 1.0}}, "seeds": [0], "protocol": ["loso"]}

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        done = Success(self.task, np.array([[0.25, 0.75]]), 1.5, 0.5, ("W: x",), history=({"epoch": 1, "loss": 0.5},))
        self.run = RunFolder(folder / "run")
        self.run.write_result(done, ["s1"])
        self.path = folder / "run" / "tasks" / "m" / "0" / "f.json"
        self.seeds = [
            self.path.read_bytes(),
            json.dumps({"identity": self.identity, "started": "2026", "ended": None}).encode(),
        ]

    def mutate(self, rng: Random, content: bytes) -> bytes:
        changed = mutation.of_json(rng, content)
        try:
            document = json.loads(changed)
            if "checksum" in document and rng.random() < 0.9:
                inside = {key: value for key, value in document.items() if key != "checksum"}
                return json.dumps({**inside, "checksum": digest(inside)}).encode()
        except (ValueError, TypeError):
            pass
        return changed

    def read(self, content: bytes) -> None:
        self.path.write_bytes(content)
        result = self.run.read_result(self.task)
        if result is not None:
            assert all(np.isfinite(scores).all() for scores in result.scores.values())
            assert result.fit_s + result.predict_s >= 0
            ", ".join((*result.warnings, *result.scores, result.device or ""))
            assert all(name + str(value + 0.0) for row in result.history for name, value in row.items())
        self.run.manifest.write_bytes(content)
        self.run.read_manifest()
        self.run.check(self.identity)


class StoredRuns(Surface):
    """The reports of a finished run, as ``compare``, ``leaderboard define``, ``submit`` and ``load_run`` read them."""

    files = ("manifest.json", "scores.json", "predictions.csv")

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        (folder / "c.yaml").write_text(
            "dataset: {plugin: synthetic, subjects: 6, clips: 4}\nprotocol: loso\nmodels: [majority, decision_tree]\n"
        )
        with suppress_output():
            arguments = ["run", str(folder / "c.yaml"), "--out", str(folder / "run"), "--in-process"]
            assert cli.main(arguments) == cli.OK
        self.seeds = [(folder / "run" / name).read_bytes() for name in self.files]
        self.right = read_run(folder / "run")
        self.catalogue = load_catalogue()
        self.damaged = folder / "damaged"
        self.damaged.mkdir()
        self.board = define(self.right, "toy", headline="uf1", title="Toy")

    def mutate(self, rng: Random, content: bytes) -> bytes:
        if content == self.seeds[2]:
            if rng.random() < 0.5:
                return csv_bytes(mutation.of_cells(rng, list(csv.reader(io.StringIO(content.decode())))))
            return mutation.of_words(rng, content)
        return mutation.of_json(rng, content)

    def read(self, content: bytes) -> None:
        # Of a mutated file, its first letters say which it is; the others are those of the run.
        marks = (b'"identity"' in content, b'"confusion"' in content)
        which = 0 if marks[0] else 1 if marks[1] or content[:1] in b"{[" else 2
        for index, name in enumerate(self.files):
            (self.damaged / name).write_bytes(content if index == which else self.seeds[index])
        problems = [problem for action in (self.compare, self.define, self.submit, self.load) for problem in action()]
        if problems:
            raise problems[0]

    def compare(self) -> Iterator[BenchError]:
        try:
            damaged = read_run(self.damaged)
            with damage_is_an_error(self.damaged):
                pairs = comparison.chosen_rows(self.right, damaged)
                compared = [comparison.compare_runs(self.right, damaged, pair) for pair in pairs]
                comparison.csv_text(compared)
                compare_command.text(self.right, damaged, compared)
        except BenchError as error:
            yield error

    def define(self) -> Iterator[BenchError]:
        try:
            damaged = read_run(self.damaged)
            with damage_is_an_error(self.damaged):
                define(damaged, "other", headline="uf1", title="Other")
        except BenchError as error:
            yield error

    def submit(self) -> Iterator[BenchError]:
        try:
            damaged = read_run(self.damaged)
            with damage_is_an_error(self.damaged):
                for one in submissions(damaged, self.board, self.catalogue, ()):
                    submission.text(one)
        except BenchError as error:
            yield error

    def load(self) -> Iterator[BenchError]:
        try:
            run = load_run(self.damaged)
            for text in (run.table(), run.to_latex(), run._repr_html_(), repr(run)):
                text.encode()
            _ = run.scores, run.predictions, run.histories, run.flags, run.complete
        except BenchError as error:
            yield error


class Submissions(Surface):
    """A submission to a leaderboard; one that verifies goes on every page."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.board, created = toy_board()
        save(folder, self.board)
        self.seeds = [submission.text(created).encode()]

    def mutate(self, rng: Random, content: bytes) -> bytes:
        if rng.random() < 0.5:
            return mutation.of_json(rng, content)
        full = json.loads(content)  # else what is not a figure, so that some submissions still verify
        key = ("model", "origin", "flags", "costs", "curves")[int(rng.integers(5))]
        full[key] = json.loads(mutation.of_values(rng, json.dumps(full[key]).encode()))
        return json.dumps(full).encode()

    def read(self, content: bytes) -> None:
        result = verify_file(self.board, self.file(self._name(content), content))
        if not result.errors:
            rows = board_rows(VerifiedBoard(self.folder, self.board, (result,)))
            for text in (markdown(rows), *pages.site([rows]).values()):
                assert not {"nan", "inf"} & {*re.split(r"[^a-z]+", re.sub(r"<pre.*?</pre>", "", text, flags=re.DOTALL))}
                text.encode()

    def _name(self, content: bytes) -> str:
        try:
            return submission.file_name(json.loads(content)["model"]["name"])
        except (ValueError, KeyError, TypeError, RecursionError):
            return "net.json"


class Audits(Surface):
    """The result of an audit, and the page of the row that it is about."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        from tests.mexbench.reports.site.conftest import AUDIT

        self.seeds = [json.dumps({**AUDIT, "dataset": "toy", "models": ["net"]}).replace("svm-linear", "net").encode()]
        board, created = toy_board()
        save(folder, board)
        submission.write(folder / "results" / "toy" / "net.json", created)
        self.rows = board_rows(verify_board(folder, "toy"))

    def mutate(self, rng: Random, content: bytes) -> bytes:
        return mutation.of_json(rng, content)

    def read(self, content: bytes) -> None:
        result = audits.read(self.file("audit.json", content))
        audits.check_known_boards({Path("audit.json"): result}, [self.rows])
        for text in pages.site([self.rows], pages.Studies(audits=[result])).values():
            assert "nan" not in re.split(r"[^a-z]+", text)
            text.encode()


def toy_board() -> tuple[Definition, Submission]:
    """Return a board that asks for four samples, and a submission that answers it."""
    names = ("negative", "positive")
    truths = {"toy/a/1": 0, "toy/a/2": 1, "toy/b/1": 0, "toy/b/2": 1}
    questions = tuple(
        ExpectedSample(name[:5], name, name, name[:5], "toy", truth_digest("0" * 32, name, names[truth]))
        for name, truth in truths.items()
    )
    board = Definition(
        name="toy", title="Toy", dataset="toy", fingerprint="0" * 32, protocol={"plugin": "loso"}, classes=names,
        headline="uf1", epochs=(1,), flags=(), samples=samples_digest(questions), note="", questions=questions,
    )  # fmt: skip
    answers = tuple(
        submission.SubmittedPrediction(q.fold, q.sample_id, q.subject, q.truth, ((0.75, 0.25), (0.25, 0.75)))
        for q in questions
    )
    created = Submission(
        schema=1, board="toy", flags=("profile:quick",), seeds=(0, 1), figures={}, predictions=answers,
        model=submission.ModelCard(name="net", plugin="ststnet", distribution="mexbench 0.1.0", parameters=100),
        origin=submission.CodeOrigin(
            dataset="toy", fingerprint="0" * 32, classes=names, protocol={"plugin": "loso"}, epoch=1, commit="a-dirty",
            config={"dataset": {"plugin": "toy", "root": "${TOY_ROOT}"}, "models": [{"plugin": "ststnet", "C": 1.0}]},
            versions={"mexbench": "0.1.0"}, device="cpu", machine="x86_64", left_out=0, errata=0,
            started="2026-11-20T12:00:00+00:00", ended="2026-11-20T12:01:00+00:00",
        ),
        costs=submission.Costs(fit_s=1.5, predict_ms_per_sample=None),
        curves={"loss": ((1, 1.0, 0.5, 1.5), (2, 0.5, 0.25, 0.75))},
        predictions_digest=submission.predictions_digest(answers),
    )  # fmt: skip
    return board, replace(created, figures=board_figures(board, created))


class SpottingBoards(Surface):
    """The definition of a leaderboard of spotters, and a submission to it; one that verifies goes on every page."""

    config = (
        "target: spotting\nprotocol: loso\nmodels: [every_k_frames]\ndataset: {plugin: synthetic_long, subjects: 6, "
        "videos_each: 1, seconds: 6, fps: 10, size: 24, micro: 1, macro: 1}\n"
    )

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        (folder / "c.yaml").write_text(self.config)
        self.root = folder / "boards"
        with suppress_output():
            for command in (
                ["run", folder / "c.yaml", "--out", folder / "run", "--in-process"],
                ["leaderboard", "define", folder / "run", "toy", "--root", self.root],
                ["leaderboard", "submit", folder / "run", "toy", "--root", self.root],
            ):
                assert cli.main([str(argument) for argument in command]) == cli.OK
        self.board = spotting_definition.definition_path(self.root, "toy")
        self.entry = spotting_definition.results_folder(self.root, "toy") / "every_k_frames.json"
        self.seeds = [self.board.read_bytes(), self.entry.read_bytes()]

    def mutate(self, rng: Random, content: bytes) -> bytes:
        if rng.random() < 0.5:
            return mutation.of_json(rng, content)
        full = json.loads(content)  # else one field alone, so that some still verify
        key = list(full)[int(rng.integers(len(full)))]
        full[key] = json.loads(mutation.of_values(rng, json.dumps(full[key]).encode()))
        return json.dumps(full).encode()

    def read(self, content: bytes) -> None:
        is_entry = b'"answers_digest"' in content
        self.board.write_bytes(self.seeds[0] if is_entry else content)
        self.entry.write_bytes(content if is_entry else self.seeds[1])
        board = spotting_definition.load(self.root, "toy")
        entries = spotting_submission.verify_board(self.root, "toy")
        if errors := [error for one in entries for error in one.errors]:
            "".join(errors).encode()
            raise BoardError(errors[0])
        rows = spotting_page.board_rows(board, entries)
        for text in (spotting_page.markdown(rows), *pages.site([], pages.Studies(spotting=[rows])).values()):
            assert "nan" not in re.split(r"[^a-z]+", text)
            text.encode()
