"""Support vector machine on real flow, on generated flow, or on both: does generated data help?"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, Literal

import numpy as np
from annotated_types import Ge, MinLen
from numpy.typing import NDArray

from mexbench.errors import DataError, listed
from mexbench.interfaces import Predictor
from mexbench_plugins.models.svm import SVM

_SHAPE = (1, 28, 28, 3)


@dataclass(frozen=True, kw_only=True)
class GeneratedFlowSVM(SVM):
    """The support vector machine ``svm``, trained on generated optical flow, alone or beside the real training side.

    Samples are flow pictures as the pack ``megc2019_flow`` has them: 28x28 of u, v and strain, each stretched to 0 to
    255. ``hand_made`` draws them from the warp of ``bench synth``, which has seen no data. ``learned`` trains the
    learned generator on the training side of the fold alone, inside ``fit``: nothing is learned from a test subject.

    Args:
        generator: hand_made or learned.
        training: generated trains on generated flow alone; both adds it to the real training side.
        per_class: Generated samples of each class.
        steps: Training steps of the learned generator.
        class_names: Names of the run's classes in their order, which tell the hand-made warp what to draw.
    """

    source = (
        "own addition: the image-to-video proposal (2023) asks for generated clips, and whether they help recognition"
    )
    example_shape = _SHAPE
    #: Both generators draw classes; neither knows which action units a drawn field shows.
    fit_action_units = None  # pyright: ignore[reportAssignmentType]

    generator: Literal["hand_made", "learned"] = "learned"
    training: Literal["generated", "both"] = "both"
    per_class: Annotated[int, Ge(1)] = 150
    steps: Annotated[int, Ge(1)] = 600
    class_names: Annotated[tuple[str, ...], MinLen(1)] = ("negative", "positive", "surprise")

    def check(self, shape: tuple[int, ...]) -> None:
        """Refuse samples that are not flow pictures of 28x28.

        Raises:
            DataError: They are not.
        """
        if tuple(shape) != _SHAPE:
            raise DataError(
                f"generated_flow_svm needs flow pictures {_SHAPE} of u, v and strain, got samples {tuple(shape)}: use "
                "the data set megc2019_flow, or causalnet_maps with 'maps: [onset_apex]', without preprocessing"
            )

    def fit(
        self, x: NDArray[Any], y: NDArray[np.intp], *, n_classes: int, groups: NDArray[np.str_], seed: int
    ) -> Predictor:
        """Generate flow of every class that trains, from these samples at most, and fit scaler and classifier.

        Raises:
            DataError: ``class_names`` are not as many as the run has classes.
        """
        present = np.unique(y)
        if self.generator == "hand_made" and len(self.class_names) != n_classes:
            raise DataError(
                f"class_names: {listed(self.class_names)}: the run has {n_classes} classes; name each, in their order"
            )
        pictures, labels = self._generate(x, y, present, groups, seed)
        if self.training == "both":
            pictures, labels = np.concatenate([x, pictures.astype(x.dtype)]), np.concatenate([y, labels])
        return super().fit(
            pictures.astype(x.dtype), labels, n_classes=n_classes, groups=np.zeros(len(labels), "U1"), seed=seed
        )

    def _generate(
        self, x: NDArray[Any], y: NDArray[np.intp], present: NDArray[np.intp], groups: NDArray[np.str_], seed: int
    ) -> tuple[NDArray[np.uint8], NDArray[np.intp]]:
        """Return generated pictures (n, 1, 28, 28, 3) and their classes."""
        from mexbench_plugins.synth.motion.fields import decode, encode
        from mexbench_plugins.synth.motion.learned import TrainingMotion, learn

        if self.generator == "hand_made":
            pictures = [_hand_made(self.class_names[one], self.per_class, seed) for one in present]
        else:
            rng = np.random.default_rng([seed, 0x6F])
            motion = TrainingMotion(
                rise=decode(x[:, 0]), fade=None, labels=y.astype(np.str_), subjects=len(np.unique(groups))
            )  # fmt: skip
            names = [str(one) for one in present]
            generator = learn(motion, names, seed=seed, steps=self.steps)
            pictures = [encode(generator.sample(name, self.per_class, rng)[0]) for name in names]
        return np.concatenate(pictures)[:, None], np.repeat(present, self.per_class)


@cache
def _hand_made(name: str, count: int, seed: int) -> NDArray[np.uint8]:
    """Draw pictures of the warp, which are the same in every fold: they depend on no data."""
    from mexbench_plugins.synth.motion import hand_made
    from mexbench_plugins.synth.motion.fields import encode

    pictures = encode(hand_made.sample(name, count, np.random.default_rng([seed, 0x6F, *name.encode()])))
    pictures.flags.writeable = False
    return pictures
