"""Real motion out of the public packs of flow."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np

from mexbench.errors import DataError, counted, listed, unknown
from mexbench.interfaces import Dataset
from mexbench_plugins.datasets._io import flow_packs
from mexbench_plugins.datasets.causalnet_maps import CausalNetMaps
from mexbench_plugins.datasets.megc2019_flow import Megc2019Flow
from mexbench_plugins.synth.motion.fields import CAUSALNET_WINDOW, STSTNET_WINDOW, decode
from mexbench_plugins.synth.motion.learned import TrainingMotion

#: The classes of both packs.
CLASSES = ("negative", "positive", "surprise")
#: The data sets that both are made of.
MEMBERS = ("casme2", "samm", "smic")
_FEWEST = 10  # clips from which something can be learned


def read(roots: Sequence[Path], *, members: Collection[str] = MEMBERS, published: bool = True) -> TrainingMotion:
    """Read one pack or both.

    Args:
        roots: Folder of megc2019_flow, with flow from onset to apex, or of causalnet_maps, which has flow from apex
            to offset too. Both together give both.
        members: Data sets whose clips count.
        published: Whether a pack must be one of the published, whole ones.

    Raises:
        DataError: A folder is neither of the packs, is damaged, or is given twice.
    """
    for member in members:
        if member not in MEMBERS:
            raise DataError(unknown("member", member, MEMBERS))
    parts = [_read(root, members, published=published) for root in roots]
    names = [name for part in parts for name in part.packs]
    if len(set(names)) < len(names):
        raise DataError(f"{listed(map(str, roots))}: the same pack is given twice; give each once")
    if not parts:
        raise DataError("no pack to learn from")
    fades = [np.zeros_like(part.rise) if part.fade is None else part.fade for part in parts]
    return TrainingMotion(
        rise=np.concatenate([part.rise for part in parts]),
        fade=np.concatenate(fades) if any(part.fade is not None for part in parts) else None,
        labels=np.concatenate([part.labels for part in parts]),
        packs={name: count for part in parts for name, count in part.packs.items()},
        subjects=max(part.subjects for part in parts),
    )


def _read(root: Path, members: Collection[str], *, published: bool) -> TrainingMotion:
    expect = "published" if published else "any"
    dataset: Dataset
    if (root / "labels.csv").is_file():
        dataset = CausalNetMaps(root=root, maps=("onset_apex", "apex_offset"), expect=expect)
        window = CAUSALNET_WINDOW
    else:
        dataset = Megc2019Flow(root=root, expect=expect)
        window = STSTNET_WINDOW
    try:
        every = list(dataset.samples())
    except DataError as error:
        raise DataError(
            f"{error}\n  a generator learns from the folder of megc2019_flow (norm_u_v_os) or of causalnet_maps (with "
            "labels.csv)"
        ) from None
    samples = [sample for sample in every if sample.dataset in members]
    if len(samples) < _FEWEST:
        raise DataError(f"{root}: has {counted(len(samples), 'clip')} of {listed(members)}, too few to learn from")
    frames = np.stack([dataset.load(sample).frames for sample in samples])
    digest = flow_packs.checksum(
        (sample.sample_id, image) for sample, image in zip(samples, frames[:, 0], strict=True)
    )  # fmt: skip
    counts = Counter(sample.dataset for sample in samples)
    name = f"{dataset.display_name() or _plugin(dataset)} {digest} ({', '.join(f'{m} {n}' for m, n in counts.items())})"
    return TrainingMotion(
        rise=decode(frames[:, 0], window=window),
        fade=-decode(frames[:, 1], window=window) if frames.shape[1] > 1 else None,
        labels=np.array([str(sample.emotion) for sample in samples]),
        packs={name: len(samples)},
        subjects=len({sample.subject for sample in samples}),
    )


def _plugin(dataset: Dataset) -> str:
    return "causalnet_maps" if isinstance(dataset, CausalNetMaps) else "megc2019_flow"
