from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

from mexbench.config.run_config import RowGroup
from mexbench.data import samples as data
from mexbench.data.arrays import load_arrays
from mexbench.data.cache import Cache
from mexbench.errors import ConfigError, DataError, SampleRejected
from mexbench.interfaces import Augmentation, Clip, DataIssue, Dataset, Preprocessor, Sample
from mexbench.registry.catalogue import Catalogue
from tests.helpers import Toy, config_of, entry, sample, with_plugins


@dataclass(frozen=True, kw_only=True)
class Doubled(Preprocessor):
    """Count calls.

    Args:
        factor: Of every value.
    """

    factor: int = 2
    calls: ClassVar[list[float]] = []

    def __call__(self, clip: Clip) -> Clip:
        self.calls.append(float(clip.frames.flat[1]))
        assert not clip.frames.flags.writeable
        return replace(clip, frames=clip.frames * self.factor, notes=("doubled",))


@dataclass(frozen=True, kw_only=True)
class Picky(Preprocessor):
    """Take no clip of subject 1."""

    def __call__(self, clip: Clip) -> Clip:
        if clip.frames.flat[1] == 1:
            raise SampleRejected("no face found")
        return clip


@dataclass(frozen=True, kw_only=True)
class Noisy(Augmentation):
    """Add noise.

    Args:
        copies: How many.
    """

    copies: int = 2

    def vary(self, clip: Clip, rng: np.random.Generator) -> Clip:
        return replace(clip, frames=clip.frames + rng.normal(size=clip.frames.shape).astype(np.float32))


@dataclass(frozen=True, kw_only=True)
class Filed(Dataset):
    """One file per clip, whose first byte is the value.

    Args:
        root: Folder of the files.
    """

    root: Path
    loads: ClassVar[list[str]] = []

    def label_map(self) -> Mapping[str, str]:
        return {"sad": "negative", "glad": "positive"}

    def samples(self) -> Sequence[Sample]:
        return [
            sample(f"filed/p{path.name[1]}/{path.name}", emotion=["sad", "glad"][int(path.name[3])])
            for path in self.root.iterdir()
        ]

    def load(self, sample: Sample) -> Clip:
        self.loads.append(sample.sample_id)
        return Clip(frames=np.frombuffer(self.files(sample)[0].read_bytes(), np.uint8)[None].copy())

    def files(self, sample: Sample, numbers: Sequence[int] | None = None) -> Sequence[Path]:
        return (self.root / sample.sample_id.rpartition("/")[2],)


@pytest.fixture
def catalogue(toys: Catalogue) -> Catalogue:
    Doubled.calls.clear()
    Filed.loads.clear()
    return with_plugins(toys, *(entry("preprocessor", c) for c in (Doubled, Picky, Noisy)), entry("dataset", Filed))


def config(catalogue: Catalogue, steps: str = "[]", dataset: str = "toy") -> RowGroup:
    return config_of(f"dataset: {dataset}\npreprocess: {steps}\nprotocol: loso\nmodels: [majority]", catalogue).parts[0]


def test_samples_are_labelled_under_the_map_and_sorted(catalogue: Catalogue) -> None:
    result = data.read_samples(config(catalogue, dataset="{plugin: toy, reverse: true}"))
    assert result.classes == ("negative", "positive")
    assert [s.sample_id for s in result.samples][:3] == ["toy/p0/c0", "toy/p0/c1", "toy/p0/c2"]
    assert [s.label for s in result.samples][:4] == [0, 1, 0, 1]  # sad and angry are one class
    assert result.support() == {"negative": 6, "positive": 6}
    assert result.fingerprint == data.read_samples(config(catalogue)).fingerprint


def test_arrays_follow_the_samples(catalogue: Catalogue) -> None:
    cfg = config(catalogue)
    result, arrays = load_arrays(cfg, data.read_samples(cfg))
    assert arrays.x.shape == (12, 1, 3)
    for sample_, row in zip(result.samples, arrays.x[:, 0], strict=True):
        subject, clip = (int(part[1:]) for part in sample_.sample_id.split("/")[1:])
        assert row.tolist() == [1.0 if sample_.emotion == "glad" else -1.0, subject, clip]
    assert len(set(arrays.pixels.digests)) == 12
    assert arrays.copies is None


