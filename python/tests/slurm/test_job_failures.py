# SPDX-License-Identifier: BSD-3-Clause
"""What happens to calls when agents, nodes, steps, the job or this program die."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from marked_processes import MARK, gone_within, processes_with
from slurm_cluster import Cluster
from ways import both_ways

import swiftlet
from swiftlet import SlurmJobExecutor

TIMEOUT = 90


@pytest.fixture
def executor(allocation: dict[str, str]) -> Iterator[SlurmJobExecutor]:
    with SlurmJobExecutor() as executor:
        yield executor


def node_and_sleep(path: str, seconds: float) -> str:
    """Says in a file that it runs, and where."""
    node = os.environ["SLURMD_NODENAME"]
    with open(os.path.join(path, f"{node}-{os.getpid()}"), "w"):
        pass
    time.sleep(seconds)
    return node


def agents() -> dict[str, int]:
    """The agents of this cluster by node: those among the processes that its slurmd started."""
    cluster = f"SLURM_CONF={os.environ['SLURM_CONF']}"
    found = {}
    for entry in os.listdir("/proc"):
        with contextlib.suppress(OSError):
            if entry.isdigit() and arguments(int(entry))[1:2] == ["agent"]:
                environment = Path(f"/proc/{entry}/environ").read_text().split("\0")
                if cluster not in environment:
                    continue
                node = next(variable for variable in environment if variable.startswith("SLURMD_NODENAME="))
                found[node.partition("=")[2]] = int(entry)
    return found


def started(directory: Path, count: int) -> list[str]:
    deadline = time.monotonic() + TIMEOUT
    while len(names := [name.split("-")[0] for name in os.listdir(directory)]) < count:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return names


@both_ways
def test_a_lost_node_is_charged_to_nobody(executor: SlurmJobExecutor, tmp_path: Path) -> None:
    """Its calls run again although their restart_limit is 0, and the node comes back."""
    first = [executor.submit(node_and_sleep, str(tmp_path), 1.0) for _ in range(8)]
    assert sorted(started(tmp_path, 8)) == ["n1"] * 4 + ["n2"] * 4
    os.kill(agents()["n2"], signal.SIGKILL)
    assert len([future.result(TIMEOUT) for future in first]) == 8
    assert len(os.listdir(tmp_path)) == 12
    again = [executor.submit(node_and_sleep, str(tmp_path), 0.5) for _ in range(40)]
    assert {future.result(TIMEOUT) for future in again} == {"n1", "n2"}


@both_ways
@pytest.mark.parametrize("_round", range(3))
def test_the_agents_step_is_cancelled(
    _round: int, executor: SlurmJobExecutor, cluster: Cluster, allocation: dict[str, str], tmp_path: Path
) -> None:
    """Slurm kills the processes of a step in any order: its calls may die before their agent does."""
    futures = [executor.submit(node_and_sleep, str(tmp_path), 1.0) for _ in range(8)]
    started(tmp_path, 8)
    job = f"--jobs={allocation['SLURM_JOB_ID']}"
    steps = cluster.run("squeue", "--steps", "--noheader", job, "--format=%i")
    cluster.run("scancel", next(step for step in steps.split() if step.rpartition(".")[2].isdigit()))
    assert sorted(future.result(TIMEOUT) for future in futures) == ["n1"] * 4 + ["n2"] * 4


@both_ways
def test_a_call_that_dies_takes_nobody_along(executor: SlurmJobExecutor) -> None:
    dying = executor.submit(os.kill, 0, signal.SIGKILL)
    others = [executor.submit(abs, -n) for n in range(20)]
    with pytest.raises(swiftlet.WorkerLostError) as lost:
        dying.result(TIMEOUT)
    assert lost.value.signal == signal.SIGKILL
    assert [future.result(TIMEOUT) for future in others] == list(range(20))


def test_the_exit_status_of_a_step(executor: SlurmJobExecutor) -> None:
    with pytest.raises(swiftlet.WorkerLostError) as lost:
        executor.submit(os._exit, 7, resource_dict={"step": True}).result(TIMEOUT)
    assert lost.value.exit_status == 7
    with pytest.raises(swiftlet.WorkerLostError) as lost:
        executor.submit(os.abort, resource_dict={"step": True}).result(TIMEOUT)
    assert lost.value.signal == signal.SIGABRT


def test_a_step_that_is_cancelled_from_outside(
    executor: SlurmJobExecutor, cluster: Cluster, allocation: dict[str, str], tmp_path: Path
) -> None:
    future = executor.submit(node_and_sleep, str(tmp_path), 600, resource_dict={"step": True})
    started(tmp_path, 1)
    cluster.run("scancel", f"{allocation['SLURM_JOB_ID']}.1")
    with pytest.raises(swiftlet.WorkerLostError) as lost:
        future.result(TIMEOUT)
    assert "CANCELLED" in lost.value.stderr
    assert executor.submit(abs, -1).result(TIMEOUT) == 1


def test_a_step_is_ended_by_cancel_and_at_its_limit(
    executor: SlurmJobExecutor, cluster: Cluster, allocation: dict[str, str], tmp_path: Path
) -> None:
    future = executor.submit(node_and_sleep, str(tmp_path), 600, resource_dict={"step": True})
    started(tmp_path, 1)
    assert future.cancel()
    limited = executor.submit(time.sleep, 600, resource_dict={"step": True, "run_time_max": 1})
    with pytest.raises(swiftlet.TimeLimitError):
        limited.result(TIMEOUT)
    cluster.until(lambda: "Name=swiftlet " not in show_steps(allocation))


def show_steps(allocation: dict[str, str]) -> str:
    command = ["scontrol", "show", "step", allocation["SLURM_JOB_ID"], "--oneliner"]
    return subprocess.run(command, capture_output=True, text=True).stdout


def test_a_step_outlives_its_srun_by_nothing(
    executor: SlurmJobExecutor, cluster: Cluster, allocation: dict[str, str], tmp_path: Path
) -> None:
    """Slurm lets a step run on whose srun was killed; its call is lost, so it is cancelled."""
    future = executor.submit(node_and_sleep, str(tmp_path), 600, resource_dict={"step": True})
    started(tmp_path, 1)
    text = show_steps(allocation)
    srun = text.split("Name=swiftlet ")[1].split("SrunHost:Pid=")[1].split()[0].split(":")[1]
    os.kill(int(srun), signal.SIGKILL)
    with pytest.raises(swiftlet.WorkerLostError):
        future.result(TIMEOUT)
    cluster.until(lambda: "Name=swiftlet " not in show_steps(allocation))


def test_the_job_is_cancelled(
    executor: SlurmJobExecutor, cluster: Cluster, allocation: dict[str, str]
) -> None:
    running = [executor.submit(time.sleep, 600) for _ in range(4)]
    waiting = [executor.submit(abs, -1) for _ in range(100)]
    executor.submit(abs, -1).cancel()
    while not any(future.running() for future in running):
        time.sleep(0.02)
    cluster.run("scancel", allocation["SLURM_JOB_ID"])
    for future in (*running, *waiting):
        with pytest.raises((swiftlet.ExecutorlibSocketError, RuntimeError)) as lost:
            future.result(TIMEOUT)
    assert "no node of the allocation can be used" in str(lost.value)


def test_the_jobs_time_ends(executor: SlurmJobExecutor, cluster: Cluster, allocation: dict[str, str]) -> None:
    future = executor.submit(time.sleep, 600)
    while not future.running():
        time.sleep(0.02)
    end = time.strftime("%Y-%m-%dT%H:%M:%S", time.localtime(time.time() + 2))
    cluster.run("scontrol", "update", f"jobid={allocation['SLURM_JOB_ID']}", f"EndTime={end}")
    with pytest.raises(swiftlet.ExecutorlibSocketError) as lost:
        future.result(TIMEOUT)
    assert "TIME LIMIT" in str(lost.value)


def test_too_much_memory(executor: SlurmJobExecutor) -> None:
    """Slurm ends the step: the call ends with its words."""

    def hold(size: int) -> None:
        data = bytearray(size)
        for start in range(0, size, 4096):
            data[start] = 1
        time.sleep(60)

    resources = {"memory_max": 0.1}
    assert " --mem=103M " in executor.dry_run(hold, 0, resource_dict=resources)
    with pytest.raises(swiftlet.MemoryLimitError) as lost:
        executor.submit(hold, 400 << 20, resource_dict=resources).result(TIMEOUT)
    assert "memory" in lost.value.stderr


def test_slurmd_dies(executor: SlurmJobExecutor, cluster: Cluster, tmp_path: Path) -> None:
    """Agents need no slurmd: nothing happens to calls, and the node goes on."""
    first = [executor.submit(node_and_sleep, str(tmp_path), 0.5) for _ in range(8)]
    started(tmp_path, 8)
    pid = int((cluster.directory / "run" / "slurmd-n2.pid").read_text())
    os.kill(pid, signal.SIGKILL)
    assert len([future.result(TIMEOUT) for future in first]) == 8
    again = [executor.submit(node_and_sleep, str(tmp_path), 0.2) for _ in range(16)]
    assert {future.result(TIMEOUT) for future in again} == {"n1", "n2"}


@pytest.mark.parametrize("victim", ["client", "engine", "guardian"])
@pytest.mark.parametrize("kind", ["agents", "ranks", "step", "warm"])
def test_nothing_is_left_on_the_nodes(
    victim: str, kind: str, cluster: Cluster, allocation: dict[str, str], tmp_path: Path
) -> None:
    program = tmp_path / "program.py"
    calls = tmp_path / "calls"
    calls.mkdir()
    program.write_text(f"""
