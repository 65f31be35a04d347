# SPDX-License-Identifier: BSD-3-Clause
"""What happens when the interpreter exits or forks while engines run.

At exit the calls that were submitted finish first, as in the standard library; Ctrl-C abandons them. A forked
child closes its copies of the sockets (or the engine would never see the end of this process) and can use
none of it.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
from typing import TYPE_CHECKING

from swiftlet import _futures, _serial

if TYPE_CHECKING:
    from swiftlet._connection import Connection

NOTICE_AFTER = 2.0
ABANDON_SECONDS = 10.0

_live: set[Connection] = set()
_installed = False


def register(connection: Connection) -> None:
    """The connection is to be ended at exit. ``RuntimeError`` if the interpreter is exiting already."""
    global _installed
    if not _installed:
        try:
            threading._register_atexit(_finish)  # type: ignore[attr-defined]
        except RuntimeError as error:
            raise RuntimeError("cannot schedule new futures after interpreter shutdown") from error
        os.register_at_fork(after_in_child=_forked)
        _installed = True
    _live.add(connection)


def forget(connection: Connection) -> None:
    """The connection has ended."""
    _live.discard(connection)


def _finish() -> None:
    """Runs when the main thread is done, before the interpreter joins its threads."""
    connections = list(_live)
    try:
        if getattr(sys, "last_type", None) is KeyboardInterrupt:
            raise KeyboardInterrupt
        for connection in connections:
            connection.end_at_exit()
        _wait(connections)
        for connection in connections:
            connection.output.drain()
        _serial.callbacks.drain()
    except KeyboardInterrupt:
        open_calls = sum(len(connection.tasks) for connection in connections)
        for connection in connections:
            connection.abandon()
        if open_calls:
            say(f"swiftlet: {_calls(open_calls)} abandoned")
        deadline = time.monotonic() + ABANDON_SECONDS
        for connection in connections:
            connection.ended.wait(max(0.0, deadline - time.monotonic()))


def _wait(connections: list[Connection]) -> None:
    """Waits for all to end; says once what it waits for."""
    deadline = time.monotonic() + NOTICE_AFTER
    for connection in connections:
        connection.ended.wait(max(0.0, deadline - time.monotonic()))
    open_calls = sum(len(connection.tasks) for connection in connections if not connection.leaves)
    if open_calls:
        say(f"swiftlet: waiting for {_calls(open_calls)} to finish before Python exits; Ctrl-C abandons them")
    for connection in connections:
        connection.ended.wait()


def _calls(count: int) -> str:
    return f"{count} submitted call" if count == 1 else f"{count} submitted calls"


def say(text: str) -> None:
    """A line for the user, on stderr if there is one."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        sys.stderr.write(text + "\n")
        sys.stderr.flush()


def _forked() -> None:
    _futures.reset_after_fork()
    _serial.callbacks.reset_after_fork()
    _serial.resolver.reset_after_fork()
    for connection in list(_live):
        connection.forked()
    _live.clear()
