# SPDX-License-Identifier: BSD-3-Clause
"""What the ranks of the tests do. mpi4py is imported in the ranks, never in the client."""

from __future__ import annotations

import os
import signal
import time
from typing import Any


def place(value: Any = None) -> tuple[Any, int, int]:
    """(value, number of ranks, rank)."""
    from mpi4py import MPI

    return value, MPI.COMM_WORLD.Get_size(), MPI.COMM_WORLD.Get_rank()


def total(value: int) -> int:
    """A sum over the ranks by MPI."""
    from mpi4py import MPI

    return int(MPI.COMM_WORLD.allreduce(value * (MPI.COMM_WORLD.Get_rank() + 1)))


def scaled(array: Any) -> Any:
    """The array times rank + 1."""
    return array * (place()[2] + 1)


def raises_on(rank: int, barrier: bool) -> int:
    """Raises on one rank; the others go on, or wait for it in a barrier."""
    from mpi4py import MPI

    if MPI.COMM_WORLD.Get_rank() == rank:
        raise ValueError(f"rank {rank} is unhappy")
    if barrier:
        MPI.COMM_WORLD.Barrier()
    return MPI.COMM_WORLD.Get_rank()


def dies_on(rank: int, how: str) -> None:
    """One rank ends; the others wait for it."""
    from mpi4py import MPI

    if MPI.COMM_WORLD.Get_rank() == rank:
        if how == "exit":
            os._exit(5)
        os.kill(os.getpid(), signal.SIGKILL)
    MPI.COMM_WORLD.Barrier()


def aborts_on(rank: int) -> int:
    """One rank aborts MPI; the others have nothing to wait for."""
    from mpi4py import MPI

    if MPI.COMM_WORLD.Get_rank() == rank:
        MPI.COMM_WORLD.Abort(7)
    return rank


def sleeps(seconds: float, started: str) -> None:
    """Sleeps deaf to SIGTERM; leaves a file for each rank when it begins."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    with open(f"{started}-{place()[2]}", "w"):
        pass
    time.sleep(seconds)


def variables(names: list[str]) -> list[str | None]:
    """The environment of a rank."""
    return [os.environ.get(name) for name in names]


def cores() -> list[int]:
    """The cores a rank may run on."""
    return sorted(os.sched_getaffinity(0))


def prepare() -> dict[str, int]:
    """An init function."""
    return {"prepared": place()[2] * 10}


def prepared_with(value: int, prepared: int) -> tuple[int, int]:
    """Takes a preset."""
    return value, prepared


def breaks_preparing() -> dict[str, int]:
    """An init function that fails on rank 1 only."""
    if place()[2] == 1:
        raise RuntimeError("rank 1 cannot prepare")
    return {}


def half(value: int) -> float:
    """A call of one core that ends well."""
    return value / 2


def fails(value: int) -> None:
    """One that raises."""
    raise LookupError(value)


def dies(value: int) -> None:
    """One whose process ends."""
    os._exit(3)
