"""What is written is what TensorBoard reads: records of length, checksum, event."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from mexbench.registry.catalogue import load_catalogue
from tests.helpers import Ran, entry, with_plugins

event_pb2 = pytest.importorskip("tensorboardX.proto.event_pb2")

CONFIG = """
dataset: {plugin: synthetic, subjects: 3, clips: 6}
protocol: loso
models: [majority, {plugin: ann, hidden_layer_sizes: [4], max_iter: 30, tol: 1.0, n_iter_no_change: 5}]
seeds: [0, 1]
"""


def events(folder: Path) -> Iterator[Any]:
    """Read event files by their format: uint64 length, its CRC, the event, its CRC."""
    for path in sorted(folder.glob("events.*")):
        data = path.read_bytes()
        while data:
            (length,) = struct.unpack("<Q", data[:8])
            yield event_pb2.Event.FromString(data[12 : 12 + length])
            data = data[16 + length :]


def scalars(folder: Path) -> dict[str, dict[int, float]]:
    values: dict[str, dict[int, float]] = {}
    for event in events(folder):
        for value in event.summary.value:
            if value.WhichOneof("value") == "simple_value":
                values.setdefault(value.tag, {})[event.step] = value.simple_value
    return values


@pytest.mark.usefixtures("few_subjects_suffice")
def test_observer_receives_a_run(tmp_path: Path, bench: Callable[..., Ran]) -> None:
    (tmp_path / "c.yaml").write_text(CONFIG)
    ran = bench("run", tmp_path / "c.yaml", "--out", tmp_path / "run", "--observe", "tensorboard")
    assert (ran.code, "warning: observer" in ran.err) == (0, False), ran.err
    folder = tmp_path / "run" / "tensorboard"
    assert sorted(path.name for path in folder.iterdir()) == ["ann", "majority"]
    rows = json.loads((tmp_path / "run" / "scores.json").read_text())["rows"]
    for row in rows:
        logged = scalars(folder / row["model"])
        for name in ("uf1", "uar", "accuracy"):
            assert logged[f"score/{name}"] == {0: pytest.approx(row[name], rel=1e-6)}
            ends = [logged[f"score/{name}_{end}"][0] for end in ("low", "high")]
            assert ends == pytest.approx(row["ci"][name], rel=1e-6)
        assert sorted(logged["fold/accuracy"]) == sorted(logged["fold/fit_s"]) == list(range(6))
        assert sum(logged["fold/accuracy"].values()) / 6 == pytest.approx(row["accuracy"], rel=1e-6)
        texts = [value.tensor.string_val for event in events(folder / row["model"]) for value in event.summary.value]
        assert [b"synthetic"] in [list(text) for text in texts]
    curves = (tmp_path / "run" / "histories.csv").read_text().splitlines()
    assert curves[0] == "model,seed,fold,epoch,loss"
    assert not (folder / "majority" / "curves").exists()
    assert len(list((folder / "ann" / "curves").iterdir())) == 6
    written = scalars(folder / "ann" / "curves" / "1 synthetic%2Fs02")["curve/loss"]
    expected = [line.split(",") for line in curves[1:] if line.startswith("ann,1,synthetic/s02,")]
    assert len(expected) >= 5
    assert written == {int(line[3]): pytest.approx(float(line[4]), rel=1e-6) for line in expected}
    # Another call adds to it and the folder stays this run's.
    assert bench("run", tmp_path / "c.yaml", "--out", tmp_path / "run").code == 0


def test_a_failed_task(tmp_path: Path, bench: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch) -> None:
    from mexbench_plugins.models.majority import Majority

    def failing(*_: object, **__: object) -> None:
        raise ValueError("no way")

    monkeypatch.setattr(Majority, "fit", failing)
    (tmp_path / "c.yaml").write_text(CONFIG)
    options = ("--in-process", "--observe", "tensorboard", "--set", "seeds=[0]")
    ran = bench("run", tmp_path / "c.yaml", "--out", tmp_path / "run", *options)
    assert (ran.code, "warning: observer" in ran.err) == (1, False), ran.err
    logged = [value for event in events(tmp_path / "run/tensorboard/majority") for value in event.summary.value]
    texts = [value.tensor.string_val[0].decode() for value in logged if value.tag.startswith("failed")]
    assert texts == [f"synthetic/s0{n}, seed 0: ValueError: no way" for n in (1, 2, 3)]
    assert "score/uf1" not in scalars(tmp_path / "run/tensorboard/majority")


@pytest.mark.usefixtures("few_subjects_suffice")
def test_action_units(tmp_path: Path, bench: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch) -> None:
    from mexbench.cli import run as run_command
    from tests.mexbench.test_units_run import Faces

    catalogue = with_plugins(load_catalogue(), entry("dataset", Faces))
    monkeypatch.setattr(run_command, "open_catalogue", lambda: catalogue)
    (tmp_path / "c.yaml").write_text("target: action_units\ndataset: faces\nprotocol: loso\nmodels: [always_present]\n")
    ran = bench("run", tmp_path / "c.yaml", "--out", tmp_path / "run", "--observe", "tensorboard")
    assert (ran.code, "warning: observer" in ran.err) == (0, False), ran.err
    (row,) = json.loads((tmp_path / "run" / "scores.json").read_text())["rows"]
    logged = scalars(tmp_path / "run" / "tensorboard" / "always_present")
    assert logged["score/f1"] == {0: pytest.approx(row["f1"], rel=1e-6)}
    assert logged["score/macro_f1_high"] == {0: pytest.approx(row["ci"]["macro_f1"][1], rel=1e-6)}
    assert "fold/accuracy" not in logged
