# SPDX-License-Identifier: BSD-3-Clause
"""Calls drive an external program that stays: the worker holds it, and only texts travel."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

from swiftlet import SingleNodeExecutor

# Stands for a simulation code that is told what to do on its standard input.
PROGRAM = """
total = 0
while True:
    line = input()
    if line == "quit":
        break
    total += int(line)
    print("total", total)
    print("ready")
"""


def start() -> dict[str, Any]:
    """Runs once in the worker. What it returns never leaves the worker, so it need not be picklable."""
    command = [sys.executable, "-u", "-c", PROGRAM]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    return {"process": process}


def tell(line: str, process: subprocess.Popen[str]) -> list[str]:
    """Sends a line and reads until the program is ready again; ``process`` comes from ``start``."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(line + "\n")
    process.stdin.flush()
    return [answer.strip() for answer in iter(process.stdout.readline, "ready\n")]


def leave(process: subprocess.Popen[str]) -> int:
    """Ends the program; its exit status."""
    process.communicate("quit\n")
    return process.returncode


def main() -> None:
    """One worker, three calls."""
    with SingleNodeExecutor(block_allocation=True, max_workers=1, init_function=start) as executor:
        for number in (5, 7):
            print(executor.submit(tell, str(number)).result())
        print(executor.submit(leave).result())


if __name__ == "__main__":
    main()
