"""``bench predict`` as a user types it."""

from __future__ import annotations

import csv
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from mexbench.config.run_config import RowGroup
from mexbench.data.arrays import load_arrays
from mexbench.data.samples import read_samples
from mexbench.data.video.reader import ENDS_EARLY, TURNED, VARIABLE
from mexbench.files import read_json
from mexbench.registry.catalogue import Catalogue
from mexbench.runs import saved_model as saved
from mexbench.studies.inference import page
from mexbench.studies.inference import videos as predicted_films
from mexbench.studies.inference.answers import Answers, model_flags
from mexbench.studies.inference.tables import Tables
from tests import films
from tests.helpers import Ran, config_of
from tests.pictures import face_frame

Bench = Callable[..., Ran]


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def scores(row: dict[str, str]) -> list[float]:
    return [float(value) for name, value in row.items() if name.startswith("score_")]


def trained_way(builtin: Catalogue, film: Path, frames: str) -> RowGroup:
    """The same film through the data set and the pipeline that training goes through."""
    (film.parent / "one.csv").write_text(f"clip_id,path,emotion\na,{film.name},happy\n")
    text = (
        f"dataset: {{plugin: youtube, manifest: '{film.parent / 'one.csv'}'}}\nframes: {frames}\n"
        "preprocess: [face, grayscale, {plugin: resize, size: 16}]\nprotocol: loso\nmodels: [majority]"
    )
    return config_of(text, builtin).parts[0]


def test_frames_are_prepared_as_in_training(by_frame: Path, builtin: Catalogue, bench: Bench, tmp_path: Path) -> None:
    film = films.person(tmp_path / "a.mp4", 1)
    ran = bench("predict", film, "--model", by_frame, "--out", tmp_path / "out")
    assert (ran.code, ran.err.count("Traceback")) == (0, 0)
    part = trained_way(builtin, film, "{unit: frame, fps: 10}")
    expected = saved.load(by_frame, builtin)(load_arrays(part, read_samples(part))[1].x)
    frames, windows, clips = (rows(tmp_path / "out" / f"{name}.csv") for name in ("frames", "windows", "clips"))
    np.testing.assert_allclose([scores(row) for row in frames], expected, rtol=1e-5)
    np.testing.assert_allclose([scores(row) for row in windows], [expected.mean(0)], rtol=1e-5)
    np.testing.assert_allclose([scores(row) for row in clips], [expected.mean(0)], rtol=1e-5)
    assert [row["time_s"] for row in frames] == [f"{index / 10:.3f}" for index in range(10)]
    assert {row["faces"] for row in (*frames, *windows)} == {"one"}


def test_clips_are_prepared_as_in_training(by_clip: Path, builtin: Catalogue, bench: Bench, tmp_path: Path) -> None:
    film = films.person(tmp_path / "a.mp4", 1)
    assert bench("predict", film, "--model", by_clip, "--out", tmp_path / "out").code == 0
    part = trained_way(builtin, film, "{unit: clip, count: 4}")
    expected = saved.load(by_clip, builtin)(load_arrays(part, read_samples(part))[1].x)
    windows = rows(tmp_path / "out" / "windows.csv")
    np.testing.assert_allclose([scores(row) for row in windows], expected, rtol=1e-5)
    assert [(row["start_s"], row["end_s"], row["frames"]) for row in windows] == [("0.000", "1.000", "10")]


def test_a_frame_has_the_mean_of_its_windows(by_clip: Path, bench: Bench, tmp_path: Path) -> None:
    film = films.person(tmp_path / "a.mp4", 2)
    assert bench("predict", film, "--model", by_clip, "--out", tmp_path / "out").code == 0
    windows = rows(tmp_path / "out" / "windows.csv")
    assert [row["start_s"] for row in windows] == ["0.000", "0.500", "1.000"]
    first, second, third = (np.array(scores(row)) for row in windows)
    frames = rows(tmp_path / "out" / "frames.csv")
    assert len(frames) == 20
    np.testing.assert_allclose(scores(frames[4]), first, rtol=1e-4)
    np.testing.assert_allclose(scores(frames[5]), (first + second) / 2, rtol=1e-4)
    np.testing.assert_allclose(scores(frames[14]), (second + third) / 2, rtol=1e-4)
    np.testing.assert_allclose(scores(frames[15]), third, rtol=1e-4)
    clip = rows(tmp_path / "out" / "clips.csv")[0]
    np.testing.assert_allclose(scores(clip), (first + second + third) / 3, rtol=1e-4)
    assert list(clip)[:7] == ["clip_id", "path", "subject", "condition", "emotion", "predicted", "windows"]
    assert clip["windows"] == "3"
    assert clip["predicted"] == list(clip)[7 + int(np.argmax(scores(clip)))].removeprefix("score_")


