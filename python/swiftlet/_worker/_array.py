# SPDX-License-Identifier: BSD-3-Clause
"""An element of a job array, or one of equal jobs: its own call, and then calls of elements that have not
started yet.

All calls of an array ask for the same, so an element whose own call was short may run others' in the job it
has, instead of giving it back and letting the scheduler start the next. Who runs a call says so in a file
beside its entry. The element whose call was taken finds its outcome, or waits for it, and then runs others',
too: nothing runs twice, and nothing is lost when somebody else's job dies.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from typing import Any

from swiftlet import _entries, _lifesign
from swiftlet._worker import _job

SHORT = 3.0
"""Seconds: an element whose calls take longer runs no others'."""
WHOLE = 10.0
"""Seconds after which an element takes no further call.

Its time limit is a minute more than one call needs.
"""
WHOLE_OF_UNKNOWN = 2.0
"""The same where the time limit is not ours."""
REFRESH = 10.0
"""How often who runs a call of somebody else's says that it is alive, in seconds."""
STALE = 60.0
"""Without a sign of life for so many seconds it is dead, where nobody can see that at once."""
_MARK = ".run"


def run(directory: str, keys: Sequence[str], own: int, step: Sequence[str], whole: float) -> int:
    """Runs the call of ``keys[own]``, unless another element has, and more until ``whole`` seconds have
    passed or one was long. The job's exit status, which is that of its own call.
    """
    start = time.monotonic()
    status, took = _run_own(directory, keys[own], step)
    if took > SHORT:
        return status
    for index in _others(len(keys), own):
        begun = time.monotonic()
        if begun - start > whole:
            break
        _run_taken(directory, keys[index], index, step)
        if time.monotonic() - begun > SHORT:
            break
    return status


def _others(count: int, own: int) -> Iterator[int]:
    """All but this one, from somewhere in the middle, so that two rarely meet."""
    first = random.randrange(count)
    for step in range(count):
        if (index := (first + step) % count) != own:
            yield index


def _run_own(directory: str, key: str, step: Sequence[str]) -> tuple[int, float]:
    """Its exit status, and how many seconds it took here."""
    if _has_ended(directory, key) and os.path.exists(_entries.path_of(directory, key, _entries.OUTCOME)):
        return 0, 0.0
    while not _mark(directory, key):
        if _has_ended(directory, key):
            return 0, 0.0
        if _is_stale(directory, key):
            _unmark(directory, key)
            continue
        time.sleep(0.2)  # another element runs it; file systems tell nobody
    start = time.monotonic()
    status = _run_marked(directory, key, step)
    return status, time.monotonic() - start


def _run_taken(directory: str, key: str, index: int, step: Sequence[str]) -> None:
    if _has_ended(directory, key) or not _mark(directory, key):
        return
    if _has_ended(directory, key):  # in between
        return _unmark(directory, key)
    import cloudpickle  # noqa: F401  once for several calls, which are forked

    if "SLURM_ARRAY_TASK_ID" in os.environ:
        os.environ["SLURM_ARRAY_TASK_ID"] = str(index)
    _run_marked(directory, key, step)
    return None


def _run_marked(directory: str, key: str, step: Sequence[str]) -> int:
    def show_life(*_: object) -> None:
        with contextlib.suppress(OSError):
            os.utime(os.path.join(directory, key) + _MARK)

    signal.signal(signal.SIGALRM, show_life)
    signal.setitimer(signal.ITIMER_REAL, REFRESH, REFRESH)
    try:
        return _job.run(directory, key, step, lambda: _unmark(directory, key))
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        _unmark(directory, key)


def _mark(directory: str, key: str) -> bool:
    """Says that this process runs the call; False if another one does.

    A job that was put back into the queue finds its own mark.
    """
    path = os.path.join(directory, key) + _MARK
    name = os.environ.get("SLURM_JOB_ID") or os.environ.get("FLUX_JOB_ID") or str(os.getpid())
    flags = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC
    try:
        descriptor = os.open(path, flags | os.O_EXCL, 0o600)
    except FileExistsError:
        if _marked(directory, key).get("job") != name:
            return False
        descriptor = os.open(path, flags | os.O_TRUNC, 0o600)
    process = os.getpid()
    who = {
        "job": name,
        "boot": _lifesign.host(),
        "pid": process,
        "start": _lifesign.start_time(process),
    }
    with open(descriptor, "w") as file:
        json.dump(who, file)
    return True


def _marked(directory: str, key: str) -> dict[str, Any]:
    """Who runs the call; empty if that cannot be read (yet)."""
    try:
        with open(os.path.join(directory, key) + _MARK) as file:
            return dict(json.load(file))
    except (OSError, ValueError):
        return {}


def _unmark(directory: str, key: str) -> None:
    _entries.remove(directory, key, _MARK)


def _has_ended(directory: str, key: str) -> bool:
    """The task goes when its outcome is there, or when it was taken back. (An outcome may be an older
    error.)
    """
    return not os.path.exists(_entries.path_of(directory, key, _entries.TASK))


def _is_stale(directory: str, key: str) -> bool:
    """Whether who runs the call is dead. Of another host that is seen by the file system's own clock: hosts'
    clocks differ.
    """
    lives = _lifesign.lives(_marked(directory, key))
    if lives is not None:
        return not lives
    mark = os.path.join(directory, key) + _MARK
    now = _lifesign.now(os.path.dirname(mark))
    try:
        return now is not None and now - os.stat(mark).st_mtime > STALE
    except OSError:
        return False


def keys_of_stdin() -> list[str]:
    """The keys of all elements, one a line. Standard input is empty afterwards, as for every call."""
    keys = sys.stdin.read().splitlines()
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    return keys
