# SPDX-License-Identifier: BSD-3-Clause
"""Small functions of executorlib's ``api`` that need no connection."""

from __future__ import annotations

import inspect
import os
import queue
from concurrent.futures import Future as StandardFuture
from typing import Any

import cloudpickle

_BACKEND = os.path.join(os.path.dirname(os.path.abspath(__file__)), "backend")


def cancel_items_in_queue(que: queue.Queue[Any]) -> None:
    """Empties a queue; futures under ``"future"`` in dicts that wait in it are cancelled."""
    while True:
        try:
            item = que.get_nowait()
        except queue.Empty:
            return
        if isinstance(item, dict) and isinstance(item.get("future"), StandardFuture):
            item["future"].cancel()
        que.task_done()


def cloudpickle_register(ind: int = 2) -> None:
    """What is in the module of the caller's caller (``ind`` frames up; 1: of the caller) travels by value
    from now on, as if it were in ``__main__``: workers need not be able to import it.
    """
    stack = inspect.stack()
    for level in range(min(ind, len(stack) - 1), 0, -1):
        module = inspect.getmodule(stack[level].frame)
        if module is not None:
            if module.__name__ != "__main__":  # that travels by value anyway
                cloudpickle.register_pickle_by_value(module)
            return


def get_command_path(executable: str) -> str:
    """The path of a worker program of this package: ``interactive_serial.py`` or
    ``interactive_parallel.py``.

    ``FileNotFoundError`` for another name.
    """
    path = os.path.join(_BACKEND, executable)
    if not os.path.isfile(path):
        known = ", ".join(sorted(name for name in os.listdir(_BACKEND) if name.endswith("l.py")))
        raise FileNotFoundError(f"swiftlet has no worker program {executable!r}; there are {known}")
    return path
