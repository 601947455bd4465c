"""What reads files of others. A case is the bytes of a file; only a ``BenchError`` may come out."""

from __future__ import annotations

import csv
import io
import json
import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import cv2
import numpy as np

from mexbench import cli
from mexbench.cli import compare as compare_command
from mexbench.config import document
from mexbench.config.loader import from_document
from mexbench.data.cache import Cache, CacheEntry, _checksum
from mexbench.data.image import read_image
from mexbench.data.video import clip_list as manifest
from mexbench.data.video.download import url_problem
from mexbench.data.video.reader import Video
from mexbench.errors import BenchError
from mexbench.fingerprint import digest
from mexbench.interfaces import Clip
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
from mexbench.run_result import load_run
from mexbench.runs import predictions_csv as predictions_file
from mexbench.runs.run_folder import RunFolder
from mexbench.runs.stored_run import damage_is_an_error, read_run
from mexbench.runs.task import Success, Task
from mexbench_plugins.datasets._io.sheet_dataset import SheetDataset
from mexbench_plugins.datasets.casme2 import Casme2
from mexbench_plugins.datasets.dfme import Dfme
from mexbench_plugins.datasets.samm import Samm
from mexbench_plugins.preprocessors.clahe import Clahe
from mexbench_plugins.preprocessors.face import Face
from mexbench_plugins.preprocessors.grayscale import Grayscale
from mexbench_plugins.preprocessors.resize import Resize
from tests import films
from tests.fuzz import mutation
from tests.fuzz.mutation import Random
from tests.helpers import ROOT
from tests.mexbench_plugins.datasets.layouts import CASME2_HEADER, CASME2_ROWS, SAMM_HEADER, samm_row, write_frames


class Surface(ABC):
    """One kind of file.

    Args:
        folder: An empty folder to work in.
    """

    seeds: Sequence[bytes]

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def mutate(self, rng: Random, content: bytes) -> bytes:
        return mutation.of_words(rng, content)

    @abstractmethod
    def read(self, content: bytes) -> None:
        """Read what may be a file of this kind.

        Raises:
            BenchError: It is none.
        """

    def file(self, name: str, content: bytes) -> Path:
        path = self.folder / name
        path.write_bytes(content)
        return path


class Configs(Surface):
    """A config, up to the moment when data would be read."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.seeds = [path.read_bytes() for path in sorted((ROOT / "configs").glob("*.yaml"))]
        self.catalogue = load_catalogue()
        self.environment: dict[str, str] = dict.fromkeys(
            ("CAUSALNET_MAPS_ROOT", "MEGC2019_FLOW_ROOT", "CASME2_ROOT", "SAMM_ROOT", "SMIC_ROOT"), "/data"
        )

    def read(self, content: bytes) -> None:
        from_document(
            document.read(self.file("c.yaml", content), environment=self.environment), self.catalogue, name="c"
        )


def read_sheet(*datasets: SheetDataset) -> None:
    """Read a sheet through loaders, of which one knows its columns. A loader keeps what it read: each case has its own.

    Raises:
        BenchError: None of them can read it.
    """
    errors: list[BenchError] = []
    for dataset in datasets:
        try:
            for sample in dataset.samples():
                dataset.frame_numbers(sample)
            dataset.data_issues()
        except BenchError as error:
            errors.append(error)
    if len(errors) == len(datasets):
        raise errors[0]


class Sheets(Surface):
    """Annotations, as CSV, through the loaders of CASME-II and SAMM."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        samm = [samm_row("011", "011_1_3", (3, 4, 6), "AU4+12L", "Happiness"), samm_row("7", "a", (3, 4, 6), 4, "Fear")]
        self.seeds = [
            _csv([CASME2_HEADER, *CASME2_ROWS[:6]]),
            _csv([["About SAMM"], SAMM_HEADER, *samm]),
        ]
        for subject, clip, onset, _, offset, *_ in CASME2_ROWS[:6]:
            if isinstance(onset, int) and isinstance(offset, int):
                inside = folder / "casme2" / "CASME2_RAW_selected" / f"sub{int(float(str(subject))):02}" / str(clip)
                write_frames(inside, range(onset, min(offset, onset + 3) + 1))
        for subject, clip in (("011", "011_1_3"), ("007", "a")):
            write_frames(folder / "samm" / "SAMM" / subject / clip, range(3, 7), f"{subject}_{{:05}}.jpg", gray=True)

    def mutate(self, rng: Random, content: bytes) -> bytes:
        if rng.random() < 0.3:
            return mutation.of_words(rng, content)
        return _csv(mutation.of_cells(rng, list(csv.reader(io.StringIO(content.decode())))))

    def read(self, content: bytes) -> None:
        self.file("casme2/CASME2-coding-20140508.csv", content)
        self.file("samm/SAMM_Micro.csv", content)
        read_sheet(Casme2(root=self.folder / "casme2"), Samm(root=self.folder / "samm"))


