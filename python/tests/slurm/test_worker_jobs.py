# SPDX-License-Identifier: BSD-3-Clause
"""``SlurmClusterExecutor(block_allocation=True)``: warm workers that are batch jobs of a real Slurm."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from slurm_cluster import Cluster, fields
from ways import both_ways

from swiftlet import SlurmClusterExecutor, TaskRefusedError, WorkerLostError


def init() -> dict[str, Any]:
    return {"state": {"job": os.environ["SLURM_JOB_ID"], "pid": os.getpid(), "calls": 0}}


def count(number: int, state: dict[str, Any]) -> tuple[str, int, int]:
    state["calls"] += 1
    return state["job"], state["pid"], state["calls"]


def job_of(*_: Any) -> dict[str, str]:
    """What a call sees of its job, and what Slurm says of it."""
    words = subprocess.run(
        ["scontrol", "show", "job", "--oneliner", os.environ["SLURM_JOB_ID"]], capture_output=True, text=True
    )
    return {**os.environ, "scontrol": words.stdout, "argv": " ".join(sys.argv)}


def add(a: Any, b: Any = 1) -> Any:
    return a + b


def hold(started: str, goes_on: str) -> str:
    job = "_".join(os.environ[f"SLURM_ARRAY_{name}_ID"] for name in ("JOB", "TASK"))
    Path(f"{started}~").write_text(job)
    os.rename(f"{started}~", started)
    while not os.path.exists(goes_on):
        time.sleep(0.02)
    return os.environ["SLURM_JOB_ID"]


def late_the_first_time(path: str) -> str:
    """Would run for ever, the first time; then says how often it was started."""
    with open(path, "a") as file:
        file.write("x")
    if os.path.getsize(path) == 1:
        time.sleep(600)
    return Path(path).read_text()


def rank_of(x: int) -> tuple[int, int, int]:
    from mpi4py import MPI

    return x, MPI.COMM_WORLD.Get_rank(), MPI.COMM_WORLD.Get_size()


@pytest.fixture
def cache(tmp_path: Path) -> str:
    return str(tmp_path / "my results")


@pytest.fixture
def executor(cluster: Cluster, cache: str) -> Iterator[SlurmClusterExecutor]:
    with SlurmClusterExecutor(
        max_workers=2, cache_directory=cache, block_allocation=True, init_function=init
    ) as executor:
        yield executor


def test_workers_keep_their_state_and_are_one_array(
    cluster: Cluster, executor: SlurmClusterExecutor, cache: str
) -> None:
    futures = [executor.submit(count, number) for number in range(200)]
    seen = [future.result() for future in futures]
    assert 1 <= len({job for job, _, _ in seen}) <= 2
    assert max(calls for _, _, calls in seen) > 1
    granted = fields(executor.submit(job_of).result()["scontrol"])
    assert granted["NumTasks"] == "1"
    assert "ArrayJobId" in granted
    executor.shutdown()
    cluster.until(lambda: not cluster.queue())
    # The guardian removes it, which ends after the engine.
    cluster.until(lambda: not [name for name in os.listdir(cache) if name.startswith(".swiftlet")])


@both_ways
def test_values_and_futures_travel(executor: SlurmClusterExecutor) -> None:
    array = np.arange(200_000.0)
    doubled = executor.submit(add, array, array)
    assert np.array_equal(executor.submit(add, doubled).result(), 2 * array + 1)
    with pytest.raises(TypeError):
        executor.submit(add, None).result()
    assert list(executor.map(add, range(50))) == list(range(1, 51))


def test_a_worker_has_what_its_job_has(cluster: Cluster, cache: str) -> None:
    with SlurmClusterExecutor(
        max_workers=1,
        cache_directory=cache,
        block_allocation=True,
        resource_dict={
            "threads_per_core": 2,
            "gpus_per_core": 1,
            "memory_max": 0.5,
            "run_time_max": 250,
            "nodelist": ["n3"],
        },
    ) as executor:
        seen = executor.submit(job_of).result()
    job = fields(seen["scontrol"])
    assert (job["CPUs/Task"], job["NodeList"], job["TimeLimit"]) == ("2", "n3", "00:06:00")
    assert job["MinMemoryNode"] == "512M"
    assert seen["SLURMD_NODENAME"] == "n3"
    assert seen["OMP_NUM_THREADS"] == "2"
    assert len(seen["CUDA_VISIBLE_DEVICES"]) == 1
    assert "ticket" not in seen["argv"] + " ".join(seen)


def test_the_first_worker_begins_before_the_others_have_nodes(cluster: Cluster, cache: str) -> None:
    with SlurmClusterExecutor(
        max_workers=5, cache_directory=cache, block_allocation=True, resource_dict={"exclusive": True}
    ) as executor:
        assert executor.submit(add, 1).result() == 2
        assert cluster.until(lambda: any(row.state == "PENDING" for row in cluster.queue()))
    cluster.until(lambda: not cluster.queue())


def test_a_waiting_job_is_said(cluster: Cluster, cache: str) -> None:
    with SlurmClusterExecutor(
        max_workers=1, cache_directory=cache, block_allocation=True, resource_dict={"hold": True}
    ) as executor:
        future = executor.submit(add, 1)
        cluster.until(lambda: "of slurm in the queue" in executor.explain(future))
        (row,) = cluster.queue()
        assert f"job of slurm in the queue: {row.job}" in executor.explain(future)
        cluster.run("scontrol", "release", row.job)
        assert future.result() == 2


@both_ways
def test_a_job_that_is_ended_is_replaced(
    cluster: Cluster, executor: SlurmClusterExecutor, tmp_path: Path
) -> None:
    started, goes_on = tmp_path / "started", tmp_path / "goes_on"
    future = executor.submit(hold, str(started), str(goes_on))
    try:
        cluster.until(started.exists)
        first = started.read_text()
        started.unlink()
        cluster.run("scancel", first)
        cluster.until(started.exists)  # a lost node is no fault of the call's: it runs again
    finally:
        goes_on.touch()
    assert future.result()
    cluster.until(lambda: len(cluster.queue()) == 2)


def test_workers_whose_time_is_over_are_replaced(cluster: Cluster, tmp_path: Path) -> None:
    """The limit of the first job of each worker is soon over. A call that ran then is lost, unless it may be
    started again.
    """
    template = """#!/bin/bash
