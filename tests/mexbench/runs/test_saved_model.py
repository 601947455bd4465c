from __future__ import annotations

import json
import os
import pickle
import re
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from mexbench.errors import DataError, SavedModelError
from mexbench.files import read_arrays, write_arrays
from mexbench.fingerprint import digest_code
from mexbench.interfaces import Model, ScoredInterval, VideoFrames
from mexbench.registry.catalogue import Catalogue
from mexbench.registry.parameters import to_dict
from mexbench.runs import saved_model as saved
from mexbench.runs.model_files import file_errors, sha256
from mexbench.runs.saved_model import SavedModel
from tests.helpers import entry, with_plugins

INPUT = {
    "frames": {"unit": "clip", "count": 4},
    "preprocess": [{"plugin": "grayscale"}, {"plugin": "resize", "size": 9}],
}


@dataclass(frozen=True, kw_only=True)
class Mean(Model):
    """The class means.

    Args:
        power: Of the distance.
    """

    power: float = 2.0
    loaded: ClassVar[list[Path]] = []

    def fit(self, x: Any, y: Any, *, n_classes: int, groups: Any, seed: int) -> Nearest:  # noqa: ANN401
        return Nearest(np.stack([x[y == k].mean(axis=0) for k in range(n_classes)]), self.power)

    def save(self, predictor: Any, folder: Path) -> None:  # noqa: ANN401
        write_arrays(folder / "means.safetensors", {"means": predictor.means})

    def load(self, folder: Path) -> Nearest:
        self.loaded.append(folder)
        return Nearest(read_arrays(folder / "means.safetensors")["means"], self.power)


@dataclass(frozen=True)
class Nearest:
    means: Any
    power: float

    def __call__(self, x: Any, /) -> Any:  # noqa: ANN401
        return -(np.abs(x[:, None] - self.means) ** self.power).sum(axis=(2, 3))


X = np.random.default_rng(0).normal(size=(10, 1, 3)).astype(np.float32)


@pytest.fixture
def catalogue(builtin: Catalogue) -> Catalogue:
    Mean.loaded.clear()
    return with_plugins(builtin, entry("model", Mean))


def write(folder: Path, model: Model | None = None, **changes: Any) -> Nearest:  # noqa: ANN401
    model = model or Mean(power=3)
    predictor = model.fit(X, np.arange(10) % 2, n_classes=2, groups=np.array(["a"] * 10), seed=0)
    about = {
        "name": "my mean", "plugin": "mean", "distribution": "tests 1.0", "parameters": to_dict(model),
        "code": digest_code(type(model)), "classes": ["a", "b"], "sample": {"shape": [1, 3], "dtype": "float32"},
        "frames": INPUT["frames"], "preprocess": INPUT["preprocess"], "input": INPUT, "fingerprint": "f", "seed": 0,
    }  # fmt: skip
    folder.mkdir(parents=True, exist_ok=True)
    saved.write(folder, model, predictor, {**about, **changes})
    return predictor  # pyright: ignore[reportReturnType]


def rewrite(folder: Path, **changes: Any) -> None:  # noqa: ANN401
    """Change model.json as somebody would who knows about its checksum."""
    saved.write_about(folder, {**json.loads((folder / "model.json").read_text()), **changes})


def test_a_loaded_model_is_the_saved_one(tmp_path: Path, catalogue: Catalogue) -> None:
    predictor = write(tmp_path)
    loaded = saved.load(tmp_path, catalogue)
    np.testing.assert_array_equal(loaded(X), predictor(X))
    assert (loaded.classes, loaded.changes) == (("a", "b"), ())
    assert loaded.predictor.power == 3  # pyright: ignore[reportAttributeAccessIssue]
    about = json.loads((tmp_path / "model.json").read_text())
    assert about.keys() >= {"format", "parameters", "versions", "files", "score", "checksum"}
    assert about["files"].keys() == {"means.safetensors"}
    assert len(about["files"]["means.safetensors"]) == 64


