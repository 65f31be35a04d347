# SPDX-License-Identifier: BSD-3-Clause
"""How a process becomes a rank of a group: its slot, MPI, its connection."""

from __future__ import annotations

import os
import sys
import time
import types
from typing import Any, NoReturn

from swiftlet import _secure, _wire
from swiftlet._wire import Part
from swiftlet._worker import _control, _ending, _member, _process, _slot, _world
from swiftlet._worker._group import Group
from swiftlet._worker._groupcalls import RankWorker
from swiftlet._worker._watch import Watcher
from swiftlet._worker._worker import greet

MISMATCH = 87
TOLD = 10.0
"""Seconds within which the process with the ticket has told the engine why its group can run nothing."""


def run(expected: int) -> NoReturn:
    """Joins a group of ``expected`` ranks and works in it. Never returns."""
    # An mpiexec of this machine's takes its ranks with it.
    watcher = Watcher() if _slot.is_step() else None
    _ending.ends_children = watcher is not None
    line = sys.stdin.readline() if _slot.launched_as() == 0 else ""  # others' standard input may never end
    _prepare()
    try:
        comm, finalize = _start_mpi()
    except Exception as error:  # mpi4py is missing, or finds no MPI library
        _refuse(line, f"MPI could not be started by mpi4py: {type(error).__name__}: {error}")
    if comm.Get_size() != expected:
        _refuse(line, _mismatch(comm.Get_size(), expected, bool(watcher)))
    if comm.Get_rank() == 0:
        _lead(line, comm, finalize, watcher)
    control = _control.join(comm.bcast(None, 0), comm.Get_rank())
    if watcher:
        watcher.over(control.socket.fileno())
    _member.serve(comm, control, finalize)


def _prepare() -> None:
    """What the fork server does for other workers. Here the launcher's process stands above the rank."""
    _process.die_with_parent(os.getppid())
    _process.become_subreaper()
    _process.volunteer_for_oom()
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(encoding="utf-8", line_buffering=True)  # type: ignore[union-attr]
    _slot.take_as_rank()
    sys.modules["__main__"] = types.ModuleType("__main__")
    sys.argv = [""]


def _start_mpi() -> tuple[Any, Any]:
    """A communicator of our own beside the world's, and how MPI is ended."""
    from mpi4py import MPI

    def finalize() -> None:
        if not MPI.Is_finalized():
            MPI.Finalize()

    return _world.start(), finalize


def _lead(line: str, comm: Any, finalize: Any, watcher: Watcher | None) -> NoReturn:
    sock, reader = _connect(line)
    if watcher:
        watcher.over(sock.fileno())
    # Where rank 0 reaches the engine the other ranks reach rank 0, on whatever node they are.
    address = sock.address
    meeting: _control.Meeting = _control.MeetingAcrossNodes(address) if address else _control.MeetingOnNode()
    try:
        comm.bcast(meeting.invitation, 0)
        others = meeting.admit(comm.Get_size() - 1)
    finally:
        meeting.close()

    def make_group(abort: Any) -> Group:
        return Group(comm, others, abort)

    RankWorker(sock, reader, make_group, finalize).run()


def _connect(line: str) -> tuple[_secure.SecureSocket, _wire.FrameReader]:
    sock = _secure.connect(_secure.Ticket.parse(line))
    reader = _wire.FrameReader(sock)
    greet(sock, reader)
    return sock, reader


def _refuse(line: str, reason: str) -> NoReturn:
    """Tells the engine that this group can run nothing. Only one of its processes has the ticket."""
    if not line:
        # The launcher ends all when one fails, also the one that is about to tell why.
        time.sleep(TOLD)
        os._exit(MISMATCH)
    sock, _ = _connect(line)
    none: list[Part] = []
    body = _wire.pack_payload(none) + _wire.pack_attributes({"reason": reason})
    sock.sendall(_wire.frame(_wire.INIT_FAILED, 0, body))
    os._exit(MISMATCH)


def _mismatch(size: int, expected: int, is_step: bool) -> str:
    if is_step:
        advice = _world.what_to_choose()
    else:
        advice = "Use the mpiexec that belongs to this library (PATH, or SWIFTLET_MPIEXEC)"
    return (
        f"its launcher started {expected} ranks, but MPI says that there {'is' if size == 1 else 'are'} "
        f"{size}: the launcher and the MPI library of mpi4py ({_world.stranger()}) do not fit together. "
        f"{advice}"
    )