#SBATCH --output={{working_directory}}/slurm-%j.out
#SBATCH --time=5
mkdir {{working_directory}}/../first 2>/dev/null && scontrol update jobid=$SLURM_JOB_ID EndTime=now+4
{{command}}
"""
    resources = {"submission_template": template}
    with ExitStack() as stack:
        patient, strict = (
            stack.enter_context(
                SlurmClusterExecutor(
                    max_workers=1,
                    cache_directory=str(tmp_path / f"cache{limit}"),
                    block_allocation=True,
                    resource_dict={**resources, "restart_limit": limit},
                )
            )
            for limit in (1, 0)
        )
        again = patient.submit(late_the_first_time, str(tmp_path / "again"))
        lost = strict.submit(late_the_first_time, str(tmp_path / "lost"))
        before = cluster.until(lambda: len(rows := cluster.queue()) == 2 and {row.job for row in rows})
        with pytest.raises(WorkerLostError, match=r"the time of its job on n[1-4] is over"):
            lost.result(timeout=90)
        assert again.result(timeout=90) == "xx"
        assert strict.submit(add, 1).result(timeout=90) == 2
        after = {row.job for row in cluster.queue() if row.state == "RUNNING"}
        assert len(after) == 2
        assert not set(before) & after


@both_ways
def test_a_worker_that_dies_is_replaced_in_its_job(executor: SlurmClusterExecutor) -> None:
    with pytest.raises(WorkerLostError, match="status 3"):
        executor.submit(os._exit, 3).result()
    assert [executor.submit(count, number).result()[2] > 0 for number in range(4)] == [True] * 4


def test_what_slurm_refuses_ends_the_calls(cluster: Cluster, cache: str) -> None:
    with SlurmClusterExecutor(
        max_workers=2, cache_directory=cache, block_allocation=True, resource_dict={"partition": "nowhere"}
    ) as executor:
        with pytest.raises(TaskRefusedError, match="partition"):
            executor.submit(add, 1).result()
        with pytest.raises(TaskRefusedError, match="partition"):
            executor.submit(add, 1).result()


def test_nodes_that_cannot_reach_the_client_say_so(cluster: Cluster, tmp_path: Path) -> None:
    # The ticket's port becomes one at which nobody listens.
    template = (
        "#!/bin/bash\n#SBATCH --output={{working_directory}}/slurm-%j.out\n"
        "sed -i 's/ tcp:[0-9]*:/ tcp:1:/' {{working_directory}}/worker0.*\n{{command}}\n"
    )
    with SlurmClusterExecutor(
        max_workers=1,
        cache_directory=str(tmp_path),
        block_allocation=True,
        resource_dict={"submission_template": template},
    ) as executor:
        with pytest.raises(TaskRefusedError, match=r"(?s)cannot be reached.*SWIFTLET_ADDRESS"):
            executor.submit(add, 1).result()


def test_a_template_is_the_users(cluster: Cluster, cache: str) -> None:
    template = (
        "#!/bin/bash\n#SBATCH --job-name=mine\n#SBATCH --output=/dev/null\n#SBATCH --ntasks={{cores}}\n"
        "{{command}}\n"
    )
    with SlurmClusterExecutor(
        max_workers=1,
        cache_directory=cache,
        block_allocation=True,
        resource_dict={"submission_template": template},
    ) as executor:
        assert "agent --tickets" in executor.dry_run(add, 1)
        seen = executor.submit(job_of).result()
    assert fields(seen["scontrol"])["JobName"] == "mine"


def test_a_group_of_ranks_is_a_worker(cluster: Cluster, cache: str) -> None:
    with SlurmClusterExecutor(
        max_workers=1, cache_directory=cache, block_allocation=True, resource_dict={"cores": 2}
    ) as executor:
        for x in range(3):
            assert executor.submit(rank_of, x).result() == [(x, 0, 2), (x, 1, 2)]


PROGRAM = """
import os, sys, time
from swiftlet import SlurmClusterExecutor
executor = SlurmClusterExecutor(max_workers=2, block_allocation=True, cache_directory=sys.argv[1])
executor.submit(os.getpid).result()
print("ready", flush=True)
time.sleep(600)
"""


def test_workers_end_when_their_client_is_killed(cluster: Cluster, cache: str) -> None:
    command = [sys.executable, "-c", PROGRAM, cache]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as client:
        assert client.stdout is not None
        killer = threading.Timer(120, client.kill)
        killer.start()
        assert client.stdout.readline() == "ready\n"
        killer.cancel()
        assert cluster.queue()
        client.send_signal(signal.SIGKILL)
        client.wait()
        cluster.until(lambda: not cluster.queue())


def test_the_number_of_workers_is_fixed(executor: SlurmClusterExecutor) -> None:
    with pytest.raises(NotImplementedError):
        executor.max_workers = 3


def test_the_secret_is_in_no_file_that_others_read(cluster: Cluster, cache: str) -> None:
    with SlurmClusterExecutor(
        max_workers=1, cache_directory=cache, block_allocation=True, resource_dict={"hold": True}
    ) as executor:
        future = executor.submit(add, 1)
        cluster.until(cluster.queue)
        (row,) = cluster.queue()
        (folder,) = Path(cache).glob(".swiftlet-workers-*")
        (ticket,) = folder.glob("worker0*")
        assert (folder.stat().st_mode & 0o777, ticket.stat().st_mode & 0o777) == (0o700, 0o600)
        secret = ticket.read_text().split()[2]
        script = cluster.run("scontrol", "write", "batch_script", row.job, "-")
        assert secret not in script + cluster.run("scontrol", "show", "job", row.job)
        cluster.run("scontrol", "release", row.job)
        assert future.result() == 2
        assert not ticket.exists()
