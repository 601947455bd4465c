"""The learned generator: a low-rank basis of real motion, and a small network that draws its coefficients by class."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mexbench.errors import ConfigError, DataError, unknown
from mexbench_plugins.synth.motion.fields import SIDE, Fields, normalised

#: Components of the basis: with 24 of them three quarters of the energy of both packs are kept.
COMPONENTS = 24
#: Steps of training: some seconds on a processor.
STEPS = 1_500
#: Only the layout below is read.
FORMAT = "mexbench-learned-motion-1"
_LARGEST = 16 * 2**20  # bytes of a file of weights; ours has half a MiB
_WEIGHTS = ("decoder1.kernel", "decoder1.bias", "decoder2.kernel", "decoder2.bias")
_LENGTH = 2 * SIDE * SIDE


@dataclass(frozen=True, eq=False)
class TrainingMotion:
    """Real fields to learn from.

    Args:
        rise: From onset to apex (n, 2, SIDE, SIDE).
        fade: From apex to offset, reversed, so that it looks like the rise; None where a pack has none.
        labels: Class of each (n,).
        packs: Where they come from: name or checksum -> clips.
        subjects: Number of people.
    """

    rise: Fields
    fade: Fields | None
    labels: NDArray[np.str_]
    packs: Mapping[str, int] = field(default_factory=dict)
    subjects: int = 0


@dataclass(frozen=True, eq=False)
class LearnedMotion:
    """A trained generator; it draws with numpy alone.

    Args:
        classes: What it can show.
        basis: Orthonormal rows (components, 2 * SIDE * SIDE).
        centre: Mean of the coefficients, rise and fade (2 * components,).
        scale: Their standard deviations.
        weights: The decoder's.
        provenance: What it was learned from and how.
    """

    classes: tuple[str, ...]
    basis: NDArray[np.float32]
    centre: NDArray[np.float32]
    scale: NDArray[np.float32]
    weights: Mapping[str, NDArray[np.float32]]
    provenance: Mapping[str, Any]

    def sample(self, label: str, count: int, rng: np.random.Generator) -> tuple[Fields, Fields]:
        """Draw ``count`` clips of a class: fields from onset to apex, and those that the face fades by.

        Raises:
            ConfigError: The class is unknown.
        """
        if label not in self.classes:
            raise ConfigError(unknown("class of the learned generator", label, self.classes))
        one_of_n = np.zeros((count, len(self.classes)), np.float32)
        one_of_n[:, self.classes.index(label)] = 1
        latent_size = len(self.weights["decoder1.kernel"]) - len(self.classes)
        latent = rng.standard_normal((count, latent_size)).astype(np.float32)
        hidden = np.concatenate([latent, one_of_n], axis=1) @ self.weights["decoder1.kernel"]
        hidden = np.tanh(hidden + self.weights["decoder1.bias"])
        centre, log_std = np.split(hidden @ self.weights["decoder2.kernel"] + self.weights["decoder2.bias"], 2, axis=1)
        noise = rng.standard_normal(centre.shape)
        drawn = centre + np.exp(np.clip(log_std, _least_log_std(), 1.5)) * noise
        rise, fade = np.split(drawn * self.scale + self.centre, 2, axis=1)
        as_fields = [(part @ self.basis).reshape(count, 2, SIDE, SIDE) for part in (rise, fade)]
        rises, fades = (normalised(part) for part in as_fields)
        return rises, fades if self.provenance["fades"] else rises


def _least_log_std() -> float:
    return -1.2  # network.LEAST_LOG_STD, without importing JAX; a test compares the two


def learn(
    motion: TrainingMotion, classes: Sequence[str], *, seed: int = 0, steps: int = STEPS, components: int = COMPONENTS
) -> LearnedMotion:
    """Learn the basis by principal components, without a mean, and train the network on the coefficients.

    Nothing else than ``motion`` is looked at. The same arguments give the same generator on the same machine.

    Args:
        motion: Real fields.
        classes: What it is to show; one without a field can be asked for, and then shows what all classes share.
        seed: Of the training.
        steps: Steps of training.
        components: Rows of the basis, fewer where there are fewer fields.
    """
    from mexbench_plugins.synth.motion import network

    rise = motion.rise.reshape(-1, _LENGTH)
    fade = None if motion.fade is None else motion.fade.reshape(-1, _LENGTH)
    fade_known = np.zeros(len(rise), bool) if fade is None else np.abs(fade).sum(axis=1) > 0
    stacked = rise if fade is None else np.concatenate([rise, fade[fade_known]])
    if not np.abs(stacked).sum():
        raise DataError("no motion to learn from: every field is zero")
    basis = principal(stacked, components)
    coefficients = np.concatenate([rise @ basis.T, (rise if fade is None else fade) @ basis.T], axis=1)
    known = np.ones_like(coefficients)
    known[~fade_known, components:] = 0
    weight = np.maximum(known.sum(axis=0), 1)
    centre = (coefficients * known).sum(axis=0) / weight
    scale = np.sqrt((((coefficients - centre) * known) ** 2).sum(axis=0) / weight)
    scale = np.maximum(scale, 1e-6)
    one_of_n = (motion.labels[:, None] == np.array(classes)[None, :]).astype(np.float32)
    weights = network.train(
        ((coefficients - centre) / scale).astype(np.float32), one_of_n, known.astype(np.float32),
        steps=steps, seed=seed,
    )  # fmt: skip
    energy = float((coefficients[:, :components] ** 2).sum() / max((rise**2).sum(), 1e-9))
    provenance = {
        "format": FORMAT,
        "packs": dict(motion.packs),
        "subjects": motion.subjects,
        "clips": {name: int((motion.labels == name).sum()) for name in classes},
        "fades": bool(fade_known.any()),
        "components": components,
        "kept_energy": round(energy, 4),
        "seed": seed,
        "steps": steps,
    }
    return LearnedMotion(
        tuple(classes), basis, centre.astype(np.float32), scale.astype(np.float32), weights, provenance
    )  # fmt: skip


def principal(rows: NDArray[np.float32], components: int) -> NDArray[np.float32]:
    """Return the first right singular vectors (components, length), zero rows where there are fewer.

    Subspace iteration: a tenth of a second, where a whole decomposition of 1,326 fields takes six. Signs are fixed, so
    that the same fields give the same basis.
    """
    rng = np.random.default_rng(0xBA5E)
    wide = np.asarray(rows, np.float64)
    width = min(components + 12, *wide.shape)
    space = np.linalg.qr(wide.T @ rng.standard_normal((len(wide), width)))[0]
    for _ in range(8):
        space = np.linalg.qr(wide.T @ (wide @ space))[0]
    _, _, turn = np.linalg.svd(wide @ space, full_matrices=False)
    vectors = (space @ turn.T).T[:components]
    greatest = np.abs(vectors).argmax(axis=1)
    vectors *= np.sign(vectors[np.arange(len(vectors)), greatest])[:, None]
    basis = np.zeros((components, rows.shape[1]), np.float32)
    basis[: len(vectors)] = vectors
    return basis


def save(learned: LearnedMotion, path: Path) -> None:
    """Write the generator as one safetensors file, with what it was learned from in its header.

    Raises:
        ValueError: A number is not finite.
    """
    from safetensors.numpy import save as encode

    from mexbench.files import replacing

    arrays = {"basis": learned.basis, "centre": learned.centre, "scale": learned.scale, **learned.weights}
    if not all(np.isfinite(array).all() for array in arrays.values()):
        raise ValueError("the training diverged: a weight is not finite")
    header = {"provenance": json.dumps(learned.provenance), "classes": json.dumps(learned.classes)}
    content = encode({name: np.ascontiguousarray(array) for name, array in arrays.items()}, metadata=header)
    with replacing(path) as stream:
        stream.write(content)


def load(path: Path) -> LearnedMotion:
    """Read what ``save`` wrote; reading it runs no code.

    Raises:
        DataError: It cannot be read, or holds something else.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load as decode

    from mexbench.files import read_plain

    try:
        content = read_plain(path, most=_LARGEST)
        arrays = decode(content)
        header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")]).get("__metadata__", {})
        provenance, classes = json.loads(header["provenance"]), json.loads(header["classes"])
        _check(arrays, provenance, classes)
    except OSError as error:
        what = "is a folder; give the file of weights in it" if path.is_dir() else f"cannot be read ({error.strerror})"
        raise DataError(f"{path}: {what}; bench synth --train-from ROOT --weights FILE writes one") from None
    except (SafetensorError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise DataError(
            f"{path}: does not hold a learned generator ({error}); bench synth --train-from ROOT --weights FILE writes "
            "one"
        ) from None
    weights = {name: arrays[name] for name in _WEIGHTS}
    return LearnedMotion(tuple(classes), arrays["basis"], arrays["centre"], arrays["scale"], weights, provenance)


def _check(arrays: Mapping[str, NDArray[Any]], provenance: Any, classes: Any) -> None:  # noqa: ANN401 - any JSON
    """Refuse arrays that do not fit together.

    Raises:
        ValueError: With the reason.
    """
    about = provenance if isinstance(provenance, dict) else {}
    if about.get("format") != FORMAT or about.get("fades") not in (True, False):
        raise ValueError(f"its format is not {FORMAT}")
    if not isinstance(classes, list) or not classes or not all(isinstance(name, str) for name in classes):
        raise ValueError("it has no list of classes")
    if set(arrays) != {"basis", "centre", "scale", *_WEIGHTS}:
        raise ValueError(f"its arrays are {', '.join(sorted(arrays))}")
    components = len(arrays["basis"])
    latent = len(arrays["decoder1.kernel"]) - len(classes)
    hidden = len(arrays["decoder1.bias"])
    shapes = {
        "basis": (components, _LENGTH), "centre": (2 * components,), "scale": (2 * components,),
        "decoder1.kernel": (latent + len(classes), hidden), "decoder1.bias": (hidden,),
        "decoder2.kernel": (hidden, 4 * components), "decoder2.bias": (4 * components,),
    }  # fmt: skip
    for name, shape in shapes.items():
        array = arrays[name]
        if array.shape != shape or array.dtype != np.float32:
            raise ValueError(f"array {name!r} is {array.dtype} {array.shape}, expected float32 {shape}")
        if not np.isfinite(array).all():
            raise ValueError(f"array {name!r} holds numbers that are not finite")
    if latent < 1 or components < 1:
        raise ValueError("it has no latent vector or no basis")
