"""Features drawn from Gaussians, for trying the program without any data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from annotated_types import Ge

from mexbench.interfaces import Clip, Dataset, Sample

EMOTIONS = ("negative", "positive", "surprise")


@dataclass(frozen=True, kw_only=True)
class Synthetic(Dataset):
    """Gaussian features in which a person's identity is a far stronger signal than the emotion, as in life.

    A clip is the sum of its subject's mean, its emotion's mean and noise of standard deviation 1. Subjects show the
    emotions with different frequencies, as they do in the real data.

    Args:
        subjects: Number of subjects.
        clips: Clips per subject.
        features: Length of a clip's feature vector.
        subject_effect: Standard deviation of the subjects' means, in units of the noise.
        emotion_effect: Standard deviation of the emotions' means, in units of the noise.
        seed: Another seed is another data set.
    """

    source = "made by this program"
    licence = "free of any"

    subjects: Annotated[int, Ge(2)] = 16
    clips: Annotated[int, Ge(1)] = 12
    features: Annotated[int, Ge(1)] = 24
    subject_effect: Annotated[float, Ge(0)] = 2.0
    emotion_effect: Annotated[float, Ge(0)] = 0.7
    seed: Annotated[int, Ge(0)] = 0

    def flags(self) -> tuple[str, ...]:
        """Say that the data is made up."""
        return ("synthetic",)

    def label_map(self) -> Mapping[str, str]:
        """Return the three emotions."""
        return {emotion: emotion for emotion in EMOTIONS}

    def samples(self) -> Sequence[Sample]:
        """Return one sample per clip."""
        samples = []
        for subject in range(self.subjects):
            rng = self._rng(0, subject)
            frequencies = rng.dirichlet([5.0, 2.5, 2.0])
            for clip, emotion in enumerate(rng.choice(EMOTIONS, size=self.clips, p=frequencies)):
                name = f"synthetic/s{subject + 1:02}"
                samples.append(
                    Sample(
                        sample_id=f"{name}/c{clip + 1:03}",
                        clip_id=f"{name}/c{clip + 1:03}",
                        subject=name,
                        dataset="synthetic",
                        emotion=str(emotion),
                    )
                )
        return samples

    def load(self, sample: Sample) -> Clip:
        """Draw one clip: frames (1, features), float32."""
        _, subject_name, clip_name = sample.sample_id.split("/")
        subject, clip = int(subject_name[1:]) - 1, int(clip_name[1:]) - 1
        emotion = EMOTIONS.index(str(sample.emotion))
        values = (
            self.subject_effect * self._rng(1, subject).standard_normal(self.features)
            + self.emotion_effect * self._rng(2, emotion).standard_normal(self.features)
            + self._rng(3, subject, clip).standard_normal(self.features)
        )
        return Clip(frames=values[None].astype(np.float32))

    def _rng(self, *stream: int) -> np.random.Generator:
        return np.random.default_rng([self.seed, *stream])
