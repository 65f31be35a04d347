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


def stranger() -> str:
    """The MPI library of mpi4py, which the launcher does not know, in the first line of its own words."""
    from mpi4py import MPI

    return MPI.Get_library_version().strip("\0 \n").splitlines()[0]


def what_to_choose() -> str:
    """What brings a launcher with PMIs of its own (srun, Flux) and the MPI library together."""
    from mpi4py import MPI

    name, version = MPI.get_vendor()
    if name == "Open MPI" and version[0] >= 5:
        return (
            f"Open MPI {version[0]} knows PMIx alone: pmi_mode='pmix', if the launcher has its PMIx plug-in; "
            "else use an mpi4py on MPICH"
        )
    return "Choose another pmi_mode, or an MPI library that knows one of the launcher's"
