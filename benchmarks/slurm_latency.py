# SPDX-License-Identifier: BSD-3-Clause
"""How long does one call as a batch job of Slurm take, and how late is its end noticed?"""

from __future__ import annotations

import statistics
import subprocess
import tempfile
import time
from concurrent.futures import Executor

from executorlib import SlurmClusterExecutor as Executorlib

from race import Contestant, Goal, race
from slurm_site import site
from swiftlet import SlurmClusterExecutor
from work import when

CALLS = 5
NOTICED, PEER_NOTICED = "end noticed, swiftlet", "end noticed, executorlib"
CALL, PEER_CALL, BARE = "one call, swiftlet", "one call, executorlib", "one job, bare sbatch"


def noticed(executor: Executor, from_submit: bool) -> float:
    """Median over calls one after the other, in milliseconds, from a call's end or its submission."""
    took = []
    with executor:
        for number in range(CALLS):
            start = time.time()
            ended = executor.submit(when, number).result()
            took.append(time.time() - (start if from_submit else ended))
    return 1000 * statistics.median(took)


def swiftlet(from_submit: bool) -> float:
    """The default script."""
    with tempfile.TemporaryDirectory() as directory:
        return noticed(SlurmClusterExecutor(cache_directory=directory), from_submit)


def executorlib(from_submit: bool) -> float:
    """Its default script needs to be told a partition."""
    with tempfile.TemporaryDirectory() as directory:
        executor = Executorlib(cache_directory=directory, resource_dict={"partition": "debug"})
        return noticed(executor, from_submit)


def bare() -> float:
    """The same for jobs that do nothing, asked every 50 ms whether they are over."""
    took = []
    for _ in range(CALLS):
        start = time.time()
        command = ["sbatch", "--parsable", "--output=/dev/null", "--wrap=true"]
        job = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
        while subprocess.run(["squeue", "-h", "-j", job], check=True, capture_output=True).stdout:
            time.sleep(0.05)
        took.append(time.time() - start)
    return 1000 * statistics.median(took)


if __name__ == "__main__":
    with site():
        race(
            "One call as a batch job",
            "ms",
            [
                Contestant(NOTICED, lambda: swiftlet(from_submit=False)),
                Contestant(PEER_NOTICED, lambda: executorlib(from_submit=False)),
                Contestant(CALL, lambda: swiftlet(from_submit=True)),
                Contestant(PEER_CALL, lambda: executorlib(from_submit=True)),
                Contestant(BARE, bare),
            ],
            [
                Goal(NOTICED, "", "below", 1000, 2000),
                Goal(CALL, PEER_CALL, "at most", 0.5, 1),
                Goal(CALL, BARE, "at most", 1.5, 3),
            ],
            rounds=3,
        )
