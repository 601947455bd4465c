"""Action units from elsewhere: OpenFace's CSV files and py-feat, of which a stand-in module plays the part."""

from __future__ import annotations

import importlib.metadata
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import cv2
import numpy as np
import pytest

from mexbench.data import samples as data
from mexbench.data.arrays import load_arrays
from mexbench.data.cache import Cache
from mexbench.errors import DataError, SampleRejected
from mexbench.interfaces import Clip, ClipInfo, Dataset, Preprocessor, Sample
from mexbench.registry.catalogue import Catalogue
from mexbench.registry.parameters import build
from mexbench_plugins.preprocessors import _au_openface as _openface
from mexbench_plugins.preprocessors import _au_pyfeat as _pyfeat
from mexbench_plugins.preprocessors.action_units import ActionUnits
from tests.helpers import config_of, entry, sample, with_plugins

UNITS = (1, 4, 12)
#: As OpenFace 2 writes them: a blank after each comma, units of both kinds behind what nobody asked for.
HEADER = "frame, face_id, timestamp, confidence, success, pose_Tx, AU01_r, AU04_r, AU12_r, AU01_c, AU04_c, AU12_c"
ROWS = (
    "1, 0, 0.000, 0.98, 1, 3.2, 0.00, 1.25, 0.50, 0.00, 1.00, 0.00",
    "2, 0, 0.005, 0.98, 1, 3.1, 0.00, 2.50, 0.10, 0.00, 0.00, 0.00",
    "3, 0, 0.010, 0.40, 1, 3.1, 5.00, 5.00, 5.00, 1.00, 1.00, 1.00",
    "4, 0, 0.015, 0.00, 0, 0.0, 4.00, 4.00, 4.00, 1.00, 1.00, 1.00",
)


def write(path: Path, rows: Sequence[str] = ROWS, header: str = HEADER) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


def clip_of(clip_id: str = "toy/s1/a", length: int = 4, frames: np.ndarray | None = None) -> Clip:
    seen = np.zeros((length, 8, 8, 3), np.uint8) if frames is None else frames
    origin = ClipInfo(clip_id=clip_id, length=length, frames=seen)
    return Clip(frames=np.ones((2, 5), np.float32), clip_info=origin, notes=("kept",))


def openface(folder: Path, **options: Any) -> ActionUnits:  # noqa: ANN401
    return ActionUnits(origin="openface", folder=folder, units=UNITS, **options)


def test_intensities_are_the_greatest_of_the_sure_frames(tmp_path: Path) -> None:
    write(tmp_path / "s1" / "a.csv")
    result = openface(tmp_path)(clip_of())
    assert result.frames.dtype == np.float32
    np.testing.assert_allclose(result.frames[:, 5:], [[0, 2.5 / 5, 0.5 / 5]] * 2)
    assert result.notes == ("kept", _openface.UNSURE)
    assert openface(tmp_path).flags() == ()


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"values": "presence"}, [0, 1, 0]),
        ({"confidence": 0.4}, [1, 1, 1]),  # the third frame counts; the fourth, without success, never does
        ({"confidence": 0.4, "values": "presence"}, [1, 1, 1]),
        ({"confidence": 0.0}, [1, 1, 1]),
    ],
)
def test_options(tmp_path: Path, options: Mapping[str, Any], expected: Sequence[float]) -> None:
    write(tmp_path / "s1" / "a.csv")
    np.testing.assert_allclose(openface(tmp_path, **options)(clip_of()).frames[0, 5:], expected)


def test_where_all_frames_are_sure_there_is_no_note(tmp_path: Path) -> None:
    write(tmp_path / "s1" / "a.csv", ROWS[:2])
    assert openface(tmp_path)(clip_of(length=2)).notes == ("kept",)


def test_csv_folder_may_be_the_data_set_and_paths_stay_inside(tmp_path: Path) -> None:
    write(tmp_path / "csv" / "toy" / "s1" / "a.csv", ROWS[:1])
    write(tmp_path / "b.csv")
    assert _openface.find(tmp_path / "csv", "toy/s1/a") == tmp_path / "csv" / "toy" / "s1" / "a.csv"
    assert _openface.find(tmp_path / "csv", "toy/../b") is None
    assert _openface.find(tmp_path / "csv", "../b") is None


