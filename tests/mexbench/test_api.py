"""The Python API against the command line: the same results, the same errors."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, LinearSVC

import mexbench
from mexbench import api
from mexbench.errors import BenchError, BoardError, ConfigError, PluginError, RunFolderError
from mexbench.evaluation.executors.base import InProcess
from mexbench.interfaces import Model
from mexbench.registry.catalogue import Catalogue
from mexbench.reports.leaderboards.submit import define
from mexbench.runs.stored_run import read_run
from tests.helpers import SEARCH_PATH, Ran, Toy, entry, sample, with_plugins
from tests.mexbench.test_units_run import Faces

pytestmark = pytest.mark.usefixtures("few_subjects_suffice")

QUICK: dict[str, Any] = {
    "dataset": {"plugin": "synthetic", "subjects": 3, "clips": 6},
    "protocol": "loso",
    "models": ["majority", "svm"],
    "seeds": [0, 1],
}


@dataclass(frozen=True, kw_only=True)
class Lonely(Toy):
    """Only the last subject has the class ``other``: the fold that tests it trains without that class."""

    def label_map(self) -> Mapping[str, str]:
        return {**super().label_map(), "odd": "other"}

    def samples(self) -> Sequence[Any]:
        rest = [one for one in super().samples() if "/p2/" not in one.sample_id]
        return [*rest, *(sample(f"toy/p2/c{c}", emotion=["odd", "glad"][c % 2]) for c in range(4))]


@pytest.fixture
def toys(builtin: Catalogue, monkeypatch: pytest.MonkeyPatch) -> Catalogue:
    catalogue = with_plugins(builtin, entry("dataset", Toy), entry("dataset", Lonely))
    monkeypatch.setattr(api, "load_catalogue", lambda: catalogue)
    return catalogue


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def column(run: mexbench.Run, name: str) -> dict[str, Any]:
    """Return model -> its value of a column of ``Run.scores``."""
    return run.scores.set_index("model")[name].to_dict()


def run_quick(**options: Any) -> mexbench.Run:  # noqa: ANN401
    return mexbench.run(QUICK, **{"out": "run", "progress": False, "in_process": True, **options})


def test_run_writes_what_the_command_line_writes(bench: Callable[..., Ran]) -> None:
    Path("quick.yaml").write_text(json.dumps(QUICK))
    ran = bench("run", "quick.yaml", "--out", "cli")
    run = mexbench.run("quick.yaml", out="api", progress=False)
    assert (ran.code, run.complete) == (0, True)
    written = Path("cli/predictions.csv").read_bytes()
    assert Path("api/predictions.csv").read_bytes() == written
    assert run.predictions.to_csv(index=False).encode() == written
    assert run.table() + "\n" == ran.out
    scores, same = (json.loads(Path(name, "scores.json").read_text()) for name in ("cli", "api"))
    for one in (*scores["rows"], *same["rows"]):
        del one["fit_s"], one["processor_s"], one["predict_ms_per_sample"]
    assert scores == same
    assert json.loads(Path("api/manifest.json").read_text())["command"] == "mexbench.run('quick.yaml')"


def test_run_prints_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    run_quick()
    assert capfd.readouterr() == ("", "")


def test_the_default_folder_is_named_after_the_config() -> None:
    Path("quick.yaml").write_text(json.dumps(QUICK))
    assert mexbench.run("quick.yaml", models="majority", progress=False).folder == Path("runs/quick")
    first = mexbench.run(QUICK, models="majority", progress=False)
    assert first.folder.name.startswith("config-")
    assert mexbench.run(QUICK, models=["majority", "svm"], progress=False).folder != first.folder


def test_a_shipped_config_is_found_by_its_name() -> None:
    run = mexbench.run("quickstart", models=["majority"], seeds=0, out="run", progress=False)
    assert (run.name, run.models, len(run.predictions)) == ("quickstart", ("majority",), 192)


def test_overrides_change_the_config() -> None:
    run = mexbench.run(
        QUICK, out="run", progress=False, models=[{"plugin": "svm", "name": "soft", "C": np.float64(0.5)}],
        seeds=[3, 4], set={"dataset.subjects": 4}, frames=None,
    )  # fmt: skip
    config = run.manifest["config"]
    assert [(model["name"], model["C"]) for model in config["models"]] == [("soft", 0.5)]
    assert (config["seeds"], config["dataset"]["subjects"]) == ([3, 4], 4)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"config": "quikstart"}, "did you mean 'quickstart'?"),
        ({"config": {**QUICK, "modles": []}}, "unknown key 'modles' (did you mean 'models'?); choose from"),
        ({"config": 3}, "config: expected a path, the name of a shipped config or a dict; got int"),
        (
            {"models": [SVC()]},
            "models: expected plain values (text, numbers, lists, dicts), as a config has; got a ",
        ),
        ({"set": {"models.svm.c": 1}}, "unknown parameter 'c'"),
        ({"seeds": -1}, "expected a whole number from 0 to 4294967295, got -1\n  in --set seeds=-1"),
        ({"jobs": 0}, "jobs: expected a whole number from 1, got 0"),
        ({"jobs": 2, "executor": "serial"}, "--executor serial does one task at a time, not 2"),
        ({"jobs": 2, "in_process": True}, "--in-process runs one task after the other in this process"),
        ({"recompute": "all"}, "unknown recompute 'all'"),
        ({"observe": "tensorbord"}, "unknown observer 'tensorbord' (did you mean 'tensorboard'?)"),
    ],
)
def test_errors_are_those_of_the_command_line(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(BenchError) as error:
        mexbench.run(**{"config": QUICK, **arguments})
    assert message in str(error.value)
    assert not Path("runs").exists()


def test_the_same_folder_goes_on_and_another_config_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    run_quick(models=["majority"])
    trained = []
    original = InProcess.run
    monkeypatch.setattr(
        InProcess, "run", lambda self, units, runners: trained.extend(units) or original(self, units, runners)
    )
    run = run_quick()
    assert {task.model for unit in trained for task in unit} == {"svm"}
    assert list(run.scores["model"]) == ["svm", "majority"]
    with pytest.raises(RunFolderError, match="holds a run of another config"):
        run_quick(set={"dataset.clips": 7})


def test_a_run_that_is_stopped_raises_and_keeps_what_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    original = InProcess.run

    def stopped(self: InProcess, *arguments: Any) -> Any:  # noqa: ANN401
        yield next(original(self, *arguments))
        raise KeyboardInterrupt

    monkeypatch.setattr(InProcess, "run", stopped)
    with pytest.raises(KeyboardInterrupt, match="1 of 12 tasks are done and kept in run; the same call goes on"):
        run_quick()
    run = mexbench.load_run("run")
    assert (run.complete, len(run.predictions)) == (False, 6)
    assert run.scores.set_index("model")["tasks_done"].to_dict() == {"majority": 1, "svm": 0}
    assert np.isnan(run.scores.set_index("model").loc["svm", "uf1"])
    assert "incomplete" in run.to_latex()
    assert "Incomplete" in run._repr_html_()
    assert "1/6 tasks" in run.table()
    run.plot.scores()


def test_a_failing_task_is_warned_about_and_named(monkeypatch: pytest.MonkeyPatch) -> None:
    from mexbench_plugins.models.svm import SVM

    def fit(*_: object, **__: object) -> None:
        raise MemoryError("too big")

    monkeypatch.setattr(SVM, "fit", fit)
    with pytest.warns(mexbench.RunWarning) as caught:
        run = run_quick()
    assert run.failures[0] == "svm, seed 0, fold synthetic/s01: MemoryError: too big"
    assert len(run.failures) == 6
    assert str(caught[-1].message) == "incomplete: 6 of 12 tasks have no result; the same call tries again"
    assert {warning.filename for warning in caught} == {__file__}


def test_frames_have_the_scores_of_the_report() -> None:
    run = run_quick(models=["majority", "ann"], seeds=0)
    scores = run.scores.set_index("model")
    for row in run.report["rows"]:
        assert column(run, "uf1")[row["model"]] == row["uf1"]
        assert list(scores.loc[row["model"], ["uf1_low", "uf1_high"]]) == row["ci"]["uf1"]
    predictions = run.predictions
    assert set(predictions["model"]) == {"majority", "ann"}
    rows = predictions.to_dict("records")
    right = [row["y_true"] == row["y_pred"] for row in rows if row["model"] == "majority"]
    assert np.mean(right) == pytest.approx(column(run, "accuracy")["majority"])
    histories = run.histories
    assert set(histories["model"]) == {"ann"}
    assert list(histories["epoch"][:3]) == [1, 2, 3]
    assert str(histories["loss"].dtype) == "float64"


def test_learning_curves_are_empty_where_no_model_has_any() -> None:
    assert list(run_quick(models="majority").histories.columns) == ["model", "seed", "fold", "epoch"]


def test_a_subject_called_na_and_a_quoted_fold_survive(toys: Catalogue, tmp_path: Path) -> None:
    del toys
    run = mexbench.run({"dataset": "toy", "protocol": "loso", "models": ["majority"]}, out="run", progress=False)
    path = tmp_path / "run" / "predictions.csv"
    text = path.read_text().replace("toy/p0,toy", '"a, ""b""",toy').replace("toy/p1,toy,", "NA,toy,", 1)
    path.write_text(text.replace("0.5\n", "1e-05\n", 1))
    assert run.predictions.to_csv(index=False) == path.read_text()
    assert "NA" in set(run.predictions["subject"])


