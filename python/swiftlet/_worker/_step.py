# SPDX-License-Identifier: BSD-3-Clause
"""A worker that is a job step of its own: ``srun … python …/swiftlet/_worker/_step.py``.

It connects to its engine with the ticket that is the first line of its standard input.
"""

import os
import sys


def main() -> None:
    here = os.path.dirname(os.path.abspath(__file__))
    root = os.path.dirname(os.path.dirname(here))
    sys.path[:] = [root, *(entry for entry in sys.path if entry != here)]

    from swiftlet._worker import _watch

    watcher = _watch.Watcher()

    from swiftlet import _secure
    from swiftlet._current import VARIABLE
    from swiftlet._worker import _ending, _process, _slot, _worker

    ticket = _secure.Ticket.parse(_first_line(0))
    _become_quiet()
    _slot.set_variables({VARIABLE: os.environ.get(VARIABLE, "")})
    _process.become_subreaper()
    _ending.ends_children = True
    sys.modules["__main__"] = type(sys)("__main__")
    sys.argv = [""]
    engine = _secure.connect(ticket)
    watcher.over(engine.fileno())
    _worker.run_on(engine)


def _first_line(descriptor: int) -> str:
    line = b""
    while not line.endswith(b"\n") and (byte := os.read(descriptor, 1)):
        line += byte
    return line.decode()


def _become_quiet() -> None:
    """Nothing more comes from the standard input; what is printed leaves by lines."""
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(encoding="utf-8", line_buffering=True)  # type: ignore[union-attr]


if __name__ == "__main__":
    main()
