# SPDX-License-Identifier: BSD-3-Clause
"""SlurmJobExecutor inside an allocation: through agents and as steps, by what Slurm and the calls say."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from slurm_cluster import Cluster, fields
from ways import both_ways, other_end

from swiftlet import ResourceError, SlurmJobExecutor


@pytest.fixture
def executor(allocation: dict[str, str]) -> Iterator[SlurmJobExecutor]:
    """Fresh calls on two nodes of four cores."""
    with SlurmJobExecutor() as executor:
        yield executor


def place() -> dict[str, str]:
    return {key: value for key, value in os.environ.items() if key.startswith(("SLURM", "CUDA"))}


def node_after(seconds: float) -> str:
    time.sleep(seconds)
    return os.environ["SLURMD_NODENAME"]


def wait_for(path: str) -> str:
    """Runs until the file is there."""
    while not os.path.exists(path):
        time.sleep(0.01)
    return os.environ["SLURM_STEP_ID"]


def steps(cluster: Cluster, job: str) -> dict[str, dict[str, str]]:
    """The running steps of a job by name, as Slurm shows them."""
    command = ["scontrol", "show", "step", job, "--oneliner"]
    text = subprocess.run(command, capture_output=True, text=True).stdout  # fails where there is none
    found = [fields(line) for line in text.splitlines() if "StepId=" in line]
    return {step["Name"]: step for step in found}


def step_of(cluster: Cluster, job: str) -> dict[str, str]:
    return cluster.until(lambda: steps(cluster, job).get("swiftlet"))


def test_calls_use_all_nodes(executor: SlurmJobExecutor) -> None:
    futures = [executor.submit(node_after, 0.5) for _ in range(8)]
    assert Counter(future.result() for future in futures) == {"n1": 4, "n2": 4}


def test_one_step_serves_all_calls(
    executor: SlurmJobExecutor, cluster: Cluster, allocation: dict[str, str]
) -> None:
    assert list(executor.map(abs, range(-50, 0))) == list(range(50, 0, -1))
    running = steps(cluster, allocation["SLURM_JOB_ID"])
    assert set(running) == {"swiftlet-agents"}
    assert running["swiftlet-agents"]["StepId"].endswith(".0")
    assert running["swiftlet-agents"]["Nodes"] == "2"


def test_a_call_is_not_its_agent(executor: SlurmJobExecutor, allocation: dict[str, str]) -> None:
    """What says who the agent is among the tasks of its step is nobody else's."""
    seen = executor.submit(place).result()
    assert seen["SLURM_JOB_ID"] == allocation["SLURM_JOB_ID"]
    assert seen["SLURMD_NODENAME"] in ("n1", "n2")
    assert not [
        key
        for key in seen
        if key.startswith(("SLURM_STEP", "SLURM_PROCID", "SLURM_TASK_PID", "SLURM_NTASKS"))
    ]


@both_ways
def test_who_talks_to_the_workers(way: str, executor: SlurmJobExecutor) -> None:
    """The engine, past an agent on its own host, or the agent."""
    ends = {executor.submit(other_end).result() for _ in range(3)}
    assert ends == {"engine" if way == "near" else "agent"}


@both_ways
def test_large_data_goes_there_and_back(executor: SlurmJobExecutor) -> None:
    """More than any window of an agent: everything goes inline."""
    array = np.arange(4_000_000, dtype=float)
    doubled = executor.submit(np.multiply, array, 2)
    total = executor.submit(np.sum, doubled)
    assert total.result() == 2 * array.sum()
    result = doubled.result()
    result += 1  # writable, as after any unpickle
    assert result[3] == 7


@both_ways
def test_output_arrives(executor: SlurmJobExecutor, capfd: pytest.CaptureFixture[str]) -> None:
    def talk() -> None:
        print("x" * 100_000)
        print("the end")

    executor.submit(talk).result()
    executor.shutdown()
    assert capfd.readouterr().out.endswith("x\nthe end\n")


@both_ways
def test_warm_workers_on_all_nodes(allocation: dict[str, str]) -> None:
    with SlurmJobExecutor(
        max_workers=8, block_allocation=True, init_function=lambda: {"state": []}
    ) as executor:

        def visit(state: list[int]) -> tuple[str, int]:
            state.append(1)
            time.sleep(0.02)
            return os.environ["SLURMD_NODENAME"], len(state)

        seen = [executor.submit(visit) for _ in range(80)]
        results = [future.result() for future in seen]
    assert {node for node, _ in results} == {"n1", "n2"}
    assert max(count for _, count in results) > 1


def touch(path: str) -> None:
    time.sleep(0.05)
    with open(path, "x"):  # a second run of the call fails
        pass


def all_there(paths: list[str]) -> bool:
    """Waits for files that other calls make; gives up where they wait for this one."""
    patience = time.monotonic() + 30
    while not all(map(os.path.exists, paths)):
        if time.monotonic() > patience:
            return False
        time.sleep(0.01)
    return True


