# SPDX-License-Identifier: BSD-3-Clause
"""FluxJobExecutor: how calls, jobs, instances and programs end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import uuid
from collections.abc import Callable
from concurrent.futures import CancelledError
from pathlib import Path
from typing import Any

import flux_work as work
import pytest
from flux_nodes import CORES_PER_NODE, NODES, Instance
from marked_processes import MARK, gone_within, processes_with
from ways import both_ways

from swiftlet import FluxJobExecutor, TimeLimitError, WorkerLostError

PATIENCE = 60


@pytest.fixture(params=[False, True], ids=["shared", "step"])
def resources(request: pytest.FixtureRequest) -> Any:
    """A call on shared cores, and one that is a job of its own."""
    return {"step": request.param}


class Pipes:
    """A call that has told where it runs, and waits."""

    def __init__(self, directory: Path) -> None:
        self.told, self.held = str(directory / "told"), str(directory / "held")
        os.mkfifo(self.told)
        os.mkfifo(self.held)

    def wait(self) -> tuple[int, str]:
        """Process and job of the call, once it runs."""
        with open(self.told) as pipe:
            process, job = pipe.read().split()
        return int(process), job


@pytest.fixture
def pipes(tmp_path: Path) -> Pipes:
    return Pipes(tmp_path)


@both_ways
def test_exit_status_and_signal(executor: FluxJobExecutor, resources: Any) -> None:
    with pytest.raises(WorkerLostError) as lost:
        executor.submit(work.exits, 42, resource_dict=resources).result(PATIENCE)
    assert lost.value.exit_status == 42
    with pytest.raises(WorkerLostError) as lost:
        executor.submit(work.dies_by, signal.SIGKILL, resource_dict=resources).result(PATIENCE)
    assert lost.value.signal == signal.SIGKILL
    assert executor.submit(work.square, 3, resource_dict=resources).result(PATIENCE) == 9


@pytest.mark.parametrize("wanted", [{}, {"step": True}, {"cores": 2}], ids=["shared", "step", "ranks"])
def test_what_a_call_leaves_behind_ends_with_its_worker(
    wanted: dict[str, Any], make: Callable[..., FluxJobExecutor], monkeypatch: pytest.MonkeyPatch
) -> None:
    if "cores" in wanted:
        pytest.importorskip("mpi4py")
    monkeypatch.setenv(MARK, mark := uuid.uuid4().hex)
    with make() as executor:
        executor.submit(work.leaves_a_process, resource_dict=wanted).result(PATIENCE)
    assert gone_within(5.0, mark) == []


@both_ways
def test_a_job_that_is_cancelled_from_outside(
    executor: FluxJobExecutor, instance: Instance, resources: Any, pipes: Pipes
) -> None:
    future = executor.submit(work.tells_and_opens, pipes.told, pipes.held, resource_dict=resources)
    dependant = executor.submit(str, future)
    _, job = pipes.wait()
    instance.run("job", "raise", "--message=by the test", job)
    for ended in (future, dependant):
        with pytest.raises(WorkerLostError, match="was cancelled: by the test"):
            ended.result(PATIENCE)
    assert executor.submit(work.square, 3, resource_dict=resources).result(PATIENCE) == 9


@both_ways
def test_a_call_that_is_cancelled_ends(
    executor: FluxJobExecutor, instance: Instance, resources: Any, pipes: Pipes
) -> None:
    future = executor.submit(work.tells_and_opens, pipes.told, pipes.held, resource_dict=resources)
    dependant = executor.submit(str, future)
    process, _ = pipes.wait()
    assert future.cancel()
    with pytest.raises(CancelledError):
        dependant.result(PATIENCE)
    assert executor.submit(work.square, 3, resource_dict=resources).result(PATIENCE) == 9
    executor.shutdown()
    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)
    assert instance.open_jobs() == []


def test_the_time_limit(executor: FluxJobExecutor, resources: Any, tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    limited: Any = {**resources, "run_time_max": 0.5}
    with pytest.raises(TimeLimitError):
        executor.submit(work.opens, str(fifo), resource_dict=limited).result(PATIENCE)


def test_waiting_for_cores_is_not_counted(
    make: Callable[..., FluxJobExecutor], instance: Instance, resources: Any
) -> None:
    """The instance is full for longer than the call may run."""
    blocker = instance.run(
        "submit", f"--nodes={NODES}", "--exclusive", "--wait-event=start", "sleep", "6"
    ).strip()
    with make() as executor:
        limited: Any = {**resources, "run_time_max": 5}
        assert executor.submit(work.square, 3, resource_dict=limited).result(PATIENCE) == 9
    assert blocker


def test_a_call_that_waits_for_cores_is_cancelled_at_once(
    make: Callable[..., FluxJobExecutor], instance: Instance, resources: Any
) -> None:
    job = instance.run(
        "submit", f"--nodes={NODES}", "--exclusive", "--wait-event=start", "sleep", "inf"
    ).strip()
    try:
        with make() as executor:
            future = executor.submit(work.square, 3, resource_dict=resources)
            assert future.cancel()
        assert instance.open_jobs() == [job]
    finally:
        instance.run("cancel", job)


@both_ways
def test_a_warm_worker_that_dies_is_replaced(make: Callable[..., FluxJobExecutor]) -> None:
    with make(max_workers=1, block_allocation=True) as executor:
        with pytest.raises(WorkerLostError):
            executor.submit(work.exits, 1).result(PATIENCE)
        assert executor.submit(work.square, 3).result(PATIENCE) == 9
    with make(max_workers=1, block_allocation=True, resource_dict={"step": True}) as executor:
        with pytest.raises(WorkerLostError):
            executor.submit(work.exits, 1).result(PATIENCE)
        assert executor.submit(work.square, 3).result(PATIENCE) == 9


def test_when_the_broker_is_killed_no_task_survives(
    own_instance: tuple[Instance, int], resources: Any, pipes: Pipes, monkeypatch: pytest.MonkeyPatch
) -> None:
    mark = uuid.uuid4().hex
    monkeypatch.setenv(MARK, mark)
    instance, _ = own_instance
    broker = int(instance.run("getattr", "broker.pid"))
    with FluxJobExecutor() as executor:
        future = executor.submit(work.tells_and_opens, pipes.told, pipes.held, resource_dict=resources)
        dependant = executor.submit(str, future)
        pipes.wait()
        os.kill(broker, signal.SIGKILL)
        for ended in (future, dependant):
            with pytest.raises(Exception, match=r"lost: .*broker"):
                ended.result(PATIENCE)
    assert gone_within(30, mark) == []


def test_when_the_instance_shuts_down_every_call_ends(
    own_instance: tuple[Instance, int], resources: Any, pipes: Pipes
) -> None:
    instance, _ = own_instance
    with FluxJobExecutor() as executor:
        future = executor.submit(work.tells_and_opens, pipes.told, pipes.held, resource_dict=resources)
        pipes.wait()
        instance.run("shutdown", "--background")
        with pytest.raises(Exception, match=r"was cancelled|is lost"):
            future.result(PATIENCE)


def test_a_program_that_is_killed_leaves_nothing(instance: Instance, resources: Any, pipes: Pipes) -> None:
    mark = uuid.uuid4().hex
    code = f"""
        import sys
        sys.path.insert(0, {str(Path(work.__file__).parent)!r})
        import flux_work as work
        from swiftlet import FluxJobExecutor
        executor = FluxJobExecutor(hostname_localhost=True)
        executor.submit(work.tells_and_opens, {pipes.told!r}, {pipes.held!r}, resource_dict={resources!r})
        waits = executor.submit(work.square, 2, resource_dict={{"cores": {NODES * CORES_PER_NODE}}})
        waits.result()
    """
    program = subprocess.Popen([sys.executable, "-c", textwrap.dedent(code)], env={**os.environ, MARK: mark})
    pipes.wait()
    assert processes_with(mark)
    program.kill()
    program.wait()
    assert gone_within(30, mark) == []
    instance.wait_until_idle()
