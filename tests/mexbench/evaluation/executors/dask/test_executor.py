from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import dask.config
import distributed  # noqa: F401 - before dask.config.set, which would take its settings away with what was set
import numpy as np
import pytest

from mexbench.errors import ClusterError
from mexbench.evaluation.executors.base import Executor, InProcess
from mexbench.evaluation.executors.dask import worker as dask_worker
from mexbench.evaluation.executors.dask.cluster import connected
from mexbench.evaluation.executors.dask.executor import DaskCluster, LocalDaskCluster
from mexbench.runs.model_writer import ModelWriter, Scope
from mexbench.runs.task import Failure, Success, Task
from tests.clusters import ClusterProcesses, dask_cluster
from tests.mexbench.evaluation.executors.test_processes import Mortal
from tests.mexbench.evaluation.test_task_runner import TOGETHER, UNITS, Pair, every, scores, workload


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClusterProcesses]:
    """A scheduler and one worker."""
    with dask_cluster(tmp_path_factory.mktemp("cluster"), workers=1) as result:
        yield result


def outcomes_by_seed(executor: Executor, notes: Path, count: int, **options: Any) -> list[Any]:  # noqa: ANN401
    load = replace(workload(), models={"m": Mortal(notes=str(notes), **options)})
    units = [(Task("m", seed, "1", "x"),) for seed in range(count)]
    return sorted(executor.run(units, every(load)), key=lambda outcome: outcome.task.seed)


def begun(notes: Path) -> list[int]:
    return sorted(int(path.name.split("-")[0]) for path in notes.iterdir())


def blind(file: Path, content: str) -> bool:
    """Stand in for ``dask_worker.reads`` on a worker that shares no disk."""
    del file, content
    return False


@pytest.mark.parametrize("shared_disk", [True, False])
def test_a_cluster_gives_what_one_process_gives(
    cluster: ClusterProcesses, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shared_disk: bool
) -> None:
    if not shared_disk:
        monkeypatch.setattr(dask_worker, "reads", blind)
        monkeypatch.setattr(
            "mexbench.evaluation.executors.dask.scheduler._PIECE", 50
        )  # so that an array comes in pieces
    with connected(cluster.address) as link:
        executor = DaskCluster(link, tmp_path, None, pytest.fail)
        for load in (workload(), workload(copies=np.full((6, 2, 1, 2), 100.0))):
            assert scores(list(executor.run(UNITS, every(load)))) == scores(list(InProcess().run(UNITS, every(load))))
        load = replace(workload(), models={"pair": Pair()})
        assert scores(list(executor.run(TOGETHER, every(load)))) == scores(list(InProcess().run(TOGETHER, every(load))))
        assert set(link.ask(left).values()) == {()}
    assert list(tmp_path.iterdir()) == []


def left(dask_worker: Any = None) -> tuple[str, ...]:  # noqa: ANN401 - Dask fills it in
    """Return what a worker keeps of runs, in memory and on disk."""
    from mexbench.evaluation.executors.dask.worker import _runs

    return (*_runs, *(path.name for path in Path(dask_worker.local_directory).glob("mexbench-*")))


def blind_if_asked(file: Path, content: str) -> bool:
    """Stand in for ``dask_worker.reads`` where one of two workers shares no disk."""
    return "MEXBENCH_TEST_BLIND" not in os.environ and file.read_text(encoding="utf-8") == content


@pytest.mark.parametrize("scope", ["task", "all"])
def test_models_are_kept_only_where_the_disk_is_shared(
    cluster: ClusterProcesses, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scope: Scope
) -> None:
    monkeypatch.setattr(dask_worker, "reads", blind)
    model_writer = ModelWriter(tmp_path / "models", scope, (), frozenset(), {}, {})
    messages: list[str] = []
    with (
        connected(cluster.address) as link,
        pytest.raises(ClusterError, match=r"no worker that can be used: .* leave --save-models out, or put --out"),
    ):
        list(
            DaskCluster(link, tmp_path, None, messages.append).run(
                UNITS, every(replace(workload(), model_writer=model_writer))
            )
        )
    assert [text.partition(" does not see ")[1] for text in messages] == [" does not see "]


def test_workers_that_cannot_save_models_leave_the_work_to_those_that_can(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dask_worker, "reads", blind_if_asked)
    model_writer = ModelWriter(tmp_path / "models", "all", (), frozenset(), {}, {})
    messages: list[str] = []
    with dask_cluster(tmp_path, workers=1) as cluster:
        cluster.worker(MEXBENCH_TEST_BLIND="1")
        with connected(cluster.address) as link:
            load = replace(workload(), model_writer=model_writer)
            result = scores(list(DaskCluster(link, tmp_path, None, messages.append).run(UNITS, every(load))))
    assert result == scores(list(InProcess().run(UNITS, every(workload()))))
    assert [text.partition(": worker ")[0] for text in messages] == ["warning: a worker is not used"]


def test_a_worker_that_comes_late_is_used(tmp_path: Path) -> None:
    messages: list[str] = []
    with dask_cluster(tmp_path, workers=0) as cluster, connected(cluster.address) as link:

        def tell(text: str) -> None:
            messages.append(text)
            cluster.worker()

        result = scores(list(DaskCluster(link, None, None, tell).run(UNITS, every(workload()))))
        assert result == scores(list(InProcess().run(UNITS, every(workload()))))
    assert messages == [f"waiting for workers of {cluster.address}; Ctrl-C gives up"]


