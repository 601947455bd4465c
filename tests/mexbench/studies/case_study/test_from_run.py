"""Case studies through the engine, with clips whose truth and whose predictions are known."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from mexbench.errors import BoardError, ProtocolError, RunFolderError
from mexbench.evaluation import plan as planning
from mexbench.evaluation import run as engine
from mexbench.evaluation import save_models as keeping
from mexbench.evaluation.executors.base import InProcess
from mexbench.files import read_json, write_json, write_text
from mexbench.interfaces import Clip, Dataset, Sample
from mexbench.metrics.predictions import UNKNOWN
from mexbench.registry.catalogue import Catalogue
from mexbench.reports import run_page as leaderboard
from mexbench.reports.leaderboards.submit import define
from mexbench.reports.run_report import RunReport, collect
from mexbench.runs import saved_model as saved
from mexbench.runs.run_folder import RunFolder
from mexbench.runs.stored_run import read_run
from mexbench.studies.audit.cases import check_not_leaky
from mexbench.studies.case_study.from_run import check_honest
from mexbench.studies.inference import page
from tests.helpers import Ran, Toy, config_of, entry, with_plugins
from tests.mexbench.evaluation.test_run import MANIFEST
from tests.mexbench.runs.test_saved_model import Mean

#: clip -> subject, condition, emotion, what its pixels say: 1 glad, -1 not; units
WILD: Mapping[str, tuple[str, str | None, str | None, float, str]] = {
    "wild/q0/c0": ("q0", "patient", "sad", -1, "4"),
    "wild/q0/c1": ("q0", "patient", None, -1, "4+7"),
    "wild/q0/c2": ("q0", "patient", "glad", -1, ""),
    "wild/q1/c0": ("q1", "patient", None, 1, "12"),
    "wild/q2/c0": ("q2", "control", "bored", 1, ""),
    "wild/q2/c1": ("q2", "control", "glad", 1, "6+12"),
}


@dataclass(frozen=True, kw_only=True)
class Wild(Dataset):
    """Clips that are mostly unlabelled.

    Args:
        frames: Samples per clip.
        labels: Whether there is any label.
    """

    frames: int = 1
    labels: bool = True

    def label_map(self) -> Mapping[str, str]:
        return {"sad": "negative", "glad": "positive", "bored": "boredom"}

    def samples(self) -> Sequence[Sample]:
        return [
            Sample(
                sample_id=f"{name}#{frame}" if self.frames > 1 else name,
                clip_id=name,
                subject=f"wild/{subject}",
                dataset="wild",
                emotion=emotion if self.labels else None,
                condition=condition,
                aus=frozenset(f"AU{unit}" for unit in units.split("+") if unit),
            )
            for name, (subject, condition, emotion, _, units) in WILD.items()
            for frame in range(self.frames)
        ]

    def load(self, sample: Sample) -> Clip:
        says, frame = WILD[sample.clip_id][3], int(sample.sample_id.partition("#")[2] or 0)
        # Of three frames the first contradicts the clip, weakly: the mean of the scores must not follow it.
        shown = -says / 10 if self.frames > 1 and frame == 0 else says
        own = 1.5 + list(WILD).index(sample.clip_id) / 100 + frame / 1000  # no two samples are the same
        return Clip(frames=np.array([[shown, 1, own]], np.float32))


@dataclass(frozen=True, kw_only=True)
class Lab(Toy):
    """The toy with action units, and a clip without a label that must not train."""

    def samples(self) -> Sequence[Sample]:
        units = {"sad": "AU4", "angry": "AU4", "glad": "AU12", "bored": "AU7"}
        coded = [
            Sample(
                sample_id=one.sample_id, clip_id=one.clip_id, subject=one.subject, dataset="toy", emotion=one.emotion,
                aus=frozenset({units[str(one.emotion)]}),
            )
            for one in super().samples()
        ]  # fmt: skip
        nobody = Sample(sample_id="toy/p9/c9", clip_id="toy/p9/c9", subject="toy/p9", dataset="toy", emotion=None)
        # The lab has no class for boredom, and gets none because the clips that models are applied to have one.
        bored = replace(nobody, sample_id="toy/p9/c8", clip_id="toy/p9/c8", emotion="bored")
        return [*coded, nobody, bored]


@pytest.fixture
def catalogue(toys: Catalogue) -> Catalogue:
    return with_plugins(toys, entry("dataset", Wild), entry("dataset", Lab), entry("model", Mean))


def text(wild: str = "wild", models: str = "[mean]", protocol: str = "", more: str = "") -> str:
    block = protocol or f"{{plugin: case_study, train: [toy], apply: wild{more}}}"
    return f"dataset: [lab, {wild}]\nprotocol: {block}\nmodels: {models}\nseeds: [0, 1]"


def run(catalogue: Catalogue, folder: Path, config: str) -> RunReport:
    plan = planning.plan(config_of(config, catalogue))
    assert engine.run(plan, RunFolder(folder), InProcess()) == []
    return collect(plan, RunFolder(folder))


def write_reports(results: RunReport, folder: Path) -> None:
    config = results.plan.config
    manifest = {"config": config.resolved(), "identity": config.identity(), "versions": {}, "started": "now"}
    write_json(folder / "manifest.json", manifest)
    write_json(folder / "scores.json", results.scores())
    write_text(folder / "predictions.csv", results.predictions())


def test_unlabelled_clips_are_predicted_and_not_scored(catalogue: Catalogue, tmp_path: Path) -> None:
    results = run(catalogue, tmp_path, text())
    scores = results.scores()
    (row,), (part,) = scores["rows"], scores["parts"]
    assert scores["classes"] == ["negative", "positive"]  # nobody trains boredom, so nobody can say it
    assert part["left_out"] == {"unlabelled": 1, "no class for 'bored'": 1}  # on the training side
    assert part["unlabelled"] == 3
    assert part["support"] == {"negative": 6 + 1, "positive": 6 + 2}
    assert part["tested"] == 6
    # Labelled are q0/c0 (sad, right), q0/c2 (glad, wrong) and q2/c1 (glad, right).
    assert (row["n_samples"], row["n_subjects"], row["seeds"]) == (3, 2, [0, 1])
    assert row["accuracy"] == pytest.approx(2 / 3)
    assert row["confusion"] == [[2, 0], [2, 2]]  # of two seeds
    study = scores["case_study"]["mean"]
    assert (study["dataset"], study["trained_on"], study["honest"]) == ("wild", ["toy"], None)
    assert (study["n_clips"], study["n_scored"], study["n_other_emotion"]) == (6, 3, 1)
    shares = {one["condition"]: [share["clips"] for share in one["shares"]] for one in study["conditions"]}
    assert shares == {"patient": [3, 1], "control": [0, 2]}
    assert study["scores"]["accuracy"] == pytest.approx(2 / 3)
    assert {clip["clip_id"]: (clip["predicted"], clip["cluster"]) for clip in study["clips"]} == {
        "wild/q0/c0": ("negative", "Negative_ME1"),
        "wild/q0/c1": ("negative", "Negative_ME1"),
        "wild/q0/c2": ("negative", None),
        "wild/q1/c0": ("positive", "Positive_ME1"),
        "wild/q2/c0": ("positive", None),
        "wild/q2/c1": ("positive", "Positive_ME1"),
    }
    lines = results.predictions().splitlines()
    assert "mean,0,toy to wild,wild/q1/c0,wild/q1/c0,wild/q1,wild,,positive" in "\n".join(lines)
    page = leaderboard.markdown(scores, MANIFEST)
    assert "18 samples of toy, wild (negative 7, positive 8, no class 3)" in page
    assert "(toy to wild; 6 tested)" in page


def test_a_run_without_any_label_has_shares_and_no_score(catalogue: Catalogue, tmp_path: Path) -> None:
    results = run(catalogue, tmp_path, text("{plugin: wild, labels: false}"))
    scores = results.scores()
    row = scores["rows"][0]
    assert (row["uf1"], row["n_samples"], row["rank"], row["seeds"]) == (None, 0, None, [0, 1])
    assert scores["case_study"]["mean"]["scores"] is None
    assert scores["case_study"]["mean"]["n_clips"] == 6
    write_reports(results, tmp_path)
    page = leaderboard.markdown(scores, MANIFEST)
    assert "No clip has a label that a model could be scored by, so there are no scores." in page
    assert "UF1" not in page  # no empty tables
    assert "UF1" not in leaderboard.terminal_text(scores)
    assert "Models: mean (" in page
    stored = read_run(tmp_path)
    assert set(stored.predictions["mean"].truth) == {UNKNOWN}
    assert len(stored.predictions["mean"].labelled()) == 0


def test_a_clip_has_the_class_of_the_mean_of_its_frames(catalogue: Catalogue, tmp_path: Path) -> None:
    scores = run(catalogue, tmp_path, text("{plugin: wild, frames: 3}")).scores()
    study = scores["case_study"]["mean"]
    assert study["n_clips"] == 6
    predicted = [clip["predicted"] for clip in study["clips"]]
    assert predicted == ["negative"] * 3 + ["positive"] * 3
    assert scores["rows"][0]["per_clip"]["n_clips"] == 3
    assert scores["rows"][0]["per_clip"]["accuracy"] == pytest.approx(2 / 3)


def test_labels_change_neither_predictions_nor_task_fingerprints(catalogue: Catalogue, tmp_path: Path) -> None:
    with_labels = run(catalogue, tmp_path / "a", text())
    without = run(catalogue, tmp_path / "b", text("{plugin: wild, labels: false}"))
    assert [summary.scores for summary in with_labels.done] == [summary.scores for summary in without.done]
    one, other = (results.plan.parts[0].data.fingerprint for results in (with_labels, without))
    assert one != other
    assert with_labels.plan.tasks[0].fingerprint != without.plan.tasks[0].fingerprint


@pytest.mark.parametrize("scope", ["all", "task"])
def test_saved_models_know_nothing_of_the_clips_that_they_describe(
    catalogue: Catalogue, tmp_path: Path, scope: keeping.Scope
) -> None:
    plan = planning.plan(config_of(text(), catalogue))
    folder = RunFolder(tmp_path)
    model_writer = keeping.model_writer_for(scope, plan, folder, engine.missing(plan, folder), always=False)
    if scope == "all":
        assert keeping.train_on_everything(plan, InProcess(), model_writer, lambda _: None) == []
    assert engine.run(plan, folder, InProcess(), model_writer=model_writer if scope == "task" else None) == []
    name = "all/0" if scope == "all" else "0/toy to wild"
    path = tmp_path / "models" / "mean" / name
    trained_on = read_json(path / "model.json")["trained_on"]
    # 12 labelled clips of the lab; three clips of the wild have labels as well.
    assert (trained_on["samples"], trained_on["title"], trained_on["datasets"]) == (12, "toy", {"toy": 12})
    loaded = saved.load(path, catalogue)
    assert page.describe(loaded).endswith(", trained on 12 samples of toy; classes: negative, positive")
    part = plan.parts[0]
    (stored,) = [stored for stored in collect(plan, folder).done if stored.task.seed == 0]
    ids = [sample.sample_id for sample in part.data.samples]
    scores = loaded(part.arrays.x[[ids.index(one) for one in stored.scores]])
    np.testing.assert_array_equal(scores, list(stored.scores.values()))  # those of the model that the study describes
    assert keeping.score_saved(plan, folder, collect(plan, folder).scores()) == []
    assert read_json(path / "model.json")["score"] is None  # it tests nothing


def test_the_honest_score_is_read_from_the_reference_run(catalogue: Catalogue, tmp_path: Path) -> None:
    honest = run(catalogue, tmp_path / "honest", "dataset: lab\nprotocol: loso\nmodels: [mean]")
    write_reports(honest, tmp_path / "honest")
    scores = run(catalogue, tmp_path / "study", text(more=f", reference_run: {tmp_path / 'honest'}")).scores()
    quoted = scores["case_study"]["mean"]["honest"]
    assert (quoted["protocol"], quoted["dataset"], quoted["run"]) == ("loso", "lab", "honest")
    assert quoted["uf1"] == honest.scores()["rows"][0]["uf1"]
    assert quoted["other_classes"] == []
    # The path says where and not what: it is not part of the run's identity.
    configs = [config_of(text(more=more), catalogue) for more in ("", f", reference_run: {tmp_path / 'honest'}")]
    assert configs[0].fingerprint == configs[1].fingerprint


def test_a_reference_run_that_is_missing_is_named_before_a_run(catalogue: Catalogue, tmp_path: Path) -> None:
    config = config_of(text(more=f", reference_run: {tmp_path / 'nowhere'}"), catalogue)
    with pytest.raises(
        RunFolderError, match=r"^reference_run of protocol 'case_study': .*nowhere: is not a run folder"
    ):
        check_honest(config)


def test_case_studies_are_not_audited_or_submitted(catalogue: Catalogue, tmp_path: Path) -> None:
    config = config_of(text(), catalogue)
    with pytest.raises(ProtocolError, match="a case study tests nothing, so no leak can add to it"):
        check_not_leaky(config)
    results = run(catalogue, tmp_path, text())
    write_reports(results, tmp_path)
    with pytest.raises(BoardError, match="is a case study, which describes and tests nothing"):
        define(read_run(tmp_path), "board", headline="uf1", title="Board")
    both = text(protocol="[loso, {plugin: case_study, train: [toy], apply: wild}]")
    with pytest.raises(ProtocolError, match="applies models to clips that the other could not use"):
        planning.read(config_of(both, catalogue))


def test_other_protocols_exclude_unlabelled_clips(catalogue: Catalogue) -> None:
    (data,) = planning.read(config_of(text(protocol="loso"), catalogue))
    assert data.excluded == {"unlabelled": ("toy/p9/c9", "wild/q0/c1", "wild/q1/c0")}
    assert data.classes == ("negative", "positive", "boredom")
    chosen = text(more=", classes: {sad: low, glad: high, bored: low}")
    (data,) = planning.read(config_of(chosen, catalogue))
    assert data.classes == ("low", "high")
    assert data.excluded == {"no class for 'angry'": ("toy/p0/c2", "toy/p1/c2", "toy/p2/c2"), "unlabelled": (
        "toy/p9/c9",
    )}  # fmt: skip
    assert data.support() == {"low": 3 + 1 + 1 + 1, "high": 6 + 2}


def test_a_damaged_case_study_is_rejected(catalogue: Catalogue, tmp_path: Path, bench: Callable[..., Ran]) -> None:
    results = run(catalogue, tmp_path, text())
    write_reports(results, tmp_path)
    assert bench("analyse", "case-study", tmp_path).code == 0
    full = results.scores()
    study = full["case_study"]["mean"]
    clip = study["clips"][0]
    for broken in ([], {}, {"mean": []}, {"mean": {**study, "clips": [{**clip, "predicted": "rage"}]}},
                   {"mean": {**study, "all": None}}, {"mean": {**study, "honest": 3}}):  # fmt: skip
        write_json(tmp_path / "scores.json", {**full, "case_study": broken})
        for command in ("case-study", "agreement"):
            ran = bench("analyse", command, *[tmp_path] * (2 if command == "agreement" else 1))
            assert ran.code in (0, 2), (broken, ran.err)
            assert "Traceback" not in ran.err
