# SPDX-License-Identifier: BSD-3-Clause
"""MPI functions as batch jobs: their ranks are a step of the job, started by srun."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from slurm_cluster import Cluster

from swiftlet import SlurmClusterExecutor


def calc(i: int) -> tuple[int, int, int]:
    from mpi4py import MPI

    return i, MPI.COMM_WORLD.Get_size(), MPI.COMM_WORLD.Get_rank()


def node(_: int) -> str:
    from mpi4py import MPI

    MPI.COMM_WORLD.Barrier()
    return os.environ["SLURMD_NODENAME"]


def rank_one_raises(_: int) -> None:
    from mpi4py import MPI

    if MPI.COMM_WORLD.Get_rank() == 1:
        raise KeyError("only here")
    MPI.COMM_WORLD.recv(source=1)


def rank_one_dies(_: int) -> None:
    from mpi4py import MPI

    if MPI.COMM_WORLD.Get_rank() == 1:
        os._exit(9)
    MPI.COMM_WORLD.recv(source=1)


@pytest.fixture
def executor(cluster: Cluster, tmp_path: Path) -> Iterator[SlurmClusterExecutor]:
    with SlurmClusterExecutor(
        cache_directory=str(tmp_path / "a cache"), resource_dict={"cores": 2}
    ) as executor:
        yield executor


def test_s4_ranks_give_a_list_by_rank(executor: SlurmClusterExecutor) -> None:
    assert executor.submit(calc, 3).result(timeout=60) == [(3, 2, 0), (3, 2, 1)]


def test_s31_pmi_mode_and_an_array_of_groups(cluster: Cluster, tmp_path: Path) -> None:
    with SlurmClusterExecutor(
        cache_directory=str(tmp_path), pmi_mode="pmi2", resource_dict={"partition": "debug"}
    ) as executor:
        futures = [executor.submit(calc, i, resource_dict={"cores": 3}) for i in range(3)]
        assert [future.result(timeout=90) for future in futures] == [
            [(i, 3, rank) for rank in range(3)] for i in range(3)
        ]


def test_ranks_on_two_nodes(executor: SlurmClusterExecutor) -> None:
    nodes = executor.submit(node, 0, resource_dict={"num_nodes": 2}).result(timeout=60)
    assert len(set(nodes)) == 2  # type: ignore[arg-type]


def test_a_rank_that_raises_alone(executor: SlurmClusterExecutor) -> None:
    with pytest.raises(KeyError, match="only here") as caught:
        executor.submit(rank_one_raises, 0).result(timeout=60)
    assert "rank 1 of 2" in "".join(getattr(caught.value, "__notes__", [])) + repr(caught.value.__cause__)


def test_a_rank_that_dies(executor: SlurmClusterExecutor) -> None:
    with pytest.raises(RuntimeError, match="exited with status"):
        executor.submit(rank_one_dies, 0).result(timeout=60)


def test_a_wrong_pmi_is_noticed(cluster: Cluster, tmp_path: Path) -> None:
    with SlurmClusterExecutor(cache_directory=str(tmp_path), pmi_mode="none") as executor:
        future: Any = executor.submit(calc, 1, resource_dict={"cores": 2})
        with pytest.raises(RuntimeError, match="do not fit together"):
            future.result(timeout=60)
