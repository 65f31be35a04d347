# SPDX-License-Identifier: BSD-3-Clause
"""A Swift program's own functions in Flux: the scenarios of Tests/TestProgram/FluxScenarios.swift."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path

import pytest
from flux_nodes import Instance

import swift_program

HOST = socket.gethostname()
Scenario = Callable[..., list[str]]


@pytest.fixture(scope="session")
def scenario() -> Scenario:
    """Runs a scenario; the lines it prints."""
    swift_program.built()
    return swift_program.run


@pytest.fixture(autouse=True)
def on_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """The instance's nodes have names that nobody knows."""
    monkeypatch.setenv("SWIFTLET_ADDRESS", "127.0.0.1")


@pytest.mark.usefixtures("instance")
@pytest.mark.parametrize(
    ("name", "lines"),
    [
        ("places", ["processes 32 jobs few"]),
        ("warm", ["3 8"]),
        ("behind", ["12"]),
        ("jobs", ["a job 2", "[1, 1] false"]),
        ("ranks", ["0/4 1/4 2/4 3/4", "0/4", "0/3 1/3 2/3"]),
        ("commands", ["one 3", ",".join(f"rank {rank} of 6" for rank in range(6)), "9", "4", "refused"]),
        (
            "failures",
            [
                f"lost trapped 0 {HOST[0]} false",
                f"lost killed 0 {HOST[0]} false",
                f"lost - 3 {HOST[0]} false",
                "timeLimit",
                "failed OutOfRange(number: 12)",
                "lost 9",
            ],
        ),
        ("memory", ["ended", "ended", "9"]),
        ("data", ["499999500000.0 499999500000.0 1000000"]),
    ],
)
def test_in_an_instance(scenario: Scenario, name: str, lines: list[str]) -> None:
    assert scenario(f"flux-{name}") == lines


@pytest.mark.usefixtures("instance")
def test_ranks_on_several_nodes_with_mpi(scenario: Scenario) -> None:
    assert swift_program.MPICH.exists()
    assert scenario("flux-launched", str(swift_program.MPICH)) == [
        swift_program.RANKS, "-", "0/2", *swift_program.FAILURES, "0/4=10 1/4=10 2/4=10 3/4=10 true",
    ]  # fmt: skip


@pytest.mark.usefixtures("instance")
def test_groups_that_stay(scenario: Scenario) -> None:
    assert scenario("flux-launched-warm") == [*[" 10" * 6] * 3, "6"]


@pytest.mark.usefixtures("instance")
def test_what_the_instance_cannot_give(scenario: Scenario) -> None:
    wide, large, *memory, arguments, command, pool = scenario("flux-refusals")
    assert "threadsPerCore is 5, the largest node has 4 cores" in wide
    assert "17 cores, the executor has 16" in large
    assert len(memory) == 2
    assert all("a job of Flux has no limit of memory" in line for line in [*memory, command])
    assert "launcherArguments has --queue=x" in arguments
    assert "17 workers of 1 cores are more than the 16 cores of the instance" in pool


def test_without_an_instance(scenario: Scenario, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("FLUX_URI", f"local://{tmp_path}/none")
    for name in ("flux-places", "fluxcluster-graph"):
        with pytest.raises(AssertionError, match=r"can be reached at local:.*\n.*flux start"):
            scenario(name, str(tmp_path))


def test_jobs_and_coming_back(scenario: Scenario, instance: Instance, tmp_path: Path) -> None:
    """The jobs of a program that leaves go on; who comes back gets their values, and nothing runs twice."""
    assert scenario("fluxcluster-leave", str(tmp_path)) == ["not queued 0", "engineEnded"]
    assert scenario("fluxcluster-graph", str(tmp_path)) == ["total 6"]
    assert scenario("fluxcluster-graph", str(tmp_path)) == ["total 6"]
    assert (tmp_path / "ran").read_text() == "xxx"


def test_how_jobs_end(scenario: Scenario, instance: Instance, tmp_path: Path) -> None:
    assert scenario("fluxcluster-ends", str(tmp_path)) == [
        "0/3 1/3 2/3", "failed OutOfRange(number: 12)", "lost 9",
        "an input has no value: the worker that ran the task was ended by signal 9 (SIGKILL)",
        "timeLimit", "3 false",
    ]  # fmt: skip


@pytest.mark.usefixtures("instance")
@pytest.mark.parametrize("name", ["flux", "flux-warm", "flux-cluster"])
def test_relative_directories(scenario: Scenario, tmp_path: Path, name: str) -> None:
    expected = swift_program.DIRECTORIES[: -1 if name.endswith("warm") else None]
    assert scenario(f"directories-{name}", str(tmp_path)) == expected


@pytest.mark.usefixtures("instance")
def test_causes_of_jobs(scenario: Scenario, tmp_path: Path) -> None:
    assert scenario("fluxcluster-causes", str(tmp_path)) == swift_program.CAUSES
