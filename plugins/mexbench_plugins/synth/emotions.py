"""Which action units an emotion shows itself by, with the ambiguity of the real annotations."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from mexbench.errors import ConfigError, unknown
from mexbench_plugins.synth.action_units import ActionUnit, parse

#: Emotion -> how often each combination shows. Brow lowering (4) alone is mostly ``others`` and often ``disgust``, the
#: dimpler (14) is anything: an honest classifier cannot be perfect on this. The weights of the five usual classes
#: follow how often combinations occur in the annotation of CASME-II (Yan et al., 2014), without rare cells; those of
#: sadness and fear, of which it has nine clips, and of anger and contempt, which it does not have, are this program's
#: own choice from the prototypes of FACS.
COMBINATIONS: Mapping[str, Mapping[str, float]] = {
    "happiness": {
        "12": 6, "L12": 6, "6+12": 6, "R12": 3, "14": 3, "1+12": 1, "12+15": 1, "R6+R12": 1, "6+7+12": 1, "12+L14": 1,
        "15": 1,
    },
    "disgust": {
        "4+7": 20, "4": 11, "4+9": 5, "4+R10": 4, "4+7+9": 4, "4+10": 3, "4+L10": 2, "4+9+10": 2, "4+7+10": 2,
        "4+6+7": 2, "R10": 2, "4+9+17": 1,
    },
    "surprise": {
        "1+2": 6, "L1+L2": 5, "1": 4, "1+L2": 2, "R2": 2, "2": 1, "1+2+5": 2, "25": 1, "1+R2+25": 1,
        "L2+12": 1,
    },
    "repression": {"17": 13, "15": 4, "15+17": 5, "14": 2, "24": 1, "12+15": 1, "12+14+17": 1, "14+15": 1},
    "others": {
        "4": 59, "14": 12, "17": 4, "R14": 3, "4+7": 3, "24": 2, "18": 1, "15": 1, "7": 1, "4+12": 1, "6+7+12": 1,
        "12": 1,
    },
    "sadness": {"1": 4, "1+4": 2, "15": 1, "1+4+15": 1},
    "fear": {"20": 1, "1+2+4": 1, "1+2+4+20": 1},
    "anger": {"4": 10, "7": 8, "4+7": 10, "4+5+7": 3, "23": 2, "24": 2, "4+24": 1},
    "contempt": {"R14": 4, "L14": 4, "R12+R14": 2, "L12+L14": 2, "L12": 1},
}  # fmt: skip

#: How often each emotion occurs in the real data sets, by their own words.
CASME2 = {"others": 99, "disgust": 63, "happiness": 32, "repression": 27, "surprise": 25, "sadness": 7, "fear": 2}
SAMM = {
    "Anger": 57, "Other": 26, "Happiness": 26, "Surprise": 15, "Contempt": 12, "Disgust": 9, "Fear": 8, "Sadness": 6,
}  # fmt: skip
SMIC = {"negative": 70, "positive": 51, "surprise": 43}
CASME3 = {
    "disgust": 250, "surprise": 187, "others": 158, "fear": 86, "anger": 64, "sad": 57, "happy": 55, "Others": 3,
}  # fmt: skip
CASME3_C = {"negative": 99, "surprise": 30, "others": 20, "positive": 16}
CASME = {
    "tense": 69, "disgust": 44, "repression": 38, "surprise": 20, "happiness": 9, "sadness": 6, "fear": 2,
    "contempt": 1,
}  # fmt: skip
MMEW = {"surprise": 89, "disgust": 72, "others": 66, "happiness": 36, "fear": 16, "sadness": 13, "anger": 8}
#: Of these no counts are at hand: every emotion is as frequent as the others.
DFME: Mapping[str, int] = dict.fromkeys(("anger", "contempt", "disgust", "fear", "happiness", "sadness", "surprise"), 1)
FOURDME: Mapping[str, int] = dict.fromkeys(("negative", "positive", "surprise", "repression", "others"), 1)
CASME_SQUARED: Mapping[str, int] = dict.fromkeys(("negative", "positive", "surprise", "others"), 1)

#: Words of the data sets -> the emotion above whose action units they show. ``tense`` of CASME is its own word.
SYNONYMS = {
    "other": "others", "happy": "happiness", "positive": "happiness", "sad": "sadness", "negative": "disgust",
    "tense": "others",
}  # fmt: skip


def draw(emotion: str, rng: np.random.Generator) -> tuple[ActionUnit, ...]:
    """Draw a combination of action units for an emotion.

    Raises:
        ConfigError: The emotion is unknown.
    """
    word = emotion.lower()
    word = SYNONYMS.get(word, word)
    if word not in COMBINATIONS:
        raise ConfigError(unknown("emotion", emotion, COMBINATIONS))
    table = COMBINATIONS[word]
    weights = np.array(list(table.values()), np.float64)
    return parse(list(table)[int(rng.choice(len(weights), p=weights / weights.sum()))])


def allocate(frequencies: Mapping[str, int], total: int) -> list[str]:
    """Share ``total`` clips among emotions in proportion, the more frequent first; the rare ones come last.

    Each gets its whole share, then the largest remainders one more; an emotion with a real share of a twentieth or
    more gets at least one clip where there are enough clips.
    """
    total_count = sum(frequencies.values())
    shares = {emotion: total * count / total_count for emotion, count in frequencies.items()}
    counts = {emotion: int(share) for emotion, share in shares.items()}
    by_remainder = sorted(shares, key=lambda emotion: counts[emotion] - shares[emotion])
    for emotion in by_remainder[: total - sum(counts.values())]:
        counts[emotion] += 1
    for emotion, count in frequencies.items():
        if not counts[emotion] and count >= total_count / 20:
            richest = max(counts, key=lambda name: counts[name])
            if counts[richest] > 1:
                counts[richest] -= 1
                counts[emotion] += 1
    return [emotion for emotion, count in counts.items() for _ in range(count)]
