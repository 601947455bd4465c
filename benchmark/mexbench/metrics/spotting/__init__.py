"""How well expressions are spotted in long videos: matching, F1, average precision, false alarms, STRS.

**Definitions.** An interval is a set of whole frames, its first and its last included. A prediction is a true positive
where its intersection over union with a true interval of the same type (micro, macro) is at least .5; each true
interval and each prediction counts once. Counts are pooled over *all* videos, those without any expression too, before
anything is divided: F1 = 2 TP / (2 TP + FP + FN).

Plugins may use this package: a spotter that chooses a threshold on its training side needs the score it chooses by.
"""

from mexbench.metrics.spotting.matching import IOU, MATCHINGS, Matching, iou, match
from mexbench.metrics.spotting.null_models import (
    IntervalStatistics,
    RegularSpotter,
    random_intervals,
    regular_intervals,
)
from mexbench.metrics.spotting.scores import KINDS, SpottedVideo, average_precision, count, f1, pooled_f1

__all__ = [
    "IOU",
    "KINDS",
    "MATCHINGS",
    "IntervalStatistics",
    "Matching",
    "RegularSpotter",
    "SpottedVideo",
    "average_precision",
    "count",
    "f1",
    "iou",
    "match",
    "pooled_f1",
    "random_intervals",
    "regular_intervals",
]
