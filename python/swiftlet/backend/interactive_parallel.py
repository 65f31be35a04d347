# SPDX-License-Identifier: BSD-3-Clause
"""A worker that runs the calls it is sent, for ``SocketInterface``: all ranks of an MPI program."""

from __future__ import annotations

import os
import sys


def main(arguments: list[str]) -> None:
    """Serves until it is told to end, or the program that started it is gone; rank 0 has the connection."""
    # The directory of this file is no place to import from; the one that swiftlet is in may be missing.
    sys.path[:1] = [""]
    sys.path.append(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
    from swiftlet._interface._ranks import Ranks
    from swiftlet._interface._serving import connected, serve

    ranks = Ranks()
    serve(connected(arguments) if ranks.is_first else None, arguments, ranks)


if __name__ == "__main__":
    main(sys.argv[1:])
