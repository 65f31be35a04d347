# SPDX-License-Identifier: BSD-3-Clause
"""What the control groups around this process leave it of the node's cores and memory."""

from __future__ import annotations

import contextlib
import os


def quota_of_cores() -> float | None:
    """CPUs that the control group (version 2 or 1) may use; None if that is not limited or cannot be read."""
    for path in _directories():
        try:
            with open(os.path.join(path, "cpu.max")) as file:
                quota, period = file.read().split()[:2]
        except (OSError, ValueError):
            continue
        if quota != "max":
            return int(quota) / int(period)
    try:
        with open("/sys/fs/cgroup/cpu/cpu.cfs_quota_us") as file:
            quota_us = int(file.read())
        with open("/sys/fs/cgroup/cpu/cpu.cfs_period_us") as file:
            period_us = int(file.read())
    except (OSError, ValueError):
        return None
    return quota_us / period_us if quota_us > 0 and period_us > 0 else None


def _directories() -> list[str]:
    """The process's group and those around it, the innermost first (version 2)."""
    try:
        with open("/proc/self/cgroup") as file:
            lines = [line.rstrip("\n").split(":", 2) for line in file]
    except OSError:
        return []
    for number, _, path in lines:
        if number == "0":
            parts = [part for part in path.split("/") if part and part != ".."]
            return [os.path.join("/sys/fs/cgroup", *parts[:count]) for count in range(len(parts), -1, -1)]
    return []


def memory_limit() -> int | None:
    """Bytes of memory that this process and its kind may use: the node's, or less by a control group; None
    if unknown.
    """
    limits: list[int] = []
    with contextlib.suppress(ValueError, OSError):
        limits.append(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    for path in [
        *(os.path.join(directory, "memory.max") for directory in _directories()),
        "/sys/fs/cgroup/memory/memory.limit_in_bytes",
    ]:
        try:
            with open(path) as file:
                limits.append(int(file.read()))
        except (OSError, ValueError):
            continue
    return min(limits) if limits else None
