# SPDX-License-Identifier: BSD-3-Clause
"""What a forked copy of the fork server does to become a worker: a session, descriptors and signals of its
own.

Functions are imported here by their names, and arguments have no wrapping: each attribute of a module that
code looks up for the first times, and each object that it makes, is another page of memory to be copied.
"""

from __future__ import annotations

import sys
from _signal import (  # type: ignore[import-not-found,unused-ignore]
    SIG_DFL,
    SIGCHLD,
    SIGINT,
    default_int_handler,
    set_wakeup_fd,
    signal,
)
from gc import enable
from os import close, dup2, setsid
from types import ModuleType
from typing import NoReturn

from swiftlet._worker._hooks import give_back
from swiftlet._worker._process import become_subreaper, die_with_parent, volunteer_for_oom
from swiftlet._worker._slot import take
from swiftlet._worker._unborn import UnbornWorker

CONNECTION = 3


def become_worker(
    worker: UnbornWorker,
    origin: int,
    parent: int,
    connection: int,
    out: int,
    err: int,
    unneeded: tuple[int, ...],
    variables: list[str],
    cores: str,
) -> NoReturn:
    """Leaves nothing of the fork server but its imports, and works until the worker ends.

    It does not return to the fork server's frames: taking them down would touch memory that is shared.

    ``origin``: see ``UnbornWorker.be_born``. ``variables`` (``NAME=value``) and ``cores`` are its slot.
    """
    # `_signal`: what `signal` adds, enumerations, costs more pages of memory than all of this.
    set_wakeup_fd(-1)
    signal(SIGCHLD, SIG_DFL)
    signal(SIGINT, default_int_handler)
    setsid()
    die_with_parent(parent)
    become_subreaper()
    volunteer_for_oom()
    for descriptor in unneeded:
        close(descriptor)
    take(variables, cores)
    dup2(out, 1)
    dup2(err, 2)
    dup2(connection, CONNECTION, False)
    close(connection)
    close(out)
    close(err)
    sys.modules["__main__"] = ModuleType("__main__")
    sys.argv = [""]
    give_back()
    enable()
    worker.be_born(CONNECTION, origin)
    worker.work()