def test_steps_run_once_and_then_come_from_the_cache(catalogue: Catalogue, tmp_path: Path) -> None:
    cfg, cache = config(catalogue, "[doubled]"), Cache(tmp_path)
    _, first = load_arrays(cfg, data.read_samples(cfg), cache)
    assert len(Doubled.calls) == 12
    assert first.notes == {"doubled": 12}
    _, again = load_arrays(cfg, data.read_samples(cfg), cache)
    assert len(Doubled.calls) == 12
    np.testing.assert_array_equal(first.x, again.x)
    assert (first.digests, first.pixels, first.notes) == (again.digests, again.pixels, again.notes)


def test_another_parameter_is_another_entry(catalogue: Catalogue, tmp_path: Path) -> None:
    for factor in (2, 3):
        cfg = config(catalogue, f"[{{plugin: doubled, factor: {factor}}}]")
        _, arrays = load_arrays(cfg, data.read_samples(cfg), Cache(tmp_path))
        assert arrays.x[0, 0, 0] == -factor


def test_a_changed_file_is_another_entry_and_an_unchanged_one_is_not_decoded(
    catalogue: Catalogue, tmp_path: Path
) -> None:
    root = tmp_path / "data"
    root.mkdir()
    for name in ("p0c0", "p0c1", "p1c0", "p1c1"):
        (root / name).write_bytes(bytes([1, int(name[1]), int(name[3]), 9]))
    cfg = config(catalogue, "[doubled]", f"{{plugin: filed, root: {root}}}")

    def load() -> list[int]:
        _, arrays = load_arrays(cfg, data.read_samples(cfg), Cache(tmp_path / "cache"))
        return arrays.x[:, 0, 3].tolist()

    assert load() == [18] * 4
    assert len(Filed.loads) == 4
    (root / "p1c0").write_bytes(bytes([1, 1, 0, 7]))
    assert load() == [18, 18, 14, 18]
    assert Filed.loads[4:] == ["filed/p1/p1c0"]


def test_a_rejected_clip_is_excluded_counted_and_named(catalogue: Catalogue) -> None:
    cfg = config(catalogue, "[picky]")
    result, arrays = load_arrays(cfg, data.read_samples(cfg))
    assert result.excluded == {"no face found": tuple(f"toy/p1/c{i}" for i in range(4))}
    assert len(result.samples) == len(arrays.x) == 8
    assert result.subjects == ["toy/p0", "toy/p2"]


def test_a_clip_that_the_loader_excludes_is_counted_and_named(toys: Catalogue) -> None:
    class Holes(Toy):
        def data_issues(self) -> Sequence[DataIssue]:
            return [
                DataIssue(what="clip folder missing", where="toy/p9/c9", excluded=True),
                DataIssue(what="apex missing", where="toy/p0/c0"),
            ]

    result = data.read_samples(config(with_plugins(toys, entry("dataset", Holes)), dataset="holes"))
    assert result.excluded == {"clip folder missing": ("toy/p9/c9",)}
    assert len(result.samples) == 12


def test_copies_are_in_the_order_of_their_originals(catalogue: Catalogue, tmp_path: Path) -> None:
    cfg, cache = config(catalogue, "[noisy, doubled]"), Cache(tmp_path)
    _, arrays = load_arrays(cfg, data.read_samples(cfg), cache)
    assert arrays.copies is not None
    assert arrays.copies.shape == (12, 2, 1, 3)
    _, plain = load_arrays(config(catalogue, "[doubled]"), data.read_samples(cfg))
    np.testing.assert_array_equal(arrays.x, plain.x)  # an original is never altered
    noise = arrays.copies / 2 - arrays.x[:, None] / 2
    assert 0.5 < noise.std() < 2
    assert len(np.unique(noise.round(4))) > 60  # each copy is drawn for itself
    _, again = load_arrays(cfg, data.read_samples(cfg), cache)
    np.testing.assert_array_equal(arrays.copies, again.copies)
    assert len(Doubled.calls) == 12 * 3 + 12


