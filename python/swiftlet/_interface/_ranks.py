# SPDX-License-Identifier: BSD-3-Clause
"""The ranks of an MPI program that run each call together."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any

import cloudpickle


class Ranks:
    """All ranks of ``MPI.COMM_WORLD``. Every one of them calls every method."""

    def __init__(self) -> None:
        """``ImportError`` if mpi4py is not installed."""
        try:
            from mpi4py import MPI
        except ImportError as error:
            raise ImportError(
                "mpi4py is required for parallel calculations. Please install mpi4py."
            ) from error
        MPI.pickle.__init__(  # type: ignore[misc,unused-ignore]
            cloudpickle.dumps, cloudpickle.loads, pickle.HIGHEST_PROTOCOL
        )
        self._world = MPI.COMM_WORLD

    @property
    def is_first(self) -> bool:
        """Whether this is rank 0, which has the connection."""
        return bool(self._world.Get_rank() == 0)

    def shared(self, value: Any) -> Any:
        """What rank 0 was given, on all of them."""
        return self._world.bcast(value, root=0)

    def call(self, fn: Callable[[], Any]) -> Any:
        """On rank 0 the list of what the ranks return. Raises there what the first rank raises that does;
        all are heard before, so that none waits for another that failed.
        """
        try:
            outcome: tuple[Any, BaseException | None] = fn(), None
        except Exception as error:
            outcome = None, error
        outcomes = self._world.gather(outcome, root=0) or []
        for rank, (_, raised) in enumerate(outcomes):
            if raised is not None:
                if hasattr(raised, "add_note"):
                    raised.add_note(f"swiftlet: raised by rank {rank} of {len(outcomes)}")
                raise raised
        return [value for value, _ in outcomes]
