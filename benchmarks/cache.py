# SPDX-License-Identifier: BSD-3-Clause
"""What does one warm call cost with a cache directory: not found there, and found?"""

from __future__ import annotations

import itertools
import statistics
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import Executor

from executorlib import SingleNodeExecutor as Executorlib

from race import Contestant, Goal, race
from swiftlet import SingleNodeExecutor
from work import EXECUTORLIB, EXECUTORLIB_BARE, SWIFTLET, identity

CALLS = 30
_numbers = itertools.count()


def seconds(executor: Executor, found: bool) -> float:
    """The median of calls one after the other."""
    with executor:
        executor.submit(identity, -1).result()
        arguments = [next(_numbers) for _ in range(CALLS)]
        if found:
            for argument in arguments:
                executor.submit(identity, argument).result()
        times = []
        for argument in arguments:
            start = time.perf_counter()
            value = executor.submit(identity, argument).result()
            times.append(time.perf_counter() - start)
            assert value == argument
    return statistics.median(times)


def measured(make: Callable[..., Executor], found: bool, **options: bool) -> float:
    """In a directory of its own, which is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="cache-") as directory:
        executor = make(max_workers=1, block_allocation=True, cache_directory=directory, **options)
        return seconds(executor, found)


def contestants(what: str, found: bool) -> list[Contestant]:
    """Ours and theirs."""
    return [
        Contestant(f"{SWIFTLET}, {what}", lambda: measured(SingleNodeExecutor, found)),
        Contestant(f"{EXECUTORLIB}, {what}", lambda: measured(Executorlib, found)),
        Contestant(
            f"{EXECUTORLIB_BARE}, {what}",
            lambda: measured(Executorlib, found, disable_dependencies=True),
        ),
    ]


if __name__ == "__main__":
    race(
        "One warm call with a cache directory",
        "s",
        [*contestants("a miss", False), *contestants("a hit", True)],
        [
            Goal(f"{peer}, {what}", f"{SWIFTLET}, {what}", "at least", 20, 10)
            for what in ("a miss", "a hit")
            for peer in (EXECUTORLIB, EXECUTORLIB_BARE)
        ],
        rounds=3,
    )