def test_other_samples_than_trained_on_are_refused(tmp_path: Path, catalogue: Catalogue) -> None:
    write(tmp_path)
    loaded = saved.load(tmp_path, catalogue)
    with pytest.raises(
        SavedModelError, match=r"trained on samples \(1, 3\) float32, asked about samples \(1, 4\) float"
    ):
        loaded(np.zeros((2, 1, 4), np.float32))
    with pytest.raises(SavedModelError, match=r"asked about samples \(1, 3\) uint8"):
        loaded(np.zeros((2, 1, 3), np.uint8))


def test_another_preprocessing_is_refused_with_every_difference(tmp_path: Path, catalogue: Catalogue) -> None:
    write(tmp_path)
    loaded = saved.load(tmp_path, catalogue)
    loaded.check_same_input(INPUT)
    other = {
        "frames": None,
        "preprocess": [{"plugin": "grayscale"}, {"plugin": "resize", "size": 8}, {"plugin": "lbp"}],
    }
    with pytest.raises(SavedModelError) as caught:
        loaded.check_same_input(other)
    assert str(caught.value) == (
        f"{tmp_path}: was trained on samples that were made another way:\n"
        "  frames: trained with {'unit': 'clip', 'count': 4}, now None\n"
        "  step 2: trained with {'plugin': 'resize', 'size': 9}, now {'plugin': 'resize', 'size': 8}\n"
        "  step 3: trained with no step, now {'plugin': 'lbp'}"
    )


@pytest.mark.parametrize(
    ("damage", "text"),
    [
        (lambda f: (f / "model.json").unlink(), r"is not a saved model: it has no model.json; give a folder such as "),
        (lambda f: (f / "model.json").write_text("{"), "is damaged: model.json cannot be read"),
        (lambda f: (f / "model.json").write_bytes(b"\xff\xfe"), "model.json cannot be read"),
        (lambda f: (f / "model.json").write_text("[]"), "model.json states no format"),
        (lambda f: (f / "model.json").write_text('{"format": "1"}'), "model.json states no format"),
        (lambda f: (f / "model.json").write_text('{"format": 1}'), "the checksum of model.json differs"),
        (lambda f: saved.write_about(f, {"format": 1, "plugin": 3}), "model.json lacks plugin, distribution"),
        (lambda f: edit(f, '"power": 3.0', '"power": 4.0'), "the checksum of model.json differs"),
        (lambda f: (f / "means.safetensors").write_bytes(b"x"), "the checksum of means.safetensors differs"),
        (lambda f: (f / "means.safetensors").unlink(), "means.safetensors is missing, or not a plain file"),
        (lambda f: (f / "more").write_text("x"), "has files that model.json does not name: more"),
        (lambda f: link(f / "means.safetensors"), "means.safetensors is missing, or not a plain file"),
        (lambda f: rewrite(f, files={"../secret": "0"}), r"names '../secret', which is not a file of this folder"),
        (lambda f: rewrite(f, files={"/etc/hostname": "0"}), "names '/etc/hostname', which is not a file"),
        (lambda f: rewrite(f, files={"..": "0"}), r"names '\.\.', which is not a file"),
        (lambda f: rewrite(f, format=2, distribution="mexbench 9.0"),
         r"has format 2, and this program reads formats up to 1: it was saved by a newer version \(mexbench 9.0\)"),
        (lambda f: rewrite(f, plugin="meen"), r"was trained by 'meen' of tests 1.0: unknown model 'meen' .*'mean'"),
        (lambda f: rewrite(f, parameters={"power": 3.0, "p": 1}), "(?s)other parameters than in tests 1.0.*p: unknown"),
        (lambda f: rewrite(f, parameters={}), r"(?s)power: saved 'nothing', now 2.0\n  install that version"),
        (lambda f: rewrite(f, parameters={"power": "3"}), 'power: expected float, got "3"'),
        (lambda f: rewrite(f, classes=["a", "b", "c"]),
         r"cannot be loaded: the predictor gives float32 \(1, 2\), expected numbers \(1, 3\)"),
        (lambda f: rewrite(f, sample={"shape": [1, 4], "dtype": "float32"}), "cannot be loaded: operands could not be"),
        (lambda f: rewrite(f, sample={"shape": "x", "dtype": 3}), "sample.shape: Input should be a valid list"),
        (lambda f: rewrite(f, sample={"shape": [1, 0], "dtype": "uint8"}), r"sample.shape.1: .* equal to 1"),
        (lambda f: rewrite(f, sample={"shape": [1, 3], "dtype": "O"}), "sample.dtype: String should match"),
        (lambda f: rewrite(f, sample={"shape": [2**30, 2**30, 9], "dtype": "uint8"}),
         r"is damaged: model.json: sample.shape: a sample of shape \(1073741824, 1073741824, 9\) has \d+ values"),
        (lambda f: rewrite(f, classes=[]), "model.json: classes: List should have at least 1 item"),
        (lambda f: rewrite(f, classes=["a", 1]), "model.json: classes.1: Input should be a valid string"),
        (lambda f: rewrite(f, score=3), "model.json: score: Input should be a valid dictionary"),
        (lambda f: rewrite(f, input={"frames": None}), "model.json: input.preprocess: Field required"),
        (lambda f: link(f / "model.json"), "model.json cannot be read .a symbolic link, which is not followed here"),
        (lambda f: weights(f, np.full((2, 1, 3), np.inf)),
         "cannot be loaded: array 'means' holds numbers that are NaN"),
        (lambda f: replaced(f, b"not safetensors"), "cannot be loaded: means.safetensors: invalid safetensors file"),
        (lambda f: replaced(f, pickle.dumps([1])), "means.safetensors is or holds a pickle, which can run any code"),
    ],
)  # fmt: skip
def test_damaged_saved_models_are_refused(
    tmp_path: Path, catalogue: Catalogue, damage: Callable[[Path], object], text: str
) -> None:
    folder = tmp_path / "model"
    write(folder)
    damage(folder)
    with pytest.raises(SavedModelError, match=text) as caught:
        saved.load(folder, catalogue)
    assert str(caught.value).startswith(str(folder))
    if "cannot be loaded" not in text:
        assert Mean.loaded == [], "the plugin was asked to read it"


