"""VGG-16's features by OpenVINO: against our own, without its telemetry, and in a run."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from mexbench.data.cache import Cache
from mexbench.data.pipeline import Pipeline
from mexbench.data.samples import read_samples
from mexbench.errors import ConfigError, DataError
from mexbench.registry.catalogue import Catalogue
from mexbench_plugins.preprocessors import _vgg16_network as network
from mexbench_plugins.preprocessors import _vgg16_openvino as backend
from mexbench_plugins.preprocessors import _vgg16_weights as stored
from mexbench_plugins.preprocessors.vgg16 import VGG16
from tests.helpers import ROOT, Ran, config_of
from tests.pictures import locked


def installed() -> Any:  # noqa: ANN401 - of an optional package
    """Return OpenVINO, imported as the step does it; skip where it is not installed."""
    try:
        importlib.metadata.version("openvino")
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("OpenVINO is not installed")
    return backend.import_openvino()


def has_bfloat16(openvino: Any) -> bool:  # noqa: ANN401 - of an optional package
    return "BF16" in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


def pictures(count: int, height: int, width: int) -> NDArray[np.uint8]:
    return np.random.default_rng(3).integers(0, 256, (count, height, width, 3), dtype=np.uint8)


def biased(weights: stored.Weights, *, blue_first: bool = False) -> stored.Weights:
    """Give random weights biases, and the pixels that Keras's weights expect."""
    rng = np.random.default_rng(2)
    biases = tuple(rng.normal(0, 0.1, bias.shape).astype(np.float32) for bias in weights.biases)
    if blue_first:
        pixels = {"blue_first": True, "mean": stored.KERAS_MEAN, "deviation": np.full(3, 60, np.float32)}
        return dataclasses.replace(weights, biases=biases, **pixels)
    return dataclasses.replace(weights, biases=biases)