def test_every_output_has_the_cautions_and_the_honest_score(by_frame: Path, bench: Bench, tmp_path: Path) -> None:
    ran = bench("predict", films.person(tmp_path / "a.mp4"), "--model", by_frame, "--out", tmp_path / "out")
    uf1 = 100 * read_json(by_frame / "model.json")["score"]["uf1"]
    text = (tmp_path / "out" / "README.md").read_text()
    for words in (page.RESEARCH, page.CONSENT, f"UF1 {uf1:.2f}", "under loso on casme2-synthetic", "flags: synthetic"):
        assert words in text
        assert words in " ".join(ran.err.replace("|", " ").split())
    for stage in ("decode", "detect", "preprocess", "predict", "all"):
        assert f"| {stage}" in ran.out
        assert f"| {stage}" in text
    assert "20 frames sampled" in ran.out
    image = cv2.imread(str(tmp_path / "out" / "timeline-a.mp4.png"))
    assert image is not None
    assert image.shape[1] > 1000
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "README.md", "clips.csv", "frames.csv", "timeline-a.mp4.png", "windows.csv"
    ]  # fmt: skip


def test_a_film_without_a_face(by_frame: Path, bench: Bench, tmp_path: Path) -> None:
    ran = bench("predict", films.nobody(tmp_path / "a.mp4"), "--model", by_frame, "--out", tmp_path / "out")
    assert ran.code == 0
    assert "a.mp4: no face was found in any of its 2 windows: nothing is predicted" in ran.out
    clip = rows(tmp_path / "out" / "clips.csv")[0]
    assert (clip["predicted"], clip["windows"], {clip[name] for name in clip if name.startswith("score")}) == (
        "",
        "0",
        {""},
    )
    assert {row["faces"] for row in rows(tmp_path / "out" / "frames.csv")} == {"none"}
    assert "no face found in any of its frames" in rows(tmp_path / "out" / "windows.csv")[0]["note"]


def test_frames_without_a_face_enter_no_mean(by_frame: Path, bench: Bench, tmp_path: Path) -> None:
    """A face, then a wall, inside one window: the window is split, and the wall is no frame of any mean."""
    person = [face_frame(size=(240, 320), faces=((160, 120, 110),), seed=i) for i in range(10)]
    wall = [face_frame(size=(240, 320), faces=(), seed=i) for i in range(10)]
    alone = films.write(tmp_path / "alone.mp4", person[:6])
    assert bench("predict", alone, "--model", by_frame, "--out", tmp_path / "alone").code == 0
    film = films.write(tmp_path / "a.mp4", [*person[:6], *wall[:4]])
    ran = bench("predict", film, "--model", by_frame, "--out", tmp_path / "out")
    windows = rows(tmp_path / "out" / "windows.csv")
    columns = ("start_s", "end_s", "scene", "frames", "frames_without_face", "faces")
    assert [[row[name] for name in columns] for row in windows] == [
        ["0.000", "0.600", "0", "6", "0", "one"],
        ["0.600", "1.000", "1", "4", "4", "none"],
    ]
    expected = scores(rows(tmp_path / "alone" / "clips.csv")[0])
    np.testing.assert_allclose(scores(windows[0]), expected, rtol=0.02)
    assert rows(tmp_path / "out" / "clips.csv")[0]["windows"] == "1"
    frames = rows(tmp_path / "out" / "frames.csv")
    assert [row["faces"] for row in frames] == ["one"] * 6 + ["none"] * 4
    assert [row["predicted"] == "" for row in frames] == [False] * 6 + [True] * 4
    assert "  4 of 10 frames: no face found: in no mean" in ran.out.splitlines()
    assert "  1 scene cut (at 0.6 s): no window spans one" in ran.out.splitlines()


