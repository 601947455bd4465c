"""``bench analyse``: action units by emotion, case studies, the agreement of two models or of optical flow."""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from mexbench import cli
from mexbench.cli.output import open_catalogue, positive, say, say_boxed
from mexbench.errors import ConfigError, DataError, RunFolderError, listed
from mexbench.files import expand_home, write_text
from mexbench.interfaces import Dataset
from mexbench.tables import escape

if TYPE_CHECKING:
    from mexbench.studies.case_study.predicted_clips import ClipPredictions

_FIGURE = "silhouette.png"
#: Pairs of rows whose agreement a case study draws.
_MOST_PAIRS = 6
_HONEST: dict[str, Any] = {"nargs": 2, "metavar": ("RUN", "ROW")}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    from mexbench.studies.au_clusters.analysis import LEVELS
    from mexbench.studies.au_clusters.clustering import CAP, SEEDS

    actions = parser.add_subparsers(dest="action", metavar="ANALYSIS", required=True)
    units = actions.add_parser(
        "au-subdivision", help="cluster the action units of each emotion, and compare with a published table"
    )
    units.add_argument("--dataset", required=True, metavar="NAME", help="plugin of the data set, such as casme2")
    units.add_argument("--root", metavar="DIR", help="its 'root': a folder that holds the annotation will do")
    units.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", dest="overrides",
        help="a parameter of the data set, such as classes=7",
    )  # fmt: skip
    units.add_argument("--cap", type=positive, default=CAP, metavar="K", help=f"largest K to try (default: {CAP})")
    units.add_argument(
        "--seeds",
        type=positive,
        default=len(SEEDS),
        metavar="N",
        help=f"seeds to start from (default: {len(SEEDS)})",
    )
    units.add_argument(
        "--assign", type=Path, metavar="CSV",
        help="assign new vectors: columns clip_id, emotion and one per unit (AU4, AUL12, AU04_c) with 0 or 1",
    )  # fmt: skip
    units.add_argument(
        "--level",
        choices=tuple(LEVELS),
        default="numbers",
        help="whose clusters are stored, and taken by --assign (default: numbers)",
    )
    units.add_argument("--no-figure", action="store_true", help="draw no silhouette figure, which needs matplotlib")
    units.add_argument(
        "--out", type=Path, metavar="DIR", help="where page, figure and CSV go (default: analysis/au-subdivision_NAME)"
    )
    study = actions.add_parser("case-study", help="describe what a model says about clips, by condition and subject")
    study.add_argument("clips", type=Path, metavar="CLIPS", help="run folder of a case study, or a clips.csv")
    study.add_argument(
        "--figures", action="store_true",
        help="also draw shares by condition, units, a map of clips by combination, and the agreement of a run's rows; "
        "they go beside --out (default: analysis/case-study_NAME/case_study.md)",
    )  # fmt: skip
    study.add_argument("--honest", **_HONEST, help="the model's honest score: a row of a finished run")
    agreement = actions.add_parser("agreement", help="how far two models agree about the same clips, and by chance")
    agreement.add_argument("first", type=Path, metavar="A", help="run folder of a case study, or a clips.csv")
    agreement.add_argument("second", type=Path, metavar="B", help="the same of the other model")
    for which in "ab":
        agreement.add_argument(
            f"--row-{which}", metavar="ROW", help=f"which row of {which.upper()}, where it is a run with several"
        )
    agreement.add_argument(
        "--figures", action="store_true", help="also draw which answers go together, beside --out, which it needs"
    )
    for which in "ab":
        agreement.add_argument(f"--honest-{which}", **_HONEST, help=f"the honest score of {which.upper()}")
    flow = actions.add_parser("flow-agreement", help="how far computations of the same optical flow lie apart")
    flow.add_argument(
        "configs", type=Path, nargs="+", metavar="CONFIG",
        help="configs whose samples are flow fields; every two recipes, of one config or of several, are compared",
    )  # fmt: skip
    flow.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", dest="overrides",
        help="change a value of every config, such as profile=full",
    )  # fmt: skip
    for action in (study, agreement, flow):
        action.add_argument("--out", type=Path, metavar="FILE", help="write the page there instead of printing it")


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    actions = {"au-subdivision": _subdivide, "case-study": _study, "agreement": _agreement, "flow-agreement": _flow}
    return actions[options.action](options)


