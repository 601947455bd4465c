"""What was chosen inside the training sides of a run, and what it cost."""

from __future__ import annotations

from collections.abc import Sequence

from mexbench.errors import counted
from mexbench.runs.tuning_record import chosen_text
from mexbench.tables import Row, Table, percent

TUNING_NOTE = (
    "Each training side was divided into inner folds that share no subject; every candidate was trained without each "
    "of them and scored on it, and the best was trained on the whole training side. No test sample was read. In "
    "brackets: in how many trainings a value was chosen. `tuning.csv` has each fold, its task's file every candidate."
)


def tuning_table(rows: Sequence[Row]) -> Table:
    """Chosen values, inner score and cost of every tuned row."""
    headers = ["model", "chosen", "inner folds", "candidates", "inner score", "inner trainings", "seconds"]
    cells = []
    for row in rows:
        if tuning := row.get("tuning"):
            score = f"{tuning['metric']} {percent(tuning['inner_score'])}"
            cost = [f"{tuning['fits']:,.0f}", f"{tuning['seconds']:,.0f}"]
            counts = [str(tuning["inner"]), str(tuning["candidates"])]
            cells.append([row["model"], chosen_text(tuning), *counts, score, *cost])
    return Table(headers, cells)


def tuning_lines(rows: Sequence[Row]) -> list[str]:
    """Describe the choices for a terminal, one paragraph for all tuned rows."""
    lines = [
        f"{row['model']}, chosen in {counted(row['tuning']['trainings'], 'training side')} by "
        f"{row['tuning']['metric']} on "
        f"{row['tuning']['inner']} inner folds ({row['tuning']['fits']:,.0f} inner trainings, "
        f"{row['tuning']['seconds']:,.0f} s): {chosen_text(row['tuning'])}"
        for row in rows
        if row.get("tuning")
    ]
    return ["\n".join(lines)] if lines else []
