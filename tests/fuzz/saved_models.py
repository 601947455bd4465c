"""Saved models of every family, with their files changed: by an accident, and by somebody who knows the checksums.

``python -m tests.fuzz.saved_models --cases 2000`` prints for each family how many cases were accepted and how many were
refused. An accident (a checksum that no longer fits) must be refused, unless nothing changed. What somebody changed who
rewrites the checksums must be refused with one error, or be a model that gives finite scores.
"""

from __future__ import annotations

import argparse
import io
import json
import re
import shutil
import sys
import tempfile
import traceback
import zipfile
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mexbench import devices

devices.use_one_thread()

from mexbench.errors import SavedModelError  # noqa: E402
from mexbench.fingerprint import digest_code  # noqa: E402
from mexbench.interfaces import ActionUnitModel, Model, SpottingModel  # noqa: E402
from mexbench.interfaces.spotting import VideoFrames  # noqa: E402
from mexbench.registry.catalogue import Catalogue, load_catalogue  # noqa: E402
from mexbench.registry.parameters import build, to_dict  # noqa: E402
from mexbench.runs import saved_model  # noqa: E402
from mexbench.runs.model_files import sha256  # noqa: E402
from mexbench.testing.models import ALL, N_CLASSES, examples  # noqa: E402
from mexbench.testing.spotters import example_videos  # noqa: E402
from tests.fuzz import mutation  # noqa: E402
from tests.fuzz.mutation import Random  # noqa: E402
from tests.fuzz.run import no_hang  # noqa: E402

#: Family -> the plugin, its parameters, and whether action units are the target. What is a spotter spots.
FAMILIES: Mapping[str, tuple[str, dict[str, Any], bool]] = {
    "majority": ("majority", {}, False),
    "svm": ("svm", {"kernel": "rbf"}, False),
    "decision_tree": ("decision_tree", {}, False),
    "generated_flow_svm": ("generated_flow_svm", {"steps": 1, "per_class": 3}, False),
    "facs_rules": ("facs_rules", {}, False),
    "ann": ("ann", {"hidden_layer_sizes": [5], "max_iter": 500, "tol": 0.01}, False),
    "units": ("decision_tree", {}, True),
    "always_present": ("always_present", {}, True),
    "logistic_regression": ("logistic_regression", {}, False),
    "knn": ("knn", {"n_neighbors": 2}, False),
    "lda": ("lda", {}, False),
    "gradient_boosting": ("gradient_boosting", {"max_iter": 3, "min_samples_leaf": 1}, False),
    "random_convolutions": ("random_convolutions", {"kernels": 5}, False),
    "ststnet": ("ststnet", {"epochs": 1}, False),
    "cnn": ("cnn", {"epochs": 1, "filters": [2], "hidden": 4, "early_stopping": None}, False),
    "cnn_lstm": ("cnn_lstm", {"epochs": 1, "early_stopping": None}, False),
    "off_apexnet": ("off_apexnet", {"epochs": 1}, False),
    "au_cnn": ("au_cnn", {"epochs": 1, "early_stopping": None}, False),
    "hybrid_micronet": ("hybrid_micronet", {"epochs": 1, "early_stopping": None}, False),
    "rcn_a": ("rcn_a", {"epochs": 1}, False),
    "off_tanet": ("off_tanet", {"epochs": 1}, False),
    "hybrid_micronet_au": ("hybrid_micronet_au", {"epochs": 1, "early_stopping": None}, False),
    "htnet": ("htnet", {"epochs": 1, "dim": 12, "heads": 1, "repeats": [1, 1, 1]}, False),
    "causalnet": ("causalnet", {"epochs": 1, "dim": 8, "heads": 1, "repeats": [1, 1, 1]}, False),
    "dual_inception": ("dual_inception", {"epochs": 1}, False),
    "macnn": ("macnn", {"epochs": 1, "filters": 1, "hidden": 2}, False),
    "micro_attention": ("micro_attention", {"epochs": 1, "filters": 1, "hidden": 2}, False),
    "mdmd": ("mdmd", {}, False),
    "lbp_chi2": ("lbp_chi2", {}, False),
    "frame_difference": ("frame_difference", {}, False),
    "softnet": ("softnet", {"epochs": 1}, False),
    "lstm_spotter": ("lstm_spotter", {"epochs": 1, "hidden": 2}, False),
    "every_k_frames": ("every_k_frames", {}, False),
    "random_intervals": ("random_intervals", {}, False),
}
#: Of processor time, for a case: networks are compiled.
SECONDS = 60
#: Numbers that indices, sizes and weights stumble over.
_NUMBERS = (-(2**31), -7, -2, -1, 0, 1, 2, 3, 5, 100, 2**31 - 1)

