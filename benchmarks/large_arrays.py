# SPDX-License-Identifier: BSD-3-Clause
"""How fast do 100 MB travel to a warm worker and back, read at both ends?"""

from __future__ import annotations

import multiprocessing
import statistics
import time
from concurrent.futures import Executor, ProcessPoolExecutor

import numpy as np
from executorlib import SingleNodeExecutor as Executorlib

from array_work import touch
from race import Contestant, Goal, race
from swiftlet import SingleNodeExecutor
from work import EXECUTORLIB_BARE, POOL, SWIFTLET

ARRAY = np.arange(12_500_000, dtype=np.float64)


def gigabytes_per_second(executor: Executor, calls: int) -> float:
    """Median over calls of one array after the other; both ways count."""
    with executor:
        for _ in range(2):
            executor.submit(touch, ARRAY).result()
        times = []
        for _ in range(calls):
            start = time.perf_counter()
            result = executor.submit(touch, ARRAY).result()
            touch(result)
            times.append(time.perf_counter() - start)
            assert result[-1] == ARRAY[-1]
            del result
    return 2 * ARRAY.nbytes / statistics.median(times) / 1e9


def pool() -> Executor:
    """The standard library's, in its fastest start method."""
    return ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("fork"))


if __name__ == "__main__":
    race(
        "A 100 MB array there and back",
        "GB/s",
        [
            Contestant(
                SWIFTLET,
                lambda: gigabytes_per_second(SingleNodeExecutor(max_workers=1, block_allocation=True), 9),
            ),
            Contestant(POOL, lambda: gigabytes_per_second(pool(), 3)),
            Contestant(
                EXECUTORLIB_BARE,
                lambda: gigabytes_per_second(
                    Executorlib(max_workers=1, block_allocation=True, disable_dependencies=True), 3
                ),
            ),
        ],
        [Goal(SWIFTLET, POOL, "at least", 20, 10)],
        rounds=3,
    )