def test_load_run_refuses_what_is_not_a_run(tmp_path: Path) -> None:
    with pytest.raises(RunFolderError, match=r"has no manifest\.json"):
        mexbench.load_run(tmp_path)
    run_quick(models="majority")
    Path("run/scores.json").write_text("{")
    with pytest.raises(RunFolderError, match="is damaged"):
        mexbench.load_run("run")


def test_action_units(builtin: Catalogue, monkeypatch: pytest.MonkeyPatch) -> None:
    catalogue = with_plugins(builtin, entry("dataset", Faces))
    monkeypatch.setattr(api, "load_catalogue", lambda: catalogue)
    pipeline = make_pipeline(StandardScaler(), LogisticRegression())
    run = mexbench.evaluate(pipeline, "faces", target="action_units", compare_with="always_present", out="run",
                            name="lr", progress=False)  # fmt: skip
    assert list(run.scores["model"]) == ["lr", "always_present"]
    assert list(run.scores.columns[:4]) == ["model", "f1", "f1_low", "f1_high"]
    predictions = run.predictions
    assert predictions.to_csv(index=False).encode() == Path("run/predictions.csv").read_bytes()
    one = predictions[predictions["model"] == "lr"].iloc[0]
    shown = [name for name in run.classes if one[f"score_{name}"] >= 0.5]
    assert one["units_pred"] == "+".join(shown)
    loaded = mexbench.load_run("run")
    assert loaded.table() == run.table()
    assert "macro F1" in loaded.table()
    assert "macro F1" in loaded._repr_html_()
    assert "model & F1 & macro F1" in loaded.to_latex()
    loaded.plot.scores("macro_f1")
    with pytest.raises(ConfigError, match="action units have no confusion matrix"):
        loaded.plot.confusion("lr")
    with pytest.raises(ConfigError, match="unknown metric 'uf1'"):
        loaded.plot.scores("uf1")