class OtherSheets(Surface):
    """Annotations as other programs write them: pandas (an index, 26.0), spreadsheets (semicolons), and DFME's CSV."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        plain = [[float(cell) if isinstance(cell, int) else cell for cell in row] for row in CASME2_ROWS[:6]]
        indexed = [["", *CASME2_HEADER], *([index, *row] for index, row in enumerate(plain))]
        dfme = [
            ["Subject", "Filename", "OnsetFrame", "ApexFrame", "OffsetFrame", "Fps", "AU", "Emotion"],
            ["sub0001", "sub0001_01", 0, 1, 3, 500, "AU1+AU2", "Surprise"],
            ["sub0002", "sub0002_01", 0, 2, 3, 300, "AU4 + AU7R", "anger"],
            ["sub0002", "sub0002_02", 0, 2.0, 3, 200, "", "Happiness"],
        ]
        self.seeds = [_csv(indexed), _csv(indexed).replace(b",", b";"), _csv(dfme), _csv(dfme).replace(b",", b"\t")]
        for row in CASME2_ROWS[:6]:
            subject, clip, onset = row[0], row[1], row[2]
            if isinstance(onset, int):
                inside = folder / "casme2" / "CASME2_RAW_selected" / f"sub{int(float(str(subject))):02}" / str(clip)
                write_frames(inside, range(onset, onset + 4))
        for _, clip, *_ in dfme[1:]:
            write_frames(folder / "dfme" / "training" / str(clip), range(4), "{:03}.jpg")

    def mutate(self, rng: Random, content: bytes) -> bytes:
        if rng.random() < 0.3:
            return mutation.of_words(rng, content)
        separator = next(mark for mark in ";\t," if mark in content.decode())
        rows = list(csv.reader(io.StringIO(content.decode()), delimiter=separator))
        stream = io.StringIO()
        csv.writer(stream, delimiter=separator).writerows(mutation.of_cells(rng, rows))
        return stream.getvalue().encode(errors="replace")

    def read(self, content: bytes) -> None:
        self.file("casme2/CASME2-coding-20140508.csv", content)
        self.file("dfme/training.csv", content)
        read_sheet(Casme2(root=self.folder / "casme2"), Dfme(root=self.folder / "dfme", part="training"))


class Images(Surface):
    """Image files, through decoding and preprocessing."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        pixels = np.random.default_rng(0).integers(0, 256, (24, 20, 3), dtype=np.uint8)
        result = [
            (".png", pixels),
            (".png", pixels[..., 0].astype(np.uint16) * 257),
            (".jpg", pixels),
            (".bmp", pixels),
        ]
        self.seeds = [cv2.imencode(suffix, array)[1].tobytes() for suffix, array in result]

    def mutate(self, rng: Random, content: bytes) -> bytes:
        return mutation.of_bytes(rng, content)

    def read(self, content: bytes) -> None:
        clip = Clip(frames=read_image(self.file("frame", content))[None])
        Resize(size=28)(Clahe(on="gray")(Grayscale()(clip)))


