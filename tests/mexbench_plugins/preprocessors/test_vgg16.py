"""VGG-16's features: against PyTorch, from every kind of file, from a hub of our own, and in a run."""

from __future__ import annotations

import functools
import hashlib
import http.server
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors.numpy import save_file

from mexbench.data.arrays import read_pixels
from mexbench.data.pipeline import Pipeline
from mexbench.data.samples import read_samples
from mexbench.errors import DataError
from mexbench.registry.catalogue import Catalogue
from mexbench_plugins.preprocessors import _vgg16_network as network
from mexbench_plugins.preprocessors import _vgg16_weights as stored
from mexbench_plugins.preprocessors import _winograd
from mexbench_plugins.preprocessors.normalise import Normalise
from mexbench_plugins.preprocessors.vgg16 import VGG16
from tests.helpers import ROOT, Ran, config_of
from tests.pictures import locked

#: The numbers of the convolutions in torchvision's ``features`` and their sizes, as its documentation prints them.
TORCHVISION = {
    0: (64, 3), 2: (64, 64), 5: (128, 64), 7: (128, 128), 10: (256, 128), 12: (256, 256), 14: (256, 256),
    17: (512, 256), 19: (512, 512), 21: (512, 512), 24: (512, 512), 26: (512, 512), 28: (512, 512),
}  # fmt: skip
KERAS = [
    f"block{block}_conv{layer}" for block, count in enumerate((2, 2, 3, 3, 3), start=1) for layer in range(1, count + 1)
]


@functools.cache
def trained() -> Mapping[str, NDArray[np.float32]]:
    """Weights as unlike noise as a trained network's: smooth kernels, few of them large, biases, in OIHW."""
    rng = np.random.default_rng(5)
    result = {}
    for number, (filters, inputs) in TORCHVISION.items():
        kernel = rng.standard_t(4, (filters, inputs, 3, 3))
        kernel += 0.5 * rng.standard_t(4, (filters, inputs, 1, 1))
        kernel *= rng.uniform(0.2, 1.5, (filters, 1, 1, 1)) / np.sqrt(9 * inputs)
        result[f"features.{number}.weight"] = kernel.astype(np.float32)
        result[f"features.{number}.bias"] = rng.normal(0.02, 0.1, filters).astype(np.float32)
    return result


@pytest.fixture(scope="module")
def safetensors_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As torchvision's state has it, with a dense layer that nobody asks for."""
    path = tmp_path_factory.mktemp("weights") / "vgg16.safetensors"
    save_file({**trained(), "classifier.6.bias": np.zeros(1000, np.float32)}, path)
    return path


def write_keras(path: Path, names: Callable[[str], tuple[str, str]], root: str = "") -> Path:
    h5py = pytest.importorskip("h5py")
    with h5py.File(path, "w") as file:
        group = file.create_group(root) if root else file
        group.create_group("block1_pool")
        for layer, number in zip(KERAS, TORCHVISION, strict=True):
            kernel, bias = names(layer)
            group[f"{layer}/{kernel}"] = trained()[f"features.{number}.weight"].transpose(2, 3, 1, 0)
            group[f"{layer}/{bias}"] = trained()[f"features.{number}.bias"]
    return path


@pytest.fixture(scope="module")
def keras_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "vgg16_notop.h5"
    return write_keras(path, lambda layer: (f"{layer}_W_1:0", f"{layer}_b_1:0"))


def twin(x: NDArray[np.float64], weights: Mapping[str, NDArray[np.float32]]) -> NDArray[np.float64]:
    """VGG-16 in PyTorch without rounding: x (n, 3, H, W), already normalised, to features (n, H/32, W/32, 512)."""
    torch = pytest.importorskip("torch")
    layers: list[Any] = []
    for number, (filters, inputs) in TORCHVISION.items():
        if number in {5, 10, 17, 24}:
            layers.append(torch.nn.MaxPool2d(2))
        layers += [torch.nn.Conv2d(inputs, filters, 3, padding=1), torch.nn.ReLU()]
    features = torch.nn.Sequential(*layers, torch.nn.MaxPool2d(2)).double()
    features.load_state_dict({name.removeprefix("features."): torch.tensor(v) for name, v in weights.items()})
    with torch.inference_mode():
        return features(torch.tensor(x)).permute(0, 2, 3, 1).numpy()