def _subdivide(options: argparse.Namespace) -> int:
    from mexbench.files import write_json
    from mexbench.reports.plots import check_matplotlib
    from mexbench.studies.au_clusters import page as coded_page
    from mexbench.studies.au_clusters import plot as silhouette
    from mexbench.studies.au_clusters import stored
    from mexbench.studies.au_clusters.analysis import analyse

    if not options.no_figure:
        check_matplotlib("the silhouette figure (--no-figure leaves it out)")
    dataset = build_dataset(options.dataset, options.root, options.overrides)
    annotations = dataset.coded_action_units()
    if not annotations:
        raise DataError(f"data set {options.dataset!r} has no coded action units to sub-divide")
    if notice := dataset.notice():
        say_boxed(notice)
    analysis = analyse(
        dataset.display_name() or options.dataset, annotations, list(dataset.label_map()),
        cap=options.cap, seeds=range(options.seeds), flags=dataset.flags(),
    )  # fmt: skip
    level = next(level for level in analysis.levels if level.name == options.level)
    written = (
        {} if options.assign is None else {"assigned.csv": coded_page.assigned(options.assign, level, analysis.flags)}
    )
    folder = options.out or Path("analysis") / f"au-subdivision_{options.dataset}"
    drawn = not options.no_figure and silhouette.draw(analysis, folder / _FIGURE)
    if not drawn and not options.no_figure:
        say("no silhouette figure: no emotion has different clips enough for two clusters")
    page = coded_page.markdown(analysis, figure=_FIGURE if drawn else None)
    print(page, end="")
    for name, text in {"subdivision.md": page, **written}.items():
        write_text(folder / name, text)
    write_json(folder / stored.FILE, stored.as_json(analysis.dataset, level, analysis.flags))
    names = ["subdivision.md", stored.FILE, *([_FIGURE] if drawn else []), *written]
    say(f"written to {folder}: {', '.join(names)}")
    return cli.OK


def build_dataset(name: str, root: str | None, overrides: Sequence[str]) -> Dataset:
    """Build a data set from its plugin's name, its ``root`` and further parameters as ``KEY=VALUE``.

    Raises:
        ConfigError: A parameter is missing, unknown or of another type.
        PluginError: The data set is unknown.
    """
    from mexbench.config import document
    from mexbench.registry.parameters import build

    cls = open_catalogue().get("dataset", name).load()
    given = document.Document({} if root is None else {"root": root}, f"--dataset {name}")
    for assignment in overrides:
        given = document.override(given, assignment)
    instance, errors = build(cls, given.data)
    if errors:
        messages = [f"{'.'.join(key) + ': ' if key else ''}{text}" for key, text in errors]
        raise ConfigError("\n".join(f"data set {name!r}: {text}" for text in messages) + "\n  --root or --set gives it")
    return cast("Dataset", instance)


def _study(options: argparse.Namespace) -> int:
    from mexbench.reports.plots import check_matplotlib
    from mexbench.studies.case_study import page as study_page
    from mexbench.studies.case_study import predicted_clips as clips
    from mexbench.studies.case_study.summary import study

    if options.clips.is_dir():
        if options.honest:
            raise ConfigError("--honest: a run folder quotes its own, from 'reference_run' of its protocol")
        studies = clips.read_studies(options.clips)
    else:
        predictions = _with_honest(clips.read(options.clips), options.honest)
        studies = {predictions.name: study(predictions)}
    if not options.figures:
        with _damage_named(options.clips):
            page = study_page.markdown(studies)
        return _out(page, options.out)
    check_matplotlib("--figures")
    out = options.out or Path("analysis") / f"case-study_{_stem(options.clips)}" / "case_study.md"
    with _damage_named(options.clips):
        page = study_page.markdown(studies, _study_figures(studies, options.clips, out))
    if options.out is None:
        print(page, end="")
    return _out(page, out)


