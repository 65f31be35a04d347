# SPDX-License-Identifier: BSD-3-Clause
"""Whether a process that said in a file who it is still lives, as far as can be seen from its own host."""

from __future__ import annotations

import contextlib
import os
import uuid
from collections.abc import Mapping
from typing import Any

from swiftlet import _entries


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


def lives(who: Mapping[str, Any]) -> bool | None:
    """Whether the process lives that is named by ``boot`` (its ``host()``), ``pid`` and ``start``. None: of
    another host, or unknown.
    """
    here = host()
    if not here or who.get("boot") != here:
        return None
    return start_time(int(who["pid"])) == who.get("start")


def now(folder: str) -> float | None:
    """The time of the file system's own clock, as hosts' clocks differ; None if it cannot be asked."""
    probe = os.path.join(folder, f"{_entries.PREFIX}{uuid.uuid4().hex}.probe")
    try:
        os.close(os.open(probe, os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        return os.stat(probe).st_mtime
    except OSError:
        return None
    finally:
        with contextlib.suppress(OSError):
            os.unlink(probe)
