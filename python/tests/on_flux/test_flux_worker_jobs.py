# SPDX-License-Identifier: BSD-3-Clause
"""``FluxClusterExecutor(block_allocation=True)``: warm workers that are jobs of a real Flux instance."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import flux_work as work
import numpy as np
import pytest
from flux_nodes import CORES_PER_NODE, GPUS_PER_NODE, NODES, Instance

from swiftlet import FluxClusterExecutor, TaskRefusedError, WorkerLostError

PATIENCE = 120


def init() -> dict[str, Any]:
    return {"state": {"job": os.environ["FLUX_JOB_ID"], "pid": os.getpid(), "calls": 0}}


def count(number: int, state: dict[str, Any]) -> tuple[str, int, int]:
    state["calls"] += 1
    return state["job"], state["pid"], state["calls"]


def add(a: Any, b: Any = 1) -> Any:
    return a + b


def place(number: int) -> tuple[str, int, str | None]:
    """The job, how many cores this process may use, and which GPUs it sees."""
    return os.environ["FLUX_JOB_ID"], len(os.sched_getaffinity(0)), os.environ.get("CUDA_VISIBLE_DEVICES")


def ids(instance: Instance) -> set[str]:
    return set(instance.run("jobs", "--no-header", "--format={id.f58}").split())


def until(condition: Callable[[], object]) -> None:
    """Returns when it is true; each time Flux is asked, which takes its time."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline


@pytest.fixture
def make(instance: Instance, tmp_path: Path) -> Callable[..., FluxClusterExecutor]:
    return partial(
        FluxClusterExecutor,
        cache_directory=str(tmp_path / "my results"),
        block_allocation=True,
        hostname_localhost=True,
    )


@pytest.fixture
def executor(make: Callable[..., FluxClusterExecutor]) -> Iterator[FluxClusterExecutor]:
    with make(max_workers=2, init_function=init) as executor:
        yield executor


def test_workers_keep_their_state_and_are_jobs(executor: FluxClusterExecutor, instance: Instance) -> None:
    futures = [executor.submit(count, number) for number in range(200)]
    seen = [future.result(PATIENCE) for future in futures]
    assert 1 <= len({job for job, _, _ in seen}) <= 2
    assert max(calls for _, _, calls in seen) > 1
    assert {job for job, _, _ in seen} <= ids(instance)
    assert executor.max_workers == 2
    executor.shutdown()
    instance.wait_until_idle()


def test_values_and_futures_travel(executor: FluxClusterExecutor) -> None:
    array = np.arange(200_000.0)
    doubled = executor.submit(add, array, array)
    assert np.array_equal(executor.submit(add, doubled).result(PATIENCE), 2 * array + 1)
    with pytest.raises(TypeError):
        executor.submit(add, None).result(PATIENCE)
    assert list(executor.map(add, range(50))) == list(range(1, 51))


def test_a_worker_has_what_its_job_has(make: Callable[..., FluxClusterExecutor], instance: Instance) -> None:
    resources: Any = {"threads_per_core": 2, "gpus_per_core": 1, "run_time_max": 250, "priority": 3}
    with make(max_workers=1, resource_dict=resources) as executor:
        job, _, gpus = executor.submit(place, 0).result(PATIENCE)
        assert executor.submit(work.variable, "OMP_NUM_THREADS").result(PATIENCE) == "2"
        told = instance.run("jobs", "--no-header", "--format={ncores} {duration:.0f} {urgency} {name}", job)
    assert told.split() == ["2", "250", "19", "swiftlet_worker"]
    assert gpus in [f"{number}" for number in range(GPUS_PER_NODE)]


def test_the_first_worker_begins_before_the_others_have_cores(
    make: Callable[..., FluxClusterExecutor], instance: Instance
) -> None:
    with make(max_workers=NODES + 1, resource_dict={"exclusive": True}) as executor:
        assert executor.submit(add, 1).result(PATIENCE) == 2
        until(lambda: len(ids(instance)) == NODES + 1)  # all of them are in the queue
    instance.wait_until_idle()


def test_a_job_that_is_ended_is_replaced(
    executor: FluxClusterExecutor, instance: Instance, tmp_path: Path
) -> None:
    told, held = tmp_path / "told", tmp_path / "held"
    os.mkfifo(told)
    os.mkfifo(held)
    future = executor.submit(work.tells_and_opens, str(told), str(held))
    first = told.read_text().split()[1]
    instance.run("cancel", first)
    second = told.read_text().split()[1]  # a lost node is no fault of the call's: it runs again
    assert second != first
    held.write_text("back")
    assert future.result(PATIENCE) == "back"


def test_a_worker_that_dies_is_replaced_in_its_job(executor: FluxClusterExecutor, instance: Instance) -> None:
    executor.submit(count, 0).result(PATIENCE)
    with pytest.raises(WorkerLostError, match="status 3"):
        executor.submit(work.exits, 3).result(PATIENCE)
    assert [executor.submit(count, number).result(PATIENCE)[2] > 0 for number in range(4)] == [True] * 4


