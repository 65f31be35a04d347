# SPDX-License-Identifier: BSD-3-Clause
"""How long does it take until the executor's class is there, in a new interpreter?"""

from __future__ import annotations

import subprocess
import sys
import time

from race import Contestant, Goal, race
from work import EXECUTORLIB, POOL, SWIFTLET

NOTHING = "the interpreter alone"


def milliseconds(code: str) -> float:
    """Wall time of one interpreter."""
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True)
    return (time.perf_counter() - start) * 1e3


if __name__ == "__main__":
    race(
        "Import of the executor",
        "ms",
        [
            Contestant(NOTHING, lambda: milliseconds("pass")),
            Contestant(SWIFTLET, lambda: milliseconds("from swiftlet import SingleNodeExecutor")),
            Contestant(POOL, lambda: milliseconds("from concurrent.futures import ProcessPoolExecutor")),
            Contestant(EXECUTORLIB, lambda: milliseconds("from executorlib import SingleNodeExecutor")),
        ],
        [Goal(SWIFTLET, NOTHING, "beyond", 60, 90)],
        rounds=21,
    )
