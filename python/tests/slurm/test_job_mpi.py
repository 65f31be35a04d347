# SPDX-License-Identifier: BSD-3-Clause
"""SlurmJobExecutor: functions on several MPI ranks, each a step of its own."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest

from swiftlet import SlurmJobExecutor

pytest.importorskip("mpi4py")


@pytest.fixture
def executor(allocation: dict[str, str]) -> Iterator[SlurmJobExecutor]:
    with SlurmJobExecutor(pmi_mode="pmi2") as executor:
        yield executor


def rank(value: int) -> tuple[int, int, int, str]:
    from mpi4py import MPI

    comm = MPI.COMM_WORLD
    return comm.Get_rank(), comm.Get_size(), comm.allreduce(value), os.environ["SLURMD_NODENAME"]


def test_ranks_on_one_node(executor: SlurmJobExecutor) -> None:  # S5
    ranks = executor.submit(rank, 3, resource_dict={"cores": 2}).result()
    assert [entry[:3] for entry in ranks] == [(0, 2, 6), (1, 2, 6)]
    assert len({entry[3] for entry in ranks}) == 1


def test_more_ranks_than_a_node_holds(executor: SlurmJobExecutor) -> None:
    ranks = executor.submit(rank, 1, resource_dict={"cores": 6}).result()
    assert [entry[:3] for entry in ranks] == [(index, 6, 6) for index in range(6)]
    assert {entry[3] for entry in ranks} == {"n1", "n2"}


def test_ranks_over_two_nodes(executor: SlurmJobExecutor) -> None:
    resources: dict[str, Any] = {"cores": 2, "num_nodes": 2}
    assert "-N 2" in executor.dry_run(rank, 1, resource_dict=resources)
    ranks = executor.submit(rank, 1, resource_dict=resources).result()
    assert sorted(entry[3] for entry in ranks) == ["n1", "n2"]


def test_between_serial_calls(executor: SlurmJobExecutor) -> None:
    """mpi4py in a serial call is alone, whatever its agent's step says."""
    many = [executor.submit(rank, 1) for _ in range(4)]
    group = executor.submit(rank, 1, resource_dict={"cores": 2})
    assert [future.result()[:3] for future in many] == [(0, 1, 1)] * 4
    assert len(group.result()) == 2


def test_warm_ranks(allocation: dict[str, str]) -> None:
    with SlurmJobExecutor(
        max_workers=2, block_allocation=True, pmi_mode="pmi2", resource_dict={"cores": 2}
    ) as executor:
        for results in executor.map(rank, range(20)):
            assert [entry[:2] for entry in results] == [(0, 2), (1, 2)]


def test_a_rank_raises(executor: SlurmJobExecutor) -> None:
    def fails() -> None:
        from mpi4py import MPI

        if MPI.COMM_WORLD.Get_rank() == 1:
            raise ValueError("rank 1")
        MPI.COMM_WORLD.barrier()

    with pytest.raises(ValueError, match="rank 1"):
        executor.submit(fails, resource_dict={"cores": 2}).result(60)
    assert executor.submit(abs, -1).result() == 1


def test_nobody_says_how_ranks_find_each_other(allocation: dict[str, str]) -> None:
    """As for batch jobs: what the MPI library wants."""
    with SlurmJobExecutor() as executor:
        assert "--mpi=pmi2" in executor.dry_run(rank, 1, resource_dict={"cores": 2})
        assert [entry[1] for entry in executor.submit(rank, 1, resource_dict={"cores": 2}).result()] == [2, 2]


def test_a_pmi_that_does_not_fit(allocation: dict[str, str]) -> None:
    """With --mpi=none every rank is alone: said, not computed."""
    with SlurmJobExecutor(pmi_mode="none") as executor:
        with pytest.raises(RuntimeError, match=r"2 ranks, but MPI says that there is 1.*pmi_mode"):
            executor.submit(rank, 1, resource_dict={"cores": 2}).result(60)
