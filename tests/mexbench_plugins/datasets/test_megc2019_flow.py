from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from mexbench.errors import DataError
from mexbench_plugins.datasets.megc2019_flow import Megc2019Flow
from tests.helpers import Ran, flow_image, write_flow


def dataset(root: Path, **options: Any) -> Megc2019Flow:  # noqa: ANN401
    return Megc2019Flow(root=root, **{"expect": "any", **options})


def test_ids_join_with_other_loaders_of_the_same_clips(flow_pack: Path) -> None:
    samples = {s.sample_id: s for s in dataset(flow_pack).samples()}
    assert len(samples) == 12
    sample = samples["casme2/sub01/c00"]
    assert (sample.subject, sample.clip_id, sample.dataset, sample.emotion) == (
        "casme2/sub01", "casme2/sub01/c00", "casme2", "negative",
    )  # fmt: skip
    assert Counter(s.dataset for s in samples.values()) == {"casme2": 4, "smic": 3, "samm": 5}
    assert samples["smic/s01/c02"].emotion == "surprise"


def test_channels(flow_pack: Path) -> None:
    for channels, expected in (("rgb", flow_image(1)), ("bgr", flow_image(1)[..., ::-1])):
        data = dataset(flow_pack, channels=channels)
        data.samples()
        clip = data.load(next(s for s in data.samples() if s.sample_id == "casme2/sub01/c00"))
        np.testing.assert_array_equal(clip.frames, expected[None])
        assert clip.frames.dtype == np.uint8


def test_system_files_and_training_copies_are_ignored(flow_pack: Path) -> None:
    (flow_pack / ".DS_Store").touch()
    (flow_pack / "__MACOSX").mkdir()
    (flow_pack / "sub01" / "u_test" / "0" / "Thumbs.db").touch()
    shutil.copytree(flow_pack / "s01" / "u_test", flow_pack / "sub01" / "u_train")
    assert len(dataset(flow_pack).samples()) == 12


def test_the_real_pack(real_flow: Path) -> None:
    samples = Megc2019Flow(root=real_flow).samples()
    assert len(samples) == 442
    assert Counter(s.dataset for s in samples) == {"smic": 164, "casme2": 145, "samm": 133}
    assert Counter(s.emotion for s in samples) == {"negative": 250, "positive": 109, "surprise": 83}
    subjects = Counter((s.dataset, s.subject) for s in samples)
    assert Counter(member for member, _ in subjects) == {"casme2": 24, "samm": 28, "smic": 16}
    assert sum(count == 1 for count in subjects.values()) == 8
    one_class = [subject for subject in subjects if len({s.emotion for s in samples if s.subject == subject[1]}) == 1]
    assert len(one_class) == 23


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (shutil.rmtree, "no such folder; 'root' must be the folder of <root>/<subject>/u_test"),
        (lambda root: [shutil.rmtree(p) for p in root.iterdir()], "is empty; expected <root>/<subject>/u_test"),
        (lambda root: (root / "subject7").mkdir(), "subject7: not a subject of MEGC2019 (sub01, s01 or 006)"),
        (lambda root: shutil.rmtree(root / "s01" / "u_test"), "s01: has no folder u_test"),
        (lambda root: (root / "s01/u_test/3").mkdir(), "u_test/3: expected a class folder: 0, 1, 2"),
        (lambda root: (root / "s01/u_test/0/x.jpg").touch(), "x.jpg: expected a PNG file"),
        (
            lambda root: shutil.copy(root / "s01/u_test/0/s01_c00 .png", root / "s01/u_test/1/s01_c00 .png"),
            "clip smic/s01/c00 is in two class folders",
        ),
    ],
)
def test_inconsistent_packs_are_rejected(flow_pack: Path, spoil: Callable[[Path], object], message: str) -> None:
    spoil(flow_pack)
    with pytest.raises(DataError) as caught:
        dataset(flow_pack).samples()
    assert message in str(caught.value)


