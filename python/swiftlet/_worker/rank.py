# SPDX-License-Identifier: BSD-3-Clause
"""One rank of a group, started by mpiexec, srun or flux: ``python [flags] …/swiftlet/_worker/rank.py RANKS``.

Rank 0 finds a ticket on its standard input and connects to the engine with it; the others find rank 0 by MPI.
"""

import os
import sys


def main() -> None:
    here = os.path.dirname(os.path.abspath(__file__))
    root = os.path.dirname(os.path.dirname(here))
    sys.path[:] = [root, *(entry for entry in sys.path if entry != here)]

    from swiftlet._worker import _ranks

    _ranks.run(int(sys.argv[1]))


if __name__ == "__main__":
    main()
