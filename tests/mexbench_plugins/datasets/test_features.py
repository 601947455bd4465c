"""Ready-made features: the table, every format of arrays, what is excluded by name and what is refused."""

from __future__ import annotations

import pickle
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from safetensors.numpy import save_file
from sklearn.model_selection import LeaveOneGroupOut
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

import mexbench
from mexbench.errors import DataError
from mexbench.testing import assert_conforms
from mexbench_plugins.datasets.features import Features
from tests.helpers import Ran

IDS = ["s1/a", "s1/b", "s2/a", "s2/b", "s3/a"]
X = np.arange(20, dtype=np.float32).reshape(5, 4)


def write_table(folder: Path, *, drop: tuple[str, ...] = (), **columns: list[Any]) -> Path:
    table: dict[str, list[Any]] = {
        "sample_id": IDS,
        "subject": [name.partition("/")[0] for name in IDS],
        "label": [0, 1, 0, 1, 1],
        **columns,
    }
    pd.DataFrame({name: cells for name, cells in table.items() if name not in drop}).to_csv(
        folder / "table.csv", index=False
    )
    return folder / "table.csv"


def write_arrays(folder: Path, suffix: str, ids: list[str] = IDS) -> Path:
    path = folder / f"x{suffix}"
    frame = pd.DataFrame(X, columns=[f"f{place}" for place in range(4)])
    frame.insert(0, "sample_id", ids)
    if suffix == ".npy":
        np.save(path, X)
    elif suffix == ".npz":
        np.savez_compressed(path, **dict(zip(ids, X, strict=True)))  # pyright: ignore[reportArgumentType] - names are free
    elif suffix == ".safetensors":
        save_file(dict(zip(ids, X, strict=True)), path)
    elif suffix == ".parquet":
        pytest.importorskip("pyarrow")
        frame.to_parquet(path)
    else:
        frame.to_csv(path, index=False)
    return path


@pytest.mark.parametrize("suffix", [".npy", ".npz", ".safetensors", ".parquet", ".csv"])
def test_every_format_gives_the_same_arrays(tmp_path: Path, suffix: str) -> None:
    dataset = Features(table=write_table(tmp_path), arrays=write_arrays(tmp_path, suffix))
    samples = dataset.samples()
    assert [sample.sample_id for sample in samples] == [f"features/{name}" for name in IDS]
    assert [sample.subject for sample in samples] == ["features/s1"] * 2 + ["features/s2"] * 2 + ["features/s3"]
    assert dataset.data_issues() == ()
    assert list(dataset.label_map()) == ["0", "1"]
    for sample, row in zip(samples, X, strict=True):
        np.testing.assert_array_equal(dataset.load(sample).frames, row[None])
    assert_conforms(dataset)


@pytest.mark.parametrize("suffix", [".npz", ".safetensors", ".parquet"])
def test_arrays_by_id_may_be_in_any_order(tmp_path: Path, suffix: str) -> None:
    """An array belongs to its id, whatever its place; one of another id is named."""
    ids = ["s3/a", "s2/b", "s2/a", "s1/b", "other"]
    dataset = Features(table=write_table(tmp_path), arrays=write_arrays(tmp_path, suffix, ids))
    frames = {sample.sample_id: dataset.load(sample).frames[0].tolist() for sample in dataset.samples()}
    assert frames == {f"features/{name}": row.tolist() for name, row in zip(ids[:4], X, strict=False)}
    assert {(issue.what, issue.where, issue.excluded) for issue in dataset.data_issues()} == {
        ("array missing", "features/s1/a", True),
        ("array without a row in the table", "other", False),
    }


