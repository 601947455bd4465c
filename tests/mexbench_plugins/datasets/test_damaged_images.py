"""One damaged image costs its clip, which is named; the others are used."""

from __future__ import annotations

from pathlib import Path

import pytest

from mexbench.data.arrays import load_arrays
from mexbench.data.samples import read_samples
from mexbench.errors import ConfigError, DataError
from mexbench.interfaces import Sample
from mexbench.registry.catalogue import Catalogue
from mexbench_plugins.datasets.casme2 import Casme2
from mexbench_plugins.datasets.image_folder import ImageFolder
from tests.helpers import config_of
from tests.mexbench_plugins.datasets.layouts import encode, image, write_frames

CONFIG = "dataset: {{plugin: image_folder, root: {root}}}\nprotocol: holdout\nmodels: [majority]\n"


def folder_with_two_damaged_images(root: Path) -> Path:
    write_frames(root / "happy", range(1, 5), "{}.jpg")
    write_frames(root / "angry", range(5, 9), "{}.jpg")
    hole = encode(image(2), ".jpg")
    (root / "happy" / "2.jpg").write_bytes(hole[:-6] + hole[-2:])
    (root / "angry" / "7.jpg").write_bytes(b"")
    return root


def test_every_damaged_clip_is_excluded_and_named(tmp_path: Path, builtin: Catalogue) -> None:
    part = config_of(CONFIG.format(root=folder_with_two_damaged_images(tmp_path)), builtin).parts[0]
    data, arrays = load_arrays(part, read_samples(part))
    assert len(arrays.x) == len(data.samples) == 6
    rejected = data.rejected()
    assert sorted(rejected) == ["image_folder/angry/7.jpg", "image_folder/happy/2.jpg"]
    assert rejected["image_folder/angry/7.jpg"] == "damaged image: 7.jpg is empty (0 bytes); copy it again"
    assert rejected["image_folder/happy/2.jpg"].startswith("damaged image: 2.jpg is damaged: its decoder says ")
    assert str(tmp_path) not in "".join(rejected.values())


def test_damaged_refuse_lists_them_all(tmp_path: Path, builtin: Catalogue) -> None:
    text = CONFIG.format(root=folder_with_two_damaged_images(tmp_path)) + "damaged: refuse\n"
    part = config_of(text, builtin).parts[0]
    with pytest.raises(DataError, match=r"2 clips are damaged:\n  sample .*7\.jpg.*\n  sample .*2\.jpg.*\n"):
        load_arrays(part, read_samples(part))


def test_damaged_has_two_values(builtin: Catalogue) -> None:
    with pytest.raises(ConfigError, match="unknown value 'ignore'; choose from: exclude, refuse"):
        config_of(CONFIG.format(root="x") + "damaged: ignore\n", builtin)


def test_all_damaged_frames_of_a_clip_are_named(casme2_root: Path) -> None:
    dataset = Casme2(root=casme2_root)
    clip = next(sample for sample in dataset.samples() if len(dataset.frame_numbers(sample)) > 2)
    files = dataset.files(clip)
    files[0].write_bytes(b"")
    files[2].write_bytes(files[2].read_bytes()[:50])
    with pytest.raises(DataError) as error:
        dataset.load(clip)
    assert str(files[0]) in str(error.value)
    assert str(files[2]) in str(error.value)


def test_a_missing_image_is_an_error_of_its_clip(tmp_path: Path) -> None:
    write_frames(tmp_path / "happy", [1], "{}.jpg")
    dataset = ImageFolder(root=tmp_path)
    (sample,) = dataset.samples()
    assert isinstance(sample, Sample)
    (tmp_path / "happy" / "1.jpg").unlink()
    with pytest.raises(DataError, match=r"1\.jpg: cannot be read \(No such file"):
        dataset.load(sample)