def test_two_augmentations_are_refused(catalogue: Catalogue) -> None:
    with pytest.raises(ConfigError, match="two augmentations, noisy and noisy"):
        config(catalogue, "[noisy, noisy]")


class _Bad:
    """Datasets that break the contract, one way each."""

    @staticmethod
    def returning(*found: Sample, frames: object = None) -> type[Dataset]:
        class Bad(Dataset):
            def label_map(self) -> Mapping[str, str]:
                return {"negative": "negative"}

            def samples(self) -> Sequence[Sample]:
                return found

            def load(self, sample: Sample) -> Clip:
                if frames is OSError:
                    raise PermissionError(13, "Permission denied", "some/file.png")
                given = frames[sample.sample_id] if isinstance(frames, dict) else frames
                return Clip(frames=given)  # pyright: ignore[reportArgumentType]

        return Bad


ONE, TWO = sample("toy/p1/c1"), sample("toy/p1/c2")


@pytest.mark.parametrize(
    ("cls", "message"),
    [
        (_Bad.returning(), "dataset 'bad' has no samples"),
        (_Bad.returning(ONE, ONE), "gives a sample id more than once: toy/p1/c1"),
        (_Bad.returning(replace(ONE, emotion="bored")), "no sample of dataset 'bad'.*no class for 'bored': 1"),
        (_Bad.returning(ONE, frames=np.zeros(3)), r"sample toy/p1/c1: load gave \(3,\), expected an array"),
        (_Bad.returning(ONE, frames=np.zeros((0, 3))), r"load gave \(0, 3\), expected an array"),
        (_Bad.returning(ONE, frames=[1]), "load gave list"),
        (_Bad.returning(ONE, frames=np.full((1, 2), np.nan)), "load gave values that are not finite numbers"),
        (_Bad.returning(ONE, frames=np.array([["a"]])), "load gave values that are not finite numbers"),
        (_Bad.returning(ONE, frames=OSError), "sample toy/p1/c1: .*Permission denied: 'some/file.png'"),
        (
            _Bad.returning(ONE, TWO, frames={ONE.sample_id: np.zeros((1, 2)), TWO.sample_id: np.zeros((2, 2))}),
            "samples differ in shape or type: 1 of 2",
        ),
    ],
)
def test_unusable_data_is_rejected(toys: Catalogue, cls: type[Dataset], message: str) -> None:
    cfg = config_of(
        "dataset: bad\nprotocol: loso\nmodels: [majority]", with_plugins(toys, entry("dataset", cls, "bad"))
    ).parts[0]
    with pytest.raises(DataError, match=message):
        load_arrays(cfg, data.read_samples(cfg))


def test_frames_become_samples_that_keep_clip_and_subject(toys: Catalogue) -> None:
    from tests.mexbench.config.test_frame_selection import Ramp

    catalogue = with_plugins(toys, entry("dataset", Ramp))
    text = "dataset: ramp\nframes: {{unit: frame, count: {}}}\nprotocol: loso\nmodels: [majority]"
    cfg = config_of(text.format(11), catalogue).parts[0]
    result, arrays = load_arrays(cfg, data.read_samples(cfg))
    assert [s.sample_id for s in result.samples][:2] == ["toy/p1/c1#10", "toy/p1/c1#12"]
    assert arrays.x.shape == (11, 1, 1, 1, 1)
    assert arrays.x.ravel().tolist() == list(range(20, 61, 4))
    assert len(set(arrays.pixels.digests)) == 11
    cfg = config_of(text.format(11).replace("frame,", "clip,"), catalogue).parts[0]
    assert load_arrays(cfg, data.read_samples(cfg))[1].x.shape == (1, 11, 1, 1, 1)
