# SPDX-License-Identifier: BSD-3-Clause
"""What does a queued call cost in memory, and does its cost grow with the queue?

One warm worker is held by a call that reads a pipe, so that everything else queues. Both numbers of bytes
include what the call itself needs: its pickled argument in the engine, its Future in the client.
"""

from __future__ import annotations

import functools
import multiprocessing
import os
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from pathlib import Path
from typing import Any

from processes import engines, resident_bytes
from race import Contestant, Goal, race
from swiftlet import SingleNodeExecutor
from work import identity, read_all

COUNT, POOL_COUNT, BATCH = 1_000_000, 50_000, 50_000
IN_ENGINE = "swiftlet, engine, bytes per task"
IN_CLIENT = "swiftlet, client, bytes per task"
IN_POOL = "ProcessPoolExecutor, client, bytes per task"
FIRST = "swiftlet, first 50,000: µs per submit"
LAST = "swiftlet, last 50,000: µs per submit"
DRAIN = "swiftlet, µs per task from release to last value"


def fill(
    executor: Executor, count: int, sizes: Callable[[], list[int]]
) -> tuple[list[float], dict[str, float]]:
    """Bytes per task for each of `sizes`, and times; afterwards every value is checked."""
    with tempfile.TemporaryDirectory() as directory, executor:
        pipe = Path(directory) / "pipe"
        os.mkfifo(pipe)
        executor.submit(identity, 0).result()
        held = executor.submit(read_all, str(pipe))
        before = settled(sizes)
        futures: list[Future[Any]] = []
        marks = [time.perf_counter()]
        for start in range(0, count, BATCH):
            futures += [executor.submit(identity, index) for index in range(start, start + BATCH)]
            marks.append(time.perf_counter())
        after = settled(sizes)
        pipe.write_text("go on")
        released = time.perf_counter()
        assert held.result() == "go on"
        for index, future in enumerate(futures):
            assert future.result() == index
        drained = time.perf_counter() - released
    per_task = [(end - begin) / count for begin, end in zip(before, after)]
    times = {
        FIRST: (marks[1] - marks[0]) / BATCH * 1e6,
        LAST: (marks[-1] - marks[-2]) / BATCH * 1e6,
        DRAIN: drained / count * 1e6,
    }
    return per_task, times


def settled(sizes: Callable[[], list[int]]) -> list[int]:
    """The sizes once nothing moves any more: what was submitted has arrived."""
    last = sizes()
    quiet = 0
    while quiet < 5:
        time.sleep(0.1)
        now = sizes()
        quiet = quiet + 1 if now == last else 0
        last = now
    return last


@functools.cache
def ours() -> dict[str, float]:
    """One run gives all our numbers."""
    me = os.getpid()
    executor = SingleNodeExecutor(max_workers=1, block_allocation=True)

    def sizes() -> list[int]:
        return [sum(map(resident_bytes, engines(me))), resident_bytes(me)]

    (in_engine, in_client), times = fill(executor, COUNT, sizes)
    return {IN_ENGINE: in_engine, IN_CLIENT: in_client, **times}


def pool() -> float:
    """Bytes per task of the standard library's pool, of fewer tasks: they take much more room."""
    executor = ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("fork"))
    (in_client,), _ = fill(executor, POOL_COUNT, lambda: [resident_bytes(os.getpid())])
    return in_client


def part(name: str) -> Contestant:
    """One number of our run."""
    return Contestant(name, lambda: ours()[name])


if __name__ == "__main__":
    race(
        "A million queued no-op calls",
        "see each row",
        [*map(part, (IN_ENGINE, IN_CLIENT, FIRST, LAST, DRAIN)), Contestant(IN_POOL, pool)],
        [
            Goal(IN_ENGINE, "", "below", 300, 400),
            Goal(IN_CLIENT, "", "below", 600, 800),
            Goal(LAST, FIRST, "at most", 1.1, 1.5),
        ],
        rounds=1,
    )
