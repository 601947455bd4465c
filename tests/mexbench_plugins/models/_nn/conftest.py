"""What the tests of networks share."""

from __future__ import annotations

import jax
import pytest

from mexbench_plugins.models._nn import fold_parallel, fold_vmap, train_program


@pytest.fixture
def nothing_compiled() -> None:
    """Forget every compiled program: equal recipes share one, so that other tests decide what is compiled here."""
    for function in (train_program._train_program, fold_vmap.compiled_steps, fold_parallel.compiled_step):
        function.cache_clear()
    jax.clear_caches()
