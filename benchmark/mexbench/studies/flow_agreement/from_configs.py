"""Flow fields of configs: what the models of each row see."""

from __future__ import annotations

from collections.abc import Sequence

from mexbench.config.run_config import RunConfig
from mexbench.data.arrays import Progress, load_arrays
from mexbench.data.cache import Cache
from mexbench.data.samples import LabelledSamples
from mexbench.errors import DataError
from mexbench.evaluation import plan as planning
from mexbench.studies.flow_agreement.agreement import FlowFields


def read_recipes(
    configs: Sequence[RunConfig], cache: Cache | None = None, progress: Progress = lambda _: None
) -> list[FlowFields]:
    """Load what each config's rows see, each recipe once: the first array in time of every sample.

    Raises:
        DataError: The data cannot be used, or is not a field per sample.
    """
    recipes: list[FlowFields] = []
    for config in configs:
        seen: set[int] = set()
        parts = list(zip(config.parts, planning.read(config), strict=True))
        several = len({id(part.input) for part, _ in parts}) > 1
        for part, samples in parts:
            if id(part.input) in seen:
                continue
            seen.add(id(part.input))
            used, arrays = load_arrays(part, samples, cache, progress)
            if arrays.x.ndim != 5:
                raise DataError(
                    f"{config.name}: samples are arrays {arrays.x.shape[1:]}, expected fields (1, H, W, channels) of "
                    "optical flow"
                )
            name = f"{config.name}: {part.models[0].name}" if several else config.name
            recipes.append(FlowFields(name, _ids(used), arrays.x[:, 0]))
    return recipes


def _ids(samples: LabelledSamples) -> tuple[str, ...]:
    return tuple(sample.sample_id for sample in samples.samples)