#: The sizes of test_vgg16, whose programs are compiled once: sides that maxima divide and that they do not.
@pytest.mark.parametrize(("count", "height", "width", "blue_first"), [(2, 64, 75, True), (1, 130, 97, False)])
def test_float32_agrees_with_winograd(count: int, height: int, width: int, blue_first: bool) -> None:
    installed()
    frames, weights = pictures(count, height, width), biased(stored.drawn(0), blue_first=blue_first)
    ours, theirs = network.features(weights, frames), backend.features(weights, frames, "float32")
    assert theirs.shape == (count, height // 32, width // 32, 512)
    assert theirs.dtype == np.float32
    assert ours.max() > 0.1
    np.testing.assert_allclose(theirs, ours, rtol=1e-4, atol=1e-4)


def test_the_step_agrees_with_winograd_at_the_papers_size() -> None:
    installed()
    clip = locked(pictures(1, 224, 224), apex_index=0, notes=("before",))
    ours, theirs = VGG16(weights="auto", seed=7)(clip), VGG16(weights="auto", seed=7, backend="openvino")(clip)
    assert (theirs.apex_index, theirs.notes) == (0, ("before",))
    assert theirs.frames.shape == (1, 7, 7, 512)
    np.testing.assert_allclose(theirs.frames, ours.frames, rtol=1e-4, atol=1e-4)


def test_features_of_a_frame_do_not_depend_on_the_others() -> None:
    installed()
    frames = pictures(5, 32, 64)
    together = backend.features(stored.drawn(0), frames, "float32")
    for i in (4, 0):
        np.testing.assert_array_equal(backend.features(stored.drawn(0), frames[i : i + 1], "float32")[0], together[i])


def test_bfloat16_is_close_and_not_equal() -> None:
    if not has_bfloat16(installed()):
        pytest.skip("this processor has no bfloat16")
    frames = pictures(2, 64, 64)
    exact, coarse = (backend.features(stored.drawn(0), frames, name) for name in ("float32", "bfloat16"))
    assert coarse.dtype == np.float32
    difference = np.abs(coarse - exact).max() / exact.max()
    assert 1e-4 < difference < 0.05  # eight bits, thirteen layers


def test_a_processor_without_bfloat16_is_rejected(monkeypatch: pytest.MonkeyPatch) -> None:
    float32 = SimpleNamespace(to_string=lambda: "f32")
    compiled = SimpleNamespace(get_property=lambda _: float32)
    core = SimpleNamespace(compile_model=lambda *_: compiled)
    monkeypatch.setattr(backend, "import_openvino", lambda: SimpleNamespace(Core=lambda: core))
    monkeypatch.setattr(backend, "_network", lambda *_: None)
    monkeypatch.setattr(backend, "version", lambda: "2026.4.1")
    step = VGG16(weights="auto", backend="openvino", precision="bfloat16")
    with pytest.raises(DataError, match=r"computes with f32 on this processor.*; choose 'precision: float32'"):
        step(locked(pictures(1, 32, 32)))


def test_no_telemetry_is_imported_or_written(tmp_path: Path) -> None:
    installed()
    code = (
        "import sys\nfrom mexbench_plugins.preprocessors import _vgg16_openvino as backend\nbackend.import_openvino()\n"
        "print([name for name in sys.modules if name.partition('.')[0] == 'openvino_telemetry'])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={**os.environ, "HOME": str(tmp_path), "USERPROFILE": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, "[]", "")
    assert not list(tmp_path.iterdir())


def test_a_loaded_telemetry_module_is_restored(monkeypatch: pytest.MonkeyPatch) -> None:
    module: Any = SimpleNamespace()
    monkeypatch.setitem(sys.modules, "openvino_telemetry", module)
    monkeypatch.setitem(sys.modules, "openvino", module)
    backend.import_openvino.cache_clear()
    try:
        assert backend.import_openvino() is module
        assert sys.modules["openvino_telemetry"] is module
    finally:
        backend.import_openvino.cache_clear()


def missing(_: str) -> str:
    raise importlib.metadata.PackageNotFoundError


def test_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    step = VGG16(weights="auto", backend="openvino")
    monkeypatch.setattr(importlib.metadata, "version", missing)
    monkeypatch.setitem(sys.modules, "openvino", None)
    backend.import_openvino.cache_clear()
    text = r"vgg16: backend: openvino needs OpenVINO, which is not installed; .*: pip install '\.\[openvino\]'"
    with pytest.raises(DataError, match=text):
        step.provenance()
    backend._program.cache_clear()
    with pytest.raises(DataError, match=text):
        step(locked(pictures(1, 32, 32)))


def test_a_broken_installation_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: str) -> None:
        raise ImportError("libtbb.so.12: cannot open shared object file")

    monkeypatch.setattr(backend.importlib, "import_module", broken)
    backend.import_openvino.cache_clear()
    with pytest.raises(DataError, match=r"cannot be imported: libtbb.so.12: cannot open .*; install it again"):
        backend.import_openvino()


CONFIG = """
dataset: {plugin: toy}
preprocess: [{plugin: vgg16, weights: auto, OPTIONS}]
protocol: clipsplit
models: [majority]
"""


def test_bfloat16_without_openvino_is_rejected_with_its_place(toys: Catalogue) -> None:
    text = (
        r"preprocess\[0\].*'vgg16': precision bfloat16 needs 'backend: openvino'; .* in float32\n  in test.yaml, line 3"
    )
    with pytest.raises(ConfigError, match=text):
        config_of(CONFIG.replace("OPTIONS", "precision: bfloat16"), toys)
    with pytest.raises(ConfigError, match="needs 'backend: openvino'"):
        config_of(CONFIG.replace("OPTIONS", "backend: winograd, precision: bfloat16"), toys)


def test_bfloat16_is_flagged() -> None:
    assert VGG16(weights="auto", backend="openvino").flags() == ("random-vgg16",)
    assert VGG16(weights=Path("a.h5"), backend="openvino", precision="bfloat16").flags() == ("bfloat16",)
    assert VGG16(weights="auto", backend="openvino", precision="bfloat16").flags() == ("random-vgg16", "bfloat16")


def test_backends_precisions_and_versions_share_no_cache_entry(
    toys: Catalogue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def keys_and_fingerprint(options: str, version: str) -> tuple[tuple[str, ...], str]:
        monkeypatch.setattr(backend, "version", lambda: version)
        config = config_of(CONFIG.replace("OPTIONS", options), toys)
        (part,) = config.parts
        pipeline = Pipeline(part, Cache(tmp_path))
        keys = tuple(key for one in read_samples(part).samples for key in pipeline.fetch(one, None).keys)
        return keys, config.fingerprint

    variants = [
        keys_and_fingerprint(options, version)
        for options, version in [
            ("backend: winograd", "2026.4.1"),
            ("backend: openvino", "2026.4.1"),
            ("backend: openvino", "2026.4.0"),
            ("backend: openvino, precision: bfloat16", "2026.4.1"),
        ]
    ]
    all_keys = [key for keys, _ in variants for key in keys]
    assert len(all_keys) == len(set(all_keys)) == 4 * 12
    assert len({fingerprint for _, fingerprint in variants}) == 4
    # Our own backend does not depend on a package that it does not use, and its default is the same step.
    assert keys_and_fingerprint("seed: 0", "another") == variants[0]


def test_provenance_names_backend_version_and_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backend, "version", lambda: "2026.4.1")
    assert VGG16(weights="auto").provenance() == {"weights": "random"}
    step = VGG16(weights="auto", backend="openvino")
    assert step.provenance() == {"weights": "random", "backend": "openvino 2026.4.1, float32"}
    step = dataclasses.replace(step, precision="bfloat16")
    assert step.provenance() == {"weights": "random", "backend": "openvino 2026.4.1, bfloat16"}


def test_a_run_records_the_backend_and_its_folder_refuses_another(
    bench: Callable[..., Ran], flow_pack: Path, tmp_path: Path
) -> None:
    """With augmented copies; bfloat16 is flagged in every row."""
    precision = "bfloat16" if has_bfloat16(installed()) else "float32"
    config, out = tmp_path / "c.yaml", tmp_path / "out"
    config.write_text(
        f"dataset: {{plugin: megc2019_flow, root: {flow_pack}, expect: any}}\n"
        "preprocess:\n- {plugin: augment, copies: 1}\n- {plugin: resize, size: 32}\n"
        f"- {{plugin: vgg16, weights: auto, backend: openvino, precision: {precision}}}\n"
        "protocol: loso\nmodels: [majority]\n"
    )
    ran = bench("run", config, "--out", out)
    assert ran.code == 0, ran.err
    (row,) = json.loads((out / "scores.json").read_text())["rows"]
    assert ("bfloat16" in row["flags"]) == (precision == "bfloat16")
    step = json.loads((out / "manifest.json").read_text())["identity"]["preprocess"][2]
    assert (step["backend"], step["precision"]) == ("openvino", precision)
    assert step["provenance"]["backend"] == f"openvino {backend.version()}, {precision}"
    again = bench(
        "run",
        config,
        "--out",
        out,
        "--set",
        "preprocess.vgg16.backend=winograd",
        "--set",
        "preprocess.vgg16.precision=float32",
    )
    assert again.code == 2
    assert f"{out}: holds a run of another config" in again.err
