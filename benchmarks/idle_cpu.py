# SPDX-License-Identifier: BSD-3-Clause
"""How much CPU does an executor take that has nothing to do, in all its processes and in the client?"""

from __future__ import annotations

import os
import time
from concurrent.futures import Executor

from executorlib import SingleNodeExecutor as Executorlib

from processes import cpu_seconds, descendants
from race import Contestant, Goal, race
from swiftlet import SingleNodeExecutor
from work import EXECUTORLIB, EXECUTORLIB_BARE, SWIFTLET, identity

SECONDS = 4.0


def percent(executor: Executor) -> float:
    """CPU time over wall time, in percent of one core, after a first call has ended."""
    with executor:
        executor.submit(identity, 0).result()
        time.sleep(0.5)
        others = descendants(os.getpid())
        # Reading the others costs time of this process: its own clock is read inside of theirs.
        before_others, before = cpu_seconds(others), time.process_time()
        time.sleep(SECONDS)
        after, after_others = time.process_time(), cpu_seconds(others)
    return (after - before + after_others - before_others) / SECONDS * 100


if __name__ == "__main__":
    race(
        "An idle executor with 2 warm workers",
        "% of one core",
        [
            Contestant(SWIFTLET, lambda: percent(SingleNodeExecutor(max_workers=2, block_allocation=True))),
            Contestant(EXECUTORLIB, lambda: percent(Executorlib(max_workers=2, block_allocation=True))),
            Contestant(
                EXECUTORLIB_BARE,
                lambda: percent(Executorlib(max_workers=2, block_allocation=True, disable_dependencies=True)),
            ),
        ],
        [Goal(SWIFTLET, "", "below", 0.01, 0.1)],
        rounds=3,
    )
