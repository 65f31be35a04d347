# SPDX-License-Identifier: BSD-3-Clause
"""What a forked copy of the fork server does to become a worker: a session, descriptors and signals of its
own.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
import types
from typing import NamedTuple

from swiftlet import _wire
from swiftlet._worker import _process, _slot

CONNECTION = 3


class Descriptors(NamedTuple):
    """What a new worker was given by its parent."""

    parent: int
    connection: int
    out: int
    err: int
    unneeded: tuple[int, ...]
    slot: bytes
    """Attributes of SPAWN: what it may use."""


def become_worker(given: Descriptors) -> int:
    """Leaves nothing of the fork server but its imports. The descriptor of the worker's connection."""
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.setsid()
    _process.die_with_parent(given.parent)
    _process.become_subreaper()
    for descriptor in given.unneeded:
        os.close(descriptor)
    attributes = _wire.unpack_attributes(given.slot)[0] if given.slot else {}
    variables, cores = attributes.get("variables", []), attributes.get("cores", "")
    assert isinstance(variables, list)
    assert isinstance(cores, str)
    _slot.take(variables, cores)
    os.dup2(given.out, 1)
    os.dup2(given.err, 2)
    os.dup2(given.connection, CONNECTION, inheritable=False)
    for descriptor in (given.connection, given.out, given.err):
        os.close(descriptor)
    sys.modules["__main__"] = types.ModuleType("__main__")
    sys.argv = [""]
    gc.enable()
    return CONNECTION
