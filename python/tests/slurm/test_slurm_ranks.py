# SPDX-License-Identifier: BSD-3-Clause
"""MPI functions as batch jobs: their ranks are a step of the job, started by srun."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from slurm_cluster import Cluster, fields

from swiftlet import SlurmClusterExecutor, WorkerLostError


def calc(i: int) -> tuple[int, int, int]:
    from mpi4py import MPI

    return i, MPI.COMM_WORLD.Get_size(), MPI.COMM_WORLD.Get_rank()


def node(_: int) -> str:
    from mpi4py import MPI

    MPI.COMM_WORLD.Barrier()
    return os.environ["SLURMD_NODENAME"]


def granted_to_mine(_: int) -> dict[str, str]:
    """The environment of a rank, and what Slurm says of its job and of its step."""

    def ask(kind: str, name: str) -> str:
        command = ["scontrol", "show", kind, "--oneliner", name]
        return subprocess.run(command, capture_output=True, text=True).stdout

    job = os.environ["SLURM_JOB_ID"]
    step = ask("step", f"{job}.{os.environ['SLURM_STEP_ID']}")
    return {**os.environ, "job": ask("job", job), "step": step}


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


def on_two_nodes(executor: SlurmClusterExecutor, function: Any, resources: Any = None) -> Any:
    """What the ranks give. Now and then all steps of a job fail in MPI_Init: slurmstepd loses its place in
    what MPICH sends by PMI-2. That is said, and another job does it.
    """
    resources = {**(resources or {}), "num_nodes": 2}
    for _ in range(3):
        try:
            return executor.submit(function, 0, resource_dict=resources).result(timeout=60)
        except WorkerLostError as error:
            if "mpi/pmi2: value not properly terminated" not in str(error):
                raise
            lost = error
    raise lost


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
    assert len(set(on_two_nodes(executor, node))) == 2


def test_job_and_step_have_what_was_asked_for(cluster: Cluster, tmp_path: Path) -> None:
    resources = {
        "cores": 2, "threads_per_core": 2, "gpus_per_core": 1, "num_nodes": 2,
        "memory_max": 0.5, "run_time_max": 61,
    }  # fmt: skip
    with SlurmClusterExecutor(cache_directory=str(tmp_path), openmpi_oversubscribe=True) as executor:
        assert "--oversubscribe" in executor.dry_run(granted_to_mine, 0, resource_dict=resources)
        ranks = on_two_nodes(executor, granted_to_mine, resources)
    assert len(ranks) == 2
    job, step = fields(ranks[0]["job"]), fields(ranks[0]["step"])
    wanted = {
        "NumTasks": "2",
        "NumNodes": "2",
        "CPUs/Task": "2",
        "MinMemoryNode": "512M",
        "TimeLimit": "00:03:00",
    }
    assert {key: job[key] for key in wanted} == wanted
    assert "gres/gpu=2" in job["TRES"]
    assert (step["Tasks"], step["Nodes"]) == ("2", "2")
    assert {"cpu=4", "gres/gpu=2"} <= set(step["TRES"].split(","))
    for rank in ranks:
        assert rank["OMP_NUM_THREADS"] == "2"
        assert len(rank["CUDA_VISIBLE_DEVICES"]) == 1


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
