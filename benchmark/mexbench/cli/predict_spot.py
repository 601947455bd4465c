"""``bench predict FILM --spot MODEL``: where in a film expressions are, and what a recogniser says about each."""

from __future__ import annotations

import argparse
import importlib.util
import math
from pathlib import Path

from mexbench import cli
from mexbench.cli.output import open_catalogue, progress, say, say_boxed
from mexbench.errors import ConfigError, listed, missing_extra
from mexbench.registry.catalogue import Catalogue
from mexbench.runs import saved_model as saved
from mexbench.studies.au_clusters import stored
from mexbench.studies.inference import input_spec, page, spot_page, spot_truth, spotting
from mexbench.studies.inference import videos as films
from mexbench.studies.inference.answers import Answers
from mexbench.studies.inference.window_predictor import WindowPredictor
from mexbench.studies.inference.windows import WindowSpec

#: Options of ``bench predict`` that say how a film is cut into windows, with what they are where nobody gives them.
_OF_WINDOWS = {
    "window": 1.0, "hop": None, "config": None, "video": False, "camera": None, "seconds": None, "every": None,
    "faces": False, "units": None, "estimate-apex": False,
}  # fmt: skip


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of spotting."""
    parser.add_argument(
        "--spot", type=Path, metavar="DIR",
        help="a saved spotter (of a run with 'target: spotting'): say where expressions are; --model, if given, is "
        "asked about each of them",
    )  # fmt: skip
    parser.add_argument(
        "--truth", type=Path, metavar="CSV",
        help="with --spot: what is known to be there (columns type, onset_s, offset_s; film where there are several): "
        "recall and false alarms are printed",
    )  # fmt: skip


def check_unused(options: argparse.Namespace) -> None:
    """Check the options of a call without ``--spot``.

    Raises:
        ConfigError: The text names the option.
    """
    if options.model is None:
        raise ConfigError("give --model DIR, a saved model, or --spot DIR, a saved spotter, or both")
    if options.truth is not None:
        raise ConfigError("--truth needs --spot: what a spotter claims is compared with it")


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    _check(options)
    catalogue = open_catalogue()
    where = films.target(options.film, say)
    out = options.out or films.default_out(options.film)
    films.check_unused(out)
    truth = spot_truth.read_truth(options.truth, [clip.clip_id for clip in where.clips]) if options.truth else None
    spotter = saved.load(options.spot, catalogue, target="spotting")
    recogniser = None if options.model is None else _recogniser(options.model, catalogue)
    answers = None
    if recogniser is not None:
        answers = Answers.of(recogniser.model, division_of(options, recogniser.model))
    say(f"spotter: {spot_page.describe(spotter)}")
    texts = [page.RESEARCH, spot_page.honest_score(spotter.about)]
    if recogniser is not None:
        say(f"recogniser: {page.describe(recogniser.model)}")
        texts = [page.RESEARCH, f"Spotter: {spot_page.honest_score(spotter.about)}"]
        texts.append(f"Recogniser: {page.honest_score(recogniser.model.about)}")
    for model in (spotter, *((recogniser.model,) if recogniser else ())):
        for change in model.changes:
            say(f"warning: {change}")
    film_spotter = spotting.FilmSpotter(
        spotter, input_spec.spotter_steps(spotter, catalogue), recogniser, options.fps or spotting.MOST_FPS, answers
    )
    say_boxed("\n".join([texts[0], *page.flag_lines(film_spotter.flags), *texts[1:], page.CONSENT]))
    if where.skipped:
        say(f"{len(where.skipped)} not read, since they are not films by name: {listed(where.skipped)}")
    with progress("films", len(where.clips)) as tick:
        results, unreadable = spotting.spot_films(
            where, film_spotter, out, truth, lambda index, clip: tick(index, clip.clip_id)
        )
    for result in results:
        print("\n".join(spot_page.statement(result, truth)))
    print(f"\nwritten: {out}")
    for text in unreadable.values():
        say(f"error: could not be read: {text}")
    return cli.FAILED if unreadable else cli.OK


def division_of(options: argparse.Namespace, model: saved.SavedModel) -> stored.StoredSubdivision | None:
    """Return the sub-division that ``--clusters`` and ``--units-of`` ask for.

    Raises:
        ConfigError: The emotion is unknown, or nothing says which units show.
        DataError: The sub-division cannot be read.
    """
    if options.clusters is None and options.units_of is None:
        return None
    if model.target != "action_units" and options.units is None:
        raise ConfigError(
            "--clusters and --units-of need the action units of each window: give a model of action units (of a run "
            "with 'target: action_units'), or OpenFace's file by --units"
        )
    division = stored.published() if options.clusters is None else stored.read(options.clusters)
    return division.restricted(options.units_of)


def _check(options: argparse.Namespace) -> None:
    """Refuse what cannot go together, before anything is loaded.

    Raises:
        ConfigError: The text names the options.
    """
    if options.film is None:
        raise ConfigError("--spot needs a film, a folder of films or a list of clips (.csv)")
    of_model = {name: None for name in ("clusters", "units-of") if options.model is None}
    given = [
        f"--{name}"
        for name, default in {**_OF_WINDOWS, **of_model}.items()
        if getattr(options, name.replace("-", "_")) != default
    ]
    if given:
        raise ConfigError(f"{listed(given)} cannot be given with --spot, which reads whole films: leave it out")
    if options.fps is not None and not (math.isfinite(options.fps) and 0 < options.fps <= spotting.MOST_FPS):
        raise ConfigError(f"--fps {options.fps:g}: expected more than 0 and at most {spotting.MOST_FPS:g}")
    if importlib.util.find_spec("matplotlib") is None:
        raise ConfigError(missing_extra("the timeline", "matplotlib", "figures"))


def _recogniser(folder: Path, catalogue: Catalogue) -> WindowPredictor:
    """Load the recogniser; windows are the spotted intervals, so that rate and hop are not used."""
    model = saved.load(folder, catalogue, target=("emotion", "action_units"))
    spec = WindowSpec(fps=spotting.MOST_FPS, length_s=1.0, hop_s=1.0, reach_back=False)
    # The moments of an interval are known: its ends, and the spotter's apex.
    wanted = input_spec.wanted(model, catalogue, estimate=True)
    wanted.check_films()
    return WindowPredictor(model, wanted, spec)