def test_inside_a_running_event_loop() -> None:
    async def main() -> mexbench.Run:
        return run_quick(models="majority")

    assert asyncio.run(main()).complete


def test_a_script_without_a_guard_can_use_several_processes(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "import mexbench\nprint('started')\n"
        f"run = mexbench.run({QUICK!r}, models=['majority'], seeds=0, out='run', jobs=2, progress=False)\n"
        "print(run.complete, __file__ is not None)\n"
    )
    environment = {**os.environ, "PYTHONPATH": SEARCH_PATH}
    done = subprocess.run([sys.executable, "-W", "error", str(script)], capture_output=True, text=True, check=False,
                          env=environment)  # fmt: skip
    assert (done.stdout, done.returncode) == ("started\nTrue True\n", 0), done.stderr


def test_plugins_are_listed_as_the_command_line_does(bench: Callable[..., Ran]) -> None:
    models = mexbench.plugins("models")
    assert list(models["name"]) == [line.split()[1] for line in bench("list", "models").out.splitlines()[2:]
                                    if line.startswith("model ")]  # fmt: skip
    assert mexbench.plugins("model").equals(models)
    assert set(mexbench.plugins()["kind"]) == {"dataset", "preprocessor", "model", "protocol", "observer"}
    assert "megc2019_flow" in set(mexbench.datasets()["name"])
    with pytest.raises(ConfigError, match="unknown kind of plugin 'modls'"):
        mexbench.plugins("modls")


def test_importing_mexbench_loads_nothing_heavy() -> None:
    heavy = "{'pandas', 'numpy', 'sklearn', 'torch', 'jax', 'matplotlib', 'pydantic'}"
    probe = f"import mexbench, sys; found = {heavy} & set(sys.modules); sys.exit(str(found) if found else 0)"
    environment = {**os.environ, "PYTHONPATH": SEARCH_PATH}
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    assert {"run", "evaluate", "load_run", "plugins", "__version__"} <= set(dir(mexbench))
    with pytest.raises(AttributeError, match="has no attribute 'rum'"):
        mexbench.rum  # noqa: B018


# What is not a plugin.


