# SPDX-License-Identifier: BSD-3-Clause
"""A Swift program's own functions on Slurm: the scenarios of Tests/TestProgram/SlurmScenarios.swift."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from slurm_cluster import Cluster

import swift_program

Scenario = Callable[..., list[str]]


@pytest.fixture(scope="session")
def scenario() -> Scenario:
    """Runs a scenario; the lines it prints."""
    swift_program.built()
    return lambda name, *rest: swift_program.run(
        name if name.startswith("cluster-") else f"slurm-{name}", *rest
    )


@pytest.mark.usefixtures("allocation")
@pytest.mark.parametrize(
    ("name", "lines"),
    [
        ("places", ["n1 4, n2 4 steps - 8 processes 8"]),
        ("warm", ["n1 n2 8"]),
        ("steps", ["n a step 2", "hello there"]),
        ("ranks", ["0/4 1/4 2/4 3/4", "0/4", "0/3 1/3 2/3"]),
        ("commands", ["n 3", ",".join(f"rank {rank} of 6" for rank in range(6)) + " 2", "9"]),
        (
            "failures",
            [
                "lost trapped 0 n false",
                "lost killed 0 n false",
                "lost - 3 n false",
                "timeLimit",
                "failed OutOfRange(number: 12)",
                "lost 9",
            ],
        ),
        (
            "memory",
            [
                *[
                    "lost the worker that ran the task used more memory than its request's memory, or what "
                    "its job has, and was ended by Slurm"
                ]
                * 2,
                "9",
            ],
        ),
        ("data", ["499999500000.0 499999500000.0 1000000"]),
    ],
)
def test_in_an_allocation(scenario: Scenario, name: str, lines: list[str]) -> None:
    assert scenario(name) == lines


@pytest.mark.usefixtures("allocation")
def test_ranks_on_several_nodes_with_mpi(scenario: Scenario) -> None:
    assert swift_program.MPICH.exists()
    assert scenario("launched", str(swift_program.MPICH)) == [
        swift_program.RANKS, "n1 n2", "0/2", *swift_program.FAILURES, "0/4=10 1/4=10 2/4=10 3/4=10 true",
    ]  # fmt: skip


@pytest.mark.usefixtures("allocation")
def test_groups_that_stay(scenario: Scenario) -> None:
    assert scenario("launched-warm") == [*[" 10" * 6] * 3, "6"]


@pytest.mark.usefixtures("allocation")
def test_what_the_allocation_cannot_give(scenario: Scenario) -> None:
    wide, spread, large, gpus, address = scenario("refusals")
    assert "threadsPerCore is 5, the largest node has 4 cores" in wide
    assert "asks for 3 nodes, there are 2" in spread
    assert "9 cores, the executor has 8" in large
    assert "the allocation has no GPUs" in gpus
    assert "numeric address of one interface" in address


@pytest.mark.usefixtures("allocation")
@pytest.mark.parametrize("kind", ["agent", "step", "ranks"])
def test_a_task_ends_with_its_engine(scenario: Scenario, cluster: Cluster, tmp_path: Path, kind: str) -> None:
    """Also one that computes, below an srun that was killed: Slurm would let it run to its end."""
    command = [str(swift_program.built()), "slurm-hold", str(tmp_path), kind]
    program = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    count = 6 if kind == "ranks" else 1
    cluster.until(lambda: len(list(tmp_path.iterdir())) == count)
    tasks = [Path("/proc", file.name) for file in tmp_path.iterdir()]
    assert all(task.exists() for task in tasks)
    children = Path(f"/proc/{program.pid}/task/{program.pid}/children").read_text().split()
    guardians = children or [child for thread in Path(f"/proc/{program.pid}/task").iterdir()
                             for child in (thread / "children").read_text().split()]  # fmt: skip
    assert guardians
    program.kill()
    for guardian in guardians:
        os.kill(int(guardian), signal.SIGKILL)
    program.wait()
    cluster.until(lambda: not any(task.exists() for task in tasks))


@pytest.mark.usefixtures("allocation")
def test_python_functions(scenario: Scenario, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SWIFTLET_PYTHON", sys.executable)
    assert scenario("python") == ["5.0 [3, 2, 1]", "ValueError", "5.0 [3, 2, 1]", "5.0 25.0"]


@pytest.mark.usefixtures("cluster")
def test_python_functions_as_jobs(
    scenario: Scenario, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SWIFTLET_PYTHON", sys.executable)
    assert scenario("cluster-python", str(tmp_path)) == ["5.0 25", "failed ValueError"]


def test_cancelling_reaches_the_queue(scenario: Scenario, cluster: Cluster, tmp_path: Path) -> None:
    """Of a job that runs, and of one that waits."""
    assert scenario("cluster-cancel", str(tmp_path)) == ["cancelled", "cancelled", "next 3"]
    cluster.until(lambda: not cluster.queue())
    accounts = ("sacct", "-X", "-n", "-P", "-S", "now-1hour", "-o", "JobName,State")
    cluster.until(lambda: "Holder|CANCELLED" in cluster.run(*accounts))


def test_gpus_are_shared_out(scenario: Scenario, cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    with cluster.salloc("-N2", "-n8", "--gres=gpu:2") as variables:
        for key, value in variables.items():
            monkeypatch.setenv(key, value)
        assert scenario("gpus") == ["n1:0 n1:1 n2:0 n2:1"]


def test_without_an_allocation(scenario: Scenario, cluster: Cluster) -> None:
    assert scenario("outside") == ["jobs 3", '["0/2", "1/2"]']
    cluster.until(lambda: not cluster.queue())  # they are completing for a moment


def test_a_job_that_is_over(scenario: Scenario, cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLURM_JOB_ID", "4000000")
    with pytest.raises(AssertionError, match="SLURM_JOB_ID says that this program runs in job 4000000"):
        scenario("places")


@pytest.mark.usefixtures("cluster")
def test_large_values_of_jobs(scenario: Scenario, tmp_path: Path) -> None:
    for _ in range(2):
        assert scenario("cluster-large", str(tmp_path)) == [f"700000 {700_000 * 699_999 // 2}"]


@pytest.mark.usefixtures("cluster")
def test_jobs_and_coming_back(scenario: Scenario, tmp_path: Path) -> None:
    """The jobs of a program that leaves go on; who comes back gets their values, and nothing runs twice."""
    assert scenario("cluster-leave", str(tmp_path)) == ["not queued 0", "engineEnded"]
    assert scenario("cluster-graph", str(tmp_path)) == ["total 6"]
    assert scenario("cluster-graph", str(tmp_path)) == ["total 6"]
    assert (tmp_path / "ran").read_text() == "xxx"


@pytest.mark.usefixtures("cluster")
def test_an_executor_in_a_job_has_what_the_job_was_given(scenario: Scenario, tmp_path: Path) -> None:
    assert scenario("cluster-nested", str(tmp_path)) == [
        "4", "maxCores is 3", "the task asks for 943718400 bytes of memory",
    ]  # fmt: skip


@pytest.mark.usefixtures("cluster")
def test_how_jobs_end(scenario: Scenario, tmp_path: Path) -> None:
    assert scenario("cluster-ends", str(tmp_path)) == [
        "0/3 1/3 2/3", "failed OutOfRange(number: 12)", "lost 9",
        "an input has no value: the worker that ran the task was ended by signal 9 (SIGKILL)",
        "timeLimit", "3 false",
    ]  # fmt: skip


@pytest.mark.usefixtures("allocation")
@pytest.mark.parametrize("name", ["slurm", "slurm-warm", "slurm-cluster"])
def test_relative_directories(tmp_path: Path, name: str) -> None:
    swift_program.built()
    expected = swift_program.DIRECTORIES[: -1 if name.endswith("warm") else None]
    assert swift_program.run(f"directories-{name}", str(tmp_path)) == expected


@pytest.mark.usefixtures("cluster")
def test_causes_of_jobs(scenario: Scenario, tmp_path: Path) -> None:
    """Of a task whose own executor's task failed."""
    assert scenario("cluster-causes", str(tmp_path)) == swift_program.CAUSES
