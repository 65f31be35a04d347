# SPDX-License-Identifier: BSD-3-Clause
"""Calls on the resources of a real Flux instance: ``FluxJobExecutor``."""

from __future__ import annotations

import os
import resource
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import flux_work as work
import pytest
from flux_nodes import CORES_PER_NODE, GPUS_PER_NODE, NODES, Instance
from ways import both_ways, other_end

from swiftlet import FluxJobExecutor, ResourceError

PATIENCE = 60


def jobs_so_far(instance: Instance) -> int:
    return len(instance.run("jobs", "-a", "--count=0", "--no-header", "--format={id}").split())


@both_ways
def test_who_talks_to_the_workers(way: str, executor: FluxJobExecutor) -> None:
    """The engine, past an agent on its own host, or the agent."""
    ends = {executor.submit(other_end).result(PATIENCE) for _ in range(3)}
    assert ends == {"engine" if way == "near" else "agent"}


def test_without_descriptors_a_worker_is_relayed(executor: FluxJobExecutor) -> None:
    assert executor.submit(other_end).result(PATIENCE) == "engine"
    assert executor._session is not None
    engine = executor._session.connection.engine_pid
    soft, hard = resource.prlimit(engine, resource.RLIMIT_NOFILE)
    resource.prlimit(engine, resource.RLIMIT_NOFILE, (1, hard))
    try:
        assert executor.submit(other_end).result(PATIENCE) == "agent"
    finally:
        resource.prlimit(engine, resource.RLIMIT_NOFILE, (soft, hard))
    assert executor.submit(other_end).result(PATIENCE) == "engine"


@both_ways
def test_calls_and_inputs(executor: FluxJobExecutor) -> None:
    total = executor.submit(work.add, executor.submit(work.square, 3), executor.submit(work.square, 4))
    assert total.result(PATIENCE) == 25
    with pytest.raises(ValueError, match="as it should"):
        executor.submit(work.raises, "as it should").result(PATIENCE)


def test_calls_share_few_jobs(executor: FluxJobExecutor, instance: Instance) -> None:
    before = jobs_so_far(instance)
    futures = [executor.submit(work.square, number) for number in range(200)]
    assert [future.result(PATIENCE) for future in futures] == [number * number for number in range(200)]
    assert jobs_so_far(instance) - before <= 2 * NODES * CORES_PER_NODE  # 200 calls


def test_fresh_processes(executor: FluxJobExecutor) -> None:
    processes = {executor.submit(os.getpid).result(PATIENCE) for _ in range(5)}
    assert len(processes) == 5


@both_ways
def test_warm_workers_are_prepared_once(make: Callable[..., FluxJobExecutor]) -> None:
    with make(max_workers=2, block_allocation=True, init_function=partial(work.opened, 100)) as executor:
        assert list(executor.map(work.based, range(50))) == [100 + number for number in range(50)]
        assert len({executor.submit(os.getpid).result(PATIENCE) for _ in range(20)}) <= 2


@both_ways
@pytest.mark.parametrize("resources", [{}, {"step": True}], ids=["leases", "own jobs"])
def test_no_call_is_stuck_behind_a_long_one(
    make: Callable[..., FluxJobExecutor], tmp_path: Path, resources: Any
) -> None:
    """The long call waits for what the short ones make."""
    paths = [str(tmp_path / str(number)) for number in range(12)]
    with make(max_workers=2, block_allocation=True, resource_dict=resources) as executor:
        assert list(executor.map(abs, range(200))) == list(range(200))
        long = executor.submit(work.sees_all, paths, PATIENCE / 2)
        others = [executor.submit(work.makes, path) for path in paths]
        assert long.result(PATIENCE)
        assert [future.result(PATIENCE) for future in others] == [None] * len(paths)