@both_ways
@pytest.mark.parametrize("resources", [{}, {"step": True}], ids=["agents", "steps"])
def test_no_call_is_stuck_behind_a_long_one(
    allocation: dict[str, str], tmp_path: Path, resources: dict[str, Any]
) -> None:
    """Short calls go ahead to workers behind agents; those behind the long one are had back while it runs."""
    with SlurmJobExecutor(max_workers=2, block_allocation=True, resource_dict=resources) as executor:
        assert list(executor.map(abs, range(200))) == list(range(200))
        paths = [str(tmp_path / str(number)) for number in range(12)]
        long = executor.submit(all_there, paths)
        others = [executor.submit(touch, path) for path in paths]
        assert long.result()
        assert [future.result() for future in others] == [None] * len(paths)


def test_a_step_on_request(
    executor: SlurmJobExecutor, cluster: Cluster, allocation: dict[str, str], tmp_path: Path
) -> None:
    resources = {"step": True, "threads_per_core": 2, "run_time_max": 90, "cwd": str(tmp_path / "a b")}
    future = executor.submit(wait_for, str(tmp_path / "go"), resource_dict=resources)
    step = step_of(cluster, allocation["SLURM_JOB_ID"])
    assert step["TRES"].split(",")[0] == "cpu=2"
    assert step["Tasks"] == "1"
    assert step["Nodes"] == "1"
    assert (
        step["TimeLimit"] == "00:03:00"
    )  # the ceiling of its minutes, and one: the seconds are kept by the engine
    (tmp_path / "go").touch()
    assert future.result() == step["StepId"].split(".")[1]
    assert executor.submit(os.getcwd, resource_dict=resources).result() == str(tmp_path / "a b")


def test_steps_are_packed(executor: SlurmJobExecutor) -> None:
    """Eight steps of one core run side by side on eight cores, next to the agents."""
    started = [executor.submit(interval, 1.5, resource_dict={"step": True}) for _ in range(8)]
    spans = [future.result() for future in started]
    assert max(begin for begin, _ in spans) < min(end for _, end in spans)


def interval(seconds: float) -> tuple[float, float]:
    begin = time.time()
    time.sleep(seconds)
    return begin, time.time()


def test_calls_and_steps_share_the_cores(executor: SlurmJobExecutor) -> None:
    """Slurm does not see what the agents run: the executor counts both."""
    wide = executor.submit(interval, 0.5, resource_dict={"threads_per_core": 4, "step": True})
    narrow = [executor.submit(interval, 0.5) for _ in range(8)]
    spans = [future.result() for future in (wide, *narrow)]
    changes = sorted(
        [(begin, 4 if index == 0 else 1) for index, (begin, _) in enumerate(spans)]
        + [(end, -4 if index == 0 else -1) for index, (_, end) in enumerate(spans)]
    )
    used = 0
    for _, change in changes:
        used += change
        assert used <= 8


def test_slurm_cmd_args_reach_srun(executor: SlurmJobExecutor) -> None:
    resources = {"slurm_cmd_args": ["--export=ALL,GREETING=hello there"]}
    line = executor.dry_run(print, resource_dict=resources)
    assert "--export=ALL,GREETING=hello there" in shlex.split(line)
    assert executor.submit(os.getenv, "SLURM_STEP_ID", resource_dict=resources).result() is not None


def test_dry_run_is_the_line(executor: SlurmJobExecutor, allocation: dict[str, str]) -> None:
    line = executor.dry_run(abs, 1, resource_dict={"step": True, "cwd": "/tmp", "run_time_max": 250})
    words = shlex.split(line)
    job = allocation["SLURM_JOB_ID"]
    assert words[:15] == [
        "srun", "-n", "1", "-D", "/tmp", "--mpi=none", "-N", "1", "--cpus-per-task=1", "--exact", "--time=6",
        "-w", "n1", f"--jobid={job}", "--kill-on-bad-exit=1",
    ]  # fmt: skip
    assert "swiftlet agent" in executor.dry_run(abs, 1)


@pytest.mark.parametrize(
    ("resources", "words"),
    [
        ({"num_nodes": 3}, "2 nodes of job"),
        ({"cores": 9}, "larger than the available number of cores"),
        ({"gpus_per_core": 1}, "no GPUs"),
        ({"submission_template": "x"}, "submission_template"),
    ],
)
def test_what_the_allocation_cannot_give(
    executor: SlurmJobExecutor, resources: dict[str, Any], words: str
) -> None:
    with pytest.raises(ResourceError, match=words):
        executor.submit(abs, 1, resource_dict=resources)