def evaluate(model: object, data: Any = "toy", *arguments: Any, **options: Any) -> mexbench.Run:  # noqa: ANN401
    return mexbench.evaluate(model, data, *arguments, **{"progress": False, "in_process": True, **options})


@pytest.mark.usefixtures("toys")
@pytest.mark.parametrize(
    "estimator",
    [
        make_pipeline(StandardScaler(), LogisticRegression()),  # predict_proba
        make_pipeline(StandardScaler(), LinearSVC()),  # decision_function
        SVC(kernel="linear"),
    ],
)
def test_an_estimator_that_sees_the_truth_is_perfect(estimator: object) -> None:
    run = evaluate(estimator, subjects=5, compare_with=["majority"])
    name = next(name for name in column(run, "uf1") if name != "majority")
    assert name in ("LogisticRegression", "LinearSVC", "SVC")
    assert column(run, "accuracy")[name] == 1
    assert column(run, "flags")[name] == "local-code"
    assert column(run, "flags")["majority"] == ""
    assert run.manifest["config"]["dataset"]["subjects"] == 5


@pytest.mark.usefixtures("toys")
def test_an_estimator_scores_as_the_plugin_that_wraps_it(builtin: Catalogue) -> None:
    del builtin
    local = evaluate(
        make_pipeline(StandardScaler(), SVC(kernel="linear")), {**QUICK, "seeds": [0]}, compare_with=["svm"]
    )
    first, second = local.report["rows"]
    assert (first["plugin"], second["plugin"]) == ("local-code", "svm")
    assert first["confusion"] == second["confusion"]


class Recorder:
    """Predicts the class of the nearest training sample, and remembers what it was given."""

    given: ClassVar[list[tuple[np.ndarray, np.ndarray]]] = []
    asked: ClassVar[list[np.ndarray]] = []

    def fit(self, x: np.ndarray, y: np.ndarray) -> None:
        self.given.append((x, y))
        self.x, self.y = x, y

    def predict(self, x: np.ndarray) -> np.ndarray:
        self.asked.append(x)
        return self.y[[np.abs(self.x - row)[:, 0].argmin() for row in x]]


@pytest.mark.usefixtures("toys")
def test_any_object_with_fit_and_predict() -> None:
    Recorder.given.clear()
    Recorder.asked.clear()
    original = Recorder()
    run = evaluate(original, name="nearest")
    assert list(run.scores["accuracy"]) == [1]
    assert not hasattr(original, "x")  # each fold trains a copy
    assert (len(Recorder.given), len(Recorder.asked)) == (3, 6)  # of each fold the training side too, for its health
    for (x, y), trained, tested in zip(Recorder.given, Recorder.asked[::2], Recorder.asked[1::2], strict=True):
        assert (x.shape, y.shape, tested.shape) == ((8, 3), (8,), (4, 3))
        assert np.array_equal(trained, x)
        assert not set(x[:, 1]) & set(tested[:, 1])  # column 1 is the subject


@pytest.mark.usefixtures("toys")
def test_a_class_that_is_absent_from_training_is_never_predicted() -> None:
    run = evaluate(make_pipeline(StandardScaler(), LogisticRegression()), "lonely", name="lr")
    predictions = run.predictions
    tested = predictions[predictions["subject"] == "toy/p2"]
    assert set(tested["y_pred"]) <= {"negative", "positive"}
    others = np.minimum(tested["score_negative"], tested["score_positive"])
    assert np.all(np.asarray(tested["score_other"]) < np.asarray(others))
    assert list(tested["y_true"]) == ["other", "positive"] * 2


@pytest.mark.usefixtures("toys")
def test_unset_random_states_get_the_seed_and_set_ones_stay() -> None:
    first = evaluate(DummyClassifier(strategy="uniform"), seeds=[0, 1], subjects=8)
    again = evaluate(DummyClassifier(strategy="uniform"), seeds=[0, 1], subjects=8)
    assert first.predictions.equals(again.predictions)
    by_seed = [list(part["y_pred"]) for _, part in first.predictions.groupby("seed")]
    assert by_seed[0] != by_seed[1]
    fixed = evaluate(DummyClassifier(strategy="uniform", random_state=7), seeds=[0, 1], subjects=8)
    by_seed = [list(part["y_pred"]) for _, part in fixed.predictions.groupby("seed")]
    assert by_seed[0] == by_seed[1]