def torchvision_input(frames: NDArray[np.uint8]) -> NDArray[np.float64]:
    scaled = (frames.astype(np.float64) / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    return scaled.transpose(0, 3, 1, 2)


def keras_input(frames: NDArray[np.uint8]) -> NDArray[np.float64]:
    centred = frames[..., ::-1].astype(np.float64) - [103.939, 116.779, 123.68]
    return centred.transpose(0, 3, 1, 2)


def pictures(count: int, height: int, width: int) -> NDArray[np.uint8]:
    """Coarse and fine structure, of different brightness, colours that differ."""
    rng = np.random.default_rng(3)
    coarse = rng.integers(0, 200, (count, 4, 4, 3)) * rng.uniform(0.3, 1, (count, 1, 1, 3))
    rows, columns = np.arange(height) * 4 // height, np.arange(width) * 4 // width
    return (coarse[:, rows][:, :, columns] + rng.integers(0, 55, (count, height, width, 3))).astype(np.uint8)


def assert_agree(ours: NDArray[Any], theirs: NDArray[np.float64]) -> None:
    assert ours.shape == theirs.shape
    assert ours.dtype == np.float32
    assert theirs.max() > 0.01
    assert theirs.std() > 0.01 * theirs.max()
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-5 * theirs.max())


#: All three algorithms on sides that tiles and maxima divide and on sides that they do not.
@pytest.mark.parametrize(("count", "height", "width"), [(2, 64, 75), (1, 130, 97)])
def test_safetensors_agree_with_pytorch(count: int, height: int, width: int, safetensors_file: Path) -> None:
    frames = pictures(count, height, width)
    done = VGG16(weights=safetensors_file)(locked(frames, apex_index=0, notes=("before",)))
    assert (done.apex_index, done.notes) == (0, ("before",))
    assert_agree(done.frames, twin(torchvision_input(frames), trained()))


@pytest.mark.parametrize("side", [224, 256])
def test_the_algorithm_of_each_block_at_the_papers_sizes(side: int) -> None:
    assert [network._tile(side >> block) for block in range(5)] == [None, 4, 4, 4, 2]


def test_random_weights_agree_with_pytorch_at_the_papers_size() -> None:
    frames = pictures(1, 224, 224)
    drawn = stored.drawn(7)
    weights = {}
    for number, kernel, bias in zip(TORCHVISION, drawn.kernels, drawn.biases, strict=True):
        weights |= {f"features.{number}.weight": kernel.transpose(3, 2, 0, 1), f"features.{number}.bias": bias}
    result = VGG16(weights="auto", seed=7)(locked(frames)).frames
    assert result.shape == (1, 7, 7, 512)  # what hybrid_micronet takes
    assert_agree(result, twin(torchvision_input(frames), weights))


def test_keras_agrees_with_pytorch(keras_file: Path, tmp_path: Path) -> None:
    frames = pictures(1, 40, 64)
    theirs = twin(keras_input(frames), trained())
    assert_agree(VGG16(weights=keras_file)(locked(frames)).frames, theirs)
    newer = write_keras(tmp_path / "new.h5", lambda layer: (f"{layer}/kernel:0", f"{layer}/bias:0"), "model_weights")
    assert_agree(VGG16(weights=newer)(locked(frames)).frames, theirs)


