# SPDX-License-Identifier: BSD-3-Clause
"""How many no-op calls a second go from a Swift program through two warm workers?"""

from __future__ import annotations

from race import Contestant, Goal, race
from swift_program import build, measure
from swiftlet import SingleNodeExecutor
from throughput_warm_calls import per_second

SWIFT, PYTHON, GROUP = "Swift program", "Python front", "TaskGroup (one process)"

if __name__ == "__main__":
    program = build()
    race(
        "Warm no-op calls from Swift, 2 workers",
        "calls/s",
        [
            Contestant(SWIFT, lambda: measure(program, "throughput", 100_000)[0]),
            Contestant(
                PYTHON, lambda: per_second(SingleNodeExecutor(max_workers=2, block_allocation=True), 20_000)
            ),
            Contestant(GROUP, lambda: measure(program, "taskgroup", 100_000)[0]),
        ],
        [Goal(SWIFT, PYTHON, "at least", 2, 1.5)],
    )
