"""Stable pseudonyms for what leaves a run folder: the names of a user's own list may be those of people.

A pseudonym is a digest of the name and of the data set's fingerprint, so every submission to a board has the same one.
It keeps a name from being read; whoever can guess a name, and has the list, can check the guess.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mexbench.fingerprint import digest
from mexbench.metrics.predictions import Predictions
from mexbench.runs.stored_run import StoredRun


def with_pseudonyms(run: StoredRun) -> StoredRun:
    """Return a run whose subjects, clips and samples have pseudonyms, if its data is a user's own list."""
    if not run.manifest.get("own_names"):
        return run
    tables = {row: _renamed(table, run.part(row)["dataset_fingerprint"]) for row, table in run.predictions.items()}
    folds = {row: dict(zip(run.predictions[row].fold, table.fold, strict=True)) for row, table in tables.items()}
    return replace(run, predictions=tables, fold_names=folds)


def pseudonym(fingerprint: str, dataset: str, kind: str, name: str) -> str:
    """Return the pseudonym of a subject or a clip; the number of a frame behind ``#`` stays."""
    if not name:
        return name
    clip, mark, frame = name.rpartition("#") if kind == "clip" and name.rpartition("#")[2].isdigit() else (name, "", "")
    return f"{dataset}/{kind}-{digest([fingerprint, kind, clip])[:12]}{mark}{frame}"


def _renamed(table: Predictions, fingerprint: str) -> Predictions:
    def names(kind: str, column: NDArray[Any]) -> NDArray[np.object_]:
        pairs = zip(table.dataset, column, strict=True)
        return np.array([pseudonym(fingerprint, dataset, kind, name) for dataset, name in pairs], dtype=object)

    subjects = dict(zip(table.subject, names("subject", table.subject), strict=True)) | {"": ""}
    clips = dict(zip(table.clip, names("clip", table.clip), strict=True))
    known = sorted({**clips, **subjects}, key=len, reverse=True)

    def fold(name: str) -> str:
        for one in known:  # a fold may be called after whom or what it tests, behind the number of its repeat
            if one and (name == one or name.endswith(f" {one}")):
                return name.removesuffix(one) + {**clips, **subjects}[one]
        return name

    return replace(
        table,
        subject=names("subject", table.subject),
        clip=names("clip", table.clip),
        sample=names("clip", table.sample),
        fold=np.array([fold(name) for name in table.fold], dtype=object),
    )