def test_an_accelerator_takes_padded_batches_and_plain_convolutions(
    safetensors_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    frames = pictures(3, 32, 64)
    one_by_one = network.features(stored.read(safetensors_file), frames)
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    monkeypatch.setattr(network, "_ACCELERATED", 2)
    tiles = [tile for _, _, tile, _ in network._layers(stored.read(safetensors_file), 32, 64, "gpu")]
    assert tiles == [None] * 13
    result = network.features(stored.read(safetensors_file), frames)
    np.testing.assert_allclose(result, one_by_one, rtol=0, atol=1e-5 * one_by_one.max())


@pytest.mark.parametrize("m", [2, 4])
def test_minimal_filtering_is_correlation(m: _winograd.Tile) -> None:
    a, g, b = _winograd.matrices(m)
    rng = np.random.default_rng(0)
    signal, kernel = rng.normal(size=m + 2), rng.normal(size=3)
    np.testing.assert_allclose(a @ ((g @ kernel) * (b @ signal)), np.correlate(signal, kernel, "valid"), atol=1e-12)


def test_auto_is_random_deterministic_and_flagged() -> None:
    clip = locked(pictures(1, 32, 32))
    result = VGG16(weights="auto")(clip).frames
    stored.drawn.cache_clear()
    network._layers.cache_clear()
    np.testing.assert_array_equal(VGG16(weights="auto")(clip).frames, result)
    assert not np.allclose(VGG16(weights="auto", seed=1)(clip).frames, result)
    assert VGG16(weights="auto").flags() == ("random-vgg16",)
    assert VGG16(weights="hub").flags() == VGG16(weights=Path("some.h5")).flags() == ()
    # He's deviation, sqrt(2 / (9 * 512)), of 2.4 million draws.
    assert stored.drawn(0).kernels[-1].std() == pytest.approx(0.020833, rel=2e-3)


@pytest.mark.parametrize(
    ("frames", "text"),
    [
        (np.zeros((1, 64, 64, 1), np.uint8), r"vgg16 needs \(T,H,W,3\) uint8 frames, got \(1, 64, 64, 1\).*; put it"),
        (Normalise()(locked(pictures(1, 64, 64))).frames, r"got .* float32; .* take out grayscale, normalise or"),
        (np.zeros((1, 64, 31, 3), np.uint8), r"frames \(64, 31\) are too small: 32 x 32 .*resize, size: 224"),
    ],
)
def test_non_images_are_rejected(frames: NDArray[Any], text: str) -> None:
    with pytest.raises(DataError, match=text):
        VGG16(weights="auto")(locked(frames))


def changed(**arrays: NDArray[Any] | None) -> dict[str, NDArray[Any]]:
    new = {name.replace("_", "."): array for name, array in arrays.items()}
    return {name: array for name, array in {**trained(), **new}.items() if array is not None}


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"", r"neither safetensors nor Keras's HDF5.*pickle.*weights_only=True"),
        (b"PK\x03\x04 archive/data.pkl", r"neither safetensors nor Keras's HDF5 \(.h5\); a .pth file is a pickle"),
        ((99).to_bytes(8, "little") + b'{"a": 1', "cannot be read, is it complete"),
        (b"\x89HDF\r\n\x1a\n and no more", "cannot be read, is it complete"),
        (
            changed(features_28_bias=None),
            "in torchvision's or timm's naming: features.28.bias is missing$",
        ),
        (
            changed(features_2_weight=np.zeros((3, 3, 64, 64), np.float32)),
            r"features.2.weight is \(3, 3, 64, 64\), expected \(64, 64, 3, 3\)$",
        ),
        (changed(features_0_bias=np.full(64, np.nan, np.float32)), "features.0.bias holds values that are not finite"),
        ({"conv.weight": np.zeros(3, np.float32)}, "features.0.weight is missing; .* and 23 more"),
    ],
)
def test_other_weight_files_are_rejected(content: bytes | dict[str, Any], text: str, tmp_path: Path) -> None:
    path = tmp_path / "weights"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        save_file(content, path)
    with pytest.raises(DataError, match=text) as error:
        VGG16(weights=path)(locked(pictures(1, 32, 32)))
    assert f"weights {path}: " in str(error.value)


