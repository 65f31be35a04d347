# SPDX-License-Identifier: BSD-3-Clause
"""Entries of the store as a node sees them on which a job runs: its task, and the values that it needs."""

from __future__ import annotations

import contextlib
import os
import time
from typing import Any

from swiftlet import _entries
from swiftlet._entries import OUTCOME, TASK, Entry


def load(directory: str, header: dict[str, Any]) -> list[list[memoryview]]:
    """The payloads of the values that the call needs. ``OSError`` if one is not to be had."""
    payloads: list[list[memoryview]] = []
    for name in header.get("inputs") or ():
        place = os.path.split(name) if name.startswith("/") else (directory, name)
        try:
            entry = read_in_time(place[0], place[1], OUTCOME)
        except FileNotFoundError:
            raise FileNotFoundError(
                f"the outcome of an input, {os.path.join(*place)}, cannot be seen on this node"
            ) from None
        if entry.header.get("kind") != "value":
            raise RuntimeError(f"an input, {os.path.join(*place)}, ended without a value")
        payloads.append(entry.named("value"))
    return payloads


def read_in_time(directory: str, key: str, role: int) -> Entry:
    """Network file systems take a while to show a new file on another node."""
    deadline = time.monotonic() + _entries.VISIBLE_WITHIN
    pause = 0.05
    while True:
        try:
            return _entries.read(directory, key, role)
        except FileNotFoundError:
            other = os.path.exists(_entries.path_of(directory, key, OUTCOME)) and role == TASK
            if other or time.monotonic() > deadline or not _entries.is_remote(directory):
                raise
        time.sleep(pause)
        pause = min(2 * pause, 2.0)
        with contextlib.suppress(OSError):
            os.listdir(os.path.dirname(os.path.join(directory, key)))
