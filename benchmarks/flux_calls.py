# SPDX-License-Identifier: BSD-3-Clause
"""How many calls a second in a Flux instance, and how long does one call take?

Outside an instance this starts one, with the machine's own cores.
"""

from __future__ import annotations

import subprocess
import tempfile
import time
from concurrent.futures import Executor

from executorlib import FluxClusterExecutor as ExecutorlibCluster
from executorlib import FluxJobExecutor as Executorlib

from flux_site import in_instance
from race import Contestant, Goal, race
from swiftlet import FluxClusterExecutor, FluxJobExecutor
from work import identity

FRESH, PEER_FRESH = "Swiftlet, a process per call", "executorlib, a process per call"
WARM, PEER_WARM = "Swiftlet, a warm call after another", "executorlib, a warm call after another"
CLUSTER, PEER_CLUSTER = "Swiftlet, a job per call", "executorlib, a job per call"
BARE = "bare jobs of `true`"


def at_once(executor: Executor, calls: int) -> float:
    """Submits all, then takes every result: calls a second."""
    with executor:
        executor.submit(identity, -1).result()
        start = time.perf_counter()
        futures = [executor.submit(identity, index) for index in range(calls)]
        values = [future.result() for future in futures]
        elapsed = time.perf_counter() - start
    assert values == list(range(calls))
    return calls / elapsed


def one_by_one(executor: Executor, calls: int) -> float:
    """Waits for each call before the next: calls a second."""
    with executor:
        executor.submit(identity, -1).result()
        start = time.perf_counter()
        for index in range(calls):
            assert executor.submit(identity, index).result() == index
        return calls / (time.perf_counter() - start)


def cluster(kind: type[Executor], calls: int) -> float:
    """In a cache directory of its own."""
    with tempfile.TemporaryDirectory() as directory:
        return at_once(kind(cache_directory=directory), calls)  # type: ignore[call-arg]


def bare_jobs(calls: int) -> float:
    """What a job costs by itself."""
    start = time.perf_counter()
    subprocess.run(["flux", "submit", "--quiet", "--wait", f"--cc=1-{calls}", "true"], check=True)
    return calls / (time.perf_counter() - start)


if __name__ == "__main__":
    in_instance()
    race(
        "No-op calls in a Flux instance",
        "calls/s",
        [
            Contestant(FRESH, lambda: at_once(FluxJobExecutor(), 300)),
            Contestant(PEER_FRESH, lambda: at_once(Executorlib(), 30)),
            Contestant(WARM, lambda: one_by_one(FluxJobExecutor(max_workers=1, block_allocation=True), 1000)),
            Contestant(PEER_WARM, lambda: one_by_one(Executorlib(max_workers=1, block_allocation=True), 100)),
            Contestant(CLUSTER, lambda: cluster(FluxClusterExecutor, 60)),
            Contestant(PEER_CLUSTER, lambda: cluster(ExecutorlibCluster, 8)),
            Contestant(BARE, lambda: bare_jobs(60)),
        ],
        [
            Goal(FRESH, PEER_FRESH, "at least", 30, 15),
            Goal(WARM, PEER_WARM, "at least", 100, 50),
            Goal(CLUSTER, PEER_CLUSTER, "at least", 20, 10),
            Goal(CLUSTER, BARE, "at least", 0.9, 0.7),
        ],
        rounds=3,
    )
