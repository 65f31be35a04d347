# SPDX-License-Identifier: BSD-3-Clause
"""What does a fresh call on two MPI ranks cost beside a plain `mpiexec` of a Python program?"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from typing import Any

from executorlib import SingleNodeExecutor as Executorlib

from race import Contestant, Goal, race
from swiftlet import SingleNodeExecutor
from work import EXECUTORLIB, SWIFTLET, ranks

RANKS = 2
MPIEXEC = "mpiexec"
PROGRAM = "from mpi4py import MPI; assert MPI.COMM_WORLD.Get_size() == 2"
EXPECTED = list(range(RANKS))

# executorlib takes the first mpiexec in PATH, and waits for ever if there is none.
os.environ["PATH"] = os.path.dirname(sys.executable) + os.pathsep + os.environ["PATH"]


def plain() -> float:
    """Seconds until a program that does nothing but start MPI has ended."""
    mpiexec = os.path.join(os.path.dirname(sys.executable), "mpiexec")
    start = time.perf_counter()
    subprocess.run([mpiexec, "-n", str(RANKS), sys.executable, "-c", PROGRAM], check=True)
    return time.perf_counter() - start


def fresh() -> float:
    """Seconds until one call's result is there; the executor runs already."""
    with SingleNodeExecutor(max_cores=RANKS) as executor:
        executor.submit(int).result()
        start = time.perf_counter()
        result: Any = executor.submit(ranks, resource_dict={"cores": RANKS}).result()
        elapsed = time.perf_counter() - start
    assert result == EXPECTED
    return elapsed


def executorlib() -> float:
    """The same; each of its calls starts processes of its own."""
    with Executorlib(max_cores=RANKS) as executor:
        start = time.perf_counter()
        result = executor.submit(ranks, resource_dict={"cores": RANKS}).result()
        elapsed = time.perf_counter() - start
    assert result == EXPECTED
    return elapsed


if __name__ == "__main__":
    race(
        "One fresh call on two MPI ranks",
        "s",
        [Contestant(SWIFTLET, fresh), Contestant(MPIEXEC, plain), Contestant(EXECUTORLIB, executorlib)],
        [Goal(SWIFTLET, MPIEXEC, "at most", 1.3, 1.3)],
    )