_HARD_NUMBERS = (-1, -1e-9, 0, 5e-324, 1e-300, 1e-9, 0.01, 0.5, 1, 2, 3, 7, 60, 1e3, 10**6, 10**9, 7e17, 1e300, 10**400)


@dataclass(frozen=True)
class Family:
    """A saved model, and what it says.

    Args:
        folder: Where it is.
        sample: What it is asked about: samples (1, T, ...), or a video for a spotter.
        answer: Its answer: scores, or intervals and curves.
    """

    folder: Path
    sample: Any
    answer: Any

    @property
    def spots(self) -> bool:
        """Whether it is a spotter."""
        return isinstance(self.sample, VideoFrames)


def save(name: str, folder: Path, catalogue: Catalogue) -> Family:
    """Train a small model of a family and save it."""
    plugin, parameters, of_units = FAMILIES[name]
    entry = catalogue.get("model", plugin)
    model, errors = build(entry.load(), parameters)
    if errors or not isinstance(model, Model):
        raise ValueError(f"{name}: {errors}")
    classes, target, sample = list("abcd")[:N_CLASSES], "emotion", examples(model, ALL)
    groups = np.array([f"s{i % 3}" for i in range(len(ALL))])
    predictor: Any
    if isinstance(model, SpottingModel):
        videos, intervals = example_videos(model)
        classes, target, sample = ["micro", "macro"], "spotting", videos[0]
        groups = np.array([f"s{i % 3}" for i in range(len(videos))])
        predictor = model.fit_spotting(videos, intervals, groups=groups, seed=0)
    elif of_units:
        assert isinstance(model, ActionUnitModel)
        classes, target = list("abc"), "action_units"
        predictor = model.fit_action_units(sample, ALL[:, None] == np.arange(3), groups=groups, seed=0)
    else:
        predictor = model.fit(sample, ALL, n_classes=N_CLASSES, groups=groups, seed=0)
    pixels = sample.frames if isinstance(sample, VideoFrames) else sample
    about = {
        "name": name, "plugin": plugin, "distribution": entry.distribution, "parameters": to_dict(model),
        "code": digest_code(type(model)), "classes": classes, "target": target,
        "sample": {"shape": list(pixels.shape[1:]), "dtype": pixels.dtype.name}, "frames": None, "preprocess": [],
        "input": {"frames": None, "preprocess": []}, "fingerprint": "f", "seed": 0,
    }  # fmt: skip
    folder.mkdir(parents=True)
    saved_model.write(folder, model, predictor, about)
    asked = sample if isinstance(sample, VideoFrames) else sample[:1]
    answer = saved_model.spotted(predictor, asked) if isinstance(asked, VideoFrames) else predictor(asked)
    return Family(folder, asked, as_values(answer))


def as_values(answer: Any) -> Any:  # noqa: ANN401
    """Return scores, or intervals and curves, as values that ``==`` compares."""
    if isinstance(answer, tuple):
        return answer[0], {kind: curve.tolist() for kind, curve in answer[1].items()}
    return np.asarray(answer).tolist()


def is_finite(answer: Any) -> bool:  # noqa: ANN401
    """Whether scores, or curves, are finite; intervals refuse anything else themselves."""
    values = list(answer[1].values()) if isinstance(answer, tuple) else answer
    return all(np.isfinite(np.asarray(value, dtype=np.float64)).all() for value in values)


