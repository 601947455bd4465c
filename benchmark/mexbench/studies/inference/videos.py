"""Predictions for films, still pictures, folders or lists of them, written to a folder: completely or not at all."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from mexbench.data.image import IMAGES, read_image
from mexbench.data.video import clip_list as manifest
from mexbench.data.video.clip_list import ListedClip
from mexbench.data.video.reader import FILMS, Frame, Video
from mexbench.errors import ConfigError, DataError, check_name, counted, shown_bytes
from mexbench.files import replacing_folder, write_text
from mexbench.studies.inference import film_units, page
from mexbench.studies.inference.annotated_video import AnnotatedVideoWriter
from mexbench.studies.inference.input_spec import Wanted
from mexbench.studies.inference.moments import Moment, Snapshots
from mexbench.studies.inference.moments import draw as draw_moments
from mexbench.studies.inference.moments import table_text as moments_text
from mexbench.studies.inference.request import PredictionRequest
from mexbench.studies.inference.tables import Summary, Tables
from mexbench.studies.inference.timeline import Timeline
from mexbench.studies.inference.window_predictor import WindowPredictor
from mexbench.studies.inference.windows import Window, windows

#: Bytes of frames that one window may hold.
MOST_BYTES = 2**30
#: Called with the clip and the seconds of it that are read.
Progress = Callable[[ListedClip, float], None]


@dataclass(frozen=True)
class PredictionTarget:
    """What to read.

    Args:
        folder: Where the paths of the clips begin.
        clips: At least one.
        single: Whether it is one video by name: then an error in it ends the command.
        skipped: Names of what else is in a folder and is not read.
        in_folder: Whether it is whatever a folder holds.
        not_for_model: Names of films or stills of a folder that the model cannot be asked about.
    """

    folder: Path
    clips: tuple[ListedClip, ...]
    single: bool = False
    skipped: tuple[str, ...] = ()
    in_folder: bool = False
    not_for_model: tuple[str, ...] = ()

    def restricted(self, wanted: Wanted) -> PredictionTarget:
        """Return the films or stills that a model can be asked about; of a folder, the others are skipped.

        Raises:
            SavedModelError: None is left, or a list has one that the model cannot be asked about.
        """
        stills = [clip for clip in self.clips if is_still(clip)]
        films = [clip for clip in self.clips if not is_still(clip)]
        mixed_folder = bool(self.in_folder and stills and films)
        if films and not (mixed_folder and not wanted.no_still):
            wanted.check_films()
        if stills and not (mixed_folder and not wanted.no_film):
            wanted.check_stills()
        kept = tuple(c for c in self.clips if not (wanted.no_still if is_still(c) else wanted.no_film))
        skipped = tuple(clip.clip_id for clip in self.clips if clip not in kept)
        return replace(self, clips=kept, not_for_model=skipped)


def target(path: Path, notice: Callable[[str], None] = lambda _: None) -> PredictionTarget:
    """Resolve a path to videos and still pictures: one, a folder of them, or a list of clips (.csv).

    Raises:
        DataError: None was found, or a list cannot be used.
    """
    if path.is_dir():
        inside = sorted(p for p in path.iterdir() if not p.name.startswith("."))
        paths = [p for p in inside if p.suffix.lower() in FILMS | IMAGES and p.is_file()]
        if not paths:
            raise DataError(
                f"{path}: no film in this folder; expected {', '.join(sorted(FILMS))}, or name a list of clips (.csv); "
                f"still pictures are {', '.join(sorted(IMAGES))}"
            )
        skipped = tuple(shown_name(p) for p in inside if p not in paths)
        return PredictionTarget(path, _entries(paths), skipped=skipped, in_folder=True)
    if path.suffix.lower() == ".csv":
        clips = manifest.read(path, notice)
        manifest.require_films(clips, path.parent)
        return PredictionTarget(path.parent, clips)
    if not path.exists():
        raise DataError(
            f"{path}: no such file; expected a film, a folder of films, or a list of clips (.csv), or still pictures"
        )
    return PredictionTarget(path.parent, _entries([path]), single=True)


def check_unused(folder: Path) -> None:
    """Check that a folder of results replaces nothing.

    Raises:
        ConfigError: The folder is there and not empty.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ConfigError(f"--out {folder}: exists already; choose another --out, or remove it")


