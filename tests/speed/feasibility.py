"""How fast published rows are judged: ``python -m tests.speed.feasibility``, from the repository's root.

Prints processor seconds of this run, medians of several rounds, and ratios between them: the machine's own speed falls
out of a ratio.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import numpy as np

from mexbench.metrics import classification as metrics
from mexbench.studies.claims.feasibility import Figure, judge, printed
from mexbench.studies.claims.feasibility.margins import shown
from tests.mexbench.studies.claims.feasibility.matrices import every_matrix

ROUNDS = 5
TINY = (4, 3, 2, 2)


def row(**figures: str) -> list[Figure]:
    """Figures by kind, as fractions."""
    return [printed(kind, text) for kind, text in figures.items()]


def by_brute_force(supports: tuple[int, ...], figures: list[Figure]) -> bool:
    """Score every matrix there is."""
    values = metrics.scores(every_matrix(supports))
    remaining = np.ones_like(values["uar"], dtype=bool)
    for figure in figures:
        remaining &= (values[figure.kind] >= float(figure.interval.low)) & (
            values[figure.kind] <= float(figure.interval.high)
        )
    return bool(remaining.any())


def seconds(action: Callable[[], object]) -> float:
    """Return the median processor time of an action."""
    times = []
    for turn in range(ROUNDS + 1):
        start = time.process_time()
        action()
        if turn:
            times.append(time.process_time() - start)
    return statistics.median(times)


def main() -> None:
    """Measure and print."""
    tiny = row(uf1=".511", uar=".523")  # no matrix gives it: both must look at everything
    assert by_brute_force(TINY, tiny) == (judge(TINY, tiny, explained=False).status == "possible")
    brute, ours = seconds(lambda: by_brute_force(TINY, tiny)), seconds(lambda: judge(TINY, tiny, explained=False))
    print(f"tiny row {shown(TINY)}: {ours:.3f} s, brute force {brute:.3f} s: {brute / ours:.0f} times as long")
    rows = {
        "3 classes, possible": ((250, 109, 83), row(uf1=".7353", uar=".7605")),
        "3 classes, by a bound": ((70, 51, 43), row(uf1=".2000", uar=".5280")),
        "3 classes, every case": ((88, 32, 25), row(uf1=".8382", uar=".8686")),
        "7 classes, two figures": ((57, 26, 15, 12, 9, 8, 6), row(uf1=".7202", uar=".7467")),
        "7 classes, four figures": (
            (57, 26, 15, 12, 9, 8, 6),
            row(accuracy=".7820", macro_precision=".7201", uar=".7467", uf1=".7202"),
        ),
        "8 classes, to the limit": (
            (57, 26, 26, 15, 12, 9, 8, 6),
            row(accuracy=".5912", uf1=".5499", uar=".6055", macro_precision=".5281", weighted_precision=".6394",
                weighted_f1=".6017"),
        ),
    }  # fmt: skip
    for name, (supports, figures) in rows.items():
        status = judge(supports, figures).status
        took = seconds(lambda s=supports, f=figures: judge(s, f)) if "limit" not in name else _once(supports, figures)
        print(f"{name}: {status} in {took:.3f} s, {took / ours:.1f} times the tiny row")


def _once(supports: tuple[int, ...], figures: list[Figure]) -> float:
    start = time.process_time()
    judge(supports, figures)
    return time.process_time() - start


if __name__ == "__main__":
    main()
