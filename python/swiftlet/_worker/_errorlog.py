# SPDX-License-Identifier: BSD-3-Clause
"""``error_log_file``: what failed, with which arguments, and how."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import Any


def append(path: str, fn: object, args: object, kwargs: Mapping[str, Any], error: BaseException) -> None:
    """Appends the four parts in one write, so that workers do not mix theirs, and makes missing directories.
    Never fails, says on stderr if it could not.
    """
    import traceback

    trace = "".join(traceback.format_exception(type(error), error, error.__traceback__))
    text = f"function: {_text(fn)}\nargs: {_text(args)}\nkwargs: {_text(kwargs)}\n{trace}"
    try:
        os.makedirs(os.path.dirname(path) or ".", exist_ok=True)  # as with cwd
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            os.write(descriptor, text.encode("utf-8", "backslashreplace"))
        finally:
            os.close(descriptor)
    except OSError as failure:
        sys.stderr.write(f"swiftlet: the error log file cannot be written: {failure}\n")


def _text(value: object) -> str:
    try:
        return str(value)
    except Exception as failure:
        return f"<its text cannot be had: {type(failure).__name__}>"
