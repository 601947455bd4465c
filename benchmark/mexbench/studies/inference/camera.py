"""Live predictions from a camera; nothing is stored."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from mexbench.data.video.reader import Frame, Sampler
from mexbench.errors import DataError
from mexbench.studies.inference.window_predictor import WindowPrediction, WindowPredictor
from mexbench.studies.inference.windows import windows


def open_camera(number: int) -> Any:  # noqa: ANN401 - cv2.VideoCapture
    """Return an open camera.

    Raises:
        DataError: The camera was not found.
    """
    import cv2

    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    camera = cv2.VideoCapture(number)
    if not camera.isOpened():
        raise DataError(f"--camera {number}: no such camera, or another program has it; the first one is 0")
    return camera


def predict_live(
    number: int, predictor: WindowPredictor, *, seconds: float | None = None
) -> Iterator[tuple[WindowPrediction, int, float]]:
    """Yield the prediction for each window, the number of frames sampled so far, and the seconds passed.

    Frames that arrive while a window is processed are lost, or wait in the camera: the frame rate shows it.

    Args:
        number: Of the camera, from 0.
        predictor: The model with its steps.
        seconds: When to stop; None continues until interrupted.

    Raises:
        DataError: The camera was not found, or gives no frame.
    """
    camera = open_camera(number)
    start, count = time.monotonic(), 0

    def frames() -> Iterator[Frame]:
        nonlocal count
        import cv2

        wanted = Sampler(predictor.spec.fps)
        while seconds is None or time.monotonic() - start < seconds:
            done, image = camera.read()
            if not done or image is None:
                if not count:
                    raise DataError(f"--camera {number}: gives no frame; is it in use, or covered by a switch?")
                return
            now = time.monotonic() - start
            if wanted(now):
                count += 1
                yield Frame(now, cv2.cvtColor(image, cv2.COLOR_BGR2RGB))

    try:
        for window in windows(predictor.stopwatch.each("decode", frames()), predictor.spec):
            prediction = predictor(window)
            yield prediction, count, max(time.monotonic() - start, 1e-9)
    finally:
        camera.release()
