"""Models of action units where two features of ``bench predict`` meet, and on films that show nothing."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np

from mexbench.registry.catalogue import Catalogue
from mexbench.runs import saved_model
from mexbench.studies.au_clusters.stored import published
from tests import films
from tests.helpers import Ran

Bench = Callable[..., Ran]


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def numbers(units: str) -> list[str]:
    return [] if units == "none" else [name.removeprefix("AU") for name in units.split("+")]


def test_each_spotted_interval_has_units_and_their_combination(
    unit_models: Path, spotters: Path, film: Path, bench: Bench, tmp_path: Path
) -> None:
    ran = bench(
        "predict", film, "--spot", spotters / "frame_difference" / "all" / "0", "--model",
        unit_models / "moving" / "all" / "0", "--units-of", "happiness", "--out", tmp_path / "out",
    )  # fmt: skip
    assert ran.code == 0, ran.err
    assert "Recogniser: Honest score: F1 of a unit's presence" in ran.err
    intervals = rows(tmp_path / "out" / "intervals.csv")
    assert intervals
    division = published().restricted("happiness")
    for row in intervals:
        scores = {name.removeprefix("score_"): float(row[name]) for name in row if name.startswith("score_")}
        assert row["units"] == ("+".join(name for name, score in scores.items() if score >= 0.5) or "none")
        assert row["cluster"] == division.nearest(numbers(row["units"]), None)
    shown = [row["cluster"] for row in intervals if row["units"] != "none"]
    assert all(name.startswith("Happiness_ME") for name in shown)
    page = (tmp_path / "out" / "README.md").read_text()
    assert "F1 of a unit's presence" in page
    assert "Research use, not a diagnosis" in page


def test_models_of_a_run_that_was_done_row_by_row(bench: Bench, tmp_path: Path) -> None:
    """--only, two seeds and --save-models all: each saved model is asked about one frame, nobody and no film."""
    config = tmp_path / "units.yaml"
    config.write_text(
        "target: action_units\n"
        "dataset: {plugin: casme2, root: stand-in, stand_in: {subjects: 3, clips: 4, width: 240, height: 200, "
        "frames: 7}}\nframes: {unit: frame, count: 3}\n"
        "preprocess: &steps [face, grayscale, {plugin: resize, size: 16}]\nprotocol: loso\nmodels:\n  - svm\n"
        "  - always_present\n  - {plugin: svm, name: moving, frames: {unit: clip, count: 4}, preprocess: *steps}\n"
    )
    for only in (["always_present"], ["svm", "moving"]):
        options = [part for name in only for part in ("--only", name)]
        ran = bench(
            "run", config, *options, "--set", "seeds=[0,1]", "--save-models", "all", "--in-process", "--out",
            tmp_path / "run",
        )  # fmt: skip
        assert ran.code == 0, ran.err
    folder = tmp_path / "films"
    films.write(folder / "one.mp4", [films.face_frame()])
    films.write(folder / "wall.mp4", films.plain(1, (240, 320)))
    (folder / "bad.mp4").write_bytes(b"nothing" * 300)
    for name, answer in (
        ("always_present", "one.mp4: 1 of 1 window predicted: AU1 1, AU2 1, AU4 1, AU5 1, AU6 1, AU7 1, AU9 1"),
        ("svm", "one.mp4: 1 of 1 window predicted: "),
        ("moving", "one.mp4: nothing is predicted for its one window: a single usable frame, and this model needs"),
    ):
        for seed in "01":
            ran = bench(
                "predict", folder, "--model", tmp_path / "run" / "models" / name / "all" / seed, "--out",
                tmp_path / f"{name}{seed}",
            )  # fmt: skip
            assert (ran.code, ran.err.count("error:")) == (1, 1), ran.err
            assert answer in ran.out
            assert "wall.mp4: no face was found in its one window: nothing is predicted" in ran.out
            assert "bad.mp4: is not a film" in ran.err
            assert {row["flags"] for row in rows(tmp_path / f"{name}{seed}" / "clips.csv")} == {"synthetic"}
    for command in (
        ("evaluate-saved", tmp_path / "run" / "models" / "svm" / "all", config),
        ("leaderboard", "define", tmp_path / "run", "units", "--root", tmp_path / "boards"),
    ):
        ran = bench(*command)
        assert (ran.code, ran.err.count("error:"), "'target: action_units'" in ran.err) == (2, 1, True), ran.err


def test_snapshots_have_units_and_their_combination(
    unit_models: Path, film: Path, bench: Bench, tmp_path: Path
) -> None:
    ran = bench(
        "predict", film, "--every", "2", "--model", unit_models / "on-apex" / "all" / "0", "--units-of", "happiness",
        "--out", tmp_path / "out",
    )  # fmt: skip
    assert ran.code == 0, ran.err
    windows = rows(tmp_path / "out" / "windows.csv")
    assert [float(row["start_s"]) for row in windows] == [0, 2, 4, 6]
    division = published().restricted("happiness")
    for row in windows:
        assert row["cluster"] == division.nearest(numbers(row["predicted"]), None)
    assert (tmp_path / "out" / "moments.csv").is_file()


def test_snapshots_for_a_model_of_two_moments_name_a_remedy_that_exists(
    unit_models: Path, film: Path, bench: Bench, tmp_path: Path
) -> None:
    model = unit_models / "moving" / "all" / "0"
    ran = bench("predict", film, "--every", "2", "--model", model, "--out", tmp_path / "out")
    assert (ran.code, ran.err.count("error:")) == (2, 1)
    text = " ".join(ran.err.split())
    assert "was trained on motion (frames: at: ['onset', 'apex']), and a snapshot has none: leave --every out" in text
    assert "--estimate-apex" not in text  # it cannot be given with --every


def test_films_that_show_nothing_have_no_units(unit_models: Path, bench: Bench, tmp_path: Path) -> None:
    folder = tmp_path / "films"
    films.person(folder / "a.mp4", 1)
    films.nobody(folder / "b.mp4", 1)
    films.person(folder / "c.mp4", 0.1)  # one frame
    (folder / "d.mp4").write_bytes(b"junk" * 50)
    arguments = ("--model", unit_models / "moving" / "all" / "0", "--estimate-apex", "--units-of", "happiness")
    ran = bench("predict", folder, *arguments, "--out", tmp_path / "out")
    assert ran.code == 1  # three of four are done
    assert "error: could not be read: " in ran.err
    assert "d.mp4: is not a film" in ran.err
    clips = {row["clip_id"]: row for row in rows(tmp_path / "out" / "clips.csv")}
    assert clips.keys() == {"a.mp4", "b.mp4", "c.mp4"}
    nobody = clips["b.mp4"]
    assert (nobody["predicted"], nobody["cluster"], nobody["score_AU1"]) == ("", "", "")
    assert "b.mp4: no face was found in its one window: nothing is predicted" in ran.out
    assert "nothing is predicted for its one window: a single usable frame, and this model needs motion" in ran.out


def test_an_empty_folder_is_one_error(unit_models: Path, bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "films").mkdir()
    ran = bench(
        "predict", tmp_path / "films", "--model", unit_models / "moving" / "all" / "0", "--estimate-apex", "--out",
        tmp_path / "out",
    )  # fmt: skip
    assert (ran.code, ran.err.count("error:")) == (2, 1)
    assert "no film in this folder" in ran.err
    assert not (tmp_path / "out").exists()


def test_saved_models_are_not_scored_by_evaluate_saved(unit_models: Path, bench: Bench, tmp_path: Path) -> None:
    config = unit_models.parent.parent / "units.yaml"
    ran = bench("evaluate-saved", unit_models / "moving" / "all" / "0", config, "--out", tmp_path / "out")
    assert (ran.code, ran.err.count("error:")) == (2, 1)
    assert "scores saved models of classes, not with 'target: action_units'" in ran.err


def test_a_run_of_action_units_makes_no_leaderboard(unit_models: Path, bench: Bench, tmp_path: Path) -> None:
    ran = bench("leaderboard", "define", unit_models.parent, "board", "--root", tmp_path)
    assert (ran.code, ran.err.count("error:")) == (2, 1)
    assert "is a run with 'target: action_units'; this command takes runs that predict a class" in ran.err
    assert list(tmp_path.iterdir()) == []


def test_a_tuned_model_of_action_units_looks_at_films(
    unit_models: Path, film: Path, bench: Bench, tmp_path: Path
) -> None:
    model = unit_models / "tuned" / "all" / "0"
    ran = bench("predict", film, "--model", model, "--estimate-apex", "--window", "4", "--out", tmp_path / "out")
    assert ran.code == 0, ran.err
    (clip,) = rows(tmp_path / "out" / "clips.csv")
    assert clip["predicted"]
    assert all(0 <= float(clip[name]) <= 1 for name in clip if name.startswith("score_"))


def test_processes_save_the_models_that_one_process_saves(
    unit_models: Path, bench: Bench, builtin: Catalogue, tmp_path: Path
) -> None:
    text = (unit_models.parent.parent / "units.yaml").read_text().partition("models:")[0]
    (tmp_path / "units.yaml").write_text(f"{text}models: [{{plugin: svm, name: moving}}]\n")
    ran = bench("run", tmp_path / "units.yaml", "--out", tmp_path / "two", "--save-models", "all", "--jobs", "2")
    assert ran.code == 0, ran.err
    one, two = (
        saved_model.load(folder / "moving" / "all" / "0", builtin, target="action_units")
        for folder in (unit_models, tmp_path / "two" / "models")
    )
    assert one.about["trained_on"] == two.about["trained_on"]
    x = np.random.default_rng(0).integers(0, 256, (5, 2, 16, 16, 1)).astype(one.about["sample"]["dtype"])
    np.testing.assert_array_equal(one(x), two(x))
    assert one(x).shape == (5, 12)
