"""``bench predict``: what a saved model says about films, or about what a camera sees."""

from __future__ import annotations

import argparse
import importlib.util
import math
import sys
from dataclasses import replace
from pathlib import Path

from mexbench import cli
from mexbench.cli import predict_spot
from mexbench.cli.output import open_catalogue, progress, say, say_boxed
from mexbench.config.loader import load
from mexbench.errors import ConfigError, listed, missing_extra
from mexbench.runs import saved_model as saved
from mexbench.studies.inference import camera, page
from mexbench.studies.inference import input_spec as inputs
from mexbench.studies.inference import videos as films
from mexbench.studies.inference.answers import Answers
from mexbench.studies.inference.request import PredictionRequest
from mexbench.studies.inference.window_predictor import WindowPredictor
from mexbench.studies.inference.windows import WindowSpec

_WINDOW_S = 1.0
_FPS = 10.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument(
        "film", nargs="?", type=Path, metavar="VIDEO|FOLDER|MANIFEST",
        help="a film (mp4, mov, avi, webm, mkv), a still picture (jpg, png, bmp), a folder of them, or a list (.csv)",
    )  # fmt: skip
    parser.add_argument(
        "--model", type=Path, metavar="DIR",
        help="a saved model: RUN/models/MODEL/all/SEED, written by 'bench run --save-models all'",
    )  # fmt: skip
    parser.add_argument("--out", type=Path, metavar="DIR", help="new folder for results (default: predictions/NAME)")
    parser.add_argument(
        "--video", action="store_true", help="also write the films with the predictions on them: they show faces"
    )
    parser.add_argument("--camera", type=int, metavar="N", help="watch a camera, 0 is the first; nothing is written")
    parser.add_argument("--seconds", type=float, metavar="S", help="with --camera: stop after so long (else Ctrl-C)")
    parser.add_argument(
        "--fps", type=float,
        help=f"frames of each second to look at (default: {_FPS:g}; with --spot, all)",
    )  # fmt: skip
    parser.add_argument(
        "--window", type=float, default=_WINDOW_S, metavar="S",
        help="seconds that are predicted together; a clip to a model that was trained on clips (default: 1)",
    )  # fmt: skip
    parser.add_argument(
        "--hop", type=float, metavar="S",
        help="seconds from one window to the next (default: half a window; a whole one where a frame is a sample)",
    )  # fmt: skip
    parser.add_argument(
        "--estimate-apex", action="store_true",
        help="for a model that was trained on annotated moments (frames: at): take the first frame of a window as the "
        "onset, the one that differs most from it as the apex",
    )  # fmt: skip
    parser.add_argument(
        "--every", type=float, metavar="S",
        help="read a snapshot every S seconds instead of windows, each a still picture, and write a contact sheet of "
        "the most expressive ones",
    )  # fmt: skip
    parser.add_argument("--faces", action="store_true", help="with --every: show the pictures on the contact sheet")
    parser.add_argument(
        "--units", type=Path, metavar="CSV|FOLDER",
        help="action units of the film as OpenFace 2 writes them, or a folder with a CSV for each film: what a model "
        "reads that was trained with coded units",
    )  # fmt: skip
    parser.add_argument(
        "--clusters", type=Path, metavar="DIR",
        help="assign windows and clips to the combinations of action units (Happiness_ME1 ...) of a sub-division that "
        "'bench analyse au-subdivision' wrote",
    )  # fmt: skip
    parser.add_argument(
        "--units-of", metavar="EMOTION",
        help="assign to the combinations of this emotion alone; without --clusters, to those that the AU-CNN paper's "
        "table 10 prints",
    )  # fmt: skip
    parser.add_argument(
        "--config", type=Path, help="refuse the model unless its samples were made as this config makes them"
    )
    predict_spot.add_arguments(parser)


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    if options.spot is not None:
        return predict_spot.run(options)
    predict_spot.check_unused(options)
    _check(options)
    options.fps = _FPS if options.fps is None else options.fps
    catalogue = open_catalogue()
    where = films.target(options.film, say) if options.film else None
    out = options.out or (films.default_out(options.film) if options.film else None)
    if out is not None:
        films.check_unused(out)
    model = saved.load(options.model, catalogue, target=("emotion", "action_units"))
    division = predict_spot.division_of(options, model)
    with_units, estimate = options.units is not None, options.estimate_apex
    wanted = inputs.wanted(model, catalogue, with_units=with_units, estimate=estimate, stills=options.every is not None)
    if estimate and not wanted.at:
        raise ConfigError("--estimate-apex: this model was not trained on annotated moments: leave it out")
    if options.config:
        inputs.check_same_config(model, load(options.config, catalogue))
    if where is None:
        wanted.check_films()
    else:
        if options.every is not None:
            wanted.check_snapshots()
            wanted = replace(wanted, no_film="")
        where = where.restricted(wanted)
        if options.video and all(films.is_still(clip) for clip in where.clips):
            raise ConfigError("--video: a still picture makes no film: leave --video out")
    spec = _window_spec(options, wanted)
    say(f"model: {page.describe(model)}")
    for change in model.changes:
        say(f"warning: {change}")
    answers = Answers.of(model, division)
    flags = page.flag_lines(answers.flags)
    say_boxed("\n".join([page.RESEARCH, *flags, page.honest_score(model.about), page.CONSENT]))
    predictor = WindowPredictor(model, wanted, spec)
    request = PredictionRequest(
        answers=answers, video=options.video, every_s=options.every, faces=options.faces,
        units=options.units,
    )  # fmt: skip
    if where is None or out is None:
        return _watch(options, predictor, request.answers)
    return _read(where, out, predictor, request)


