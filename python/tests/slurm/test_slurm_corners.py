# SPDX-License-Identifier: BSD-3-Clause
"""What cache directory and accounting know of calls, jobs inside jobs, and what can never start."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from slurm_cluster import Cluster

import swiftlet
from swiftlet import SlurmClusterExecutor


def add(a: int, b: int = 1) -> int:
    return a + b


def blocked(_: int) -> None:
    """Runs until it is ended."""
    os.read(os.pipe()[0], 1)


def sums_in_its_own_job(count: int) -> list[tuple[int, str]]:
    """Opens an executor on the job that it is."""
    from swiftlet import SlurmJobExecutor

    def place(number: int) -> tuple[int, str]:
        return sum([number, number]), os.environ["SLURM_JOB_ID"]

    with SlurmJobExecutor(max_workers=2) as executor:
        return list(executor.map(place, range(count)))


@pytest.fixture
def cache(tmp_path: Path) -> str:
    return str(tmp_path / "cache")


@pytest.fixture
def executor(cluster: Cluster, cache: str) -> Iterator[SlurmClusterExecutor]:
    with SlurmClusterExecutor(cache_directory=cache) as executor:
        yield executor


def test_s33_the_accounting_knows_the_queue_id(
    cluster: Cluster, executor: SlurmClusterExecutor, cache: str
) -> None:
    assert executor.submit(add, 1, resource_dict={"threads_per_core": 3}).result() == 2
    (known,) = swiftlet.get_cache_data(cache)
    command = ["sacct", "-n", "-X", "-P", f"-j{known['queue_id']}", "--format=AllocCPUS,JobName"]
    cluster.until(lambda: cluster.run(*command).split() == ["3|add"])


def test_s39_a_call_opens_an_executor_in_its_own_job(
    executor: SlurmClusterExecutor, cluster: Cluster
) -> None:
    found = executor.submit(sums_in_its_own_job, 4, resource_dict={"threads_per_core": 2}).result()
    assert [total for total, _ in found] == [0, 2, 4, 6]
    assert len({job for _, job in found}) == 1


def test_s40_the_directory_is_the_users(executor: SlurmClusterExecutor, cluster: Cluster, cache: str) -> None:
    assert executor.submit(add, 1).result() == 2
    cluster.until(lambda: not cluster.queue())
    shutil.rmtree(cache)
    assert executor.submit(add, 1).result() == 2


def test_s66_a_damaged_task_that_nobody_queued(
    executor: SlurmClusterExecutor, cluster: Cluster, cache: str
) -> None:
    assert executor.submit(add, 1).result() == 2
    cluster.until(lambda: not cluster.queue())
    (outcome,) = Path(cache).glob("*.outcome")
    outcome.unlink()
    outcome.with_suffix(".task").write_bytes(b"\0garbage")
    with SlurmClusterExecutor(cache_directory=cache) as other:
        assert other.submit(add, 1).result() == 2
    assert outcome.exists()


def test_terminate_tasks_in_cache_reaches_the_queue(
    executor: SlurmClusterExecutor, cluster: Cluster, cache: str
) -> None:
    futures = [
        executor.submit(blocked, 1),
        executor.submit(blocked, 2, resource_dict={"threads_per_core": 2}),
    ]
    cluster.until(lambda: [row.state for row in cluster.queue()] == ["RUNNING"] * 2)
    swiftlet.terminate_tasks_in_cache(cache)
    cluster.until(lambda: not cluster.queue(), seconds=20)
    for future in futures:
        with pytest.raises(RuntimeError):
            future.result(timeout=60)


def test_what_may_never_start_is_told(cluster: Cluster, cache: str) -> None:
    """A job that asks for more nodes than the partition has waits for ever: the user hears why."""
    program = f"""
from swiftlet import SlurmClusterExecutor
with SlurmClusterExecutor(cache_directory={cache!r}) as executor:
    future = executor.submit(abs, -1, resource_dict={{"num_nodes": 5}})
    input()
    future.cancel()
"""
    command = [sys.executable, "-c", program]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as client:
        assert client.stderr is not None
        line = client.stderr.readline()
        assert "waits for PartitionNodeLimit" in line
        client.communicate("\n", timeout=60)
    cluster.until(lambda: not cluster.queue())
