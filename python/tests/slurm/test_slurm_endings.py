# SPDX-License-Identifier: BSD-3-Clause
"""How calls of ``SlurmClusterExecutor`` end whose jobs end otherwise than by themselves: with the reason, the
job, its node, and the last it said.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from slurm_cluster import Cluster

from swiftlet import MemoryLimitError, SlurmClusterExecutor


def add(a: int, b: int = 1) -> int:
    return a + b


def says_and_waits(*_: Any) -> None:
    """Runs until it is ended."""
    print("the last words", file=sys.stderr, flush=True)
    os.read(os.pipe()[0], 1)


def waits_the_first_time(path: str) -> str:
    """Runs until it is ended, the first time; the second time it says which time that is."""
    with open(path, "a") as file:
        file.write("x")
    if Path(path).stat().st_size == 1:
        says_and_waits()
    return os.environ["SLURM_RESTART_COUNT"]


@pytest.fixture
def executor(cluster: Cluster, tmp_path: Path) -> Iterator[SlurmClusterExecutor]:
    with SlurmClusterExecutor(cache_directory=str(tmp_path / "cache")) as executor:
        yield executor


def running_job(cluster: Cluster) -> str:
    """The one job of the queue, when it runs."""
    cluster.until(lambda: any(row.state == "RUNNING" for row in cluster.queue()))
    return next(row.job for row in cluster.queue() if row.state == "RUNNING")


def error_when(
    cluster: Cluster, executor: SlurmClusterExecutor, end: Callable[[str], object], **resources: Any
) -> str:
    """What the call's error says when its running job is ended from outside."""
    future = executor.submit(says_and_waits, resource_dict=resources)
    job = running_job(cluster)
    log = Path(executor.info["cache_directory"], f"slurm-{job}.out")  # type: ignore[index]
    cluster.until(lambda: log.exists() and "the last words" in log.read_text())
    end(job)
    with pytest.raises(RuntimeError, match="terminated without producing output") as caught:
        future.result(timeout=90)
    text = str(caught.value)
    assert f"job {job}" in text
    assert re.search(r"on n[1-4]", text)
    return text


def test_scancel(cluster: Cluster, executor: SlurmClusterExecutor) -> None:
    text = error_when(cluster, executor, lambda job: cluster.run("scancel", job))
    assert "it was cancelled" in text
    assert "the last words" in text


def test_time_limit_of_slurm(cluster: Cluster, executor: SlurmClusterExecutor) -> None:
    def shorten(job: str) -> None:
        cluster.run("scontrol", "update", f"jobid={job}", "EndTime=now+1")

    assert "it reached its time limit (TIMEOUT, TimeLimit)" in error_when(
        cluster, executor, shorten, time="5"
    )


def test_a_node_that_fails(cluster: Cluster, executor: SlurmClusterExecutor) -> None:
    def fail(job: str) -> None:
        node = cluster.job(job)["NodeList"]
        cluster.run("scontrol", "update", f"nodename={node}", "state=down", "reason=test")
        cluster.run("scontrol", "update", f"nodename={node}", "state=resume")

    assert "its node failed (NODE_FAIL" in error_when(cluster, executor, fail, no_requeue=True)


def test_memory(cluster: Cluster, executor: SlurmClusterExecutor) -> None:
    def grow() -> None:
        print("growing", flush=True)
        block = b"x" * (600 << 20)
        os.read(os.pipe()[0], len(block) and 1)

    future = executor.submit(grow, resource_dict={"memory_max": 0.25})
    with pytest.raises(MemoryLimitError, match=r"exceeded memory limit|OUT_OF_MEMORY"):
        future.result(timeout=90)


def test_requeue_runs_the_call_again(
    cluster: Cluster, executor: SlurmClusterExecutor, tmp_path: Path
) -> None:
    times = tmp_path / "times"
    future = executor.submit(waits_the_first_time, str(times))
    job = running_job(cluster)
    cluster.until(lambda: times.exists() and times.stat().st_size == 1)
    cluster.run("scontrol", "requeue", job)
    cluster.until(lambda: cluster.job(job)["JobState"] == "PENDING")
    cluster.until(lambda: start_soon(job))
    assert future.result(timeout=90) == "1"


def start_soon(job: str) -> bool:
    """A requeued job waits until the credential of its last run has expired; this one only until one that is
    new counts as newer: in the second in which the last run was ended the node refuses every credential of
    the job, and Slurm takes that for a failure of its script.
    """
    done = subprocess.run(
        ["scontrol", "update", f"jobid={job}", "StartTime=now+2"], capture_output=True, text=True
    )
    return done.returncode == 0


def test_w5_dependants_of_a_dead_job_end_at_once(cluster: Cluster, executor: SlurmClusterExecutor) -> None:
    first = executor.submit(says_and_waits)
    second = executor.submit(add, 1, first)
    third = executor.submit(add, 1, second)
    job = running_job(cluster)
    cluster.until(lambda: len(cluster.queue()) == 3)
    cluster.run("scancel", job)
    for future in (first, second, third):
        with pytest.raises(RuntimeError, match="terminated without producing output"):
            future.result(timeout=90)
    cluster.until(lambda: not cluster.queue())


def test_dependants_of_a_call_that_raises(cluster: Cluster, executor: SlurmClusterExecutor) -> None:
    def fail() -> None:
        raise KeyError("gone")

    first = executor.submit(fail)
    second = executor.submit(add, 1, first)
    for future in (first, second):
        with pytest.raises(KeyError, match="gone"):
            future.result(timeout=60)
    cluster.until(lambda: not cluster.queue())


def test_a_killed_call_is_told_from_a_killed_job(executor: SlurmClusterExecutor) -> None:
    def kill() -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    with pytest.raises(RuntimeError, match="SIGKILL"):
        executor.submit(kill).result(timeout=60)


def test_our_own_time_limit_counts_seconds(executor: SlurmClusterExecutor) -> None:
    with pytest.raises(TimeoutError):
        executor.submit(says_and_waits, resource_dict={"run_time_max": 1}).result(timeout=60)


def test_the_controller_goes_and_comes_back(cluster: Cluster, executor: SlurmClusterExecutor) -> None:
    before = [executor.submit(add, number) for number in range(5)]
    pid = int((cluster.directory / "run" / "slurmctld.pid").read_text())
    os.kill(pid, signal.SIGKILL)
    after = [executor.submit(add, number) for number in range(100, 105)]
    assert not after[0].done()
    cluster.up()
    assert [future.result(timeout=90) for future in before + after] == [
        number + 1 for number in (*range(5), *range(100, 105))
    ]
