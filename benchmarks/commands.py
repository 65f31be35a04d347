# SPDX-License-Identifier: BSD-3-Clause
"""How many external commands a second? Against HyperQueue with one worker of two cores."""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
from collections.abc import Iterator
from typing import Any

from hyperqueue.client import Client
from hyperqueue.cluster import LocalCluster, WorkerConfig
from hyperqueue.job import Job

from race import Contestant, Goal, race
from swift_program import build, measure
from swiftlet import Command, SingleNodeExecutor

SWIFT, PYTHON = "Swift executor", "Python front, warm workers"
HYPERQUEUE, FILES = "HyperQueue, no output files", "HyperQueue"
COUNT = 2000


@contextlib.contextmanager
def hyperqueue() -> Iterator[Client]:
    """A server and a worker of two cores in a directory of their own, as its Python package starts them."""
    with tempfile.TemporaryDirectory() as directory:
        before = os.getcwd()
        os.chdir(directory)  # output files go there
        try:
            with LocalCluster(os.path.join(directory, "server"), WorkerConfig(cores=2)) as cluster:
                client = cluster.client()
                per_second(client, 50)
                yield client
        finally:
            os.chdir(before)


def per_second(client: Client, count: int = COUNT, **options: Any) -> float:
    """One job of so many commands.

    HyperQueue's client asks once a second how far the job is, and so notices its end up to a second late: the
    rate is that of the last answer before the end, where there is one.
    """
    job = Job()
    for _ in range(count):
        job.program(["/bin/true"], **options)
    rates = [0.0]

    def asked(jobs: dict[int, dict[str, int]]) -> None:
        finished = sum(one["finished"] for one in jobs.values())
        if finished < count:
            rates.append(finished / (time.perf_counter() - start))

    start = time.perf_counter()
    failed = client.connection.wait_for_jobs([client.submit(job).id], asked)
    rates[0] = count / (time.perf_counter() - start)
    if failed:
        raise RuntimeError(f"commands of HyperQueue failed: {client.connection.get_failed_tasks(failed)}")
    return max(rates[0], rates[-1])


def python_per_second(count: int) -> float:
    """`swiftlet.Command`, a function of warm workers."""
    with SingleNodeExecutor(max_workers=2, block_allocation=True) as executor:
        for future in [executor.submit(Command("/bin/true")) for _ in range(4)]:
            future.result()
        start = time.perf_counter()
        futures = [executor.submit(Command("/bin/true")) for _ in range(count)]
        for future in futures:
            future.result().check()
        return count / (time.perf_counter() - start)


if __name__ == "__main__":
    program = build()
    with hyperqueue() as client:
        race(
            "External commands, 2 cores",
            "commands/s",
            [
                Contestant(SWIFT, lambda: measure(program, "commands", COUNT)[0]),
                Contestant(PYTHON, lambda: python_per_second(COUNT // 2)),
                Contestant(HYPERQUEUE, lambda: per_second(client, stdout=None, stderr=None)),
                Contestant(FILES, lambda: per_second(client)),
            ],
            [Goal(SWIFT, HYPERQUEUE, "at least", 1.5, 1)],
        )
