# SPDX-License-Identifier: BSD-3-Clause
"""How many calls a second can each have a process of its own, two at a time?"""

from __future__ import annotations

import multiprocessing
import time
from concurrent.futures import Executor, ProcessPoolExecutor

from executorlib import SingleNodeExecutor as Executorlib

from race import Contestant, Goal, race
from swiftlet import SingleNodeExecutor
from work import EXECUTORLIB, EXECUTORLIB_BARE, SWIFTLET, identity

POOL_ONCE = "multiprocessing.Pool(maxtasksperchild=1)"
POOL_SPAWN = "ProcessPoolExecutor(max_tasks_per_child=1)"


def per_second(executor: Executor, calls: int) -> float:
    """Submits all, then takes every result."""
    with executor:
        executor.submit(identity, 0).result()
        start = time.perf_counter()
        futures = [executor.submit(identity, index) for index in range(calls)]
        values = [future.result() for future in futures]
        elapsed = time.perf_counter() - start
    assert values == list(range(calls))
    return calls / elapsed


def pool_per_second(calls: int) -> float:
    """A pool that forks a child for each call from this process, whatever is imported in it."""
    with multiprocessing.get_context("fork").Pool(2, maxtasksperchild=1) as pool:
        pool.apply(identity, (0,))
        start = time.perf_counter()
        values = pool.map(identity, range(calls), chunksize=1)
        elapsed = time.perf_counter() - start
    assert values == list(range(calls))
    return calls / elapsed


def spawning_pool() -> Executor:
    """`max_tasks_per_child` is not to be had with fork; fork server is the faster one of the others."""
    return ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("forkserver"), max_tasks_per_child=1)


if __name__ == "__main__":
    race(
        "Fresh no-op calls, 2 at a time",
        "calls/s",
        [
            Contestant(SWIFTLET, lambda: per_second(SingleNodeExecutor(max_workers=2), 500)),
            Contestant(POOL_ONCE, lambda: pool_per_second(500)),
            Contestant(POOL_SPAWN, lambda: per_second(spawning_pool(), 50)),
            Contestant(EXECUTORLIB, lambda: per_second(Executorlib(max_workers=2), 20)),
            Contestant(
                EXECUTORLIB_BARE,
                lambda: per_second(Executorlib(max_workers=2, disable_dependencies=True), 20),
            ),
        ],
        [
            Goal(SWIFTLET, EXECUTORLIB, "at least", 80, 50),
            Goal(SWIFTLET, EXECUTORLIB_BARE, "at least", 80, 50),
            Goal(SWIFTLET, POOL_ONCE, "at least", 2, 1.5),
        ],
    )