def edit(folder: Path, old: str, new: str) -> None:
    text = (folder / "model.json").read_text()
    assert old in text
    (folder / "model.json").write_text(text.replace(old, new))


def link(path: Path) -> None:
    path.symlink_to(path.replace(path.parent.parent / "elsewhere"))


def replaced(folder: Path, content: bytes) -> None:
    (folder / "means.safetensors").write_bytes(content)
    rewrite(folder, files={"means.safetensors": sha256(folder / "means.safetensors")})


def weights(folder: Path, means: Any) -> None:  # noqa: ANN401
    from safetensors.numpy import save

    replaced(folder, save({"means": means}))


def test_a_path_that_is_no_folder(tmp_path: Path, catalogue: Catalogue) -> None:
    (tmp_path / "file").write_text("x")
    for path in (tmp_path / "file", tmp_path / "nowhere"):
        with pytest.raises(SavedModelError, match="is not a saved model"):
            saved.load(path, catalogue)


def test_what_has_changed_since_is_told(tmp_path: Path, builtin: Catalogue) -> None:
    write(tmp_path)
    about = json.loads((tmp_path / "model.json").read_text())
    rewrite(tmp_path, versions={**about["versions"], "numpy": "1.0"}, code="other")
    newer = with_plugins(builtin, replace(entry("model", Mean), distribution="tests 2.0"))
    assert saved.load(tmp_path, newer).changes == (
        "plugin 'mean': saved by tests 1.0, now tests 2.0",
        f"numpy: saved with 1.0, now {np.__version__}",
        "the code of model 'mean' has changed since tests 1.0 saved it",
    )


