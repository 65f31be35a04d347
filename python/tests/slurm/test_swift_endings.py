# SPDX-License-Identifier: BSD-3-Clause
"""Tasks of a Swift program that end badly on Slurm end as they do on one machine, with the same words."""

from __future__ import annotations

from pathlib import Path

import pytest
from slurm_cluster import Cluster

import swift_program


def run(scenario: str, directory: Path, program: Path | None = None) -> list[str]:
    """The lines that a scenario of Tests/TestProgram/EndingScenarios.swift prints."""
    return swift_program.run(f"ending-slurm-{scenario}", str(directory), program=program)


@pytest.mark.timeout(400)
@pytest.mark.usefixtures("allocation")
@pytest.mark.parametrize(("name", "count"), [("fresh", 18), ("warm", 8), ("warm-ranks", 10), ("steps", 18)])
def test_in_an_allocation(tmp_path: Path, name: str, count: int) -> None:
    assert run(name, tmp_path) == [f"{count} ends"]


@pytest.mark.timeout(400)
@pytest.mark.usefixtures("cluster")
def test_jobs(tmp_path: Path) -> None:
    assert run("jobs", tmp_path) == ["18 ends"]


@pytest.mark.usefixtures("allocation")
def test_a_program_that_is_rebuilt_or_gone_before_its_step_starts(program_copy: Path, tmp_path: Path) -> None:
    (line,) = run("rebuilt-step", tmp_path, program_copy)
    assert line.startswith("refused: ")
    assert swift_program.REBUILT in line
    said = "\n".join(run("gone-step", tmp_path, program_copy))
    # The step's own srun says it, or, where they are not up yet, that of the agents.
    assert said.startswith(("lost: ", "engineEnded: "))
    assert "No such file" in said
    assert str(program_copy) in said


@pytest.mark.usefixtures("allocation")
def test_a_program_that_is_rebuilt_before_its_executor(program_copy: Path, tmp_path: Path) -> None:
    (line,) = run("rebuilt-before", tmp_path, program_copy)
    assert "the file of this program is not there any more" in line


def test_a_program_that_is_rebuilt_or_gone_before_its_job(
    program_copy: Path, cluster: Cluster, tmp_path: Path
) -> None:
    (line,) = run("rebuilt-job", tmp_path, program_copy)
    assert line.startswith("refused: ")
    assert swift_program.REBUILT in line
    # Nothing can write an outcome: the queue is asked, by a program whose file is gone.
    said = "\n".join(run("gone-job", tmp_path, program_copy))
    assert said.startswith("lost: the queue job ")
    assert "No such file" in said
    assert str(program_copy) in said
    cluster.until(lambda: not cluster.queue())
