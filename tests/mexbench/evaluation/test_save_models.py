"""Which models a run keeps: through the engine, with toys that count their trainings, and through the command."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from mexbench.evaluation import plan as planning
from mexbench.evaluation import run as engine
from mexbench.evaluation import save_models as keeping
from mexbench.evaluation.executors.base import InProcess
from mexbench.interfaces import Clip, FoldsModel, Predictor, Preprocessor, Sample
from mexbench.registry.catalogue import Catalogue, load_catalogue
from mexbench.reports.run_report import collect
from mexbench.runs import saved_model as saved
from mexbench.runs.run_folder import RunFolder, folder_name
from mexbench.runs.task import Outcome, Success
from tests.helpers import Ran, Toy, config_of, entry, with_plugins
from tests.mexbench.runs.test_saved_model import Mean, Nearest

CONFIG = "dataset: toy\nprotocol: loso\nmodels: [counted]\nseeds: [0, 1]"


@dataclass(frozen=True, kw_only=True)
class Counted(Mean, FoldsModel):
    """Class means that count their trainings.

    Args:
        at_once: Folds that are trained together.
        broken: Whether a predictor cannot be written.
    """

    at_once: int = 1
    broken: bool = False
    trained: ClassVar[list[int]] = []

    def fit(self, x: Any, y: Any, *, n_classes: int, groups: Any, seed: int) -> Nearest:  # noqa: ANN401
        self.trained.append(len(x))
        return super().fit(x, y, n_classes=n_classes, groups=groups, seed=seed)

    def folds_at_once(self) -> int:
        return self.at_once

    def fit_folds(
        self, x: Any, y: Any, train_masks: Any, *, n_classes: int, groups: Any, seed: int  # noqa: ANN401
    ) -> Sequence[Predictor]:  # fmt: skip
        return [self.fit(x[m], y[m], n_classes=n_classes, groups=groups[m], seed=seed) for m in train_masks]

    def save(self, predictor: Any, folder: Path) -> None:  # noqa: ANN401
        if self.broken:
            raise ValueError("not this\none")
        super().save(predictor, folder)


@pytest.fixture
def catalogue(toys: Catalogue) -> Catalogue:
    Counted.trained.clear()
    return with_plugins(toys, entry("model", Counted))


def plan_of(catalogue: Catalogue, text: str = CONFIG) -> planning.Plan:
    return planning.plan(config_of(text, catalogue))


def run(
    plan: planning.Plan, path: Path, scope: keeping.Scope | None = "task", *, always: bool = False
) -> list[Outcome]:
    """Run as the command does; return every outcome."""
    folder, outcomes = RunFolder(path), []
    waiting = plan.tasks if always else engine.missing(plan, folder)
    model_writer = keeping.model_writer_for(scope, plan, folder, waiting, always=always) if scope else None
    engine.run(
        plan, folder, InProcess(), recompute="always" if always else "missing", notify=outcomes.append,
        model_writer=model_writer if scope == "task" else None,
    )  # fmt: skip
    if model_writer and scope == "all":
        keeping.train_on_everything(plan, InProcess(), model_writer, outcomes.append)
    return outcomes


def test_each_task_keeps_what_predicted(catalogue: Catalogue, tmp_path: Path) -> None:
    plan = plan_of(catalogue)
    outcomes = run(plan, tmp_path)
    (part,) = plan.parts
    ids = part.test_ids()
    position = {s.sample_id: i for i, s in enumerate(part.data.samples)}
    assert len(outcomes) == 6
    for outcome in outcomes:
        assert isinstance(outcome, Success)
        folder = tmp_path / "models" / "counted" / str(outcome.task.seed) / folder_name(outcome.task.fold)
        loaded = saved.load(folder, catalogue)
        test = part.arrays.x[[position[name] for name in ids[outcome.task.fold]]]
        np.testing.assert_array_equal(loaded(test), outcome.scores)
        trained_on = loaded.about["trained_on"]
        assert (trained_on["what"], trained_on["fold"], trained_on["samples"]) == ("fold", outcome.task.fold, 8)
        assert loaded.about["seed"] == outcome.task.seed


def test_a_rerun_trains_what_has_no_model_and_nothing_else(catalogue: Catalogue, tmp_path: Path) -> None:
    plan = plan_of(catalogue)
    run(plan, tmp_path, None)
    assert len(run(plan, tmp_path)) == 6
    assert run(plan, tmp_path) == []
    shutil.rmtree(tmp_path / "models" / "counted" / "0" / folder_name("toy/p1"))
    (tmp_path / "models" / "counted" / "1" / folder_name("toy/p2") / "means.safetensors").write_bytes(b"damaged")
    assert [(o.task.seed, o.task.fold) for o in run(plan, tmp_path)] == [(0, "toy/p1"), (1, "toy/p2")]
    assert run(plan, tmp_path, None) == []
    assert len(run(plan, tmp_path, always=True)) == 6
    (tmp_path / "tasks" / "counted" / "0" / "toy%2Fp0.json").unlink()
    assert [o.task.fold for o in run(plan, tmp_path)] == ["toy/p0"]


def test_what_is_of_another_training_is_replaced(catalogue: Catalogue, tmp_path: Path) -> None:
    run(plan_of(catalogue), tmp_path)
    other = plan_of(catalogue, CONFIG.replace("[counted]", "[{plugin: counted, power: 3}]"))
    assert len(run(other, tmp_path, None)) == 6
    folder = RunFolder(tmp_path)
    assert len(keeping.score_saved(other, folder, collect(other, folder).scores())) == 6
    assert len(run(other, tmp_path)) == 6
    assert keeping.score_saved(other, folder, collect(other, folder).scores()) == []
    assert saved.load(tmp_path / "models" / "counted" / "0" / folder_name("toy/p0"), catalogue).about["parameters"][
        "power"
    ] == 3  # fmt: skip


def test_folds_trained_together_are_kept_one_by_one(catalogue: Catalogue, tmp_path: Path) -> None:
    plan = plan_of(catalogue, CONFIG.replace("[counted]", "[{plugin: counted, at_once: 2}]"))
    assert len(run(plan, tmp_path)) == 6
    result = sorted((tmp_path / "models" / "counted" / "0").iterdir())
    assert [path.name for path in result] == ["toy%2Fp0", "toy%2Fp1", "toy%2Fp2"]
    untouched = (result[0] / "model.json").stat().st_mtime_ns
    shutil.rmtree(result[1])  # its neighbour is trained again beside it, and stays as it is
    assert [o.task.fold for o in run(plan, tmp_path)] == ["toy/p1"]
    assert (result[0] / "model.json").stat().st_mtime_ns == untouched


def test_one_model_on_everything(catalogue: Catalogue, tmp_path: Path) -> None:
    plan = plan_of(catalogue)
    assert len(run(plan, tmp_path, "all")) == 6 + 2
    assert Counted.trained == [8] * 6 + [12] * 2
    assert not list(tmp_path.glob("models/counted/[01]"))
    loaded = saved.load(tmp_path / "models" / "counted" / "all" / "1", catalogue)
    assert loaded.about["trained_on"]["what"] == "all"
    assert loaded.about["trained_on"]["samples"] == 12
    (part,) = plan.parts
    y = np.array([sample.label for sample in part.data.samples])
    expected = Mean().fit(part.arrays.x, y, n_classes=2, groups=y, seed=1)
    np.testing.assert_array_equal(loaded(part.arrays.x), expected(part.arrays.x))
    assert run(plan, tmp_path, "all") == []
    (tmp_path / "models" / "counted" / "all" / "0" / "model.json").unlink()
    assert [outcome.task.seed for outcome in run(plan, tmp_path, "all")] == [0]


@pytest.mark.parametrize("scope", ["task", "all"])
def test_rows_of_several_protocols_and_inputs(catalogue: Catalogue, tmp_path: Path, scope: keeping.Scope) -> None:
    text = """
