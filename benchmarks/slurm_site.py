# SPDX-License-Identifier: BSD-3-Clause
"""The Slurm that benchmarks run on: the user's, where there is one, or else the tests' own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1] / "python" / "tests" / "slurm"))
from slurm_cluster import Cluster  # type: ignore[import-not-found]  # the tests'


@contextmanager
def site() -> Iterator[None]:
    """Slurm's commands work in the block. SLURM_CONF names the user's own configuration."""
    if "SLURM_CONF" in os.environ:
        yield
        return
    cluster = Cluster()
    cluster.up()
    os.environ["SLURM_CONF"] = str(cluster.configuration)
    try:
        yield
    finally:
        cluster.down()


def in_allocation(*options: str) -> None:
    """Returns inside an allocation; outside of one runs this program again in one, and ends with it."""
    if "SLURM_JOB_ID" in os.environ:
        return
    with site():
        command = ["salloc", "--quiet", *options, sys.executable, *sys.argv]
        status = subprocess.run(command, check=False).returncode
    sys.exit(status)
