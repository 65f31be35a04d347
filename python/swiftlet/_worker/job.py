# SPDX-License-Identifier: BSD-3-Clause
"""One call as a job: ``python [flags] …/swiftlet/_worker/job.py DIRECTORY KEY``, or an element of an array of
jobs: ``job.py DIRECTORY --element INDEX``, with the keys of all elements on standard input, one a line; or
``job.py DIRECTORY --elements KEY…``, whose index Slurm says; or ``job.py DIRECTORY --shared KEY OTHER…``, a
job that may also run the calls of others like it. With ``--step COMMAND…`` at the end that command
starts the ranks of the call.

Reads the entry's task, runs the call in a process of its own below this one, and writes the outcome with its
provenance, also when that process dies. Exit status 0: there is an outcome; 3: there is no task; 4: the
outcome could not be written; 5: the task was taken back; 6: who started the job is gone.
"""

import os
import sys


def main() -> None:
    here = os.path.dirname(os.path.abspath(__file__))
    root = os.path.dirname(os.path.dirname(here))
    sys.path[:] = [root, *(entry for entry in sys.path if entry != here)]
    words, step = sys.argv[1:], []
    if "--step" in words:
        step = words[words.index("--step") + 1 :]
        words = words[: words.index("--step")]
    is_element = len(words) == 3 and words[1] == "--element"
    is_one_of = len(words) > 2 and words[1] == "--elements"
    is_shared = len(words) > 2 and words[1] == "--shared"
    if len(words) != 2 and not is_element and not is_one_of and not is_shared:
        sys.exit(
            f"usage: {sys.argv[0]} DIRECTORY (KEY | --element INDEX | --elements KEY… | --shared KEY OTHER…) "
            "[--step COMMAND…]"
        )

    # Of the call that queued this one, if it was one; on another node.
    for name in ("SWIFTLET_SLOT", "SWIFTLET_NODE"):
        os.environ.pop(name, None)

    if len(words) == 2:
        from swiftlet._worker import _job

        sys.exit(_job.run(words[0], words[1], step))

    from swiftlet._worker import _array

    if is_shared:
        sys.exit(_array.run(words[0], words[2:], 0, step, _array.WHOLE))

    if is_element:
        sys.exit(_array.run(words[0], _array.keys_of_stdin(), int(words[2]), step, _array.WHOLE))
    # A user's script, whose time limit may leave no time for others' calls.
    index = int(os.environ["SLURM_ARRAY_TASK_ID"])
    sys.exit(_array.run(words[0], words[2:], index, step, _array.WHOLE_OF_UNKNOWN))


if __name__ == "__main__":
    main()
