"""Every line of the catalogue through the conformance kit, and the kit through plugins that break each promise."""

from __future__ import annotations

import pickle
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from mexbench.interfaces import (
    Augmentation,
    Clip,
    EpochsModel,
    Fold,
    Model,
    Plugin,
    Predictor,
    Preprocessor,
    Protocol,
    Sample,
)
from mexbench.registry.catalogue import load_catalogue
from mexbench.registry.parameters import build
from mexbench.testing import assert_conforms, conformance
from tests import films
from tests.helpers import Ran, Toy, write_flow
from tests.mexbench_plugins.datasets.causalnet_maps import write_maps
from tests.mexbench_plugins.datasets.layouts import write_casme2

ENTRIES = [entry for entry in load_catalogue().entries if entry.distribution.startswith("mexbench ")]
#: A network's training sides have 24, 12 and 6 samples: full batches and padded ones. Every sample that is scored alone
#: fills a batch, so that large ones take most of the time.
QUICK = {"epochs": 1, "batch_size": 8}
NETWORKS = (
    "cnn", "cnn_lstm", "dual_inception", "hybrid_micronet", "hybrid_micronet_au", "off_apexnet", "off_tanet",
    "rcn_a", "ststnet",
)  # fmt: skip
#: What a plugin needs to be built at all, or to be quick.
NEEDED: Mapping[str, Mapping[str, Any]] = {
    "resize": {"size": 20},
    "vgg16": {"weights": "auto"},
    "ann": {"max_iter": 400},
    "gradient_boosting": {"max_iter": 3},
    "random_convolutions": {"kernels": 50},
    **dict.fromkeys(NETWORKS, QUICK),
    "au_cnn": {**QUICK, "convolutions": 1},
    "htnet": {**QUICK, "dim": 24, "repeats": [1, 1, 1]},
    "causalnet": {**QUICK, "dim": 16, "repeats": [1, 1, 1]},
    "macnn": {**QUICK, "filters": 2, "hidden": 16},
    "micro_attention": {**QUICK, "filters": 2, "hidden": 16},
    "case_study": {"train": ["casme2"], "apply": "smic"},
    **{
        name: {"root": "stand-in", "stand_in": {"subjects": 2, "clips": 3, "width": 160, "height": 120, "frames": 6}}
        for name in (
            "casme",
            "casme2",
            "casme3",
            "casme_squared",
            "dfme",
            "fourdme",
            "mmew",
            "samm",
            "samm_long",
            "smic_long",
        )
    },
}


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: f"{entry.kind}-{entry.name}")
def test_every_built_in_plugin_conforms(entry: Any, tmp_path: Path) -> None:  # noqa: ANN401
    given = dict(NEEDED.get(entry.name, {}))
    if entry.name == "causalnet_maps":
        given = {"root": str(write_maps(tmp_path / "maps")), "expect": "any"}
    if entry.name == "megc2019_flow":
        given = {"root": str(write_flow(tmp_path, {"sub01": [0, 1], "s02": [2, 0]})), "expect": "any"}
    if entry.name == "features":
        np.save(tmp_path / "x.npy", np.random.default_rng(0).random((4, 3)))
        (tmp_path / "table.csv").write_text("sample_id,subject,label\na/1,a,0\na/2,a,1\nb/1,b,1\nb/2,b,0\n")
        given = {"table": str(tmp_path / "table.csv"), "arrays": str(tmp_path / "x.npy")}
    if entry.name == "youtube":
        films.write(tmp_path / "a.mp4", films.plain(12))
        (tmp_path / "clips.csv").write_text("clip_id,path,emotion\na,a.mp4,happy\nb,a.mp4,\n")
        given = {"manifest": str(tmp_path / "clips.csv")}
    if entry.name in {"smic", "image_folder"}:
        given = {"root": str(LAYOUTS[entry.name](tmp_path))}
    plugin, errors = build(entry.load(), given)
    assert errors == []
    assert plugin is not None
    assert_conforms(plugin)


def write_images(root: Path) -> Path:
    import cv2

    for index, name in enumerate(("sad/a.png", "sad/b.png", "glad/c.png")):
        (root / name).parent.mkdir(exist_ok=True)
        cv2.imwrite(str(root / name), np.full((8, 9, 3), 40 * index, np.uint8))
    return root