def test_a_step_is_a_job_of_its_own(executor: FluxJobExecutor, instance: Instance) -> None:
    before = jobs_so_far(instance)
    resources: Any = {"step": True}
    found = [
        executor.submit(work.variable, "FLUX_JOB_ID", resource_dict=resources).result(PATIENCE)
        for _ in range(3)
    ]
    assert len(set(found)) == 3
    assert jobs_so_far(instance) - before == 3


def test_gpus_are_given_to_one_call_each(make: Callable[..., FluxJobExecutor], tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    assert GPUS_PER_NODE == 2
    with make() as executor:
        assert executor.submit(work.variable, "CUDA_VISIBLE_DEVICES").result(PATIENCE) == "-1"
        for step in (False, True):
            resources: Any = {"gpus_per_core": 1, "step": step}
            seen = executor.submit(work.variable, "CUDA_VISIBLE_DEVICES", resource_dict=resources)
            assert seen.result(PATIENCE) in ("0", "1")
        both: Any = {"gpus_per_core": 2}
        seen = executor.submit(work.variable, "CUDA_VISIBLE_DEVICES", resource_dict=both)
        assert seen.result(PATIENCE) == "0,1"


def test_exclusive_calls_have_a_whole_node(executor: FluxJobExecutor, instance: Instance) -> None:
    many = [executor.submit(work.square, number) for number in range(40)]
    alone = executor.submit(work.variable, "FLUX_JOB_ID", resource_dict={"exclusive": True})
    job = alone.result(PATIENCE)
    assert job is not None
    ncores = instance.run("jobs", "--no-header", "--format={ncores}", job).strip()
    assert ncores == str(CORES_PER_NODE)
    assert [future.result(PATIENCE) for future in many] == [number * number for number in range(40)]


def test_the_directory_and_threads(executor: FluxJobExecutor, tmp_path: Path) -> None:
    for step in (False, True):
        resources: Any = {"cwd": str(tmp_path), "threads_per_core": 2, "step": step}
        assert executor.submit(os.getcwd, resource_dict=resources).result(PATIENCE) == str(tmp_path)
        threads = executor.submit(work.variable, "OMP_NUM_THREADS", resource_dict=resources)
        assert threads.result(PATIENCE) == "2"


def test_what_can_never_fit_fails_at_once_in_fluxs_words(make: Callable[..., FluxJobExecutor]) -> None:
    wide: Any = {"threads_per_core": CORES_PER_NODE + 1}
    gpus: Any = {"gpus_per_core": GPUS_PER_NODE + 1}
    with make() as executor:
        for resources in (wide, gpus, {**wide, "step": True}, {**gpus, "step": True}):
            with pytest.raises(Exception, match="unsatisfiable request"):
                executor.submit(work.square, 1, resource_dict=resources).result(PATIENCE)
        assert executor.submit(work.square, 3).result(PATIENCE) == 9
    with make(max_workers=1, block_allocation=True, resource_dict=wide) as executor:
        with pytest.raises(Exception, match="unsatisfiable request"):
            executor.submit(work.square, 1).result(PATIENCE)


def test_what_no_job_can_be_is_refused_by_name(make: Callable[..., FluxJobExecutor]) -> None:
    with make() as executor:
        with pytest.raises(ResourceError, match="num_nodes"):
            executor.submit(work.square, 1, resource_dict={"num_nodes": 2})
        with pytest.raises(ResourceError, match="cores"):
            executor.submit(work.square, 1, resource_dict={"cores": NODES * CORES_PER_NODE + 1})
    with pytest.raises(ValueError, match="Oversubscribing is not supported"):
        make(openmpi_oversubscribe=True)
    with pytest.raises(ResourceError, match="larger than the available cores"):
        make(block_allocation=True, max_workers=NODES * CORES_PER_NODE + 1)


def test_two_executors_share_an_instance(make: Callable[..., FluxJobExecutor]) -> None:
    """Neither keeps what it does not use: each call of the second waits for one of the first."""
    with make() as first, make() as second:
        value: Any = 0
        for number in range(6):
            value = (first, second)[number % 2].submit(work.add, value, 1)
        many = [exe.submit(work.square, number) for number in range(40) for exe in (first, second)]
        assert value.result(PATIENCE) == 6
        assert sum(future.result(PATIENCE) for future in many) == 2 * sum(n * n for n in range(40))


def test_other_jobs_of_the_instance_get_their_cores(
    make: Callable[..., FluxJobExecutor], instance: Instance
) -> None:
    with make() as executor:
        futures = [executor.submit(work.square, number) for number in range(100)]
        everything = instance.run("run", f"-N{NODES}", "--exclusive", "hostname").split()
        assert len(everything) == NODES
        assert len([future.result(PATIENCE) for future in futures]) == 100


def test_log_files(make: Callable[..., FluxJobExecutor], tmp_path: Path) -> None:
    resources: Any = {"cwd": str(tmp_path)}
    with make(flux_log_files=True, resource_dict=resources) as executor:
        executor.submit(print, "printed by the call").result(PATIENCE)
        executor.submit(work.square, 2).result(PATIENCE)
    assert (tmp_path / "flux_0.out").read_text() == "printed by the call\n"
    assert {path.name for path in tmp_path.iterdir()} == {
        f"flux_{number}.{stream}" for number in range(2) for stream in ("out", "err")
    }


@both_ways
def test_what_a_job_prints_is_seen(executor: FluxJobExecutor, capfd: pytest.CaptureFixture[str]) -> None:
    for step in (False, True):
        resources: Any = {"step": step}
        executor.submit(print, f"step {step}", resource_dict=resources).result(PATIENCE)
    executor.shutdown()
    printed = capfd.readouterr().out
    assert "step False\n" in printed
    assert "step True\n" in printed


def test_a_nested_call_has_an_instance_of_its_size(make: Callable[..., FluxJobExecutor]) -> None:
    """Three levels: sixteen cores, three of them, two of these."""
    with make(flux_executor_nesting=True) as executor:
        sizes = executor.submit(work.sizes_below, [2], resource_dict={"threads_per_core": 3})
        assert sizes.result(2 * PATIENCE) == [3, 2]


def test_nested_warm_workers(make: Callable[..., FluxJobExecutor]) -> None:
    resources: Any = {"threads_per_core": 2}
    with make(
        flux_executor_nesting=True, block_allocation=True, max_workers=2, resource_dict=resources
    ) as executor:
        assert list(executor.map(work.sizes_below, [[], [], []])) == [[2], [2], [2]]


class Recorder:
    """Submits as a ``flux.job.FluxExecutor`` does, by the command."""

    def __init__(self, instance: Instance) -> None:
        self.instance = instance
        self.submitted = 0

    def submit(self, jobspec: str, urgency: int = 16) -> Recorder:
        import subprocess

        self.submitted += 1
        answer = subprocess.run(
            ["flux", "job", "submit", f"--urgency={urgency}"],
            input=jobspec,
            text=True,
            capture_output=True,
            check=True,
        )
        self.job = answer.stdout.strip()
        return self

    def attach(self, jobid: int) -> Recorder:
        raise NotImplementedError

    def jobid(self, timeout: float) -> int:
        return int(self.instance.run("job", "id", "--to=dec", self.job))

    def add_jobid_callback(self, callback: Callable[[Recorder], None]) -> None:
        callback(self)


def test_the_users_own_flux_executor_submits(
    make: Callable[..., FluxJobExecutor], instance: Instance
) -> None:
    recorder = Recorder(instance)
    with make(flux_executor=recorder) as executor:
        assert executor.submit(work.square, 4).result(PATIENCE) == 16
        resources: Any = {"step": True}
        assert executor.submit(work.square, 5, resource_dict=resources).result(PATIENCE) == 25
    assert recorder.submitted == 2
