from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mexbench.errors import DataError
from mexbench.interfaces import Sample
from mexbench.registry.parameters import build
from mexbench_plugins.datasets.image_folder import ImageFolder
from tests.mexbench_plugins.datasets.layouts import encode, image, write_frames


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write_frames(tmp_path / "happy", [1, 2], "{}.jpg")
    write_frames(tmp_path / "angry", [3], "{}.png", size=(7, 9), gray=True)
    return tmp_path


@pytest.fixture
def parted(tmp_path: Path) -> Path:
    for part in ("train", "test"):
        write_frames(tmp_path / part / "happy", [1, 2], "{}.jpg")
        write_frames(tmp_path / part / "angry", [3], "{}.jpg")
    return tmp_path


def test_class_folders(root: Path) -> None:
    dataset = ImageFolder(root=root)
    samples = {sample.sample_id: sample for sample in dataset.samples()}
    assert sorted(samples) == ["image_folder/angry/3.png", "image_folder/happy/1.jpg", "image_folder/happy/2.jpg"]
    assert samples["image_folder/angry/3.png"] == Sample(
        sample_id="image_folder/angry/3.png",
        clip_id="image_folder/angry/3.png",
        subject=None,
        dataset="image_folder",
        emotion="angry",
    )
    assert list(dataset.label_map()) == ["angry", "happy"]
    assert dataset.data_issues() == []


def test_images_of_any_size(root: Path) -> None:
    dataset = ImageFolder(root=root)
    gray, colour = dataset.samples()[:2]
    assert dataset.load(gray).frames.shape == (1, 7, 9, 1)
    assert (dataset.load(gray).frames == 3).all()
    assert dataset.load(colour).frames.shape == (1, 12, 16, 3)
    assert dataset.files(colour) == (root / "happy" / "1.jpg",)
    assert dataset.frame_numbers(colour) == ()


def test_the_part_stays_in_the_id(parted: Path) -> None:
    dataset = ImageFolder(root=parted, title="fer")
    assert sorted(sample.sample_id for sample in dataset.samples()) == [
        "fer/test/angry/3.jpg",
        "fer/test/happy/1.jpg",
        "fer/test/happy/2.jpg",
        "fer/train/angry/3.jpg",
        "fer/train/happy/1.jpg",
        "fer/train/happy/2.jpg",
    ]
    assert {sample.dataset for sample in dataset.samples()} == {"fer"}
    assert dict(dataset.label_map()) == {"angry": "angry", "happy": "happy"}


def test_files_outside_the_class_folders_are_reported(parted: Path) -> None:
    (parted / "stray.jpg").write_bytes(encode(image(1), ".jpg"))
    (parted / "train" / "happy" / "notes.txt").touch()
    (parted / "test" / "sad").mkdir()
    dataset = ImageFolder(root=parted)
    assert [(issue.what, Path(issue.where).name) for issue in dataset.data_issues()] == [
        ("image outside the class folders", "stray.jpg"),
        ("class folder without images", "sad"),
        ("file is not an image", "notes.txt"),
    ]
    assert list(dataset.label_map()) == ["angry", "happy"]


def test_a_class_folder_beside_train_and_test(parted: Path) -> None:
    (parted / "sad").mkdir()
    with pytest.raises(DataError, match="sad: class folders cannot lie beside train and test"):
        ImageFolder(root=parted).samples()


def test_broken_images(root: Path) -> None:
    (root / "happy" / "1.jpg").write_bytes(b"")
    (root / "happy" / "4.png").mkdir()
    dataset = ImageFolder(root=root)
    by_name = {sample.sample_id.rpartition("/")[2]: sample for sample in dataset.samples()}
    with pytest.raises(DataError, match=r"1\.jpg: is empty"):
        dataset.load(by_name["1.jpg"])
    with pytest.raises(DataError, match=r"4\.png: is a folder"):
        dataset.load(by_name["4.png"])
    sample = Sample(sample_id="x", clip_id="x", subject=None, dataset="image_folder", emotion=None)
    with pytest.raises(DataError, match="no image 'x'"):
        dataset.load(sample)


def test_sixteen_bits(tmp_path: Path) -> None:
    (tmp_path / "happy").mkdir()
    (tmp_path / "happy" / "a.png").write_bytes(encode(np.full((4, 4), 514, np.uint16), ".png"))
    dataset = ImageFolder(root=tmp_path)
    assert (dataset.load(dataset.samples()[0]).frames == 2).all()


@pytest.mark.parametrize(
    ("make", "message"),
    [("nothing", "no such folder"), ("empty", "is empty"), ("hollow", r"no \.bmp, \.jpeg, \.jpg, \.png in any class")],
)
def test_wrong_root_is_reported(tmp_path: Path, make: str, message: str) -> None:
    root = tmp_path / "root"
    if make != "nothing":
        root.mkdir()
    if make == "hollow":
        (root / "happy").mkdir()
    with pytest.raises(DataError, match=message):
        ImageFolder(root=root).samples()


def test_titles(root: Path) -> None:
    plugin, errors = build(ImageFolder, {"root": str(root), "title": ""})
    assert plugin is None
    assert errors[0][0] == ("title",)
    with pytest.raises(DataError, match="title: 'a/b' cannot be the name of a folder"):
        ImageFolder(root=root, title="a/b").samples()