def mutated(rng: Random, path: Path) -> bytes:
    """Return the bytes of a file of a model, changed where it hurts: values of JSON, arrays inside archives."""
    content = path.read_bytes()
    if path.suffix == ".json":
        return _numbers(rng, content) if rng.random() < 0.4 else mutation.of_json(rng, content)
    if rng.random() < 0.2:
        return mutation.of_bytes(rng, content)
    if path.suffix == ".skops":
        return _archive(rng, content)
    size = int.from_bytes(content[:8], "little")
    if rng.random() < 0.5:
        header = mutation.of_values(rng, content[8 : 8 + size])
        return len(header).to_bytes(8, "little") + header + content[8 + size :]
    weights = bytearray(content[8 + size :])
    at = 4 * int(rng.integers(max(len(weights) // 4, 1)))
    weights[at : at + 4] = np.float32([np.nan, np.inf, 1e38, 0.5][int(rng.integers(4))]).tobytes()
    return content[: 8 + size] + bytes(weights)


def _numbers(rng: Random, content: bytes) -> bytes:
    """Replace a number of a JSON file by one that lengths, heights, rates and counts stumble over."""
    text = content.decode()
    places = [match.span(1) for match in re.finditer(r"[:\[,]\s*(-?\d[\d.e+-]*)(?=\s*[,\]}])", text)]
    if not places:
        return mutation.of_json(rng, content)
    start, end = places[int(rng.integers(len(places)))]
    return (text[:start] + str(_HARD_NUMBERS[int(rng.integers(len(_HARD_NUMBERS)))]) + text[end:]).encode()


def _archive(rng: Random, content: bytes) -> bytes:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    name = list(members)[int(rng.integers(len(members)))]
    if name.endswith(".npy"):
        array = np.load(io.BytesIO(members[name]))
        fields = array.dtype.names
        part = array[fields[int(rng.integers(len(fields)))]] if fields else array
        if part.size and rng.random() < 0.8:
            value = _NUMBERS[int(rng.integers(len(_NUMBERS)))]
            low, high = (np.iinfo(part.dtype).min, np.iinfo(part.dtype).max) if part.dtype.kind in "iu" else (-1e9, 1e9)
            part[tuple(int(rng.integers(length)) for length in part.shape)] = min(max(value, low), high)
        else:
            array = array[: len(array) // 2] if array.ndim else array.astype(np.float32)
        stream = io.BytesIO()
        np.save(stream, array)
        members[name] = stream.getvalue()
    else:
        members[name] = mutation.of_values(rng, members[name])
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED if rng.random() < 0.05 else zipfile.ZIP_STORED) as archive:
        for member, inside in members.items():
            archive.writestr(member, inside)
    return stream.getvalue()


def case(family: Family, work: Path, rng: Random, catalogue: Catalogue) -> str:
    """Change one file and load the model; return what came of it.

    Raises:
        AssertionError: Damage was accepted, or an accepted model gives no finite scores.
    """
    shutil.rmtree(work, ignore_errors=True)
    shutil.copytree(family.folder, work)
    paths = sorted(work.iterdir())
    path = paths[int(rng.integers(len(paths)))]
    before = path.read_bytes()
    content = mutated(rng, path)
    path.write_bytes(content)
    forged = bool(rng.random() < 0.75)
    if forged:
        _forge(work)
    about = json.loads((family.folder / "model.json").read_text())
    try:
        loaded = saved_model.load(work, catalogue, target=about["target"])
        answer = loaded.spot(family.sample) if family.spots else loaded(family.sample)
    except SavedModelError:
        return "forged, refused" if forged else "damaged, refused"
    answer = as_values(answer)
    assert is_finite(answer), "accepted, with scores that are not finite"
    equal = answer == family.answer
    if not forged:
        same = content == before or (path.suffix == ".json" and json.loads(content) == json.loads(before))
        assert equal, "damage was accepted"
        assert same, "damage was accepted"
    return "accepted, equal" if equal else "forged, accepted with another finite answer"


def _forge(work: Path) -> None:
    try:
        about = json.loads((work / "model.json").read_text())
        if isinstance(about, dict) and isinstance(about.get("files"), dict):
            about["files"] |= {p.name: sha256(p) for p in work.iterdir() if p.name in about["files"]}
            saved_model.write_about(work, about)
    except (ValueError, TypeError, RecursionError):
        return


def fuzz(name: str, count: int, seed: int = 0) -> tuple[Counter[str], list[str]]:
    """Return how often each outcome came, and the tracebacks of cases that had none of them."""
    catalogue = load_catalogue()
    outcomes: Counter[str] = Counter()
    failures: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        family = save(name, Path(folder) / "saved", catalogue)
        for index in range(count):
            try:
                with no_hang(SECONDS):
                    outcomes[case(family, Path(folder) / "work", np.random.default_rng([seed, index]), catalogue)] += 1
            except BaseException:  # noqa: BLE001 - that is what is looked for
                failures.append(f"case {index}:\n{traceback.format_exc()}")
    return outcomes, failures


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=300, help="of each family")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--family", choices=FAMILIES, action="append")
    options = parser.parse_args()
    failed = 0
    for name in options.family or FAMILIES:
        outcomes, failures = fuzz(name, options.cases, options.seed)
        failed += len(failures)
        counted = ", ".join(f"{count} {outcome}" for outcome, count in sorted(outcomes.items()))
        print(f"{name}: {options.cases} cases: {counted}; {len(failures)} without a clear outcome", flush=True)
        print("".join(failures[:3]), end="", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
