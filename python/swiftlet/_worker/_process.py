# SPDX-License-Identifier: BSD-3-Clause
"""What Linux knows about processes and Python's ``os`` does not say."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal

_OOM_SCORE = 500
_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36

_libc = ctypes.CDLL(None, use_errno=True)
_prctl = _libc.prctl
_prctl.argtypes = (ctypes.c_int, ctypes.c_ulong, ctypes.c_ulong, ctypes.c_ulong, ctypes.c_ulong)
_fflush = _libc.fflush
_fflush.argtypes = (ctypes.c_void_p,)


def become_subreaper() -> None:
    """What this process' descendants leave behind becomes its child instead of init's."""
    _checked(_prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0))


def die_with_parent(parent: int) -> None:
    """SIGKILL when the parent dies; at once if it is dead already."""
    _checked(_prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0))
    if os.getppid() != parent:
        os._exit(1)


def volunteer_for_oom() -> None:
    """When memory runs out, the kernel ends calls before it ends engines, clients and daemons."""
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "r+") as file:
        file.write(str(max(int(file.read()), _OOM_SCORE)))


def flush_c_streams() -> None:
    """Writes out what C code printed by stdio."""
    _fflush(None)


def children() -> set[int]:
    """The children of this process, which has one thread: running, stopped, or not reaped yet."""
    pid = os.getpid()
    try:
        descriptor = os.open(f"/proc/self/task/{pid}/children", os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:  # a kernel without CONFIG_PROC_CHILDREN
        return {child for child in _all_processes() if _parent_of(child) == pid}
    try:
        text = b""
        while chunk := os.read(descriptor, 65536):
            text += chunk
    finally:
        os.close(descriptor)
    return {int(word) for word in text.split()}


def _all_processes() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def _parent_of(pid: int) -> int | None:
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            stat = file.read()
    except OSError:  # it is gone
        return None
    return int(stat[stat.rindex(b")") + 1 :].split()[1])


def _checked(result: int) -> None:
    if result != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
