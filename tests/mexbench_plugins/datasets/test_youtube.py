"""Films beside a list, through the data set and through the harness."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mexbench.config.frame_selection import FrameSelection, load
from mexbench.data.arrays import load_arrays
from mexbench.data.samples import read_samples
from mexbench.data.video.reader import VARIABLE
from mexbench.errors import DataError
from mexbench.registry.catalogue import Catalogue
from mexbench.testing import assert_conforms
from mexbench_plugins.datasets import youtube
from mexbench_plugins.datasets.youtube import Youtube
from tests import films
from tests.helpers import Ran, config_of

HEADER = "clip_id,path,subject,condition,start_s,end_s,emotion,source_url\n"


@pytest.fixture
def listed(tmp_path: Path) -> Path:
    films.write(tmp_path / "films" / "one.mp4", films.plain(29), fps=20)
    films.write(tmp_path / "two.avi", films.plain(10), fps=5)
    path = tmp_path / "clips.csv"
    path.write_text(
        HEADER
        + "a,films/one.mp4,anna,before,,,Happy,\n"
        + "b,films/one.mp4,anna,after,0.5,1.0,angry,\n"
        + "c,two.avi,,,,,,\n"
    )
    return path


def test_samples(listed: Path) -> None:
    a, b, c = Youtube(manifest=listed).samples()
    assert (a.sample_id, a.subject, a.condition, a.emotion) == ("youtube/a", "youtube/anna", "before", "happy")
    assert (b.condition, b.emotion, b.fps) == ("after", "angry", 10)
    assert (c.subject, c.condition, c.emotion, c.fps) == (None, None, None, 5)
    assert Youtube(manifest=listed).label_map() == {"angry": "anger", "happy": "happiness"}
    assert Youtube(manifest=listed).frame_numbers(b) == [500, 600, 700, 800, 900]


def test_frames(listed: Path) -> None:
    dataset = Youtube(manifest=listed)
    a, b, c = dataset.samples()
    clip = dataset.load(a)
    assert [films.number(frame) for frame in clip.frames] == list(range(0, 29, 2))
    assert (clip.fps, clip.notes) == (pytest.approx(10), ())
    assert [films.number(frame) for frame in dataset.load(b).frames] == [10, 12, 14, 16, 18]
    chosen = dataset.load_frames(a, [1200, 300])
    assert [films.number(frame) for frame in chosen.frames] == [24, 6]
    assert dataset.load(c).frames.shape == (10, 48, 64, 3)
    with pytest.raises(DataError, match=r"line 2: no frame at 333 ms; 1 of 2 were found"):
        dataset.load_frames(a, [333, 400])


def test_the_conformance_kit(listed: Path) -> None:
    assert_conforms(Youtube(manifest=listed, fps=3))


def test_frames_and_clips_as_samples(listed: Path) -> None:
    dataset = Youtube(manifest=listed)
    sample = dataset.samples()[0]
    each = FrameSelection(unit="frame", fps=5)
    pick = each.pick(dataset, sample)
    assert [part.sample_id for part in each.split(sample, pick)][:3] == [
        "youtube/a#0",
        "youtube/a#200",
        "youtube/a#400",
    ]
    three = load(dataset, sample, FrameSelection(unit="clip", count=3).pick(dataset, sample))
    assert [films.number(frame) for frame in three.frames] == [0, 14, 28]


def test_samples_of_a_run(tmp_path: Path, builtin: Catalogue) -> None:
    films.person(tmp_path / "a.mp4", 1)
    films.person(tmp_path / "b.mp4", 1, fps=20)
    films.nobody(tmp_path / "c.mp4", 1)
    films.uneven(tmp_path / "b.mp4", [(10, 1), (10, 3)])
    (tmp_path / "clips.csv").write_text(
        "clip_id,path,subject,emotion\na,a.mp4,x,fear\nb,b.mp4,y,joy\nc,c.mp4,z,joy\nd,a.mp4,z,\ne,b.mp4,z,fear\n"
    )
    config = config_of(
        f"dataset: {{plugin: youtube, manifest: '{tmp_path / 'clips.csv'}'}}\nframes: {{unit: frame, fps: 5}}\n"
        "preprocess: [face, {plugin: resize, size: 20}]\nprotocol: loso\nmodels: [majority]",
        builtin,
    )
    data, arrays = load_arrays(config.parts[0], read_samples(config.parts[0]))
    assert data.excluded == {
        "unlabelled": ("youtube/d",),
        "no face found in the onset frame (face: none: reject)": ("youtube/c",),
    }
    assert arrays.notes == {VARIABLE: 2}
    assert arrays.x.shape[1:] == (1, 20, 20, 3)
    assert data.classes == ("fear", "happiness")


def test_a_case_study_of_unlabelled_films(tmp_path: Path, bench: Callable[..., Ran]) -> None:
    for index in range(4):
        films.person(tmp_path / f"{index}.mp4", 1 + index / 10)
    (tmp_path / "lab.csv").write_text("clip_id,path,subject,emotion\na,0.mp4,x,fear\nb,1.mp4,y,joy\n")
    (tmp_path / "wild.csv").write_text("clip_id,path,condition\nc,2.mp4,before\nd,3.mp4,after\n")
    (tmp_path / "study.yaml").write_text(
        f"dataset:\n- {{plugin: youtube, title: lab, manifest: '{tmp_path / 'lab.csv'}'}}\n"
        f"- {{plugin: youtube, title: wild, manifest: '{tmp_path / 'wild.csv'}'}}\n"
        "frames: {unit: clip, count: 3}\npreprocess: [face, grayscale, {plugin: resize, size: 16}]\n"
        "protocol: {plugin: case_study, train: [lab], apply: wild}\nmodels: [majority]\n"
    )
    ran = bench("run", tmp_path / "study.yaml", "--out", tmp_path / "run")
    assert ran.code == 0, ran.err
    with (tmp_path / "run" / "predictions.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert [(row["clip_id"], row["y_true"], row["y_pred"]) for row in rows] == [
        ("wild/c", "", "fear"), ("wild/d", "", "fear")
    ]  # fmt: skip
    assert [line.split()[0] for line in ran.out.splitlines() if line.startswith(("before", "after"))] == [
        "after", "before"
    ]  # fmt: skip


def test_clip_larger_than_memory_limit_is_rejected(listed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(youtube, "MOST_BYTES", 10_000)
    dataset = Youtube(manifest=listed)
    with pytest.raises(DataError, match=r"line 2: 15 frames of 64x48: .* choose fewer .* or use 'bench predict'"):
        dataset.load(dataset.samples()[0])


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("x,none.mp4,,,,,,", r"line 5: file not found: .*none\.mp4; 1 film is missing: x"),
        ("x,song.mp4,,,,,,", r"line 5: .*song\.mp4: is a WAVE sound file"),
        ("x,two.avi,,,3,4,,", r"line 5: start_s 3 or end_s 4 lies behind the film's end, 2\.000 s"),
        ("x,two.avi,,,0,60,,", r"line 5: start_s 0 or end_s 60 lies behind"),
        ("a,two.avi,,,,,,", r"line 5: duplicate clip_id 'a'"),
    ],
)
def test_invalid_lines_are_rejected(line: str, text: str, listed: Path) -> None:
    films.sound(listed.parent / "song.mp4")
    listed.write_text(listed.read_text() + line + "\n")
    with pytest.raises(DataError, match=text):
        Youtube(manifest=listed).samples()


def test_unknown_clip_is_rejected(listed: Path) -> None:
    dataset = Youtube(manifest=listed)
    other = Youtube(manifest=listed, title="other").samples()[0]
    with pytest.raises(DataError, match="no clip 'other/a'"):
        dataset.load(other)


def test_the_real_film(shared_data: Path, tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes((shared_data / "video" / "single_face.mp4").read_bytes())
    (tmp_path / "clips.csv").write_text("clip_id,path\na,a.mp4\n")
    dataset = Youtube(manifest=tmp_path / "clips.csv")
    clip = dataset.load(dataset.samples()[0])
    assert clip.frames.shape == (24, 360, 640, 3)
    assert np.ptp(clip.frames) == 255