def test_a_unit_that_ends_its_worker_twice_fails_by_name(tmp_path: Path) -> None:
    outcomes = outcomes_by_seed(LocalDaskCluster(2, None, None, pytest.fail), tmp_path, 6, fatal=(1,))
    assert [outcome.task.seed for outcome in outcomes] == list(range(6))
    for outcome in outcomes:
        if outcome.task.seed == 1:
            assert isinstance(outcome, Failure)
            assert outcome.error == "its worker died, and again when it ran alone (out of memory?)"
        else:
            assert isinstance(outcome, Success)
            assert set(outcome.scores.ravel()) == {outcome.task.seed}
    assert begun(tmp_path).count(1) in (2, 3)  # once taken for what another unit did
    assert multiprocessing.active_children() == []


@dataclass(frozen=True, kw_only=True)
class Stillborn(Mortal):
    """A model that ends any other process that makes it.

    Args:
        home: The one that it does not end.
    """

    home: int = 0

    def __post_init__(self) -> None:
        if os.getpid() != self.home:
            os.kill(os.getpid(), signal.SIGKILL)


def test_workers_that_cannot_start_are_given_up(tmp_path: Path) -> None:
    load = replace(workload(), models={"m": Stillborn(notes=str(tmp_path), home=os.getpid())})
    units = [(Task("m", seed, "1", "x"),) for seed in range(3)]
    with dask.config.set({"distributed.comm.timeouts.connect": "3s"}):  # to workers that are gone; else 30 s for each
        outcomes = list(LocalDaskCluster(2, None, None, pytest.fail).run(units, every(load)))
    assert [outcome.error for outcome in outcomes if isinstance(outcome, Failure)] == [
        "not started: workers die before they begin anything"
    ] * 3
    assert multiprocessing.active_children() == []


@pytest.mark.parametrize("how", ["closed", "interrupted"])
def test_whoever_stops_early_leaves_no_process_and_no_file(tmp_path: Path, how: str) -> None:
    notes, scratch = tmp_path / "notes", tmp_path / "scratch"
    notes.mkdir()
    scratch.mkdir()
    load = replace(workload(), models={"m": Mortal(notes=str(notes))})
    units = [(Task("m", seed, "1", "x"),) for seed in range(99)]
    outcomes = LocalDaskCluster(2, scratch, None, pytest.fail).run(units, every(load))
    next(outcomes)
    if how == "closed":
        outcomes.close()
    else:
        with pytest.raises(KeyboardInterrupt):
            outcomes.throw(KeyboardInterrupt())
    assert multiprocessing.active_children() == []
    assert list(scratch.iterdir()) == []
    assert len(begun(notes)) < 99


def namespaces() -> str | None:
    """Say why network namespaces cannot be made here."""
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        return "network namespaces need root"
    tried = subprocess.run(
        ["unshare", "--net", "--mount", "ip", "link", "set", "lo", "up"], capture_output=True, check=False
    )
    return f"network namespaces cannot be made: {tried.stderr.decode().strip()}" if tried.returncode else None


class Namespaces:
    """Two network namespaces, each with a pair of devices to a third where the scheduler is; all end with the block."""

    def __init__(self) -> None:
        self.stack, self.names = ExitStack(), [f"mexbench-{os.getpid()}-{index}" for index in range(3)]

    def __enter__(self) -> Sequence[Sequence[str]]:
        with ExitStack() as stack:
            for name in self.names:
                ip("netns", "add", name)
                stack.callback(ip, "netns", "delete", name)
                ip("-n", name, "link", "set", "lo", "up")
            hub, *others = self.names
            for index, name in enumerate(others):
                ends = f"mxb{index}a", f"mxb{index}b"
                ip("-n", hub, "link", "add", ends[0], "type", "veth", "peer", "name", ends[1], "netns", name)
                for side, (where, end) in enumerate(zip((hub, name), ends, strict=True)):
                    ip("-n", where, "address", "add", f"10.213.{index}.{side + 1}/24", "dev", end)
                    ip("-n", where, "link", "set", end, "up")
                ip("-n", name, "route", "add", "default", "via", f"10.213.{index}.1")
            self.stack = stack.pop_all()
        return [("ip", "netns", "exec", name) for name in self.names]

    def __exit__(self, *_: object) -> None:
        self.stack.close()


def ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True, text=True)


def test_workers_on_machines_that_share_no_disk(tmp_path: Path) -> None:
    """Each worker in a network namespace of its own, with an empty disk in place of the run's folder and cache.

    Its cache, its temporary and its working folder are others as well.
    """
    if reason := namespaces():
        pytest.skip(reason)
    shared, own = tmp_path / "shared", tmp_path / "own"
    shared.mkdir()
    own.mkdir()
    with Namespaces() as (hub, *others):
        cluster = ClusterProcesses(tmp_path, "10.213.0.1", hub)
        with cluster.processes:
            for behind in others:
                hide = f'mount -t tmpfs none {shared} && mount -t tmpfs none {own} && cd {own} && exec "$@"'
                cluster.worker(
                    behind=[*behind, "unshare", "--mount", "sh", "-c", hide, "sh"],
                    extra=["--local-directory", str(own)],
                    MEXBENCH_CACHE=str(own / "cache"),
                    TMPDIR=str(own),
                )
            code = "from tests.blind_client import main; main()"  # a model of __main__ is nobody else's
            client = [*hub, sys.executable, "-c", code, cluster.address, str(shared)]
            environment = {**os.environ, "MEXBENCH_CACHE": str(shared / "cache")}
            done = subprocess.run(client, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["2 workers, none sees the folder", "same: 24 outcomes, from 2 processes"]
    assert [path for path in shared.rglob("*") if path.is_file() or path.parent.name == "arrays"] == []
    assert list(own.iterdir()) == []
