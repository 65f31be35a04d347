# SPDX-License-Identifier: BSD-3-Clause
"""What does each of a million queued tasks cost a Swift program, and does the cost grow with the queue?

The only worker is held by another task. Bytes are those of client, engine and arguments together: the engine
is in the program.
"""

from __future__ import annotations

import functools
from pathlib import Path

from race import Contestant, Goal, race
from swift_program import build, measure

BYTES = "bytes of a queued task"
FIRST = "first 50,000: µs per submit"
LAST = "last 50,000: µs per submit"
DRAIN = "µs per task from release to last value"
FEW = "bytes of a queued task, of a hundred thousand"


@functools.cache
def queued(program: Path, count: int) -> dict[str, float]:
    """One run gives all numbers."""
    return dict(zip([BYTES, FIRST, LAST, DRAIN], measure(program, "queued", count)))


def part(name: str) -> Contestant:
    """One number of the long run."""
    return Contestant(name, lambda: queued(program, 1_000_000)[name])


if __name__ == "__main__":
    program = build()
    race(
        "A million queued no-op tasks of a Swift program",
        "see each row",
        [
            *map(part, (BYTES, FIRST, LAST, DRAIN)),
            Contestant(FEW, lambda: queued(program, 100_000)[BYTES]),
        ],
        [Goal(BYTES, "", "below", 700, 900), Goal(LAST, FIRST, "at most", 1.1, 1.5)],
        rounds=1,
    )
