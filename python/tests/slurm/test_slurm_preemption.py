# SPDX-License-Identifier: BSD-3-Clause
"""A job that has to make room for a more important one: its call runs again, or ends with the reason."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from slurm_cluster import Cluster
from test_slurm_endings import says_and_waits, start_soon, waits_the_first_time

from swiftlet import SlurmClusterExecutor

TIMEOUT = 90


def hold(started: str, goes_on: str) -> str:
    Path(started).touch()
    while not Path(goes_on).exists():
        time.sleep(0.02)
    return os.environ["SLURM_JOB_ID"]


@pytest.fixture
def partitions(cluster: Cluster) -> Iterator[None]:
    """Three partitions of the node n4: jobs of `urgent` take it from `requeued` and `ended`."""
    made = {"requeued": ("1", "REQUEUE"), "ended": ("1", "CANCEL"), "urgent": ("10", "OFF")}
    for name, (tier, mode) in made.items():
        settings = [f"PartitionName={name}", "Nodes=n4", f"PriorityTier={tier}", f"PreemptMode={mode}"]
        cluster.run("scontrol", "create", *settings)
    yield
    cluster.clear()
    for name in made:
        cluster.run("scontrol", "delete", f"PartitionName={name}")


def preempt(cluster: Cluster) -> str:
    """A job that takes the whole of the partitions' node."""
    options = ["--partition=urgent", "--exclusive", "--output=/dev/null", "--wrap=exec sleep 600"]
    return cluster.run("sbatch", "--parsable", *options).strip()


def test_preempted_and_put_back(cluster: Cluster, partitions: None, tmp_path: Path) -> None:
    times = tmp_path / "times"
    with SlurmClusterExecutor(cache_directory=str(tmp_path / "cache")) as executor:
        future = executor.submit(waits_the_first_time, str(times), resource_dict={"partition": "requeued"})
        cluster.until(lambda: times.exists() and times.stat().st_size == 1)
        (row,) = cluster.queue()
        urgent = preempt(cluster)
        cluster.until(lambda: cluster.job(row.job)["JobState"] == "PENDING")
        assert not future.done()
        cluster.wait_for_job(urgent, {"RUNNING"})
        cluster.run("scancel", urgent)
        cluster.wait_for_job(urgent)
        cluster.until(lambda: start_soon(row.job))
        assert future.result(TIMEOUT) == "1"
    assert times.read_text() == "xx"


def test_preempted_and_ended(cluster: Cluster, partitions: None, tmp_path: Path) -> None:
    with SlurmClusterExecutor(cache_directory=str(tmp_path / "cache")) as executor:
        future = executor.submit(says_and_waits, resource_dict={"partition": "ended"})
        other = executor.submit(abs, -1)
        after = executor.submit(abs, future)

        def has_spoken() -> list[Path]:
            logs = (tmp_path / "cache").glob("slurm-*.out")
            return [log for log in logs if "last words" in log.read_text()]

        cluster.until(has_spoken)
        (log,) = has_spoken()
        preempt(cluster)
        for ended in (future, after):
            with pytest.raises(RuntimeError, match=r"on n4: it was preempted \(PREEMPTED") as caught:
                ended.result(TIMEOUT)
            assert "the last words" in str(caught.value)
        assert f"job {log.stem.partition('-')[2]}" in str(caught.value)
        assert other.result(TIMEOUT) == 1


def test_a_worker_that_is_preempted_is_replaced(cluster: Cluster, partitions: None, tmp_path: Path) -> None:
    """The machine's affair: its call runs again although its restart_limit is 0."""
    started, goes_on = tmp_path / "started", tmp_path / "goes_on"
    with SlurmClusterExecutor(
        cache_directory=str(tmp_path / "cache"),
        max_workers=2,
        block_allocation=True,
        resource_dict={"partition": "ended"},
    ) as executor:
        future = executor.submit(hold, str(started), str(goes_on))
        try:
            cluster.until(started.exists)
            started.unlink()
            urgent = preempt(cluster)
            cluster.wait_for_job(urgent, {"RUNNING"})
            cluster.run("scancel", urgent)
            cluster.until(started.exists)
        finally:
            goes_on.touch()
        assert future.result(TIMEOUT)
