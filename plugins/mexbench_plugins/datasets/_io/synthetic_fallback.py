"""What data sets with a synthetic stand-in share: it is read like the original, and never taken for it."""

from __future__ import annotations

from abc import abstractmethod
from pathlib import Path
from typing import ClassVar, Literal

from mexbench_plugins.datasets._io.frame_dataset import FrameDataset
from mexbench_plugins.synth.standin import StandIn

STAND_IN = "stand-in"


class StandInDataset(FrameDataset):
    """A data set whose ``root`` may be ``stand-in``: then made-up faces in the same layout are built and read."""

    #: Name of the original in prose, the variable that names its folder, and the name in ids.
    original: ClassVar[str]
    variable: ClassVar[str]
    dataset: ClassVar[str]

    root: Path | Literal["stand-in"]
    stand_in: StandIn

    @staticmethod
    @abstractmethod
    def _build(options: StandIn) -> Path:
        """Return the folder of the stand-in, which is built where it is not there yet."""

    @property
    def is_stand_in(self) -> bool:
        """Whether the data is made up."""
        return str(self.root) == STAND_IN

    @property
    def name_in_ids(self) -> str:
        """What stands in front of every id: those of made-up clips must never meet those of people."""
        return f"{self.dataset}-synthetic" if self.is_stand_in else self.dataset

    def folder(self) -> Path:
        """Return the folder to read."""
        return self._build(self.stand_in) if self.is_stand_in else Path(self.root)

    def flags(self) -> tuple[str, ...]:
        """Say so where the data is made up."""
        return ("synthetic",) if self.is_stand_in else ()

    def display_name(self) -> str | None:
        """Return another name for made-up data."""
        return self.name_in_ids if self.is_stand_in else None

    def notice(self) -> str | None:
        """Say what made-up data is not, before any figure."""
        if not self.is_stand_in:
            return None
        return (
            f"This is not {self.original}. The faces are made by a program, in the layout of {self.original}, so that "
            f"everything runs without a licence. No figure below says anything about {self.original} or about people.\n"
            f"To run on the real data, get it from its owners and set {self.variable} to its folder."
        )