def test_the_table_may_be_parquet(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    pd.read_csv(write_table(tmp_path, apex=[3, None, 5, 6, 7])).to_parquet(tmp_path / "table.parquet")
    dataset = Features(table=tmp_path / "table.parquet", arrays=write_arrays(tmp_path, ".npy"))
    assert [(sample.emotion, sample.apex) for sample in dataset.samples()] == [
        ("0", 3), ("1", None), ("0", 5), ("1", 6), ("1", 7),
    ]  # fmt: skip


def test_a_file_for_each_sample_and_rows_of_one(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    for place in range(5):
        np.save(tmp_path / "a" / f"{place}.npy", X[place])
    own = Features(table=write_table(tmp_path, path=[f"a/{place}.npy" for place in range(5)]))
    assert [own.load(sample).frames[0, 0] for sample in own.samples()] == [0, 4, 8, 12, 16]
    first = own.samples()[0]
    assert own.files(first) == (tmp_path / "a" / "0.npy", tmp_path / "table.csv")
    table = write_table(tmp_path, row=[4, 3, 2, 1, 0])
    placed = Features(table=table, arrays=write_arrays(tmp_path, ".npy"))
    assert [placed.load(sample).frames[0, 0] for sample in placed.samples()] == [16, 12, 8, 4, 0]


@pytest.mark.parametrize(
    ("shape", "options", "expected"),
    [
        ((4,), {}, (1, 4)),
        ((3, 4), {}, (3, 4)),
        ((6, 5, 2), {}, (1, 6, 5, 2)),
        ((2, 6, 5), {"channels": "first"}, (1, 6, 5, 2)),
        ((6, 5), {"axes": "image"}, (1, 6, 5, 1)),
        ((7, 6, 5, 3), {}, (7, 6, 5, 3)),
        ((7, 3, 6, 5), {"channels": "first"}, (7, 6, 5, 3)),
    ],
)
def test_time_becomes_the_first_axis(
    tmp_path: Path, shape: tuple[int, ...], options: dict[str, Any], expected: tuple[int, ...]
) -> None:
    np.save(tmp_path / "x.npy", np.random.default_rng(0).random((5, *shape)))
    dataset = Features(table=write_table(tmp_path), arrays=tmp_path / "x.npy", **options)
    assert dataset.load(dataset.samples()[0]).frames.shape == expected


def test_frames_of_a_sequence_have_published_numbers(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.random.default_rng(0).random((5, 4, 3)))
    table = write_table(
        tmp_path, onset=[10, 10, 0, None, 8], apex=[12, None, 1, 2, 9], offset=[13, 13, 3, 3, 20], fps=[200] * 5
    )
    dataset = Features(table=table, arrays=tmp_path / "x.npy")
    first, *_, last = dataset.samples()
    assert list(dataset.frame_numbers(first)) == [10, 11, 12, 13]
    clip = dataset.load(first)
    assert (clip.fps, clip.onset_index, clip.apex_index, clip.offset_index) == (200.0, 0, 2, 3)
    chosen = dataset.load_frames(first, [10, 12])
    np.testing.assert_array_equal(chosen.frames, clip.frames[[0, 2]])
    assert (chosen.onset_index, chosen.apex_index, chosen.offset_index) == (0, 1, None)
    assert list(dataset.frame_numbers(last)) == [0, 1, 2, 3]
    (issue,) = dataset.data_issues()
    assert (issue.what, issue.where) == ("array is not the frames from onset to offset", "features/s3/a")
    assert issue.detail == "4 frames, onset 8, offset 20: counted from 0"


def test_unusable_samples_are_excluded_by_name(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    bad = {1: np.array([1, np.nan, np.inf, 2.0]), 2: np.zeros(3)}
    for place in (0, 1, 2, 4):
        np.save(tmp_path / "a" / f"{place}.npy", bad.get(place, X[place]))
    dataset = Features(table=write_table(tmp_path, path=[f"a/{place}.npy" for place in range(5)], colour=[1] * 5))
    assert [sample.sample_id for sample in dataset.samples()] == ["features/s1/a", "features/s3/a"]
    assert {(issue.what, issue.where, issue.detail, issue.excluded) for issue in dataset.data_issues()} == {
        ("array missing", "features/s2/b", "file not found: a/3.npy", True),
        ("shape differs", "features/s2/a", "(3,), most have (4,)", True),
        ("values not finite", "features/s1/b", "2 of 4 are NaN or infinite", True),
        ("column not used", "table.csv: colour", "", False),
    }


def test_sequences_of_several_lengths_are_kept(tmp_path: Path) -> None:
    save_file({name: np.ones((2 + place, 3)) for place, name in enumerate(IDS)}, tmp_path / "x.safetensors")
    dataset = Features(table=write_table(tmp_path), arrays=tmp_path / "x.safetensors")
    assert [len(dataset.load(sample).frames) for sample in dataset.samples()] == [2, 3, 4, 5, 6]


def test_action_units(tmp_path: Path) -> None:
    table = write_table(tmp_path, drop=("label",), aus=["4+R12", "0", "", "?", "12A"])
    dataset = Features(table=table, arrays=write_arrays(tmp_path, ".npy"))
    assert [(sorted(sample.aus), sample.aus_complete) for sample in dataset.samples()] == [
        (["AU12", "AU4"], True), ([], True), ([], False), ([], False), (["AU12"], True),
    ]  # fmt: skip
    assert [sorted(coded.numbers) for coded in dataset.coded_action_units()] == [["12", "4"], [], [], [], ["12"]]


def test_published_apexes_are_joined_by_sample_id(tmp_path: Path) -> None:
    (tmp_path / "apexes.csv").write_text("sample_id;apex\ns2/a;7\ns1/a;4.0\nnobody/x;3\n")
    dataset = Features(
        table=write_table(tmp_path), arrays=write_arrays(tmp_path, ".npy"), join=(tmp_path / "apexes.csv",)
    )
    apexes = {sample.sample_id: (sample.apex, sample.apex_source) for sample in dataset.samples()}
    assert apexes["features/s1/a"] == (4, "apexes.csv")
    assert apexes["features/s2/a"] == (7, "apexes.csv")
    assert apexes["features/s3/a"] == (None, None)
    assert Counter(issue.what for issue in dataset.data_issues()) == {
        "joined row without a sample": 1, "sample not in a joined table": 3,
    }  # fmt: skip


def test_data_sets_in_one_table(tmp_path: Path) -> None:
    table = write_table(tmp_path, dataset=["one", "one", "two", "two", "two"], label5=list("abcab"))
    dataset = Features(
        table=table, arrays=write_arrays(tmp_path, ".npy"), label="label5", classes={"a": "low", "b": "high"}
    )
    assert {sample.sample_id: sample.emotion for sample in dataset.samples()}["two/s2/a"] == "c"
    assert dataset.label_map() == {"a": "low", "b": "high"}


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        ("name,label\na,1\n", {}, "line 1: has no column sample_id; its columns: name, label"),
        ("sample_id,label\na,1\na,2\n", {}, "line 3: sample_id 'a' appears twice, first in "),
        ("sample_id,label\na,1\nb\n", {}, "line 3: has 1 cell, the header 2"),
        ("sample_id,label\na,1\n", {}, "where are the arrays? Give 'arrays', one file for all, or the table a column"),
        ("sample_id,path\na,../x.npy\n", {}, "line 2: path '../x.npy': expected a file below the table's folder"),
        ("sample_id,path\na,/etc/x.npy\n", {}, "expected a file below the table's folder"),
        ("sample_id,path\na,link/x.npy\n", {}, "leads out of"),
        ("sample_id,path\na,table.csv\n", {}, "line 2: path is 'table.csv', expected a number"),
        ("sample_id,path,apex\na,one.npy,x\n", {}, "line 2: apex is 'x', expected a whole number from 0"),
        ("sample_id,path,fps\na,one.npy,-1\n", {}, "fps is '-1', expected frames per second"),
        ("sample_id,path\na,one.npy\n", {"label": "emotion"}, "unknown column 'emotion'"),
        ("sample_id,path,row\na,one.npy,4\n", {}, "row 4, and the array of one.npy is (4,)"),
        ("sample_id,path,dataset\na,one.npy,..\n", {}, "'..' cannot be the name of a folder"),
        ("sample_id,label\na,1\n", {"arrays": "five.npy"}, "has 5 rows, and"),
        ("sample_id,row\na,5\n", {"arrays": "five.npy"}, "line 2: row 5, and"),
        ("sample_id,row\na,1\nb,1\n", {"arrays": "five.npy"}, "row 1 is that of"),
        ("sample_id\na\n", {"arrays": "objects.npy"}, "holds Python objects, which are never unpickled"),
        ("sample_id\na\n", {"arrays": "text.npy"}, "holds <U1 values; save numbers"),
        ("sample_id\na\n", {"arrays": "cut.npy"}, "cannot be read as .npy"),
        ("sample_id\na\n", {"arrays": "long.npz"}, "is not of the length that its header gives"),
        ("sample_id\na\n", {"arrays": "two.npz"}, "holds 2 arrays (x, y); choose one by 'array'"),
        ("sample_id\na\n", {"arrays": "two.npz", "array": "z"}, "no array 'z'; its arrays: x, y"),
        ("sample_id\na\n", {"arrays": "cut.safetensors"}, "cannot be read as .safetensors"),
        ("sample_id\na\n", {"arrays": "x.pt"}, "files of arrays end in .npy, .npz, .safetensors, .parquet, .csv"),
        ("sample_id\na\n", {"arrays": "none.npy"}, "file not found"),
        ("sample_id\na\nb\na\n", {}, "'a' appears twice, first in"),
        ("sample_id\na\nb\na\nb\n", {}, "'b' appears twice, first in"),
    ],
)
def test_unusable_input_is_refused(tmp_path: Path, text: str, options: dict[str, Any], message: str) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "table.csv").write_text(text)
    np.save(folder / "one.npy", X[0])
    np.save(folder / "five.npy", X)
    np.save(folder / "objects.npy", np.array([{}, None]), allow_pickle=True)
    np.save(folder / "text.npy", np.array(["a"]))
    np.savez(folder / "two.npz", x=X, y=X)
    np.savez(folder / "long.npz", x=np.zeros(3, np.uint8))
    # Another length in the header than in the file, with the checksum of the whole archive taken away.
    import zipfile

    with zipfile.ZipFile(folder / "long.npz") as archive:
        content = archive.read("x.npy").replace(b"(3,)", b"(9,)")
    with zipfile.ZipFile(folder / "long.npz", "w") as archive:
        archive.writestr("x.npy", content)
    (folder / "cut.npy").write_bytes((folder / "five.npy").read_bytes()[:150])
    (folder / "cut.safetensors").write_bytes(b"\xff" * 40)
    (folder / "x.pt").write_bytes(pickle.dumps({}))
    (tmp_path / "outside").mkdir()
    np.save(tmp_path / "outside" / "x.npy", X[0])
    (folder / "link").symlink_to(tmp_path / "outside")
    if "arrays" in options:
        options = {**options, "arrays": folder / options["arrays"]}
    with pytest.raises(DataError) as error:
        Features(table=folder / "table.csv", **options).samples()
    assert message in str(error.value)


