# SPDX-License-Identifier: BSD-3-Clause
"""Slots, as the engine tells them to calls and to the client, and what a call is told of itself."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, final

from swiftlet._current import numbers


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
    """Its number in its executor; 0 for a job of a cluster executor, which may outlive it."""
    attempt: int
    """How often it was started, this time included."""
    deadline: float | None
    """When it will be ended, in seconds since the epoch; None: never."""
    slot: Slot | None
    """What it may use."""


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
