"""Published weights become saved models, which are scored on the subjects that they left out, and on no others."""

from __future__ import annotations

import json
import pickle
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mexbench.evaluation import evaluate_saved as evaluation
from mexbench.files import read_json
from mexbench.runs import saved_model as saved
from mexbench.runs.run_folder import folder_name
from mexbench.runs.saved_model import SavedModel
from tests.helpers import Ran

Bench = Callable[..., Ran]
SUBJECTS = {"006": "samm/006", "007": "samm/007", "s01": "smic/s01", "sub01": "casme2/sub01"}


@pytest.fixture
def config(tmp_path: Path, flow_pack: Path) -> Path:
    path = tmp_path / "published.yaml"
    path.write_text(
        f"dataset: {{plugin: megc2019_flow, root: {flow_pack}, expect: any}}\nprotocol: loso\n"
        "models: [majority, {plugin: ststnet, channels: reversed}]\n"
    )
    return path


def importing(bench: Bench, folder: Path, config: Path, out: Path) -> Ran:
    return bench("import-weights", folder, config, "--publisher", "the authors", "--out", out)


def three_streams(torch: Any, seed: int) -> Any:  # noqa: ANN401
    """The authors' network: streams of 3, 5 and 8 filters, of which the first letters of the names are theirs."""
    nn = torch.nn

    class ThreeStreams(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            for index, filters in enumerate((3, 5, 8), start=1):
                setattr(self, f"conv{index}", nn.Conv2d(3, filters, 3, padding=2))
                setattr(self, f"bn{index}", nn.BatchNorm2d(filters))
            self.fc = nn.Linear(5 * 5 * 16, 3)

        def forward(self, x: Any) -> Any:  # noqa: ANN401
            streams = [
                nn.functional.max_pool2d(norm(torch.relu(conv(x))), 3, 3, padding=1)
                for conv, norm in ((self.conv1, self.bn1), (self.conv2, self.bn2), (self.conv3, self.bn3))
            ]
            return self.fc(nn.functional.avg_pool2d(torch.cat(streams, 1), 2).flatten(1))

    torch.manual_seed(seed)
    network = ThreeStreams()
    network.train()  # so that the running statistics are not those that every new network has
    for _ in range(3):
        network(torch.rand(8, 3, 28, 28) * 255)
    return network.eval()


@pytest.fixture
def published(tmp_path: Path) -> tuple[Path, dict[str, Any]]:
    """A folder of state dictionaries, and the networks."""
    torch = pytest.importorskip("torch")
    folder, networks = tmp_path / "weights", {}
    folder.mkdir()
    for seed, name in enumerate(SUBJECTS):
        networks[name] = three_streams(torch, seed)
        torch.save(networks[name].state_dict(), folder / f"{name}.pth")
    return folder, networks


def test_predictions_are_those_of_pytorch(
    published: tuple[Path, dict[str, Any]], config: Path, flow_pack: Path, tmp_path: Path, bench: Bench
) -> None:
    torch = pytest.importorskip("torch")
    folder, networks = published
    out = tmp_path / "imported"
    ran = importing(bench, folder, config, out)
    assert (ran.code, ran.out.splitlines()[0]) == (0, f"4 saved models written to {out}")
    assert sorted(path.name for path in out.iterdir()) == sorted(map(folder_name, SUBJECTS.values()))
    about = read_json(out / folder_name("samm/006") / saved.ABOUT)
    assert about["trained_on"] == {
        "what": "stated", "fold": "samm/006", "held_out": ["samm/006"], "stated_by": "the authors"
    }  # fmt: skip
    assert about["origin"]["file"] == "006.pth"

    ran = bench("evaluate-saved", out, config, "--out", tmp_path / "scored")
    assert ran.code == 0
    assert "published-weights" in ran.out
    assert "the publisher's statement, which cannot be checked here" in ran.err
    import csv

    import cv2

    with (tmp_path / "scored" / "predictions.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == 12
    for row in rows:
        _, subject, clip = row["sample_id"].split("/")
        (path,) = flow_pack.glob(f"{subject}/u_test/*/{subject}_{clip} .png")
        pixels = cv2.imread(str(path))  # strain, v, u, as the authors read it
        assert pixels is not None
        with torch.no_grad():
            logits = networks[subject](torch.tensor(pixels).permute(2, 0, 1)[None].float())
        expected = torch.softmax(logits, 1)[0].numpy()
        given = [float(row[f"score_{name}"]) for name in ("negative", "positive", "surprise")]
        np.testing.assert_allclose(given, expected, atol=1e-6)
    scores = read_json(tmp_path / "scored" / "scores.json")
    confusion = np.zeros((3, 3))
    names = ["negative", "positive", "surprise"]
    for row in rows:
        confusion[names.index(row["y_true"]), names.index(row["y_pred"])] += 1
    f1 = 2 * np.diag(confusion) / (confusion.sum(0) + confusion.sum(1))
    assert scores["rows"][0]["uf1"] == pytest.approx(f1.mean())
    assert scores["rows"][0]["accuracy"] == pytest.approx(np.trace(confusion) / 12)


class Hostile:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:  # noqa: ANN401
        return Path.touch, (self.path,)


def hostile(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps({"fc.weight": Hostile(path.with_suffix(".ran"))}, protocol=2))


def compress(path: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)


def with_state(path: Path, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    torch = pytest.importorskip("torch")
    torch.save(change(dict(torch.load(path, weights_only=True))), path)


DAMAGES: dict[str, Callable[[Path], object]] = {
    "hostile": hostile,
    "truncated": lambda path: path.write_bytes(path.read_bytes()[:-200]),
    "compressed": compress,
    "unknown subject": lambda path: path.rename(path.with_name("s99.pth")),
    "no file": lambda path: path.unlink(),
    "twice": lambda path: shutil.copy(path, path.with_name("006.pth")),
    "missing key": lambda path: with_state(
        path, lambda state: {name: one for name, one in state.items() if name != "bn2.running_var"}
    ),
    "wrong shape": lambda path: with_state(
        path, lambda state: {**state, "conv3.weight": state["conv3.weight"][:4].clone()}
    ),
    "unknown key": lambda path: with_state(path, lambda state: {**state, "attention.weight": state["fc.bias"] + 1}),
    "negative variance": lambda path: with_state(
        path, lambda state: {**state, "bn1.running_var": -state["bn1.running_var"]}
    ),
    "not finite": lambda path: with_state(path, lambda state: {**state, "fc.bias": state["fc.bias"] / 0}),
}


@pytest.mark.parametrize(
    ("how", "text"),
    [
        ("hostile", "007.pth: is not a state dictionary that can be read safely"),
        ("missing key", "007.pth: is not a state dictionary of 'ststnet': lacks bn2.running_var (5,)"),
        ("wrong shape", "conv3.weight is float32 (4, 3, 3, 3), expected floats (8, 3, 3, 3)"),
        ("unknown key", "has 1 arrays that the network lacks: attention.weight"),
        ("negative variance", "bn1.running_var has a negative variance"),
        ("truncated", "007.pth: is cut short or damaged"),
        ("compressed", "has compressed entries, which PyTorch never writes"),
        ("unknown subject", "1 file is of no subject of the data: s99; its subjects are 006, 007, s01, sub01"),
        ("no file", "1 of 4 subjects have no file: 007"),
        ("twice", "006.pth and 007.pth hold the same weights"),
        ("not finite", "holds numbers that are NaN or infinite"),
    ],
)
def test_what_cannot_be_used_is_one_clear_error(
    how: str, text: str, published: tuple[Path, dict[str, Any]], config: Path, bench: Bench
) -> None:
    folder, _ = published
    out = folder.with_name("imported")
    DAMAGES[how](folder / "007.pth")
    ran = importing(bench, folder, config, out)
    assert (ran.code, ran.out) == (2, "")
    assert text in ran.err
    assert ran.err.count("error:") == 1
    assert not out.exists()
    assert not list(folder.glob("*.ran"))


def test_what_no_network_can_take_is_refused_before_files_are_read(config: Path, tmp_path: Path, bench: Bench) -> None:
    folder = tmp_path / "weights"
    assert "weights: is not a folder" in importing(bench, folder, config, tmp_path / "out").err
    folder.mkdir()
    assert "has no file that ends in .pth" in importing(bench, folder, config, tmp_path / "out").err
    arguments = ("import-weights", folder, config, "--publisher", "x", "--out", tmp_path / "out")
    ran = bench(*arguments, "--model", "majority")
    assert (ran.code, "--model majority: expected a model of the config" in ran.err) == (2, True)
    ran = bench(*arguments, "--set", "models=[majority]")
    assert "no model of the config can take published weights" in ran.err
    ran = bench(*arguments, "--set", "protocol={plugin: kfold, k: 2}")
    assert "does not test one subject alone, once" in ran.err
    assert "--publisher: expected where" in bench(*arguments[:4], " ", *arguments[5:]).err
    assert f"{folder}: exists already" in bench(*arguments[:6], folder).err


RUN = "dataset: {plugin: synthetic, subjects: 4, clips: 6}\nprotocol: loso\nmodels: [svm]\n"


@pytest.fixture
def run_models(tmp_path: Path, bench: Bench) -> tuple[Path, Path]:
    """A config, and the models of its folds."""
    path = tmp_path / "quick.yaml"
    path.write_text(RUN)
    assert bench("run", path, "--out", tmp_path / "run", "--in-process", "--save-models", "task").code == 0
    return path, tmp_path / "run" / "models" / "svm" / "0"


def test_saved_models_score_as_their_run_did(run_models: tuple[Path, Path], tmp_path: Path, bench: Bench) -> None:
    config, folder = run_models
    ran = bench("evaluate-saved", folder, config, "--out", tmp_path / "scored")
    assert ran.code == 0
    assert "4 models, each trained on the training side of its fold: checked by the ids of its samples" in ran.err
    assert (tmp_path / "scored" / "predictions.csv").read_bytes() == (tmp_path / "run" / "predictions.csv").read_bytes()
    (row,), (expected,) = (
        json.loads((tmp_path / name / "scores.json").read_text())["rows"] for name in ("scored", "run")
    )
    assert {name: row[name] for name in ("uf1", "uar", "accuracy", "ci")} == {
        name: expected[name] for name in ("uf1", "uar", "accuracy", "ci")
    }


def test_a_model_is_not_scored_on_what_it_was_trained_on(
    run_models: tuple[Path, Path], tmp_path: Path, bench: Bench
) -> None:
    config, folder = run_models
    first, second = sorted(folder.iterdir())[:2]
    about = saved.read_about(first)
    other = saved.read_about(second)
    saved.write_about(first, {**about, "trained_on": {**other["trained_on"], "fold": about["trained_on"]["fold"]}})
    ran = bench("evaluate-saved", folder, config)
    assert (ran.code, "it may have seen what it would be tested on" in ran.err) == (2, True)
    saved.write_about(first, {**about, "trained_on": {**about["trained_on"], "what": "all"}})
    assert "was trained on all samples" in bench("evaluate-saved", folder, config).err
    stated = {"what": "stated", "fold": about["trained_on"]["fold"], "held_out": [other["trained_on"]["fold"]]}
    saved.write_about(first, {**about, "trained_on": stated})
    assert "is not tested on a subject that it was trained on" in bench("evaluate-saved", folder, config).err
    saved.write_about(first, about)
    assert bench("evaluate-saved", folder, config).code == 0


def test_models_of_another_config_are_refused(run_models: tuple[Path, Path], tmp_path: Path, bench: Bench) -> None:
    config, folder = run_models

    def refused(text: str, *changes: str) -> bool:
        settings = [part for change in changes for part in ("--set", change)]
        ran = bench("evaluate-saved", folder, config, *settings)
        return ran.code == 2 and text in ran.err

    assert refused("is of other data than the config: seed: 0, now 1", "dataset.seed=1")
    assert refused("of 'svm', which the config does not have; it has majority", "models=[majority]")
    assert refused("several protocols", "protocol=[loso, {plugin: kfold, k: 2}]")
    assert refused("folds that the config lacks", "protocol={plugin: kfold, k: 2}")
    removed = next(iter(sorted(folder.iterdir())))
    shutil.rmtree(removed)
    assert refused("1 of 4 folds have no model")
    assert "has no saved models, one folder for each fold" in bench("evaluate-saved", tmp_path, config).err
    ran = bench("evaluate-saved", folder.parent, config)  # without the seed
    assert ran.err.endswith(f"; {folder.parents[1]} has {folder.relative_to(folder.parents[1])}\n")


def test_prediction_sees_the_samples_of_its_own_fold_and_no_label(
    run_models: tuple[Path, Path], bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    config, folder = run_models
    seen: list[tuple[str, int]] = []
    call = SavedModel.__call__

    def spy(self: SavedModel, x: Any, /) -> Any:  # noqa: ANN401
        seen.append((str(self.about["trained_on"]["fold"]), len(x)))
        return call(self, x)

    monkeypatch.setattr(SavedModel, "__call__", spy)
    assert bench("evaluate-saved", folder, config).code == 0
    assert sorted(seen) == [(f"synthetic/s0{number}", 6) for number in range(1, 5)]
    assert "y" not in evaluation.predict_test_sides.__annotations__
