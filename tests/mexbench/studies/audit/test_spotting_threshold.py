"""What a threshold chosen on test videos is worth, for a spotter whose scores mean another thing for each person."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest

from mexbench.evaluation import plan as planning
from mexbench.interfaces import ScoredInterval, SpottingModel, VideoFrames
from mexbench.registry.catalogue import Catalogue
from mexbench.studies.audit.spotting_threshold import markdown, measure, table
from tests.helpers import config_of, entry, with_plugins
from tests.mexbench.evaluation.spotting_toys import Seer, ToyLong, runs

pytestmark = pytest.mark.usefixtures("few_subjects_suffice")


@dataclass(frozen=True)
class Fickle:
    """Spot the truth with a score that rises with the person, and a false alarm just below it."""

    threshold: float
    thresholds: tuple[float, ...] = (0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0)

    def __call__(self, videos: Sequence[VideoFrames], /) -> list[list[ScoredInterval]]:
        rows = []
        for video in videos:
            person = float(video.frames[0, 1] // 10)
            true = [replace(one, score=2 * person + 1.5) for one in runs(video)]
            alarm = ScoredInterval(onset=50, offset=58, kind="micro", score=2 * person + 0.5)
            rows.append([one for one in (*true, alarm) if one.score >= self.threshold])
        return rows

    def at(self, threshold: float) -> Fickle:
        return replace(self, threshold=threshold)


@dataclass(frozen=True, kw_only=True)
class FickleModel(SpottingModel):
    """Choose a threshold that lets everything through."""

    source = "tests"

    def fit_spotting(self, videos: Any, intervals: Any, *, groups: Any, seed: int) -> Any:  # noqa: ANN401
        del videos, intervals, groups, seed
        return Fickle(0.0)


@pytest.fixture
def rows(builtin: Catalogue) -> list[dict[str, Any]]:
    models = [entry("model", FickleModel, "fickle"), entry("model", Seer)]
    catalogue = with_plugins(builtin, entry("dataset", ToyLong), *models)
    config = config_of("{target: spotting, dataset: toylong, protocol: loso, models: [fickle, seer]}", catalogue)
    (part,) = planning.plan(config).parts
    return measure(part)


def test_inflation_by_hand(rows: list[dict[str, Any]]) -> None:
    # Honest: 3 hits and 6 false alarms of 3 true intervals. Per fold: a threshold above each person's alarms, perfect.
    # Global: at 1 the first person's alarms are gone (3 hits, 4 alarms), at 2 her hit as well.
    shared, each = rows[:2]
    assert (shared["leak"], each["leak"]) == ("threshold-global", "threshold-per-fold")
    assert shared["honest"] == each["honest"] == pytest.approx(6 / 12)
    assert each["leaky"] == 1
    assert each["inflation"] == pytest.approx(0.5)
    assert each["ci"] == pytest.approx([0.5, 0.5])
    assert shared["leaky"] == pytest.approx(6 / 10)
    assert 0 <= each["null"] < each["inflation"]


def test_a_spotter_without_a_threshold_is_named(rows: list[dict[str, Any]]) -> None:
    assert [(row["model"], row["status"], row["why"]) for row in rows[2:]] == [
        ("seer", "does not apply", "this spotter has no threshold")
    ] * 2


def test_the_page_has_both_sides_and_the_random_line(rows: list[dict[str, Any]]) -> None:
    assert table(rows).rows[1][:5] == ["fickle", "threshold-per-fold", "50.00", "100.00", "50.00 [50.00, 50.00]"]
    page = markdown({"config": "c", "dataset": "d", "protocol": "loso", "rows": rows})
    assert "L1.1 no test set" in page
    assert np.isfinite(float(table(rows).rows[0][5]))