def _stem(path: Path) -> str:
    """Return a name for what is derived from a run folder or a file: its own, or of a clips.csv its folder's."""
    path = path.resolve()
    return path.name if path.is_dir() else path.parent.name if path.name == "clips.csv" else path.stem


def _study_figures(studies: Mapping[str, Any], clips: Path, out: Path) -> list[tuple[str, str]]:
    """Draw the figures of every row, and the agreement of every two; return their names and captions."""
    from itertools import combinations

    from mexbench.runs.run_folder import folder_name
    from mexbench.studies.agreement import figure as agreement_figure
    from mexbench.studies.agreement.agreement import agree
    from mexbench.studies.case_study import figures
    from mexbench.studies.case_study.predicted_clips import of_study

    drawn: list[tuple[str, str]] = []
    for name, study in studies.items():
        stem = out.stem if len(studies) == 1 else f"{out.stem}_{folder_name(name)}"
        drawn += figures.draw(study, out.parent, stem, _stem(clips) if len(studies) == 1 and clips.is_file() else name)
    pairs = list(combinations(studies, 2))
    if len(pairs) > _MOST_PAIRS:
        say(f"agreement: the first {_MOST_PAIRS} of {len(pairs)} pairs are drawn; 'bench analyse agreement' has any")
    for one, other in pairs[:_MOST_PAIRS]:
        try:
            agreement = agree(*(of_study(name, studies[name], clips) for name in (one, other)))
        except DataError as error:
            say(f"no agreement figure: {error}")
            continue
        path = out.parent / f"{out.stem}_agreement_{folder_name(one)}_{folder_name(other)}.png"
        drawn.append((path.name, agreement_figure.draw(agreement, path)))
    return drawn


def _agreement(options: argparse.Namespace) -> int:
    from mexbench.reports.plots import check_matplotlib
    from mexbench.studies.agreement.agreement import agree
    from mexbench.studies.agreement.figure import draw
    from mexbench.studies.agreement.page import markdown
    from mexbench.studies.case_study import predicted_clips as clips

    first = _with_honest(clips.read(options.first, options.row_a), options.honest_a)
    second = _with_honest(clips.read(options.second, options.row_b), options.honest_b)
    if options.figures and options.out is None:
        raise ConfigError("--figures needs --out FILE: the figure goes beside the page")
    agreement = agree(first, second)
    with _damage_named(options.first, options.second):
        page = markdown(agreement)
    if options.figures:
        check_matplotlib("--figures")
        name = f"{options.out.stem}_agreement.png"
        caption = draw(agreement, options.out.parent / name)
        page += f"\n![{escape(caption)}](<{name}>)\n"
    return _out(page, options.out)


def _flow(options: argparse.Namespace) -> int:
    from mexbench.config.loader import load
    from mexbench.studies.flow_agreement.agreement import compare_all
    from mexbench.studies.flow_agreement.from_configs import read_recipes
    from mexbench.studies.flow_agreement.page import markdown

    catalogue = open_catalogue()
    configs = [load(path, catalogue, options.overrides) for path in options.configs]
    notices = {notice for config in configs if (notice := config.dataset.instance.notice())}
    for notice in sorted(notices):
        say_boxed(notice)
    return _out(markdown(compare_all(read_recipes(configs))), options.out)


@contextmanager
def _damage_named(*paths: Path) -> Iterator[None]:
    """Turn what goes wrong while a page is made of stored figures into an error: somebody altered them."""
    try:
        yield
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise RunFolderError(f"{listed(map(str, paths))}: the case study in it is damaged: {error!r}") from None


def _with_honest(found: ClipPredictions, given: Sequence[str] | None) -> ClipPredictions:
    from mexbench.studies.case_study.caveats import honest_score

    if given is None:
        return found
    return dataclasses.replace(found, honest=honest_score(expand_home(Path(given[0])), given[1], found.classes))


def _out(page: str, path: Path | None) -> int:
    if path is None:
        print(page, end="")
    else:
        write_text(path, page)
        say(f"written to {path}")
    return cli.OK
