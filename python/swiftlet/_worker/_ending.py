# SPDX-License-Identifier: BSD-3-Clause
"""How a worker's interpreter ends: as any other, except that its memory is left to the kernel."""

from __future__ import annotations

import _io
import atexit
import contextlib
import gc
import sys
import threading

from swiftlet._worker import _process

ends_children = False
"""Nobody else ends what this process has started: not every launcher does when a step has exited."""


def flush_output() -> None:
    """What the call printed goes out before its outcome."""
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except Exception:  # the call closed or replaced them: then that is its own affair
        pass
    _process.flush_c_streams()


def run_exit_handlers() -> None:
    """Waits for non-daemon threads, runs atexit handlers, writes out open files."""
    for is_needed, step in (
        (_may_wait_for_threads, threading._shutdown),  # type: ignore[attr-defined]
        (atexit._ncallbacks, atexit._run_exitfuncs),
        (_has_log_handlers, _shut_down_logging),
    ):
        try:
            if is_needed():
                step()
        except BaseException:  # also SystemExit: the interpreter is ending already
            import traceback

            traceback.print_exc()
    flush_files()
    flush_output()
    if ends_children:
        _process.end_children(within=2.0)


def rehearse() -> None:
    """What ``run_exit_handlers`` does where there are none. Here those there are would be run, and lost."""
    _may_wait_for_threads()
    _has_log_handlers()
    flush_files()


def take_over_logging() -> None:
    """In the fork server: from now on ``logging`` is shut down only where a call has made handlers, for even
    finding that there are none costs a child a dozen pages of memory.
    """
    global _own_log_handlers
    import logging

    atexit.unregister(logging.shutdown)
    _own_log_handlers = list(logging._handlerList)  # type: ignore[attr-defined]


_own_log_handlers: list[object] | None = None  # None: it is among the exit handlers, as usual


def _has_log_handlers() -> bool:
    if _own_log_handlers is None:
        return False
    import logging

    return bool(logging._handlerList != _own_log_handlers)  # type: ignore[attr-defined]


def _shut_down_logging() -> None:
    import logging

    logging.shutdown()


def _may_wait_for_threads() -> bool:
    """Whether there are threads, or modules that asked to be called before threads are waited for."""
    return threading.active_count() > 1 or bool(getattr(threading, "_threading_atexits", True))


def exit_status(stop: BaseException) -> int:
    """The exit status that ``sys.exit(code)`` asks for; a code that is a text is printed."""
    code = stop.code if isinstance(stop, SystemExit) else 1
    if code is None:
        return 0
    if isinstance(code, int):
        return code & 0xFF
    with contextlib.suppress(Exception):
        sys.stderr.write(f"{code}\n")
    return 1


def flush_files() -> None:
    """Writes out what open files have buffered."""
    # By type, never isinstance: that would ask proxies and mocks for their __class__.
    for obj in gc.get_objects():
        if issubclass(type(obj), _io._IOBase):
            with contextlib.suppress(Exception):
                if not obj.closed and obj.writable():
                    obj.flush()
