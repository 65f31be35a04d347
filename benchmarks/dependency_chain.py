# SPDX-License-Identifier: BSD-3-Clause
"""What does one link of a chain cost, each call taking the future of the one before it?"""

from __future__ import annotations

import statistics
import time
from concurrent.futures import Executor
from typing import Any

from executorlib import SingleNodeExecutor as Executorlib

from race import Contestant, Goal, race
from swiftlet import SingleNodeExecutor
from work import EXECUTORLIB, SWIFTLET, increment

ONE_CALL = "swiftlet, one warm call"


def link_microseconds(executor: Executor, links: int) -> float:
    """The whole chain is submitted at once; time from the first submit to the last value."""
    with executor:
        for _ in range(20):
            executor.submit(increment, 0).result()
        start = time.perf_counter()
        value: Any = 0
        for _ in range(links):
            value = executor.submit(increment, value)
        assert value.result() == links
        return (time.perf_counter() - start) / links * 1e6


def call_microseconds(executor: Executor, calls: int) -> float:
    """The same work by a client that waits for each value."""
    with executor:
        for _ in range(20):
            executor.submit(increment, 0).result()
        times = []
        for index in range(calls):
            start = time.perf_counter()
            executor.submit(increment, index).result()
            times.append(time.perf_counter() - start)
    return statistics.median(times) * 1e6


def ours() -> Executor:
    """One warm worker."""
    return SingleNodeExecutor(max_workers=1, block_allocation=True)


if __name__ == "__main__":
    race(
        "One link of a dependency chain",
        "µs",
        [
            Contestant(SWIFTLET, lambda: link_microseconds(ours(), 1000)),
            Contestant(ONE_CALL, lambda: call_microseconds(ours(), 1000)),
            Contestant(
                EXECUTORLIB, lambda: link_microseconds(Executorlib(max_workers=1, block_allocation=True), 50)
            ),
        ],
        [Goal(SWIFTLET, ONE_CALL, "at most", 1.0, 1.3)],
    )
