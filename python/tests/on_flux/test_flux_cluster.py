# SPDX-License-Identifier: BSD-3-Clause
"""Calls as jobs of a real Flux instance: ``FluxClusterExecutor``."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import warnings
from concurrent.futures import CancelledError
from pathlib import Path
from typing import Any

import pytest
from flux_nodes import Instance

from swiftlet import FluxClusterExecutor, ResourceError, TaskRefusedError, TimeLimitError, WorkerLostError

PATIENCE = 60


def square(number: int) -> int:
    return number * number


def add(left: int, right: int) -> int:
    return left + right


def exits(status: int) -> None:
    os._exit(status)


def waits_for(path: str) -> str:
    """Opens a fifo: returns when somebody writes to it."""
    with open(path) as file:
        return file.read()


def raises() -> None:
    raise ValueError("as it should")


def cores_of_the_instance() -> str:
    answer = subprocess.run(
        ["flux", "resource", "list", "--no-header", "--states=free", "--format={ncores}"],
        capture_output=True,
        text=True,
        check=True,
    )
    return answer.stdout.strip()


def executor(tmp_path: Path, **options: Any) -> FluxClusterExecutor:
    return FluxClusterExecutor(cache_directory=str(tmp_path / "cache"), **options)


def test_calls_are_jobs_and_inputs_are_dependencies(instance: Instance, tmp_path: Path) -> None:
    before = len(instance.run("jobs", "-a", "--count=0", "--no-header", "--format={id}").split())
    with executor(tmp_path) as exe:
        total = exe.submit(add, exe.submit(square, 3), exe.submit(square, 4))
        assert total.result(PATIENCE) == 25
    after = len(instance.run("jobs", "-a", "--count=0", "--no-header", "--format={id}").split())
    assert after - before == 3


def test_a_job_is_named_by_its_function_and_gets_what_was_asked_for(
    instance: Instance, tmp_path: Path
) -> None:
    with executor(tmp_path) as exe:
        resources = {"threads_per_core": 2, "gpus_per_core": 1, "priority": 4}
        assert exe.submit(square, 5, resource_dict=resources).result(PATIENCE) == 25
    newest = instance.run("jobs", "-a", "--count=1", "--no-header", "--format={name} {ncores} {urgency}")
    assert newest.split() == ["square", "2", "20"]


def test_a_job_that_exits_without_a_result_fails_its_future_at_once(
    instance: Instance, tmp_path: Path
) -> None:
    with executor(tmp_path) as exe:
        lost = exe.submit(exits, 3)
        dependant = exe.submit(add, lost, 1)
        with pytest.raises(WorkerLostError, match="exited with status 3"):
            lost.result(PATIENCE)
        with pytest.raises(WorkerLostError):
            dependant.result(PATIENCE)


def test_a_job_that_is_killed_from_outside_fails_its_future(instance: Instance, tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    with executor(tmp_path) as exe:
        future = exe.submit(waits_for, str(fifo))
        dependant = exe.submit(str, future)
        writer = fifo.open("w")  # opens when the call reads
        (job, *_) = instance.run("jobs", "--filter=running", "--no-header", "--format={id}").split()
        instance.run("job", "raise", "--message=by the test", job)
        with pytest.raises(WorkerLostError, match="was cancelled: by the test"):
            future.result(PATIENCE)
        with pytest.raises(WorkerLostError):
            dependant.result(PATIENCE)
        writer.close()


def test_the_time_limit_ends_the_call(instance: Instance, tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    with executor(tmp_path) as exe:
        future = exe.submit(waits_for, str(fifo), resource_dict={"run_time_max": 0.5})
        with pytest.raises(TimeLimitError):
            future.result(PATIENCE)


def test_what_can_never_fit_fails_at_once_in_fluxs_words(instance: Instance, tmp_path: Path) -> None:
    with executor(tmp_path) as exe:
        wide = exe.submit(square, 2, resource_dict={"threads_per_core": 64})
        many = exe.submit(square, 3, resource_dict={"gpus_per_core": 9})
        for future in (wide, many):
            with pytest.raises(TaskRefusedError, match="unsatisfiable"):
                future.result(PATIENCE)


def test_what_flux_refuses_is_refused_in_its_words(instance: Instance, tmp_path: Path) -> None:
    with executor(tmp_path) as exe, warnings.catch_warnings():
        warnings.simplefilter("error")
        future = exe.submit(square, 2, resource_dict={"queue": "no-such-queue"})
        with pytest.raises(Exception, match=r"Flux refuses its job: .*queue"):
            future.result(PATIENCE)


def test_an_exception_of_the_call_arrives(instance: Instance, tmp_path: Path) -> None:
    with executor(tmp_path) as exe, pytest.raises(ValueError, match="as it should"):
        exe.submit(raises).result(PATIENCE)


def test_a_cancelled_call_leaves_no_job(instance: Instance, tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    with executor(tmp_path) as exe:
        running = exe.submit(waits_for, str(fifo))
        waiting = exe.submit(str, running)
        writer = fifo.open("w")  # opens when the call reads
        assert running.cancel()
        with pytest.raises(CancelledError):
            waiting.result(PATIENCE)
        writer.close()
    instance.wait_until_idle()


def test_nesting_gives_the_call_an_instance_of_its_size(instance: Instance, tmp_path: Path) -> None:
    with executor(tmp_path) as exe:
        future = exe.submit(cores_of_the_instance, resource_dict={"nesting": True, "cores": 3})
        assert future.result(PATIENCE) == "3"


def test_values_that_no_job_can_have_are_refused_by_name(instance: Instance, tmp_path: Path) -> None:
    with executor(tmp_path) as exe:
        for resources in ({"nesting": 1}, {"queue": ""}, {"num_nodes": 2}):
            with pytest.raises(ResourceError, match=next(iter(resources))):
                exe.submit(square, 2, resource_dict=resources)


def test_the_program_may_leave_and_come_back(instance: Instance, tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    program = f"""
        import sys
        sys.path.insert(0, {str(Path(__file__).parent)!r})
        from test_flux_cluster import add, waits_for
        from swiftlet import FluxClusterExecutor
        executor = FluxClusterExecutor(cache_directory={str(tmp_path / "cache")!r})
        executor.submit(add, executor.submit(waits_for, {str(fifo)!r}), "!")
        executor.shutdown(wait=False)
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(program)], check=True, timeout=PATIENCE)
    jobs = instance.open_jobs()
    assert len(jobs) == 2
    code = f"""
        import sys
        sys.path.insert(0, {str(Path(__file__).parent)!r})
        from test_flux_cluster import add, waits_for
        from swiftlet import FluxClusterExecutor
        with FluxClusterExecutor(cache_directory={str(tmp_path / "cache")!r}) as executor:
            future = executor.submit(add, executor.submit(waits_for, {str(fifo)!r}), "!")
            print("submitted", flush=True)
            print(future.result({PATIENCE}))
    """
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code)], stdout=subprocess.PIPE, text=True
    ) as again:
        assert again.stdout is not None
        assert again.stdout.readline() == "submitted\n"
        fifo.write_text("back")
        assert again.stdout.readline() == "back!\n"
        assert again.wait(PATIENCE) == 0
    assert instance.open_jobs() == []


def test_sixty_calls_at_once(instance: Instance, tmp_path: Path) -> None:
    with executor(tmp_path) as exe:
        futures = [exe.submit(square, number) for number in range(60)]
        assert [future.result(PATIENCE) for future in futures] == [number * number for number in range(60)]
