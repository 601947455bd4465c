from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mexbench.errors import DataError
from mexbench_plugins.datasets._io import flow_packs
from mexbench_plugins.datasets.causalnet_maps import CausalNetMaps
from mexbench_plugins.datasets.megc2019_flow import Megc2019Flow
from tests.mexbench_plugins.datasets.causalnet_maps import CLIPS, HEADER, write_maps


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    return write_maps(tmp_path / "maps")


def maps(root: Path, **options: Any) -> CausalNetMaps:  # noqa: ANN401
    return CausalNetMaps(root=root, **{"expect": "any", **options})


def test_one_sample_per_clip_with_the_ids_of_megc2019_flow(pack: Path) -> None:
    samples = {s.sample_id: s for s in maps(pack).samples()}
    assert list(samples) == ["casme2/sub01/EP02_01f", "samm/014/014_5", "smic/s01/s01_ne_01"]
    assert [s.emotion for s in samples.values()] == ["positive", "negative", "surprise"]
    assert samples["samm/014/014_5"].subject == "samm/014"


def test_chosen_maps_become_the_time_axis_in_the_order_given(pack: Path) -> None:
    data = maps(pack, maps=("apex_offset_direction", "onset_apex"))
    frames = data.load(data.samples()[2]).frames
    assert frames.shape == (2, 28, 28, 3)
    assert frames[:, 0, 0].tolist() == [[23, 100, 200], [20, 100, 200]]
    reversed_channels = maps(pack, channels="bgr", maps=("onset_apex",))
    assert reversed_channels.load(data.samples()[2]).frames[0, 0, 0].tolist() == [200, 100, 20]


def test_only_chosen_maps_and_the_one_of_the_checksum_are_needed(pack: Path) -> None:
    (pack / "sub01_EP02_01f_3 .png").unlink()
    assert len(maps(pack, maps=("apex_offset",)).samples()) == 3
    with pytest.raises(DataError, match=r"1 map is missing: sub01_EP02_01f_3 \.png"):
        maps(pack).samples()


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda p: (p / "labels.csv").unlink(), "labels.csv: file not found"),
        (lambda p: (p / "labels.csv").write_text("a,b\n1,2\n"), "has no column dataset, sub, filename_o, label"),
        (lambda p: (p / "labels.csv").write_bytes(b"\xff\xfe,"), "cannot be read as UTF-8 text"),
        (lambda p: (p / "labels.csv").write_text(f"{HEADER}\n{CLIPS[0]}\nsamm,014\n"), "line 3: has fewer cells"),
        (lambda p: (p / "labels.csv").write_text(f"{HEADER}\ncasme2,sub01,EP02_01f,7\n"), "label '7'; choose from: 0"),
        (lambda p: (p / "labels.csv").write_text(f"{HEADER}\ncasme2,..,EP02_01f,1\n"), "'..' cannot be the name"),
        (
            lambda p: (p / "labels.csv").write_text(f"{HEADER}\n{CLIPS[0]}\n{CLIPS[0]}\n"),
            "is listed twice; remove one line of each",
        ),
    ],
)
def test_a_list_that_cannot_be_used_is_one_error(pack: Path, spoil: Callable[[Path], object], message: str) -> None:
    spoil(pack)
    with pytest.raises(DataError) as caught:
        maps(pack).samples()
    assert message in str(caught.value)


def test_a_map_named_twice_is_rejected(pack: Path) -> None:
    with pytest.raises(ValueError, match="a map is named twice"):
        maps(pack, maps=("onset_apex", "onset_apex"))


def test_rows_of_an_unverified_pack_are_flagged(pack: Path) -> None:
    assert maps(pack).flags() == ("unknown-pack",)
    with pytest.raises(DataError, match=r"250, 'positive': 109"):
        maps(pack, expect="published").samples()


def test_the_checksum_follows_pixels_and_ids_and_not_the_order(pack: Path) -> None:
    image, other = np.zeros((28, 28, 3), np.uint8), np.ones((28, 28, 3), np.uint8)
    digest = flow_packs.checksum([("a", image), ("b", other)])
    assert digest == flow_packs.checksum([("b", other), ("a", image)])
    assert digest != flow_packs.checksum([("a", other), ("b", image)])
    assert digest != flow_packs.checksum([("a", image), ("c", other)])


def test_the_published_pack_is_recognised(shared_data: Path) -> None:
    data = CausalNetMaps(root=shared_data / "causalnet_maps")
    samples = data.samples()
    assert Counter(s.dataset for s in samples) == {"smic": 164, "casme2": 145, "samm": 133}
    assert Counter(s.emotion for s in samples) == {"negative": 250, "positive": 109, "surprise": 83}
    assert data.flags() == ()
    pack = flow_packs.recognise(data.provenance()["pack"])
    assert pack is not None
    assert pack.plugin == "causalnet_maps"


def test_both_packs_have_the_same_clips_and_no_common_picture(shared_data: Path, real_flow: Path) -> None:
    flow = Megc2019Flow(root=real_flow)
    data = CausalNetMaps(root=shared_data / "causalnet_maps", maps=("onset_apex",))
    ours, theirs = {s.sample_id: s for s in data.samples()}, {s.sample_id: s for s in flow.samples()}
    assert {i: s.emotion for i, s in ours.items()} == {i: s.emotion for i, s in theirs.items()}
    same = [i for i in ours if np.array_equal(data.load(ours[i]).frames, flow.load(theirs[i]).frames)]
    assert same == []


def test_a_linear_svm_agrees_with_scikit_learn_prediction_by_prediction(
    shared_data: Path, tmp_path: Path, bench: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    import csv

    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import SVC

    from tests.helpers import ROOT

    monkeypatch.setenv("CAUSALNET_MAPS_ROOT", str(shared_data / "causalnet_maps"))
    config = ROOT / "configs" / "loso_causalnet_maps.yaml"
    assert bench("run", config, "--set", "models=[{plugin: svm, kernel: linear, C: 0.001, class_weight: balanced}]",
                 "--out", tmp_path / "out").code == 0  # fmt: skip
    with (tmp_path / "out" / "predictions.csv").open(encoding="utf-8") as stream:
        predicted = {row["sample_id"]: row["y_pred"] for row in csv.DictReader(stream)}
    data = CausalNetMaps(root=shared_data / "causalnet_maps", maps=("onset_apex",))
    samples = sorted(data.samples(), key=lambda s: s.sample_id)
    x = np.stack([data.load(s).frames.ravel() for s in samples]).astype(np.float64)
    y, subjects = np.array([s.emotion for s in samples]), np.array([s.subject for s in samples])
    expected = {}
    for subject in np.unique(subjects):
        test = subjects == subject
        scaler = StandardScaler().fit(x[~test])
        model = SVC(kernel="linear", C=0.001, class_weight="balanced").fit(scaler.transform(x[~test]), y[~test])
        for index, label in zip(np.flatnonzero(test), model.predict(scaler.transform(x[test])), strict=True):
            expected[samples[index].sample_id] = label
    assert predicted == expected
