from __future__ import annotations

import pytest

from mexbench_plugins.synth import faces
from mexbench_plugins.synth.faces import SyntheticFace


@pytest.fixture(scope="session")
def face() -> SyntheticFace:
    return faces.builtin(4)


@pytest.fixture(scope="session")
def small() -> SyntheticFace:
    return faces.builtin(7, width=320, height=240)
