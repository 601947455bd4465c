"""Models of action units, files of units and snapshots, as a user types it; the parts by hand."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mexbench.data.video.clip_list import ListedClip
from mexbench.errors import ConfigError, DataError
from mexbench.studies.inference import film_units
from mexbench.studies.inference.answers import Answers
from mexbench.studies.inference.apex import estimated_apex
from mexbench.studies.inference.moments import Snapshots
from mexbench.studies.inference.tables import Summary
from mexbench.studies.inference.window_predictor import WindowPrediction
from mexbench.studies.inference.windows import Window
from tests import films
from tests.helpers import Ran

Bench = Callable[..., Ran]


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def test_a_model_of_action_units_looks_at_films(unit_models: Path, bench: Bench, tmp_path: Path) -> None:
    film = films.person(tmp_path / "a b (1).mp4", 2)
    ran = bench(
        "predict", film, "--model", unit_models / "moving" / "all" / "0", "--estimate-apex", "--units-of", "happiness",
        "--out", tmp_path / "out",
    )  # fmt: skip
    assert ran.code == 0, ran.err
    assert "Honest score: F1 of a unit's presence" in ran.err
    windows, (clip,) = rows(tmp_path / "out" / "windows.csv"), rows(tmp_path / "out" / "clips.csv")
    names = [name for name in clip if name.startswith("score_")]
    assert len(names) == 12
    scores = np.array([[float(row[name]) for name in names] for row in windows])
    np.testing.assert_allclose([float(clip[name]) for name in names], scores.max(axis=0), rtol=1e-5)
    shown = "+".join(n.removeprefix("score_") for n, s in zip(names, scores.max(axis=0), strict=True) if s >= 0.5)
    assert clip["predicted"] == (shown or "none")
    assert clip["cluster"].startswith("Happiness_ME") == bool(shown)
    readme = (tmp_path / "out" / "README.md").read_text()
    assert "The apex is estimated" in readme
    assert "table 10 of the AU-CNN paper" in readme
    assert (tmp_path / "out" / "timeline-a b (1).mp4.png").is_file()


@pytest.fixture
def places(unit_models: Path, by_frame: Path, by_clip: Path) -> dict[str, Path]:
    magnified = by_frame.parents[2] / "magnified" / "all" / "0"
    return {
        "UNITS": unit_models / "moving" / "all" / "0", "FRAME": by_frame, "CLIP": by_clip, "MAGNIFIED": magnified,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--model", "UNITS"), "or let --estimate-apex look for them in each window"),
        (("--model", "UNITS", "--estimate-apex", "--clusters", "nowhere"), "no subdivision.json; give the folder"),
        (("--model", "UNITS", "--estimate-apex", "--units-of", "joy"), "unknown emotion 'joy'"),
        (("--model", "FRAME", "--units-of", "happiness"), "need the action units of each window"),
        (("--model", "FRAME", "--estimate-apex"), "was not trained on annotated moments: leave it out"),
        (("--model", "FRAME", "--faces"), "--faces needs --every"),
        (("--model", "FRAME", "--every", "0"), "--every 0: expected seconds from 0.05 to 3600"),
        (("--model", "FRAME", "--every", "1", "--window", "2"), "leave --fps, --window and --hop out"),
        (("--model", "CLIP", "--every", "1"), "was trained on motion (frames: count: 4), and a snapshot has none"),
        (
            ("--model", "MAGNIFIED", "--every", "1"),
            "its step 'magnification' needs several frames, and a snapshot is one: leave --every out, or give a model "
            "that was trained without this step",
        ),
    ],
)
def test_what_does_not_go_together_is_one_error(
    arguments: tuple[str, ...], message: str, places: dict[str, Path], bench: Bench, tmp_path: Path
) -> None:
    film = tmp_path / "a.mp4"
    films.write(film, films.plain(4))
    ran = bench("predict", film, *(places.get(one, one) for one in arguments), "--out", tmp_path / "out")
    assert (ran.code, ran.err.count("error:")) == (2, 1)
    assert message in " ".join(ran.err.split())


COLUMNS = "frame, timestamp, confidence, success, AU06_r, AU06_c, AU12_c"


def openface(path: Path, lines: list[str], header: str = COLUMNS) -> Path:
    path.write_text("\n".join([header, *lines]) + "\n")
    return path


def test_units_of_a_file_and_clusters_for_a_model_of_emotions(by_frame: Path, bench: Bench, tmp_path: Path) -> None:
    film = films.person(tmp_path / "a.mp4", 1)
    units = openface(tmp_path / "a.csv", ["1, 0.0, 0.98, 1, 2.5, 1, 0", "2, 0.5, 0.98, 1, 0, 0, 1"])
    ran = bench(
        "predict", film, "--model", by_frame, "--units", units, "--units-of", "happiness", "--out", tmp_path / "out"
    )
    assert ran.code == 0, ran.err
    (clip,) = rows(tmp_path / "out" / "clips.csv")
    assert clip["units"] == "AU6+AU12"
    assert clip["cluster"].startswith("Happiness_ME") == (clip["predicted"] == "happiness")


def test_openface_rows_count_by_their_time_and_their_face(tmp_path: Path) -> None:
    units = film_units.read(openface(tmp_path / "a.csv", [
        "1, 0.0, 0.98, 1, 1.0, 0, 0", "2, 0.1, 0.98, 1, 2.5, 1, 0", "3, 0.2, 0.4, 1, 5, 1, 1", "4, 1, 0.9, 1, 0, 0, 1",
    ]))  # fmt: skip
    first = units.within(0.0, 0.5)
    assert first is not None
    assert (first.intensity, first.presence) == ({6: 0.5}, {6: 1.0, 12: 0.0})  # the unsure row 3 is not counted
    assert film_units.shown_units(first) == {"AU6"}
    assert units.within(0.3, 0.9) is None
    moment = units.within(0.8, 0.8)  # a snapshot: the nearest row within half a second
    assert moment is not None
    assert film_units.shown_units(moment) == {"AU12"}
    assert units.within(9.0, 9.0) is None


@pytest.mark.parametrize(
    ("header", "lines", "message"),
    [
        ("frame,AU06_c", ["1,0"], "lacks the columns timestamp, confidence, success"),
        ("timestamp,confidence,success", ["0,1,1"], "lacks the columns AU01_c"),
        ("timestamp,confidence,success,AU06_c", ["0,1,1,0", "0,1,1,0"], "'timestamp' does not rise: several faces"),
        ("timestamp,confidence,success,AU06_c", ["0,0.2,1,0"], "no sure face in its 1 frame"),
        ("timestamp,confidence,success,AU06_c", ["0,1,1,3"], "AU06_c lies from 3 to 3, expected 0 to 1"),
        ("timestamp,confidence,success,AU06_c", ["0,1,1,much"], "row 2: AU06_c is 'much', expected a number"),
        ("timestamp,confidence,success,AU06_c", ["0,1,1"], "row 2: 3 cells under 4 headers"),
    ],
)
def test_other_files_of_units_are_refused(header: str, lines: list[str], message: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=message):
        film_units.read(openface(tmp_path / "a.csv", lines, header))


def test_the_file_of_a_clip(tmp_path: Path) -> None:
    clip = ListedClip(line="", clip_id="one", path="films/film.mp4")
    with pytest.raises(ConfigError, match="is one file, and there are several films"):
        film_units.file_of(tmp_path / "a.csv", clip, several=True)
    with pytest.raises(ConfigError, match=r"has no file of one: looked for one.csv, film.csv"):
        film_units.file_of(tmp_path, clip, several=True)
    (tmp_path / "film.csv").touch()
    assert film_units.file_of(tmp_path, clip, several=True) == tmp_path / "film.csv"


def test_snapshots_of_a_film(by_frame: Path, bench: Bench, tmp_path: Path) -> None:
    film = films.person(tmp_path / "a.mp4", 3)
    ran = bench("predict", film, "--model", by_frame, "--every", "0.5", "--faces", "--out", tmp_path / "out")
    assert ran.code == 0, ran.err
    windows, moments = rows(tmp_path / "out" / "windows.csv"), rows(tmp_path / "out" / "moments.csv")
    assert [row["start_s"] for row in windows] == [f"{k / 2:.3f}" for k in range(6)]
    assert {row["time_s"] for row in moments} <= {row["start_s"] for row in windows}
    assert [row["rank"] for row in moments] == [str(k + 1) for k in range(len(moments))]
    assert (tmp_path / "out" / "moments-a.mp4.png").is_file()
    assert "a snapshot every 0.5 s" in (tmp_path / "out" / "README.md").read_text()


def at(time_s: float, scores: list[float]) -> WindowPrediction:
    return WindowPrediction(Window(time_s, time_s, ()), np.array(scores))


def test_the_most_expressive_snapshot_is_the_least_usual_and_has_no_neighbour() -> None:
    snapshots = Snapshots(Answers(("calm", "glad")))
    for index, value in enumerate([0.1, 0.1, 0.12, 0.9, 0.8, 0.1, 0.11, 0.1, 0.5]):
        snapshots.add(at(index, [1 - value, value]))
    snapshots.add(WindowPrediction(Window(99, 99, ()), None))
    assert [one.time_s for one in snapshots.most_expressive(2)] == [3.0, 8.0]


def test_the_apex_is_the_frame_that_differs_most_whatever_the_light() -> None:
    rng = np.random.default_rng(0)
    frames = np.repeat(rng.integers(60, 120, (1, 40, 40, 3)), 5, axis=0).astype(np.uint8)
    frames[1] += 90  # brighter all over: no movement
    frames[3, 10:20, 10:20] += 60
    frames[4, 10:20, 10:20] += 30
    assert estimated_apex(frames) == 3
    assert estimated_apex(frames[:1]) == 0


def test_a_clip_shows_a_unit_that_any_window_shows() -> None:
    summary = Summary(ListedClip(line="", clip_id="a", path="a.mp4"), Answers(("AU4", "AU12"), of_units=True))
    for scores in ([0.9, 0.1], [0.2, 0.3]):
        prediction = WindowPrediction(Window(0, 1, films_frames()), np.array(scores), frame_faces=("",))
        summary.add(prediction)
    assert summary.scores is not None
    np.testing.assert_allclose(summary.scores, [0.9, 0.3])
    assert summary.winners == {"AU4": 1, "none": 1}


def films_frames():  # noqa: ANN201
    from mexbench.data.video.reader import Frame

    return (Frame(0.0, np.zeros((4, 4, 3), np.uint8)),)
