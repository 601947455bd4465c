"""Frames of long videos: what ``load_video`` reads of each layout, and a run on each."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mexbench.data.image import read_image
from mexbench.errors import DataError, SampleRejected
from mexbench.interfaces import LongVideo
from mexbench_plugins.datasets.casme3 import Casme3
from mexbench_plugins.datasets.casme_squared import CasmeSquared
from mexbench_plugins.datasets.samm_long import SammLong
from mexbench_plugins.datasets.smic_long import SmicLong
from mexbench_plugins.synth.standin_options import StandIn
from tests.helpers import Ran
from tests.mexbench_plugins.datasets.layouts import write_frames
from tests.mexbench_plugins.datasets.test_long_videos import casme_squared, samm_long, smic_long


def test_every_frame_is_read_from_the_first_to_the_last(tmp_path: Path) -> None:
    dataset = SmicLong(root=smic_long(tmp_path))
    video = dataset.videos()[1]
    clip = dataset.load_video(video)
    assert (clip.frames.shape, clip.fps) == ((12, 12, 16, 3), 100.0)
    paths = dataset.video_files(video)
    assert [path.name for path in paths] == [f"image{number}.jpg" for number in range(200, 212)]
    assert np.array_equal(clip.frames[5], read_image(tmp_path / "HS/s3/s3_sur_02/image205.jpg"))


def test_large_frames_are_reduced_and_small_ones_are_not(tmp_path: Path) -> None:
    root = samm_long(tmp_path)
    assert SammLong(root=root).load_video(SammLong(root=root).videos()[0]).frames.shape == (12, 12, 16, 1)
    from mexbench_plugins.datasets._io.long_videos import VideoFolder

    video = SammLong(root=root).videos()[0]
    reduced = VideoFolder(video, root / "SAMM_longvideos" / "006_1").load(8).frames
    assert reduced.shape == (12, 6, 8, 1)
    first = read_image(root / "SAMM_longvideos/006_1/006_1_0001.jpg")[..., 0].astype(float)
    means = first.reshape(6, 2, 8, 2).mean(axis=(1, 3))
    assert np.abs(reduced[0, ..., 0] - means).max() <= 1


def test_a_gap_excludes_its_video(tmp_path: Path) -> None:
    root = samm_long(tmp_path)
    (root / "SAMM_longvideos/006_1/006_1_0007.jpg").unlink()
    dataset = SammLong(root=root)
    with pytest.raises(SampleRejected, match="frames are missing between the first and the last"):
        dataset.load_video(dataset.videos()[0])
    assert dataset.load_video(dataset.videos()[1]).frames.shape == (12, 12, 16, 1)


def test_frames_of_two_sizes_are_rejected_by_name(tmp_path: Path) -> None:
    root = samm_long(tmp_path)
    path = root / "SAMM_longvideos/006_1/006_1_0007.jpg"
    other = read_image(path)[::2]
    import cv2

    cv2.imwrite(str(path), other)
    dataset = SammLong(root=root)
    with pytest.raises(DataError, match=r"006_1_0007.jpg: is 16x6 with 1 channels, 006_1_0001.jpg 16x12 with 1"):
        dataset.load_video(dataset.videos()[0])


def test_a_video_of_another_data_set_is_rejected(tmp_path: Path) -> None:
    dataset = SmicLong(root=smic_long(tmp_path))
    video = LongVideo(video_id="x/y", subject="x", dataset="x", fps=30, frames=(1, 2), intervals=())
    with pytest.raises(DataError, match="no long video 'x/y' in this copy; videos: smic_long/s01/s1_ne_01"):
        dataset.load_video(video)


def test_videos_that_no_row_names_are_videos_without_expression(tmp_path: Path) -> None:
    root = casme_squared(tmp_path)
    write_frames(root / "rawpic/s16/16_0101disgustingteeth", range(1, 6))
    videos = {video.video_id: video for video in CasmeSquared(root=root).videos()}
    assert videos["casme_squared/s16/0101"].intervals == ()
    assert videos["casme_squared/s16/0101"].frames == (1, 5)
    assert len(videos) == 3
    assert len(CasmeSquared(root=root).samples()) == 3  # clips of expressions only


def test_casme3_has_the_videos_without_micro_expression(tmp_path: Path) -> None:
    from mexbench_plugins.synth.standin import write_stand_in

    root = write_stand_in("casme3", StandIn(subjects=2, clips=3, frames=8, width=160, height=120), tmp_path / "data")
    before = Casme3(root=root).videos()
    (subject,) = {video.subject.rpartition("/")[2] for video in before[:1]}
    write_frames(next(root.rglob(subject)) / "m" / "color", range(1, 4))
    after = Casme3(root=root).videos()
    (new,) = {video.video_id for video in after} - {video.video_id for video in before}
    assert new == f"casme3/{subject}/m"
    assert not next(video for video in after if video.video_id == new).intervals


@pytest.mark.parametrize("name", ["casme_squared", "samm_long", "smic_long", "casme3"])
def test_a_run_on_the_stand_in_of_each_layout(name: str, tmp_path: Path, bench: Callable[..., Ran]) -> None:
    config = tmp_path / "spotting.yaml"
    config.write_text(
        f"target: spotting\nprotocol: loso\npreprocess: [grayscale, {{plugin: resize, size: 24}}]\n"
        f"dataset: {{plugin: {name}, root: stand-in, "
        "stand_in: {subjects: 3, clips: 4, frames: 10, width: 160, height: 120}}\n"
        "models: [random_intervals, frame_difference]\n"
    )
    ran = bench("run", config, "--out", tmp_path / "run")
    assert ran.code == 0, ran.err
    scores = json.loads((tmp_path / "run/scores.json").read_text())
    null, spotter = scores["rows"]
    assert (spotter["n_subjects"], spotter["folds"]) == (3, 3)
    assert spotter["n_videos"] == null["n_videos"] >= 3
    assert spotter["counts"]["micro"]["tp"] + spotter["counts"]["micro"]["fn"] == scores["support"]["micro"] > 0
    assert spotter["f1"] is not None
    assert spotter["minutes"] > 0
