"""What is sent between the process of a run and its worker processes, over two pipes.

To a worker go objects, as multiprocessing sends them. From a worker, where a plugin may write what it likes, come plain
values: JSON, checked here, never an object that runs code when it is read.

Each message is its length, in 8 bytes, and its content.
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from multiprocessing.reduction import ForkingPickler
from typing import IO, Any, get_args

import numpy as np

from mexbench.errors import DataError, counted
from mexbench.evaluation.task_runner import GroupData, check_scores, shortened
from mexbench.interfaces import IntervalKind, ScoredInterval
from mexbench.runs.task import Failure, Outcome, Success, Task, printable
from mexbench.runs.tuning_record import TuningRecord

_LENGTH = struct.Struct("<Q")
#: Bytes of the longest message that is taken from a worker: a longer one is not an answer.
_MOST_BYTES = 2**28


def write_message(stream: IO[bytes], content: bytes) -> None:
    """Write one message.

    Raises:
        OSError: The other side is gone.
    """
    stream.write(_LENGTH.pack(len(content)) + content)
    stream.flush()


def read_message(stream: IO[bytes], most: int | None = _MOST_BYTES) -> bytes | None:
    """Read one message, or None where the other side is gone.

    Raises:
        ValueError: It has more bytes than ``most``.
    """
    head = stream.read(_LENGTH.size)
    if len(head) < _LENGTH.size:
        return None
    (length,) = _LENGTH.unpack(head)
    if most is not None and length > most:
        raise ValueError(f"a message of {length} bytes")
    content = stream.read(length)
    return content if len(content) == length else None


def dump_object(value: object) -> bytes:
    """Return an object as it is sent to a worker.

    Raises:
        Exception: It cannot be sent; which error that is depends on the object.
    """
    return bytes(ForkingPickler.dumps(value))


def load_object(content: bytes) -> Any:  # noqa: ANN401 - any object
    """Return, in a worker, an object that the process of the run has sent."""
    return ForkingPickler.loads(content)  # pyright: ignore[reportAttributeAccessIssue] - it is a static function


def dump_outcomes(outcomes: Sequence[Outcome]) -> bytes:
    """Return outcomes as plain values."""
    return json.dumps({"outcomes": [_to_plain(outcome) for outcome in outcomes]}).encode("ascii")


def load_outcomes(content: bytes, data: GroupData, n_classes: int) -> list[Outcome]:
    """Return the outcomes that a worker has sent.

    Args:
        content: The message.
        data: What was given to the worker.
        n_classes: Number of scores of a sample.

    Raises:
        ValueError: They are not the outcomes of this group.
    """
    try:
        values = json.loads(content)["outcomes"]
        if len(values) != len(data.tasks):
            raise ValueError(f"{counted(len(values), 'outcome')} of {counted(len(data.tasks), 'task')}")
        return [
            _from_plain(value, task, (len(test), n_classes), data)
            for value, task, test in zip(values, data.tasks, data.test_rows, strict=True)
        ]
    except (KeyError, TypeError, AttributeError, RecursionError, OverflowError) as error:
        raise ValueError(f"{type(error).__name__}: {error}") from None


def _to_plain(outcome: Outcome) -> dict[str, Any]:
    if isinstance(outcome, Failure):
        return {"error": outcome.error, "trace": outcome.trace}
    return {
        "scores": outcome.scores.tolist(),
        "fit_s": outcome.fit_s,
        "predict_s": outcome.predict_s,
        "warnings": outcome.warnings,
        "history": [dict(row) for row in outcome.history],
        "health": dict(outcome.health),
        "unsaved": outcome.unsaved,
        "device": outcome.device,
        "processor_s": outcome.processor_s,
        "tuning": None if outcome.tuning is None else outcome.tuning.model_dump(),
        "intervals": None if outcome.intervals is None else [[asdict(one) for one in row] for row in outcome.intervals],
    }


def _from_plain(value: Mapping[str, Any], task: Task, shape: tuple[int, int], data: GroupData) -> Outcome:
    if "error" in value:
        return Failure(task, _text(value["error"]), _text(value["trace"]))
    spots = data.y.dtype == object  # what is annotated in long videos
    if spots:
        scores = np.empty((shape[0], 0))
    else:  # of no samples, the list tells no width
        plain = np.array(value["scores"], dtype=np.float64).reshape(shape)
        scores = check_scores(plain, shape, of_units=data.y.ndim == 2)
    return Success(
        task,
        scores,
        fit_s=_seconds(value["fit_s"]),
        predict_s=_seconds(value["predict_s"]),
        warnings=tuple(_text(text) for text in value["warnings"]),
        history=tuple({_text(name): _number(x) for name, x in row.items()} for row in value["history"]),
        health={_text(name): _number(x) for name, x in value["health"].items()},
        unsaved=None if value["unsaved"] is None else _text(value["unsaved"]),
        device=_text(value["device"]),
        processor_s=None if value["processor_s"] is None else _seconds(value["processor_s"]),
        tuning=None if value["tuning"] is None else TuningRecord.model_validate(value["tuning"]),
        intervals=_intervals(value["intervals"], shape[0]) if spots else None,
    )


def _intervals(value: Sequence[Sequence[Mapping[str, Any]]], n_videos: int) -> tuple[tuple[ScoredInterval, ...], ...]:
    rows = tuple(tuple(_interval(one) for one in row) for row in value)
    if len(rows) != n_videos:
        raise ValueError(f"intervals of {counted(len(rows), 'video')}, expected {n_videos}")
    return rows


def _interval(value: Mapping[str, Any]) -> ScoredInterval:
    frames = [value["onset"], value["offset"], *([] if value["apex"] is None else [value["apex"]])]
    if any(type(frame) is not int for frame in frames) or value["kind"] not in get_args(IntervalKind):
        raise ValueError(f"expected an interval of whole frames, micro or macro, got {value!r}")
    try:
        return ScoredInterval(
            onset=value["onset"],
            offset=value["offset"],
            kind=value["kind"],
            score=_number(value["score"]),
            apex=value["apex"],
            emotion=None if value["emotion"] is None else _text(value["emotion"]),
        )
    except DataError as error:
        raise ValueError(str(error)) from None


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"expected a text, got {type(value).__name__}")
    return shortened(printable(value))


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise ValueError(f"expected a finite number, got {value!r}")
    return value


def _seconds(value: object) -> float:
    number = float(_number(value))
    if number < 0:
        raise ValueError(f"expected seconds, got {number}")
    return number
