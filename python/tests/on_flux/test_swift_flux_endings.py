# SPDX-License-Identifier: BSD-3-Clause
"""Tasks of a Swift program that end badly in Flux end as they do on one machine, with the same words."""

from __future__ import annotations

from pathlib import Path

import pytest
from flux_nodes import Instance

import swift_program


@pytest.fixture(autouse=True)
def on_this_machine(instance: Instance, monkeypatch: pytest.MonkeyPatch) -> None:
    """The instance's nodes have names that nobody knows."""
    monkeypatch.setenv("SWIFTLET_ADDRESS", "127.0.0.1")


def run(scenario: str, directory: Path, program: Path | None = None) -> list[str]:
    """The lines that a scenario of Tests/TestProgram/EndingScenarios.swift prints."""
    return swift_program.run(f"ending-flux-{scenario}", str(directory), program=program)


@pytest.mark.timeout(400)
@pytest.mark.parametrize(
    ("name", "count"), [("fresh", 18), ("warm", 8), ("warm-ranks", 10), ("steps", 18), ("jobs", 18)]
)
def test_every_end(tmp_path: Path, name: str, count: int) -> None:
    assert run(name, tmp_path) == [f"{count} ends"]


@pytest.mark.parametrize("name", ["rebuilt-step", "rebuilt-job"])
def test_a_program_that_is_rebuilt_before_its_job(program_copy: Path, tmp_path: Path, name: str) -> None:
    (line,) = run(name, tmp_path, program_copy)
    assert line.startswith("refused: ")
    assert swift_program.REBUILT in line


@pytest.mark.parametrize(("name", "code"), [("gone-step", "refused: "), ("gone-job", "lost: the queue job ")])
def test_a_program_that_is_gone_before_its_job(
    program_copy: Path,
    tmp_path: Path,
    instance: Instance,
    name: str,
    code: str,
) -> None:
    said = "\n".join(run(name, tmp_path, program_copy))
    assert said.startswith(code)
    assert f"{program_copy}: " in said
    instance.wait_until_idle()


def test_a_program_that_is_rebuilt_before_its_executor(program_copy: Path, tmp_path: Path) -> None:
    (line,) = run("rebuilt-before", tmp_path, program_copy)
    assert "the file of this program is not there any more" in line
