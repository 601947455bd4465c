from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from mexbench.interfaces import Dataset
from mexbench.registry.catalogue import Catalogue
from mexbench_plugins.datasets._io.synthetic_fallback import StandInDataset
from mexbench_plugins.datasets.causalnet_maps import CausalNetMaps
from tests.helpers import Ran


def test_every_data_set_of_people_says_who_gives_it(builtin: Catalogue, bench: Callable[..., Ran]) -> None:
    out = bench("data", "list").out
    for entry in builtin.entries:
        if entry.kind != "dataset":
            continue
        cls = entry.load()
        assert issubclass(cls, Dataset)
        assert entry.name in out
        if issubclass(cls, StandInDataset):
            source = cls.data_source()
            assert source is not None
            assert source.page.startswith("http")
            assert source.variable == cls.variable
            assert source.archive is None, "its licence lets nobody pass it on"


def test_where_reads_the_environment_and_a_config(
    bench: Callable[..., Ran], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "samm").mkdir()
    monkeypatch.setenv("SAMM_ROOT", str(tmp_path / "samm"))
    monkeypatch.setenv("CASME2_ROOT", str(tmp_path / "none"))
    monkeypatch.delenv("SMIC_ROOT", raising=False)
    lines = {line.split()[0]: line for line in bench("data", "where").out.splitlines()}
    assert lines["samm"].endswith("an empty folder")
    assert lines["casme2"].endswith("nothing: no such folder")
    assert "not set" in lines["smic"]
    config = tmp_path / "c.yaml"
    config.write_text(f"dataset: {{plugin: samm, root: {tmp_path}}}\nprotocol: loso\nmodels: [majority]\n")
    ran = bench("data", "where", config)
    assert (ran.code, ran.out.splitlines()[-1].split()[:2]) == (0, ["samm", "root"])
    assert ran.out.splitlines()[-1].endswith("a folder")


def test_a_whole_pack_and_one_with_a_clip_too_few(bench: Callable[..., Ran], flow_pack: Path) -> None:
    ran = bench("data", "verify", flow_pack, "--dataset", "megc2019_flow", "--set", "expect=any")
    assert ran.code == 1
    assert "0 of 5 counts are as published" in ran.out
    assert next(line.split() for line in ran.out.splitlines() if line.startswith("clips"))[:2] == ["clips", "442"]


def test_the_published_pack_is_verified(bench: Callable[..., Ran], real_flow: Path) -> None:
    ran = bench("data", "verify", real_flow, "--dataset", "megc2019_flow")
    assert (ran.code, "5 of 5 counts are as published" in ran.out) == (0, True), ran.out


def test_a_stand_in_has_no_published_counts(bench: Callable[..., Ran]) -> None:
    small = "stand_in={subjects: 2, clips: 2, width: 160, height: 120, frames: 6}"
    ran = bench("data", "verify", "stand-in", "--dataset", "samm", "--set", small)
    assert (ran.code, "states no published counts" in ran.err) == (0, True), ran.err
    assert "This is not SAMM" in ran.err


def test_what_may_not_be_fetched_says_whom_to_ask(bench: Callable[..., Ran]) -> None:
    ran = bench("data", "fetch", "samm")
    assert ran.code == 2
    assert "Manchester Metropolitan University gives it: SAMM with the micro FACS codes: a signed licence" in ran.err
    assert bench("data", "fetch", "synthetic").err.startswith("error: synthetic cannot be fetched")


def test_fetch_names_licence_and_what_is_missing(
    bench: Callable[..., Ran], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import mexbench.data.archive_download as download

    fetched = []
    monkeypatch.setattr(download, "fetch_archive", lambda archive, out, progress: fetched.append((archive, out)) or 7)
    ran = bench("data", "fetch", "causalnet_maps", "--out", tmp_path / "maps")
    assert ran.code == 0
    source = CausalNetMaps.data_source()
    assert fetched == [(source.archive, tmp_path / "maps")]
    assert "Licence: MIT" in ran.err
    assert "7 files in" in ran.out
    assert "not in the archive: labels.csv" in ran.out
