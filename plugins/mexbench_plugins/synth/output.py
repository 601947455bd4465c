"""Writing a clip: the film or its frames, a JSON that says what is in it, and a contact sheet. All, or nothing."""

from __future__ import annotations

import dataclasses
import json
import os
import platform
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray

from mexbench.errors import ConfigError, DataError, check_name
from mexbench_plugins.synth import contact_sheet, measures
from mexbench_plugins.synth.clips import Take

if TYPE_CHECKING:
    from mexbench_plugins.synth.quality.recording import Recording


@dataclass(frozen=True, kw_only=True)
class Request:
    """What to write.

    Args:
        out: A film, ``*.mp4``, or a folder of numbered JPEG frames.
        emotion: The emotion asked for; None where action units were.
        fps: Frames per second that the clip is meant for, in Hz.
        force: Whether what is there may be replaced.
        report: Whether the recorded frames are measured, and a page is written beside the clip.
        embedding: A face recogniser for the report.
        flow_root: A pack of real flow for the report.
        spoil: A way to spoil the clip on purpose.
    """

    out: Path
    emotion: str | None
    fps: float
    force: bool = False
    report: bool = False
    embedding: Path | None = None
    flow_root: Path | None = None
    spoil: str | None = None

    @property
    def film(self) -> bool:
        """Whether the clip becomes one film."""
        return self.out.suffix.lower() == ".mp4"

    @property
    def targets(self) -> tuple[Path, ...]:
        """Return the clip, the JSON, the contact sheet and, where asked for, the report, all beside the first."""
        stem = self.out.stem if self.film else self.out.name
        suffixes = ["json", "contact.png", *(["report.md"] if self.report else [])]
        return self.out, *(self.out.with_name(f"{stem}.{suffix}") for suffix in suffixes)


def check(request: Request) -> None:
    """Refuse early, before a frame is rendered.

    Raises:
        ConfigError: The target has no name or another kind of file's, or something is there already.
        DataError: A film's path is not UTF-8: OpenCV, which writes it, takes no such path.
    """
    out = request.out
    if request.film:
        check_name(out.absolute())
    if not out.name or out.name in (".", ".."):
        raise ConfigError(f"--out {out}: give the name of a new folder, or of an .mp4 file")
    if out.suffix and not request.film:
        raise ConfigError(f"--out {out}: a clip is an .mp4 file, or a folder of frames: got {out.suffix!r}")
    there = [path for path in request.targets if path.exists() or path.is_symlink()]
    if there and not request.force:
        raise ConfigError(f"{there[0]} exists: choose another --out, or give --force to replace it")
    folder = next((path for path in request.targets[1:] if path.is_dir()), None)
    if folder is not None:
        raise ConfigError(f"{folder} is a folder, where a file beside the clip would go: choose another --out")
    if request.film and out.is_dir():
        raise ConfigError(f"--out {out}: is a folder: remove it, or choose another name")
    if not request.film and request.force and out.exists() and not _ours(out):
        raise ConfigError(f"--out {out}: holds other things than frames of a clip: --force would remove them")


