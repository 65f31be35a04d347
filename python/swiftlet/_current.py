# SPDX-License-Identifier: BSD-3-Clause
"""What a call knows of itself: ``current_task()``."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from swiftlet._slots import TaskInfo

VARIABLE = "SWIFTLET_SLOT"
THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)
"""By which libraries are told how many threads a process may have."""


_running: tuple[int, int, float | None] | None = None


def current_task() -> TaskInfo | None:
    """The call in which this runs; None outside of calls. For any thread of a worker."""
    running = _running
    if running is None:
        return None
    from swiftlet._slots import TaskInfo, read_slots

    slots = read_slots(os.environ.get(VARIABLE))
    return TaskInfo(*running, slots[0] if slots else None)


def running() -> tuple[int, int, float | None] | None:
    """The call (number, attempt, deadline) that this process has begun."""
    return _running


def set_running(running: tuple[int, int, float | None] | None) -> None:
    """The worker begins a call (number, attempt, deadline), or has ended it."""
    global _running
    _running = running


def numbers(text: str) -> list[int]:
    """``0-2,7`` as numbers."""
    found: list[int] = []
    for word in filter(None, text.strip().split(",")):
        first, _, last = word.partition("-")
        found.extend(range(int(first), int(last or first) + 1))
    return found