class Careless(Mean):
    """Write what it should not."""

    how: ClassVar[str] = ""

    def save(self, predictor: Any, folder: Path) -> None:  # noqa: ANN401
        if self.how == "pickle":
            (folder / "a").write_bytes(pickle.dumps({"a": 1}))
        elif self.how == "suffix":
            (folder / "a.PKL").write_text("harmless")
        elif self.how == "zip":
            with zipfile.ZipFile(folder / "a.zip", "w") as archive:
                archive.writestr("b/data", pickle.dumps(predictor.means))
        elif self.how == "objects":
            np.save(folder / "a.npy", np.array([{}], dtype=object), allow_pickle=True)
        elif self.how == "folder":
            (folder / "a").mkdir()
        elif self.how == "about":
            (folder / "model.json").write_text("{}")


@pytest.mark.parametrize(
    ("how", "text"),
    [
        ("", "no file was written"),
        ("pickle", "a is or holds a pickle"),
        ("suffix", "a.PKL is or holds a pickle"),
        ("zip", "a.zip is or holds a pickle"),
        ("objects", "a.npy is or holds a pickle"),
        ("folder", "a is not a plain file"),
        ("about", "model.json is the engine's name"),
    ],
)
def test_forbidden_files_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str, text: str) -> None:
    monkeypatch.setattr(Careless, "how", how)
    with pytest.raises(ValueError, match=text):
        write(tmp_path, Careless())


def test_bytes_that_only_look_like_a_pickle_are_none(tmp_path: Path) -> None:
    """The header of a safetensors file starts with its own length, which may be 0x0280."""
    (tmp_path / "a").write_bytes(b"\x80\x02" + bytes(6) + b'{"x": 1}')
    assert list(file_errors(tmp_path, saved.ABOUT)) == []


def test_only_a_class_with_both_halves_can_be_saved() -> None:
    class Half(Model):
        def fit(self, x: Any, y: Any, *, n_classes: int, groups: Any, seed: int) -> Any: ...  # noqa: ANN401

        def save(self, predictor: Any, folder: Path) -> None: ...  # noqa: ANN401

    assert saved.can_save(Mean())
    assert not saved.can_save(Half())
    with pytest.raises(NotImplementedError):
        Half().load(Path())


def test_a_plugin_that_forgot_how_to_load(tmp_path: Path, builtin: Catalogue) -> None:
    class Forgetful(Mean):
        """x"""

        save = Model.save
        load = Model.load  # pyright: ignore[reportAssignmentType]

    write(tmp_path)
    with pytest.raises(SavedModelError, match="'mean' as it is installed cannot load; it was saved by tests"):
        saved.load(tmp_path, with_plugins(builtin, entry("model", Forgetful, "mean")))


def bomb(path: Path, members: int, size: int) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for index in range(members):
            archive.writestr(f"{index}.npy", bytes(size))


def large_archive(path: Path) -> None:
    """An archive with the mark of the format for more than 65,535 members or 4 GiB, before its end."""
    bomb(path, 1, 1)
    content = path.read_bytes()
    end = content.rindex(b"PK\x05\x06")
    path.write_bytes(content[:end] + b"PK\x06\x07".ljust(20, b"\0") + content[end:])


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda p: bomb(p, 1, 2**28 + 1), r"has \d+ bytes and unpacks to 268435457: that is not a model"),
        (lambda p: bomb(p, 3, 2**27), r"has \d+ bytes and unpacks to 402653184: that is not a model"),
        (lambda p: bomb(p, 4_097, 0), "is an archive of 4097 members, at most 4096 are read"),
        (lambda p: bomb(p, 30_000, 0), "is an archive of more than 4096 members"),
        (large_archive, "is an archive of more than 4096 members"),
        (lambda p: (p.touch(), os.truncate(p, 2**33 + 1)), "has 8589934593 bytes, at most 8589934592 are read"),
    ],
)
def test_archives_are_bounded_before_they_are_unpacked(
    tmp_path: Path, make: Callable[[Path], object], text: str
) -> None:
    make(tmp_path / "pipeline.skops")
    (error,) = file_errors(tmp_path, saved.ABOUT)
    assert re.search(text, error)


def test_an_archive_of_a_large_uncompressed_model_is_read(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "pipeline.skops", "w") as archive:
        archive.writestr("x.npy", bytes(2**28 + 1))
    assert list(file_errors(tmp_path, saved.ABOUT)) == []


