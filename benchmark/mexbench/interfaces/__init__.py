"""All that the author of a plugin reads: a few records and the interfaces, one file each.

A plugin is a class that implements one interface. Its parameters are the typed fields of its frozen dataclass:
they are the schema of its block in a config, its page in ``bench info`` and part of a task's fingerprint.

    @dataclass(frozen=True, kw_only=True)
    class NearestMean(Model):
        '''Assign a sample to the class whose mean is nearest.'''

        metric: Literal["euclidean", "cosine"] = "euclidean"

        def fit(self, x, y, *, n_classes, groups, seed): ...

The docstring of the class explains each parameter in a section ``Args:``.
"""

from mexbench.interfaces.dataset import Dataset
from mexbench.interfaces.dataset_options import (
    DAMAGED_CELL,
    CodedActionUnits,
    Correction,
    DataArchive,
    DataIssue,
    DataSource,
)
from mexbench.interfaces.model import (
    ActionUnitModel,
    EpochsModel,
    FoldsModel,
    LayerRow,
    Model,
    Predictor,
    TorchWeightsModel,
)
from mexbench.interfaces.plugin import Plugin
from mexbench.interfaces.preprocessor import Augmentation, Preprocessor
from mexbench.interfaces.protocol import AllExcept, CaseStudySpec, Fold, Protocol
from mexbench.interfaces.rows import Rows, select_rows
from mexbench.interfaces.sample import UNIT_NAMES, UNITS, Clip, ClipInfo, MeasuredUnits, Sample
from mexbench.interfaces.spotting import (
    ScoredInterval,
    SpottingModel,
    SpottingPredictor,
    ThresholdPredictor,
    VideoFrames,
)
from mexbench.interfaces.video import Interval, IntervalKind, LongVideo

__all__ = [
    "DAMAGED_CELL",
    "UNITS",
    "UNIT_NAMES",
    "ActionUnitModel",
    "AllExcept",
    "Augmentation",
    "CaseStudySpec",
    "Clip",
    "ClipInfo",
    "CodedActionUnits",
    "Correction",
    "DataArchive",
    "DataIssue",
    "DataSource",
    "Dataset",
    "EpochsModel",
    "Fold",
    "FoldsModel",
    "Interval",
    "IntervalKind",
    "LayerRow",
    "LongVideo",
    "MeasuredUnits",
    "Model",
    "Plugin",
    "Predictor",
    "Preprocessor",
    "Protocol",
    "Rows",
    "Sample",
    "ScoredInterval",
    "SpottingModel",
    "SpottingPredictor",
    "ThresholdPredictor",
    "TorchWeightsModel",
    "VideoFrames",
    "select_rows",
]
