from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from mexbench.config.run_config import RunConfig
from mexbench.errors import ProtocolError
from mexbench.evaluation import plan as planning
from mexbench.evaluation import run as engine
from mexbench.evaluation.executors.base import InProcess
from mexbench.interfaces import Clip, Model, Predictor, Sample
from mexbench.registry.catalogue import Catalogue
from mexbench.reports import run_page as leaderboard
from mexbench.reports.run_report import RunReport, collect
from mexbench.runs.run_folder import RunFolder
from tests.helpers import Toy, config_of, entry, with_plugins

pytestmark = pytest.mark.usefixtures("few_subjects_suffice")


@dataclass(frozen=True, kw_only=True)
class Oracle(Model):
    """Read the truth out of the features, but for what is spoilt.

    Args:
        wrong: Subject number whose clips are all taken for the other class.
        fail: Subject number whose fold fails.
        noise: Whether the seed spoils a clip.
    """

    wrong: int = -1
    fail: int = -1
    noise: bool = False
    fitted: ClassVar[list[tuple[int, tuple[str, ...]]]] = []

    def fit(self, x: Any, y: Any, *, n_classes: int, groups: Any, seed: int) -> Predictor:  # noqa: ANN401
        self.fitted.append((seed, tuple(sorted(set(groups)))))
        if f"toy/p{self.fail}" not in groups and self.fail >= 0:
            raise RuntimeError("no luck")

        def predict(test: Any) -> Any:  # noqa: ANN401
            truth, subject, clip = test[:, 0].T
            glad = (truth > 0) ^ (subject == self.wrong) ^ (self.noise & (clip == seed))
            return np.stack([1 - glad, glad], axis=1)

        return predict


@pytest.fixture
def catalogue(toys: Catalogue) -> Catalogue:
    Oracle.fitted.clear()
    return with_plugins(toys, entry("model", Oracle))


def config(
    catalogue: Catalogue, models: str = "[oracle]", *, seeds: str = "[0]", dataset: str = "toy", protocol: str = "loso"
) -> RunConfig:
    return config_of(f"dataset: {dataset}\nprotocol: {protocol}\nmodels: {models}\nseeds: {seeds}", catalogue)


def run(cfg: RunConfig, folder: Path, **options: Any) -> tuple[RunReport, list[Any]]:  # noqa: ANN401
    plan = planning.plan(cfg)
    failures = engine.run(plan, RunFolder(folder), InProcess(), **options)
    return collect(plan, RunFolder(folder)), failures


def test_a_perfect_predictor_scores_one_whatever_the_order_on_disk(catalogue: Catalogue, tmp_path: Path) -> None:
    """Joined by position, a perfect predictor would not be perfect on interleaved subjects."""
    results, failures = run(config(catalogue, dataset="{plugin: toy, reverse: true}"), tmp_path)
    (row,) = results.scores()["rows"]
    assert failures == []
    assert (row["accuracy"], row["uf1"], row["uar"]) == (1, 1, 1)
    assert (row["n_samples"], row["n_subjects"], row["folds"], row["seeds"]) == (12, 3, 3, [0])
    assert row["confusion"] == [[6, 0], [0, 6]]


def test_each_fold_trains_on_all_other_subjects(catalogue: Catalogue, tmp_path: Path) -> None:
    run(config(catalogue, seeds="[4, 5]"), tmp_path)
    sides = [("toy/p1", "toy/p2"), ("toy/p0", "toy/p2"), ("toy/p0", "toy/p1")]
    assert Oracle.fitted == [(seed, side) for seed in (4, 5) for side in sides]


def test_scores_by_hand(catalogue: Catalogue, tmp_path: Path) -> None:
    """Four of twelve clips are wrong: two of each class."""
    results, _ = run(config(catalogue, "[{plugin: oracle, wrong: 1}]"), tmp_path)
    (row,) = results.scores()["rows"]
    assert row["accuracy"] == pytest.approx(8 / 12)
    assert row["per_class"]["positive"] == {
        "precision": 4 / 6,
        "recall": 4 / 6,
        "f1": 4 / 6,
        "support": 6,
        "predicted": 6,
    }
    assert row["by_dataset"]["toy"] == pytest.approx({"uf1": 2 / 3, "uar": 2 / 3, "accuracy": 2 / 3, "n_samples": 12})
    low, high = row["ci"]["accuracy"]
    assert (low, high) == pytest.approx((0, 1))  # one subject of three decides: 1/27 of draws have it alone