def test_a_clip_without_a_csv_or_without_a_sure_face_is_left_out(tmp_path: Path) -> None:
    write(tmp_path / "s1" / "b.csv", ROWS[2:])
    with pytest.raises(SampleRejected, match=r"has no OpenFace CSV"):
        openface(tmp_path)(clip_of())
    with pytest.raises(SampleRejected, match="has no frame with a sure face in its OpenFace CSV"):
        openface(tmp_path)(clip_of("toy/s1/b", length=2))


@pytest.mark.parametrize(
    ("rows", "header", "message"),
    [
        (ROWS, HEADER.replace("AU", "XX"), "lacks the columns AU01_r, AU04_r, AU12_r; it has 0 columns of action"),
        (ROWS, HEADER.replace("AU12_r", "AU13_r"), "lacks the columns AU12_r; it has 6 columns"),
        (ROWS, HEADER.replace("success", "succeeded"), "lacks the columns success"),
        (ROWS[:3], HEADER, "has 3 frames, the clip has 4; run FeatureExtraction on the frames of the clip"),
        ((*ROWS, ROWS[0]), HEADER, "has a frame twice, as where several faces are followed"),
        ((*ROWS[:3], ROWS[3][:-6]), HEADER, "row 5: 11 cells under 12 headers"),
        ((ROWS[0].replace("0.00, 1.25", "x, 1"), *ROWS[1:]), HEADER, "row 2: AU01_r is 'x', expected a number"),
        ((ROWS[0].replace("0.00, 1.25", "nan, 1"), *ROWS[1:]), HEADER, "AU01_r is nan, expected a finite number"),
        ((ROWS[0].replace("1.25", "9.00"), *ROWS[1:]), HEADER, "lie from 0 to 9, not 0 to 5"),
        ((), "", "lacks the columns AU01_r"),
    ],
    ids=str,
)  # fmt: skip
def test_a_bad_csv_is_one_error_that_names_it(tmp_path: Path, rows: Sequence[str], header: str, message: str) -> None:
    path = write(tmp_path / "s1" / "a.csv", rows, header)
    with pytest.raises(DataError, match=message) as caught:
        openface(tmp_path)(clip_of())
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"origin": "openface"}, "origin openface needs 'folder', where the CSV files lie"),
        ({"folder": "x"}, "origin annotation reads no 'folder'"),
        ({"origin": "pyfeat", "folder": "x"}, "origin pyfeat reads no 'folder'"),
        ({"origin": "openpose"}, 'expected "annotation" | "openface" | "pyfeat", got "openpose"'),
        ({"confidence": 1.5}, "expected"),
    ],
)
def test_contradictory_options_are_rejected(options: Mapping[str, Any], message: str) -> None:
    _, errors = build(ActionUnits, options)
    assert message in errors[0][1]