def test_more_time_than_is_left(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    with cluster.salloc("-N1", "-n1", "--time=2") as variables:
        for key, value in variables.items():
            monkeypatch.setenv(key, value)
        with SlurmJobExecutor() as executor:
            assert executor.submit(abs, -1, resource_dict={"run_time_max": 60}).result() == 1
            with pytest.raises(
                ResourceError, match=r"run_time_max=3600 s is more than the \d+ s that job \d+ has left"
            ):
                executor.submit(abs, -1, resource_dict={"run_time_max": 3600})


def test_gpus_are_shared_out(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    with cluster.salloc("-N2", "-n8", "--gres=gpu:2") as variables:
        for key, value in variables.items():
            monkeypatch.setenv(key, value)
        with SlurmJobExecutor() as executor:

            def gpu(seconds: float) -> tuple[str, str]:
                time.sleep(seconds)
                return os.environ["SLURMD_NODENAME"], os.environ.get("CUDA_VISIBLE_DEVICES", "none")

            agents = [executor.submit(gpu, 0.5, resource_dict={"gpus_per_core": 1}) for _ in range(4)]
            seen = {future.result() for future in agents}
            assert seen == {("n1", "0"), ("n1", "1"), ("n2", "0"), ("n2", "1")}
            assert executor.submit(gpu, 0).result()[1] == ""
            step = executor.submit(gpu, 0, resource_dict={"gpus_per_core": 2, "step": True}).result()
            assert step[1] == "0,1"


def test_without_an_allocation(cluster: Cluster) -> None:
    """Each call is an srun that gets an allocation of its own."""
    with SlurmJobExecutor(max_workers=2) as executor:
        seen = [executor.submit(place, resource_dict={"threads_per_core": 2}) for _ in range(3)]
        jobs = {future.result()["SLURM_JOB_ID"] for future in seen}
        assert len(jobs) == 3
        assert {future.result()["SLURM_CPUS_PER_TASK"] for future in seen} == {"2"}
        granted = executor.submit(place, resource_dict={"gpus_per_core": 1, "exclusive": True}).result()
        assert granted["CUDA_VISIBLE_DEVICES"] in ("0", "1")
        assert cluster.job(granted["SLURM_JOB_ID"])["OverSubscribe"] == "NO"


def test_warm_without_an_allocation(cluster: Cluster) -> None:
    with SlurmJobExecutor(max_workers=2, block_allocation=True) as executor:
        assert sum(executor.map(abs, range(-200, 0))) == 20100
        names = [row.name for row in cluster.queue()]
    assert names == ["swiftlet", "swiftlet"]
    cluster.until(lambda: not cluster.queue())  # they are completing for a moment


def test_shutdown_leaves_no_step(cluster: Cluster, allocation: dict[str, str]) -> None:
    with SlurmJobExecutor() as executor:
        executor.submit(abs, -1).result()
    assert steps(cluster, allocation["SLURM_JOB_ID"]) == {}


def test_a_job_that_is_over(monkeypatch: pytest.MonkeyPatch, cluster: Cluster) -> None:
    monkeypatch.setenv("SLURM_JOB_ID", "4000000")
    with pytest.raises(RuntimeError, match="SLURM_JOB_ID says that this program runs in job 4000000"):
        SlurmJobExecutor()


def test_an_address_that_nodes_cannot_reach(
    allocation: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SWIFTLET_ADDRESS", "everywhere")
    with pytest.raises(RuntimeError, match="SWIFTLET_ADDRESS='everywhere' has to be the numeric address"):
        SlurmJobExecutor()
    monkeypatch.setenv("SWIFTLET_ADDRESS", "0.0.0.0")
    with pytest.raises(RuntimeError, match="of one interface"):
        SlurmJobExecutor()
    assert re.fullmatch(r"127\..*", "127.0.0.1")


def in_batch(cluster: Cluster, tmp_path: Path, script: str) -> str:
    """What a Python program prints that runs as a batch job on two nodes."""
    program = tmp_path / "program.py"
    program.write_text(script)
    output = tmp_path / "out"
    command = f"{shlex.quote(sys.executable)} {shlex.quote(str(program))}"
    job = cluster.run("sbatch", "--parsable", "-N2", "-n8", f"--output={output}", f"--wrap={command}").strip()
    state = cluster.wait_for_job(job)["JobState"]
    assert state == "COMPLETED", output.read_text()
    return output.read_text()


def test_inside_a_batch_job(cluster: Cluster, tmp_path: Path) -> None:
    """S39: a job that opens executors on its own allocation, and a call that opens one on its own slot."""
    printed = in_batch(
        cluster,
        tmp_path,
        """
import os
from swiftlet import SingleNodeExecutor, SlurmJobExecutor

def inner():
    with SingleNodeExecutor() as executor:
        return os.environ["SLURMD_NODENAME"], list(executor.map(abs, [-1, -2])), executor.status()["cores"]

if __name__ == "__main__":
    with SlurmJobExecutor() as executor:
        futures = [executor.submit(inner, resource_dict={"threads_per_core": 2}) for _ in range(4)]
        for future in futures:
            print(*future.result())
        step = executor.submit(inner, resource_dict={"step": True, "threads_per_core": 2})
        print("step", *step.result())
""",
    )
    lines = printed.splitlines()
    assert sorted({line.split()[0] for line in lines[:4]}) == ["n1", "n2"]
    assert [line.split(" ", 1)[1] for line in lines[:4]] == ["[1, 2] 2"] * 4
    assert lines[4].startswith("step n")
    assert lines[4].endswith("[1, 2] 2")
