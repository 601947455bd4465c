from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import pytest

from mexbench.cli.executor_options import size_in_bytes
from tests.helpers import Ran


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("2GB", 2 * 10**9),
        ("512MB", 512 * 10**6),
        ("1.5GiB", 3 * 2**29),
        ("800 M", 8 * 10**8),
        ("64kib", 2**16),
        ("100B", 100),
        (" 3tb ", 3 * 10**12),
    ],
)
def test_sizes(text: str, size: int) -> None:
    assert size_in_bytes(text) == size


@pytest.mark.parametrize("text", ["", "2", "GB", "-1GB", "2 gigs", "0MB", "1e3GB", "iB", "2iB", "٣GB", "9" * 30 + "TB"])
def test_what_is_not_a_size_is_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="expected a size"):
        size_in_bytes(text)


CONFIG = "{dataset: {plugin: synthetic, subjects: 4, clips: 6}, protocol: loso, models: [majority, svm], seeds: [0]}"


@pytest.mark.parametrize("command", ["run", "check"])
def test_a_limit_that_is_too_low_is_refused_before_anything_is_trained(
    bench: Callable[..., Ran], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("c.yaml").write_text(CONFIG)
    ran = bench(command, "c.yaml", "--memory", "10MB")
    assert ran.code == 2
    assert "error: --memory 10 MB is less than trainings need:" in ran.err
    assert "of which 0 MB to train on 18 samples of 24 values" in ran.err
    assert not list(tmp_path.rglob("*.csv"))


@pytest.mark.parametrize("command", ["run", "check"])
def test_a_limit_is_shown(
    bench: Callable[..., Ran], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("c.yaml").write_text(CONFIG)
    ran = bench(command, "c.yaml", "--memory", "20GB")
    assert ran.code == 0, ran.err
    assert "memory: at most 20 GB together, and about " in ran.err
