# SPDX-License-Identifier: BSD-3-Clause
"""How many external commands a second? Against HyperQueue with one worker of two cores."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator

from race import Contestant, Goal, race
from swift_program import build, measure

SWIFT, HYPERQUEUE, BARE = "Swift executor", "HyperQueue", "HyperQueue, no output files"
COUNT = 1000


@contextlib.contextmanager
def hyperqueue() -> Iterator[list[str]]:
    """A server and a worker of two cores, in a directory of their own; the command that reaches them."""
    program = shutil.which("hq")
    if program is None:
        raise SystemExit("HyperQueue is not installed: scripts/bench installs it")
    with tempfile.TemporaryDirectory() as directory:
        command = [program, "--server-dir", directory]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        started = [subprocess.Popen([*command, "server", "start", "--host", "127.0.0.1"], **quiet)]  # type: ignore[call-overload]
        try:
            while not os.path.exists(os.path.join(directory, "hq-current", "access.json")):
                time.sleep(0.05)
            started.append(subprocess.Popen([*command, "worker", "start", "--cpus", "2"], **quiet))  # type: ignore[call-overload]
            subprocess.run([*command, "worker", "wait", "1"], check=True, **quiet)  # type: ignore[call-overload]
            yield command
        finally:
            for process in reversed(started):
                process.send_signal(signal.SIGTERM)
                process.wait()


def per_second(command: list[str], *options: str) -> float:
    """An array of commands, from submission to the end of the last."""
    with tempfile.TemporaryDirectory() as directory:
        start = time.perf_counter()
        subprocess.run(
            [*command, "submit", "--wait", "--array", f"1-{COUNT}", *options, "--", "/bin/true"],
            check=True,
            stdout=subprocess.DEVNULL,
            cwd=directory,
        )
        return COUNT / (time.perf_counter() - start)


if __name__ == "__main__":
    program = build()
    with hyperqueue() as command:
        race(
            "External commands, 2 cores",
            "commands/s",
            [
                Contestant(SWIFT, lambda: measure(program, "commands", COUNT)[0]),
                Contestant(HYPERQUEUE, lambda: per_second(command)),
                Contestant(BARE, lambda: per_second(command, "--stdout=none", "--stderr=none")),
            ],
            [Goal(SWIFT, BARE, "at least", 1.5, 1)],
        )