def test_the_folder_above_is_recognised(flow_pack: Path) -> None:
    with pytest.raises(DataError, match=r"did you mean root: .*pack\?"):
        dataset(flow_pack.parent).samples()


def test_a_half_copied_pack_is_refused_with_what_is_missing(flow_pack: Path) -> None:
    with pytest.raises(DataError) as caught:
        dataset(flow_pack, expect="published").samples()
    assert "12 clips, 442 were published" in str(caught.value)
    assert "006 negative: 1 of 9" in str(caught.value)
    assert "set 'expect: any'" in str(caught.value)


def test_missing_class_folder_of_the_real_pack_is_reported(real_flow: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(real_flow, tmp_path / "copy")
    shutil.rmtree(copy / "s03" / "u_test" / "2")
    with pytest.raises(DataError, match="s03 surprise: 0 of 6; copy the pack again"):
        Megc2019Flow(root=copy).samples()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty (0 bytes); copy it again"),
        (b"no image", "is not a readable image (8 bytes)"),
        (cv2.imencode(".png", np.zeros((28, 27, 3), np.uint8))[1].tobytes(), "expected 28x28 pixels"),
        (cv2.imencode(".png", np.zeros((28, 28), np.uint8))[1].tobytes(), "got (28, 28, 1) uint8"),
        (cv2.imencode(".png", np.zeros((28, 28, 3), np.uint16))[1].tobytes(), "got (28, 28, 3) uint16"),
    ],
)
def test_invalid_images_are_rejected(flow_pack: Path, content: bytes, message: str) -> None:
    (flow_pack / "sub01/u_test/0/sub01_c00 .png").write_bytes(content)
    data = dataset(flow_pack)
    with pytest.raises(DataError) as caught:
        data.load(next(s for s in data.samples() if s.sample_id == "casme2/sub01/c00"))
    assert message in str(caught.value)
    assert "sub01_c00 .png" in str(caught.value)


CONFIG = "dataset: {{plugin: megc2019_flow, root: {}, expect: any}}\nprotocol: loso\nmodels: [majority]\n"


@pytest.fixture
def check(tmp_path: Path, bench: Callable[..., Ran]) -> Callable[[Path], Ran]:
    def check(root: Path) -> Ran:
        (tmp_path / "c.yaml").write_text(CONFIG.format(root))
        return bench("check", tmp_path / "c.yaml")

    return check


def test_bench_check_reads_every_image(flow_pack: Path, check: Callable[[Path], Ran]) -> None:
    ran = check(flow_pack)
    assert ran.code == 0
    assert "loso: 4 folds, nothing on both sides of one; 4 tasks" in ran.out
    image = flow_pack / "s01/u_test/1/s01_c01 .png"
    image.write_bytes(image.read_bytes()[:60])
    ran = check(flow_pack)
    assert ran.code == 0
    assert "smic/s01/c01" in ran.out
    assert "is truncated: a PNG without its end (60 bytes)" in ran.out
    assert "at least 1 clip is excluded, for the reasons above" in ran.err
    assert "Traceback" not in ran.err


def test_the_same_pixels_under_two_subjects_are_refused(flow_pack: Path, check: Callable[[Path], Ran]) -> None:
    shutil.copy(flow_pack / "s01/u_test/1/s01_c01 .png", flow_pack / "006/u_test/1/006_c02 .png")
    ran = check(flow_pack)
    assert ran.code == 2
    assert "the same pixels on both sides: smic/s01/c01 trains, samm/006/c02 tests" in ran.err


def test_one_subject_or_one_class_alone_is_refused(tmp_path: Path, check: Callable[[Path], Ran]) -> None:
    ran = check(write_flow(tmp_path / "one", {"sub01": [0, 1, 2]}))
    assert ran.code == 2
    assert "needs at least two subjects" in ran.err
    ran = check(write_flow(tmp_path / "kind", {"sub01": [0, 1, 2], "sub02": [1, 1]}))
    assert ran.code == 2
    assert "its training side has one class, 'positive' (2 samples)" in ran.err
