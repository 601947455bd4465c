"""Whether networks keep up with a camera: ``python -m tests.speed.realtime``, from the repository's root.

Prints frames a second and the share of each stage, for a film of 640 x 480 of which 30 frames of each second are looked
at: processor time on one thread, the contenders taking turns, the median of several rounds. The peer is real time: 30
frames a second. Beside it stands what it would take to look for a face in every frame, as many programs do.
"""

from __future__ import annotations

import dataclasses
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from mexbench import devices

devices.use_one_thread()

import cv2  # noqa: E402

from mexbench.config.run_config import Component  # noqa: E402
from mexbench.data.video.reader import Video  # noqa: E402
from mexbench.interfaces import Preprocessor  # noqa: E402
from mexbench.registry.catalogue import load_catalogue  # noqa: E402
from mexbench.runs import saved_model as saved  # noqa: E402
from mexbench.studies.inference import input_spec as inputs  # noqa: E402
from mexbench.studies.inference.window_predictor import STAGES, Stopwatch, WindowPredictor  # noqa: E402
from mexbench.studies.inference.windows import WindowSpec, windows  # noqa: E402
from mexbench_plugins.preprocessors.face import Face  # noqa: E402
from tests.speed import predicting  # noqa: E402

SECONDS, FPS, ROUNDS = 12, 30.0, 3


def read(path: Path, predictor: WindowPredictor) -> Stopwatch:
    """Predict a whole film; return the processor time of each stage."""
    predictor.stopwatch = Stopwatch(clock=time.process_time)
    with Video(path) as film:
        frames = film.frames(fps=predictor.spec.fps)
        for window in windows(predictor.stopwatch.each("decode", frames), predictor.spec):
            if predictor(window).scores is None:
                raise RuntimeError("no face was found")
    return predictor.stopwatch


def on_every_frame(steps: Sequence[Component[Preprocessor]]) -> tuple[Component[Preprocessor], ...]:
    """Return the steps with a search for a face in each frame."""
    return tuple(
        dataclasses.replace(step, instance=dataclasses.replace(step.instance, detect="every"))
        if isinstance(step.instance, Face)
        else step
        for step in steps
    )


def main() -> None:
    """Print the ratios."""
    catalogue = load_catalogue()
    with tempfile.TemporaryDirectory() as name:
        film = predicting.film(Path(name) / "film.mp4", seconds=SECONDS, fps=FPS)
        predictors: dict[str, WindowPredictor] = {}
        for model, folder in predicting.train(Path(name)).items():
            loaded = saved.load(folder, catalogue)
            wanted = inputs.wanted(loaded, catalogue)
            hop = 1.0 if wanted.count is None else 0.5
            spec = WindowSpec(fps=FPS, length_s=1.0, hop_s=hop, reach_back=wanted.count is not None)
            predictors[model] = WindowPredictor(loaded, wanted, spec)
            every = dataclasses.replace(wanted, steps=on_every_frame(wanted.steps))
            predictors[f"{model}, a face sought in every frame"] = WindowPredictor(loaded, every, spec)
        result: dict[str, list[dict[str, float]]] = {title: [] for title in predictors}
        for turn in range(ROUNDS + 1):
            for title, predictor in predictors.items():
                seconds = read(film, predictor).seconds
                if turn:
                    result[title].append({stage: seconds[stage] for stage in STAGES})
    print(f"a film of 640 x 480, {FPS:g} frames of each second looked at, one thread, processor time")
    for title, rounds in result.items():
        middle = {stage: statistics.median(one[stage] for one in rounds) for stage in STAGES}
        total = sum(middle.values())
        shares = ", ".join(f"{stage} {100 * middle[stage] / total:.0f} %" for stage in STAGES)
        print(
            f"  {title:<42} {SECONDS * FPS / total:7.1f} frames a second, {SECONDS / total:5.2f} x real time: {shares}"
        )


if __name__ == "__main__":
    cv2.setNumThreads(1)
    main()
