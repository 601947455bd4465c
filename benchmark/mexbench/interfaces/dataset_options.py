"""The optional methods of a data set, each with a default, and the records that they return."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from mexbench.errors import DataError
from mexbench.interfaces.plugin import Plugin
from mexbench.interfaces.sample import Clip, Sample
from mexbench.interfaces.video import LongVideo


class OptionalDatasetMethods(Plugin):
    """Methods that a ``Dataset`` overrides where its data has more to say."""

    #: What this loader was tried on, for ``bench info``: the original, its annotation alone, or a stand-in.
    checked_on: ClassVar[str] = ""
    #: Whether the names of subjects and clips are the user's own, and so may be those of people: pseudonyms stand for
    #: them in whatever leaves a run folder.
    own_names: ClassVar[bool] = False

    def display_name(self) -> str | None:
        """Return the name for every output, where the plugin's own would mislead; None for the plugin's own."""
        return None

    def notice(self) -> str | None:
        """Return what a user must know before reading any figure made with this data; a run prints it in a box."""
        return None

    @classmethod
    def known_corrections(cls) -> Sequence[Correction]:
        """Return every correction that this loader knows, for ``bench info``."""
        return ()

    @classmethod
    def data_source(cls) -> DataSource | None:
        """Return who gives the data and how to get it, for ``bench data``; None where nobody does."""
        return None

    def published_counts(self) -> Mapping[str, int]:
        """Return what the owners say that the data holds, under these parameters, for ``bench data verify``.

        Names are ``clips``, ``subjects``, ``videos``, ``intervals``, or ``emotion`` and a word of the data set.
        """
        return {}

    def applied_corrections(self) -> Sequence[Correction]:
        """Return the corrections that ``samples`` made; a run records them."""
        return ()

    def data_issues(self) -> Sequence[DataIssue]:
        """Return what is irregular about this copy of the data, for ``bench check``. Reads no pixels."""
        return ()

    def coded_action_units(self) -> Sequence[CodedActionUnits]:
        """Return the action units of every annotated clip, for ``bench analyse``; () where there are none.

        Raises:
            DataError: The annotation cannot be read.
        """
        return ()

    def read_from(self) -> Sequence[str]:
        """Return the files, and the sheets in them, that the annotation was read from; a run prints them."""
        return ()

    def videos(self) -> Sequence[LongVideo]:
        """Return the long videos with the intervals annotated in them, for spotting; () where there are none.

        Reads the annotation alone; where the frames are on disk, they say where a video begins and ends.

        Raises:
            DataError: The annotation cannot be read.
        """
        return ()

    def load_video(self, video: LongVideo) -> Clip:
        """Read every frame of one of ``videos``, from its first to its last.

        Raises:
            DataError: It cannot be read; the text names its file.
        """
        raise DataError(f"{video.video_id}: this data set reads no long videos")

    def video_files(self, video: LongVideo) -> Sequence[Path]:
        """Return the files that ``load_video`` reads, so that a cache notices when one changes; () where none."""
        del video
        return ()

    def reads_in_threads(self) -> bool:
        """Whether ``load``, ``load_frames`` and ``files`` may be called by several threads at a time, as cores allow.

        They may where they read files and keep nothing between two calls. A run gets the clips in one order either way.
        """
        return False

    def frame_numbers(self, sample: Sample) -> Sequence[int]:
        """Return the published numbers of a clip's frames, rising; () where a sample is not a sequence of frames."""
        del sample
        return ()

    def load_frames(self, sample: Sample, numbers: Sequence[int]) -> Clip:
        """Read the frames with these numbers alone, in this order.

        Raises:
            DataError: One cannot be read; the text names its file.
        """
        raise DataError(f"{sample.sample_id} is not a sequence of frames: frames {list(numbers)} cannot be chosen")

    def files(self, sample: Sample, numbers: Sequence[int] | None = None) -> Sequence[Path]:
        """Return the files that ``load`` or ``load_frames`` reads, so that a cache notices when one changes.

        () where there are none: then a sample is loaded to see whether it changed.
        """
        del sample, numbers
        return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class DataArchive:
    """A public archive of a data set whose licence lets anybody fetch it.

    Args:
        url: Where it is: https, a .tar.gz or a .zip.
        folder: The folder in it that holds the data, below the archive's top folder; "" for all.
        sha256: Checksum of the archive; None where its owner publishes none, as of archives made on request: then the
            data set's own check of its content is the only one.
        licence: The licence under which it may be fetched.
        largest: Bytes that it may have, packed and unpacked.
        missing: What is not in it and must be got elsewhere, for the user.
    """

    url: str
    folder: str = ""
    sha256: str | None = None
    licence: str
    largest: int = 2**30
    missing: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DataSource:
    """Who gives a data set, and how to get it.

    Args:
        owner: Who gives it.
        page: Address of the page with the agreement or the files; addresses change, so it may be outdated.
        request: What to ask for, and under which conditions it is given.
        size: How large it is, in words, and what was published of its counts.
        variable: The environment variable that the shipped configs take its root from; "" for none.
        archive: What ``bench data fetch`` fetches; None where the licence does not let it.
    """

    owner: str
    page: str
    request: str
    size: str
    variable: str = ""
    archive: DataArchive | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CodedActionUnits:
    """The action units that a sheet has of one clip, as fine as three analyses may want them.

    Args:
        clip_id: The clip.
        emotion: The sheet's word for its emotion, as ``Sample.emotion``; None where the cell is blank.
        cell: The cell as text, unchanged.
        raw: Its tokens as they are written: ``{"4", "R10B"}``; nothing where the coder named no unit, as in ``?``.
        sided: All units, with their side and without intensity: ``{"4", "R10"}``; nothing where one is in doubt.
        numbers: All units by number alone: ``{"4", "10"}``; nothing where one is in doubt, as in ``L12 or L14``.
        opened: Every unit that the cell names, alternatives and references too, as written: ``{"L12", "L14"}``.
    """

    clip_id: str
    emotion: str | None
    cell: str
    raw: frozenset[str] = frozenset()
    sided: frozenset[str] = frozenset()
    numbers: frozenset[str] = frozenset()
    opened: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Correction:
    """A correction of a published annotation.

    Args:
        sample_id: The sample it is for.
        field: What is corrected: a field of ``Sample``.
        published: The value in the annotation file.
        corrected: The value to use.
        reason: What is wrong with the published one.
        source: Where the correction comes from.
    """

    sample_id: str
    field: str
    published: str
    corrected: str
    reason: str
    source: str


#: ``DataIssue.what`` of a clip with a cell in its annotation that holds neither a value nor a sign for none.
DAMAGED_CELL = "cell of the annotation cannot be read"


@dataclass(frozen=True, slots=True, kw_only=True)
class DataIssue:
    """Something irregular about a copy of the data.

    Args:
        what: The kind of irregularity, the same words each time: "clip folder missing".
        where: Sample id, file or folder.
        detail: What exactly.
        excluded: Whether the sample cannot be used, so that ``samples`` excludes it.
    """

    what: str
    where: str
    detail: str = ""
    excluded: bool = False
