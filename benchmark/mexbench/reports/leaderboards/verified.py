"""A board with every submission verified. What was found is kept in the user's cache, for files and code as they are.

The cache is one file for each board. An entry is used only for the very bytes of a submission, the very board, and the
very code of this package; so a cache can be stale in nothing, and to remove it costs time alone.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import cache
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np

from mexbench.data.cache import default_root
from mexbench.errors import BoardError
from mexbench.files import read_json, write_json
from mexbench.fingerprint import digest, digest_files, environment
from mexbench.metrics.significance import Comparison
from mexbench.reports.leaderboards import submission as files
from mexbench.reports.leaderboards.definition import Definition, load
from mexbench.reports.leaderboards.ranking import Counts, Ranking, rank
from mexbench.reports.leaderboards.submission import SubmittedEntry
from mexbench.reports.leaderboards.verify import predictions, verify


@dataclass(frozen=True)
class Verified:
    """A submission that was looked at.

    Args:
        path: The file.
        digest: Of its bytes.
        entry: What it says; None where it cannot be read or does not verify.
        counts: Its predictions by subject; None with ``entry``.
        faults: What is wrong with it, in lines.
        readable: Whether it is a submission at all.
    """

    path: Path
    digest: str
    entry: SubmittedEntry | None
    counts: Counts | None
    faults: tuple[str, ...] = ()
    readable: bool = True


@dataclass(frozen=True)
class VerifiedBoard:
    """A board and its submissions, by file name."""

    definition: Definition
    submissions: tuple[Verified, ...]
    groups: tuple[str, ...]

    @property
    def sound(self) -> bool:
        """Whether every submission verifies."""
        return not any(found.faults for found in self.submissions)


class BoardReader:
    """Reads boards from the folder of the leaderboards."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def folder(self, name: str) -> Path:
        """Return where a board's submissions lie."""
        return self.root / "results" / name

    def board(self, name: str) -> VerifiedBoard:
        """Verify every submission to a board.

        Raises:
            BoardError: The board itself cannot be read. What is wrong with submissions is in ``Verified.faults``.
            ConfigError: Its definition is no YAML.
        """
        definition = load(self.root, name)
        kept = self._kept(name)
        known = kept.get("submissions", {}) if kept.get("board") == definition.digest else {}
        found = [self.look(definition, path, known) for path in sorted(self.folder(name).glob("*.json"))]
        groups = tuple(sorted({question.group for question in definition.questions}))
        if {one.digest for one in found} != known.keys():
            fresh = {one.digest: _kept(one) for one in found}
            self._keep(name, {"board": definition.digest, "submissions": fresh})
        return VerifiedBoard(definition, tuple(found), groups)

    def look(self, board: Definition, path: Path, known: Mapping[str, Any] | None = None) -> Verified:
        """Read and verify one submission, or take what is known of its bytes."""
        content = path.read_bytes()
        key = blake2b(content, digest_size=16).hexdigest()
        name = path.name
        kept = (known or {}).get(key)
        if kept is not None and (found := _restored(path, key, kept)) is not None:
            return found
        try:
            submission = files.parse(content, path.name)
        except BoardError as error:
            return Verified(path, key, None, None, (str(error).removeprefix(f"{name}: "),), readable=False)
        faults = verify(board, submission)
        if name != (expected := files.file_name(submission.model.name)):
            faults.insert(0, f"the file of the model {submission.model.name!r} must be called {expected!r}")
        if faults:
            return Verified(path, key, None, None, tuple(faults))
        groups = sorted({question.group for question in board.questions})
        table = predictions(board, submission)
        return Verified(path, key, submission.entry, Counts(table.runs, table.counts(groups)))

    def rank(self, name: str, metric: str, rows: Mapping[str, tuple[str, Counts]]) -> Ranking:
        """Rank rows, or take the ranking that is known of them.

        Args:
            name: The board.
            metric: What ranks.
            rows: Row -> the digest of its file, and its counts.
        """
        key = digest([metric, sorted((row, found) for row, (found, _) in rows.items())])
        kept = self._kept(name)
        rankings = kept.get("rankings", {})
        if key in rankings:
            with suppress(KeyError, TypeError, ValueError):
                return _ranking(rankings[key])
        found = rank({row: counts for row, (_, counts) in rows.items()}, metric)
        self._keep(name, {**kept, "rankings": {**rankings, key: asdict(found)}})
        return found

    def _path(self, name: str) -> Path:
        return default_root() / "boards" / f"{digest([str(self.root.absolute()), name])}.json"

    def _kept(self, name: str) -> dict[str, Any]:
        with suppress(OSError, ValueError, AttributeError):
            kept = read_json(self._path(name))
            if kept.get("code") == code_digest():
                return kept
        return {}

    def _keep(self, name: str, content: Mapping[str, Any]) -> None:
        with suppress(OSError):  # a cache that cannot be written costs time alone
            write_json(self._path(name), {**content, "code": code_digest()}, indent=None)


def forget() -> int:
    """Remove what is kept of every board; return of how many."""
    removed = 0
    for path in (default_root() / "boards").glob("*.json"):
        with suppress(OSError):
            path.unlink()
            removed += 1
    return removed


@cache
def code_digest() -> str:
    """Digest the source of this package, and the versions that compute: what decides how a submission is judged."""
    package = Path(__file__).resolve().parents[2]
    return digest([digest_files(sorted(package.rglob("*.py"))), environment()])


def _kept(found: Verified) -> dict[str, Any]:
    if found.entry is None or found.counts is None:
        return {"faults": list(found.faults), "readable": found.readable, "name": found.path.name}
    return {
        "name": found.path.name,
        "entry": files.adapter(SubmittedEntry).dump_python(found.entry, mode="json"),
        "runs": found.counts.runs,
        "counts": found.counts.matrices.tolist(),
    }


def _restored(path: Path, key: str, kept: Mapping[str, Any]) -> Verified | None:
    with suppress(KeyError, TypeError, ValueError):  # pydantic's error is a ValueError
        if kept["name"] != path.name:
            return None
        if "faults" in kept:
            return Verified(path, key, None, None, tuple(kept["faults"]), kept["readable"])
        entry = files.adapter(SubmittedEntry).validate_json(json.dumps(kept["entry"]))
        runs = tuple((seed, repeat) for seed, repeat in kept["runs"])
        return Verified(path, key, entry, Counts(runs, np.array(kept["counts"], dtype=np.int64)))
    return None


def _ranking(kept: Mapping[str, Any]) -> Ranking:
    return Ranking(
        tuple(kept["order"]),
        {row: (low, high) for row, (low, high) in kept["ranks"].items()},
        tuple(Comparison(**{**one, "interval": tuple(one["interval"])}) for one in kept["comparisons"]),
    )