def test_contradicting_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "more.csv").write_text("sample_id,apex\ns1/a,9\n")
    table = write_table(tmp_path, apex=[3] * 5)
    with pytest.raises(DataError, match=r"apex of s1/a is '9', and '3' in .*: which one is it"):
        Features(table=table, arrays=write_arrays(tmp_path, ".npy"), join=(tmp_path / "more.csv",)).samples()


def test_a_linear_svm_agrees_with_a_loop_of_scikit_learn(tmp_path: Path) -> None:
    """The loop that a user has at home, on the arrays that they saved: every prediction is the same."""
    rng = np.random.default_rng(3)
    people, clips, features = 12, 9, 40
    y = rng.integers(0, 3, people * clips)
    groups = np.repeat([f"p{number:02}" for number in range(people)], clips)
    x = rng.normal(size=(len(y), features)) + 0.25 * rng.normal(size=(3, features))[y]
    np.save(tmp_path / "X.npy", x)
    ids = [f"{group}/{place % clips}" for place, group in enumerate(groups)]
    pd.DataFrame({"sample_id": ids, "subject": groups, "label": y}).to_csv(tmp_path / "table.csv", index=False)

    expected = {}
    for train, test in LeaveOneGroupOut().split(x, y, groups):
        classifier = make_pipeline(StandardScaler(), SVC(kernel="linear")).fit(x[train], y[train])
        expected |= {
            f"features/{ids[place]}": label for place, label in zip(test, classifier.predict(x[test]), strict=True)
        }

    run = mexbench.run(
        {
            "dataset": {
                "plugin": "features", "table": str(tmp_path / "table.csv"), "arrays": str(tmp_path / "X.npy"),
            },
            "protocol": "loso",
            "models": ["svm"],
            "seeds": [0],
        },
        out=tmp_path / "run",
        in_process=True,
    )  # fmt: skip
    predictions = run.predictions
    assert dict(zip(predictions["sample_id"], predictions["y_pred"].astype(int), strict=True)) == expected
    assert 0.3 < float(run.row("svm")["accuracy"]) < 0.95, "neither chance nor perfect: the agreement says something"


