# SPDX-License-Identifier: BSD-3-Clause
"""The process of a job that watches the call: waits for it, keeps its time, writes its outcome."""

from __future__ import annotations

import contextlib
import functools
import math
import os
import random
import re
import select
import signal
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from swiftlet import _entries
from swiftlet._current import THREAD_VARIABLES
from swiftlet._entries import OUTCOME, TASK, Buffer, Entry
from swiftlet._worker import _jobcall, _process, _provenance

NO_TASK = 3
NOT_WRITTEN = 4
WITHDRAWN = 5
ORPHANED = 6

VISIBLE_WITHIN = 90.0
"""Seconds within which a file that another host has written has to be seen here."""
TERMINATE_SECONDS = 5.0
FINISH_SECONDS = 10.0
_LOOK_SECONDS = 2.0
"""How often it is seen whether the task has been taken back, and whether who started the job is there."""
ENDS_WITH_PARENT = "SWIFTLET_ENDS_WITH_PARENT"
"""A variable of jobs of a system whose processes outlive it when it is killed."""
_STDERR_TAIL = 4096
STEP_TRIES = 5
_STEP_PAUSE = 1.0
"""Seconds, at most, before a step is started again."""
_NO_LAUNCHER = 127
_FIRST_DEAD = re.compile(rb"task rank (\d+) on host (\S+) (?:failed|exited) \((?:Exit (\d+))?")
"""What ``flux run`` says of the rank that ended the others."""


def run(
    directory: str, key: str, step: Sequence[str] = (), given_up: Callable[[], object] = lambda: None
) -> int:
    """Runs the call of an entry, its ranks by the command ``step``. The exit status of the job.

    When the job is ended meanwhile ``given_up`` is called, after the call was: it may be run again.
    """
    try:
        task = _entries_in_time(directory, key, TASK)
    except FileNotFoundError:
        if os.path.exists(_entries.path_of(directory, key, OUTCOME)):
            return 0
        sys.stderr.write(
            f"swiftlet: there is no task {_entries.path_of(directory, key, TASK)}: it was taken back, or "
            "this node does not see the directory\n"
        )
        return NO_TASK
    except OSError as error:
        sys.stderr.write(f"swiftlet: {error}\n")
        return NO_TASK
    if _has_value(directory, key):  # an earlier run of a job that was put back into the queue
        _tidy(directory, key)
        return 0
    _set_threads(task.header.get("resources", {}))
    call = StepCall(directory, key, task, step) if step else Call(directory, task)
    call.given_up = given_up
    call.wait()
    if call.is_withdrawn:
        sys.stderr.write(f"swiftlet: the task of {os.path.join(directory, key)} was taken back\n")
        return WITHDRAWN
    return _write(directory, key, task, call)


def load_inputs(directory: str, header: dict[str, Any]) -> list[list[memoryview]]:
    """The payloads of the values that the call needs. ``OSError`` if one is not to be had."""
    payloads: list[list[memoryview]] = []
    for name in header.get("inputs") or ():
        place = os.path.split(name) if name.startswith("/") else (directory, name)
        try:
            entry = _entries_in_time(place[0], place[1], OUTCOME)
        except FileNotFoundError:
            raise FileNotFoundError(
                f"the outcome of an input, {os.path.join(*place)}, cannot be seen on this node"
            ) from None
        if entry.header.get("kind") != "value":
            raise RuntimeError(f"an input, {os.path.join(*place)}, ended without a value")
        payloads.append(entry.named("value"))
    return payloads


def _entries_in_time(directory: str, key: str, role: int) -> Entry:
    """Network file systems take a while to show a new file on another node."""
    deadline = time.monotonic() + VISIBLE_WITHIN
    pause = 0.05
    while True:
        try:
            return _entries.read(directory, key, role)
        except FileNotFoundError:
            other = os.path.exists(_entries.path_of(directory, key, OUTCOME)) and role == TASK
            if other or time.monotonic() > deadline or not _entries.is_remote(directory):
                raise
        time.sleep(pause)
        pause = min(2 * pause, 2.0)
        with contextlib.suppress(OSError):
            os.listdir(os.path.dirname(os.path.join(directory, key)))


