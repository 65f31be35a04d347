# SPDX-License-Identifier: BSD-3-Clause
"""The call of a job on several ranks, which a launcher starts: a job step."""

from __future__ import annotations

import contextlib
import functools
import os
import random
import re
import signal
import sys
import time
from collections.abc import Sequence
from typing import Any, NoReturn

from swiftlet import _entries
from swiftlet._entries import Buffer, Entry
from swiftlet._worker import _process
from swiftlet._worker._jobprocess import Call

STEP_TRIES = 5
_STEP_PAUSE = 1.0
"""Seconds, at most, before a step is started again."""
_NO_LAUNCHER = 127
_FIRST_DEAD = re.compile(rb"task rank (\d+) on host (\S+) (?:failed|exited) \((?:Exit (\d+))?")
"""What ``flux run`` says of the rank that ended the others."""


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
        self._never_began = self._may_come_again()
        self._forget()

    def outcome(self) -> tuple[str, str, dict[str, Any], list[tuple[str, Buffer]]]:
        """As of any call; of a step that never began also how often it was started."""
        kind, reason, about, parts = super().outcome()
        if self._never_began:
            reason += f"; the step was started {self._tries} times, and never had all its ranks MPI"
        return kind, reason, about, parts

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
