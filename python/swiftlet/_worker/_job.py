# SPDX-License-Identifier: BSD-3-Clause
"""A job that runs one call: reads its task, has it run, writes its outcome."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from typing import Any

from swiftlet import _entries
from swiftlet._current import THREAD_VARIABLES
from swiftlet._entries import OUTCOME, TASK, Entry
from swiftlet._worker import _jobinputs, _provenance
from swiftlet._worker._jobprocess import Call

NO_TASK = 3
NOT_WRITTEN = 4
WITHDRAWN = 5


def run(
    directory: str, key: str, step: Sequence[str] = (), given_up: Callable[[], object] = lambda: None
) -> int:
    """Runs the call of an entry, its ranks by the command ``step``. The exit status of the job.

    When the job is ended meanwhile ``given_up`` is called, after the call was: it may be run again.
    """
    try:
        task = _jobinputs.read_in_time(directory, key, TASK)
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
    call = _step(directory, key, task, step) if step else Call(directory, task)
    call.given_up = given_up
    call.wait()
    if call.is_withdrawn:
        sys.stderr.write(f"swiftlet: the task of {os.path.join(directory, key)} was taken back\n")
        return WITHDRAWN
    return _write(directory, key, task, call)


def _step(directory: str, key: str, task: Entry, command: Sequence[str]) -> Call:
    from swiftlet._worker._jobstep import StepCall  # most calls need nothing of it

    return StepCall(directory, key, task, command)


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
