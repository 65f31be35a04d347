# SPDX-License-Identifier: BSD-3-Clause
"""FluxJobExecutor: functions on several MPI ranks, each group a Flux job of its own."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import flux_work as work
import pytest
from flux_nodes import CORES_PER_NODE, Instance

from swiftlet import FluxClusterExecutor, FluxJobExecutor, WorkerLostError

pytest.importorskip("mpi4py")

PATIENCE = 120


def test_ranks(executor: FluxJobExecutor) -> None:
    ranks = executor.submit(work.rank_of_all, 3, resource_dict={"cores": 2}).result(PATIENCE)
    assert ranks == [(0, 2, 6), (1, 2, 6)]


def test_more_ranks_than_a_node_holds(executor: FluxJobExecutor) -> None:
    count = CORES_PER_NODE + 2
    ranks = executor.submit(work.rank_of_all, 1, resource_dict={"cores": count}).result(PATIENCE)
    assert ranks == [(rank, count, count) for rank in range(count)]


def test_ranks_on_nodes(executor: FluxJobExecutor, instance: Instance) -> None:
    resources: Any = {"cores": 2, "num_nodes": 2}
    ranks = executor.submit(work.rank_of_all, 1, resource_dict=resources).result(PATIENCE)
    assert ranks == [(0, 2, 2), (1, 2, 2)]
    newest = instance.run("jobs", "-a", "--count=1", "--no-header", "--format={nnodes} {ntasks}")
    assert newest.split() == ["2", "2"]


def test_between_serial_calls(executor: FluxJobExecutor) -> None:
    """mpi4py in a serial call is alone; a group finds its cores although serial calls keep coming."""
    many = [executor.submit(work.rank_of_all, 1) for _ in range(24)]
    group = executor.submit(work.rank_of_all, 1, resource_dict={"cores": 4})
    assert len(group.result(PATIENCE)) == 4
    assert [future.result(PATIENCE) for future in many] == [(0, 1, 1)] * 24
    single: Any = {"step": True}
    assert executor.submit(work.rank_of_all, 1, resource_dict=single).result(PATIENCE) == (0, 1, 1)


def test_warm_ranks(make: Callable[..., FluxJobExecutor]) -> None:
    with make(max_workers=2, block_allocation=True, resource_dict={"cores": 2}) as executor:
        for results in executor.map(work.rank_of_all, range(20)):
            assert [entry[:2] for entry in results] == [(0, 2), (1, 2)]


def test_each_rank_sees_its_own_gpu(executor: FluxJobExecutor) -> None:
    resources: Any = {"cores": 2, "gpus_per_core": 1, "num_nodes": 1}
    seen = executor.submit(work.rank_and_gpus, resource_dict=resources).result(PATIENCE)
    assert sorted(gpus for _, gpus in seen) == ["0", "1"]


def test_a_rank_raises(executor: FluxJobExecutor) -> None:
    with pytest.raises(ValueError, match="rank 1"):
        executor.submit(work.rank_one_raises, resource_dict={"cores": 2}).result(PATIENCE)
    assert executor.submit(work.square, 2).result(PATIENCE) == 4


def test_cluster_calls_on_ranks(instance: Instance, tmp_path: Path) -> None:
    with FluxClusterExecutor(cache_directory=str(tmp_path)) as executor:
        two = executor.submit(work.rank_of_all, 3, resource_dict={"cores": 2})
        resources: Any = {"cores": 2, "num_nodes": 2, "gpus_per_core": 1, "mpi_result": "root"}
        spread = executor.submit(work.rank_of_all, 1, resource_dict=resources)
        fails = executor.submit(work.rank_one_raises, resource_dict={"cores": 2})
        behind = executor.submit(len, two)
        assert two.result(PATIENCE) == [(0, 2, 6), (1, 2, 6)]
        assert spread.result(PATIENCE) == (0, 2, 2)
        assert behind.result(PATIENCE) == 2
        with pytest.raises(ValueError, match="rank 1"):
            fails.result(PATIENCE)


def shared_memory_of(milliseconds: int) -> Path:
    """MPICH's file for the first job of an instance of Flux of that age: named by the FNV-1a hash of the
    job's number in base 58.
    """
    digits, number = "", milliseconds << 24
    while number:
        number, digit = divmod(number, 58)
        digits = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"[digit] + digits
    value = 0x811C9DC5
    for byte in f"ƒ{digits}".encode():
        value = (value ^ byte) * 0x01000193 & 0xFFFFFFFF
    return Path(f"/dev/shm/mpich_shm_{value:x}_0")


def test_shared_memory_of_another_instance(instance: Instance, tmp_path: Path) -> None:
    """Each of these calls has an instance, and its first job there the same number as those of others."""
    two: Any = {"cores": 2}
    with FluxClusterExecutor(cache_directory=str(tmp_path / "cache"), resource_dict=two) as executor:
        first = Path("/dev/shm") / f"{tmp_path.name}-{os.getpid()}"
        made = [first]
        try:
            if not all(executor.submit(work.copies_shared_memory, str(first)).result(PATIENCE)):
                pytest.skip("the MPI library is not MPICH, or shares memory in another way")
            for age in range(1, 1000):
                file = shared_memory_of(age)
                if not file.exists():
                    file.hardlink_to(first)
                    made.append(file)
            assert executor.submit(work.rank_of_all, 3).result(PATIENCE) == [(0, 2, 6), (1, 2, 6)]
        finally:
            for file in made:
                file.unlink(missing_ok=True)


WAYS = {"signal": (-9, "SIGKILL", 9, None), "status": (3, "status 3", None, 3)}
AT_ONCE = 15
"""Flux by itself lets the others wait for 30 s."""


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("rank", [0, 1])
def test_a_rank_dies(executor: FluxJobExecutor, rank: int, way: str) -> None:
    status, words, *how = WAYS[way]
    with pytest.raises(WorkerLostError, match=words) as raised:
        executor.submit(work.rank_dies, rank, status, resource_dict={"cores": 2}).result(AT_ONCE)
    assert [raised.value.signal, raised.value.exit_status] == how


CLUSTER_WAYS = {**WAYS, "like a signal": (142, "status 142", None, 142), "well": (0, "status 0", None, 0)}


@pytest.mark.parametrize("way", CLUSTER_WAYS)
@pytest.mark.parametrize("rank", [0, 1])
def test_a_rank_of_a_cluster_call_dies(instance: Instance, tmp_path: Path, rank: int, way: str) -> None:
    status, words, *how = CLUSTER_WAYS[way]
    with FluxClusterExecutor(cache_directory=str(tmp_path)) as executor:
        with pytest.raises(WorkerLostError, match=rf"rank {rank} .*{words}") as raised:
            executor.submit(work.rank_dies, rank, status, resource_dict={"cores": 2}).result(AT_ONCE)
    assert [raised.value.signal, raised.value.exit_status] == how


def test_cluster_ranks_that_are_alone_are_refused(instance: Instance, tmp_path: Path) -> None:
    with FluxClusterExecutor(cache_directory=str(tmp_path), pmi_mode="pmix") as executor:
        with pytest.raises(RuntimeError, match="Flux started 2 ranks, but MPI says that there are 1"):
            executor.submit(work.rank_of_all, 1, resource_dict={"cores": 2}).result(PATIENCE)


def test_a_pmi_that_ranks_do_not_get_is_refused(make: Callable[..., FluxJobExecutor]) -> None:
    """Flux passes over a PMI it does not have, and every rank is alone: said, not computed."""
    with make(pmi_mode="pmix") as executor:
        reason = r"started 2 ranks, but MPI says that there is 1: .* Choose another pmi_mode"
        with pytest.raises(RuntimeError, match=reason):
            executor.submit(work.rank_of_all, 1, resource_dict={"cores": 2}).result(PATIENCE)
