"""A data set: three methods to write. What else one may have is in ``OptionalDatasetMethods``."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence

from mexbench.interfaces.dataset_options import OptionalDatasetMethods
from mexbench.interfaces.sample import Clip, Sample


class Dataset(OptionalDatasetMethods, ABC):
    """Data as it is on disk. ``samples`` reads metadata alone; ``load`` reads one sample's pixels.

    A data set of frame sequences overrides ``frame_numbers``, ``load_frames`` and ``files`` as well.
    """

    @abstractmethod
    def label_map(self) -> Mapping[str, str]:
        """Return emotion -> class. The order of first appearance is the order of the classes.

        A sample whose emotion is not a key is excluded from a run, counted and named.
        """

    @abstractmethod
    def samples(self) -> Sequence[Sample]:
        """Return every sample, in any order: the engine sorts by id.

        Raises:
            DataError: The data is missing, incomplete or contradicts itself.
        """

    @abstractmethod
    def load(self, sample: Sample) -> Clip:
        """Read one sample.

        Raises:
            DataError: The sample cannot be read; the text names its file.
        """
