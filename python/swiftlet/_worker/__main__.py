# SPDX-License-Identifier: BSD-3-Clause
"""Starts the fork server: ``python [flags] …/swiftlet/_worker/__main__.py``, the engine's connection as
descriptor 3.

Everything a worker needs is imported here, once, before the first fork.
"""

import os
import sys


def main() -> None:
    here = os.path.dirname(os.path.abspath(__file__))
    root = os.path.dirname(os.path.dirname(here))
    sys.path[:] = [root, *(entry for entry in sys.path if entry != here)]

    from swiftlet._worker import _hooks

    with _hooks.kept_back():
        import cloudpickle  # noqa: F401  most calls need it, and importing it takes as long as ten of them

        from swiftlet._worker import _forkserver

    _forkserver.serve(3)


if __name__ == "__main__":
    main()
