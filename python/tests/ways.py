# SPDX-License-Identifier: BSD-3-Clause
"""The two ways in which an engine reaches the workers of an agent, which tests have on one host."""

from __future__ import annotations

import os
import socket
import stat
import struct
from pathlib import Path
from typing import Any

import pytest

from swiftlet._session import Session

both_ways = pytest.mark.parametrize("way", ["relayed", "near"], indirect=True)
"""The test runs twice; its fixture `way` says how."""


def relay_always(monkeypatch: pytest.MonkeyPatch) -> None:
    """Agents relay, as they do on other hosts."""
    made = Session.__init__

    def init(session: Session, *, launcher: dict[str, Any], **more: Any) -> None:
        made(session, launcher={**launcher, "relay": 1}, **more)

    monkeypatch.setattr(Session, "__init__", init)


def other_end() -> str:
    """Which command of the program made this worker's connection: `engine` or `agent`."""
    makers = set()
    for name in os.listdir("/proc/self/fd"):
        try:
            if not stat.S_ISSOCK(os.fstat(int(name)).st_mode):
                continue
        except OSError:
            continue  # that of the listing
        with socket.socket(fileno=os.dup(int(name))) as end:
            credentials = end.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
        process = struct.unpack("3i", credentials)[0]
        makers.add(Path(f"/proc/{process}/cmdline").read_text().split("\0")[1])
    (maker,) = makers
    return maker
