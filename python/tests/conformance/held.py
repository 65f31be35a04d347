# SPDX-License-Identifier: BSD-3-Clause
"""Calls that are held until a test lets them go on, whatever process they run in."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any


class Gate:
    """Two named pipes: one tells the test that the call is there, one lets the call go on."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir()
        self.here = str(directory / "here")
        self.there = str(directory / "there")
        os.mkfifo(self.here)
        os.mkfifo(self.there)

    def wait_until_reached(self) -> None:
        """Returns when a call is held."""
        with open(self.here) as pipe:
            assert pipe.read() == "here"

    def open(self) -> None:
        """Lets the held call go on."""
        with open(self.there, "w") as pipe:
            pipe.write("go")


def wait_until_known_to_run(future: Any) -> None:
    """Where calls are jobs, a call may be there before the queue has said that its job runs."""
    deadline = time.monotonic() + 60
    while not future.running():
        assert time.monotonic() < deadline
        assert not future.done()
        time.sleep(0.01)


def hold(gate: Gate, value: Any = None) -> Any:
    """The call that is held; returns ``value``."""
    with open(gate.here, "w") as pipe:
        pipe.write("here")
    with open(gate.there) as pipe:
        assert pipe.read() == "go"
    return value
