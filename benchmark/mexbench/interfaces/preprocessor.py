"""A step: it turns one clip into another."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

import numpy as np

from mexbench.interfaces.plugin import Plugin
from mexbench.interfaces.sample import Clip, ClipInfo


class Preprocessor(Plugin, ABC):
    """A stateless, label-blind step: it sees one clip, never a label and never another sample."""

    #: Shape (T, H, W, C) and type of a clip that the conformance kit may use; set them where a step needs its own.
    example_shape: ClassVar[tuple[int, int, int, int]] = (5, 64, 64, 3)
    example_dtype: ClassVar[str] = "uint8"
    finds_faces: ClassVar[bool] = False  #: it raises NoFace, notes "no face found" or "several faces found"

    def needs_clip_info(self) -> bool:
        """Whether the step must know which clip it sees.

        Else ``Clip.clip_info`` is None, for a sample id may reveal the label.
        """
        return False

    def check_clip(self, info: ClipInfo, aus: frozenset[str]) -> None:
        """Refuse a clip that the step will not take, as far as this is known without computing anything.

        ``bench check`` asks it of every clip, where it puts few of them through the steps: a step that reads files of
        its own should look at the clip's file here.

        Args:
            info: The clip, as it was loaded.
            aus: Its coded action units.

        Raises:
            SampleRejected: As ``__call__`` would.
            DataError: As ``__call__`` would.
        """
        del info, aus

    def unannotated(self) -> Preprocessor:
        """Return the step for clips that nobody annotated, for models that read no annotation of what they predict.

        A step that takes values from the annotation overrides it and leaves them blank; see ``Model.reads_annotation``.
        """
        return self

    @abstractmethod
    def __call__(self, clip: Clip) -> Clip:
        """Return a new clip; the given one is read-only.

        Raises:
            SampleRejected: This clip cannot be used, with the reason: the run excludes it, counts it and names it.
            DataError: Something is wrong that ends the run.
        """


class Augmentation(Preprocessor):
    """A step that also makes altered copies for the training side. A test sample is never altered.

    Each copy goes through the steps that follow, as the original does, and trains under the original's label whenever
    the original trains.
    """

    #: How many altered copies a training sample gets; a field of the plugin.
    copies: int

    @abstractmethod
    def vary(self, clip: Clip, rng: np.random.Generator) -> Clip:
        """Return an altered copy of the same shape; ``rng`` is the only source of randomness."""

    def __call__(self, clip: Clip) -> Clip:
        """Leave the original alone."""
        return clip
