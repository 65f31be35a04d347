# SPDX-License-Identifier: BSD-3-Clause
"""Endings while fifty other calls are under way: each call ends with what became of it, and no other one."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest
from slurm_cluster import Cluster
from test_job_failures import agents
from test_slurm_endings import says_and_waits, start_soon, waits_the_first_time

import swiftlet
from swiftlet import SlurmClusterExecutor, SlurmJobExecutor

OTHERS = 50
TIMEOUT = 150


def slowly(number: int) -> int:
    time.sleep(0.2)
    return number + 1


def grow(path: str) -> None:
    """Uses more memory than it may when a file appears."""
    Path(path, "ready").touch()
    wait_for(path, "go")
    block = bytearray(600 << 20)
    for start in range(0, len(block), 4096):
        block[start] = 1
    says_and_waits()


def hold(path: str) -> None:
    """Runs until it is ended."""
    Path(path, "held").touch()
    says_and_waits()


def wait_for(path: str, name: str) -> None:
    deadline = time.monotonic() + TIMEOUT
    while not Path(path, name).exists():
        if time.monotonic() > deadline:
            raise TimeoutError(f"nobody has made {name}")
        time.sleep(0.02)


def kill_slurmd(cluster: Cluster, node: str) -> None:
    os.kill(int((cluster.directory / "run" / f"slurmd-{node}.pid").read_text()), signal.SIGKILL)


def test_batch_jobs(cluster: Cluster, tmp_path: Path) -> None:
    """scancel, time limit, memory limit and requeue, with the controller and a slurmd killed in between."""
    times = tmp_path / "times"

    def job_of(name: str) -> str:
        """The running job of the call with that comment."""
        for row in cluster.queue():
            if row.state == "RUNNING" and cluster.job(row.job).get("Comment", "").strip() == name:
                return row.job
        return ""

    with SlurmClusterExecutor(cache_directory=str(tmp_path / "cache")) as executor:
        victims = {
            name: executor.submit(function, *arguments, resource_dict={"comment": name, **resources})
            for name, function, arguments, resources in (
                ("cancelled", says_and_waits, (1,), {}),
                ("late", says_and_waits, (2,), {"time": "5"}),
                ("large", grow, (str(tmp_path),), {"memory_max": 0.25}),
                ("requeued", waits_the_first_time, (str(times),), {}),
            )
        }
        jobs: dict[str, str] = {}
        for name in victims:
            cluster.until(lambda name=name: jobs.setdefault(name, job_of(name)) or jobs.pop(name))  # type: ignore[misc]
        cluster.until(lambda: times.exists() and (tmp_path / "ready").exists())
        others = [executor.submit(slowly, number) for number in range(OTHERS)]
        others[0].result(timeout=TIMEOUT)
        cluster.restart_controller()
        kill_slurmd(cluster, "n4")
        cluster.up()
        cluster.run("scancel", jobs["cancelled"])
        cluster.run("scontrol", "update", f"jobid={jobs['late']}", "EndTime=now+1")
        cluster.run("scontrol", "requeue", jobs["requeued"])
        (tmp_path / "go").touch()
        cluster.until(lambda: cluster.job(jobs["requeued"])["JobState"] == "PENDING")
        cluster.until(lambda: start_soon(jobs["requeued"]))
        assert [other.result(timeout=TIMEOUT) for other in others] == list(range(1, OTHERS + 1))
        assert victims["requeued"].result(timeout=TIMEOUT) == "1"
        for name, text in (
            ("cancelled", "it was cancelled"),
            ("late", "it reached its time limit"),
            ("large", "exceeded memory limit|OUT_OF_MEMORY"),
        ):
            with pytest.raises(RuntimeError, match=text):
                victims[name].result(timeout=TIMEOUT)
    cluster.until(lambda: not cluster.queue())


def test_calls_in_an_allocation(cluster: Cluster, allocation: dict[str, str], tmp_path: Path) -> None:
    """A step is cancelled, one uses too much memory, an agent dies; controller and a slurmd restart."""
    with SlurmJobExecutor() as executor:
        cancelled = executor.submit(hold, str(tmp_path), resource_dict={"step": True})
        wait_for(str(tmp_path), "held")
        large = executor.submit(grow, str(tmp_path), resource_dict={"memory_max": 0.25})
        wait_for(str(tmp_path), "ready")
        others = [executor.submit(slowly, number) for number in range(OTHERS)]
        others[0].result(timeout=TIMEOUT)
        cluster.restart_controller()
        (tmp_path / "go").touch()

        def is_cancelled() -> bool:
            subprocess.run(["scancel", f"{allocation['SLURM_JOB_ID']}.1"], capture_output=True)
            return cancelled.done()

        # A signal for which the restarted controller has no node yet is forgotten.
        cluster.until(is_cancelled)
        for future, text in ((cancelled, "CANCELLED"), (large, "memory")):
            with pytest.raises(swiftlet.WorkerLostError) as lost:
                future.result(timeout=TIMEOUT)
            assert text in lost.value.stderr
        others += [executor.submit(slowly, number) for number in range(OTHERS, 2 * OTHERS)]
        others[OTHERS].result(timeout=TIMEOUT)
        kill_slurmd(cluster, "n1")
        os.kill(agents()["n2"], signal.SIGKILL)
        cluster.up()
        assert [other.result(timeout=TIMEOUT) for other in others] == list(range(1, 2 * OTHERS + 1))
