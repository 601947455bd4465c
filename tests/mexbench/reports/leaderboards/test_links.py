"""No link, pipe or device below a leaderboard is followed or read, whatever command meets it."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.helpers import Ran

PLACES = ("toy.yaml", "samples", "samples/toy.csv", "results", "results/toy", "results/toy/svm-linear.json")
COMMANDS = ("verify", "render", "submit")


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("place", PLACES)
def test_a_link_below_a_board_is_refused(
    place: str, command: str, root: Path, bench: Callable[..., Ran], finished: Path
) -> None:
    path, tmp_path = root / place, root.parent
    target = tmp_path / "elsewhere"
    path.rename(target)
    path.symlink_to(target)
    before = {one: one.read_bytes() for one in tmp_path.rglob("*") if one.is_file()}
    arguments = [finished, "toy"] if command == "submit" else ["toy"]
    ran = bench("leaderboard", command, *arguments, "--root", root)
    assert (ran.code != 0, "symbolic link, which is not followed" in ran.err) == (True, True), ran.err
    assert {one: one.read_bytes() for one in tmp_path.rglob("*") if one.is_file()} == before
    assert path.is_symlink()


@pytest.mark.parametrize("place", ["samples/toy.csv", "results/toy/svm-linear.json"])
def test_a_pipe_below_a_board_is_not_read(place: str, root: Path, bench: Callable[..., Ran]) -> None:
    (root / place).unlink()
    os.mkfifo(root / place)
    ran = bench("leaderboard", "verify", "toy", "--root", root)
    assert ran.code == 2
    assert "plain file" in ran.err or "is missing" in ran.err


@pytest.mark.parametrize("device", ["/dev/zero", "pipe"])
def test_predictions_of_others_are_a_plain_file(device: str, tmp_path: Path, bench: Callable[..., Ran]) -> None:
    path = Path(device)
    if device == "pipe":
        path = tmp_path / "p.csv"
        os.mkfifo(path)
    ran = bench("score", path)
    assert (ran.code, "cannot be read: not a plain file" in ran.err) == (2, True), ran.err