dataset: toy
protocol: [loso, {plugin: kfold, k: 2, name: halves}]
models: [counted, {plugin: counted, name: short, preprocess: [shorten]}]
"""
    plan = plan_of(with_plugins(catalogue, entry("preprocessor", Shorten)), text)
    assert len(plan.parts) == 4
    run(plan, tmp_path, scope)
    result = {
        path.parent.relative_to(tmp_path / "models").parts[0]: saved.load(path.parent, catalogue)
        for path in sorted((tmp_path / "models").glob("*/*/*/model.json"))
    }
    assert result.keys() == set(plan.by_row)
    for row, loaded in result.items():
        short = row.startswith("short")
        assert loaded.about["sample"]["shape"] == [1, 2 if short else 3]
        assert loaded.about["input"] == {"frames": None, "preprocess": [{"plugin": "shorten"}] if short else []}
        assert loaded.about["protocol"]["plugin"] == ("kfold" if row.endswith("halves") else "loso")
        fold = loaded.about["trained_on"]["fold"]
        tested = 0 if scope == "all" else len(plan.by_row[row][0].test_ids()[fold])
        assert loaded.about["trained_on"]["samples"] == 12 - tested
    assert run(plan, tmp_path, scope) == []


def test_a_fold_names_the_data_sets_that_it_trains_on(catalogue: Catalogue, tmp_path: Path) -> None:
    text = "dataset: [toy, {plugin: other, subjects: 2}]\nprotocol: cross_dataset\nmodels: [counted]"
    run(plan_of(with_plugins(catalogue, entry("dataset", Other)), text), tmp_path)
    about = {path.parent.name: saved.read_about(path.parent) for path in tmp_path.glob("models/counted/0/*/model.json")}
    datasets = {name: one["trained_on"]["datasets"] for name, one in about.items()}
    assert datasets == {"toy to other": {"toy": 12}, "other to toy": {"other": 8}}
    titles = {name: one["trained_on"]["title"] for name, one in about.items()}
    assert titles == {"toy to other": "toy", "other to toy": "other"}
    assert {one["dataset"]["title"] for one in about.values()} == {"toy + other"}


class Other(Toy):
    """The same under another name."""

    def samples(self) -> Sequence[Sample]:
        return [
            replace(one, dataset="other", **{
                key: getattr(one, key).replace("toy/", "other/") for key in ("sample_id", "clip_id", "subject")
            })
            for one in super().samples()
        ]  # fmt: skip

    def load(self, sample: Sample) -> Clip:
        clip = super().load(sample)
        return replace(clip, frames=clip.frames + 0.5)  # no clip is in both


class Shorten(Preprocessor):
    """Leave out the last feature."""

    def __call__(self, clip: Clip) -> Clip:
        return replace(clip, frames=clip.frames[:, :2])


def test_the_honest_score_is_written_once_the_row_is_complete(catalogue: Catalogue, tmp_path: Path) -> None:
    plan, folder = plan_of(catalogue), RunFolder(tmp_path)
    run(plan, tmp_path)
    result = next((tmp_path / "tasks").glob("*/*/*.json"))
    content = result.read_bytes()
    result.unlink()
    keeping.score_saved(plan, folder, collect(plan, folder).scores())
    models = sorted((tmp_path / "models").glob("*/*/*"))
    assert [json.loads((path / "model.json").read_text())["score"] for path in models] == [None] * 6
    result.write_bytes(content)
    scores = collect(plan, folder).scores()
    keeping.score_saved(plan, folder, scores)
    for path in models:
        score = saved.load(path, catalogue).about["score"]
        assert (score["uf1"], score["seeds"], score["protocol"]) == (scores["rows"][0]["uf1"], [0, 1], "loso")
        assert score["ci"] == scores["rows"][0]["ci"]


def test_what_cannot_be_saved_is_told_and_its_scores_are_kept(catalogue: Catalogue, tmp_path: Path) -> None:
    plan = plan_of(catalogue, CONFIG.replace("[counted]", "[{plugin: counted, broken: true}]"))
    outcomes = run(plan, tmp_path)
    assert {o.unsaved for o in outcomes if isinstance(o, Success)} == {"ValueError: not this one"}
    assert engine.missing(plan, RunFolder(tmp_path)) == ()
    assert not [path for path in tmp_path.rglob("*") if path.name.startswith(".tmp-")]
    assert len(run(plan, tmp_path)) == 6  # a model may come out of it the next time


@pytest.mark.parametrize("fold", ["..", ".", ".hidden", "../../up", "a/b", "x" * 500])
def test_folders_of_folds_neither_hide_nor_climb_out(fold: str, tmp_path: Path) -> None:
    path = tmp_path / "models" / folder_name(fold)
    assert path.resolve().parent == tmp_path / "models"
    assert not path.name.startswith(".")
    path.mkdir(parents=True)


# The command.

QUICK = "dataset: {plugin: synthetic, subjects: 3, clips: 6}\nprotocol: loso\nmodels: [majority, svm, ann]\n"


@pytest.fixture
def quick(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "quick.yaml").write_text(QUICK)
    return tmp_path / "quick.yaml"


def test_the_command_keeps_models_and_draws(quick: Path, bench: Callable[..., Ran]) -> None:
    assert bench("run", quick, "--out", "out", "--set", "models=[majority, svm]").code == 0
    assert not (quick.parent / "out" / "histories.csv").exists()
    ran = bench("run", quick, "--out", "out", "--save-models", "task", "--figures", "--jobs", 2)
    assert ran.code == 0
    assert "6 tasks more to train again: a result is there, and no saved model" in ran.err
    assert "histories.csv, 10 files in figures, models" in ran.err
    models = sorted((quick.parent / "out" / "models").glob("*/*/*"))
    assert len(models) == 9
    catalogue = load_catalogue()
    assert {saved.load(path, catalogue).about["score"]["dataset"] for path in models} == {"synthetic"}
    lines = (quick.parent / "out" / "histories.csv").read_text().splitlines()
    assert lines[0] == "model,seed,fold,epoch,loss"
    assert lines[1].startswith("ann,0,synthetic/s01,1,")
    before = {p: p.read_bytes() for p in (quick.parent / "out").rglob("*") if p.is_file() and p.name != "manifest.json"}
    again = bench("run", quick, "--out", "out", "--save-models", "task", "--figures")
    assert (again.code, "trained again" in again.err) == (0, False)
    assert {p: p.read_bytes() for p in before} == before


def test_the_command_trains_on_all_samples(quick: Path, bench: Callable[..., Ran]) -> None:
    dry = bench("run", quick, "--out", "out", "--save-models", "all", "--dry-run")
    assert "models on all samples: 3, 3 to train; they go to out/models" in dry.err
    assert not (quick.parent / "out").exists()
    assert bench("run", quick, "--out", "out", "--save-models", "all").code == 0
    assert sorted(p.parent.parent.name for p in (quick.parent / "out" / "models").glob("*/all/0")) == [
        "ann", "majority", "svm",
    ]  # fmt: skip
    assert "3, 0 to train" in bench("run", quick, "--out", "out", "--save-models", "all").err


def test_a_failure_on_all_samples_is_named(
    quick: Path, bench: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch
) -> None:
    from mexbench_plugins.models.svm import SVM

    assert bench("run", quick, "--out", "out").code == 0

    def fit(*_: object, **__: object) -> None:
        raise MemoryError("too big")

    monkeypatch.setattr(SVM, "fit", fit)
    ran = bench("run", quick, "--out", "out", "--save-models", "all", "--in-process")
    assert ran.code == 1
    assert "failed: svm, seed 0, fold all samples: MemoryError: too big\n  traceback in out/models/svm/all/0.error" in (
        ran.err
    )
    assert "Traceback" in (quick.parent / "out" / "models" / "svm" / "all" / "0.error.txt").read_text()


def test_a_model_that_cannot_be_saved_is_named(
    quick: Path, bench: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch
) -> None:
    from mexbench_plugins.models.svm import SVM

    def save(*_: object) -> None:
        raise ValueError("too odd")

    with monkeypatch.context() as patched:
        patched.setattr(SVM, "save", save)
        ran = bench("run", quick, "--out", "out", "--save-models", "task", "--in-process")
        assert ran.code == 1
        assert "warning: model not saved: svm, seed 0, fold synthetic/s01: ValueError: too odd" in ran.err
        assert json.loads((quick.parent / "out" / "scores.json").read_text())["complete"] is True


def test_what_can_be_known_is_said_before_anything_runs(
    quick: Path, bench: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch
) -> None:
    ran = bench("run", quick, "--save-models", "task", "--recompute", "never")
    assert (ran.code, "nothing is trained, so nothing can be saved" in ran.err) == (2, True)
    ran = bench("run", quick, "--save-models", "fold")
    assert (ran.code, "invalid choice: 'fold'" in ran.err) == (2, True)
    from mexbench.interfaces import Model
    from mexbench_plugins.models.majority import Majority

    monkeypatch.setattr(Majority, "save", Model.save)
    ran = bench("run", quick, "--save-models", "all")
    assert ran.code == 2
    assert (
        "error: --save-models: model 'majority' (plugin 'majority' of mexbench 0.1.0) cannot be saved: its class"
        in (ran.err)
    )
    assert not (quick.parent / "runs").exists()