def write_smic(root: Path) -> Path:
    import cv2

    for index, clip in enumerate(("s1/micro/positive/s1_po_01", "s2/micro/negative/s2_ne_01")):
        folder = root / "HS" / clip
        folder.mkdir(parents=True)
        for number in range(3):
            cv2.imwrite(str(folder / f"reg_image{number + 10}.bmp"), np.full((8, 9, 3), 9 * number + index, np.uint8))
    return root


LAYOUTS: Mapping[str, Callable[[Path], Path]] = {"smic": write_smic, "image_folder": write_images}


def test_casme2_conforms_on_data_in_its_layout(tmp_path: Path) -> None:
    from mexbench_plugins.datasets.casme2 import Casme2

    rows = [(1, "EP01", 46, 47, 48, 4, "disgust"), (2, "EP01", 46, 47, 48, "12", "happiness")]
    write_casme2(tmp_path / "data", rows)
    assert_conforms(Casme2(root=tmp_path / "data"))


@dataclass(frozen=True, kw_only=True)
class Good(Model):
    """The class means.

    Args:
        power: Of the distance.
    """

    source = "tests"
    power: float = 2.0

    def fit(self, x: Any, y: Any, *, n_classes: int, groups: Any, seed: int) -> Any:  # noqa: ANN401
        means = np.array(
            [x[y == k].mean(axis=0) if (y == k).any() else np.full(x.shape[1:], 1e6) for k in range(n_classes)]
        )
        return lambda test: self.scores(means, test)

    def scores(self, means: Any, test: Any) -> Any:  # noqa: ANN401
        return -(np.abs(test[:, None] - means) ** self.power).reshape(len(test), len(means), -1).sum(axis=2)


class Undocumented(Good):
    source = ""


Undocumented.__doc__ = ""


class Shapeless(Good):
    """x"""

    def scores(self, means: Any, test: Any) -> Any:  # noqa: ANN401
        return super().scores(means, test)[:, :2]


class Remembering(Good):
    """x"""

    labels: ClassVar[dict[bytes, int]] = {}

    def fit(self, x: Any, y: Any, *, n_classes: int, groups: Any, seed: int) -> Any:  # noqa: ANN401
        predict = super().fit(x, y, n_classes=n_classes, groups=groups, seed=seed)
        self.labels.update({row.tobytes(): int(label) for row, label in zip(x, y, strict=True)})

        def recall(test: Any) -> Any:  # noqa: ANN401
            scores = predict(test)
            for row, sample in zip(scores, test, strict=True):
                if sample.tobytes() in self.labels:
                    row[self.labels[sample.tobytes()]] = 1
            return scores

        return recall


class Dice(Good):
    """x"""

    def scores(self, means: Any, test: Any) -> Any:  # noqa: ANN401
        return np.array([[random.random() for _ in means] for _ in test])  # noqa: S311


class Hoarder(Good):
    """x"""

    seen: list[Any] = []  # noqa: RUF012

    def fit(self, x: Any, y: Any, *, n_classes: int, groups: Any, seed: int) -> Any:  # noqa: ANN401
        self.seen.append(x)
        return super().fit(x + len(self.seen), y, n_classes=n_classes, groups=groups, seed=seed)


class Transductive(Good):
    """x"""

    def scores(self, means: Any, test: Any) -> Any:  # noqa: ANN401
        return super().scores(means, test - test.mean(axis=0))


class Vandal(Good):
    """x"""

    def fit(self, x: Any, y: Any, *, n_classes: int, groups: Any, seed: int) -> Any:  # noqa: ANN401
        x -= x.min()
        return super().fit(x, y, n_classes=n_classes, groups=groups, seed=seed)


class Fragile(Good):
    """x"""

    def fit(self, x: Any, y: Any, *, n_classes: int, groups: Any, seed: int) -> Any:  # noqa: ANN401
        assert len(set(y)) == n_classes, "all classes or none"
        return super().fit(x, y, n_classes=n_classes, groups=groups, seed=seed)


