# SPDX-License-Identifier: BSD-3-Clause
"""How many calls a second go from a Swift program into processes of their own, two at a time?"""

from __future__ import annotations

from fresh_calls import per_second
from race import Contestant, Goal, race
from swift_program import build, measure
from swiftlet import SingleNodeExecutor

SWIFT, PYTHON, STARTS = "Swift program", "Python front", "the program started to do nothing"

if __name__ == "__main__":
    program = build()
    race(
        "Fresh no-op calls from Swift, 2 cores",
        "calls/s",
        [
            Contestant(SWIFT, lambda: measure(program, "fresh", 1000)[0]),
            Contestant(STARTS, lambda: measure(program, "starts", 1000)[0]),
            Contestant(PYTHON, lambda: per_second(SingleNodeExecutor(max_cores=2), 500)),
        ],
        [Goal(SWIFT, STARTS, "at least", 0.5, 0.33), Goal(SWIFT, PYTHON, "at least", 1, 0.7)],
    )
