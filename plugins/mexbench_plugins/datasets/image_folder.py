"""Any folder of images, one folder per class."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated

from annotated_types import MinLen

from mexbench.data.image import IMAGES, read_image
from mexbench.errors import DataError
from mexbench.interfaces import Clip, DataIssue, Dataset, Sample
from mexbench_plugins.datasets._io.folders import folders, inside, require_folder, visible

#: Folders that hold parts of a data set rather than classes.
PARTS = ("train", "test")
_LAYOUT = "<root>/<class>/<image> or <root>/{train,test}/<class>/<image>"


@dataclass(frozen=True, kw_only=True)
class ImageFolder(Dataset):
    """Still images, one folder per class, JPEG, PNG or BMP, of any size.

    Nobody knows who is in the pictures, so the same face may stand on both sides of any split. A ``train`` and a
    ``test`` folder stay part of the ids, ``fer/test/anger/0001.png``, and are the parts of protocol ``fixed_split``.

    Args:
        root: Folder of the class folders, or of the folders train and test.
        title: What the data set is called: in front of every id and in every table.
    """

    source = "the user's own images"
    own_names = True
    licence = "that of the images"

    root: Path
    title: Annotated[str, MinLen(1)] = "image_folder"

    def label_map(self) -> Mapping[str, str]:
        """Return the class folders that hold images, sorted by name."""
        return {name: name for name in sorted({str(sample.emotion) for sample, _ in self._index.values()})}

    def samples(self) -> Sequence[Sample]:
        """Return one sample per image."""
        return [sample for sample, _ in self._index.values()]

    def load(self, sample: Sample) -> Clip:
        """Read one image: frames (1, H, W, 3) RGB or (1, H, W, 1) gray, uint8."""
        return Clip(frames=read_image(self._path(sample))[None])

    def files(self, sample: Sample, numbers: Sequence[int] | None = None) -> Sequence[Path]:
        """Return the one image."""
        del numbers
        return (self._path(sample),)

    def data_issues(self) -> Sequence[DataIssue]:
        """Return class folders without images, files that are none, and images that lie in no class folder."""
        above = {self.root, *(folder.parent for folder in self._class_folders)}
        issues = [
            DataIssue(what="image outside the class folders", where=str(path), detail="not used")
            for folder in sorted(above)
            for path in visible(folder)
            if path.suffix.lower() in IMAGES and path.is_file()
        ]
        for folder in self._class_folders:
            paths = visible(folder)
            issues += [
                DataIssue(what="file is not an image", where=str(path), detail="not used")
                for path in paths
                if path.suffix.lower() not in IMAGES
            ]
            if not any(path.suffix.lower() in IMAGES for path in paths):
                issues.append(DataIssue(what="class folder without images", where=str(folder)))
        return issues

    def _path(self, sample: Sample) -> Path:
        if sample.clip_id not in self._index:
            raise DataError(f"{self.root}: no image {sample.clip_id!r}")
        return self._index[sample.clip_id][1]

    @cached_property
    def _index(self) -> dict[str, tuple[Sample, Path]]:
        inside(self.root, self.title, where="title")
        index = {sample.sample_id: (sample, path) for sample, path in self._images()}
        if not index:
            raise DataError(f"{self.root}: no {', '.join(sorted(IMAGES))} in any class folder; expected {_LAYOUT}")
        return index

    def _images(self) -> Iterator[tuple[Sample, Path]]:
        for folder in self._class_folders:
            for path in visible(folder):
                if path.suffix.lower() in IMAGES:
                    name = f"{self.title}/{path.relative_to(self.root).as_posix()}"
                    yield (
                        Sample(
                            sample_id=name,
                            clip_id=name,
                            subject=None,
                            dataset=self.title,
                            emotion=path.parent.name,
                            part=folder.parent.name if folder.parent != self.root else None,
                        ),
                        path,
                    )

    @cached_property
    def _class_folders(self) -> list[Path]:
        require_folder(self.root, _LAYOUT)
        top = folders(self.root)
        parts = [folder for folder in top if folder.name in PARTS]
        if not parts:
            return top
        if len(parts) < len(top):
            others = ", ".join(folder.name for folder in top if folder not in parts)
            raise DataError(
                f"{self.root}: {others}: class folders cannot lie beside train and test; expected {_LAYOUT}"
            )
        return [folder for part in parts for folder in folders(part)]