def test_a_check_and_a_run_name_what_is_excluded(tmp_path: Path, bench: Callable[..., Ran]) -> None:
    x = np.random.default_rng(0).random((5, 4))
    x[2, 1] = np.nan
    np.save(tmp_path / "x.npy", x)
    write_table(tmp_path, part=["train", "train", "train", "test", "test"], aus=["4", "12", "1", "4+12", "0"])
    dataset = f"{{plugin: features, table: {tmp_path / 'table.csv'}, arrays: {tmp_path / 'x.npy'}}}"
    config = tmp_path / "config.yaml"
    parts = "{plugin: fixed_split, name: flagged, shared_subjects: flag}"
    config.write_text(f"dataset: {dataset}\nprotocol: [{parts}, fixed_split]\nmodels: [majority]\n")
    ran = bench("check", config)
    assert ran.code == 0, ran.err
    assert "values not finite" in ran.out
    assert "4 samples remain" in ran.out
    assert ran.out.count(": 1 fold, nothing on both sides of one") == 2
    write_table(tmp_path, part=["train", "train", "train", "train", "test"], aus=["4", "12", "1", "4+12", "0"])
    config.write_text(f"dataset: {dataset}\ntarget: action_units\nprotocol: loso\nmodels: [majority]\n")
    ran = bench("check", config)
    assert (ran.code, "loso: 3 folds" in ran.out) == (0, True), ran.err
