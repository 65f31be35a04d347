# SPDX-License-Identifier: BSD-3-Clause
"""How many calls a second can a group of two MPI ranks take that stays?"""

from __future__ import annotations

import os
import sys
import time
from concurrent.futures import Executor
from typing import Any

from executorlib import SingleNodeExecutor as Executorlib

from race import Contestant, Goal, race
from swiftlet import SingleNodeExecutor
from work import EXECUTORLIB, EXECUTORLIB_BARE, SWIFTLET, ranks

# executorlib takes the first mpiexec in PATH, and waits for ever if there is none.
os.environ["PATH"] = os.path.dirname(sys.executable) + os.pathsep + os.environ["PATH"]


def per_second(executor: Executor, calls: int) -> float:
    """Submits all, then takes every result."""
    with executor:
        executor.submit(ranks).result()
        start = time.perf_counter()
        results: list[Any] = [future.result() for future in [executor.submit(ranks) for _ in range(calls)]]
        elapsed = time.perf_counter() - start
    assert results == [[0, 1]] * calls
    return calls / elapsed


def swiftlet() -> Executor:
    """One group of two ranks."""
    return SingleNodeExecutor(block_allocation=True, max_workers=1, resource_dict={"cores": 2})


def executorlib(bare: bool) -> Any:
    """The same."""
    return Executorlib(
        block_allocation=True, max_workers=1, resource_dict={"cores": 2}, disable_dependencies=bare
    )


if __name__ == "__main__":
    race(
        "Calls on two MPI ranks that stay",
        "calls/s",
        [
            Contestant(SWIFTLET, lambda: per_second(swiftlet(), 1000)),
            Contestant(EXECUTORLIB, lambda: per_second(executorlib(False), 300)),
            Contestant(EXECUTORLIB_BARE, lambda: per_second(executorlib(True), 300)),
        ],
        [Goal(SWIFTLET, EXECUTORLIB_BARE, "at least", 1, 1)],
    )
