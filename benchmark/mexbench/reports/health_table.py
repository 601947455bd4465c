"""How the trainings of a run went: accuracy on the training side, in training and as tested."""

from __future__ import annotations

from collections.abc import Sequence

from mexbench.tables import DASH, Row, Table, percent

HEALTH_NOTE = (
    "Means over tasks, on the training side: accuracy of the last epoch in training mode, and of the final predictor "
    "as it is tested; the training loss of the last epoch, and that of guessing class frequencies. A row is flagged "
    "`train-test-mode-gap` where it is tested more than 15 points below its training, `undertrained` where its loss is "
    "that of guessing, `constant` where it predicts one class alone."
)


def health_table(rows: Sequence[Row]) -> Table:
    """Training figures of every row that has any."""
    cells = []
    for row in rows:
        if health := row.get("health"):
            accuracies = [health.get(name) for name in ("train_accuracy", "tested_accuracy")]
            losses = [health.get(name) for name in ("train_loss", "guess_loss")]
            cells.append([
                row["model"],
                *(DASH if value is None else percent(value) for value in accuracies),
                *(DASH if value is None else f"{value:.3f}" for value in losses),
            ])  # fmt: skip
    return Table(["model", "accuracy in training", "as tested", "loss", "loss of guessing"], cells)
