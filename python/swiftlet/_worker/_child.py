# SPDX-License-Identifier: BSD-3-Clause
"""What a forked copy of the fork server does to become a worker: a session, descriptors and signals of its
own.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found,unused-ignore]
import gc
import os
import sys
import types
from typing import NamedTuple, NoReturn

from swiftlet import _wire
from swiftlet._worker import _hooks, _process, _slot, _worker

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


def become_worker(given: Descriptors) -> NoReturn:
    """Leaves nothing of the fork server but its imports, and works until the worker ends.

    It does not return to the fork server's frames: taking them down would touch memory that is shared.
    """
    # `_signal`: what `signal` adds, enumerations, costs more pages of memory than all of this.
    _signal.set_wakeup_fd(-1)
    _signal.signal(_signal.SIGCHLD, _signal.SIG_DFL)
    _signal.signal(_signal.SIGINT, _signal.default_int_handler)
    os.setsid()
    _process.die_with_parent(given.parent)
    _process.become_subreaper()
    _process.volunteer_for_oom()
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
    _hooks.give_back()
    gc.enable()
    _worker.run(CONNECTION)
