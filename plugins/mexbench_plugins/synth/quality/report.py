"""All measures of one clip, and the page that shows them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mexbench_plugins.synth.quality import identity, motion
from mexbench_plugins.synth.quality.realism import realism
from mexbench_plugins.synth.quality.recording import Measured, Recording
from mexbench_plugins.synth.quality.tracking import Tracking

_NO_PACK = Measured(
    name="realism", value=None, limit=0.01, at_least=True,
    definition="share of real fields that are at least as extreme as the clip's",
    note="needs a pack of real flow: give --flow-root",
)  # fmt: skip
_TOO_SMALL = "the announced motion is too small for optical flow to see: give a larger picture or --intensity"


def measure(
    recording: Recording, *, seed: int | None, embedding: Path | None = None, flow_root: Path | None = None
) -> list[Measured]:
    """Measure a recording.

    Args:
        recording: The clip.
        seed: Of its procedural face; None for a photo.
        embedding: An ONNX face recogniser, where the user has one.
        flow_root: Folder of a pack of real flow, where the user has one.

    Raises:
        DataError: One of the two files cannot be used.
    """
    who = identity.resemblance(recording, seed) if embedding is None else identity.embedded(recording, embedding)
    tracking = Tracking(recording)
    if not motion.can_be_tracked(tracking):
        seen = [motion.warp_error(tracking)]
        rest = [
            Measured(name=name, value=None, limit=0.0, at_least=False, definition="not measured", note=_TOO_SMALL)
            for name in ("smoothness: jerk", "locality", "direction", "course", "realism")
        ]
        return [who, *seen, *rest]
    real = _NO_PACK if flow_root is None else realism(tracking, flow_root)
    return [
        who, motion.jerk(tracking), motion.warp_error(tracking), motion.locality(tracking), motion.direction(tracking),
        motion.course(tracking), real,
    ]  # fmt: skip


def table(measures: Sequence[Measured]) -> str:
    """Write one line per measure."""
    rows = [(one.name, _value(one), _bound(one), verdict(one), one.note) for one in measures]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    return "\n".join(
        "  ".join([*(text.ljust(width) for text, width in zip(row, widths, strict=False)), row[4]]).rstrip()
        for row in rows
    )  # fmt: skip


def page(title: str, measures: Sequence[Measured], warnings: Sequence[str], spoiled: str | None) -> str:
    """Write the page: values, bounds, and what each measure is."""
    lines = [f"# {_escape(title)}", ""]
    if spoiled is not None:
        lines += [f"> This clip was spoiled on purpose: **{spoiled}**.", ""]
    lines += [f"> {_escape(text)}\n" for text in warnings]
    lines += ["| measure | value | bound | result | seen |", "| --- | --- | --- | --- | --- |"]
    lines += [
        f"| {one.name} | {_value(one)} | {_bound(one)} | {verdict(one)} | {_escape(one.note)} |" for one in measures
    ]  # fmt: skip
    lines += ["", "## What was measured", ""]
    lines += [f"- **{one.name}**: {_escape(one.definition)}." for one in measures]
    lines += [
        "",
        "All but the announced motion and times is measured in the recorded frames, by optical flow that knows nothing "
        "of how they were made. The bounds are this program's own, but for that of a face embedding; a clip within "
        "them is not thereby real.",
    ]
    return "\n".join(lines) + "\n"


def verdict(one: Measured) -> str:
    """Return pass, FAIL or not measured."""
    return {True: "pass", False: "FAIL", None: "not measured"}[one.passes]


def _value(one: Measured) -> str:
    return "-" if one.value is None else f"{one.value:.3f}"


def _bound(one: Measured) -> str:
    return "-" if one.value is None else f"{'at least' if one.at_least else 'at most'} {one.limit:.3g}"


def _escape(text: str) -> str:
    plain = "".join(letter if letter.isprintable() else "?" for letter in text)
    return plain.replace("|", "\\|").replace("<", "&lt;")