def test_a_model_with_half_a_character_in_its_description_is_damaged(tmp_path: Path, catalogue: Catalogue) -> None:
    write(tmp_path)
    path = tmp_path / "model.json"
    path.write_text(path.read_text().replace("my mean", "my \\ud800"))
    with pytest.raises(SavedModelError, match=r"is damaged: model\.json cannot be read"):
        saved.load(tmp_path, catalogue)


def test_scores_that_overflow_are_an_error(tmp_path: Path, catalogue: Catalogue) -> None:
    write(tmp_path)
    loaded = saved.load(tmp_path, catalogue)
    with np.errstate(over="ignore"), pytest.raises(SavedModelError, match="gives scores that are not finite"):
        loaded(np.full((1, 1, 3), 3e38, np.float32))


class Moody(Mean):
    """Fine about zeros, and not about anything else."""

    def load(self, folder: Path) -> Any:  # noqa: ANN401
        inside = super().load(folder)

        def predict(x: Any) -> Any:  # noqa: ANN401
            if x.any():
                raise KeyError("brightness")
            return inside(x)

        return predict


def test_whatever_a_predictor_raises_names_the_saved_model(tmp_path: Path, builtin: Catalogue) -> None:
    write(tmp_path, Moody(power=3), plugin="moody")
    loaded = saved.load(tmp_path, with_plugins(builtin, entry("model", Moody)))
    with pytest.raises(SavedModelError, match=rf"{tmp_path.name}: cannot predict: KeyError: 'brightness'; train and"):
        loaded(X)


class Curved:
    """A spotter whose curve is what it is told to be."""

    threshold = 1.0

    def __init__(self, curve: Any, offset: int = 3) -> None:  # noqa: ANN401
        self.curve, self.offset = np.asarray(curve), offset

    def __call__(self, videos: Any, /) -> Any:  # noqa: ANN401
        return [[ScoredInterval(onset=1, offset=self.offset, kind="micro")] for _ in videos]

    def confidence(self, video: VideoFrames, /) -> Any:  # noqa: ANN401
        del video
        return {"micro": self.curve}


@pytest.mark.parametrize(
    ("predictor", "message"),
    [
        (Curved([0, 1, 2, 3], offset=5), "gave 1-5 in a video of frames 1 to 4"),
        (Curved([0, 1, 2]), r"curve of micro-expressions has shape \(3,\), expected \(4,\)"),
        (Curved([0, 1, np.nan, 3]), "curve of micro-expressions is not finite"),
    ],
)
def test_a_spotter_that_does_not_fit_its_video_is_refused(predictor: Curved, message: str) -> None:
    video = VideoFrames(frames=np.zeros((4, 2, 2)), first=1, fps=25)
    model = SavedModel(Path("spotter"), {}, predictor, ())
    with pytest.raises(SavedModelError, match=f"spotter: cannot predict: .*{message}"):
        model.spot(video)
    right = SavedModel(Path("spotter"), {}, Curved([0, 1, 2, 3]), ())
    intervals, curves = right.spot(video)
    assert [(one.onset, one.offset) for one in intervals] == [(1, 3)]
    assert curves["micro"].tolist() == [0, 1, 2, 3]


class Hungry(Mean):
    """Its samples have three values, and nothing is loaded for others."""

    def check(self, shape: tuple[int, ...]) -> None:
        if shape != (1, 3):
            raise DataError(f"needs (1, 3), got {shape}")


def test_a_shape_that_the_model_refuses_is_refused_before_anything_is_loaded(
    tmp_path: Path, builtin: Catalogue
) -> None:
    catalogue = with_plugins(builtin, entry("model", Hungry))
    write(tmp_path, Hungry(power=3), plugin="hungry")
    saved.load(tmp_path, catalogue)
    Mean.loaded.clear()
    rewrite(tmp_path, sample={"shape": [1, 4], "dtype": "float32"})
    with pytest.raises(SavedModelError, match=r"cannot be loaded: needs \(1, 3\), got \(1, 4\)"):
        saved.load(tmp_path, catalogue)
    assert not Mean.loaded