def write(take: Take, request: Request, extra: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Render the clip and write it, its JSON, its contact sheet and its report.

    Everything is made in a hidden folder beside the target and gets its name when all of it is whole.

    Args:
        take: The clip.
        request: What to write.
        extra: What else the JSON is to say.

    Returns:
        What the JSON says; of a report also its ``table``.

    Raises:
        ConfigError: See ``check``, or the clip cannot be spoiled as asked.
        DataError: The film cannot be written, or a file that the report needs cannot be used.
    """
    check(request)
    parent = request.out.absolute().parent
    parent.mkdir(parents=True, exist_ok=True)
    _remove_abandoned(parent)
    work = Path(tempfile.mkdtemp(prefix=f"{_own_prefix()}{os.getpid()}-", dir=parent))
    try:
        wanted = {index for _, index in contact_sheet.moments(take)}
        shown: dict[int, NDArray[np.uint8]] = {}
        paths = [work / path.name for path in request.targets]
        recording = _recorded(take, request)
        frames = take.frames() if recording is None else iter(recording.frames)
        write_frames(_keeping(frames, wanted, shown), paths[0], request, take.face.image.shape[1::-1])
        record = _record(take, request, shown) | dict(extra or {})
        printed = "" if recording is None else _write_report(take, request, recording, record, paths[3])
        paths[1].write_text(json.dumps(record, indent=2, allow_nan=False) + "\n", encoding="utf-8")
        title = f"{take.face.name}: {request.emotion or 'expression'}, {take.expression.title}"
        drawn = contact_sheet.draw(take, [shown[index] for _, index in contact_sheet.moments(take)], title)
        _encode(paths[2], drawn, [])
        for path, target in zip(paths, request.targets, strict=True):
            _put(path, target, work)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return record if recording is None else record | {"report": record["report"] | {"table": printed}}


def _recorded(take: Take, request: Request) -> Recording | None:
    """Return the frames that a report measures, spoiled where asked; None without a report, which keeps no frames."""
    from mexbench_plugins.synth.quality import recording
    from mexbench_plugins.synth.quality.spoil import spoil

    if not request.report:
        return None
    return recording.record(take) if request.spoil is None else spoil(take, request.spoil)


def _write_report(
    take: Take, request: Request, recording: Recording, record: dict[str, Any], path: Path
) -> str:  # fmt: skip
    """Measure, add the measures to the record, write the page; return the table."""
    from mexbench_plugins.synth.quality import report

    measures = report.measure(
        recording, seed=take.face.seed, embedding=request.embedding, flow_root=request.flow_root
    )  # fmt: skip
    record["report"] = {"spoiled": request.spoil, "measures": {one.name: one.to_dict() for one in measures}}
    title = f"{request.out.name}: {take.face.name}, {recording.expression.title}"
    page = report.page(title, measures, record.get("photo_warnings", []), request.spoil)
    path.write_text(page, encoding="utf-8")
    return report.table(measures)


def _own_prefix() -> str:
    """Return how temporary folders of this machine begin: another one may share the disk, and its processes."""
    return f".tmp-synth-{re.sub(r'[^A-Za-z0-9]', '', platform.node())}-"


def _remove_abandoned(parent: Path) -> None:
    """Remove the temporary folders, with films in them, of processes of this machine that were killed."""
    for path in parent.glob(f"{_own_prefix()}*"):
        process = path.name.removeprefix(_own_prefix()).partition("-")[0]
        if process.isdigit() and not _is_running(int(process)) and path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)


def _is_running(process: int) -> bool:
    if os.name != "posix":
        return True  # signal 0 would end it there
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):  # it belongs to somebody else, or is none
        return True
    return True


def _record(take: Take, request: Request, shown: dict[int, NDArray[np.uint8]]) -> dict[str, Any]:
    timing = take.timing
    height, width = take.face.image.shape[:2]
    preserved = measures.identity_preservation(take, shown[timing.onset], shown[timing.apex])
    return {
        "synthetic": True,
        "face": take.face.name,
        "emotion": request.emotion,
        "aus": [str(unit) for unit in take.expression.aus],
        "shown": take.expression.title,
        # Counted from 1: the frame's file is img<number>.jpg, and a player's first frame is 1.
        "onset": timing.onset + 1,
        "apex": timing.apex + 1,
        "offset": timing.offset + 1,
        "frames": timing.frames,
        "fps": request.fps,
        "width": width,
        "height": height,
        "seed": take.seed,
        "camera": dataclasses.asdict(take.camera),
        "peak_displacement_pixels": take.expression.peak(),
        "identity_preservation": dataclasses.asdict(preserved),
        "monotonicity": dataclasses.asdict(measures.monotonicity(take)),
    }


def _keeping(
    frames: Iterator[NDArray[np.uint8]], wanted: set[int], shown: dict[int, NDArray[np.uint8]]
) -> Iterator[NDArray[np.uint8]]:
    """Pass frames on, and keep the few that are looked at later."""
    for index, frame in enumerate(frames):
        if index in wanted:
            shown[index] = frame
        yield frame


def write_frames(frames: Iterator[NDArray[np.uint8]], clip: Path, request: Request, size: Sequence[int]) -> None:
    """Write a film, or a folder of frames, of pictures (H, W, 3) RGB of ``size`` (width, height)."""
    if not request.film:
        clip.mkdir()
        for number, frame in enumerate(frames, start=1):
            _encode(clip / f"img{number}.jpg", frame, [cv2.IMWRITE_JPEG_QUALITY, 95])
        return
    film = cv2.VideoWriter(str(clip), cv2.VideoWriter.fourcc(*"mp4v"), request.fps, (size[0], size[1]))
    if not film.isOpened():
        raise DataError(f"{request.out}: this OpenCV cannot write MPEG-4 films: give a folder instead of an .mp4 file")
    try:
        for frame in frames:
            film.write(cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))
    finally:
        film.release()
    if not clip.is_file() or not clip.stat().st_size:
        raise DataError(f"{request.out}: the film could not be written: is the disk full?")


def _encode(path: Path, image: NDArray[np.uint8], settings: list[int]) -> None:
    """Write a picture through Python's own files, whose errors name the file and the cause; OpenCV's do not."""
    done, encoded = cv2.imencode(path.suffix, cv2.cvtColor(image, cv2.COLOR_RGB2BGR), settings)
    if not done:
        raise DataError(f"{path.name}: the picture could not be encoded")
    path.write_bytes(encoded.tobytes())


def _put(path: Path, target: Path, work: Path) -> None:
    """Give a finished file or folder its name; a folder that it replaces goes only when it is out of the way."""
    if target.is_dir():
        target.rename(work / f"replaced-{target.name}")
    path.replace(target)


def _ours(folder: Path) -> bool:
    """Return whether a folder holds frames of a clip and nothing else."""
    return folder.is_dir() and all(path.match("img*.jpg") and path.is_file() for path in folder.iterdir())
