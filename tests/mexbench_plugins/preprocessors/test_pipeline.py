"""The built-in steps in the harness: named in a config, joined, cached, counted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from mexbench.config.run_config import RunConfig
from mexbench.data import samples as data
from mexbench.data.arrays import Arrays, load_arrays
from mexbench.data.cache import Cache
from mexbench.interfaces import Clip, Dataset, Sample
from mexbench.registry.catalogue import Catalogue
from tests.helpers import config_of, entry, sample, with_plugins
from tests.pictures import face_frame

SIZE = (240, 320)
FACES = {
    "s1/one": ((160, 120, 110),),
    "s1/two": ((90, 120, 80), (230, 120, 110)),
    "s2/none": (),
    "s2/one": ((150, 125, 120),),
    "s3/one": ((155, 115, 115),),
}


@dataclass(frozen=True, kw_only=True)
class Drawn(Dataset):
    """Clips of drawn faces that move by a pixel."""

    def label_map(self) -> Mapping[str, str]:
        return {"sad": "negative", "glad": "positive"}

    def samples(self) -> Sequence[Sample]:
        return [sample(f"drawn/{name}", emotion=("sad", "glad")[i % 2]) for i, name in enumerate(FACES)]

    def load(self, sample: Sample) -> Clip:
        places = FACES[sample.sample_id.partition("/")[2]]
        moved = [tuple((x + t, y, width) for x, y, width in places) for t in range(4)]
        frames = [face_frame(size=SIZE, faces=faces, seed=t) for t, faces in enumerate(moved)]
        return Clip(frames=np.stack(frames), fps=200.0, onset_index=0, apex_index=3, offset_index=3)


def config(toys: Catalogue, steps: str) -> RunConfig:
    text = f"dataset: drawn\npreprocess: {steps}\nprotocol: loso\nmodels: [majority]"
    return config_of(text, with_plugins(toys, entry("dataset", Drawn)))


def load(config: RunConfig, cache: Cache | None = None) -> tuple[data.LabelledSamples, Arrays]:
    return load_arrays(config.parts[0], data.read_samples(config.parts[0]), cache)


def test_a_clip_without_a_face_is_left_out_and_counted_and_two_faces_are_noted(toys: Catalogue) -> None:
    samples, arrays = load(config(toys, "[face, clahe, {plugin: resize, size: 32}]"))
    assert arrays.x.shape == (4, 4, 32, 32, 3)
    assert samples.excluded == {"no face found in the onset frame (face: none: reject)": ("drawn/s2/none",)}
    assert arrays.notes == {"several faces found: the largest taken": 1}


def test_full_frame_replaces_a_missing_face_with_a_note(toys: Catalogue) -> None:
    samples, arrays = load(config(toys, "[{plugin: face, none: whole}, {plugin: resize, size: 32}]"))
    assert len(arrays.x) == 5
    assert not samples.excluded
    assert arrays.notes["no face found: the whole frame kept"] == 1


@pytest.mark.parametrize(
    ("steps", "shape"),
    [
        ("[face, {plugin: resize, size: 64}, grayscale, {plugin: lbp_top, grid: 2}]", (1, 2 * 2 * 3 * 59)),
        ("[face, {plugin: resize, size: [48, 40]}, optical_flow, {plugin: resize, size: 28}]", (1, 28, 28, 3)),
        ("[face, {plugin: resize, size: 24}, {plugin: difference, onset: remove}]", (3, 24, 24, 3)),
        ("[face, {plugin: augment, copies: 2}, {plugin: resize, size: 24}, normalise]", (4, 24, 24, 3)),
        ("[face, grayscale, {plugin: resize, size: 48}, {plugin: lbp, output: histogram}]", (4, 256)),
    ],
)
def test_cached_arrays_equal_computed_arrays(
    toys: Catalogue, tmp_path: Path, steps: str, shape: tuple[int, ...]
) -> None:
    cfg = config(toys, steps)
    _, plain = load(cfg)
    _, first = load(cfg, Cache(tmp_path))
    _, again = load(cfg, Cache(tmp_path))
    assert plain.x.shape == (4, *shape)
    assert plain.digests == first.digests == again.digests
    assert plain.notes == first.notes == again.notes
    if plain.copies is None:
        assert again.copies is None
    else:
        assert again.copies is not None
        assert plain.copies.shape == (4, 2, *shape)
        np.testing.assert_array_equal(plain.copies, again.copies)
        assert not np.array_equal(plain.copies[:, 0], plain.copies[:, 1])
