"""What is known to be in a film, and how a spotter's intervals compare with it."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mexbench.errors import DataError, counted, listed, unknown
from mexbench.files import read_plain
from mexbench.interfaces import Interval, ScoredInterval
from mexbench.interfaces.video import IntervalKind
from mexbench.metrics.spotting import KINDS, SpottedVideo, count

_REQUIRED = ("type", "onset_s", "offset_s")


@dataclass(frozen=True, kw_only=True)
class TrueExpression:
    """One expression that is known to be in a film.

    Args:
        kind: Micro- or macro-expression.
        onset_s: Time of its first frame, in seconds.
        offset_s: Time of its last frame.
        emotion: What it shows; empty where that is not known.
    """

    kind: IntervalKind
    onset_s: float
    offset_s: float
    emotion: str = ""


@dataclass(frozen=True, kw_only=True)
class TypeCounts:
    """How the intervals of one type compare with the truth.

    Args:
        kind: The type.
        n_true: True intervals.
        hits: Those that were spotted, at an intersection over union of at least .5.
        false_alarms: Spotted intervals that hit none.
    """

    kind: IntervalKind
    n_true: int
    hits: int
    false_alarms: int


def read_truth(path: Path, clip_ids: Sequence[str]) -> dict[str, list[TrueExpression]]:
    """Read a CSV with the columns type, onset_s and offset_s; film, where several are asked about, and emotion.

    Args:
        path: The file, such as ``bench synth --seconds`` writes beside a film.
        clip_ids: The films.

    Returns:
        Clip id -> what is in it.

    Raises:
        DataError: The text names the file, the line, the value and what was expected.
    """
    try:
        text = read_plain(path, most=2**26).decode("utf-8-sig")
        rows = list(csv.DictReader(io.StringIO(text), strict=True))
    except (OSError, ValueError, csv.Error) as error:
        raise DataError(f"{path}: expected a CSV in UTF-8: {error}") from None
    header = list(rows[0]) if rows else text.strip().split(",")
    if missing := [name for name in _REQUIRED if name not in header]:
        raise DataError(f"{path}: lacks the columns {listed(missing)}; got {listed(map(str, header))}")
    if "film" not in header and len(clip_ids) > 1:
        raise DataError(f"{path}: needs a column 'film' with the name of one of {counted(len(clip_ids), 'film')}")
    truth: dict[str, list[TrueExpression]] = {name: [] for name in clip_ids}
    for number, row in enumerate(rows, start=2):
        place = f"{path}, line {number}"
        film = row["film"] if "film" in row else clip_ids[0]
        if film not in truth:
            raise DataError(f"{place}: {unknown('film', film or '', clip_ids)}")
        truth[film].append(_expression(row, place))
    return truth


def _expression(row: Mapping[str, str | None], place: str) -> TrueExpression:
    kind = row["type"]
    if kind not in KINDS:
        raise DataError(f"{place}: {unknown('type', kind or '', KINDS)}")
    onset_s, offset_s = (_seconds(row[name], f"{place}: {name}") for name in ("onset_s", "offset_s"))
    if onset_s > offset_s:
        raise DataError(f"{place}: onset_s {onset_s:g} comes after offset_s {offset_s:g}")
    return TrueExpression(
        kind="micro" if kind == "micro" else "macro",
        onset_s=onset_s,
        offset_s=offset_s,
        emotion=row.get("emotion") or "",
    )


def _seconds(text: str | None, place: str) -> float:
    try:
        value = float(text or "")
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value >= 0):
        raise DataError(f"{place}: expected seconds from the film's start, got {text!r}")
    return value


def compare(
    truth: Sequence[TrueExpression], spotted: Sequence[ScoredInterval], times: NDArray[np.float64]
) -> list[TypeCounts]:
    """Match spotted intervals with true ones, in whole frames of the film as it was looked at.

    Args:
        truth: What is there.
        spotted: Frames counted from 1.
        times: When each frame is shown (T,), in seconds.

    Returns:
        Counts for each type, micro first.
    """
    video = SpottedVideo(
        video_id="", group="", truth=tuple(_in_frames(one, times) for one in truth), predicted=tuple(spotted)
    )
    counts = count(video)
    return [
        TypeCounts(kind=kind, n_true=int(counts[i, 0] + counts[i, 2]), hits=int(counts[i, 0]),
                   false_alarms=int(counts[i, 1]))
        for i, kind in enumerate(KINDS)
    ]  # fmt: skip


def _in_frames(one: TrueExpression, times: NDArray[np.float64]) -> Interval:
    onset, offset = (1 + int(np.argmin(np.abs(times - value))) for value in (one.onset_s, one.offset_s))
    return Interval(onset=onset, apex=None, offset=offset, kind=one.kind, emotion=one.emotion or None)
