# SPDX-License-Identifier: BSD-3-Clause
"""Calls on several ranks through the store."""

from __future__ import annotations

import os
import select
from collections.abc import Callable
from pathlib import Path

import pytest

from swiftlet import SingleNodeExecutor, TimeLimitError, WorkerLostError, get_cache_data
from swiftlet.api import TestClusterExecutor

TWO = {"cores": 2, "openmpi_oversubscribe": True}


def rank_of(x: int) -> tuple[int, int, int]:
    from mpi4py import MPI

    return x, MPI.COMM_WORLD.Get_rank(), MPI.COMM_WORLD.Get_size()


def fail_on_last(x: int) -> int:
    from mpi4py import MPI

    if MPI.COMM_WORLD.Get_rank() == MPI.COMM_WORLD.Get_size() - 1:
        raise LookupError(f"rank {MPI.COMM_WORLD.Get_rank()}")
    return x


def kill_a_rank() -> None:
    import signal

    from mpi4py import MPI

    if MPI.COMM_WORLD.Get_rank() == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    MPI.COMM_WORLD.Barrier()


def test_jobs_of_this_machine_have_ranks(tmp_path: Path) -> None:
    with TestClusterExecutor(cache_directory=str(tmp_path)) as executor:
        both = executor.submit(rank_of, 7, resource_dict=TWO)
        one = executor.submit(rank_of, 7)
        root = executor.submit(rank_of, 8, resource_dict={**TWO, "mpi_result": "root"})
        after = executor.submit(len, both)
        assert both.result() == [(7, 0, 2), (7, 1, 2)]
        assert one.result() == (7, 0, 1)
        assert root.result() == (8, 0, 2)
        assert after.result() == 2
    assert {row["provenance"]["exit_status"] for row in get_cache_data(str(tmp_path))} == {0}


def test_errors_and_deaths_of_ranks_reach_the_future(tmp_path: Path) -> None:
    with TestClusterExecutor(cache_directory=str(tmp_path), resource_dict=TWO) as executor:
        failed, killed = executor.submit(fail_on_last, 1), executor.submit(kill_a_rank)
        with pytest.raises(LookupError, match="rank 1"):
            failed.result()
        with pytest.raises(WorkerLostError):
            killed.result()


def exit_all(path: str) -> None:
    from mpi4py import MPI

    if MPI.COMM_WORLD.Get_rank() == 0:
        with open(path, "a") as file:
            file.write("x")
    MPI.COMM_WORLD.Barrier()
    os._exit(15)


def test_a_step_that_fails_before_its_ranks_begin_is_started_again(
    failing_launcher: Callable[[int], Path], tmp_path: Path
) -> None:
    launches, cache = failing_launcher(2), tmp_path / "cache"
    with TestClusterExecutor(cache_directory=str(cache), resource_dict=TWO) as executor:
        assert executor.submit(rank_of, 7).result() == [(7, 0, 2), (7, 1, 2)]
    assert len(launches.read_text().split()) == 3
    assert [path.suffix for path in cache.iterdir()] == [".outcome"]


def test_a_step_that_always_fails_ends_the_call(
    failing_launcher: Callable[[int], Path], tmp_path: Path
) -> None:
    launches = failing_launcher(100)
    with TestClusterExecutor(cache_directory=str(tmp_path / "cache"), resource_dict=TWO) as executor:
        words = "status 15 .* started 5 times, and never had all its ranks MPI"
        with pytest.raises(WorkerLostError, match=words) as raised:
            executor.submit(rank_of, 7).result()
    assert "out of memory" in str(raised.value)
    assert len(launches.read_text().split()) == 5


def test_the_time_limit_counts_all_steps(failing_launcher: Callable[[int], Path], tmp_path: Path) -> None:
    failing_launcher(100)
    with TestClusterExecutor(cache_directory=str(tmp_path / "cache"), resource_dict=TWO) as executor:
        with pytest.raises(TimeLimitError):
            executor.submit(rank_of, 7, resource_dict={"run_time_max": 0.001}).result()


def test_a_call_whose_ranks_have_begun_runs_once(
    failing_launcher: Callable[[int], Path], tmp_path: Path
) -> None:
    launches, runs = failing_launcher(0), tmp_path / "runs"
    with TestClusterExecutor(cache_directory=str(tmp_path / "cache"), resource_dict=TWO) as executor:
        with pytest.raises(WorkerLostError, match="status 15"):
            executor.submit(exit_all, str(runs)).result()
    assert runs.read_text() == "x"
    assert len(launches.read_text().split()) == 1


def begin_and_wait(path: str) -> None:
    """Says which process watches the job, and does not return."""
    from mpi4py import MPI

    MPI.COMM_WORLD.Barrier()
    if MPI.COMM_WORLD.Get_rank() == 0:
        process = Path("/proc/self")
        while b"job.py" not in (process / "cmdline").read_bytes():
            stat = (process / "stat").read_text()
            process = Path("/proc") / stat.rpartition(")")[2].split()[1]
        Path(path).write_text(process.name)
    MPI.COMM_WORLD.recv()


def test_a_call_that_is_cancelled_leaves_nothing(tmp_path: Path) -> None:
    os.mkfifo(begun := tmp_path / "begun")
    with TestClusterExecutor(cache_directory=str(tmp_path / "cache"), resource_dict=TWO) as executor:
        future = executor.submit(begin_and_wait, str(begun))
        watcher = os.pidfd_open(int(begun.read_text()))
        assert future.cancel()
        select.select([watcher], (), ())
        os.close(watcher)
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_result_of_other_ranks_is_no_hit(tmp_path: Path) -> None:  # W14
    for _ in range(2):
        with SingleNodeExecutor(max_workers=2, cache_directory=str(tmp_path)) as executor:
            assert executor.submit(rank_of, 7, resource_dict=TWO).result() == [(7, 0, 2), (7, 1, 2)]
            assert executor.submit(rank_of, 7).result() == (7, 0, 1)
    with TestClusterExecutor(cache_directory=str(tmp_path)) as executor:
        assert executor.submit(rank_of, 7, resource_dict=TWO).result() == [(7, 0, 2), (7, 1, 2)]
        assert executor.submit(rank_of, 7).result() == (7, 0, 1)
    assert len(get_cache_data(str(tmp_path))) == 2
