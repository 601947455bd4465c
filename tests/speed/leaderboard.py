"""What a leaderboard of 200 submissions costs: verified and rendered.

    python -m tests.speed.leaderboard [ROWS]

Submissions are the shipped ones of the MEGC2019 flow board, 442 predictions each, of their first seed, some
of them changed. The peer is the run's page, which tests every pair of rows: measured on 20 rows and scaled to the
number of pairs.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from mexbench import devices

devices.use_one_thread()

import numpy as np  # noqa: E402

from mexbench.metrics.summary import compare_rows  # noqa: E402
from mexbench.reports.leaderboards import submission as files  # noqa: E402
from mexbench.reports.leaderboards.definition import load, save  # noqa: E402
from mexbench.reports.leaderboards.page import markdown  # noqa: E402
from mexbench.reports.leaderboards.rows import board_rows  # noqa: E402
from mexbench.reports.leaderboards.submission import Submission, predictions_digest  # noqa: E402
from mexbench.reports.leaderboards.verify import (  # noqa: E402
    board_figures,
    predictions,
    verify_board,
)

SHIPPED = Path(__file__).resolve().parent.parent.parent / "leaderboards"
NAME = "loso_megc2019_flow"


def write(root: Path, count: int) -> list[Submission]:
    """Write a board with made-up rows; return them."""
    board = load(SHIPPED, NAME)
    save(root, board)
    shipped = [files.read(path) for path in sorted((SHIPPED / "results" / NAME).glob("*.json"))]
    shipped = [one for one in shipped if len(one.seeds) == 1]  # as the rows made of them: their config says the same
    rng = np.random.default_rng(0)
    created = []
    for index in range(count):
        one = shipped[index % len(shipped)]
        shares = rng.permuted(np.array([answer.scores[0] for answer in one.predictions]), axis=1)
        changed = rng.random(len(shares)) < rng.uniform(0.02, 0.6)
        answers = tuple(
            answer._replace(scores=(tuple(new.tolist()) if alter else answer.scores[0],))
            for answer, new, alter in zip(one.predictions, shares, changed, strict=True)
        )
        row = replace(
            one,
            model=replace(one.model, name=f"row {index:03}"),
            seeds=one.seeds[:1],
            predictions=answers,
            predictions_digest=predictions_digest(answers),
        )
        row = replace(row, figures=board_figures(board, row))
        files.write(root / "results" / NAME / files.file_name(row.model.name), row)
        created.append(row)
    return created


def render(root: Path) -> str:
    """Do what ``bench leaderboard render`` does."""
    return markdown(board_rows(verify_board(root, NAME)))


def timed(what: Callable[[], object]) -> tuple[float, float]:
    """Return seconds of this process and on the clock."""
    cpu, clock = time.process_time(), time.perf_counter()
    what()
    return time.process_time() - cpu, time.perf_counter() - clock


def main() -> None:
    """Print what each step took, and the ratios."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "boards"
        rows = write(root, count)
        cpu, clock = timed(lambda: render(root))
        board, some = load(root, NAME), rows[:20]
        every, _ = timed(lambda: compare_rows({row.model.name: predictions(board, row) for row in some}))
        every *= count * (count - 1) / (len(some) * (len(some) - 1))
    print(f"{count} submissions of {len(board.questions)} predictions")
    print(f"  rendered in {cpu:6.2f} s of this process, {clock:6.2f} s on the clock (wanted: under 10)")
    print(f"  compared with a test of every pair of rows, as a run's page has: {cpu / every:.3f}")


if __name__ == "__main__":
    main()
