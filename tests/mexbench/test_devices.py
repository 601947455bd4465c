from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from mexbench import devices, fingerprint
from mexbench.data import read_ahead
from mexbench.errors import DeviceError
from mexbench.files import read_json
from tests.helpers import ROOT, Ran


def fake(platform: str, version: str = "") -> SimpleNamespace:
    """What is asked of JAX, on another machine."""
    device = SimpleNamespace(
        platform=platform, id=0, device_kind="NVIDIA H200", client=SimpleNamespace(platform_version=version)
    )
    return SimpleNamespace(default_backend=lambda: platform, devices=lambda: [device])


@pytest.fixture(autouse=True)
def _own_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("JAX_PLATFORMS", "XLA_PYTHON_CLIENT_PREALLOCATE"):
        monkeypatch.setenv(name, "x")  # so that it is put back afterwards, whatever a test sets
        monkeypatch.delenv(name)


@pytest.mark.parametrize(("version", "platforms"), [("PJRT C API\ncuda 13000", "cuda,cpu"), ("rocm 6", "rocm,cpu")])
def test_a_requested_gpu_has_no_fallback(monkeypatch: pytest.MonkeyPatch, version: str, platforms: str) -> None:
    monkeypatch.setitem(sys.modules, "jax", fake("gpu", version))
    devices.choose("gpu")
    assert os.environ["JAX_PLATFORMS"] == platforms
    assert devices.used() == "gpu:0 NVIDIA H200"


def test_jax_chooses_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    devices.choose(None)
    assert "JAX_PLATFORMS" not in os.environ
    monkeypatch.delitem(sys.modules, "jax", raising=False)
    assert devices.used() == "cpu"


def test_processes_share_gpu_memory_on_demand_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    devices.choose("cpu")
    assert os.environ["JAX_PLATFORMS"] == "cpu"
    assert os.environ["XLA_PYTHON_CLIENT_PREALLOCATE"] == "false"
    monkeypatch.setenv("XLA_PYTHON_CLIENT_PREALLOCATE", "true")
    devices.choose(None)
    assert os.environ["XLA_PYTHON_CLIENT_PREALLOCATE"] == "true"


def test_a_gpu_is_part_of_a_tasks_fingerprint(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jax", fake("cpu"))
    on_cpu = fingerprint.environment()
    assert devices.used() == "cpu"
    monkeypatch.setitem(sys.modules, "jax", fake("gpu"))
    assert fingerprint.environment() == {**on_cpu, "backend": "gpu"}


def test_a_variable_can_exclude_the_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JAX_PLATFORMS", "cpu")
    monkeypatch.delitem(sys.modules, "jax", raising=False)
    with pytest.raises(DeviceError, match="JAX finds no GPU, only cpu: JAX_PLATFORMS is 'cpu'"):
        devices.choose("gpu")


def test_a_driver_without_a_gpu_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> str:
        raise RuntimeError("Unable to initialize backend 'cuda'")

    monkeypatch.setenv("JAX_PLATFORMS", "cuda")
    monkeypatch.setitem(sys.modules, "jax", SimpleNamespace(default_backend=fail))
    with pytest.raises(DeviceError, match="JAX cannot start with JAX_PLATFORMS='cuda': Unable to initialize"):
        devices.backend()


@pytest.mark.skipif(importlib.util.find_spec("jax_plugins") is not None, reason="JAX may have a GPU here")
def test_the_command_reports_a_missing_gpu(bench: Callable[..., Ran], tmp_path: Path) -> None:
    config = tmp_path / "c.yaml"
    config.write_text("dataset: {plugin: synthetic, subjects: 2}\nprotocol: loso\nmodels: [majority]")
    ran = bench("run", config, "--out", tmp_path / "run", "--device", "gpu")
    assert ran.code == 2
    assert "error: --device gpu: JAX finds no GPU, only cpu: its GPU support is not installed" in ran.err
    assert not (tmp_path / "run").exists()
    assert "invalid choice: 'tpu'" in bench("run", config, "--device", "tpu").err
    assert bench("run", config, "--out", tmp_path / "run", "--device", "cpu").code == 0
    tasks = list((tmp_path / "run").glob("tasks/*/*/*.json"))
    assert {read_json(path)["device"] for path in tasks} == {"cpu"}
    assert read_json(tmp_path / "run" / "manifest.json")["device"] == "cpu"


@pytest.mark.skipif(importlib.util.find_spec("jax_plugins") is not None, reason="JAX may have a GPU here")
def test_looking_for_a_gpu_does_not_load_jax() -> None:
    probe = "import sys; from mexbench import devices; sys.exit(devices.backend() != 'cpu' or 'jax' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", probe], cwd=ROOT, check=False).returncode == 0


STEP = """
import hashlib, os, sys
os.sched_setaffinity(0, eval(sys.argv[1]))
from mexbench import devices
devices.use_one_thread()
import numpy as np
from mexbench_plugins.models.off_apexnet import OffApexNet
x = np.random.default_rng(0).integers(0, 256, (128, 1, 28, 28, 2), dtype=np.uint8)
groups = np.array(["s"] * 128)
predictor = OffApexNet(epochs=2).fit(x, np.arange(128) % 3, n_classes=3, groups=groups, seed=0)
print(hashlib.sha256(np.asarray(predictor(x)).tobytes()).hexdigest())
"""


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity") or read_ahead.cores() < 2, reason="needs two cores, on Linux")
def test_a_network_learns_the_same_whatever_the_number_of_cores() -> None:
    """JAX divides a convolution among all cores of the machine unless each of its own settings says one thread."""
    environment = {name: value for name, value in os.environ.items() if name not in devices.ONE_THREAD}
    cores = os.sched_getaffinity(0)
    digests = {
        subprocess.run(
            [sys.executable, "-c", STEP, repr(some)],
            cwd=ROOT, env=environment, capture_output=True, text=True, check=True,
        ).stdout
        for some in (cores, {min(cores)})
    }  # fmt: skip
    assert len(digests) == 1
