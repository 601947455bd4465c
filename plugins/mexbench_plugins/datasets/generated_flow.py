"""Generated optical flow in the format of the flow packs: free of any licence, or learned from a pack."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from annotated_types import Ge, MinLen
from numpy.typing import NDArray

from mexbench.interfaces import Clip, Dataset, Sample

CLASSES = ("negative", "positive", "surprise")
Member = Literal["casme2", "samm", "smic"]


@dataclass(frozen=True, kw_only=True)
class GeneratedFlow(Dataset):
    """Made-up optical flow from onset to apex, 28x28 of u, v and strain, three classes; as many clips of each.

    ``hand_made`` is the warp of ``bench synth``: the action units of an emotion on a random face, with smooth errors as
    a flow algorithm makes them. ``learned`` is the learned generator: it is trained on the members of a real pack that
    are named, when the data is first read, which takes some seconds. The flow is the generator's own displacement and
    was not estimated from pictures. A clip stands for a person of its own.
    In runs with several data sets it is called generated_hand_made or generated_learned.

    Args:
        generator: hand_made or learned.
        root: With learned: folder of the data set megc2019_flow or causalnet_maps.
        members: With learned: the data sets of the pack to learn from; test a model on others.
        clips: Clips of each class.
        seed: Another seed is another data set.
        expect: With learned: published refuses a pack that is not a published one.
    """

    source = "made by this program"
    licence = "hand_made: free of any; learned: that of the pack it was learned from"

    generator: Literal["hand_made", "learned"] = "hand_made"
    root: Path | None = None
    members: Annotated[tuple[Member, ...], MinLen(1)] = ("casme2", "samm", "smic")
    clips: Annotated[int, Ge(1)] = 100
    seed: Annotated[int, Ge(0)] = 0
    expect: Literal["published", "any"] = "published"

    def __post_init__(self) -> None:
        """Refuse a pack where nothing is learned, and none where something is.

        Raises:
            ValueError: With the reason.
        """
        if self.generator == "learned" and self.root is None:
            raise ValueError("generator learned needs 'root': the folder of megc2019_flow or of causalnet_maps")
        if self.generator == "hand_made" and self.root is not None:
            raise ValueError("generator hand_made learns from nothing: leave 'root' out, or set 'generator: learned'")

    def flags(self) -> tuple[str, ...]:
        """Say that the data is made up."""
        return ("synthetic",)

    def label_map(self) -> Mapping[str, str]:
        """Return the three classes."""
        return {emotion: emotion for emotion in CLASSES}

    def samples(self) -> Sequence[Sample]:
        """Return one sample per clip."""
        return [
            Sample(
                sample_id=f"{self._dataset}/{emotion}-{index:04}", clip_id=f"{self._dataset}/{emotion}-{index:04}",
                subject=f"{self._dataset}/{emotion}-{index:04}", dataset=self._dataset, emotion=emotion,
            )
            for emotion in CLASSES
            for index in range(self.clips)
        ]  # fmt: skip

    def load(self, sample: Sample) -> Clip:
        """Return one flow picture: frames (1, 28, 28, 3), uint8."""
        emotion, _, index = sample.sample_id.rpartition("/")[2].rpartition("-")
        return Clip(frames=self._pictures[emotion][int(index)][None])

    @property
    def _dataset(self) -> str:
        return f"generated_{self.generator}"

    @cached_property
    def _pictures(self) -> dict[str, NDArray[np.uint8]]:
        from mexbench_plugins.synth.motion import hand_made, packs
        from mexbench_plugins.synth.motion.fields import encode
        from mexbench_plugins.synth.motion.learned import learn

        rng = np.random.default_rng([self.seed, 0x6D])
        if self.root is None:
            return {emotion: encode(hand_made.sample(emotion, self.clips, rng)) for emotion in CLASSES}
        motion = packs.read([self.root], members=self.members, published=self.expect == "published")
        generator = learn(motion, CLASSES, seed=self.seed)
        return {emotion: encode(generator.sample(emotion, self.clips, rng)[0]) for emotion in CLASSES}
