# SPDX-License-Identifier: BSD-3-Clause
"""Tasks of a Swift program that end badly on Slurm end as they do on one machine, with the same words."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from slurm_cluster import Cluster

import swift_program

BUILD = "it was rebuilt or replaced meanwhile"


def run(program: Path, scenario: str, directory: Path) -> list[str]:
    """The lines that a scenario of Tests/TestProgram/EndingScenarios.swift prints."""
    done = subprocess.run(
        [program, f"ending-{scenario}", directory], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.splitlines()


@pytest.mark.timeout(400)
@pytest.mark.usefixtures("allocation")
@pytest.mark.parametrize(("name", "count"), [("fresh", 18), ("warm", 8), ("warm-ranks", 10), ("steps", 18)])
def test_in_an_allocation(tmp_path: Path, name: str, count: int) -> None:
    assert run(swift_program.built(), name, tmp_path) == [f"{count} ends"]


@pytest.mark.timeout(400)
@pytest.mark.usefixtures("cluster")
def test_jobs(tmp_path: Path) -> None:
    assert run(swift_program.built(), "jobs", tmp_path) == ["18 ends"]


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the program, which may be replaced."""
    return Path(shutil.copy(swift_program.built(), tmp_path / "program"))


@pytest.mark.usefixtures("allocation")
def test_a_program_that_is_rebuilt_or_gone_before_its_step_starts(copy: Path, tmp_path: Path) -> None:
    (line,) = run(copy, "rebuilt-step", tmp_path)
    assert line.startswith("refused: ")
    assert BUILD in line
    said = "\n".join(run(copy, "gone-step", tmp_path))
    # The step's own srun says it, or, where they are not up yet, that of the agents.
    assert said.startswith(("lost: ", "engineEnded: "))
    assert "No such file" in said
    assert str(copy) in said


@pytest.mark.usefixtures("allocation")
def test_a_program_that_is_rebuilt_before_its_executor(copy: Path, tmp_path: Path) -> None:
    (line,) = run(copy, "rebuilt-before", tmp_path)
    assert "the file of this program is not there any more" in line


def test_a_program_that_is_rebuilt_or_gone_before_its_job(
    copy: Path, cluster: Cluster, tmp_path: Path
) -> None:
    (line,) = run(copy, "rebuilt-job", tmp_path)
    assert line.startswith("refused: ")
    assert BUILD in line
    # Nothing can write an outcome: the queue is asked, by a program whose file is gone.
    said = "\n".join(run(copy, "gone-job", tmp_path))
    assert said.startswith("lost: the queue job ")
    assert "No such file" in said
    assert str(copy) in said
    cluster.until(lambda: not cluster.queue())