def test_refuses_a_keras_file_of_another_network(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["block1_conv1/kernel"] = np.zeros((3, 3, 3, 32))
    with pytest.raises(DataError, match=r"Keras's naming: block1_conv1's kernel is \(3, 3, 3, 32\), .* and 23 more"):
        VGG16(weights=tmp_path / "other.h5")(locked(pictures(1, 32, 32)))


@pytest.mark.parametrize(("weights", "module", "extra"), [("hub", "huggingface_hub", "hub"), ("a.h5", "h5py", "keras")])
def test_names_the_extra(
    weights: str, module: str, extra: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    stored.fetched.cache_clear()
    path = tmp_path / "a.h5"
    path.write_bytes(b"\x89HDF\r\n\x1a\n")
    with pytest.raises(DataError, match=rf"not installed; in a clone of mexbench: pip install '\.\[{extra}\]'"):
        VGG16(weights="hub" if weights == "hub" else path)(locked(pictures(1, 32, 32)))


CONFIG = """
dataset: {plugin: toy}
preprocess: [{plugin: vgg16, weights: WEIGHTS}]
protocol: clipsplit
models: [majority]
"""


def test_the_content_of_the_file_decides_and_not_its_place(toys: Catalogue, tmp_path: Path) -> None:
    def parts(weights: str) -> tuple[str, str, Any]:
        config = config_of(CONFIG.replace("WEIGHTS", weights), toys)
        return Pipeline(config.parts[0]).recipe, config.fingerprint, config.identity()["preprocess"][0]

    here, there = tmp_path / "here.safetensors", tmp_path / "there.safetensors"
    here.write_bytes(b"one")
    there.write_bytes(b"one")
    first = parts(str(here))
    assert parts(str(there)) == first
    digest = hashlib.sha256(b"one").hexdigest()
    provenance = {"weights": "file", "sha256": digest}
    options = {"seed": 0, "backend": "winograd", "precision": "float32"}
    assert first[2] == {"plugin": "vgg16", **options, "provenance": provenance}
    here.write_bytes(b"another")
    second = parts(str(here))
    assert second[2]["provenance"]["sha256"] == hashlib.sha256(b"another").hexdigest()
    random = parts("auto")
    assert len({first[0], second[0], random[0]}) == len({first[1], second[1], random[1]}) == 3


def test_weights_are_not_fetched_where_no_features_are_needed(toys: Catalogue, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stored, "fetched", lambda: pytest.fail("fetched"))
    (part,) = config_of(CONFIG.replace("WEIGHTS", "hub"), toys).parts
    assert read_pixels(part, read_samples(part)).digests  # as bench check does


def test_a_missing_file_ends_a_run_before_it_begins(bench: Callable[..., Ran], flow_pack: Path, tmp_path: Path) -> None:
    text = (
        f"dataset: {{plugin: megc2019_flow, root: {flow_pack}, expect: any}}\n"
        + CONFIG.partition("\n")[2].partition("\n")[2]
    )
    (tmp_path / "c.yaml").write_text(text.replace("WEIGHTS", "/nowhere/vgg16.h5").replace("clipsplit", "loso"))
    ran = bench("run", tmp_path / "c.yaml", "--out", tmp_path / "out")
    assert ran.code == 2
    assert "vgg16: weights /nowhere/vgg16.h5: No such file or directory; name a file" in ran.err
    assert not (tmp_path / "out").exists()


class Hub(http.server.BaseHTTPRequestHandler):
    """What a hub answers about the one file it has."""

    path_there = f"/{stored.REPOSITORY}/resolve/{stored.REVISION}/{stored.FILE}"
    stated, content = "", b""

    def do_HEAD(self) -> None:
        self.answer()

    def do_GET(self) -> None:
        if self.answer():
            self.wfile.write(self.content)

    def answer(self) -> bool:
        there = self.path == self.path_there
        self.send_response(200 if there else 404)
        if there:
            self.send_header("X-Repo-Commit", stored.REVISION)
            self.send_header("X-Linked-Etag", f'"{self.stated}"')
            self.send_header("X-Linked-Size", str(len(self.content)))
            self.send_header("ETag", '"of the storage"')
        self.send_header("Content-Length", str(len(self.content) if there else 0))
        self.end_headers()
        return there

    def log_message(self, *_: object) -> None:  # type: ignore[override]
        pass


@pytest.fixture
def hub() -> Iterator[tuple[type[Hub], str]]:
    handler = type("ThisHub", (Hub,), {})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield handler, f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def ask(endpoint: str, home: Path, **environment: str) -> str:
    """Ask in a process of its own: the client reads its environment when it is loaded."""
    code = (
        "import json\nfrom mexbench.errors import DataError\nfrom mexbench_plugins.preprocessors.vgg16 import VGG16\n"
        "try: print(json.dumps(dict(VGG16(weights='hub').provenance())))\nexcept DataError as error: print(error)"
    )
    new = {"HF_ENDPOINT": endpoint, "HF_HOME": str(home), "HF_HUB_DISABLE_TELEMETRY": "1", "NO_PROXY": "*"}
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={**os.environ, **new, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()[-1]


def test_hub(hub: tuple[type[Hub], str], tmp_path: Path) -> None:
    pytest.importorskip("huggingface_hub")
    handler, endpoint = hub
    handler.content = b"these are the weights"
    handler.stated = hashlib.sha256(handler.content).hexdigest()
    expected = {"weights": f"{stored.REPOSITORY}/{stored.FILE} at {stored.REVISION}", "sha256": handler.stated}
    assert json.loads(ask(endpoint, tmp_path)) == expected
    assert json.loads(ask(endpoint, tmp_path, HF_HUB_OFFLINE="1")) == expected  # kept
    # Where links cannot be made, the hub is asked again.
    assert json.loads(ask(endpoint, tmp_path / "copies", HF_HUB_DISABLE_SYMLINKS="1")) == expected


def test_download_with_wrong_checksum_is_rejected(hub: tuple[type[Hub], str], tmp_path: Path) -> None:
    pytest.importorskip("huggingface_hub")
    handler, endpoint = hub
    handler.content, handler.stated = b"damaged on the way", hashlib.sha256(b"as it should be").hexdigest()
    message = ask(endpoint, tmp_path)
    result = hashlib.sha256(handler.content).hexdigest()
    assert f"is damaged: its SHA-256 is {result}, the hub states {handler.stated}; remove {tmp_path}" in message
    handler.stated = "0123456789abcdef"  # a small file has a digest of another kind
    assert "the hub states no SHA-256" in ask(endpoint, tmp_path / "other")
    handler.path_there = "/elsewhere"
    assert "cannot be fetched" in ask(endpoint, tmp_path / "third")
