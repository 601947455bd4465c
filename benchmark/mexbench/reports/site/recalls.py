"""Recall of each class on each data set, by a row's predictions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mexbench.reports.leaderboards.rows import BoardRow, BoardRows


def recalls_by_member(board: BoardRows, row: BoardRow) -> list[tuple[str, list[tuple[int, int]]]]:
    """Count, for each data set and class, the right answers and all of them, over seeds.

    Returns:
        (data set, (right, answers) of each class), last of all together. Nothing for one data set alone, or where a
        person is in several.
    """
    members: dict[str, set[str]] = {}
    for sample in board.definition.questions:
        members.setdefault(sample.group, set()).add(sample.dataset)
    if len(board.members) < 2 or any(len(names) > 1 for names in members.values()):
        return []
    counts = row.counts.matrices.sum(axis=0)
    lines = []
    for member in board.members:
        chosen = [index for index, group in enumerate(board.groups) if members[group] == {member}]
        lines.append((member, _recalls(counts[chosen].sum(axis=0))))
    return [*lines, ("all", _recalls(counts.sum(axis=0)))]


def _recalls(matrix: np.ndarray) -> list[tuple[int, int]]:
    classes: Sequence[int] = range(len(matrix))
    return [(int(matrix[index, index]), int(matrix[index].sum())) for index in classes]
