# SPDX-License-Identifier: BSD-3-Clause
"""A few calls that the fork server runs in its own process before it forks.

A fork shares all memory with its parent until it writes to it; each page it writes to is copied, and that is
most of what a fresh call costs. What an interpreter writes when code runs for the first times (specialised
instructions, caches of attributes, of modules' directories) is written here once, instead of in every child.
"""

from __future__ import annotations

import os
import pickle
import socket
import struct
import sys

from swiftlet import _wire
from swiftlet._version import __version__
from swiftlet._worker import _ending, _slot
from swiftlet._worker._unborn import UnbornWorker, look_into_directories

CALLS = 16  # an interpreter specialises a function after some eight of them

_MODULE = "swiftlet._worker._rehearsed"
_VARIABLE = "SWIFTLET_REHEARSAL"
_CONTEXT, _FUNCTION = 1, 2


def rehearse() -> None:
    """Leaves nothing behind but what it wrote to memory; and no call can tell that it has been."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        for number in range(1, CALLS + 1):
            ours.sendall(_frames(number))
            _slot.take([f"{_VARIABLE}={number}"], "")
            UnbornWorker().rehearse(theirs)
            _ending.rehearse()
            ours.recv(1 << 16)
            del sys.modules[_MODULE]
    del sys.modules["swiftlet._worker"]._rehearsed
    del os.environ[_VARIABLE], _slot.overlay[_VARIABLE]
    look_into_directories()


def _frames(number: int) -> bytes:
    """What an engine sends to a fresh worker."""
    hello: dict[str, _wire.AttributeValue] = {
        "role": "engine",
        "version": __version__,
        "pid": os.getpid(),
        "origin": number,
    }
    context = {
        "path": list(sys.path),
        "env": dict(os.environ),
        "cwd": None,
        "error_log_file": None,
        "threads": 1,
        "mpi_result": None,
        "by_value": [],
    }
    arguments = _wire.pack_payload([pickle.dumps(((number,), {}), 5)])
    call = struct.pack("<IHHQQ", 1, 2, 0, _CONTEXT, _FUNCTION) + arguments + struct.pack("<H", 0)
    return b"".join(
        (
            _wire.frame(_wire.HELLO, _wire.PROTOCOL_VERSION, _wire.pack_attributes(hello)),
            _wire.frame(_wire.BLOB, _CONTEXT, pickle.dumps(context, 5)),
            _wire.frame(_wire.BLOB, _FUNCTION, b"\0c" + _MODULE.encode() + b"\ncall\n."),
            _wire.frame(_wire.CALL, number, call),
        )
    )
