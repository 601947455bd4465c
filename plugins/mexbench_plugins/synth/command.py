"""``bench synth``: a micro-expression clip from one still face, or a whole stand-in of a data set."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mexbench.errors import ConfigError, counted
from mexbench_plugins.synth import learned_options, long_film
from mexbench_plugins.synth.options import default_text, resolve

if TYPE_CHECKING:
    from mexbench_plugins.synth.faces import SyntheticFace

_LONGEST = 100_000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    made_from = parser.add_mutually_exclusive_group()
    made_from.add_argument("--face", metavar="PHOTO|builtin:SEED", help="a photo with one face, or a procedural face")
    made_from.add_argument(
        "--dataset", metavar="NAME",
        help="write a whole stand-in in the layout of this data set into the new folder --out, such as casme3",
    )  # fmt: skip
    for name, text in (
        ("subjects", "number of people of a data set"),
        ("clips", "clips per person of a data set, on average"),
        ("frames", "frames per clip of a data set, on average"),
    ):
        parser.add_argument(f"--{name}", type=int, help=text)
    parser.add_argument(
        "--cast", choices=("random", "megc2019"),
        help="megc2019: the subjects, clips and classes of the challenge, for casme2, samm and smic (default: random)",
    )  # fmt: skip
    shown = parser.add_mutually_exclusive_group()
    shown.add_argument("--emotion", metavar="NAME", help="draw action units that this emotion shows itself by")
    shown.add_argument("--aus", metavar="AUS", help="action units to show, such as 6+12, L12 or 4+R10")
    parser.add_argument(
        "--out", type=Path, metavar="CLIP.mp4|FOLDER",
        help="film, or folder of frames img1.jpg, img2.jpg, ...; a JSON and a contact sheet are written beside it",
    )  # fmt: skip
    parser.add_argument("--force", action="store_true", default=None, help="replace what is there")
    parser.add_argument(
        "--fps", type=float, help="frames per second (default: 200, as CASME-II; with --seconds 30, as CAS(ME)2)"
    )
    parser.add_argument("--seed", type=int, default=0, help="another seed is another take (default: 0)")
    parser.add_argument(
        "--intensity", type=float,
        help="amplitude: 1 is a micro-expression, 3 an expression that anybody sees (default: 1; with --seconds 2)",
    )  # fmt: skip
    parser.add_argument(
        "--size", metavar="WxH", help="picture of a procedural face (default: 640x480, of a data set 320x240)"
    )
    long_film.add_arguments(parser)
    learned_options.add_arguments(parser)
    for name, text in (
        ("lead", f"neutral frames before the onset ({default_text('lead')})"),
        ("rise", "steps from the onset to the apex (default: 30; learned: drawn from those of CASME-II)"),
        ("fall", "steps from the apex to the offset (default: 40; learned: drawn from those of CASME-II)"),
        ("tail", f"neutral frames after the offset ({default_text('tail')})"),
    ):
        parser.add_argument(f"--{name}", type=int, help=text)
    for name, text in (
        ("noise", "sensor noise in grey levels"),
        ("drift", "slow head movement in pixels"),
        ("flicker", "change of the light of a clip, as a share"),
    ):
        parser.add_argument(f"--{name}", type=float, help=f"{text}; 0 switches it off ({default_text(name)})")


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    learned_options.check(options)
    if options.face is None and options.dataset is None:
        return _train(options)
    product = resolve(options)
    if product == "data set":
        return _write_data_set(options)
    if product == "film":
        long_film.check(options)
        return _write_long(options)
    if options.emotion is None and options.aus is None:
        raise ConfigError("one of --emotion and --aus is required with --face")
    return _write_clip(options)


def _write_data_set(options: argparse.Namespace) -> int:
    from mexbench_plugins.synth.standin import StandIn, write_stand_in

    _check_numbers(options)
    width, height = _size(options.size)
    chosen = {name: getattr(options, name) for name in ("subjects", "clips", "frames")}
    stand_in = StandIn(
        width=width, height=height, seed=options.seed, cast=options.cast,
        **{name: value for name, value in chosen.items() if value is not None},
    )  # fmt: skip
    folder = write_stand_in(options.dataset, stand_in, options.out)
    plugin = "casme3, part: C, classes: 4" if options.dataset == "casme3_c" else options.dataset
    print(f"data set       {folder}\nread it with   dataset: {{plugin: {plugin}, root: {folder}}}")
    return 0


def _train(options: argparse.Namespace) -> int:
    if options.seed < 0:
        raise ConfigError(f"--seed must not be negative: got {options.seed}")
    print(learned_options.describe(learned_options.generator(options), options.weights))
    return 0


def _write_clip(options: argparse.Namespace) -> int:
    import numpy as np

    from mexbench.cli.output import say
    from mexbench_plugins.synth import action_units, emotions, output
    from mexbench_plugins.synth.clips import Camera, Take
    from mexbench_plugins.synth.expression import express
    from mexbench_plugins.synth.quality import photo

    _check_numbers(options)
    emotion = options.emotion.lower() if options.emotion else None
    request = output.Request(
        out=options.out, emotion=emotion, fps=options.fps, force=options.force, report=options.report,
        embedding=options.embedding, flow_root=options.flow_root, spoil=options.spoil,
    )  # fmt: skip
    output.check(request)
    learned = None
    if options.model == "learned" and emotion is not None:
        from mexbench_plugins.synth.motion.on_face import class_of

        class_of(emotion)  # refuses it before anything is trained
        face = _face(options)
        learned = learned_options.generator(options)
        shown = learned_options.expression(learned, options, face, emotion)
    else:
        rng = np.random.default_rng([options.seed, 0xE])
        aus = action_units.parse(options.aus) if emotion is None else emotions.draw(emotion, rng)
        face = _face(options)
        height, width = face.image.shape[:2]
        shown = express(aus, face.geometry, width, height, intensity=options.intensity)
    warnings = photo.warnings(face) if face.seed is None else []
    for text in warnings:
        say(f"warning: {face.name}: {text}")
    camera = Camera(noise=options.noise, drift=options.drift, flicker=options.flicker)
    take = Take(face, shown, learned_options.timing(options), camera, options.seed)
    extra: dict[str, Any] = {"model": options.model, "photo_warnings": warnings}
    if learned is not None:
        extra["learned_from"] = dict(learned.provenance)
    record = output.write(take, request, extra)
    print(_report(record, request.targets))
    if learned is not None and options.train_from:
        print(learned_options.describe(learned, options.weights))
    return 0


def _write_long(options: argparse.Namespace) -> int:
    _check_numbers(options)
    request = long_film.request(options)
    print(long_film.write(_face(options), request, options))
    return 0


def _face(options: argparse.Namespace) -> SyntheticFace:
    from mexbench_plugins.synth import faces

    width, height = _size(options.size)
    face = faces.read(options.face, width=width, height=height)
    if options.sized and not faces.is_builtin(options.face):
        raise ConfigError(f"--size {options.size}: a photo keeps its own size; --size is for a procedural face")
    return face


def _report(record: dict[str, Any], targets: tuple[Path, ...]) -> str:
    identity, monotonicity = record["identity_preservation"], record["monotonicity"]
    clip, about, sheet = targets[:3]
    lines = (
        (
            "clip",
            f"{clip}: {counted(record['frames'], 'frame')}, {record['width']}x{record['height']}, {record['fps']:g} "
            "fps",
        ),
        ("about it", str(about)),
        ("contact sheet", str(sheet)),
        ("shown", f"{record['emotion'] or 'as asked'}, {record['shown']}"),
        ("frames", f"onset {record['onset']}, apex {record['apex']}, offset {record['offset']}, counted from 1"),
        ("greatest move", f"{record['peak_displacement_pixels']:.2f} pixels"),
        (
            "identity",
            f"SSIM {identity['ssim']:.3f} outside the action units; distance {identity['distance']:.3f} to the own "
            f"neutral face, {identity['nearest_other']:.3f} to the nearest other",
        ),
        (
            "monotonicity",
            f"{monotonicity['rising']:.0%} of the steps rise to the apex, {monotonicity['falling']:.0%} fall after it",
        ),
    )
    text = "\n".join(f"{name:<15}{text}" for name, text in lines)
    if "report" in record:
        text += f"\n{'report':<15}{targets[3]}\n\n{record['report']['table']}"
    return text


def _check_numbers(options: argparse.Namespace) -> None:
    """Refuse numbers that give no clip, before anything is rendered.

    Raises:
        ConfigError: One is out of bounds; the text names it.
    """
    bounds = {"fps": (1, 1000), "intensity": (0.1, 4), "noise": (0, 50), "drift": (0, 10), "flicker": (0, 0.5)}
    for name, (low, high) in bounds.items():
        value = getattr(options, name)
        if value is not None and not low <= value <= high:
            raise ConfigError(f"--{name} must lie between {low} and {high}: got {value:g}")
    if options.seed < 0:
        raise ConfigError(f"--seed must not be negative: got {options.seed}")
    for name, low in (("lead", 0), ("rise", 1), ("fall", 1), ("tail", 0)):
        value = getattr(options, name)
        if value is not None and not low <= value <= _LONGEST:
            raise ConfigError(f"--{name} must lie between {low} and {_LONGEST}: got {value}")


def _size(text: str) -> tuple[int, int]:
    """Read 640x480.

    Raises:
        ConfigError: It is not a size, or is one in which no face can be painted or filmed.
    """
    width, _, height = text.lower().partition("x")
    if not (width.isascii() and width.isdigit() and height.isascii() and height.isdigit()):
        raise ConfigError(f"--size must be written WIDTHxHEIGHT, such as 640x480: got {text!r}")
    size = int(width), int(height)
    if not (120 <= size[1] <= 1080 and 0.8 * size[1] <= size[0] <= 1920) or size[0] % 2 or size[1] % 2:
        raise ConfigError(
            f"--size {text}: both sides must be even, the height 120 to 1080, the width 0.8 of the height to 1920"
        )
    return size
