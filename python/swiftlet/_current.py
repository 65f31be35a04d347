# SPDX-License-Identifier: BSD-3-Clause
"""What a call knows of itself: ``current_task()``; and slots, as they are told to it and to the client."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, final

VARIABLE = "SWIFTLET_SLOT"
THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)
"""By which libraries are told how many threads a process may have."""


@final
@dataclass(frozen=True)
class Slot:
    """What a worker holds on one node, or a rank of it."""

    cores: int
    """How many cores."""
    core_numbers: tuple[int, ...]
    """Which, where they are its alone; empty where cores are only counted."""
    gpus: tuple[str, ...]
    """Its GPUs, in the vendor's words."""
    memory: int | None
    """Bytes it may use; None: not limited."""
    threads_per_core: int
    ranks: int
    """How many MPI ranks share it."""
    node: str
    """The name of the node; empty on this one."""


@final
@dataclass(frozen=True)
class TaskInfo:
    """The call that is running."""

    id: int
    """Its number in its executor."""
    attempt: int
    """How often it was started, this time included."""
    deadline: float | None
    """When it will be ended, in seconds since the epoch; None: never."""
    slot: Slot | None
    """What it may use."""


_running: tuple[int, int, float | None] | None = None


def current_task() -> TaskInfo | None:
    """The call in which this runs; None outside of calls. For any thread of a worker."""
    running = _running
    if running is None:
        return None
    slots = read_slots(os.environ.get(VARIABLE))
    return TaskInfo(*running, slots[0] if slots else None)


def running() -> tuple[int, int, float | None] | None:
    """The call (number, attempt, deadline) that this process has begun."""
    return _running


def set_running(running: tuple[int, int, float | None] | None) -> None:
    """The worker begins a call (number, attempt, deadline), or has ended it."""
    global _running
    _running = running


def read_slots(text: str | None) -> tuple[Slot, ...]:
    """A slot as the engine writes it: one for each node. Empty for what cannot be read."""
    if not text:
        return ()
    try:
        slot = json.loads(text)
        return tuple(_on_node(node, slot["threads_per_core"]) for node in slot["nodes"])
    except (ValueError, LookupError, TypeError):
        return ()


def _on_node(node: Mapping[str, Any], threads: int) -> Slot:
    return Slot(
        node["core_count"],
        tuple(numbers(node["cores"])),
        tuple(node["gpus"]),
        node["memory"] or None,
        threads,
        node["ranks"],
        node["name"],
    )


def numbers(text: str) -> list[int]:
    """``0-2,7`` as numbers."""
    found: list[int] = []
    for word in filter(None, text.strip().split(",")):
        first, _, last = word.partition("-")
        found.extend(range(int(first), int(last or first) + 1))
    return found
