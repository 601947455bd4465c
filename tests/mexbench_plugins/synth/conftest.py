from __future__ import annotations

import pytest

from mexbench_plugins.synth import faces
from mexbench_plugins.synth.faces import Face


@pytest.fixture(scope="session")
def face() -> Face:
    return faces.builtin(4)


@pytest.fixture(scope="session")
def small() -> Face:
    return faces.builtin(7, width=320, height=240)
