# SPDX-License-Identifier: BSD-3-Clause
"""Finds the processes of a test by a mark in the environment that they inherit."""

from __future__ import annotations

import os
import time
from pathlib import Path

MARK = "SWIFTLET_TEST_SESSION"


def processes_with(mark: str) -> list[int]:
    """The processes (not this one) that inherited an environment in which ``MARK`` is ``mark``."""
    wanted = f"{MARK}={mark}".encode()
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit() and int(entry) != os.getpid():
            try:
                environment = Path("/proc", entry, "environ").read_bytes()
                state = Path("/proc", entry, "stat").read_text().rpartition(")")[2].split()[0]
            except OSError:
                continue
            if wanted in environment.split(b"\0") and state != "Z":
                found.append(int(entry))
    return found


def gone_within(seconds: float, mark: str) -> list[int]:
    """What is left of the processes with ``mark`` after at most so many seconds."""
    deadline = time.monotonic() + seconds
    while (left := processes_with(mark)) and time.monotonic() < deadline:
        os.sched_yield()
    return left
