"""``bench synth --model learned``, ``--train-from`` and ``--report``: their arguments and what they do."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from mexbench.errors import ConfigError, counted, listed
from mexbench.files import expand_home
from mexbench_plugins.synth.options import DEFAULTS
from mexbench_plugins.synth.quality.kinds import NOTICED_BY

if TYPE_CHECKING:
    from mexbench_plugins.synth.clips import Timing
    from mexbench_plugins.synth.expression import Expression
    from mexbench_plugins.synth.faces import SyntheticFace
    from mexbench_plugins.synth.motion.learned import LearnedMotion

_RISE, _FALL = 30, 40  # steps of the hand-made warp


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    learned = parser.add_argument_group("learned motion", "motion that was learned from real flow, instead of the warp")
    learned.add_argument(
        "--model", choices=("warp", "learned"), default="warp",
        help="warp: hand-made motion of action units; learned: motion learned from real flow, by class (default: warp)",
    )  # fmt: skip
    learned.add_argument(
        "--train-from", action="append", type=Path, default=[], metavar="ROOT",
        help="train the learned generator on the flow pack in this folder (megc2019_flow or causalnet_maps; give it "
        "twice for both); takes seconds",
    )  # fmt: skip
    learned.add_argument(
        "--weights", type=Path, metavar="FILE",
        help="its weights, a safetensors file: written with --train-from, read without",
    )  # fmt: skip
    report = parser.add_argument_group("report", "measure the recorded frames, each measure with a bound")
    report.add_argument("--report", action="store_true", help="measure the clip and write a page beside it")
    report.add_argument(
        "--embedding", type=Path, metavar="ONNX",
        help="with --report: a face recogniser such as SFace of the OpenCV Zoo, which measures identity; without it a "
        "weaker measure on pixels does",
    )  # fmt: skip
    report.add_argument(
        "--flow-root", type=Path, metavar="ROOT",
        help="with --report: a pack of real flow (megc2019_flow or causalnet_maps) to compare the motion with",
    )  # fmt: skip
    report.add_argument(
        "--spoil", choices=tuple(NOTICED_BY),
        help="with --report: spoil the clip on purpose, to see which measure notices",
    )  # fmt: skip


def check(options: argparse.Namespace) -> None:
    """Check that the options go together.

    Raises:
        ConfigError: They do not; the text says which, and what to do.
    """
    if options.face is None and options.dataset is None and not options.train_from:
        raise ConfigError("one of --face, --dataset and --train-from is required")
    clip = options.face is not None and options.seconds is None
    _check_report(options, clip=clip)
    if options.model == "learned":
        _check_learned(options, clip=clip)
    elif (options.weights or options.train_from) and (clip or options.dataset is not None):
        raise ConfigError(
            "--weights and --train-from belong to the learned generator: add --model learned, with one --face"
        )
    if options.face is None and options.dataset is None:
        if options.weights is None:
            raise ConfigError("--train-from without --face writes the weights: give --weights FILE")
        given = [f"--{name}" for name in ("out", *DEFAULTS) if name != "force" and getattr(options, name) is not None]
        if given or options.seconds is not None:
            raise ConfigError(
                f"{listed(given or ['--seconds'])}: not for training alone, which writes --weights; add --face"
            )
    elif options.out is None:
        raise ConfigError("--out is required: where the clip or the data set goes")


def _check_report(options: argparse.Namespace, *, clip: bool) -> None:
    given = [name for name in ("embedding", "flow_root", "spoil") if getattr(options, name)]
    if given and not options.report:
        raise ConfigError(f"--{given[0].replace('_', '-')} is for a report: add --report")
    if options.report and not clip:
        raise ConfigError("--report is for one clip of a --face, not for a data set, a long film or training alone")


def _check_learned(options: argparse.Namespace, *, clip: bool) -> None:
    if not clip:
        raise ConfigError("--model learned is for one clip of a --face, not for a data set or a long film")
    if options.aus:
        raise ConfigError(
            "--aus is for --model warp: real packs are labelled by class, so the learned generator takes --emotion "
            "(negative, positive, surprise, or an emotion of those classes)"
        )
    if options.weights is None and not options.train_from:
        raise ConfigError(
            "--model learned needs weights, which are not shipped: give --train-from ROOT of a flow pack, or "
            "--weights FILE that --train-from wrote"
        )


def generator(options: argparse.Namespace) -> LearnedMotion:
    """Train the learned generator and write its weights where asked, or read them.

    Raises:
        ConfigError: The file is there already.
        DataError: Weights or pack cannot be used.
    """
    from mexbench_plugins.synth.motion import learned, packs

    weights = None if options.weights is None else expand_home(options.weights)
    if not options.train_from:
        assert weights is not None, "check() asks for one of the two"  # noqa: S101
        return learned.load(weights)
    if weights is not None:
        if weights.is_dir():
            raise ConfigError(f"--weights {weights}: is a folder; give the name of a file")
        if (weights.exists() or weights.is_symlink()) and not options.force:
            raise ConfigError(f"--weights {weights} exists: leave --train-from out to use it, or give --force")
    motion = packs.read([expand_home(root) for root in options.train_from])
    trained = learned.learn(motion, packs.CLASSES, seed=options.seed)
    if weights is not None:
        weights.absolute().parent.mkdir(parents=True, exist_ok=True)
        learned.save(trained, weights)
    return trained


def describe(trained: LearnedMotion, weights: Path | None) -> str:
    """Return lines about a trained generator."""
    about = trained.provenance
    lines = [
        ("learned from", "; ".join(about["packs"])),
        (
            "",
            f"{counted(about['subjects'], 'person', 'people')}; "
            f"{', '.join(f'{name} {count}' for name, count in about['clips'].items())}",
        ),
        (
            "basis",
            f"{counted(about['components'], 'component')}, {about['kept_energy']:.0%} of the energy from onset to apex",
        ),
        ("fades", "learned from apex to offset" if about["fades"] else "the way that it came: the pack has no fades"),
    ]
    if weights is not None:
        lines.append(("weights", str(weights)))
    return "\n".join(f"{name:<15}{text}" for name, text in lines)


def expression(learned: LearnedMotion, options: argparse.Namespace, face: SyntheticFace, emotion: str) -> Expression:
    """Draw the learned motion of an emotion on a face."""
    import numpy as np

    from mexbench_plugins.synth.motion.on_face import class_of, express_learned

    height, width = face.image.shape[:2]
    rng = np.random.default_rng([options.seed, 0x1E])
    return express_learned(
        learned, class_of(emotion), face.geometry, width, height, intensity=options.intensity, rng=rng
    )  # fmt: skip


def timing(options: argparse.Namespace) -> Timing:
    """Return when things happen: as asked, else the warp's usual steps, or lengths drawn from those of CASME-II."""
    import numpy as np

    from mexbench_plugins.synth.clips import Timing
    from mexbench_plugins.synth.motion.timing import draw

    rise, fall = _RISE, _FALL
    if options.model == "learned":
        rise, fall = draw(np.random.default_rng([options.seed, 0x71]), options.fps)
    return Timing(
        lead=options.lead, rise=rise if options.rise is None else options.rise,
        fall=fall if options.fall is None else options.fall, tail=options.tail,
    )  # fmt: skip
