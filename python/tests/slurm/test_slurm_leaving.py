# SPDX-License-Identifier: BSD-3-Clause
"""Programs that leave while their calls wait or run as batch jobs, and others that come for the results."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from slurm_cluster import Cluster

CALLS = """
    import os, sys
    from swiftlet import SlurmClusterExecutor

    def waits_for(path, number):
        while not os.path.exists(path):
            pass
        with open(f"{path}.{number}", "a") as file:
            file.write("ran ")
        return number * number

    executor = SlurmClusterExecutor(cache_directory="cache")
    first = [executor.submit(waits_for, os.path.abspath("go"), number) for number in range(3)]
    last = executor.submit(sum, first)
"""


def all_jobs(cluster: Cluster) -> set[str]:
    """Every job that the controller remembers."""
    return set(cluster.run("squeue", "--noheader", "--states=all", "--format=%F").split())


def test_s37_leave_and_come_back(cluster: Cluster, script: Callable[..., Any], tmp_path: Path) -> None:
    before = all_jobs(cluster)
    leaver = script(CALLS + "    executor.shutdown(wait=False, cancel_futures=False)\n    print('left')")
    status, out, err = leaver.end()
    assert (status, out.split()) == (0, ["left"]), err
    jobs = all_jobs(cluster) - before
    assert jobs
    (tmp_path / "go").write_text("")
    comer = script(CALLS + "    print(last.result(), [future.result() for future in first])")
    status, out, err = comer.end(60)
    assert (status, out.strip()) == (0, "5 [0, 1, 4]"), err
    assert all_jobs(cluster) - before == jobs, "something was queued twice"
    assert [(tmp_path / f"go.{number}").read_text() for number in range(3)] == ["ran "] * 3


def test_two_programs_at_once_run_each_call_once(
    cluster: Cluster, script: Callable[..., Any], tmp_path: Path
) -> None:
    both = [script(CALLS + "    print('there', flush=True)\n    print(last.result())") for _ in range(2)]
    assert [program.line() for program in both] == ["there"] * 2
    (tmp_path / "go").write_text("")
    for program in both:
        status, out, err = program.end(60)
        assert (status, out.strip()) == (0, "5"), err
    assert [(tmp_path / f"go.{number}").read_text() for number in range(3)] == ["ran "] * 3


def test_s38_leave_and_cancel(cluster: Cluster, script: Callable[..., Any]) -> None:
    leaver = script(CALLS + "    executor.shutdown(wait=False, cancel_futures=True)\n    print('left')")
    status, out, err = leaver.end(60)
    assert (status, out.split()) == (0, ["left"]), err
    cluster.until(lambda: not cluster.queue(), seconds=20)


def test_a_program_that_is_killed_leaves_its_jobs(
    cluster: Cluster, script: Callable[..., Any], tmp_path: Path
) -> None:
    victim = script(CALLS + "    print('there', flush=True)\n    last.result()")
    assert victim.line() == "there"
    cluster.until(lambda: len(cluster.queue()) == 4)
    victim.process.kill()
    victim.process.wait()
    (tmp_path / "go").write_text("")
    status, out, err = script(CALLS + "    print(last.result())").end(60)
    assert (status, out.strip()) == (0, "5"), err
    assert [(tmp_path / f"go.{number}").read_text() for number in range(3)] == ["ran "] * 3


def test_the_rest_of_an_array_goes_when_its_calls_are_done_and_nobody_is_there(
    cluster: Cluster, script: Callable[..., Any]
) -> None:
    before = all_jobs(cluster)
    leaver = script(
        """
        from swiftlet import SlurmClusterExecutor

        executor = SlurmClusterExecutor(cache_directory="cache")
        futures = [executor.submit(abs, -number) for number in range(300)]
        executor.shutdown(wait=False, cancel_futures=False)
        """
    )
    assert leaver.end(60)[0] == 0
    cluster.until(lambda: not cluster.queue(), seconds=100)
    (array,) = all_jobs(cluster) - before
    words = cluster.run("squeue", "--noheader", "--states=all", "--array", f"--jobs={array}", "--format=%T")
    assert "CANCELLED" in words.split(), words