def test_a_folder_that_is_missing_or_empty_is_an_error_before_anything_is_read(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such folder; give that of OpenFace's CSV files"):
        openface(tmp_path / "nowhere").provenance()
    with pytest.raises(DataError, match="holds no CSV"):
        openface(tmp_path).provenance()


def test_changed_csv_changes_the_fingerprint(tmp_path: Path) -> None:
    path = write(tmp_path / "s1" / "a.csv")
    before = openface(tmp_path).provenance()
    assert before == openface(tmp_path).provenance()
    path.write_text(path.read_text().replace("1.25", "1.35"))
    assert before != openface(tmp_path).provenance()


def test_a_csv_that_is_no_text_is_one_error(tmp_path: Path) -> None:
    write(tmp_path / "s1" / "a.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match=r"a\.csv: expected text in UTF-8"):
        openface(tmp_path)(clip_of())


def test_openface_without_clip_info_is_rejected(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nothing says which clip this is"):
        openface(tmp_path)(Clip(frames=np.ones((1, 3), np.float32)))


@dataclass(frozen=True, kw_only=True)
class Filmed(Dataset):
    """Two clips of four equal frames each, which only their ids distinguish."""

    def label_map(self) -> Mapping[str, str]:
        return {"sad": "negative", "glad": "positive"}

    def samples(self) -> Sequence[Sample]:
        return [sample(f"toy/s{i}/a", emotion=("sad", "glad")[i], onset=1, apex=2, offset=4) for i in range(2)]

    def load(self, sample: Sample) -> Clip:
        return self.load_frames(sample, range(1, 5))

    def load_frames(self, sample: Sample, numbers: Sequence[int]) -> Clip:
        return Clip(frames=np.full((len(numbers), 20, 20, 3), 7, np.uint8))

    def frame_numbers(self, sample: Sample) -> Sequence[int]:
        return range(1, 5)

    def files(self, sample: Sample, numbers: Sequence[int] | None = None) -> Sequence[Path]:
        return [Path(__file__)]


@dataclass(frozen=True, kw_only=True)
class Anew(Preprocessor):
    """Builds its clip anew, as a third-party step may, and so forgets where it came from."""

    def __call__(self, clip: Clip) -> Clip:
        return Clip(frames=clip.frames.reshape(len(clip.frames), -1)[:, :3] / np.float32(255))


def test_run_passes_clip_id_and_length_to_the_step(toys: Catalogue, tmp_path: Path) -> None:
    """Although the run loads one frame of four; and equal files under two ids have their own entries in the cache."""
    for index, row in enumerate(("2.50", "5.00")):
        write(tmp_path / "csv" / f"s{index}" / "a.csv", [r.replace("2.50", row) for r in ROWS])
    catalogue = with_plugins(toys, entry("dataset", Filmed), entry("preprocessor", Anew))
    text = f"""
dataset: filmed
frames: {{unit: clip, at: [apex]}}
preprocess: [anew, {{plugin: action_units, origin: openface, folder: {tmp_path / "csv"}, units: [4]}}]
protocol: loso
models: [majority]
"""
    cache = Cache(tmp_path / "cache")
    part = config_of(text, catalogue).parts[0]
    for _ in range(2):
        samples, arrays = load_arrays(part, data.read_samples(part), cache)
        assert len(samples.samples) == 2
        np.testing.assert_allclose(arrays.x[:, 0, 3:], [[0.5], [1]])
        assert arrays.notes == {_openface.UNSURE: 2}
    assert len(cache.entries()) == 2
    write(tmp_path / "csv" / "s0" / "a.csv", [*ROWS, ROWS[0].replace("1, 0", "5, 0", 1)])
    with pytest.raises(DataError, match=r"sample toy/s0/a: .*has 5 frames, the clip has 4"):
        load_arrays(config_of(text, catalogue).parts[0], data.read_samples(part), cache)


class Table:
    """What is used of the table that py-feat returns."""

    def __init__(self, columns: Sequence[str], rows: Any) -> None:  # noqa: ANN401
        self.columns, self.rows = list(columns), np.array(rows, dtype=np.float64).reshape(-1, len(columns))

    def __getitem__(self, names: Sequence[str]) -> Table:
        return Table(names, self.rows[:, [self.columns.index(name) for name in names]])

    def to_numpy(self, dtype: type) -> np.ndarray:
        return self.rows.astype(dtype)


@pytest.fixture
def feat(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., list[Any]]]:
    """Let a module play py-feat: it gives a table and remembers what it was asked."""

    def install(rows: Sequence[Sequence[float]], columns: str = "frame FaceScore AU12 AU01 AU04") -> list[Any]:
        asked: list[Any] = []

        class Detectorv1:
            def __init__(self, **options: object) -> None:
                asked.append(options)

            def detect(self, inputs: list[str], *, data_type: str, progress_bar: bool) -> Table:
                asked.append((data_type, progress_bar, [cv2.imread(path)[..., ::-1] for path in inputs]))  # type: ignore[index]
                return Table(columns.split(), rows)

        module: Any = ModuleType("feat")
        module.Detectorv1 = Detectorv1
        monkeypatch.setitem(sys.modules, "feat", module)
        monkeypatch.setattr(importlib.metadata, "version", lambda _: "2.1.5")
        _pyfeat.detector.cache_clear()
        return asked

    yield install
    _pyfeat.detector.cache_clear()


NAN = float("nan")


def test_py_feat_sees_the_loaded_frames_and_gives_the_greatest_values(feat: Callable[..., list[Any]]) -> None:
    asked = feat([[0, 0.9, 0.1, 0.2, 0.3], [1, 0.9, 0.6, 0.1, 0.2], [1, 0.3, 1, 1, 1], [2, NAN, NAN, NAN, NAN]])
    pictures = np.random.default_rng(0).integers(0, 256, (3, 8, 9, 3), dtype=np.uint8)
    step = ActionUnits(origin="pyfeat", units=UNITS)
    result = step(clip_of(length=3, frames=pictures))
    np.testing.assert_allclose(result.frames[0, 5:], [0.2, 0.3, 0.6], rtol=1e-6)
    assert result.notes == ("kept", _pyfeat.FACELESS, _pyfeat.SEVERAL)
    step(clip_of(length=3, frames=pictures[..., :1]))
    options, (kind, progress, seen), (_, _, gray) = asked  # the detector is made once
    assert options == {"emotion_model": None, "identity_model": None, "gaze_model": None, "device": "cpu"}
    assert (kind, progress) == ("image", False)
    np.testing.assert_array_equal(seen, pictures)
    np.testing.assert_array_equal(gray, np.repeat(pictures[..., :1], 3, axis=3))
    assert (step.flags(), step.provenance()) == ((), {"py-feat": "2.1.5"})


def test_py_feat_finds_no_face(feat: Callable[..., list[Any]]) -> None:
    feat([[0, NAN, NAN, NAN, NAN]])
    with pytest.raises(SampleRejected, match="has no face that py-feat finds"):
        ActionUnits(origin="pyfeat", units=UNITS)(clip_of())


def test_py_feat_does_not_know_a_unit(feat: Callable[..., list[Any]]) -> None:
    feat([[0, 1, 0, 0, 0]])
    with pytest.raises(DataError, match=r"py-feat 2\.1\.5 does not report AU45; choose other 'units'"):
        ActionUnits(origin="pyfeat", units=(1, 45))(clip_of())


def test_py_feat_needs_pictures(feat: Callable[..., list[Any]]) -> None:
    feat([])
    with pytest.raises(DataError, match=r"looks at pictures, uint8, got \(4, 6\) float64"):
        ActionUnits(origin="pyfeat")(clip_of(frames=np.zeros((4, 6))))


def test_py_feat_without_weights_is_one_error(feat: Callable[..., list[Any]]) -> None:
    feat([])

    def fail(**_: object) -> None:
        raise OSError("cannot reach the hub\nfor xgb_au")

    setattr(sys.modules["feat"], "Detectorv1", fail)  # noqa: B010 - a module has no such attribute for pyright
    with pytest.raises(
        DataError, match=r"cannot load its models \(OSError: cannot reach the hub for xgb_au\); it downl"
    ):
        ActionUnits(origin="pyfeat")(clip_of())


def test_py_feat_of_another_generation_is_one_error(feat: Callable[..., list[Any]]) -> None:
    feat([])
    delattr(sys.modules["feat"], "Detectorv1")
    with pytest.raises(DataError, match=r"version 2 is needed, this is 2\.1\.5"):
        ActionUnits(origin="pyfeat")(clip_of())


def test_without_py_feat_there_is_one_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "feat", None)

    def missing(name: str) -> str:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", missing)
    _pyfeat.detector.cache_clear()
    text = r"needs py-feat, which is not installed; in a clone of mexbench: pip install '\.\[pyfeat\]'"
    with pytest.raises(DataError, match=text):
        ActionUnits(origin="pyfeat").provenance()
    with pytest.raises(DataError, match=text):
        ActionUnits(origin="pyfeat")(clip_of())