def predict(
    where: PredictionTarget,
    predictor: WindowPredictor,
    out: Path,
    request: PredictionRequest,
    progress: Progress = lambda *_: None,
) -> tuple[list[Summary], dict[str, str]]:
    """Read videos and write the predictions.

    Args:
        where: The videos.
        predictor: The model with its steps.
        out: A folder that is not there yet, or empty.
        request: What is written, and by which other files.
        progress: Called now and then.

    Returns:
        The result for each clip, and clip id -> error for those that cannot be read.

    Raises:
        DataError: The one film, or every one, cannot be read; nothing is written.
    """
    answers = request.answers
    groups = [name for name in manifest.GROUPS if any(name in clip.groups for clip in where.clips)]
    moments: dict[str, list[Moment]] = {}
    summaries: list[Summary] = []
    unreadable: dict[str, str] = {}
    check_unused(out)
    with replacing_folder(out) as folder:
        with Tables(folder, answers, groups=groups, with_units=request.units is not None) as tables:
            reader = _Reader(where.folder, predictor, tables, folder, request, progress, moments, len(where.clips) > 1)
            for clip in where.clips:
                summary = Summary(clip, answers)
                try:
                    reader(clip, summary)
                except DataError as error:
                    if where.single:
                        raise
                    tables.end(summary, readable=False)
                    unreadable[clip.clip_id] = str(error)
                else:
                    tables.end(summary)
                    summaries.append(summary)
        if not summaries:
            raise DataError("no film could be read:" + "".join(f"\n  {text}" for text in unreadable.values()))
        if request.every_s is not None:
            write_text(folder / "moments.csv", moments_text(moments, answers))
        write_text(folder / "README.md", page.readme(predictor, summaries, unreadable, request))
    return summaries, unreadable