class JpegBodies(Surface):
    """JPEG files whose header is whole and whose entropy-coded data is not."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        pixels = np.random.default_rng(0).integers(0, 256, (48, 40, 3), dtype=np.uint8)
        ways = [], [cv2.IMWRITE_JPEG_PROGRESSIVE, 1], [cv2.IMWRITE_JPEG_RST_INTERVAL, 2]
        self.seeds = [cv2.imencode(".jpg", pixels, way)[1].tobytes() for way in ways]

    def mutate(self, rng: Random, content: bytes) -> bytes:
        start = content.index(b"\xff\xda") + 14
        return content[:start] + mutation.of_bytes(rng, content[start:-2]) + content[-2:]

    def read(self, content: bytes) -> None:
        assert read_image(self.file("frame.jpg", content)).shape == (48, 40, 3)


class CacheEntries(Surface):
    """An entry of the cache: it is the one that was written, or it is made again."""

    key = "ab12"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.cache = Cache(folder / "cache")
        self.clip = Clip(frames=np.arange(24, dtype=np.float32).reshape(2, 3, 4), fps=200.0, notes=("a",))
        self.cache.put(self.key, CacheEntry(self.clip, ("0" * 32,), ("f" * 16,)))
        (self.path,) = self.cache.entries()
        self.seeds = [self.path.read_bytes()]

    def mutate(self, rng: Random, content: bytes) -> bytes:
        changed = mutation.of_bytes(rng, content)
        if rng.random() < 0.5:  # a checksum that holds, over a header that was changed
            header, _, body = content[33:].partition(b"\n")
            inside = mutation.of_values(rng, header) + b"\n" + body
            return _checksum(self.key, inside) + b"\n" + inside
        return changed

    def read(self, content: bytes) -> None:
        self.path.write_bytes(content)
        entry = self.cache.get(self.key)
        if entry is not None and content[:32] == self.seeds[0][:32]:
            np.testing.assert_array_equal(entry.clip.frames, self.clip.frames)


class Videos(Surface):
    """Films, through decoding, the search for a face, and resizing."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        created = [
            films.write(folder / f"seed{suffix}", films.plain(6, (48, 64))) for suffix in (".mp4", ".avi", ".webm")
        ]
        films.index_first(films.write(folder / "index.mp4", films.plain(6, (48, 64))))
        self.seeds = [path.read_bytes() for path in (*created, folder / "index.mp4")]
        self.face = Face(none="whole", detect="every")

    def mutate(self, rng: Random, content: bytes) -> bytes:
        if rng.random() < 0.3:
            return mutation.of_bytes(rng, content)
        start = max(content.find(b"moov"), 0)  # where the sizes and times are
        end = start + 1000
        return content[:start] + mutation.of_bytes(rng, content[start:end]) + content[end:]

    def read(self, content: bytes) -> None:
        with Video(self.file("film", content)) as film:
            for index, frame in enumerate(film.frames(fps=10)):
                Resize(size=28)(self.face(Clip(frames=frame.image[None])))
                if index > 20:
                    break
            film.issues()


class Manifests(Surface):
    """Lists of clips."""

    seeds = (
        b"clip_id,path,subject,condition,start_s,end_s,emotion,source_url\n"
        b"a,films/a.mp4,anna,before,1.5,20,happy,https://example.org/a.mp4\n"
        b"b,b.avi,,,,,,\n",
        b"clip_id,path\nc 1,c.webm\n",
    )

    def read(self, content: bytes) -> None:
        for entry in manifest.read(self.file("clips.csv", content)):
            assert entry.film(self.folder).resolve().is_relative_to(self.folder.resolve())
            assert entry.end_s is None or entry.end_s > entry.start_s >= 0
            if entry.source_url:
                url_problem(entry.source_url)


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
                return _csv(mutation.of_cells(rng, list(csv.reader(io.StringIO(content.decode())))))
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


SURFACES: dict[str, type[Surface]] = {
    "configs": Configs,
    "sheets": Sheets,
    "other-sheets": OtherSheets,
    "images": Images,
    "videos": Videos,
    "jpeg-bodies": JpegBodies,
    "cache-entries": CacheEntries,
    "manifests": Manifests,
    "predictions": Predictions,
    "run-folders": RunFolders,
    "stored-runs": StoredRuns,
    "submissions": Submissions,
    "audits": Audits,
}


@contextmanager
def suppress_output() -> Iterator[None]:
    with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        yield


def _csv(rows: Sequence[Sequence[object]]) -> bytes:
    stream = io.StringIO()
    csv.writer(stream).writerows(["" if cell is None else cell for cell in row] for row in rows)
    return stream.getvalue().encode(errors="replace")
