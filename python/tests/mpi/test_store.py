# SPDX-License-Identifier: BSD-3-Clause
"""Calls on several ranks through the store."""

from __future__ import annotations

from pathlib import Path

import pytest

from swiftlet import SingleNodeExecutor, WorkerLostError, get_cache_data
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
    import os
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


def test_a_result_of_other_ranks_is_no_hit(tmp_path: Path) -> None:  # W14
    for _ in range(2):
        with SingleNodeExecutor(max_workers=2, cache_directory=str(tmp_path)) as executor:
            assert executor.submit(rank_of, 7, resource_dict=TWO).result() == [(7, 0, 2), (7, 1, 2)]
            assert executor.submit(rank_of, 7).result() == (7, 0, 1)
    with TestClusterExecutor(cache_directory=str(tmp_path)) as executor:
        assert executor.submit(rank_of, 7, resource_dict=TWO).result() == [(7, 0, 2), (7, 1, 2)]
        assert executor.submit(rank_of, 7).result() == (7, 0, 1)
    assert len(get_cache_data(str(tmp_path))) == 2
