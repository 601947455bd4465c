from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mexbench.evaluation.executors.crash_policy import CrashPolicy
from mexbench.runs.task import Task, TaskGroup


def groups(count: int) -> list[TaskGroup]:
    return [(Task("m", seed, "f", "x"), Task("m", seed, "g", "x")) for seed in range(count)]


def test_groups_are_given_in_order() -> None:
    policy = CrashPolicy(groups(3), "process")
    assert [policy.next_group([9]) for _ in range(4)] == [*enumerate(groups(3)), None]
    assert policy.pending == 0


def test_a_lost_group_runs_once_more_with_nothing_beside_it() -> None:
    policy = CrashPolicy(groups(4), "process")
    first, second = policy.next_group([]), policy.next_group([0])
    assert first is not None
    assert second is not None
    assert policy.on_worker_lost(first, how="died (SIGKILL)") == []
    assert policy.pending == 3
    assert policy.next_group([1]) is None  # the second still runs
    assert policy.next_group([]) == first
    assert policy.next_group([0]) is None  # and now the first runs alone
    failures = policy.on_worker_lost(first, how="died (SIGKILL)")
    assert [failure.task for failure in failures] == list(first[1])
    assert {failure.error for failure in failures} == {
        "its process died (SIGKILL), and again when it ran alone (out of memory?)"
    }
    assert policy.next_group([]) == (2, groups(4)[2])


def test_only_a_killed_worker_may_have_run_out_of_memory() -> None:
    policy = CrashPolicy(groups(1), "worker")
    for how in ("ended with exit code 0", "ended with exit code 0"):
        numbered = policy.next_group([])
        assert numbered is not None
        failures = policy.on_worker_lost(numbered, how=how)
    assert failures[0].error == "its worker ended with exit code 0, and again when it ran alone"


def test_what_a_lost_worker_had_not_begun_goes_back_to_its_place() -> None:
    policy = CrashPolicy(groups(4), "worker")
    running, *queued = (result for _ in range(3) if (result := policy.next_group([])) is not None)
    policy.on_worker_lost(running, queued)
    assert [policy.next_group([]) for _ in range(4)] == [running, *queued, (3, groups(4)[3])]


def test_workers_that_are_lost_before_they_begin_are_replaced_once() -> None:
    policy = CrashPolicy(groups(2), "process")
    assert not policy.on_failed_start()
    policy.on_finished()  # somebody worked in between
    assert not policy.on_failed_start()
    assert policy.on_failed_start()
    failures = policy.give_up()
    assert [failure.task.seed for failure in failures] == [0, 0, 1, 1]
    assert failures[0].error == "not started: processes die before they begin anything"
    assert policy.pending == 0


@given(
    st.integers(1, 12),
    st.sets(st.integers(0, 11)),
    st.sets(st.integers(0, 11)),
    st.integers(1, 4),
    st.randoms(use_true_random=False),
)
def test_every_group_ends_once_whatever_ends_workers(
    count: int, always: set[int], once: set[int], workers: int, chance: object
) -> None:
    """Groups in ``always`` end any worker, those in ``once`` the first one; the others finish, in any order."""
    policy = CrashPolicy(groups(count), "process")
    running: dict[int, TaskGroup] = {}
    finished, failed, tries = [], [], dict.fromkeys(range(count), 0)
    while policy.pending or running:
        while len(running) < workers and (numbered := policy.next_group(list(running))) is not None:
            number, group = numbered
            assert not (running and tries[number])  # a second try runs alone
            tries[number] += 1
            running[number] = group
        number = chance.choice(sorted(running))  # type: ignore[attr-defined]
        group = running.pop(number)
        if number in always or (number in once and tries[number] == 1):
            failed += [failure.task.seed for failure in policy.on_worker_lost((number, group))]
        else:
            finished.append(number)
    doomed = always & set(range(count))
    assert sorted(finished) == sorted(set(range(count)) - doomed)
    assert sorted(failed) == sorted([*doomed, *doomed])  # two tasks each
    assert max(tries.values()) <= 2
