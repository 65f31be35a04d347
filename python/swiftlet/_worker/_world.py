# SPDX-License-Identifier: BSD-3-Clause
"""MPI's world as a call sees it, and a communicator of our own beside it."""

from __future__ import annotations

import os
from typing import Any, NoReturn


def start() -> Any:
    """Starts MPI; a duplicate of ``COMM_WORLD`` that calls do not know."""
    from mpi4py import MPI

    own = MPI.COMM_WORLD.Dup()

    class World(MPI.Intracomm):
        """Its ``Abort`` does not return. Some libraries go on until their launcher kills them, and the call
        would end well meanwhile.
        """

        def Abort(self, errorcode: int = 0) -> NoReturn:
            super().Abort(errorcode)
            os._exit(errorcode & 0xFF or 1)

    vars(MPI)["COMM_WORLD"] = World(MPI.COMM_WORLD)
    return own
