# SPDX-License-Identifier: BSD-3-Clause
"""One call as a job: ``python [flags] …/swiftlet/_worker/job.py DIRECTORY KEY``, or an element of an array of
jobs: ``job.py DIRECTORY --element INDEX``, with the keys of all elements on standard input, one a line.

Reads the entry's task, runs the call in a process of its own below this one, and writes the outcome with its
provenance, also when that process dies. Exit status 0: there is an outcome; 3: there is no task; 4: the
outcome could not be written.
"""

import os
import sys


def main() -> None:
    here = os.path.dirname(os.path.abspath(__file__))
    root = os.path.dirname(os.path.dirname(here))
    sys.path[:] = [root, *(entry for entry in sys.path if entry != here)]
    is_element = len(sys.argv) == 4 and sys.argv[2] == "--element"
    if len(sys.argv) != 3 and not is_element:
        sys.exit(f"usage: {sys.argv[0]} DIRECTORY (KEY | --element INDEX)")

    import cloudpickle  # noqa: F401  most calls need it; imported before the call's process is forked

    from swiftlet._worker import _array, _job

    if is_element:
        sys.exit(_array.run(sys.argv[1], _array.keys_of_stdin(), int(sys.argv[3])))
    sys.exit(_job.run(sys.argv[1], sys.argv[2]))


if __name__ == "__main__":
    main()
