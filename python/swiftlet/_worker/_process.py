# SPDX-License-Identifier: BSD-3-Clause
"""What Linux knows about processes and Python's ``os`` does not say."""

from __future__ import annotations

import ctypes
import os
from os import close, getppid, write
from os import open as open_file
from typing import NoReturn

_OOM_SCORE = 500
_OOM_FILE = "/proc/self/oom_score_adj"
_WRITE = os.O_WRONLY | os.O_CLOEXEC
_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_SIGKILL = 9

# Without types of arguments and without errno: both cost a forked worker more memory than the call itself.
_prctl = ctypes.PyDLL(None).prctl
_fflush = ctypes.CDLL(None).fflush  # it may wait for a reader, with other threads going on


def become_subreaper() -> None:
    """What this process' descendants leave behind becomes its child instead of init's."""
    if _prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError("this process cannot become a subreaper")


def die_with_parent(parent: int) -> None:
    """SIGKILL when the parent dies; at once if it is dead already."""
    if _prctl(_PR_SET_PDEATHSIG, _SIGKILL, 0, 0, 0) != 0:
        raise OSError("this process cannot be tied to its parent")
    if getppid() != parent:
        os._exit(1)


def volunteer_for_oom() -> None:
    """When memory runs out, the kernel ends calls before it ends engines, clients and daemons."""
    try:
        descriptor = open_file(_OOM_FILE, _WRITE)
    except OSError:
        return
    try:
        write(descriptor, _oom_score)
    except OSError:
        pass
    finally:
        close(descriptor)


def _new_oom_score() -> bytes:
    """No worker lowers what its parent has."""
    try:
        with open(_OOM_FILE, "rb") as file:
            return b"%d" % max(int(file.read()), _OOM_SCORE)
    except (OSError, ValueError):
        return b"%d" % _OOM_SCORE


_oom_score = _new_oom_score()


def flush_c_streams() -> None:
    """Writes out what C code printed by stdio."""
    _fflush(None)


def exit_with_libraries(status: int) -> NoReturn:
    """Ends this process, and lets C libraries do what they have registered for the end: MPICH takes leave of
    its launcher there, which otherwise takes the rank for one that has failed, and ends the others.
    """
    # Keeps the interpreter's lock: no other thread runs Python meanwhile.
    ctypes.PyDLL(None).exit(status)
    os._exit(status)


def children() -> set[int]:
    """The children of this process, which has one thread: running, stopped, or not reaped yet."""
    return _children_of(str(os.getpid()))


def _children_of(thread: str) -> set[int]:
    """Those that a thread of this process has; where the kernel does not tell, or the thread is gone, all
    that the process has.
    """
    try:
        descriptor = os.open(f"/proc/self/task/{thread}/children", os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:  # a kernel without CONFIG_PROC_CHILDREN
        pid = os.getpid()
        return {child for child in _all_processes() if _parent_of(child) == pid}
    try:
        text = b""
        while chunk := os.read(descriptor, 65536):
            text += chunk
    finally:
        os.close(descriptor)
    return {int(word) for word in text.split()}


def end_children(within: float) -> None:
    """Kills what this process has started, by whatever thread, and what was left to it as a subreaper.
    Returns when all are gone, or after so many seconds.
    """
    import contextlib
    import time

    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        for thread in os.listdir("/proc/self/task"):
            for child in _children_of(thread):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(child, _SIGKILL)
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            return
        time.sleep(0.001)


def _all_processes() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def _parent_of(pid: int) -> int | None:
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            stat = file.read()
    except OSError:  # it is gone
        return None
    return int(stat[stat.rindex(b")") + 1 :].split()[1])
