# SPDX-License-Identifier: BSD-3-Clause
"""The Flux instance that benchmarks run in, with Flux's Python bindings for the peer."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

CANNOT_RUN = 3


def in_instance(*options: str) -> None:
    """Returns inside an instance; outside of one runs this program again in one of its own."""
    if shutil.which("flux") is None:
        print("skipped: no Flux on this machine: there is no command flux in PATH", file=sys.stderr)
        sys.exit(CANNOT_RUN)
    paths = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    bindings = bindings_of_flux()
    if "FLUX_URI" in os.environ and set(bindings) <= set(paths):
        return
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [*paths, *bindings]))
    start = [] if "FLUX_URI" in os.environ else ["flux", "start", *options]
    command = [*start, sys.executable, *sys.argv]
    os.execvp(command[0], command)


def bindings_of_flux() -> list[str]:
    """Where Flux keeps `import flux`."""
    command = ["flux", "env", "printenv", "PYTHONPATH"]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    return answer.stdout.strip().split(os.pathsep) if answer.returncode == 0 else []
