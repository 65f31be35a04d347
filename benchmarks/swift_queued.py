# SPDX-License-Identifier: BSD-3-Clause
"""What does each of a million queued tasks cost a Swift program?"""

from __future__ import annotations

from race import Contestant, Goal, race
from swift_program import build, measure

MANY, FEW = "a million queued tasks", "a hundred thousand"

if __name__ == "__main__":
    program = build()
    race(
        "Bytes of a queued task in a Swift program (client, engine and arguments together)",
        "bytes",
        [
            Contestant(MANY, lambda: measure(program, "queued", 1_000_000)[0]),
            Contestant(FEW, lambda: measure(program, "queued", 100_000)[0]),
        ],
        [Goal(MANY, "", "below", 700, 900)],
        rounds=1,
    )
