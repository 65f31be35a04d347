# SPDX-License-Identifier: BSD-3-Clause
"""How many no-op calls a second go through two warm workers?"""

from __future__ import annotations

import multiprocessing
import time
from concurrent.futures import Executor, ProcessPoolExecutor

from executorlib import SingleNodeExecutor as Executorlib

from race import Contestant, Goal, race
from swiftlet import SingleNodeExecutor
from work import EXECUTORLIB, EXECUTORLIB_BARE, POOL, SWIFTLET, identity


def per_second(executor: Executor, calls: int) -> float:
    """Submits all, then takes every result."""
    with executor:
        for future in [executor.submit(identity, index) for index in range(50)]:
            future.result()
        start = time.perf_counter()
        futures = [executor.submit(identity, index) for index in range(calls)]
        values = [future.result() for future in futures]
        elapsed = time.perf_counter() - start
    assert values == list(range(calls))
    return calls / elapsed


def pool() -> Executor:
    """The standard library's, in its fastest start method."""
    return ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("fork"))


if __name__ == "__main__":
    race(
        "Warm no-op calls, 2 workers",
        "calls/s",
        [
            Contestant(
                SWIFTLET, lambda: per_second(SingleNodeExecutor(max_workers=2, block_allocation=True), 20_000)
            ),
            Contestant(POOL, lambda: per_second(pool(), 20_000)),
            Contestant(
                EXECUTORLIB, lambda: per_second(Executorlib(max_workers=2, block_allocation=True), 2_000)
            ),
            Contestant(
                EXECUTORLIB_BARE,
                lambda: per_second(
                    Executorlib(max_workers=2, block_allocation=True, disable_dependencies=True), 5_000
                ),
            ),
        ],
        [Goal(SWIFTLET, POOL, "at least", 6, 5)],
    )
