# SPDX-License-Identifier: BSD-3-Clause
"""Jobs of a Flux instance that run each other's short calls, where only one of them fits at a time."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from flux_nodes import Instance
from flux_work import add, dies_by, ends_its_job, makes, raises, square, tells_and_opens

from swiftlet import FluxClusterExecutor, Future, WorkerLostError

PATIENCE = 60


@pytest.fixture
def one_at_a_time(own_instance: tuple[Instance, int]) -> Instance:
    return own_instance[0]


def executor(instance: Instance, tmp_path: Path) -> FluxClusterExecutor:
    cores = int(instance.run("resource", "list", "--no-header", "--states=all", "--format={ncores}"))
    return FluxClusterExecutor(
        cache_directory=str(tmp_path / "cache"), resource_dict={"threads_per_core": cores}
    )


def started(instance: Instance) -> list[str]:
    """The ids of all jobs that were given cores."""
    jobs = instance.run("jobs", "-a", "--count=0", "--no-header", "--format={id} {t_run}").splitlines()
    return [job.split()[0] for job in jobs if float(job.split()[1] or 0) > 0]


def told(fifo: Path) -> tuple[int, str]:
    """The process and the job of the call that writes to it."""
    process, job = fifo.read_text().split()
    return int(process), job


def is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def fifos(tmp_path: Path) -> tuple[Path, Path]:
    both = tmp_path / "told", tmp_path / "go"
    for fifo in both:
        os.mkfifo(fifo)
    return both


def long_behind_short(exe: FluxClusterExecutor, tells: Path, go: Path) -> tuple[Future[str], int, str]:
    """A call that the job of a short one runs: its future, its process, and the job."""
    short, long = exe.submit(square, 2), exe.submit(tells_and_opens, str(tells), str(go))
    process, job = told(tells)
    assert short.result(PATIENCE) == 4
    return long, process, job


def test_each_call_runs_once_and_few_jobs_start(one_at_a_time: Instance, tmp_path: Path) -> None:
    with executor(one_at_a_time, tmp_path) as exe:
        futures = [exe.submit(makes, str(tmp_path / f"made-{number}")) for number in range(40)]
        for future in futures:
            assert future.result(PATIENCE) is None
    assert len(started(one_at_a_time)) < 20
    assert one_at_a_time.open_jobs() == []


def test_what_fails_is_the_call_that_failed(one_at_a_time: Instance, tmp_path: Path) -> None:
    with executor(one_at_a_time, tmp_path) as exe:
        before = exe.submit(square, 2)
        lost, raised = exe.submit(dies_by, 9), exe.submit(raises, "its own")
        after = exe.submit(square, 3)
        assert (before.result(PATIENCE), after.result(PATIENCE)) == (4, 9)
        with pytest.raises(WorkerLostError, match="SIGKILL"):
            lost.result(PATIENCE)
        with pytest.raises(ValueError, match="its own"):
            raised.result(PATIENCE)


def test_a_call_runs_in_its_own_job_when_that_of_another_is_ended(
    one_at_a_time: Instance, tmp_path: Path
) -> None:
    tells, go = fifos(tmp_path)
    with executor(one_at_a_time, tmp_path) as exe:
        long, process, job = long_behind_short(exe, tells, go)
        assert len(one_at_a_time.open_jobs()) == 2
        one_at_a_time.run("job", "raise", "--message=by the test", job)
        _, other = told(tells)
        assert other != job
        assert not is_alive(process)
        go.write_text("done")
        assert long.result(PATIENCE) == "done"


def test_a_call_whose_job_is_killed_in_the_job_of_another_runs_in_its_own_at_once(
    one_at_a_time: Instance, tmp_path: Path
) -> None:
    runs = tmp_path / "runs"
    with executor(one_at_a_time, tmp_path) as exe:
        before, lost = exe.submit(square, 2), exe.submit(ends_its_job, str(runs))
        after = exe.submit(square, 3)
        assert before.result(PATIENCE) == 4
        # Where only the age of the mark speaks this takes a minute.
        with pytest.raises(WorkerLostError, match="signal 9"):
            lost.result(PATIENCE / 2)
        assert after.result(PATIENCE) == 9
    assert runs.read_text() == "xx"


def test_a_call_that_runs_in_the_job_of_another_can_be_cancelled(
    one_at_a_time: Instance, tmp_path: Path
) -> None:
    tells, go = fifos(tmp_path)
    with executor(one_at_a_time, tmp_path) as exe:
        long, process, _ = long_behind_short(exe, tells, go)
        assert long.cancel()
        one_at_a_time.wait_until_idle()
        assert not is_alive(process)


def test_jobs_that_others_depend_on_end_well(one_at_a_time: Instance, tmp_path: Path) -> None:
    with executor(one_at_a_time, tmp_path) as exe:
        parts = [exe.submit(square, number) for number in range(4)]
        sums = [exe.submit(add, left, right) for left, right in zip(parts, parts[1:])]
        assert [future.result(PATIENCE) for future in sums] == [1, 5, 13]


def test_a_program_may_leave_while_jobs_run_each_others_calls(
    one_at_a_time: Instance, tmp_path: Path
) -> None:
    program = f"""
        import sys
        sys.path.insert(0, {str(Path(__file__).parent)!r})
        from flux_work import makes
        from swiftlet import FluxClusterExecutor
        executor = FluxClusterExecutor(cache_directory={str(tmp_path / "cache")!r})
        futures = [executor.submit(makes, {str(tmp_path)!r} + f"/made-{{number}}") for number in range(20)]
        executor.shutdown(wait=sys.argv[1] == "back", cancel_futures=False)
        if sys.argv[1] == "back":
            assert [future.result() for future in futures] == [None] * 20
    """
    command = [sys.executable, "-c", textwrap.dedent(program)]
    subprocess.run([*command, "leave"], check=True, timeout=PATIENCE)
    one_at_a_time.wait_until_idle()
    jobs = started(one_at_a_time)
    subprocess.run([*command, "back"], check=True, timeout=PATIENCE)
    assert started(one_at_a_time) == jobs
