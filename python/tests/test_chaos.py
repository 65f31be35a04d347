# SPDX-License-Identifier: BSD-3-Clause
"""A hundred thousand calls while somebody kills workers: every future ends, every value is right."""

from __future__ import annotations

import os
import random
import signal
import threading

from swiftlet import SingleNodeExecutor
from swiftlet._errors import WorkerLostError

CALLS = 100_000


def square(number: int) -> int:
    return number * number


def test_calls_survive_a_killer_of_workers() -> None:
    chance = random.Random(7)
    kills = 0
    with SingleNodeExecutor(max_workers=2, block_allocation=True, restart_limit=5) as executor:
        over = threading.Event()

        def kill_one_after_the_other() -> None:
            nonlocal kills
            while not over.wait(0.2):
                workers = [pid for pid in map(int, executor.status()["worker_pids"]) if pid]
                if workers:
                    try:
                        os.kill(chance.choice(workers), signal.SIGKILL)
                    except ProcessLookupError:
                        continue
                    kills += 1

        killer = threading.Thread(target=kill_one_after_the_other)
        killer.start()
        futures = [executor.submit(square, number) for number in range(CALLS)]
        lost = 0
        for number, future in enumerate(futures):
            try:
                assert future.result(timeout=120) == number * number
            except WorkerLostError:
                lost += 1
        over.set()
        killer.join()
        assert kills > 0
        # A call is lost only when six workers died under it.
        assert lost <= kills / 6
