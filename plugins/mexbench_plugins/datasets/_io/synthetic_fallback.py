"""What data sets with a synthetic stand-in share: it is read like the original, and never taken for it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar, Literal

from mexbench_plugins.datasets._io.frame_dataset import FrameDataset
from mexbench_plugins.synth.standin_options import StandIn

STAND_IN = "stand-in"


class StandInDataset(FrameDataset):
    """A data set whose ``root`` may be ``stand-in``: then synthetic faces in the same layout are built and read."""

    #: Name of the original in prose, the variable that names its folder, and the name in ids.
    original: ClassVar[str]
    variable: ClassVar[str]
    dataset: ClassVar[str]

    root: Path | Literal["stand-in"]
    stand_in: StandIn

    def stand_in_layout(self) -> str:
        """Return the name of the layout in which a stand-in is built."""
        return self.dataset

    @property
    def is_stand_in(self) -> bool:
        """Whether the data is synthetic."""
        return str(self.root) == STAND_IN

    @property
    def name_in_ids(self) -> str:
        """Name in front of every id: ids of synthetic clips must never equal those of people's."""
        return f"{self.dataset}-synthetic" if self.is_stand_in else self.dataset

    def folder(self) -> Path:
        """Return the folder to read."""
        if not self.is_stand_in:
            return Path(self.root)
        from mexbench_plugins.synth.standin import stand_in_root

        return stand_in_root(self.stand_in_layout(), self.stand_in)

    def published_counts(self) -> Mapping[str, int]:
        """Return ``original_counts``; a stand-in has no published counts."""
        return {} if self.is_stand_in else self.original_counts()

    def original_counts(self) -> Mapping[str, int]:
        """Return what the owners say that the original holds, under these parameters."""
        return {}

    def flags(self) -> tuple[str, ...]:
        """Return ``synthetic`` for a stand-in."""
        return ("synthetic",) if self.is_stand_in else ()

    def display_name(self) -> str | None:
        """Return another name for a stand-in."""
        return self.name_in_ids if self.is_stand_in else None

    def notice(self) -> str | None:
        """Return what a reader must know of a stand-in before any figure."""
        if not self.is_stand_in:
            return None
        return (
            f"This is not {self.original}. The faces are made by a program, in the layout of {self.original}, so that "
            f"everything runs without a licence. No figure below says anything about {self.original} or about people.\n"
            f"To run on the real data, get it from its owners and set {self.variable} to its folder."
        )
