# SPDX-License-Identifier: BSD-3-Clause
"""Programs written for executorlib run on swiftlet without a change.

::

    python -m swiftlet.compat script.py argument …      or      python -m swiftlet.compat -m module argument …

runs a whole program; ``swiftlet.install_as_executorlib()`` at the top of one does the same from there on.
"""

from __future__ import annotations

import importlib.machinery
import io
import os
import runpy
import sys
import types

from swiftlet._alias import install_as_executorlib

__all__ = ["install_as_executorlib", "main"]

_USAGE = "usage: python -m swiftlet.compat [-m] script [argument ...]"


def main(arguments: list[str]) -> None:
    """Runs ``script argument …`` or ``-m module argument …`` as Python does, with swiftlet as executorlib.

    ``SystemExit`` with status 2 if there is nothing to run.
    """
    if not arguments or arguments in (["-h"], ["--help"], ["-m"]) or arguments[0].startswith("--"):
        sys.stderr.write(_USAGE + "\n")
        raise SystemExit(0 if arguments and arguments[0] in ("-h", "--help") else 2)
    install_as_executorlib()
    if arguments[0] == "-m":
        sys.argv[:] = arguments[1:]
        sys.path[0] = os.getcwd()
        runpy.run_module(arguments[1], run_name="__main__", alter_sys=True)
        return
    sys.argv[:] = arguments
    if os.path.isdir(arguments[0]):
        runpy.run_path(arguments[0], run_name="__main__")
    else:
        _run_script(arguments[0])


def _run_script(path: str) -> None:
    """In a ``__main__`` that stays until the interpreter ends: calls may still need its functions then."""
    try:
        with io.open_code(os.path.abspath(path)) as file:
            code = compile(file.read(), path, "exec")
    except OSError as error:
        sys.stderr.write(f"{_USAGE}\nerror: {path!r} cannot be read: {error.strerror}\n")
        raise SystemExit(2) from None
    sys.path[0] = os.path.dirname(os.path.abspath(path))
    main_module = types.ModuleType("__main__")
    main_module.__file__ = path
    main_module.__loader__ = importlib.machinery.SourceFileLoader("__main__", path)
    main_module.__dict__["__builtins__"] = __builtins__
    sys.modules["__main__"] = main_module
    exec(code, main_module.__dict__)


if __name__ == "__main__":
    # The module of this name is another object than the one that runs: everything is done by that one.
    from swiftlet.compat import main as run

    run(sys.argv[1:])