@pytest.mark.parametrize("model", ["by-frame", "by-clip"])
def test_single_frames_without_a_face_are_not_used(model: str, models: Path, bench: Bench, tmp_path: Path) -> None:
    """The head is turned away, feature by feature, in the first frames and in one of the middle: there is no cut."""
    images = [face_frame(size=(240, 320), faces=((160, 120, 110),), seed=i) for i in range(10)]
    for index in (0, 1, 5):
        images[index][75:145, 118:202] = (180, 140, 115)  # no eyes, and no mouth
    film = films.write(tmp_path / "a.mp4", images)
    folder = models / model / "all" / "0"
    ran = bench("predict", film, "--model", folder, "--out", tmp_path / "out")
    assert ran.code == 0
    frames = rows(tmp_path / "out" / "frames.csv")
    assert [row["faces"] == "none" for row in frames] == [index in (0, 1, 5) for index in range(10)]
    assert [row["predicted"] == "" for row in frames] == [index in (0, 1, 5) for index in range(10)]
    (window,) = rows(tmp_path / "out" / "windows.csv")
    assert (window["faces"], window["frames"], window["frames_without_face"]) == ("one", "10", "3")
    assert window["note"] == "no face found in some frames: these are not used"
    if model == "by-frame":
        used = [scores(row) for row in frames if row["predicted"]]
        np.testing.assert_allclose(scores(window), np.mean(used, axis=0), rtol=1e-4)


def test_the_number_of_faces_is_that_of_each_frame(by_frame: Path, bench: Bench, tmp_path: Path) -> None:
    one = [face_frame(size=(240, 320), faces=((80, 120, 110),), seed=i) for i in range(3)]
    two = [face_frame(size=(240, 320), faces=((80, 120, 110), (240, 120, 90)), seed=i) for i in range(3)]
    film = films.write(tmp_path / "a.mp4", [*one, *two])
    assert bench("predict", film, "--model", by_frame, "--out", tmp_path / "out").code == 0
    assert [row["faces"] for row in rows(tmp_path / "out" / "frames.csv")] == ["one"] * 3 + ["several"] * 3


def picture(path: Path, *, gray: bool = False, faces: int = 1) -> Path:
    image = face_frame(size=(240, 320), faces=((160, 120, 110),)[:faces], seed=3)
    cv2.imwrite(str(path), image[..., 1] if gray else image[..., ::-1])
    return path


@pytest.mark.parametrize("model", ["by-frame", "on-apex"])
def test_a_still_picture_is_one_sample(
    model: str, models: Path, builtin: Catalogue, bench: Bench, tmp_path: Path
) -> None:
    folder = tmp_path / "photos"
    (folder / "x").mkdir(parents=True)
    path = picture(folder / "x" / "a.png")
    ran = bench("predict", path, "--model", models / model / "all" / "0", "--out", tmp_path / "out")
    assert (ran.code, ran.err.count("Traceback")) == (0, 0)
    text = (
        f"dataset: {{plugin: image_folder, root: '{folder}'}}\nprotocol: loso\nmodels: [majority]\n"
        "preprocess: [face, grayscale, {plugin: resize, size: 16}]"
    )
    part = config_of(text, builtin).parts[0]
    expected = saved.load(models / model / "all" / "0", builtin)(load_arrays(part, read_samples(part))[1].x)
    for name in ("frames", "windows", "clips"):
        (row,) = rows(tmp_path / "out" / f"{name}.csv")
        np.testing.assert_allclose([scores(row)], expected, rtol=1e-5)
    assert "a.png: 1 of 1 window predicted" in ran.out
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "README.md", "clips.csv", "frames.csv", "windows.csv"
    ]  # fmt: skip


