"""Where in a film expressions are: a saved spotter and its steps, then a recogniser on each spotted interval."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mexbench.config.run_config import Component
from mexbench.data.video.clip_list import ListedClip
from mexbench.data.video.reader import Frame, Video
from mexbench.errors import DataError, SampleRejected, SavedModelError, counted
from mexbench.files import replacing_folder, write_text
from mexbench.interfaces import Clip, Preprocessor, ScoredInterval
from mexbench.interfaces.spotting import ConfidencePredictor, VideoFrames
from mexbench.runs.saved_model import SavedModel
from mexbench.studies.inference import page, spot_page, spot_timeline
from mexbench.studies.inference.answers import Answers, model_flags
from mexbench.studies.inference.spot_truth import TrueExpression
from mexbench.studies.inference.spotted_film import SpottedExpression, SpottedFilm
from mexbench.studies.inference.videos import PredictionTarget, check_unused
from mexbench.studies.inference.window_predictor import WindowPredictor
from mexbench.studies.inference.windows import Window

#: Frames of each second that are looked at, at most.
MOST_FPS = 200.0
#: Bytes of the frames that are in memory together; what a film has more of is spotted in parts.
MOST_BYTES = 2**30
#: Rows of a frame; a higher picture is made smaller, since a spotter sees the whole film at once.
MOST_ROWS = 480
#: Seconds that two parts of a film share, so that an expression lies inside one of them.
OVERLAP_S = 4.0
_FEWEST = 2


@dataclass(frozen=True, eq=False)
class FilmSpotter:
    """A saved spotter, its steps, and the recogniser that is asked about each interval.

    Args:
        model: The spotter.
        steps: What its videos went through.
        recogniser: None where none is asked.
        fps: Frames of each second to look at, at most.
        answers: How the recogniser's scores are put into words.
    """

    model: SavedModel
    steps: tuple[Component[Preprocessor], ...]
    recogniser: WindowPredictor | None
    fps: float
    answers: Answers | None = None

    @property
    def flags(self) -> tuple[str, ...]:
        """Flags of the spotter, then those of what is said about its intervals."""
        return tuple(dict.fromkeys([*model_flags(self.model.about), *(self.answers.flags if self.answers else ())]))

    def __call__(self, clip: ListedClip, root: Path) -> SpottedFilm:
        """Spot one film.

        Raises:
            DataError: The film cannot be read, or has too few frames.
            SavedModelError: Its frames become something else than what the spotter was trained on.
        """
        with Video(clip.film(root)) as film:
            times = np.array(list(film.times(fps=self.fps, start_s=clip.start_s, end_s=clip.end_s)))
            if len(times) < _FEWEST:
                raise DataError(f"{film.path}: has {len(times)} frame in this stretch; a spotter needs a film")
            fps = (len(times) - 1) / float(times[-1] - times[0])
            scale = min(1.0, MOST_ROWS / film.height)
            spotted = SpottedFilm(clip, times, fps, parts=0, scale=scale)
            shape = round(film.height * scale), round(film.width * scale), 3
            frames = film.frames(fps=self.fps, start_s=clip.start_s, end_s=clip.end_s)
            length = max(round(3 * OVERLAP_S * fps), MOST_BYTES // int(np.prod(shape)))
            for start, stop, images in parts(frames, len(times), length, round(OVERLAP_S * fps), shape):
                self._spot_part(spotted, start, stop, images)
                spotted.parts += 1
            spotted.issues = film.issues()
        spotted.expressions.sort(key=lambda one: (one.interval.onset, one.interval.offset))
        return spotted

    def _spot_part(self, spotted: SpottedFilm, start: int, stop: int, images: NDArray[np.uint8]) -> None:
        """Add what is in frames ``start`` to ``stop``; an interval belongs to the part that has its middle farthest in.

        Args:
            spotted: What is added to.
            start: Position in the film of the first image.
            stop: Position after the last one.
            images: (T, H, W, 3).
        """
        clip = Clip(frames=images, fps=spotted.fps)
        try:
            for step in self.steps:
                clip = step.instance(clip)
                clip.frames.flags.writeable = False
        except SampleRejected as error:
            spotted.notes = (*spotted.notes, f"{spotted.times[start]:.1f} to {spotted.times[stop - 1]:.1f} s: {error}")
            return
        spotted.notes = tuple(dict.fromkeys([*spotted.notes, *clip.notes]))
        self._check_frames(clip.frames, stop - start)
        video = VideoFrames(frames=clip.frames, first=start + 1, fps=spotted.fps)
        low, high = inner_part(start, stop, len(spotted.times), round(OVERLAP_S * spotted.fps))
        intervals, curves = self.model.spot(video)
        for interval in intervals:
            if low <= (interval.onset + interval.offset) / 2 - 1 < high:
                spotted.expressions.append(self._recognised(interval, spotted.times, start, images))
        if isinstance(self.model.predictor, ConfidencePredictor):
            spotted.threshold = self.model.predictor.threshold
        for kind, curve in curves.items():
            film_curve = spotted.curves.setdefault(kind, np.full(len(spotted.times), np.nan))
            film_curve[low:high] = curve[low - start : high - start]

    def _check_frames(self, frames: NDArray[Any], count: int) -> None:
        expected = self.model.about["sample"]
        if len(frames) != count or [*frames.shape[1:]] != expected["shape"] or frames.dtype.name != expected["dtype"]:
            raise SavedModelError(
                f"{self.model.folder}: trained on frames {tuple(expected['shape'])} {expected['dtype']}, and "
                f"{counted(count, 'frame')} of the film became {len(frames)} of {frames.shape[1:]} {frames.dtype.name} "
                "in its steps; train a spotter whose steps bring whole pictures to one size, such as face, grayscale "
                "and resize"
            )

    def _recognised(
        self, interval: ScoredInterval, times: NDArray[np.float64], start: int, images: NDArray[np.uint8]
    ) -> SpottedExpression:
        """Ask the recogniser about an interval: its frames are a clip from the onset to the offset."""
        first, last = interval.onset - 1, interval.offset - 1
        apex_s = None if interval.apex is None else float(times[interval.apex - 1])
        expression = SpottedExpression(interval, float(times[first]), apex_s, float(times[last]))
        if self.recogniser is None or self.answers is None:
            return expression
        frames = tuple(Frame(float(times[n]), images[n - start]) for n in range(first, last + 1))
        apex = None if interval.apex is None else interval.apex - interval.onset
        prediction = self.recogniser(Window(expression.onset_s, expression.offset_s, frames, apex=apex))
        scores = prediction.scores
        return replace(
            expression,
            scores=scores,
            emotion="" if scores is None else self.answers.text(scores),
            cluster=self.answers.cluster(scores, None),
            reason=prediction.reason,
        )


def parts(
    frames: Iterator[Frame], count: int, length: int, overlap: int, shape: tuple[int, ...]
) -> Iterator[tuple[int, int, NDArray[np.uint8]]]:
    """Cut a film into parts that share ``overlap`` frames: position of the first, position after the last, images.

    Args:
        frames: Of the film.
        count: How many there are.
        length: Most frames of a part; more than ``overlap``.
        overlap: Frames that two parts share.
        shape: Of an image (H, W, 3); larger ones are made smaller.
    """
    import cv2

    start, tail = 0, np.empty((0, *shape), np.uint8)
    while True:
        stop = min(start + length, count)
        images = np.empty((stop - start, *shape), np.uint8)
        images[: len(tail)] = tail
        for index in range(len(tail), len(images)):
            image = next(frames).image
            if image.shape != shape:
                image = np.asarray(cv2.resize(image, shape[1::-1], interpolation=cv2.INTER_AREA), np.uint8)
            images[index] = image
        images.flags.writeable = False
        yield start, stop, images
        if stop == count:
            return
        start, tail = stop - overlap, images[len(images) - overlap :]


def inner_part(start: int, stop: int, count: int, overlap: int) -> tuple[int, int]:
    """Return the frames for which a part speaks: up to the middle of what it shares with its neighbours."""
    low = start + overlap // 2 if start else 0
    high = count if stop == count else stop - overlap + overlap // 2
    return low, high


def spot_films(
    where: PredictionTarget, spotter: FilmSpotter, out: Path,
    truth: Mapping[str, Sequence[TrueExpression]] | None, notify: Callable[[int, ListedClip], None],
) -> tuple[list[SpottedFilm], dict[str, str]]:  # fmt: skip
    """Spot each film and write the results: completely or not at all.

    Args:
        where: The films.
        spotter: The spotter.
        out: A folder that is not there yet, or empty.
        truth: Clip id -> what is known to be in it; None where nothing is known.
        notify: Called with the position and the clip before each.

    Returns:
        What was spotted in each film, and clip id -> error for those that cannot be read.

    Raises:
        DataError: The one film, or every one, cannot be read; nothing is written.
    """
    results: list[SpottedFilm] = []
    unreadable: dict[str, str] = {}
    check_unused(out)
    with replacing_folder(out) as folder:
        for index, clip in enumerate(where.clips):
            notify(index, clip)
            try:
                film = spotter(clip, where.folder)
            except DataError as error:
                if where.single:
                    raise
                unreadable[clip.clip_id] = str(error)
                continue
            known = None if truth is None else truth.get(clip.clip_id, ())
            below = f"research use, not a diagnosis; {spot_page.short_score(spotter.model.about)}"
            if asked := spotter.recogniser:
                below += f"; {asked.model.about.get('name')}: {page.short_score(asked.model.about)}"
            spot_timeline.draw(folder / f"timeline-{clip.clip_id}.png", film, known, below)
            results.append(film)
        if not results:
            raise DataError("no film could be read:" + "".join(f"\n  {text}" for text in unreadable.values()))
        write_text(folder / "intervals.csv", intervals_text(results, spotter.answers, spotter.flags))
        write_text(folder / "confidence.csv", confidence_text(results, model_flags(spotter.model.about)))
        write_text(
            folder / "README.md",
            spot_page.readme(spotter.model, spotter.recogniser, results, unreadable, truth, flags=spotter.flags),
        )
    return results, unreadable


def intervals_text(results: Sequence[SpottedFilm], answers: Answers | None, flags: Sequence[str] = ()) -> str:
    """Return ``intervals.csv``: a row for each interval; frames are counted from 1 in those that were looked at.

    The column ``emotion`` has the recogniser's answer; of a recogniser of action units it is called ``units``.
    ``flags`` are those of the models: a column of this name, where there are any.
    """
    classes = answers.names if answers else ()
    answer = "units" if answers and answers.of_units else "emotion"
    clustered = bool(answers and answers.division)
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(
        ["clip_id", "type", "onset_s", "apex_s", "offset_s", "onset", "apex", "offset", "confidence", answer, "note",
         *(["cluster"] * clustered), *(f"score_{name}" for name in classes), *(["flags"] * bool(flags))]
    )  # fmt: skip
    for film in results:
        for one in film.expressions:
            interval = one.interval
            scores = [""] * len(classes) if one.scores is None else [f"{score:.6g}" for score in one.scores]
            writer.writerow(
                [film.clip.clip_id, interval.kind, f"{one.onset_s:.3f}", "" if one.apex_s is None else
                 f"{one.apex_s:.3f}", f"{one.offset_s:.3f}", interval.onset, interval.apex or "", interval.offset,
                 f"{interval.score:.6g}", one.emotion, one.reason, *([one.cluster] * clustered), *scores,
                 *([" ".join(flags)] * bool(flags))]
            )  # fmt: skip
    return stream.getvalue()


def confidence_text(results: Sequence[SpottedFilm], flags: Sequence[str] = ()) -> str:
    """Return ``confidence.csv``: the spotter's curves, a row for each frame; blank where it has none.

    ``flags`` are the spotter's: a column of this name, where there are any.
    """
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    kinds = sorted({kind for film in results for kind in film.curves}, reverse=True)
    text = [" ".join(flags)] * bool(flags)
    writer.writerow(["clip_id", "frame", "time_s", *kinds, *(["flags"] * bool(flags))])
    for film in results:
        columns = [film.curves.get(kind, np.full(len(film.times), np.nan)) for kind in kinds]
        for index, time_s in enumerate(film.times if columns else ()):
            values = ("" if np.isnan(column[index]) else f"{column[index]:.5g}" for column in columns)
            writer.writerow([film.clip.clip_id, index + 1, f"{time_s:.3f}", *values, *text])
    return stream.getvalue()