def _has_value(directory: str, key: str) -> bool:
    try:
        return bool(_entries.read(directory, key, OUTCOME).header.get("kind") == "value")
    except OSError:
        return False


def _set_threads(resources: dict[str, Any]) -> None:
    threads = resources.get("threads_per_core")
    for name in THREAD_VARIABLES:
        if threads is not None and threads > 1:
            os.environ[name] = str(threads)
        else:
            os.environ.setdefault(name, "1")


@functools.cache
def _system() -> int | None:
    """The process that started this one, if it has to be there as long as this one."""
    return os.getppid() if os.environ.pop(ENDS_WITH_PARENT, None) else None


class Call:
    """The call's process: started at once, waited for by ``wait``."""

    def __init__(self, directory: str, task: Entry) -> None:
        resources = task.header.get("resources", {})
        self._task = _entries.path_of(directory, task.header["key"], TASK)
        self.is_withdrawn = False
        self.given_up: Callable[[], object] = lambda: None
        self.limit: float | None = resources.get("time_limit")
        self.start = time.time()
        self.end = self.start
        self.status = 0
        self.is_late = False
        self._who = "its process"
        self._moreover = ""
        self._result = bytearray()
        _process.become_subreaper()
        self._parent = _system()
        self._began = time.monotonic()
        self._launch(directory, task)

    def _launch(self, directory: str, task: Entry) -> None:
        self.stderr = b""
        result_read, result_write = os.pipe()
        error_read, error_write = os.pipe()
        parent = os.getpid()
        self.pid = os.fork()
        if self.pid == 0:
            os.close(result_read)
            os.close(error_read)
            os.dup2(error_write, 2)
            os.close(error_write)
            self._become(directory, task, parent, result_write)
        os.close(result_write)
        os.close(error_write)
        self._pipes = {result_read: self._take_result, error_read: self._take_stderr}
        for descriptor in self._pipes:
            os.set_blocking(descriptor, False)
        # On a kernel without pidfds its exit is seen at the next look.
        self._exit: list[int] = []
        with contextlib.suppress(OSError, AttributeError):
            self._exit.append(os.pidfd_open(self.pid))

    def _become(self, directory: str, task: Entry, parent: int, result: int) -> NoReturn:
        """In the new process."""
        _jobcall.run(directory, task, parent, result, load_inputs)

    def wait(self) -> None:
        """Until the process and all it left behind are gone. What it left may hold its pipes open: nobody
        waits for that.
        """
        signal.signal(signal.SIGTERM, self._terminated)
        if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # it ends the program of an instance of Flux
            signal.signal(signal.SIGHUP, self._terminated)
        look = time.monotonic() + _LOOK_SECONDS
        ending: list[tuple[float, int]] = []
        if self.limit is not None:
            ending = [(self._began + self.limit, signal.SIGTERM)]
        while (self._pipes or self._exit) and not self._has_exited():
            due = min(look, ending[0][0]) if ending else look
            timeout = max(0.0, due - time.monotonic())
            if time.monotonic() >= look:
                look = time.monotonic() + _LOOK_SECONDS
                if self._parent not in (None, os.getppid()):
                    self._end_without_system()
                if not os.path.exists(self._task) and not self._is_complete():
                    self.is_withdrawn = True
                    self._signal(signal.SIGKILL)
            ready, _, _ = select.select([*self._pipes, *self._exit], (), (), timeout)
            for descriptor in ready:
                if descriptor in self._pipes:
                    self._pipes[descriptor](descriptor)
            if ending and time.monotonic() >= ending[0][0]:
                number = ending.pop(0)[1]
                self.is_late = self.is_late or not self._is_complete()
                self._signal(number)
                if number == signal.SIGTERM:
                    ending = [(time.monotonic() + TERMINATE_SECONDS, signal.SIGKILL)]
            if self._is_complete() and not ending:
                ending = [(time.monotonic() + FINISH_SECONDS, signal.SIGKILL)]
        self.status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        self.end = time.time()
        _process.end_children(within=math.inf)
        for descriptor, take in list(self._pipes.items()):
            while take(descriptor):
                pass
        for descriptor in [*self._pipes, *self._exit]:
            os.close(descriptor)

    def outcome(self) -> tuple[str, str, dict[str, Any], list[tuple[str, Buffer]]]:
        """(kind, reason, what the call's process says of itself, parts)."""
        if self._is_complete():
            kind, about, parts = _jobcall.unpack(self._result)
            return kind, "", about, [(kind, part) for part in parts]
        if self.is_late:
            return "time limit", f"the call ran longer than its run_time_max of {self.limit:g} s", {}, []
        if self.status < 0:
            reason = f"{self._who} was ended by {signal.Signals(-self.status).name}"
        else:
            reason = f"{self._who} exited with status {self.status} before it gave a result"
        return "lost", reason + self._moreover, {}, []

    def _is_complete(self) -> bool:
        return _jobcall.is_complete(self._result)

    def _has_exited(self) -> bool:
        return os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None

    def _take_result(self, descriptor: int) -> bool:
        data = self._read(descriptor)
        self._result += data
        return bool(data)

    def _take_stderr(self, descriptor: int) -> bool:
        data = self._read(descriptor)
        if data:
            self.stderr = (self.stderr + data)[-_STDERR_TAIL:]
            with contextlib.suppress(OSError):
                os.write(2, data)
        return bool(data)

    def _read(self, descriptor: int) -> bytes:
        """Some of what is there now; empty: nothing. A pipe that has ended is closed."""
        try:
            data = os.read(descriptor, 1 << 20)
        except BlockingIOError:
            return b""
        if not data:
            os.close(descriptor)
            del self._pipes[descriptor]
        return data

    def _signal(self, number: int) -> None:
        for send in (os.killpg, os.kill):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                send(self.pid, number)

    def _terminated(self, number: int, _: object) -> None:
        """The job itself is ended: so is the call, without an outcome, for it may be run again."""
        self._give_up()
        os._exit(128 + number)

    def _give_up(self) -> None:
        self._signal(signal.SIGKILL)
        _process.end_children(within=math.inf)
        self.given_up()

    def _end_without_system(self) -> NoReturn:
        """Who started the job was killed: nobody could end the call any more, and it may be run again."""
        self._give_up()
        sys.stderr.write("swiftlet: the system that had started this job is gone\n")
        os._exit(ORPHANED)


