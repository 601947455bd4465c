"""What every built-in step must be, whatever it does."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from mexbench.errors import DataError
from mexbench.interfaces import Preprocessor
from mexbench.registry.parameters import build, check_declaration, parameters, summary, to_dict
from mexbench_plugins.catalogue import bench_preprocessors
from mexbench_plugins.preprocessors._images import gray
from mexbench_plugins.preprocessors.face import DetectOptions, Face, detect
from tests.pictures import face_frame, locked

STEPS = bench_preprocessors()
#: Parameters without a default.
NEEDED: Mapping[str, Mapping[str, object]] = {"resize": {"size": 32}, "vgg16": {"weights": "auto"}}


def step_class(name: str) -> type[Preprocessor]:
    module, _, attribute = STEPS[name].partition(":")
    return getattr(importlib.import_module(module), attribute)


def built(name: str, **given: object) -> Preprocessor:
    plugin, errors = build(step_class(name), {**NEEDED.get(name, {}), **given})
    assert errors == []
    assert isinstance(plugin, Preprocessor)
    return plugin


def faults_of(name: str, **given: object) -> list[tuple[str, str]]:
    plugin, errors = build(step_class(name), {**NEEDED.get(name, {}), **given})
    assert plugin is None
    return [(".".join(path), text) for path, text in errors]


def test_the_catalogue_is_sorted() -> None:
    assert list(STEPS) == sorted(STEPS)


@pytest.mark.parametrize("name", STEPS)
def test_a_step_is_declared_and_documented(name: str) -> None:
    cls = step_class(name)
    assert check_declaration(cls) is None
    assert cls.source
    assert summary(cls)
    undocumented = [parameter.name for parameter in parameters(cls) if not parameter.doc]
    assert undocumented == []


@pytest.mark.parametrize("name", STEPS)
def test_its_parameters_survive_a_config(name: str) -> None:
    step = built(name)
    again, errors = build(type(step), json.loads(json.dumps(to_dict(step))))
    assert errors == []
    assert again == step


# augment leaves originals alone, whatever they are, and arrays of any shape can be interpolated in time.
@pytest.mark.parametrize("name", sorted(STEPS.keys() - {"augment", "temporal_interpolation"}))
@pytest.mark.parametrize("shape", [(0, 32, 32, 1), (2, 32, 32, 5), (2, 32), (32, 32, 3)])
def test_it_refuses_frames_that_it_cannot_use(name: str, shape: tuple[int, ...]) -> None:
    step = built(name)
    with pytest.raises(DataError, match=rf"^{name}.* needs .* frames, got \({', '.join(map(str, shape))}\) uint8"):
        step(locked(np.zeros(shape, np.uint8)))


def test_parameters_out_of_range_are_refused() -> None:
    assert built("resize", size=[20, 30]) != built("resize", size=20)
    assert faults_of("resize", size=[20, 0])
    assert faults_of("resize", size=20.5)
    assert faults_of("face", min_size=0)
    assert faults_of("face", min_size=1.5)
    assert faults_of("face", scale_factor=1)
    assert faults_of("augment", scale=1)
    assert faults_of("lbp_top", grid=0)
    assert faults_of("optical_flow", channels=[])
    assert faults_of("optical_flow", channels=["u", "u"]) == [("", "channels names one twice: ['u', 'u']")]


def test_the_harness_and_its_catalogue_load_no_opencv() -> None:
    program = "import sys, mexbench, mexbench.cli, mexbench_plugins.catalogue; print('cv2' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "False"


def test_detection_gives_the_same_in_threads() -> None:
    images = [gray(face_frame(faces=((200 + 20 * index, 240, 150 + 10 * index),), seed=index)) for index in range(8)]
    alone = [detect(image, DetectOptions()) for image in images]
    with ThreadPoolExecutor(2) as pool:
        together = list(pool.map(lambda image: detect(image, DetectOptions()), images))
    assert together == alone
    assert all(len(boxes) == 1 for boxes in alone)


def test_steps_join_into_the_pipeline_of_the_papers() -> None:
    """Paper 1: face, CLAHE, 224 x 224; paper 4: gray, 48 x 48, histogram."""
    clip = locked(np.stack([face_frame(seed=seed) for seed in range(2)]), onset_index=0)
    one = clip
    for step in (Face(margin=0.1), built("clahe"), built("resize", size=224), built("normalise")):
        one = step(one)
    assert (one.frames.shape, one.frames.dtype, one.fps) == ((2, 224, 224, 3), np.float32, 200.0)
    four = clip
    for step in (built("grayscale"), built("resize", size=48), built("lbp", output="histogram")):
        four = step(four)
    assert four.frames.shape == (2, 256)