@pytest.mark.parametrize(
    "resources",
    [
        {"run_time_max": 4},
        {"submission_template": "#!/bin/sh\n#flux: -n1 -t10s --output=/dev/null\n{{command}}\n"},
    ],
    ids=["key", "script"],
)
def test_a_call_longer_than_its_job_is_charged(
    make: Callable[..., FluxClusterExecutor], tmp_path: Path, resources: Any
) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    with make(max_workers=1, resource_dict=resources) as executor:
        with pytest.raises(WorkerLostError, match=r"the time of its job on .* is over"):
            executor.submit(work.opens, str(fifo)).result(PATIENCE)
        assert executor.submit(add, 1).result(PATIENCE) == 2  # in another job


def test_what_can_never_fit_ends_the_calls_in_fluxs_words(make: Callable[..., FluxClusterExecutor]) -> None:
    with make(max_workers=2, resource_dict={"threads_per_core": CORES_PER_NODE + 1}) as executor:
        for _ in range(2):
            with pytest.raises(TaskRefusedError, match="unsatisfiable request"):
                executor.submit(add, 1).result(PATIENCE)


def test_what_flux_refuses_ends_the_calls(make: Callable[..., FluxClusterExecutor]) -> None:
    with make(max_workers=2, resource_dict={"queue": "nowhere"}) as executor:
        with pytest.raises(TaskRefusedError, match=r"Flux refuses its job: .*queue"):
            executor.submit(add, 1).result(PATIENCE)


def test_a_group_of_ranks_is_a_worker(make: Callable[..., FluxClusterExecutor]) -> None:
    pytest.importorskip("mpi4py")
    with make(max_workers=1, resource_dict={"cores": 2}) as executor:
        for x in range(3):
            assert executor.submit(work.rank_of_all, x).result(PATIENCE) == [(0, 2, 2 * x), (1, 2, 2 * x)]


def test_ranks_of_a_worker_on_nodes_with_threads_and_gpus(
    make: Callable[..., FluxClusterExecutor], instance: Instance
) -> None:
    pytest.importorskip("mpi4py")
    wanted: Any = {"cores": 2, "num_nodes": 2, "threads_per_core": 2, "gpus_per_core": 1}
    with make(max_workers=1, resource_dict=wanted) as executor:
        assert executor.submit(work.rank_of_all, 3).result(PATIENCE) == [(0, 2, 6), (1, 2, 6)]
        gpus = executor.submit(work.rank_and_gpus).result(PATIENCE)
        assert [len((shown or "").split(",")) for _, shown in gpus] == [1, 1]
        assert instance.run("jobs", "--no-header", "--format={nnodes} {ncores}").split() == ["2", "4"]


def test_a_worker_may_be_an_instance(make: Callable[..., FluxClusterExecutor]) -> None:
    with make(max_workers=1, resource_dict={"threads_per_core": 3, "nesting": True}) as executor:
        assert executor.submit(work.sizes_below, [2]).result(PATIENCE) == [3, 2]


def test_a_template_is_the_users(make: Callable[..., FluxClusterExecutor], instance: Instance) -> None:
    template = (
        "#!/bin/bash\n#flux: --job-name=mine\n#flux: --output=/dev/null\n#flux: -n{{cores}}\n{{command}}\n"
    )
    with make(max_workers=1, resource_dict={"submission_template": template}) as executor:
        assert "agent --tickets" in executor.dry_run(add, 1)
        assert executor.submit(add, 1).result(PATIENCE) == 2
        assert instance.run("jobs", "--no-header", "--format={name}").split() == ["mine"]


def test_workers_end_when_their_client_is_killed(instance: Instance, tmp_path: Path) -> None:
    program = f"""
        import os, time
        from swiftlet import FluxClusterExecutor
        executor = FluxClusterExecutor(
            max_workers=2, block_allocation=True, cache_directory={str(tmp_path)!r}, hostname_localhost=True
        )
        executor.submit(os.getpid).result()
        print("ready", flush=True)
        time.sleep(600)
    """
    command = [sys.executable, "-c", textwrap.dedent(program)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as client:
        assert client.stdout is not None
        assert client.stdout.readline() == "ready\n"
        assert ids(instance)
        client.kill()
        client.wait()
    instance.wait_until_idle()


def test_the_secret_is_in_no_file_that_others_read(
    make: Callable[..., FluxClusterExecutor], instance: Instance, tmp_path: Path
) -> None:
    holder = instance.run("submit", f"-N{NODES}", "--exclusive", "sleep", "inf").strip()
    try:
        with make(max_workers=1) as executor:
            future = executor.submit(add, 1)
            instance.run("job", "wait-event", "--timeout=60", _other(instance, holder), "priority")
            (folder,) = (tmp_path / "my results").glob(".swiftlet-workers-*")
            (ticket,) = folder.glob("worker0*")
            assert (folder.stat().st_mode & 0o777, ticket.stat().st_mode & 0o777) == (0o700, 0o600)
            secret = ticket.read_text().split()[2]
            assert secret not in instance.run("job", "info", _other(instance, holder), "jobspec")
            instance.run("cancel", holder)
            assert future.result(PATIENCE) == 2
            assert not ticket.exists()
    finally:
        if holder in instance.open_jobs():
            instance.run("cancel", holder)


def _other(instance: Instance, holder: str) -> str:
    """The job beside the holder, when it is there."""
    until(lambda: len(instance.open_jobs()) == 2)
    return next(job for job in instance.open_jobs() if job != holder)
