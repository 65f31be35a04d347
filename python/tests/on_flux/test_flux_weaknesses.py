# SPDX-License-Identifier: BSD-3-Clause
"""What executorlib 1.11.0 gets wrong in a Flux instance, one test each."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import flux_work as work
import pytest
from flux_nodes import CORES_PER_NODE, GPUS_PER_NODE, Instance

from swiftlet import FluxClusterExecutor, FluxJobExecutor, ResourceError, TimeLimitError, WorkerLostError

PATIENCE = 60


def test_1_a_job_without_a_result_ends_its_future(instance: Instance, tmp_path: Path) -> None:
    """Exit status and time limit; there: pending for ever."""
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    with FluxClusterExecutor(cache_directory=str(tmp_path / "cache")) as executor:
        exits = executor.submit(work.exits, 3)
        limited = executor.submit(work.opens, str(fifo), resource_dict={"run_time_max": 0.5})
        with pytest.raises(WorkerLostError, match="exited with status 3"):
            exits.result(PATIENCE)
        with pytest.raises(TimeLimitError):
            limited.result(PATIENCE)


def test_2_a_job_that_is_being_cleaned_up_is_no_failed_one(instance: Instance, tmp_path: Path) -> None:
    """Each job is heard of while it cleans up; there: state C is an error."""
    with FluxClusterExecutor(cache_directory=str(tmp_path / "cache")) as executor:
        futures = [executor.submit(work.square, number) for number in range(20)]
        assert [future.result(PATIENCE) for future in futures] == [number * number for number in range(20)]


def test_3_a_request_that_cannot_be_met_fails(instance: Instance) -> None:
    """And leaving the block does not hang."""
    gpus: Any = {"gpus_per_core": GPUS_PER_NODE + 1}
    with FluxJobExecutor(hostname_localhost=True) as executor:
        future = executor.submit(work.square, 1, resource_dict=gpus)
        with pytest.raises(Exception, match="unsatisfiable request"):
            future.result(PATIENCE)


def test_4_more_nodes_than_ranks_is_refused_in_submit(instance: Instance) -> None:
    """There: an error in a thread, and a future that never ends."""
    with (
        FluxJobExecutor(hostname_localhost=True) as executor,
        pytest.raises(ResourceError, match="num_nodes=2 is more than cores=1"),
    ):
        executor.submit(work.square, 1, resource_dict={"cores": 1, "num_nodes": 2})


def test_5_each_rank_sees_its_own_gpu(instance: Instance) -> None:
    """There: both see both."""
    pytest.importorskip("mpi4py")
    resources: Any = {"cores": 2, "gpus_per_core": 1, "num_nodes": 1}
    with FluxJobExecutor(hostname_localhost=True) as executor:
        seen = executor.submit(work.rank_and_gpus, resource_dict=resources).result(PATIENCE)
    assert sorted(gpus for _, gpus in seen) == ["0", "1"]


def test_6_what_a_cluster_call_asks_for_is_what_it_gets(instance: Instance, tmp_path: Path) -> None:
    """There: GPUs, nodes, exclusive and priority are dropped."""
    with FluxClusterExecutor(cache_directory=str(tmp_path / "cache")) as executor:
        resources: Any = {"gpus_per_core": 2, "exclusive": True, "num_nodes": 1, "priority": 5}
        seen = executor.submit(work.variable, "CUDA_VISIBLE_DEVICES", resource_dict=resources)
        assert seen.result(PATIENCE) == "0,1"
    newest = instance.run("jobs", "-a", "--count=1", "--no-header", "--format={ncores} {nnodes} {urgency}")
    assert newest.split() == [str(CORES_PER_NODE), "1", "21"]


def a_function_whose_name_is_longer_than_ten_characters(number: int) -> int:
    return number + 1


def test_7_jobs_are_known_by_their_numbers(instance: Instance, tmp_path: Path) -> None:
    """There: the last 1,000 jobs by a table whose names are cut and split at blanks."""
    instance.run("submit", "--wait", "--cc=1-30", "--job-name=a name with blanks", "true")
    with FluxClusterExecutor(cache_directory=str(tmp_path / "with blanks")) as executor:
        future = executor.submit(a_function_whose_name_is_longer_than_ten_characters, 1)
        assert future.result(PATIENCE) == 2
    name = instance.run("jobs", "-a", "--count=1", "--no-header", "--format={name}").strip()
    assert name == a_function_whose_name_is_longer_than_ten_characters.__name__


def test_8_a_running_call_can_be_cancelled(instance: Instance, tmp_path: Path) -> None:
    """There: shutdown(cancel_futures=True) waits for its end, as it cannot be cancelled."""
    told, held = str(tmp_path / "told"), str(tmp_path / "held")
    os.mkfifo(told)
    os.mkfifo(held)
    with FluxJobExecutor(hostname_localhost=True) as executor:
        future = executor.submit(work.tells_and_opens, told, held)
        with open(told) as pipe:
            pipe.read()
        assert future.cancel()
        executor.shutdown(cancel_futures=True)
    assert future.cancelled()
    assert instance.open_jobs() == []
