"""A request that cannot work is refused before anything is trained."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from mexbench.errors import DataError
from mexbench.evaluation import plan as planning
from mexbench.registry.catalogue import Catalogue
from tests.helpers import Ran, config_of

TEXT = """\
dataset: toy
protocol: loso
models:
  - majority
  - {plugin: cnn_lstm, name: sequences}
"""


def test_a_model_that_the_samples_do_not_fit_is_refused_in_planning(toys: Catalogue) -> None:
    with pytest.raises(DataError, match=r"^model 'sequences': cnn_lstm needs .*got .*; add grayscale, and resize"):
        planning.plan(config_of(TEXT, toys))


def test_a_model_that_takes_any_shape_is_not_asked_twice(toys: Catalogue) -> None:
    plan = planning.plan(config_of(TEXT.rsplit("\n", 2)[0], toys))
    assert [task.model for task in plan.tasks] == ["majority"] * 3


def test_a_run_says_so_once_and_leaves_nothing_behind(
    bench: Callable[..., Ran], flow_pack: Path, tmp_path: Path
) -> None:
    dataset = f"{{plugin: megc2019_flow, root: {flow_pack}, expect: any}}"
    (tmp_path / "c.yaml").write_text(f"dataset: {dataset}\nprotocol: loso\nmodels: [majority, au_cnn]\n")
    ran = bench("run", tmp_path / "c.yaml", "--out", tmp_path / "out")
    assert ran.code == 2
    assert ran.err.count("au_cnn needs (n, T=1, 128, 128, 3)") == 1
    assert not list((tmp_path / "out").glob("**/*.json"))