def test_several_seeds_are_averaged_and_their_spread_is_told(catalogue: Catalogue, tmp_path: Path) -> None:
    results, _ = run(config(catalogue, "[{plugin: oracle, noise: true}]", seeds="[0, 9]"), tmp_path)
    (row,) = results.scores()["rows"]
    # Seed 0 spoils clip 0 of each subject (9 of 12 right); no clip is called 9.
    assert [result["accuracy"] for result in row["per_seed"]] == [9 / 12, 1]
    assert row["accuracy"] == pytest.approx((9 / 12 + 1) / 2)
    assert row["spread"]["accuracy"] == pytest.approx(0.25 / 2**0.5)
    assert row["confusion"] == [[3 + 6, 3], [0, 6 + 6]]
    assert row["n_samples"] == 12


def test_predictions_are_one_row_per_model_seed_and_sample(catalogue: Catalogue, tmp_path: Path) -> None:
    results, _ = run(config(catalogue, "[majority, oracle]", seeds="[0, 1]"), tmp_path)
    rows = list(csv.DictReader(io.StringIO(results.predictions())))
    assert list(rows[0]) == (
        [
            "model",
            "seed",
            "fold",
            "sample_id",
            "clip_id",
            "subject",
            "dataset",
            "y_true",
            "y_pred",
            "score_negative",
            "score_positive",
        ]
    )
    assert len(rows) == 2 * 2 * 12
    assert [(r["model"], r["seed"]) for r in rows[::12]] == [
        ("majority", "0"),
        ("majority", "1"),
        ("oracle", "0"),
        ("oracle", "1"),
    ]
    assert rows[-1] == {
        "model": "oracle", "seed": "1", "fold": "toy/p2", "sample_id": "toy/p2/c3", "clip_id": "toy/p2/c3",
        "subject": "toy/p2", "dataset": "toy", "y_true": "positive", "y_pred": "positive",
        "score_negative": "0.0", "score_positive": "1.0",
    }  # fmt: skip


def test_a_rerun_does_what_is_missing(catalogue: Catalogue, tmp_path: Path) -> None:
    cfg = config(catalogue)
    first, _ = run(cfg, tmp_path)
    Oracle.fitted.clear()
    again, _ = run(cfg, tmp_path)
    assert Oracle.fitted == []
    assert again.predictions() == first.predictions()
    next((tmp_path / "tasks").glob("*/*/*p1.json")).unlink()
    third, _ = run(cfg, tmp_path)
    assert Oracle.fitted == [(0, ("toy/p0", "toy/p2"))]
    assert third.predictions() == first.predictions()
    run(cfg, tmp_path, recompute="always")
    assert len(Oracle.fitted) == 1 + 3


def test_recompute_never_collects_and_says_what_is_not_there(catalogue: Catalogue, tmp_path: Path) -> None:
    cfg = config(catalogue)
    run(cfg, tmp_path)
    next((tmp_path / "tasks").glob("*/*/*p1.json")).unlink()
    results, _ = run(cfg, tmp_path, recompute="never")
    scores = results.scores()
    assert scores["complete"] is False
    assert scores["tasks"] == {"done": 2, "total": 3}
    assert scores["rows"][0]["flags"] == ["incomplete"]
    assert scores["rows"][0]["n_samples"] == 8


@pytest.mark.parametrize(
    "change",
    [
        {"models": "[{plugin: oracle, noise: true}]"},
        {"seeds": "[1]"},
        {"dataset": "{plugin: toy, subjects: 4}"},
    ],
    ids=["parameter", "seed", "data"],
)  # fmt: skip
def test_whatever_changes_the_result_changes_the_fingerprint(catalogue: Catalogue, change: dict[str, str]) -> None:
    before = {task.fingerprint for task in planning.plan(config(catalogue)).tasks}
    now = {task.fingerprint for task in planning.plan(config(catalogue, **change)).tasks}
    assert before.isdisjoint(now)


