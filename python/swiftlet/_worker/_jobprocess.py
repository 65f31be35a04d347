# SPDX-License-Identifier: BSD-3-Clause
"""The process of a call, as its job watches it: waits for it, keeps its time, ends it."""

from __future__ import annotations

import contextlib
import functools
import math
import os
import select
import signal
import sys
import time
from collections.abc import Callable
from typing import Any, NoReturn

from swiftlet import _entries
from swiftlet._entries import TASK, Buffer, Entry
from swiftlet._worker import _jobcall, _process

ORPHANED = 6
TERMINATE_SECONDS = 5.0
FINISH_SECONDS = 10.0
_LOOK_SECONDS = 2.0
"""How often it is seen whether the task has been taken back, and whether who started the job is there."""
ENDS_WITH_PARENT = "SWIFTLET_ENDS_WITH_PARENT"
"""A variable of jobs of a system whose processes outlive it when it is killed."""
_STDERR_TAIL = 4096


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
        _jobcall.run(directory, task, parent, result)

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
        return "lost", reason, {}, []

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
