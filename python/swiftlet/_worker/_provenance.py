# SPDX-License-Identifier: BSD-3-Clause
"""Who made an outcome, where, when and with what."""

from __future__ import annotations

import os
import socket
import sys
from typing import Any, Protocol

from swiftlet._version import __version__

_PACKAGES_NAMED = 50


class Run(Protocol):
    """What is known of a call's process from outside."""

    pid: int
    start: float
    end: float
    status: int
    stderr: bytes


def of_call(run: Run, about: dict[str, Any]) -> dict[str, Any]:
    """The provenance of an outcome; ``about`` is what ``of_process`` gave in the call's process."""
    provenance: dict[str, Any] = {
        "host": socket.gethostname(),
        "user": _user(),
        "pid": run.pid,
        "start": run.start,
        "end": run.end,
        "duration": run.end - run.start,
        "python": sys.version.split()[0],
        "swiftlet": __version__,
        "command": [sys.executable, *sys.argv],
        "exit_status": run.status,
        **about,
    }
    if run.status < 0:
        provenance["signal"] = -run.status
        del provenance["exit_status"]
    if run.stderr:
        provenance["stderr"] = run.stderr.decode(errors="replace")
    queue = queue_id()
    if queue is not None:
        provenance["queue_id"] = queue
    return provenance


def of_process() -> dict[str, Any]:
    """What only the call's own process can tell: the packages it has imported."""
    packages: dict[str, str] = {}
    own: frozenset[str] = getattr(sys, "stdlib_module_names", frozenset())
    for name in sorted(sys.modules):
        if "." in name or name.startswith("_") or name in own or name == "swiftlet":
            continue
        version = getattr(sys.modules[name], "__version__", None)
        if isinstance(version, str) and len(packages) < _PACKAGES_NAMED:
            packages[name] = version
    return {"packages": packages}


def queue_id() -> int | None:
    """The number of the job that this process belongs to; None outside of any."""
    for name in ("SLURM_JOB_ID", "FLUX_JOB_ID"):
        text = os.environ.get(name, "")
        if text.isdigit():
            return int(text)
        if text:
            number = _flux_number(text)
            if number is not None:
                return number
    return None


_BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"


def _flux_number(text: str) -> int | None:
    """A Flux job id in its short form: ``ƒ`` or ``f``, then base 58."""
    digits = text[1:]
    if text[0] not in "ƒf" or not digits or any(digit not in _BASE58 for digit in digits):
        return None
    number = 0
    for digit in digits:
        number = number * 58 + _BASE58.index(digit)
    return number


def _user() -> str:
    import pwd

    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return str(os.geteuid())
