# SPDX-License-Identifier: BSD-3-Clause
"""Whether a process that said in a file who it is still lives, as far as can be seen from its own host."""

from __future__ import annotations

import os


def host() -> str:
    """Where a number names the same process: this boot, this container. Empty where nothing can be said."""
    try:
        with open("/proc/sys/kernel/random/boot_id") as file:
            return f"{file.read().strip()} {os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return ""


def start_time(process: int) -> int | None:
    """With its number this names a process; None if there is no such process (any more)."""
    try:
        with open(f"/proc/{process}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
    except OSError:
        return None
    return None if fields[0] in (b"Z", b"X") else int(fields[19])