import os, time
from swiftlet import SlurmJobExecutor

def hold(path):
    open(os.path.join(path, str(os.getpid())), "w").close()
    time.sleep(600)

if __name__ == "__main__":
    warm = {kind == "warm"}
    executor = SlurmJobExecutor(max_workers=4 if warm else None, block_allocation=warm, pmi_mode="pmi2")
    resources = {{"step": {{"step": True}}, "ranks": {{"cores": 2}}}}.get({kind!r})
    futures = [executor.submit(hold, {str(calls)!r}, resource_dict=resources) for _ in range(4)]
    while len(os.listdir({str(calls)!r})) < {8 if kind == "ranks" else 4}:
        time.sleep(0.05)
        assert not any(future.done() for future in futures), futures
    print(executor._session.connection.engine_pid, flush=True)
    try:
        futures[0].result()
    except RuntimeError:
        print("ended", flush=True)
        os._exit(0)
""")
    mark = uuid.uuid4().hex
    environment = {**os.environ, MARK: mark}
    command = [sys.executable, str(program)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as client:
        assert client.stdout is not None
        engine = int(client.stdout.readline())
        guardian = next(
            pid for pid in processes_with(mark) if parent(pid) == engine and "guardian" in arguments(pid)
        )
        os.kill({"client": client.pid, "engine": engine, "guardian": guardian}[victim], signal.SIGKILL)
        client.wait(TIMEOUT)
    assert gone_within(20, mark) == []
    cluster.until(lambda: "StepId" not in show_steps(allocation))


def arguments(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/cmdline").read_text().split("\0")


def parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
