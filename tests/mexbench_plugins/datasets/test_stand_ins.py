"""A stand-in in every layout: read by the loader of the original, checked, and run under LOSO."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import openpyxl
import pytest

from mexbench.registry.catalogue import Catalogue, load_catalogue
from mexbench.registry.parameters import build
from mexbench.testing import assert_conforms
from mexbench_plugins.datasets._io.synthetic_fallback import StandInDataset
from mexbench_plugins.datasets.published import megc2019_clips
from mexbench_plugins.synth.standin import LAYOUTS, StandIn, stand_in_root
from tests.helpers import ROOT, Ran

SMALL: Mapping[str, Any] = {"subjects": 4, "clips": 4, "width": 160, "height": 120, "frames": 6}
#: Layout -> the loader and its options.
LOADERS: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    **{name: (name, {}) for name in LAYOUTS if name not in {"casme3_c", "smic"}},
    "casme3_c": ("casme3", {"part": "C", "classes": 4}),
    "smic": ("smic", {"apexes": "middle"}),
}


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("stand-in")


@pytest.fixture(autouse=True)
def _built_once(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEXBENCH_CACHE", str(cache))


def stand_in(name: str) -> StandInDataset:
    plugin, options = LOADERS[name]
    entry = next(entry for entry in load_catalogue().entries if (entry.kind, entry.name) == ("dataset", plugin))
    dataset, errors = build(entry.load(), {"root": "stand-in", "stand_in": SMALL, **options})
    assert errors == []
    assert isinstance(dataset, StandInDataset)
    return dataset


@pytest.mark.parametrize("name", LAYOUTS)
def test_loader_reads_its_stand_in(name: str) -> None:
    dataset = stand_in(name)
    samples = dataset.samples()
    assert len(samples) == 16
    assert len({sample.subject for sample in samples}) == 4
    assert {sample.dataset for sample in samples} == {f"{dataset.dataset}-synthetic"}
    excluded = [issue for issue in dataset.data_issues() if issue.excluded]
    assert [issue.what for issue in excluded] == (["row names no clip"] if name == "smic_long" else [])
    assert not any(issue.what == "clip folder not in the sheet" for issue in dataset.data_issues())
    for sample in samples:
        assert sample.onset is not None
        assert sample.offset is not None
        assert list(dataset.frame_numbers(sample)) == list(range(sample.onset, sample.offset + 1))
    assert_conforms(dataset)


@pytest.mark.parametrize("name", ["casme3", "casme_squared", "samm_long", "smic_long"])
def test_stand_ins_of_long_videos_have_every_interval(name: str) -> None:
    dataset = stand_in(name)
    videos = dataset.videos()
    intervals = [interval for video in videos for interval in video.intervals]
    assert len(intervals) == 16
    assert Counter((i.onset, i.offset) for i in intervals) == Counter((s.onset, s.offset) for s in dataset.samples())
    assert ("macro" in {interval.kind for interval in intervals}) == (name in {"casme_squared", "samm_long"})
    for video in videos:
        assert video.frames is not None
        first, last = video.frames
        assert all(first < interval.onset <= interval.offset < last for interval in video.intervals)
        assert all(a.offset < b.onset for a, b in zip(video.intervals, video.intervals[1:], strict=False))


@pytest.mark.parametrize("name", LAYOUTS)
def test_check_and_loso(name: str, tmp_path: Path, bench: Callable[..., Ran]) -> None:
    plugin, options = LOADERS[name]
    block = ", ".join(
        f"{key}: {value}" for key, value in {"root": "stand-in", "stand_in": dict(SMALL), **options}.items()
    )
    config = tmp_path / "loso.yaml"
    config.write_text(
        f"dataset: {{plugin: {plugin}, {block}}}\n".replace("'", "")
        + "frames: {unit: clip, at: [onset, offset]}\npreprocess: [{plugin: resize, size: 16}]\n"
        "protocol: loso\nmodels: [majority]\n"
    )
    checked = bench("check", config)
    assert checked.code == 0, checked.err
    assert "loso: 4 folds" in checked.out
    ran = bench("run", config, "--out", tmp_path / "run")
    assert ran.code == 0, ran.err
    assert len((tmp_path / "run" / "predictions.csv").read_text().splitlines()) > 10


def test_the_sheet_of_casme3_has_the_traps_of_the_original() -> None:
    root = stand_in_root("casme3", StandIn(**SMALL))
    sheet = openpyxl.load_workbook(root / "cas(me)3_part_A_ME_label_JpgIndex_v2.xlsx")["label"]
    rows = list(sheet.iter_rows(min_row=2, values_only=True))
    assert all(isinstance(cell, str) for row in rows for cell in row)
    hidden = sum(dimension.hidden for dimension in sheet.row_dimensions.values())
    assert 0 < hidden < len(rows) == 16
    assert max(Counter((row[0], row[1]) for row in rows).values()) > 1
    assert "J" in [row[1] for row in rows]
    assert (root / "part_A/spNO.1/j/color").is_dir()
    assert not (root / "part_A/spNO.1/J").exists()


def test_no_two_layouts_share_a_face() -> None:
    """People of two data sets must not meet in a test across them: their first frames differ."""
    frames = {}
    for name in LAYOUTS:
        dataset = stand_in(name)
        frames[name] = [dataset.load(sample).frames[0].astype(float).mean(axis=2) for sample in dataset.samples()[:2]]
    names = list(frames)
    for index, name in enumerate(names):
        for other in names[index + 1 :]:
            assert all(np.abs(a - b).mean() > 5 for a in frames[name] for b in frames[other]), (name, other)


def test_megc2019_from_the_three_raw_data_sets(
    tmp_path: Path, bench: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in ("CASME2_ROOT", "SMIC_ROOT", "SAMM_ROOT", "SMIC_APEXES"):
        monkeypatch.delenv(variable, raising=False)
    config = ROOT / "configs" / "loso_megc2019_raw.yaml"
    arguments = ("--set", "preprocess=[{plugin: rgb}, {plugin: resize, size: 8}]", "--set", "models=[majority]")
    ran = bench("run", config, "--out", tmp_path / "run", *arguments)
    assert ran.code == 0, ran.err
    assert "442 samples, 68 subjects; negative 250, positive 109, surprise 83" in ran.err
    assert "24.08" in ran.out
    lines = (tmp_path / "run" / "predictions.csv").read_text().splitlines()
    ids = {cell.replace("-synthetic", "") for line in lines for cell in line.split(",") if cell.count("/") == 2}
    expected = {f"{name}/{clip}" for name in ("casme2", "smic", "samm") for clip in megc2019_clips(name)}
    assert ids == expected


def test_the_list_of_megc2019_is_the_boards() -> None:
    lines = (ROOT / "leaderboards" / "samples" / "loso_megc2019_flow.csv").read_text().splitlines()[1:]
    assert sorted(line.split(",")[1] for line in lines) == sorted(
        f"{name}/{clip}" for name in ("casme2", "smic", "samm") for clip in megc2019_clips(name)
    )


def test_the_selection_of_megc2019_of_the_real_sheet(casme2_sheet: Path, tmp_path: Path) -> None:
    from mexbench_plugins.datasets.casme2 import Casme2
    from tests.mexbench_plugins.datasets.layouts import noise_frames

    (tmp_path / casme2_sheet.name).symlink_to(casme2_sheet)
    book = openpyxl.load_workbook(casme2_sheet, read_only=True)
    for subject, clip, onset, _, offset, *_ in book.worksheets[0].iter_rows(min_row=2, values_only=True):
        folder = tmp_path / "CASME2_RAW_selected" / f"sub{subject}" / str(clip)
        noise_frames(folder, {int(str(onset)), int(str(offset))}, "img{}.jpg")
    book.close()
    dataset = Casme2(root=tmp_path, classes=3, selection="megc2019")
    classes = dataset.label_map()
    samples = dataset.samples()
    assert len(samples) == 145
    assert len({sample.subject for sample in samples}) == 24
    assert Counter(classes[str(s.emotion)] for s in samples) == {"negative": 88, "positive": 32, "surprise": 25}
    assert sum(issue.what == "not in the list of MEGC2019" for issue in dataset.data_issues()) == 110
    every = Casme2(root=tmp_path, classes=3)
    assert sum(sample.emotion in classes for sample in every.samples()) == 156


def test_the_catalogue_has_a_layout_for_every_loader_with_a_stand_in(builtin: Catalogue) -> None:
    for entry in builtin.entries:
        if entry.kind == "dataset" and issubclass(cls := entry.load(), StandInDataset):
            assert cls.dataset in LAYOUTS