@dataclass(frozen=True, kw_only=True)
class Unsendable(Good):
    """x"""

    def __reduce__(self) -> Any:  # noqa: ANN401
        raise TypeError("not me")


class Savable(Good):
    """x"""

    def fit(self, x: Any, y: Any, *, n_classes: int, groups: Any, seed: int) -> Any:  # noqa: ANN401
        return Means(super().fit(x, y, n_classes=n_classes, groups=groups, seed=seed), np.bincount(y) / len(y))

    def save(self, predictor: Any, folder: Path) -> None:  # noqa: ANN401
        np.save(folder / "means.npy", predictor.frequencies, allow_pickle=False)

    def load(self, folder: Path) -> Any:  # noqa: ANN401
        frequencies = np.resize(np.load(folder / "means.npy", allow_pickle=False), 4)
        return lambda x: np.tile(frequencies, (len(x), 1))


@dataclass(frozen=True)
class Means:
    predict: Any
    frequencies: Any

    def __call__(self, x: Any) -> Any:  # noqa: ANN401
        return self.predict(x)


class Pickling(Savable):
    """x"""

    def save(self, predictor: Any, folder: Path) -> None:  # noqa: ANN401
        super().save(predictor, folder)
        (folder / "means").write_bytes(pickle.dumps(predictor.frequencies))


class WritesNothing(Savable):
    """x"""

    def save(self, predictor: Any, folder: Path) -> None:  # noqa: ANN401
        pass


@dataclass(frozen=True, kw_only=True)
class Epochs(Good, EpochsModel):
    """Class means in every epoch.

    Args:
        epochs: How many.
        peeks: Whether the last one knows what is held out.
        short: Whether the last one is left out.
    """

    epochs: int = 3
    peeks: bool = False
    short: bool = False

    def fit_epochs(
        self, x: Any, y: Any, train_masks: Any, *, n_classes: int, groups: Any, seed: int  # noqa: ANN401
    ) -> Iterator[Sequence[Predictor]]:  # fmt: skip
        for epoch in range(self.epochs - self.short):
            masks = train_masks | (self.peeks and epoch == 2)
            yield [self.softmax(self.fit(x[m], y[m], n_classes=n_classes, groups=groups, seed=seed)) for m in masks]

    def softmax(self, predictor: Any) -> Predictor:  # noqa: ANN401
        def predict(test: Any) -> Any:  # noqa: ANN401
            result = predictor(test) / 1e5  # squares of pixels
            scores = np.exp(result - result.max(axis=1, keepdims=True))
            return scores / scores.sum(axis=1, keepdims=True)

        return predict


def test_a_model_with_epochs_conforms() -> None:
    assert faults_of(Epochs()) == {}
    (peeks,) = faults_of(Epochs(peeks=True)).values()
    assert [text.partition(" by")[0] for text in peeks] == ["epoch 3: scores differ"]
    (short,) = faults_of(Epochs(short=True)).values()
    assert short == ("gave [1, 1] predictors, expected one fold's in each of 3 epochs",)


def faults_of(plugin: Plugin) -> dict[str, tuple[str, ...]]:
    return {result.check: result.problems for result in conformance(plugin) if result.problems}


def test_a_valid_model_passes_every_check() -> None:
    assert faults_of(Good()) == {}


@pytest.mark.parametrize(
    ("cls", "promise", "message"),
    [
        (Undocumented, "says what it is", "'source' is empty"),
        (Shapeless, "gives finite scores", "gave float64 (24, 2), expected numbers (24, 4)"),
        (Dice, "the same scores for the same seed", "scores differ by up to"),
        (Hoarder, "keeps nothing between two calls", "gives another predictor"),
        (
            Remembering,
            "whichever folds ran before",
            "fold 1 scores otherwise after another fold: something",
        ),
        (Transductive, "takes each test sample by itself", "from those of the whole test side"),
        (Vandal, "gives finite scores", "read-only"),
        (Fragile, "a class without training samples", "AssertionError: all classes or none"),
        (Fragile, "a single class in training", "AssertionError: all classes or none"),
        (Savable, "scores the same after saving", "trained on classes [0, 1, 2, 3], scores differ after loading"),
        (Pickling, "with no pickle among the files", "means is or holds a pickle"),
        (WritesNothing, "scores the same after saving", "no file was written"),
        (Unsendable, "sent to another process", "TypeError: not me"),
    ],
)
def test_a_broken_promise_of_a_model_is_found(cls: type[Good], promise: str, message: str) -> None:
    result = faults_of(cls())
    (words,) = [words for words in result if promise in words]
    assert any(message in text for text in result[words]), result
    with pytest.raises(AssertionError, match=r"promise(s are| is) broken"):
        assert_conforms(cls())


