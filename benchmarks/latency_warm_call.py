# SPDX-License-Identifier: BSD-3-Clause
"""How long does one call of a warm worker take, from submit to result, with nothing else going on?"""

from __future__ import annotations

import multiprocessing
import statistics
import time
from concurrent.futures import Executor, ProcessPoolExecutor

from executorlib import SingleNodeExecutor as Executorlib

from race import Contestant, Goal, race
from swiftlet import SingleNodeExecutor
from work import EXECUTORLIB, EXECUTORLIB_BARE, POOL, SWIFTLET, identity


def microseconds(executor: Executor, calls: int) -> float:
    """Median of `calls` calls, one after the other."""
    with executor:
        for index in range(20):
            executor.submit(identity, index).result()
        times = []
        for index in range(calls):
            start = time.perf_counter()
            executor.submit(identity, index).result()
            times.append(time.perf_counter() - start)
    return statistics.median(times) * 1e6


def pool() -> Executor:
    """The standard library's, in its fastest start method."""
    return ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("fork"))


if __name__ == "__main__":
    race(
        "One warm no-op call",
        "µs",
        [
            Contestant(
                SWIFTLET, lambda: microseconds(SingleNodeExecutor(max_workers=1, block_allocation=True), 1000)
            ),
            Contestant(POOL, lambda: microseconds(pool(), 1000)),
            Contestant(
                EXECUTORLIB, lambda: microseconds(Executorlib(max_workers=1, block_allocation=True), 50)
            ),
            Contestant(
                EXECUTORLIB_BARE,
                lambda: microseconds(
                    Executorlib(max_workers=1, block_allocation=True, disable_dependencies=True), 500
                ),
            ),
        ],
        [
            Goal(SWIFTLET, POOL, "at most", 0.45, 0.6),
        ],
        rounds=7,
    )
