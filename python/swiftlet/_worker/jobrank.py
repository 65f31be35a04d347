# SPDX-License-Identifier: BSD-3-Clause
"""One rank of a call that is a job: ``python [flags] …/_worker/jobrank.py RANKS DIRECTORY KEY RESULT``."""

import os
import sys


def main() -> None:
    here = os.path.dirname(os.path.abspath(__file__))
    root = os.path.dirname(os.path.dirname(here))
    sys.path[:] = [root, *(entry for entry in sys.path if entry != here)]

    from swiftlet._worker import _jobranks

    _jobranks.run(int(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4])


if __name__ == "__main__":
    main()
