# SPDX-License-Identifier: BSD-3-Clause
"""Ranks that raise, hang and die; launchers that are missing, broken, or somebody else's."""

from __future__ import annotations

import importlib.util
import os
import stat
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mpi_functions as on_ranks
import pytest
from marked_processes import MARK, gone_within, processes_with

import swiftlet
from swiftlet import ExecutorlibSocketError, SingleNodeExecutor


@pytest.mark.parametrize("barrier", [False, True], ids=["others go on", "others wait for it"])
@pytest.mark.parametrize("rank", [0, 1])
def test_w7_a_rank_that_raises(executor: SingleNodeExecutor, rank: int, barrier: bool) -> None:
    future = executor.submit(on_ranks.raises_on, rank, barrier)
    with pytest.raises(ValueError, match=f"rank {rank} is unhappy") as caught:
        future.result()
    assert caught.value.__cause__.rank == f"rank {rank} of 2"  # type: ignore[union-attr]
    assert f"on rank {rank} of 2" in str(caught.value.__cause__)
    assert executor.submit(on_ranks.place, 1).result() == [(1, 2, 0), (1, 2, 1)]


@pytest.mark.parametrize("how", ["exit", "kill"])
@pytest.mark.parametrize("rank", [0, 1])
def test_a_rank_that_dies_ends_the_group_with_the_reason(
    executor: SingleNodeExecutor, rank: int, how: str
) -> None:
    innocent = executor.submit(on_ranks.place, 0)
    future = executor.submit(on_ranks.dies_on, rank, how)
    with pytest.raises(ExecutorlibSocketError) as caught:
        future.result()
    status = getattr(caught.value, "exit_status", None)
    assert status == 5 if how == "exit" else status in (9, 137)
    assert innocent.result() == [(0, 2, 0), (0, 2, 1)]
    assert executor.submit(on_ranks.place, 1).result() == [(1, 2, 0), (1, 2, 1)]


@pytest.mark.parametrize("rank", [0, 1])
def test_an_abort_is_the_calls_own(executor: SingleNodeExecutor, rank: int) -> None:
    for _ in range(3):
        aborting = executor.submit(on_ranks.aborts_on, rank)
        innocent = executor.submit(on_ranks.place, 1)
        with pytest.raises(ExecutorlibSocketError):
            aborting.result()
        assert innocent.result() == [(1, 2, 0), (1, 2, 1)]


def test_an_init_function_that_fails_on_one_rank(make: Callable[..., SingleNodeExecutor]) -> None:
    executor = make(True, init_function=on_ranks.breaks_preparing)
    with pytest.raises(RuntimeError, match="rank 1 cannot prepare"):
        executor.submit(on_ranks.place).result()


def _wait_for(paths: list[Path]) -> None:
    while not all(path.exists() for path in paths):
        os.sched_yield()


def test_the_time_limit_ends_the_whole_tree(
    make: Callable[..., SingleNodeExecutor], warm: bool, tmp_path: Path
) -> None:
    before = set(processes_with(os.environ[MARK]))
    executor = make(warm, resource_dict={"run_time_max": 3.0})
    with pytest.raises(TimeoutError, match="run_time_max"):
        executor.submit(on_ranks.sleeps, 100, str(tmp_path / "begun")).result()
    executor.shutdown()
    assert set(processes_with(os.environ[MARK])) <= before


def test_cancelling_a_running_call_ends_its_ranks(
    make: Callable[..., SingleNodeExecutor], warm: bool, tmp_path: Path
) -> None:
    before = set(processes_with(os.environ[MARK]))
    executor = make(warm)
    future = executor.submit(on_ranks.sleeps, 100, str(tmp_path / "begun"))
    _wait_for([tmp_path / "begun-0", tmp_path / "begun-1"])
    assert future.cancel()
    assert executor.submit(on_ranks.place, 1).result() == [(1, 2, 0), (1, 2, 1)]
    executor.shutdown()
    assert set(processes_with(os.environ[MARK])) <= before


def test_nothing_is_left_when_the_client_is_killed(script: Any, tmp_path: Path) -> None:
    functions = str(Path(on_ranks.__file__).parent)
    program = script(f"""
        import os, sys
        sys.path.insert(0, {functions!r})
        os.environ[{MARK!r}] = "killed client"
        import mpi_functions
        from swiftlet import SingleNodeExecutor
        executor = SingleNodeExecutor(max_cores=4)
        future = executor.submit(
            mpi_functions.sleeps, 100, {str(tmp_path / "begun")!r},
            resource_dict={{"cores": 2, "openmpi_oversubscribe": True}},
        )
        future.result()
    """)
    _wait_for([tmp_path / "begun-0", tmp_path / "begun-1"])
    program.process.kill()
    assert gone_within(10, "killed client") == []


# Launchers


def _program(path: Path, source: str) -> str:
    path.write_text(f"#!{sys.executable}\n{source}")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