def test_a_config_with_several_protocols_and_inputs_gives_a_row_for_each() -> None:
    config = {
        "dataset": {"plugin": "synthetic", "subjects": 4, "clips": 6},
        "protocol": ["loso", {"plugin": "kfold", "name": "two", "k": 2}],
        "models": ["majority", {"plugin": "svm", "preprocess": []}],
    }
    run = evaluate(LogisticRegression(), config, name="lr", compare_with=["svm"])
    assert run.models == ("lr under loso", "lr under two", "svm under loso", "svm under two")
    assert run.complete


@pytest.mark.usefixtures("toys")
def test_the_same_object_goes_on_and_another_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    evaluate(LogisticRegression(), name="lr", out="run")
    with monkeypatch.context() as patch:
        patch.setattr(InProcess, "run", lambda *_: pytest.fail("something was trained again"))
        evaluate(LogisticRegression(), name="lr", out="run")
    with pytest.raises(RunFolderError, match=r"models\.lr\.code: was '"):
        evaluate(LogisticRegression(C=2), name="lr", out="run")


@pytest.mark.usefixtures("toys")
def test_without_a_folder_the_run_lives_as_long_as_the_object() -> None:
    run = evaluate(LogisticRegression())
    folder = run.folder
    assert folder.is_dir()
    assert len(run.predictions) == 12
    del run
    assert not folder.exists()


@pytest.mark.usefixtures("toys")
def test_no_leaderboard_takes_local_code() -> None:
    evaluate(LogisticRegression(), name="lr", out="run")
    with pytest.raises(BoardError, match=r"lr: made with local code .*'bench new model NAME'"):
        define(read_run(Path("run")), "toy", headline="uf1", title="Toy")


def test_several_jobs_where_the_object_can_be_sent_and_where_it_cannot() -> None:
    sent = evaluate(LogisticRegression(), QUICK, jobs=2, name="lr", seeds=[0], in_process=False)
    assert sent.messages == ()

    class Local(LogisticRegression):
        """No other process can import it."""

    with pytest.warns(mexbench.RunWarning, match="jobs=2: lr cannot be sent to another process .* one by one in this"):
        run = evaluate(Local(), QUICK, jobs=2, name="lr", seeds=[0], in_process=False)
    assert run.predictions.equals(sent.predictions)


class Regressor:
    def fit(self, x: np.ndarray, y: np.ndarray) -> None:
        del x, y

    def predict(self, x: np.ndarray) -> np.ndarray:
        return np.full(len(x), 0.37)


@pytest.mark.usefixtures("toys")
@pytest.mark.parametrize(
    ("model", "options", "error", "message"),
    [
        (Regressor(), {}, PluginError, r"Regressor failed in every task: ValueError: predict gave .*0\.37"),
        (LogisticRegression, {}, ConfigError, r"got the class LogisticRegression; give an object of it"),
        (7, {}, ConfigError, "expected a scikit-learn estimator .* got a int"),
        (LogisticRegression(), {"recipe": {}}, ConfigError, "recipe: is for PyTorch modules"),
        (LogisticRegression(), {"name": "a/b"}, ConfigError, "name: expected letters, .* got 'a/b'"),
        (LogisticRegression(), {"subject": 3}, ConfigError, "unknown parameter 'subject'"),
        (LogisticRegression(), {"name": "svm", "compare_with": "svm"}, ConfigError, "two models are called 'svm'"),
        (LogisticRegression(), {"protocol": "losso"}, ConfigError, "unknown protocol 'losso'"),
    ],
)
def test_what_evaluate_refuses(model: object, options: dict[str, Any], error: type[Exception], message: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", mexbench.RunWarning)
        with pytest.raises(error, match=message):
            evaluate(model, **options)


def test_a_data_set_that_is_unknown_is_looked_for_among_the_configs_too() -> None:
    with pytest.raises(ConfigError, match="neither a file nor the name of a shipped config"):
        evaluate(LogisticRegression(), "sinthetic")


def test_compare_with_names_models_of_a_config() -> None:
    with pytest.raises(ConfigError, match="unknown model of this config 'svn'"):
        evaluate(LogisticRegression(), QUICK, compare_with=["svn"])


class Constant(Model):
    def fit(self, x: Any, y: Any, **_: Any) -> Any:  # noqa: ANN401
        del x, y
        return lambda x: np.tile([0.0, 1.0], (len(x), 1))


@pytest.mark.usefixtures("toys")
def test_a_model_object_is_taken_as_it_is() -> None:
    run = evaluate(Constant())
    assert set(run.predictions["y_pred"]) == {"positive"}
    assert list(run.scores["flags"]) == ["local-code"]
    with pytest.raises(ConfigError, match="no 'fit_action_units' in the class of 'Constant'"):
        evaluate(Constant(), target="action_units")
