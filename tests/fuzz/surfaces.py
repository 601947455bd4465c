"""What reads files of others. A case is the bytes of a file; only a ``BenchError`` may come out."""

from __future__ import annotations

import csv
import io
import json
import os
from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import redirect_stderr, redirect_stdout, suppress
from pathlib import Path
from typing import ClassVar

import cv2
import numpy as np

from benchmark import cli, document, external, predictions_file
from benchmark.boards import submission
from benchmark.boards.page import markdown
from benchmark.boards.rows import board_rows
from benchmark.boards.verified import BoardReader
from benchmark.config_reader import from_document
from benchmark.errors import BenchError
from benchmark.executors import Success, Task
from benchmark.fingerprint import digest
from benchmark.interfaces import Clip
from benchmark.manager import load_catalogue
from benchmark.store import RunFolder
from plugins.datasets import _files
from plugins.datasets.casme2 import Casme2
from plugins.datasets.samm import Samm
from plugins.preprocessors.clahe import Clahe
from plugins.preprocessors.grayscale import Grayscale
from plugins.preprocessors.resize import Resize
from tests.fuzz import mutation
from tests.fuzz.mutation import Random
from tests.helpers import ROOT, write_flow
from tests.plugins.datasets.layouts import CASME2_HEADER, CASME2_ROWS, SAMM_HEADER, samm_row, write_frames


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
        self.environment: dict[str, str] = dict.fromkeys(("MEGC2019_FLOW_ROOT", "CASME2_ROOT", "SAMM_ROOT"), "/data")

    def read(self, content: bytes) -> None:
        from_document(
            document.read(self.file("c.yaml", content), environment=self.environment), self.catalogue, name="c"
        )


class Sheets(Surface):
    """Annotations, as CSV, through the loaders of CASME-II and SAMM."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.datasets = Casme2(root=folder / "casme2"), Samm(root=folder / "samm")
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
        for dataset in self.datasets:
            with suppress(BenchError):  # one of the two is not theirs
                for sample in dataset.samples():
                    dataset.frame_numbers(sample)
                dataset.findings()


class Images(Surface):
    """Image files, through decoding and preprocessing."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        pixels = np.random.default_rng(0).integers(0, 256, (24, 20, 3), dtype=np.uint8)
        found = [(".png", pixels), (".png", pixels[..., 0].astype(np.uint16) * 257), (".jpg", pixels), (".bmp", pixels)]
        self.seeds = [cv2.imencode(suffix, array)[1].tobytes() for suffix, array in found]

    def mutate(self, rng: Random, content: bytes) -> bytes:
        return mutation.of_bytes(rng, content)

    def read(self, content: bytes) -> None:
        clip = Clip(frames=_files.read_image(self.file("frame", content))[None])
        Resize(size=28)(Clahe(on="gray")(Grayscale()(clip)))


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
        external.score(predictions_file.read(self.file("p.csv", content)))


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
        found = self.run.read_result(self.task)
        if found is not None:
            assert all(np.isfinite(scores).all() for scores in found.scores.values())
            assert found.fit_s + found.predict_s >= 0
            ", ".join((*found.warnings, *found.scores, found.device or ""))
            assert all(name + str(value + 0.0) for row in found.history for name, value in row.items())
        self.run.manifest.write_bytes(content)
        self.run.read_manifest()
        self.run.check(self.identity)


class Submissions(Surface):
    """A row of a leaderboard: read, verified and rendered. What it may say of itself is changed more often than all."""

    own = ("model", "origin", "flags", "costs", "curves")

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        os.environ.setdefault("MEXBENCH_CACHE", str(folder / "cache"))
        write_flow(folder / "pack", {"sub01": [0, 1, 2, 0], "s01": [0, 1, 2], "006": [0, 2, 1]})
        dataset = f"{{plugin: megc2019_flow, root: {folder / 'pack'}, expect: any}}"
        (folder / "c.yaml").write_text(f"dataset: {dataset}\nprotocol: loso\nmodels: [majority, svm]\nseeds: [0, 1]\n")
        run, self.root = str(folder / "run"), folder / "boards"
        board = ["leaderboard", "define", run, "toy"], ["leaderboard", "submit", run, "toy"]
        with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
            codes = [cli.main(["run", str(folder / "c.yaml"), "--out", run])]
            codes += [cli.main([*command, "--root", str(self.root)]) for command in board]
        assert codes == [cli.OK] * 3
        results = self.root / "results" / "toy"
        self.path = results / "svm.json"
        self.seeds = [self.path.read_bytes()]

    def mutate(self, rng: Random, content: bytes) -> bytes:
        whole = json.loads(content)
        if rng.random() < 0.7:
            key = self.own[int(rng.integers(len(self.own)))]
            with suppress(ValueError):
                whole[key] = json.loads(mutation.of_json(rng, json.dumps(whole[key]).encode()))
        else:
            content = mutation.of_json(rng, content)
            try:
                whole = json.loads(content)
                whole["predictions_digest"] = digest(whole["predictions"])
            except (ValueError, TypeError, KeyError):
                return content
        return json.dumps(whole).encode()

    def read(self, content: bytes) -> None:
        self.path.unlink(missing_ok=True)
        self.path = self.path.with_name("svm.json")
        with suppress(ValueError, TypeError, KeyError, AttributeError):
            self.path = self.path.with_name(submission.file_name(json.loads(content)["model"]["name"]))
        self.path.write_bytes(content)
        reader = BoardReader(self.root)
        board = reader.board("toy")
        if board.sound:
            page = markdown(board_rows(reader, board))
            assert "<script" not in page
            page.encode()
        else:
            for found in board.submissions:
                "\n".join(found.faults).encode()


SURFACES: dict[str, type[Surface]] = {
    "configs": Configs,
    "sheets": Sheets,
    "images": Images,
    "predictions": Predictions,
    "run-folders": RunFolders,
    "submissions": Submissions,
}


def _csv(rows: Sequence[Sequence[object]]) -> bytes:
    stream = io.StringIO()
    csv.writer(stream).writerows(["" if cell is None else cell for cell in row] for row in rows)
    return stream.getvalue().encode(errors="replace")
