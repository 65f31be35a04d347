# SPDX-License-Identifier: BSD-3-Clause
"""How a worker's interpreter ends: as any other, except that its memory is left to the kernel."""

from __future__ import annotations

import _io
import atexit
import contextlib
import gc
import sys
import threading
import traceback

from swiftlet._worker import _process


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
    for step in (threading._shutdown, atexit._run_exitfuncs):  # type: ignore[attr-defined]
        try:
            step()
        except BaseException:  # also SystemExit: the interpreter is ending already
            traceback.print_exc()
    flush_files()
    flush_output()


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
