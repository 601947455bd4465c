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

from mexbench.interfaces.dataset import CodedUnits, Dataset, Erratum, Finding
from mexbench.interfaces.model import EpochsModel, FoldsModel, LayerRow, Model, Predictor, UnitsModel
from mexbench.interfaces.plugin import Plugin
from mexbench.interfaces.preprocessor import Augmentation, Preprocessor
from mexbench.interfaces.protocol import CaseStudy, Fold, Protocol
from mexbench.interfaces.sample import UNIT_NAMES, UNITS, Clip, Origin, Sample

__all__ = [
    "UNITS",
    "UNIT_NAMES",
    "Augmentation",
    "CaseStudy",
    "Clip",
    "CodedUnits",
    "Dataset",
    "EpochsModel",
    "Erratum",
    "Finding",
    "Fold",
    "FoldsModel",
    "LayerRow",
    "Model",
    "Origin",
    "Plugin",
    "Predictor",
    "Preprocessor",
    "Protocol",
    "Sample",
    "UnitsModel",
]
