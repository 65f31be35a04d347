# SPDX-License-Identifier: BSD-3-Clause
"""What the benchmarks run: importable, so that every contestant pickles it in the cheapest way.

Imports nothing: a fresh process has to import this module in every call.
"""

SWIFTLET = "swiftlet"
POOL = "ProcessPoolExecutor"
EXECUTORLIB = "executorlib"
EXECUTORLIB_BARE = "executorlib, disable_dependencies"


def identity(value: object) -> object:
    """Gives back what it gets."""
    return value


def increment(value: int) -> int:
    """One link of a chain."""
    return value + 1


def read_all(path: str) -> str:
    """Blocks until somebody has written to a named pipe."""
    with open(path) as pipe:
        return pipe.read()


def ranks() -> int:
    """The rank of this process."""
    from mpi4py import MPI

    return int(MPI.COMM_WORLD.Get_rank())


def when(_: object) -> float:
    """Unix time, in seconds, just before the call ends."""
    import time

    return time.time()