def test_a_folder_of_stills(by_frame: Path, bench: Bench, tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    picture(folder / "a.jpg")
    picture(folder / "b.bmp", gray=True)
    picture(folder / "c.png", faces=0)
    (folder / "d.jpg").write_bytes((folder / "a.jpg").read_bytes()[:2000])
    films.person(folder / "e.mp4", 1)
    ran = bench("predict", folder, "--model", by_frame, "--out", tmp_path / "out")
    assert ran.code == 1
    assert "d.jpg: is truncated" in ran.err
    assert "c.png: no face was found in its one window: nothing is predicted" in ran.out
    clips = rows(tmp_path / "out" / "clips.csv")
    assert [(row["clip_id"], row["windows"]) for row in clips] == [
        ("a.jpg", "1"), ("b.bmp", "1"), ("c.png", "0"), ("e.mp4", "1")
    ]  # fmt: skip


def test_stills_for_a_model_of_motion_are_one_clear_error(by_clip: Path, bench: Bench, tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    picture(folder / "a.png")
    for target in (folder, folder / "a.png"):
        ran = bench("predict", target, "--model", by_clip, "--out", tmp_path / "out")
        assert ran.code == 2
        assert (
            "was trained on motion (frames: count: 4), and a still picture has none: give films, or give a model"
            in ran.err
        )
        assert ran.err.count("error:") == 1
    films.person(folder / "b.mp4", 1)
    ran = bench("predict", folder, "--model", by_clip, "--out", tmp_path / "out")
    assert ran.code == 0
    assert "1 not read, since this model cannot be asked about them: a.png" in ran.err
    assert [row["clip_id"] for row in rows(tmp_path / "out" / "clips.csv")] == ["b.mp4"]


def test_a_step_that_needs_motion_works_on_films(by_frame: Path, bench: Bench, tmp_path: Path) -> None:
    magnified = by_frame.parents[2] / "magnified" / "all" / "0"
    film = films.person(tmp_path / "b.mp4", 1)
    ran = bench("predict", film, "--model", magnified, "--out", tmp_path / "film")
    assert (ran.code, "b.mp4: 1 of 1 window predicted" in ran.out) == (0, True), ran.err + ran.out
    ran = bench("predict", picture(tmp_path / "a.png"), "--model", magnified, "--out", tmp_path / "still")
    assert (ran.code, ran.err.count("error:")) == (2, 1)
    assert "its step 'magnification' needs several frames, and a still picture is one: give films" in ran.err


def test_a_still_makes_no_film(by_frame: Path, bench: Bench, tmp_path: Path) -> None:
    ran = bench("predict", picture(tmp_path / "a.png"), "--model", by_frame, "--out", tmp_path / "out", "--video")
    assert ran.code == 2
    assert "--video: a still picture makes no film: leave --video out" in ran.err


def test_real_videos_are_predicted(by_clip: Path, shared_data: Path, bench: Bench, tmp_path: Path) -> None:
    ran = bench("predict", shared_data / "video" / "single_face.mp4", "--model", by_clip, "--out", tmp_path / "one")
    assert ran.code == 0
    assert "single_face.mp4: 4 of 4 windows predicted" in ran.out
    assert len(rows(tmp_path / "one" / "frames.csv")) == 24
    ran = bench("predict", shared_data / "video" / "no_face.mp4", "--model", by_clip, "--out", tmp_path / "none")
    assert ran.code == 0
    assert "no_face.mp4: no face was found in any of its 7 windows: nothing is predicted" in ran.out


def test_faces_that_come_and_go_are_counted(by_frame: Path, bench: Bench, tmp_path: Path) -> None:
    one = [face_frame(size=(240, 320), faces=((160, 120, 110),), seed=i) for i in range(10)]
    two = [face_frame(size=(240, 320), faces=((80, 120, 110), (240, 120, 90)), seed=i) for i in range(10)]
    film = films.write(tmp_path / "a.mp4", [*one, *two, *films.plain(10, (240, 320), step=2)])
    ran = bench("predict", film, "--model", by_frame, "--out", tmp_path / "out")
    assert [row["faces"] for row in rows(tmp_path / "out" / "windows.csv")] == ["one", "several", "none"]
    assert "2 of 3 windows predicted" in ran.out
    assert "no face in 1" in ran.out
    assert "1 of 3 windows: several faces found: the largest taken" in ran.out


def test_a_list_of_clips(by_frame: Path, bench: Bench, tmp_path: Path) -> None:
    films.person(tmp_path / "films" / "a.mp4", 3)
    films.nobody(tmp_path / "b.avi")
    (tmp_path / "clips.csv").write_text(
        "clip_id,path,subject,condition,start_s,end_s,emotion\n"
        "first,films/a.mp4,anna,before,1,2.5,happy\nsecond,b.avi,,after,,,\n"
    )
    assert bench("predict", tmp_path / "clips.csv", "--model", by_frame, "--out", tmp_path / "out").code == 0
    first, second = rows(tmp_path / "out" / "clips.csv")
    assert list(first.values())[:5] == ["first", "films/a.mp4", "anna", "before", "happy"]
    assert list(second.values())[:7] == ["second", "b.avi", "", "after", "", "", "0"]
    times = [row["time_s"] for row in rows(tmp_path / "out" / "frames.csv") if row["clip_id"] == "first"]
    assert (times[0], times[-1], len(times)) == ("1.000", "2.400", 15)
    ran = bench("analyse", "case-study", tmp_path / "out" / "clips.csv")
    assert ran.code == 0
    assert "Without a prediction, and not counted: 1 clip (second)" in ran.out
    assert "| first  | anna      | before" in ran.out


def test_what_is_derived_from_predictions_of_a_synthetic_model_says_so(
    by_frame: Path, bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The clips may be of real people: that their predictor learned from drawn faces follows every figure."""
    monkeypatch.chdir(tmp_path)
    films.person(tmp_path / "films" / "a.mp4", 1)
    films.person(tmp_path / "films" / "b.mp4", 1)
    ran = bench("predict", tmp_path / "films", "--model", by_frame, "--out", tmp_path / "out")
    assert ran.code == 0, ran.err
    assert "Synthetic data: what answers here learned from data made by a program." in " ".join(ran.err.split(" |\n| "))
    page_text = (tmp_path / "out" / "README.md").read_text()
    assert page_text.index("**Flags: synthetic.**") < page_text.index("Honest score")
    for name in ("clips", "windows", "frames"):
        table = rows(tmp_path / "out" / f"{name}.csv")
        assert {row["flags"] for row in table} == {"synthetic"}, name
        assert list(table[0])[-1] == "flags"

    clips = tmp_path / "out" / "clips.csv"
    ran = bench("analyse", "case-study", clips, "--figures", "--out", tmp_path / "study.md")
    assert ran.code == 0, ran.err
    study = (tmp_path / "study.md").read_text()
    assert "> **Synthetic data:** made by a program, in the training of the model or in the clips: clips.csv." in study
    assert "> **Flags** of clips.csv: synthetic." in study
    assert "![out (flags: synthetic): share of clips by clip, predictions" in study

    ran = bench("analyse", "agreement", clips, clips, "--figures", "--out", tmp_path / "agree.md")
    assert ran.code == 0, ran.err
    agreement = (tmp_path / "agree.md").read_text()
    assert "or in the clips: A (clips.csv), B (clips.csv). Nothing here says anything about real faces." in agreement
    assert "clips.csv (A) (flags: synthetic) and clips.csv (B) (flags: synthetic): 100 % of clips" in agreement


@pytest.mark.parametrize(
    ("about", "flags"),
    [
        ({"flags": ["a"], "score": {"flags": ["a", "b"]}}, ("a", "b")),
        ({"flags": ["synthetic"], "score": None}, ("synthetic",)),  # its run was not finished
        ({"score": {"flags": ["synthetic"]}}, ("synthetic",)),  # saved before flags were recorded
        ({"flags": []}, ()),
    ],
)  # fmt: skip
def test_flags_of_a_saved_model(about: dict[str, Any], flags: tuple[str, ...]) -> None:
    assert model_flags(about) == flags
    assert page.short_score(about).endswith(f" ({', '.join(flags)})" if flags else "no honest score known")
    assert page.flag_lines(flags)[-1:] == ([f"Flags: {', '.join(flags)}."] if flags else [])


def test_tables_of_a_model_without_flags_have_no_column_of_them(tmp_path: Path) -> None:
    with Tables(tmp_path, Answers(("sad", "glad"))):
        pass
    assert (tmp_path / "clips.csv").read_text().strip().endswith("windows,score_sad,score_glad")


def test_a_folder_with_films_that_cannot_be_read(by_frame: Path, bench: Bench, tmp_path: Path) -> None:
    folder = tmp_path / "films"
    films.person(folder / "a.mp4")
    films.sound(folder / "song.mp4")
    films.person(folder / "cut.mp4", 3)
    films.index_first(folder / "cut.mp4")
    films.cut(folder / "cut.mp4", 0.6)
    (folder / "notes.txt").touch()
    ran = bench("predict", folder, "--model", by_frame, "--out", tmp_path / "out")
    assert ran.code == 1
    assert "error: could not be read:" in ran.err
    assert "song.mp4: is a WAVE sound file, not a film" in ran.err
    assert ENDS_EARLY in ran.out
    assert "s are missing)" in ran.out
    assert [row["clip_id"] for row in rows(tmp_path / "out" / "clips.csv")] == ["a.mp4", "cut.mp4"]
    assert "song.mp4: not read to its end" in (tmp_path / "out" / "README.md").read_text()


def test_irregularities_of_a_video_are_reported(by_frame: Path, bench: Bench, tmp_path: Path) -> None:
    film = films.person(tmp_path / "a.mp4", 3)
    films.uneven(film, [(15, 1), (15, 3)])
    ran = bench("predict", film, "--model", by_frame, "--out", tmp_path / "uneven")
    assert (ran.code, f"  {VARIABLE}" in ran.out.splitlines()) == (0, True)
    assert f"  - {VARIABLE}" in (tmp_path / "uneven" / "README.md").read_text().splitlines()
    films.turned(film, 180)
    ran = bench("predict", film, "--model", by_frame, "--out", tmp_path / "turned")
    assert (ran.code, f"  {TURNED}" in ran.out.splitlines()) == (0, True)


def test_the_annotated_film_is_only_written_when_asked_for(by_clip: Path, bench: Bench, tmp_path: Path) -> None:
    film = films.person(tmp_path / "a.mp4", 2)
    assert bench("predict", film, "--model", by_clip, "--out", tmp_path / "out", "--video").code == 0
    created = cv2.VideoCapture(str(tmp_path / "out" / "annotated-a.mp4"))
    images = []
    while (read := created.read())[0]:
        images.append(read[1])
    assert len(images) == 20
    original = face_frame(size=(240, 320), faces=((160, 120, 110),), seed=0)[..., ::-1]
    middle = np.abs(images[0][60:180].astype(int) - original[60:180]).mean()
    assert middle < 10
    assert np.abs(images[0][:25, :150].astype(int) - original[:25, :150]).mean() > 2 * middle


def test_without_matplotlib(by_frame: Path, bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    ran = bench("predict", tmp_path / "a.mp4", "--model", by_frame)
    assert ran.code == 2
    assert (
        "the timeline needs matplotlib, which is not installed; in a clone of mexbench: pip install '.[figures]'"
        in ran.err
    )


def test_the_honest_score_of_a_model_that_has_none() -> None:
    assert "unknown for this model" in page.honest_score({"score": None})
    score = {"uf1": 0.5, "uar": 0.5, "accuracy": 0.5, "flags": ["leak:subject"], "protocol": "holdout", "dataset": "d"}
    assert "It is not honest: leak:subject." in page.honest_score({"score": score})


def test_the_default_folder_of_results(tmp_path: Path) -> None:
    assert predicted_films.default_out(tmp_path / "a.mp4") == Path("predictions/a")
    assert predicted_films.default_out(tmp_path) == Path("predictions") / tmp_path.name


def test_every_container_is_read_and_the_rest_is_named(by_frame: Path, bench: Bench, tmp_path: Path) -> None:
    folder = tmp_path / "films"
    folder.mkdir()
    film = films.person(tmp_path / "a.mp4", 1)
    for name in ("a.mp4", "b.mkv", "c.M4V"):
        (folder / name).write_bytes(film.read_bytes())
    (folder / "notes.txt").write_text("x")
    (folder / "sound.mp3").write_bytes(b"ID3")
    ran = bench("predict", folder, "--model", by_frame, "--out", tmp_path / "out", "--video")
    assert ran.code == 0
    assert "2 not read, since they are neither films nor pictures by name: notes.txt, sound.mp3" in ran.err
    assert [row["clip_id"] for row in rows(tmp_path / "out" / "clips.csv")] == ["a.mp4", "b.mkv", "c.M4V"]
    assert (tmp_path / "out" / "annotated-a.mp4").is_file()
    assert not list((tmp_path / "out").glob("*.mp4.mp4"))


def test_a_name_that_is_not_utf8_is_one_error_and_the_others_are_done(
    by_frame: Path, bench: Bench, tmp_path: Path
) -> None:
    folder = tmp_path / "films"
    folder.mkdir()
    film = films.person(tmp_path / "a.mp4", 1)
    (folder / "a.mp4").write_bytes(film.read_bytes())
    odd = Path(os.fsdecode(os.fsencode(folder) + b"/b\xff.mp4"))
    odd.write_bytes(film.read_bytes())
    ran = bench("predict", folder, "--model", by_frame, "--out", tmp_path / "out")
    assert ran.code == 1
    assert r"b\xff.mp4: its name is not UTF-8 and cannot be read: rename it" in ran.err
    assert [row["clip_id"] for row in rows(tmp_path / "out" / "clips.csv")] == ["a.mp4"]
    assert r"b\\xff.mp4: not read to its end" in (tmp_path / "out" / "README.md").read_text(encoding="utf-8")
    ran = bench("predict", odd, "--model", by_frame, "--out", tmp_path / "out2")
    assert (ran.code, "its name is not UTF-8" in ran.err) == (2, True)