class Step(Preprocessor):
    """x"""

    source = "tests"
    count = [0]  # noqa: RUF012

    def __call__(self, clip: Clip) -> Clip:
        self.count[0] += 1
        return self.made(clip, self.count[0])

    def made(self, clip: Clip, count: int) -> Clip:
        return clip


class Counting(Step):
    """x"""

    def made(self, clip: Clip, count: int) -> Clip:
        return replace(clip, frames=clip.frames + np.uint8(count))


class Timeless(Step):
    """x"""

    def made(self, clip: Clip, count: int) -> Clip:
        return replace(clip, frames=clip.frames[0, 0, 0])


class Misplaced(Step):
    """x"""

    def made(self, clip: Clip, count: int) -> Clip:
        return replace(clip, frames=clip.frames[:1])


class Writing(Step):
    """x"""

    def made(self, clip: Clip, count: int) -> Clip:
        clip.frames[0] = 0
        return clip


class Growing(Augmentation):
    """x"""

    source = "tests"
    copies = 1

    def vary(self, clip: Clip, rng: np.random.Generator) -> Clip:
        return replace(clip, frames=clip.frames[:2])


@pytest.mark.parametrize(
    ("cls", "message"),
    [
        (Counting, "the second time the result is another one"),
        (Timeless, "gave an array (3,), expected (T, ...)"),
        (Misplaced, "offset_index is 4 in a clip of 1 frame"),
        (Writing, "ValueError: assignment destination is read-only"),
        (Growing, "a copy is uint8 (2, 64, 64, 3)"),
    ],
)
def test_a_broken_promise_of_a_step_is_found(cls: type[Preprocessor], message: str) -> None:
    result = faults_of(cls())
    assert any(message in text for texts in result.values() for text in texts), result
    assert faults_of(Step()) == {}


class Leaking(Protocol):
    """x"""

    source = "tests"

    def folds(self, samples: Sequence[Sample]) -> Sequence[Fold]:
        ids = [sample.sample_id for sample in samples]
        return [Fold(name="f", train=tuple(ids[:-3]), test=tuple(ids[-3:]))]


class Fickle(Leaking):
    """x"""

    def folds(self, samples: Sequence[Sample]) -> Sequence[Fold]:
        return [replace(fold, name=str(random.random())) for fold in super().folds(samples)]  # noqa: S311


def test_a_broken_promise_of_a_protocol_is_found() -> None:
    result = faults_of(Leaking())
    assert any("subject 'smic/s3' on both sides" in text for texts in result.values() for text in texts)
    assert "the second time the folds are others" in str(faults_of(Fickle()))


class Renamed(Toy):
    """x

    Args:
        subjects: x
        clips: x
        reverse: x
    """

    source = "tests"

    def samples(self) -> Sequence[Sample]:
        return [replace(sample, subject="nobody", label=3) for sample in super().samples()]


def test_a_broken_promise_of_a_dataset_is_found() -> None:
    assert "does not start with the name of its dataset" in str(faults_of(Renamed()))


def test_the_command_prints_every_check(bench: Callable[..., Ran]) -> None:
    ran = bench("test-plugin", "svm", "--set", "C=0.5")
    assert ran.code == 0
    assert "takes each test sample by itself" in ran.out
    assert "broken" not in ran.out
    assert bench("test-plugin", "svm", "--set", "c=0.5").code == 2
    assert bench("test-plugin", "svn").code == 2
    ran = bench("test-plugin", "casme2")
    assert (ran.code, "needs 'root'" in ran.err) == (2, True)
