"""What several test modules need: small data in the published layouts, configs, and the command itself."""

from __future__ import annotations

import itertools
import os
import signal
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from mexbench import devices

devices.use_one_thread()  # before numpy, so that this process computes as a bench process does

import pytest  # noqa: E402

from mexbench import cli  # noqa: E402
from mexbench.registry.catalogue import Catalogue, load_catalogue  # noqa: E402
from tests.helpers import ROOT, ClipSplit, Ran, Toy, entry, with_plugins, write_flow  # noqa: E402

#: Set by the process that made the folder of compiled programs, for those that it starts.
_COMPILED = "MEXBENCH_TESTS_COMPILED"

# A CI that starts its commands in the background has them ignore Ctrl-C, and so would every process of a test.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_configure(config: pytest.Config) -> None:
    """Compile each program once: all processes of a test run share what was compiled, and begin with nothing.

    JAX writes its files in place. A process that reads half of one gets an exception, which JAX turns into a warning,
    and compiles the program itself; ``filterwarnings`` ignores that warning.
    """
    if _COMPILED in os.environ:  # a process of pytest-xdist has the folder of the one that started it
        return
    folder = tempfile.TemporaryDirectory(prefix="mexbench-compiled-", ignore_cleanup_errors=True)
    config.add_cleanup(folder.cleanup)
    os.environ[_COMPILED] = os.environ["JAX_COMPILATION_CACHE_DIR"] = folder.name
    os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"
    os.environ["JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES"] = "-1"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the tests of the whole program, which take longest: workers then end together, on short tests."""
    items.sort(key=lambda item: item.path.parent != ROOT / "tests")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The real data beside the checkout, which never enters the repository."""
    folder = Path(os.environ.get("MEXBENCH_SHARED", ROOT.parent / "shared")) / "data"
    if not folder.is_dir():
        pytest.skip(f"needs the real data in {folder}; set MEXBENCH_SHARED to the folder that holds 'data'")
    return folder


@pytest.fixture
def real_flow(shared_data: Path) -> Path:
    return shared_data / "megc2019_flow" / "norm_u_v_os"


@pytest.fixture(scope="session")
def cache_folders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A new folder for each test, numbered here: ``mktemp`` lists all earlier ones to number the next."""
    parent = tmp_path_factory.mktemp("caches")
    return (parent / str(number) for number in itertools.count())


@pytest.fixture(autouse=True)
def _private_cache(cache_folders: Iterator[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    folder = next(cache_folders)
    folder.mkdir()
    monkeypatch.setenv("MEXBENCH_CACHE", str(folder))


@pytest.fixture(scope="session")
def builtin() -> Catalogue:
    return load_catalogue()


@pytest.fixture
def flow_pack(tmp_path: Path) -> Path:
    """Four subjects of three members, twelve clips, the last subject with one class alone."""
    return write_flow(tmp_path / "pack", {"sub01": [0, 1, 2, 0], "s01": [0, 1, 2], "006": [0, 2, 1], "007": [0, 0]})


@pytest.fixture
def bench(capsys: pytest.CaptureFixture[str]) -> Callable[..., Ran]:
    """Run the command in this process."""

    def run(*arguments: object) -> Ran:
        capsys.readouterr()
        try:
            code = cli.main([str(argument) for argument in arguments])
        except SystemExit as stop:  # argparse
            code = int(stop.code or 0)
        captured = capsys.readouterr()
        return Ran(code, captured.out, captured.err)

    return run


@pytest.fixture
def few_subjects_suffice(monkeypatch: pytest.MonkeyPatch) -> None:
    """For hand-computed intervals and ranks of fewer subjects than either takes."""
    monkeypatch.setattr("mexbench.metrics.few_subjects.MIN_SUBJECTS", 2)


@pytest.fixture
def toys(builtin: Catalogue) -> Catalogue:
    return with_plugins(builtin, entry("dataset", Toy), entry("protocol", ClipSplit))
