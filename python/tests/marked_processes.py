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


def gone_within(seconds: float, mark: str) -> list[str]:
    """What is left of the processes with ``mark`` after at most so many seconds, described."""
    deadline = time.monotonic() + seconds
    while (left := processes_with(mark)) and time.monotonic() < deadline:
        time.sleep(0.01)
    return [described(pid) for pid in left]


def described(pid: int) -> str:
    try:
        status = Path(f"/proc/{pid}/status").read_text()
        command = Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
    except OSError:
        return f"{pid}, gone since"
    parent = next(line.split()[1] for line in status.splitlines() if line.startswith("PPid"))
    return f"{pid} (of {parent}): {command}"
