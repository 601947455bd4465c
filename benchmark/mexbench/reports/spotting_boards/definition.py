"""What a leaderboard of spotters asks."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

from pydantic import ConfigDict

from mexbench.errors import BoardError, check_name, listed, suggest
from mexbench.files import write_text
from mexbench.fingerprint import digest
from mexbench.interfaces import Interval
from mexbench.interfaces.video import IntervalKind
from mexbench.reports.leaderboards.definition import NAME, check_new, check_no_links
from mexbench.reports.leaderboards.submission import STRICT, read_record

FOLDER = "spotting"
#: Type, onset, apex (None where it is not annotated), offset, emotion (empty where it is not).
TrueLine = tuple[IntervalKind, int, int | None, int, str]


@dataclass(frozen=True, kw_only=True)
class BoardVideo:
    """A video that a submission must answer for.

    Args:
        video_id: The video.
        fold: The fold that tests it.
        subject: Whose.
        dataset: The data set, or the member of a composite, that it is of.
        fps: Frames per second, in Hz.
        first: Number of its first frame.
        last: Number of its last frame.
        truth: Its expressions.
    """

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    video_id: str
    fold: str
    subject: str
    dataset: str
    fps: float
    first: int
    last: int
    truth: tuple[TrueLine, ...]

    @property
    def intervals(self) -> tuple[Interval, ...]:
        """The true intervals."""
        return tuple(
            Interval(onset=onset, apex=apex, offset=offset, kind=kind, emotion=emotion or None)
            for kind, onset, apex, offset, emotion in self.truth
        )


@dataclass(frozen=True, kw_only=True)
class SpottingBoard:
    """A leaderboard of spotters.

    Args:
        schema: Version of the file's format.
        name: Its file's name without the ending.
        title: What the page is called.
        dataset: What outputs call the data.
        fingerprint: Of the data set.
        protocol: The plugin with all its parameters, paths left out.
        epochs: Epochs of the code whose runs are comparable; see ``provenance.EPOCH``.
        flags: What every submission must be flagged with.
        note: What a reader should know; empty where there is nothing.
        videos: What is asked, by video id.
    """

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    schema: int
    name: str
    title: str
    dataset: str
    fingerprint: str
    protocol: dict[str, Any]
    epochs: tuple[int, ...]
    flags: tuple[str, ...]
    note: str
    videos: tuple[BoardVideo, ...]

    @property
    def classes(self) -> tuple[str, ...]:
        """None are asked for."""
        return ()

    @cached_property
    def by_id(self) -> Mapping[str, BoardVideo]:
        """Video id -> the video."""
        return {video.video_id: video for video in self.videos}


def is_spotting_board(root: Path, name: str) -> bool:
    """Whether a name is that of a leaderboard of spotters, be it broken."""
    return bool(NAME.fullmatch(name)) and (definition_path(root, name).exists() or results_folder(root, name).is_dir())


def names(root: Path) -> list[str]:
    """Return the leaderboards of spotters of a folder, sorted; submissions alone are a broken one.

    Raises:
        DataError: A name is not UTF-8.
    """
    files = list(root.glob(f"{FOLDER}/*.json"))
    folders = [path for path in root.glob(f"{FOLDER}/results/*") if path.is_dir()]
    for path in (*files, *folders):
        check_name(path)
    return sorted({path.stem for path in files} | {path.name for path in folders})


def definition_path(root: Path, name: str) -> Path:
    """Return where a board's definition is."""
    return root / FOLDER / f"{name}.json"


def results_folder(root: Path, name: str) -> Path:
    """Return the folder of a board's submissions."""
    return root / FOLDER / "results" / name


def load(root: Path, name: str) -> SpottingBoard:
    """Read a board.

    Raises:
        BoardError: It is not there, or something in it cannot be; the text says what and where.
    """
    path = definition_path(root, name)
    if not NAME.fullmatch(name) or not path.exists():
        known = names(root)
        raise BoardError(
            f"{root}: no leaderboard of spotters {name!r}{suggest(name, known)}; there are: {listed(known)}. "
            "'bench leaderboard define RUN NAME' makes one from a run"
        )
    check_no_links(_places(root, name))
    board = read_record(path, SpottingBoard, "a leaderboard of spotters")
    if board.name != name:
        raise BoardError(f"{path}: name: expected {name!r}, got {board.name!r}")
    if not board.videos or len(board.by_id) < len(board.videos):
        raise BoardError(f"{path}: videos: expected different videos, at least one")
    for video in board.videos:
        if not (video.fps > 0 and video.first <= video.last):
            raise BoardError(f"{path}: {video.video_id}: invalid frame rate or frames")
        for _, onset, apex, offset, _ in video.truth:
            if not video.first <= onset <= offset <= video.last or not (apex is None or onset <= apex <= offset):
                raise BoardError(f"{path}: {video.video_id}: the interval {onset}-{offset} cannot be")
    return board


def save(root: Path, board: SpottingBoard) -> Path:
    """Write a new board and return its file.

    Raises:
        BoardError: Its name cannot be used, or exists.
    """
    path = definition_path(root, board.name)
    check_no_links(_places(root, board.name))
    check_new(root, board.name)
    write_text(path, record_text(board))
    return path


def _places(root: Path, name: str) -> tuple[Path, ...]:
    """Return the files and folders of a board."""
    results = results_folder(root, name)
    return root / FOLDER, definition_path(root, name), results.parent, results


def record_text(record: Any) -> str:  # noqa: ANN401 - a dataclass
    """Write a dataclass as JSON: a key per line, and a line for each member of its last list."""
    values = {field.name: getattr(record, field.name) for field in dataclasses.fields(record)}
    *head, (last, items) = values.items()
    lines = [f"  {json.dumps(key)}: {_json(value)},\n" for key, value in head]
    rows = ",\n".join(f"    {_json(item)}" for item in items)
    return "{\n" + "".join(lines) + f"  {json.dumps(last)}: [\n{rows}\n  ]\n}}\n"


def digest_of(items: object) -> str:
    """Digest the members of a record."""
    return digest(json.loads(_json(items)))


def _json(value: object) -> str:
    def plain(one: Any) -> Any:  # noqa: ANN401
        return dataclasses.asdict(one)

    return json.dumps(value, ensure_ascii=False, allow_nan=False, default=plain)