def test_w6_no_mpiexec(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SWIFTLET_MPIEXEC", "/no/such/mpiexec")
    with SingleNodeExecutor(max_cores=2) as executor:
        with pytest.raises(ImportError, match="no mpiexec was found"):
            executor.submit(on_ranks.place, resource_dict={"cores": 2})
        assert executor.submit(sum, [1, 1]).result() == 2


def test_w6_no_mpi4py(monkeypatch: pytest.MonkeyPatch) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "mpi4py" else found(name))
    with pytest.raises(ImportError, match=r"mpi4py is required.*install mpi4py"):
        SingleNodeExecutor(max_cores=2, resource_dict={"cores": 2})


def test_w6_an_mpiexec_that_does_not_work(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    broken = _program(tmp_path / "mpiexec", "import sys; sys.exit('no licence')")
    monkeypatch.setenv("SWIFTLET_MPIEXEC", broken)
    with SingleNodeExecutor(max_cores=2) as executor:
        with pytest.raises(ImportError, match="status 1: 'no licence'"):
            executor.submit(on_ranks.place, resource_dict={"cores": 2})


def test_w6_an_mpiexec_that_starts_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, warm: bool
) -> None:
    source = "import sys\nprint('HYDRA')\nif '--version' not in sys.argv: sys.exit('the node is on fire')"
    monkeypatch.setenv("SWIFTLET_MPIEXEC", _program(tmp_path / "mpiexec", source))
    options: dict[str, Any] = {"block_allocation": True, "max_workers": 1} if warm else {"max_cores": 2}
    with SingleNodeExecutor(resource_dict={"cores": 2}, **options) as executor:
        with pytest.raises(ExecutorlibSocketError, match="status 1"):
            executor.submit(on_ranks.place).result()


def test_a_launcher_that_fails_before_its_ranks_have_mpi_is_started_again(
    failing_launcher: Callable[[int], Path], make: Callable[..., SingleNodeExecutor], warm: bool
) -> None:
    launches = failing_launcher(2)
    assert len(make(warm).submit(on_ranks.place).result()) == 2
    assert len(launches.read_text().split()) == 3


def test_ranks_that_may_have_seen_their_call_are_not_started_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, make: Callable[..., SingleNodeExecutor]
) -> None:
    """A rank 0 that connects, is sent its call, and ends before it was heard."""
    source = f"""
import sys
print("HYDRA")
if "--version" in sys.argv:
    sys.exit()
from swiftlet import _secure
connection = _secure.connect(_secure.Ticket.parse(sys.stdin.readline()))
assert connection.recvmsg(1)[0]
with open({str(tmp_path / "calls")!r}, "a") as file:
    print("x", file=file)
sys.exit(3)
"""
    monkeypatch.setenv("SWIFTLET_MPIEXEC", _program(tmp_path / "mpiexec", source))
    with pytest.raises(swiftlet.WorkerLostError, match="status 3"):
        make(False).submit(on_ranks.place).result()
    assert (tmp_path / "calls").read_text() == "x\n"


def test_a_launcher_of_another_library_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, warm: bool
) -> None:
    """It starts as many processes as it should; each of them believes that it is alone."""
    source = """
import os, subprocess, sys
print("HYDRA")
if "--version" in sys.argv:
    sys.exit()
count = int(sys.argv[sys.argv.index("-n") + 1])
command = sys.argv[sys.argv.index("-n") + 2 :]
started = [
    subprocess.Popen(
        command,
        stdin=None if rank == 0 else subprocess.DEVNULL,
        env={**os.environ, "OTHER_RANK": str(rank), "SLURM_PROCID": str(rank)},
    )
    for rank in range(count)
]
sys.exit(max(process.wait() for process in started))
"""
    monkeypatch.setenv("SWIFTLET_MPIEXEC", _program(tmp_path / "mpiexec", source))
    options: dict[str, Any] = {"block_allocation": True, "max_workers": 1} if warm else {"max_cores": 2}
    start = time.monotonic()
    with SingleNodeExecutor(resource_dict={"cores": 2}, **options) as executor:
        with pytest.raises(ExecutorlibSocketError, match="started 2 ranks, but MPI says that there is 1"):
            executor.submit(on_ranks.place).result()
    assert time.monotonic() - start < 60


def test_w10_more_ranks_than_there_are(make: Callable[..., SingleNodeExecutor]) -> None:
    executor = make(False)
    with pytest.raises(ValueError, match="larger than the available number of cores"):
        executor.submit(on_ranks.place, resource_dict={"cores": 5})
    with pytest.raises(ValueError, match="larger than the available number of cores"):
        executor.submit(on_ranks.place, resource_dict={"cores": 2, "threads_per_core": 3})
    with pytest.raises(TypeError, match="SingleNodeExecutor has one node"):
        executor.submit(on_ranks.place, resource_dict={"num_nodes": 2})