@dataclass(frozen=True)
class _Reader:
    """Reads one clip after the other into a folder."""

    root: Path
    predictor: WindowPredictor
    tables: Tables
    out: Path
    request: PredictionRequest
    progress: Progress
    moments: dict[str, list[Moment]]
    several: bool

    def __call__(self, clip: ListedClip, summary: Summary) -> None:
        if (units := self.request.units) is not None:
            self.predictor.units = film_units.read(film_units.file_of(units, clip, several=self.several))
        if is_still(clip):
            self._still(clip, summary)
            return
        predictor, request = self.predictor, self.request
        timeline, snapshots, began = Timeline(request.answers), Snapshots(request.answers), time.perf_counter()
        with ExitStack() as stack:
            film = stack.enter_context(Video(clip.film(self.root)))
            self._check_size(film)
            if request.video:
                check_name(self.out.absolute())
            path = self.out / f"annotated-{_stem(clip)}.mp4"
            annotated = AnnotatedVideoWriter(path, predictor.spec.fps, request.answers)
            stack.callback(annotated.close)
            frames = film.frames(fps=predictor.spec.fps, start_s=clip.start_s, end_s=clip.end_s)
            sampled = _counted(predictor.stopwatch.each("decode", frames), summary)
            for window in windows(sampled, predictor.spec) if request.every_s is None else snapshots_of(sampled):
                prediction = predictor(window)
                summary.add(prediction)
                self.tables.add(clip.clip_id, prediction)
                timeline.add(prediction)
                snapshots.add(prediction)
                if request.video:
                    annotated.add(prediction)
                self.progress(clip, window.end_s)
            summary.issues, summary.missing_s = film.issues(), film.missing_s
        summary.wall_s = time.perf_counter() - began
        about = predictor.model.about
        below = f"research use, not a diagnosis; {about.get('name')}: {page.short_score(about)}"
        timeline.draw(self.out / f"timeline-{clip.clip_id}.png", page.statement(summary), below)
        if request.every_s is not None:
            self._sheet(clip, snapshots, below)

    def _sheet(self, clip: ListedClip, snapshots: Snapshots, below: str) -> None:
        """Draw the contact sheet of the most expressive snapshots; the film is read again where faces are shown."""
        self.moments[clip.clip_id] = chosen = snapshots.most_expressive()
        if not chosen:
            return
        frames: dict[float, Frame] = {}
        if self.request.faces:
            times = {one.time_s for one in chosen}
            with Video(clip.film(self.root)) as film:
                sampled = film.frames(fps=self.predictor.spec.fps, start_s=clip.start_s, end_s=clip.end_s)
                frames = {frame.time_s: frame for frame in sampled if frame.time_s in times}
        title = f"{clip.clip_id}: {counted(len(chosen), 'snapshot')} with the scores that are least usual for it"
        path = self.out / f"moments-{clip.clip_id}.png"
        draw_moments(path, chosen, self.request.answers, title=title, below=below, frames=frames)

    def _still(self, clip: ListedClip, summary: Summary) -> None:
        """Predict a picture as a window of one frame; it has neither a timeline nor an annotated film."""
        began = time.perf_counter()
        path = clip.film(self.root)
        check_name(path.absolute())
        with self.predictor.stopwatch.timing("decode"):
            image = read_image(path)
            if image.shape[-1] == 1 and self.predictor.model.about["sample"]["shape"][-1] == 3:
                image = image.repeat(3, axis=-1)  # a gray picture for a model of colours
        prediction = self.predictor(Window(0.0, 0.0, (Frame(0.0, image),)))
        summary.frames = 1
        summary.add(prediction)
        self.tables.add(clip.clip_id, prediction)
        self.progress(clip, 0.0)
        summary.wall_s = time.perf_counter() - began

    def _check_size(self, film: Video) -> None:
        spec = self.predictor.spec
        needed = spec.frames * film.width * film.height * 3
        if needed > MOST_BYTES:
            raise DataError(
                f"{film.path}: a window of {counted(spec.frames, 'frame')} of {film.width}x{film.height} takes "
                f"{needed >> 20} MiB, at most {MOST_BYTES >> 20}: choose a shorter --window or a lower --fps"
            )


def snapshots_of(frames: Iterable[Frame]) -> Iterator[Window]:
    """Yield each frame as a window of its own."""
    for frame in frames:
        yield Window(frame.time_s, frame.time_s, (frame,))


def is_still(clip: ListedClip) -> bool:
    """Whether a clip is a still picture, by its file's name."""
    return Path(clip.path).suffix.lower() in IMAGES


def _stem(clip: ListedClip) -> str:
    """Return a clip's id without a second .mp4 behind it."""
    return clip.clip_id.removesuffix(".mp4")


def _counted(frames: Iterator[Frame], summary: Summary) -> Iterator[Frame]:
    first = None
    for frame in frames:
        first = frame.time_s if first is None else first
        summary.frames += 1
        summary.length_s = frame.time_s - first
        yield frame


def shown_name(path: Path) -> str:
    """Return a file's name as text that can be printed and written: a terminal would obey control characters.

    Bytes that are not UTF-8 are shown by their numbers.
    """
    return "".join(letter if letter.isprintable() else "?" for letter in shown_bytes(path.name))


def _entries(paths: Sequence[Path]) -> tuple[ListedClip, ...]:
    """Return a clip for each file; names that are shown alike get a number."""
    entries: list[ListedClip] = []
    for path in paths:
        name, number = shown_name(path), 2
        while any(entry.clip_id == name for entry in entries):
            name, number = f"{shown_name(path)} ({number})", number + 1
        entries.append(ListedClip(line=shown_name(path), clip_id=name, path=path.name))
    return tuple(entries)


def default_out(path: Path) -> Path:
    """Return the folder of results where --out is not given."""
    return Path("predictions") / (path.resolve().name if path.is_dir() else path.stem)


def total(summaries: Sequence[Summary]) -> tuple[int, float]:
    """Return the number of sampled frames, and the seconds of video."""
    return sum(summary.frames for summary in summaries), sum(summary.length_s for summary in summaries)
