# SPDX-License-Identifier: BSD-3-Clause
"""Whatever is killed, nothing survives: contracts 9. Each process of a running executor is killed in turn."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

CLIENT = """
import ctypes, os, subprocess, sys, time
from swiftlet import SingleNodeExecutor

def leave_children_behind():
    # One in the call's process group, and one that has left it and its parent altogether.
    ordinary = subprocess.Popen(["sleep", "600"])
    double = subprocess.run(
        [sys.executable, "-c",
         "import os, subprocess\\n"
         "print(subprocess.Popen(['sleep', '600'], start_new_session=True, stdout=subprocess.DEVNULL).pid)"],
        stdout=subprocess.PIPE, text=True)
    with open(%(fifo)r, "w") as pids:
        print(ordinary.pid, double.stdout.strip(), os.getpid(), file=pids)
    time.sleep(600)

with SingleNodeExecutor(max_workers=2, block_allocation=%(warm)s) as executor:
    if os.environ.get("FORK_IN_C") and ctypes.CDLL(None).fork() == 0:
        ctypes.CDLL(None).pause()
    future = executor.submit(leave_children_behind)
    try:
        future.result()
    except BaseException as error:
        print(type(error).__name__, error, flush=True)
        raise
"""


def descendants(root: int) -> dict[int, str]:
    """Command lines of the processes below ``root`` that are alive, by process id."""
    parents: dict[int, tuple[int, str]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                stat = (entry / "stat").read_text()
                command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode().strip()
            except OSError:
                continue
            state, parent = stat.rpartition(")")[2].split()[:2]
            if state != "Z":
                parents[int(entry.name)] = (int(parent), command)
    found: dict[int, str] = {}
    grown = True
    while grown:
        grown = False
        for pid, (parent, command) in parents.items():
            if pid not in found and (parent == root or parent in found):
                found[pid] = command
                grown = True
    return found


class Run:
    """A client with a call that is running and has children."""

    def __init__(self, tmp_path: Path, warm: bool, **variables: str) -> None:
        script = tmp_path / "client.py"
        fifo = tmp_path / "pids"
        os.mkfifo(fifo)
        script.write_text(CLIENT % {"warm": warm, "fifo": str(fifo)})
        environment = dict(os.environ, SWIFTLET_LOG=str(tmp_path / "engine.log"), **variables)
        self.log = tmp_path / "engine.log"
        self.client = subprocess.Popen(
            [sys.executable, str(script)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
        )
        ordinary, escaped, worker = (int(word) for word in fifo.read_text().split())
        self.tree = descendants(self.client.pid)
        assert {ordinary, escaped, worker} <= set(self.tree)
        self.worker = worker
        self.engine = self.named(" engine ")
        self.guardian = self.named(" guardian")
        self.fork_server = next(
            pid
            for pid, parent in self.parents().items()
            if parent == self.guardian and "_worker" in self.tree[pid]
        )
        self.watches = {pid: os.pidfd_open(pid) for pid in self.tree}

    def named(self, words: str) -> int:
        (pid,) = [
            pid for pid, command in self.tree.items() if words in command + " " and "swiftlet" in command
        ]
        return pid

    def parents(self) -> dict[int, int]:
        return {
            pid: int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1]) for pid in self.tree
        }

    def survivors(self, seconds: float) -> list[str]:
        """What is still alive when that time has passed, or at once when nothing is."""
        deadline = time.monotonic() + seconds
        alive = dict(self.watches)
        while alive and time.monotonic() < deadline:
            ready, _, _ = select.select(alive.values(), [], [], max(0.0, deadline - time.monotonic()))
            alive = {pid: watch for pid, watch in alive.items() if watch not in ready}
        return [self.tree[pid] for pid in alive]

    def close(self) -> None:
        if self.client.poll() is None:
            self.client.kill()
        self.client.communicate()
        for watch in self.watches.values():
            os.close(watch)


OLD_KERNEL = {"SWIFTLET_NO_PIDFD": "1"}  # one before 5.3 cannot tell of the end of any process


@pytest.fixture(
    params=[(False, {}), (True, {}), (True, OLD_KERNEL)], ids=["fresh", "warm", "warm, old kernel"]
)
def run(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Run]:
    warm, variables = request.param
    run = Run(tmp_path, warm, **variables)
    yield run
    run.close()


def test_a_killed_client_leaves_nothing(run: Run) -> None:
    run.client.kill()
    assert run.survivors(2.5) == []


def test_a_copy_of_the_connection_in_a_process_that_c_code_forked_keeps_nothing_alive(tmp_path: Path) -> None:
    run = Run(tmp_path, True, FORK_IN_C="1")
    try:
        (copy,) = [pid for pid, command in run.tree.items() if "client.py" in command]
        run.client.kill()
        assert run.survivors(2.5) == [run.tree[copy]]
        os.kill(copy, signal.SIGKILL)
    finally:
        run.close()


def test_a_killed_engine_leaves_nothing_and_the_future_says_so(run: Run) -> None:
    os.kill(run.engine, signal.SIGKILL)
    assert run.survivors(2.5) == []
    out, _ = run.client.communicate(timeout=10)
    assert "EngineDiedError" in out
    assert "SIGKILL" in out
    assert str(run.log) in out


def test_a_killed_guardian_leaves_nothing_and_the_future_says_so(run: Run) -> None:
    os.kill(run.guardian, signal.SIGKILL)
    assert run.survivors(2.5) == []
    out, _ = run.client.communicate(timeout=10)
    assert "guardian" in out


def test_a_killed_fork_server_ends_its_calls(run: Run) -> None:
    os.kill(run.fork_server, signal.SIGKILL)
    out, _ = run.client.communicate(timeout=10)
    assert "WorkerLostError" in out
    assert run.survivors(2.5) == []


def test_a_killed_worker_takes_its_children_along(run: Run) -> None:
    os.kill(run.worker, signal.SIGKILL)
    out, _ = run.client.communicate(timeout=10)
    assert "WorkerLostError" in out
    assert "SIGKILL" in out
    assert run.survivors(2.5) == []


def test_engine_and_guardian_killed_together_leave_no_worker(run: Run) -> None:
    os.kill(run.guardian, signal.SIGSTOP)
    os.kill(run.engine, signal.SIGKILL)
    os.kill(run.guardian, signal.SIGKILL)
    alive = run.survivors(2.5)
    assert [command for command in alive if "_worker" in command or "swiftlet" in command] == []
    for pid, watch in run.watches.items():
        with contextlib.suppress(ProcessLookupError):
            if run.tree[pid] in alive:  # the children of a call that had nobody left to watch over them
                signal.pidfd_send_signal(watch, signal.SIGKILL)
