# SPDX-License-Identifier: BSD-3-Clause
"""Does a call with a cache directory cost more, the more entries are in it?"""

from __future__ import annotations

import itertools
import os
import statistics
import tempfile
import time

from race import Contestant, Goal, race
from swiftlet import SingleNodeExecutor
from work import identity

CALLS = 50
_numbers = itertools.count()


def fill(directory: str, count: int) -> None:
    """Puts so many other entries into a directory."""
    for index in range(count):
        with open(os.path.join(directory, f"other{index:032x}.outcome"), "wb") as file:
            file.write(b"swiftlet")


def seconds(directory: str) -> float:
    """The median of a miss and the hit after it."""
    with SingleNodeExecutor(max_workers=1, block_allocation=True, cache_directory=directory) as executor:
        executor.submit(identity, -1).result()
        times = []
        for _ in range(CALLS):
            argument = next(_numbers)
            start = time.perf_counter()
            executor.submit(identity, argument).result()
            executor.submit(identity, argument).result()
            times.append(time.perf_counter() - start)
    return statistics.median(times)


def contestant(count: int, above: str) -> Contestant:
    """One size of directory, filled once."""
    directory = os.path.join(above, str(count))
    os.mkdir(directory)
    fill(directory, count)
    return Contestant(f"{count:,} entries", lambda: seconds(directory))


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="cache-") as above:
        race(
            "A miss and a hit in a cache directory that others fill",
            "s",
            [contestant(10, above), contestant(1_000, above), contestant(100_000, above)],
            [
                Goal("1,000 entries", "10 entries", "at most", 1.3, 2),
                Goal("100,000 entries", "10 entries", "at most", 1.3, 2),
            ],
        )