def _check(options: argparse.Namespace) -> None:
    """Refuse what cannot go together, before anything is loaded.

    Raises:
        ConfigError: The text names the options.
    """
    if (options.film is None) == (options.camera is None):
        raise ConfigError("give either a film, a folder of films or a list of clips, or --camera N")
    for name in ("fps", "window", "hop", "seconds", "every"):
        value = getattr(options, name)
        if value is not None and not math.isfinite(value):
            raise ConfigError(f"--{name} {value:g}: expected a finite number")
    _check_camera(options)
    _check_snapshots(options)
    if options.camera is None and importlib.util.find_spec("matplotlib") is None:
        raise ConfigError(missing_extra("the timeline", "matplotlib", "figures"))


def _check_camera(options: argparse.Namespace) -> None:
    if options.camera is None:
        if options.seconds is not None:
            raise ConfigError("--seconds is for --camera; of a film, a list of clips says which part is read")
        return
    if options.out or options.video:
        raise ConfigError("--camera writes nothing: leave --out and --video out")
    if options.every is not None or options.units is not None:
        raise ConfigError("--every and --units are for films: leave them out with --camera")
    if not 0 <= options.camera < 100:
        raise ConfigError(f"--camera {options.camera}: expected a number from 0 to 99")
    if options.seconds is not None and not options.seconds > 0:
        raise ConfigError(f"--seconds {options.seconds:g}: expected more than 0")


def _check_snapshots(options: argparse.Namespace) -> None:
    if options.every is None:
        if options.faces:
            raise ConfigError("--faces needs --every: it shows faces on the contact sheet of the snapshots")
        return
    if options.video or options.estimate_apex:
        raise ConfigError("--every reads still pictures: leave --video and --estimate-apex out")
    if not 0.05 <= options.every <= 3600:
        raise ConfigError(f"--every {options.every:g}: expected seconds from 0.05 to 3600")
    if options.fps is not None or options.hop is not None or options.window != _WINDOW_S:
        raise ConfigError("--every says which frames are read: leave --fps, --window and --hop out")


def _window_spec(options: argparse.Namespace, wanted: inputs.Wanted) -> WindowSpec:
    if options.every is not None:
        return WindowSpec(fps=1 / options.every, length_s=options.every, hop_s=options.every, reach_back=False)
    by_frame = wanted.count is None
    if by_frame and options.hop not in (None, options.window):
        raise ConfigError(
            f"--hop {options.hop:g}: to this model each frame is a sample, which is predicted once: leave --hop out"
        )
    hop = options.hop if options.hop is not None else options.window if by_frame else options.window / 2
    return WindowSpec(fps=options.fps, length_s=options.window, hop_s=hop, reach_back=not by_frame)


def _read(where: films.PredictionTarget, out: Path, predictor: WindowPredictor, request: PredictionRequest) -> int:
    names = [clip.clip_id for clip in where.clips]
    if where.skipped:
        say(
            f"{len(where.skipped)} not read, since they are neither films nor pictures by name: {listed(where.skipped)}"
        )
    if where.not_for_model:
        others = listed(where.not_for_model)
        say(f"{len(where.not_for_model)} not read, since this model cannot be asked about them: {others}")
    with progress("films", len(names)) as tick:
        summaries, unreadable = films.predict(
            where, predictor, out, request,
            progress=lambda clip, time_s: tick(names.index(clip.clip_id), f"{clip.clip_id}, {time_s:.0f} s"),
        )  # fmt: skip
    for summary in summaries:
        print(page.statement(summary))
        for line in page.details(summary):
            print(f"  {line}")
    print(f"\n{page.latency(predictor, *films.total(summaries))}\n\nwritten: {out}")
    for text in unreadable.values():
        say(f"error: could not be read: {text}")
    return cli.FAILED if unreadable else cli.OK


def _watch(options: argparse.Namespace, predictor: WindowPredictor, answers: Answers) -> int:
    frames, length = 0, 0.0
    say("watching; Ctrl-C stops")
    try:
        for seen, frames, elapsed in camera.predict_live(options.camera, predictor, seconds=options.seconds):
            length, rate = seen.window.end_s, frames / elapsed
            answer = seen.reason if seen.scores is None else answers.short(seen.scores)
            if cluster := answers.cluster(seen.scores, None):
                answer += f" ({cluster})"
            print(f"{seen.window.end_s:8.1f} s  {answer}  ({rate:.1f} frames a second)", flush=True)
            if getattr(sys.stdout, "reader_gone", False):  # what is printed is all that there is
                break
    except KeyboardInterrupt:
        say("stopped")
    print(f"\n{page.latency(predictor, frames, length)}")
    return cli.OK
