# SPDX-License-Identifier: BSD-3-Clause
"""How long does one call of a Swift program take, from submit to value, with nothing else going on?"""

from __future__ import annotations

from latency_warm_call import microseconds
from race import Contestant, Goal, race
from swift_program import build, measure
from swiftlet import SingleNodeExecutor

SWIFT, PYTHON = "Swift program", "Python front"

if __name__ == "__main__":
    program = build()
    race(
        "One warm no-op call from Swift",
        "µs",
        [
            Contestant(SWIFT, lambda: measure(program, "latency", 2000)[0]),
            Contestant(
                PYTHON, lambda: microseconds(SingleNodeExecutor(max_workers=1, block_allocation=True), 1000)
            ),
        ],
        [Goal(SWIFT, PYTHON, "at most", 0.75, 1)],
    )