class StepCall(Call):
    """A call on several ranks, which a launcher starts. Rank 0, on whatever node it is, hands over the result
    in a file beside the entry.

    A step that ends before all its ranks have MPI is started again, for no rank has seen the call: MPICH
    takes the shared memory of a job of another Flux instance for its own, if the two have the same number.
    """

    def __init__(self, directory: str, key: str, task: Entry, step: Sequence[str]) -> None:
        folder = os.path.dirname(os.path.join(directory, key))
        self._file = os.path.join(folder, f"{_entries.PREFIX}{os.urandom(16).hex()}.ranks")
        ranks = str(task.header.get("resources", {}).get("cores", 1))
        program = os.path.join(os.path.dirname(os.path.abspath(__file__)), "jobrank.py")
        python = [sys.executable, *_interpreter_flags(), program]
        self._command = [*step, *python, ranks, directory, key, self._file]
        self._relaunch = functools.partial(self._launch, directory, task)
        self._tries = 1
        with contextlib.suppress(OSError):  # without it the step is started once
            os.close(os.open(unbegun(self._file), os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        super().__init__(directory, task)

    def _become(self, directory: str, task: Entry, parent: int, result: int) -> NoReturn:
        for number in (signal.SIGTERM, signal.SIGHUP):
            if callable(signal.getsignal(number)):
                signal.signal(number, signal.SIG_DFL)
        os.setsid()
        _process.die_with_parent(parent)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        if self._tries > 1:  # others that failed at the same moment come again at another one
            time.sleep(random.uniform(0, _STEP_PAUSE))
        try:
            os.execvp(self._command[0], self._command)
        except OSError as error:
            os.write(2, f"{self._command[0]} cannot be started: {error}\n".encode())
            os._exit(_NO_LAUNCHER)

    def wait(self) -> None:
        """Until the launcher and all it left behind here are gone."""
        self._wait_for_step()
        while self._may_come_again() and self._tries < STEP_TRIES:
            self._tries += 1
            sys.stderr.write(
                f"swiftlet: the step ended with status {self.status} before all ranks had MPI; it is started "
                f"again ({self._tries} of {STEP_TRIES})\n"
            )
            self._relaunch()
            self._wait_for_step()
        if self._may_come_again():
            self._moreover = f"; the step was started {self._tries} times, and never had all its ranks MPI"
        self._forget()

    def _wait_for_step(self) -> None:
        super().wait()
        self._has_failed = self.status > 0 and self.status != _NO_LAUNCHER
        with contextlib.suppress(OSError):
            with open(self._file, "rb") as file:
                self._result += file.read()
            os.unlink(self._file)
        dead = _FIRST_DEAD.search(self.stderr)
        self._who = "its process"
        if dead is not None:
            self._who = f"rank {dead[1].decode()} on {dead[2].decode(errors='replace')}"
            if dead[3] is not None:
                self.status = int(dead[3])
            elif 128 < self.status < 128 + signal.NSIG:
                self.status = 128 - self.status

    def _may_come_again(self) -> bool:
        """Whether the step itself failed: nobody ended it, and no rank can have seen the call."""
        has_ended = self.is_late or self.is_withdrawn or self._is_complete()
        return self._has_failed and not has_ended and not self._have_begun()

    def _have_begun(self) -> bool:
        try:  # a file system of a network answers this anew, unlike whether it exists
            os.close(os.open(unbegun(self._file), os.O_RDONLY | os.O_CLOEXEC))
        except OSError:
            return True
        return False

    def _forget(self) -> None:
        with contextlib.suppress(OSError):
            os.unlink(unbegun(self._file))

    def _give_up(self) -> None:
        super()._give_up()
        self._forget()


def unbegun(result: str) -> str:
    """The file that is there until all ranks have MPI: rank 0 removes it before any rank sees the call."""
    return f"{result}.unbegun"


def _interpreter_flags() -> list[str]:
    import subprocess

    flags: list[str] = subprocess._args_from_interpreter_flags()  # type: ignore[attr-defined]
    return flags


def _write(directory: str, key: str, task: Entry, call: Call) -> int:
    kind, reason, about, parts = call.outcome()
    header = {name: value for name, value in task.header.items() if name != "parts"}
    header["kind"] = kind
    if reason:
        header["reason"] = reason
    header["provenance"] = _provenance.of_call(call, about)
    kept = [(name, part) for name, part in task.parts if name != "context"]
    try:
        _entries.write_outcome(directory, key, header, [*kept, *parts])
    except OSError as error:
        text = f"the outcome of {os.path.join(directory, key)} cannot be written: {error}"
        sys.stderr.write(f"swiftlet: {text}; free some space, or choose another cache directory\n")
        return NOT_WRITTEN
    _tidy(directory, key)
    return 0


def _tidy(directory: str, key: str) -> None:
    _entries.remove(directory, key, _entries.SUFFIX[TASK], _entries.CLAIM)
    _entries.reach("released")