def test_one_changed_pixel_changes_every_fingerprint(catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch) -> None:
    before = {task.fingerprint for task in planning.plan(config(catalogue)).tasks}
    original = Toy.load

    def load(self: Toy, sample: Sample) -> Clip:
        clip = original(self, sample)
        return clip if sample.sample_id != "toy/p0/c0" else replace(clip, frames=clip.frames + np.float32(1e-3))

    monkeypatch.setattr(Toy, "load", load)
    assert before.isdisjoint({task.fingerprint for task in planning.plan(config(catalogue)).tasks})


def test_the_name_of_a_model_and_the_order_on_disk_change_nothing(catalogue: Catalogue) -> None:
    def prints(models: str, dataset: str = "toy") -> list[str]:
        return [task.fingerprint for task in planning.plan(config(catalogue, models, dataset=dataset)).tasks]

    assert (
        prints("[oracle]")
        == prints("[{plugin: oracle, name: other}]")
        == prints("[oracle]", "{plugin: toy, reverse: true}")
    )


def test_a_failing_fold_is_kept_apart_and_the_rest_is_scored(catalogue: Catalogue, tmp_path: Path) -> None:
    results, failures = run(config(catalogue, "[{plugin: oracle, fail: 1}, majority]"), tmp_path)
    assert [str(f.task) for f in failures] == ["oracle, seed 0, fold toy/p1"]
    assert failures[0].error == "RuntimeError: no luck"
    broken, fine = results.scores()["rows"]
    assert broken["tasks"] == {"done": 2, "total": 3}
    assert "incomplete" in broken["flags"]
    assert fine["flags"] == []
    assert [place for place, _ in leaderboard.ranked([broken, fine])] == [1, None]


def test_a_model_without_any_result_has_an_empty_row(catalogue: Catalogue, tmp_path: Path) -> None:
    results, _ = run(config(catalogue), tmp_path, recompute="never")
    (row,) = results.scores()["rows"]
    assert (row["uf1"], row["ci"]["uf1"], row["confusion"], row["n_samples"]) == (None, None, None, 0)
    assert leaderboard.main_table(results.scores()).rows[0][:5] == ["-", "oracle", "-", "-", "-"]


def test_a_protocol_that_lets_subjects_overlap_is_flagged_and_not_ranked(catalogue: Catalogue, tmp_path: Path) -> None:
    results, _ = run(config(catalogue, protocol="clipsplit"), tmp_path)
    scores = results.scores()
    assert scores["flags"] == ["leak:subject"]
    assert scores["rows"][0]["flags"] == ["leak:subject"]
    assert leaderboard.ranked(scores["rows"])[0][0] is None
    assert "Not honest" in leaderboard.markdown(scores, MANIFEST)


class Twins(Toy):
    """Clip 0 of subjects 0 and 1 have the same pixels."""

    def load(self, sample: Sample) -> Clip:
        twin = replace(sample, sample_id="toy/p0/c0") if sample.sample_id == "toy/p1/c0" else sample
        return super().load(twin)


class OneKind(Toy):
    """Every clip is of one class."""

    def samples(self) -> Sequence[Sample]:
        return [replace(sample, emotion="sad") for sample in super().samples()]


class NoSubjects(Toy):
    """Nobody knows who it is."""

    def samples(self) -> Sequence[Sample]:
        return [replace(sample, subject=None) for sample in super().samples()]


class OneLeft(Toy):
    """All but one person show an emotion that is not a class."""

    def samples(self) -> Sequence[Sample]:
        return [s if s.subject == "toy/p0" else replace(s, emotion="bored") for s in super().samples()]


