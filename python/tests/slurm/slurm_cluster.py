# SPDX-License-Identifier: BSD-3-Clause
"""The Slurm of the tests (`Tests/Cluster`), and how they ask it what it really did."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

SCRIPTS = Path(__file__).resolve().parents[3] / "Tests" / "Cluster"
NODES = 4
CANNOT_HAVE_SLURM = 3
ENDED = {
    "BOOT_FAIL", "CANCELLED", "COMPLETED", "DEADLINE", "FAILED", "NODE_FAIL", "OUT_OF_MEMORY", "PREEMPTED",
    "TIMEOUT",
}  # fmt: skip


class NoSlurmHere(Exception):
    """This machine cannot have a Slurm; the message says why."""


@dataclass(frozen=True)
class QueueRow:
    """A job (or array element) that is pending or running."""

    job: str
    state: str
    reason: str
    name: str


class Cluster:
    """Four nodes of four cores, 4 GiB and two fake GPUs each, on this host's loopback interface.

    A directory named by SLURM_TEST_DIR is used and left running, so that several runs can share it.
    """

    def __init__(self) -> None:
        chosen = os.environ.get("SLURM_TEST_DIR")
        self.directory = Path(chosen or tempfile.mkdtemp(prefix="swiftlet-slurm-"))
        self._stays = chosen is not None
        # Its daemons are no processes of a test.
        self._environment = {
            key: value
            for key, value in os.environ.items()
            if not key.startswith(("SLURM", "SWIFTLET")) or key.startswith("SLURM_TEST_")
        }
        self._environment["SLURM_TEST_DIR"] = str(self.directory)
        self._environment.setdefault("SLURM_TEST_PORT", str(free_ports(NODES + 2)))
        self._environment.setdefault("SLURM_TEST_NODES", str(NODES))
        self.configuration = self.directory / "etc" / "slurm.conf"

    def up(self) -> None:
        """Starts what does not run: all of it, or the nodes that a test has killed."""
        done = subprocess.run(
            [SCRIPTS / "up"],
            env=self._environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        if done.returncode == CANNOT_HAVE_SLURM:
            raise NoSlurmHere(done.stderr.strip())
        if done.returncode:
            raise RuntimeError(f"the test cluster did not start:\n{done.stderr}")

    def restart_controller(self, configuration: str | None = None) -> None:
        """As a site does it: what it knows of jobs is on disk. (Killed, it forgets the last seconds.)

        With `configuration` these lines are appended to slurm.conf from now on.
        """
        if configuration is not None:
            self._environment["SLURM_TEST_CONF"] = configuration
        pid = int((self.directory / "run" / "slurmctld.pid").read_text())
        os.kill(pid, signal.SIGTERM)
        self.until(lambda: not Path(f"/proc/{pid}").exists())
        self.up()

    def down(self) -> None:
        """Ends it, unless the caller chose its directory."""
        if not self._stays:
            subprocess.run([SCRIPTS / "down", "--purge"], env=self._environment, check=True)
            shutil.rmtree(self.directory, ignore_errors=True)

    def run(self, *command: str, **options: str) -> str:
        """The stdout of a Slurm command that has to succeed."""
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, **options)  # type: ignore[call-overload]
        if done.returncode:
            raise RuntimeError(f"{' '.join(command)}: status {done.returncode}: {done.stderr}")
        return str(done.stdout)

    def show(self, kind: str, name: str | int) -> dict[str, str]:
        """`scontrol show KIND NAME` by key; for an array the first element shown."""
        return fields(self.run("scontrol", "show", kind, str(name), "--oneliner").splitlines()[0])

    def job(self, job: str | int) -> dict[str, str]:
        """What Slurm says of a job that it has not forgotten."""
        return self.show("job", job)

    def queue(self) -> list[QueueRow]:
        """All that is pending or running, array elements one by one."""
        rows = self.run("squeue", "--noheader", "--array", "--format=%i|%T|%r|%j").splitlines()
        return [QueueRow(*row.split("|", 3)) for row in rows]

    def wait_for_job(self, job: str | int, states: set[str] = ENDED, seconds: float = 60) -> dict[str, str]:
        """What Slurm says of a job once it is in one of `states`."""
        return self.until(lambda: found if (found := self.job(job))["JobState"] in states else None, seconds)

    def until(self, condition: Callable[[], object], seconds: float = 60) -> dict[str, str]:
        """The first true answer. Slurm pushes nothing to a client, so the tests have to ask."""
        deadline = time.monotonic() + seconds
        while not (answer := condition()):
            if time.monotonic() > deadline:
                raise TimeoutError(f"not within {seconds} s; the queue: {self.queue()}")
            time.sleep(0.05)
        return answer  # type: ignore[return-value]

    def clear(self) -> None:
        """Cancels all jobs, revives all nodes, and waits until the queue is empty."""
        for row in self.queue():
            subprocess.run(["scancel", row.job.split("_")[0]], capture_output=True)
        self.until(lambda: not self.queue())

    def in_allocation(self, *options: str) -> Callable[[str], str]:
        """Runs shell commands by `salloc OPTIONS`, each in an allocation of its own."""

        def run(command: str) -> str:
            return self.run("salloc", "--quiet", *options, "bash", "-c", command)

        return run

    @contextmanager
    def salloc(self, *options: str) -> Iterator[dict[str, str]]:
        """An allocation that lives as long as the block; gives the variables that it sets."""
        command = ["salloc", "--quiet", *options, "bash", "-c", "env -0; printf '\\0'; read"]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            text = b""
            while not text.endswith(b"\0\0") and (more := process.stdout.read1(65536)):
                text += more
            if not text:
                raise RuntimeError(f"no allocation for {options}")
            pairs = (entry.partition("=") for entry in text.decode().split("\0") if entry)
            yield {key: value for key, _, value in pairs if key.startswith("SLURM")}
            process.stdin.close()


def fields(line: str) -> dict[str, str]:
    """The `Key=value` pairs of one line of scontrol."""
    parts = re.split(r"(?:^|\s)([A-Z][A-Za-z:/]*)=", line)
    return {key: value.strip() for key, value in zip(parts[1::2], parts[2::2])}


def free_ports(count: int) -> int:
    """The first of `count` neighbouring TCP ports that nobody listens on, below those given to clients."""
    for first in range(17000 + os.getpid() % 1000 * 10, 32000, count):
        try:
            for port in range(first, first + count):
                with closing(socket.socket()) as probe:
                    probe.bind(("127.0.0.1", port))
        except OSError:
            continue
        return first
    raise RuntimeError("no free ports on the loopback interface")
