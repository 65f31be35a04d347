# SPDX-License-Identifier: BSD-3-Clause
"""The errors of swiftlet: one tree, every class catchable by what a caller already catches.

::

    SwiftletError (Exception)
    ├── ResourceError (TypeError, ValueError)      a key or value of a resource_dict is refused
    │   └── ResourceUnavailableError (NotImplementedError)   it is legal, but this executor cannot honour it
    │       └── MPIUnavailableError (ImportError)   ranks cannot be started: mpi4py or mpiexec is missing
    ├── NotYetAvailableError (NotImplementedError) this version does not have it
    ├── AllocationError (RuntimeError)             the allocation of a batch system cannot be used
    ├── InputError (TypeError, PicklingError)      a function or an argument cannot be sent
    ├── WorkerLostError ─┐                         the process that ran the call died
    │   └── MemoryLimitError (MemoryError)         it used more than memory_max and was ended
    ├── TimeLimitError ──┤ (TimeoutError)          the call ran longer than run_time_max
    ├── TaskRefusedError ┤                         the call could not be run at all
    │   └── SubmissionError (CalledProcessError)    the batch system refused its job
    └── EngineDiedError ─┘                         the engine died: every open future fails
                         └── ExecutorlibSocketError (RuntimeError)

An exception that a call itself raises is no ``SwiftletError``: it arrives as the type that was raised, with
the traceback of the worker as its ``__cause__``.
"""

from __future__ import annotations

import pickle
import signal as _signals
import subprocess
from typing import Any


class SwiftletError(Exception):
    """The base of all errors that swiftlet itself raises."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (_rebuild, (type(self), self.args, dict(self.__dict__)))


class ExecutorlibSocketError(RuntimeError):
    """A worker or the connection to it was lost. The name is executorlib's, so that its users' handlers
    work.
    """


class ResourceError(SwiftletError, TypeError, ValueError):
    """A resource is refused: unknown key, wrong type, or a value out of range. Raised by submit and
    constructors.
    """


class ResourceUnavailableError(ResourceError, NotImplementedError):
    """A legal resource that this executor cannot honour. It is refused by name, never ignored."""


class NotYetAvailableError(SwiftletError, NotImplementedError):
    """This version does not have what was asked for; the message says what is missing."""


class MPIUnavailableError(ResourceUnavailableError, ImportError):
    """Ranks cannot be started on this machine: mpi4py or ``mpiexec`` is missing or does not work."""


class AllocationError(SwiftletError, RuntimeError):
    """What a batch system granted cannot be used, or is not known; the message says why."""


class InputError(SwiftletError, TypeError, pickle.PicklingError):
    """A function or an argument cannot be pickled. Raised by submit; the cause is the error of the
    pickler.
    """


class WorkerLostError(SwiftletError, ExecutorlibSocketError):
    """The process that ran the call died before it gave a result."""

    exit_status: int | None = None
    """The exit status of the process, or None if a signal ended it."""
    signal: int | None = None
    """The number of the signal that ended the process, or None."""
    attempts: tuple[str, ...] = ()
    """Why each attempt ended, the first one first."""
    stderr: str = ""
    """The last lines the call wrote to stderr."""


class MemoryLimitError(WorkerLostError, MemoryError):
    """The call, with all that it started, used more memory than its ``memory_max`` and was ended."""

    limit: int | None = None
    """What it was allowed, in bytes; None where Slurm ended it."""
    used: int | None = None
    """What it used when that was noticed, in bytes; None where Slurm ended it."""


class TimeLimitError(SwiftletError, TimeoutError, ExecutorlibSocketError):
    """The call ran longer than its ``run_time_max`` and was ended."""

    limit: float | None = None
    """The limit in seconds."""
    stderr: str = ""
    """The last lines the call wrote to stderr."""


class TaskRefusedError(SwiftletError, ExecutorlibSocketError):
    """The call could not be run at all; the message says why."""

    stderr: str = ""
    """The last lines that the worker wrote to stderr."""


class SubmissionError(TaskRefusedError, subprocess.CalledProcessError):
    """The batch system refused the call's job. ``output`` is what it said, ``cmd`` the command that did."""

    def __init__(self, message: str = "", command: str = "", output: str = "") -> None:
        subprocess.CalledProcessError.__init__(self, 1, command, output)
        self._message = message

    def __str__(self) -> str:
        return self._message


class EngineDiedError(SwiftletError, ExecutorlibSocketError):
    """The engine process ended unexpectedly. Its calls have been ended with it; make a new executor to go
    on.
    """


def signal_name(number: int) -> str:
    """``SIGKILL`` for 9; ``signal 77`` for what has no name here."""
    try:
        return _signals.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _rebuild(kind: type[SwiftletError], args: tuple[Any, ...], state: dict[str, Any]) -> SwiftletError:
    error = kind(*args)
    error.__dict__.update(state)
    return error