@pytest.mark.parametrize(
    ("dataset", "message"),
    [
        ("oneleft", "excluded, no class for 'bored': 8 clips (toy/p1/c0, toy/p1/c1, toy/p1/c2 and 5 more)"),
        ("{plugin: toy, subjects: 1}", "protocol 'loso': needs at least two subjects to leave one out"),
        ("twins", "fold 'toy/p0': the same pixels on both sides: toy/p1/c0 trains, toy/p0/c0 tests"),
        ("onekind", "has one class, 'negative' ("),
        ("nosubjects", "12 of 12 samples have no subject (toy/p0/c0, toy/p0/c1, toy/p0/c2 and 9 more)"),
    ],
)  # fmt: skip
def test_what_loso_refuses(catalogue: Catalogue, dataset: str, message: str) -> None:
    catalogue = with_plugins(catalogue, *(entry("dataset", cls) for cls in (Twins, OneKind, NoSubjects, OneLeft)))
    with pytest.raises(ProtocolError) as caught:
        planning.plan(config(catalogue, dataset=dataset))
    assert message in str(caught.value)


MANIFEST: Mapping[str, Any] = {
    "versions": {"numpy": "2"}, "command": "bench run x", "git_commit": None, "config_fingerprint": "abc",
    "device": "cpu", "machine": {"platform": "p"}, "started": "then", "ended": None,
}  # fmt: skip


def test_the_page_names_everything_and_escapes_what_comes_from_data(catalogue: Catalogue, tmp_path: Path) -> None:
    results, _ = run(config(catalogue, "[oracle, majority]"), tmp_path)
    scores = results.scores()
    page = leaderboard.markdown(scores, MANIFEST)
    assert "| 1      | oracle   | 100.00 [100.00, 100.00] |" in page
    assert "negative 6, positive 6" in page
    scores["classes"] = ["a|b", "<script>", "[x](javascript:y)"][:2]
    scores["support"] = dict.fromkeys(scores["classes"], 6)
    scores["config"] = "[x](javascript:y)"
    page = leaderboard.markdown(scores, MANIFEST)
    assert "<script>" not in page
    assert "a\\|b" in page
    assert "](javascript" not in page


def test_rows_that_tie_share_a_rank() -> None:
    def row(name: str, uf1: float) -> dict[str, Any]:
        return {"model": name, "uf1": uf1, "uar": 0.5, "flags": []}

    rows = [row("a", 0.4), row("b", 0.6), row("c", 0.6), row("d", 0.1), {**row("e", 0.9), "flags": ["leak:clip"]}]
    assert [(place, result["model"]) for place, result in leaderboard.ranked(rows)] == [
        (1, "b"), (1, "c"), (3, "a"), (4, "d"), (None, "e"),
    ]  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Filmed(Toy):
    """Each clip of the toy as three frames, of which the last one lies about the emotion."""

    def frame_numbers(self, sample: Sample) -> Sequence[int]:
        return (1, 2, 10)

    def load_frames(self, sample: Sample, numbers: Sequence[int]) -> Clip:
        frame = self.load(sample).frames
        return Clip(frames=np.concatenate([frame * ([-1, 1, 1] if number == 10 else [1, 1, 1]) for number in numbers]))


def test_frames_are_also_scored_by_clip(catalogue: Catalogue, tmp_path: Path) -> None:
    """One frame of three is wrong: two thirds of the frames, and the mean over its frames of every clip, are right."""
    catalogue = with_plugins(catalogue, entry("dataset", Filmed))
    text = "dataset: filmed\nframes: {unit: frame, count: 3}\nprotocol: loso\nmodels: [oracle]"
    results, failures = run(config_of(text, catalogue), tmp_path)
    assert failures == []
    scores = results.scores()
    (row,) = scores["rows"]
    assert row["n_samples"] == 36
    assert row["accuracy"] == pytest.approx(2 / 3)
    assert (row["per_clip"]["accuracy"], row["per_clip"]["uf1"], row["per_clip"]["n_clips"]) == (1, 1, 12)
    assert row["per_clip"]["ci"]["uf1"] == [1, 1]
    assert "## By clip" in leaderboard.markdown(scores, MANIFEST)
    assert "toy/p0/c0#10" in results.predictions()


def test_clips_are_not_scored_twice(catalogue: Catalogue, tmp_path: Path) -> None:
    results, _ = run(config(catalogue), tmp_path)
    scores = results.scores()
    assert scores["rows"][0]["per_clip"] is None
    assert "## By clip" not in leaderboard.markdown(scores, MANIFEST)
