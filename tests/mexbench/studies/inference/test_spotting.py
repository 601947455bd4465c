"""``bench predict FILM --spot MODEL`` as a user types it, and its parts by hand."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from mexbench import cli
from mexbench.data.video.reader import Frame
from mexbench.errors import DataError, counted
from mexbench.interfaces import ScoredInterval
from mexbench.studies.inference.spot_page import comparison
from mexbench.studies.inference.spot_truth import TrueExpression, TypeCounts, compare, read_truth
from mexbench.studies.inference.spotting import inner_part, parts
from tests import films
from tests.helpers import Ran

Bench = Callable[..., Ran]


@pytest.fixture
def places(spotters: Path, film: Path, by_frame: Path) -> dict[str, Path]:
    return {"SPOT": saved(spotters, "frame_difference"), "MODEL": by_frame, "FILM": film}


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def saved(spotters: Path, name: str) -> Path:
    return spotters / name / "all" / "0"


def test_intervals_recognised_and_compared_with_the_truth(
    spotters: Path, film: Path, by_frame: Path, bench: Bench, tmp_path: Path
) -> None:
    ran = bench(
        "predict", film, "--spot", saved(spotters, "frame_difference"), "--model", by_frame, "--truth",
        film.with_suffix(".csv"), "--out", tmp_path / "out",
    )  # fmt: skip
    assert (ran.code, ran.err.count("Traceback")) == (0, 0), ran.err
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "README.md", "confidence.csv", "intervals.csv", "timeline-film.mp4.png",
    ]  # fmt: skip
    intervals, curves = (rows(tmp_path / "out" / f"{name}.csv") for name in ("intervals", "confidence"))
    assert len(curves) == 240
    assert intervals, ran.out
    assert counted(sum(row["type"] == "micro" for row in intervals), "micro-expression") + " and" in ran.out
    assert {row["flags"] for row in [*intervals, *curves]} == {"synthetic"}
    assert "**Flags: synthetic.**" in (tmp_path / "out" / "README.md").read_text()
    for row in intervals:
        onset, offset = int(row["onset"]), int(row["offset"])
        assert 1 <= onset <= offset <= 240
        assert float(row["onset_s"]) == pytest.approx((onset - 1) / 30, abs=2e-3)
        assert row["emotion"] in {name.removeprefix("score_") for name in row if name.startswith("score_")}
        # Confidence at the apex is the curve's value there.
        assert float(curves[int(row["apex"]) - 1][row["type"]]) == pytest.approx(float(row["confidence"]), rel=1e-3)
    assert "of 1 spotted, recall" in ran.out
    assert "Honest score: F1" in ran.err
    assert "2 videos of 2 subjects" in " ".join(ran.err.split())


def test_a_spotter_without_curves_still_has_a_timeline(
    spotters: Path, film: Path, bench: Bench, tmp_path: Path
) -> None:
    ran = bench("predict", film, "--spot", saved(spotters, "random_intervals"), "--out", tmp_path / "out")
    assert ran.code == 0, ran.err
    assert (tmp_path / "out" / "timeline-film.mp4.png").is_file()
    assert rows(tmp_path / "out" / "confidence.csv") == []


def test_frames_of_another_shape_are_refused_with_the_remedy(
    spotters: Path, film: Path, bench: Bench, tmp_path: Path
) -> None:
    ran = bench("predict", film, "--spot", saved(spotters, "as-given"), "--out", tmp_path / "out")
    # It was trained on gray frames as its data set gives them, and a film has colours.
    assert ran.code == cli.BAD_INPUT
    assert "trained on frames (180, 240, 1) uint8, and 240 frames of the film became 240 of (180, 240, 3)" in ran.err
    assert not (tmp_path / "out").exists()


def test_a_folder_with_a_film_that_cannot_be_read(spotters: Path, film: Path, bench: Bench, tmp_path: Path) -> None:
    folder = tmp_path / "films"
    folder.mkdir()
    (folder / "a.mp4").write_bytes(film.read_bytes())
    (folder / "b.mp4").write_bytes(b"nothing")
    ran = bench("predict", folder, "--spot", saved(spotters, "frame_difference"), "--out", tmp_path / "out")
    assert ran.code == cli.FAILED
    assert "b.mp4: is not a film" in ran.err
    assert (tmp_path / "out" / "timeline-a.mp4.png").is_file()


def test_a_film_without_a_face_spots_nothing_and_says_why(spotters: Path, bench: Bench, tmp_path: Path) -> None:
    film = films.nobody(tmp_path / "n.mp4")
    ran = bench("predict", film, "--spot", saved(spotters, "frame_difference"), "--out", tmp_path / "out")
    assert ran.code == 0
    assert "0 micro-expressions and 0 macro-expressions" in ran.out
    assert "no face found" in ran.out
    assert (tmp_path / "out" / "timeline-n.mp4.png").is_file()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "give --model DIR, a saved model, or --spot DIR"),
        (["--model", "m", "--truth", "t.csv"], "--truth needs --spot"),
        (["--spot", "SPOT", "--window", "2"], "--window cannot be given with --spot"),
        (["--spot", "SPOT", "--fps", "nan"], "--fps nan: expected more than 0 and at most 200"),
        (["--spot", "MODEL"], "predicts emotion, and spotting is asked for"),
        (["--spot", "SPOT", "--model", "SPOT"], "predicts spotting, and emotion or action_units is asked for"),
        (["--spot", "SPOT", "--truth", "missing.csv"], "missing.csv: expected a CSV"),
    ],
)
def test_refused_with_one_message(
    arguments: list[str], message: str, places: dict[str, Path], bench: Bench, tmp_path: Path
) -> None:
    ran = bench("predict", places["FILM"], *(places.get(one, one) for one in arguments), "--out", tmp_path / "out")
    assert ran.code == cli.BAD_INPUT
    assert message in " ".join(ran.err.split())
    assert not (tmp_path / "out").exists()


def test_recall_and_false_alarms_by_hand() -> None:
    times = np.arange(300) / 30  # frame n is shown at (n - 1) / 30
    truth = [
        TrueExpression(kind="micro", onset_s=1.0, offset_s=1.3),  # frames 31 to 40
        TrueExpression(kind="micro", onset_s=5.0, offset_s=5.3),  # frames 151 to 160
    ]
    spotted = [
        ScoredInterval(onset=36, offset=45, kind="micro"),  # 5 of 15: a third
        ScoredInterval(onset=151, offset=170, kind="micro"),  # 10 of 20: a half
        ScoredInterval(onset=31, offset=40, kind="macro"),  # another type
    ]
    micro, macro = compare(truth, spotted, times)
    assert micro == TypeCounts(kind="micro", n_true=2, hits=1, false_alarms=1)
    assert macro == TypeCounts(kind="macro", n_true=0, hits=0, false_alarms=1)
    assert comparison(micro, 0.5) == "micro: 1 of 2 spotted, recall 0.50; 1 false alarm, 2.0 a minute"
    assert comparison(macro, 0.5) == "macro: the film has none; 1 false alarm, 2.0 a minute"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("type,onset_s\nmicro,1\n", "lacks the columns 'offset_s'|lacks the columns offset_s"),
        ("type,onset_s,offset_s\nmini,1,2\n", "line 2: unknown type 'mini'"),
        ("type,onset_s,offset_s\nmicro,2,1\n", "line 2: onset_s 2 comes after offset_s 1"),
        ("type,onset_s,offset_s\nmicro,nan,1\n", "line 2: onset_s: expected seconds from the film's start, got 'nan'"),
        ("film,type,onset_s,offset_s\nc,micro,0,1\n", "line 2: unknown film 'c'"),
    ],
)
def test_an_invalid_truth_is_refused(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(DataError, match=message):
        read_truth(tmp_path / "t.csv", ["a.mp4"])


def test_a_truth_for_several_films_names_them(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("film,type,onset_s,offset_s\nb,macro,0,1.5\n")
    assert read_truth(tmp_path / "t.csv", ["a", "b"]) == {
        "a": [], "b": [TrueExpression(kind="macro", onset_s=0, offset_s=1.5)],
    }  # fmt: skip
    (tmp_path / "t.csv").write_text("type,onset_s,offset_s\nmacro,0,1.5\n")
    with pytest.raises(DataError, match="needs a column 'film'"):
        read_truth(tmp_path / "t.csv", ["a", "b"])


def test_parts_share_frames_and_each_frame_belongs_to_one() -> None:
    def frames() -> Iterator[Frame]:
        for index in range(25):
            yield Frame(index / 10, np.full((4, 6, 3), index, np.uint8))

    cut = [(start, stop, images[:, 0, 0, 0].tolist()) for start, stop, images in parts(frames(), 25, 10, 4, (2, 3, 3))]
    assert [(start, stop) for start, stop, _ in cut] == [(0, 10), (6, 16), (12, 22), (18, 25)]
    assert all(images == list(range(start, stop)) for start, stop, images in cut)
    inner = [inner_part(start, stop, 25, 4) for start, stop, _ in cut]
    assert inner == [(0, 8), (8, 14), (14, 20), (20, 25)]
